//! What ladders look like.

use proptest::prelude::*;

use super::super::build::Build;
use super::super::flags::Flags;
use super::super::story::tests::{call, goes, lab, returns, us};
use super::*;

const SYN: Flags = Flags::SYN;
const ACK: Flags = Flags::ACK;

/// A connection that loses a FIN, as it would be journalled.
fn records() -> Vec<Record> {
    let a = |seq, ack| Build::v4().seq(seq).ack(ack).window(502);
    let b = |seq, ack| Build::v4().back().seq(seq).ack(ack).window(509);
    let fin = || a(1006, 5001).flags(Flags::FIN | ACK);
    let mut all = lab();
    all.push(call(1, "a", "connect(3, 10.0.0.2:80)", 0));
    all.extend(goes(&Build::v4().seq(1000).flags(SYN).window(64240), Some(12), Some(14)));
    all.extend(goes(&b(5000, 1001).flags(SYN | ACK).window(65160), Some(20), Some(22)));
    all.extend(goes(&a(1001, 5001), Some(25), Some(27)));
    all.push(returns(1, "0", 90));
    all.push(call(2, "b", "read(4, 64)", 100));
    all.push(call(3, "a", "write(3, 5)", 200));
    all.extend(goes(&a(1001, 5001).payload(5).flags(Flags::PSH | ACK), Some(210), Some(212)));
    all.push(returns(3, "5", 230));
    all.push(returns(2, "5", 1_240));
    all.push(call(4, "b", "poll(4, POLLIN, -1)", 1_300));
    all.push(Record::Fault { at: us(1_400), on: true, text: "black hole a → b".into() });
    all.push(call(5, "a", "close(3)", 1_500));
    all.extend(goes(&fin(), Some(1_510), None));
    all.push(returns(5, "0", 1_520));
    all.push(Record::Fault { at: us(90_000), on: false, text: "black hole a → b".into() });
    all.extend(goes(&fin(), Some(206_000), Some(256_100)));
    all.extend(goes(&b(5001, 1007).flags(Flags::RST | ACK), None, Some(256_200)));
    all.push(Record::Note { at: us(256_900), text: "the case ended".into() });
    all
}

#[test]
fn a_ladder_is_read_from_top_to_bottom() {
    let drawn = ladder(&records());
    let expected = include_str!("ladder.txt");
    assert_eq!(drawn, expected, "\n{drawn}");
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    let mut all = records();
    let long = "setsockopt(3, SOL_SOCKET, SO_LINGER, on, 0 seconds) on a very long line ".repeat(3);
    all.push(call(9, "a", &long, 257_000));
    all.push(call(10, "b", &long, 257_100));
    all.push(Record::Note { at: us(257_200), text: long });
    let drawn = ladder(&all);
    for line in drawn.lines() {
        assert!(line.chars().count() <= 110, "{line}");
    }
}

#[test]
fn a_week_stands_in_its_column() {
    let mut all = records();
    let week = 7 * 24 * 3_600_000_000;
    all.extend(goes(&Build::v4().seq(1001).flags(ACK), Some(week), Some(week + 12)));
    let drawn = ladder(&all);
    for line in drawn.lines() {
        let (time, rest) = line.split_at("604800000.000".len());
        let time = time.trim_start();
        let known = time.is_empty() || time == "ms" || time.parse::<f64>().is_ok();
        assert!(known && rest.starts_with("  "), "{line}\n{drawn}");
    }
}

#[test]
fn more_than_two_hosts_are_told_as_a_list() {
    let mut all = records();
    all.push(Record::Host { name: "c".into(), addresses: Vec::new() });
    let drawn = ladder(&all);
    assert!(
        drawn.contains("     1.510  a → b  FIN+ACK seq 6 ack 1 win 502  (swallowed)"),
        "{drawn}"
    );
    assert!(drawn.contains("     1.500  a: close(3) = 0"), "{drawn}");
    assert!(drawn.contains("═══ fault on: black hole a → b ═══"), "{drawn}");
}

#[test]
fn several_connections_are_numbered() {
    let mut all = lab();
    all.extend(goes(&Build::v4().flags(SYN), Some(1), Some(2)));
    all.extend(goes(&Build::v4().ports(4001, 80).flags(SYN), Some(3), Some(4)));
    let drawn = ladder(&all);
    assert!(drawn.contains("#2  a 10.0.0.1:4001 → b 10.0.0.2:80"), "{drawn}");
    assert!(drawn.contains("── #2 SYN seq 0"), "{drawn}");
}

#[test]
fn a_very_long_ladder_keeps_what_is_telling() {
    let mut all = lab();
    for i in 0..1000_u32 {
        let data = Build::v4().seq(i).payload(1);
        let sent = i64::from(i) * 10;
        all.extend(goes(&data, Some(sent), (i != 500).then_some(sent + 5)));
    }
    all.push(Record::Note { at: us(6_003), text: "in the middle".into() });
    let drawn = ladder(&all);
    assert!(drawn.contains("300 plain segments left out"), "{drawn}");
    assert!(drawn.contains("swallowed") && drawn.contains("in the middle"), "{drawn}");
    assert!(drawn.lines().count() < 420);
}

#[test]
fn a_line_break_in_somebodys_words_does_not_break_the_ladder() {
    let mut all = records();
    let before = ladder(&all).lines().count();
    all.push(call(9, "a", "write(3, \"GET /\r\n\r\n\")", 256_950));
    assert_eq!(ladder(&all).lines().count(), before + 1);
}

#[test]
fn an_empty_journal_says_so() {
    assert_eq!(ladder(&[]), "nothing was seen\n");
    assert_eq!(ladder(&lab()), "nothing was seen\n");
}

#[test]
fn durations_are_told_in_the_unit_that_fits() {
    let told =
        [31, 999, 1_000, 204_123, 999_999, 3_120_000].map(|us| brief(Duration::from_micros(us)));
    assert_eq!(told, ["31 µs", "999 µs", "1.0 ms", "204.1 ms", "1000.0 ms", "3.12 s"]);
}

fn a_record() -> impl Strategy<Value = Record> {
    let at = || (0_i64..400_000).prop_map(us);
    let host = || prop_oneof![Just("a".to_owned()), Just("b".to_owned()), ".{0,6}"];
    let words = || ".{0,130}";
    let id = || 0_u64..4;
    prop_oneof![
        (id(), host(), host(), host(), words(), at()).prop_map(
            |(id, host, process, thread, text, began)| Record::Call {
                id,
                host,
                process,
                thread,
                text,
                began
            }
        ),
        (id(), at(), words()).prop_map(|(id, ended, result)| Record::Return { id, ended, result }),
        (at(), any::<bool>(), words()).prop_map(|(at, on, text)| Record::Fault { at, on, text }),
        (at(), words()).prop_map(|(at, text)| Record::Note { at, text }),
        (any::<[u32; 2]>(), any::<u8>(), any::<bool>(), 0_u8..3, any::<bool>(), at()).prop_map(
            |([seq, ack], flags, back, tap, egress, at)| {
                let build = Build::v4().seq(seq).ack(ack).flags(Flags(flags));
                let bytes = if back { build.back() } else { build }.frame();
                Record::Frame { tap, egress, at, length: 54, bytes }
            }
        ),
    ]
}

proptest! {
    #[test]
    fn any_journal_can_be_drawn(
        records in proptest::collection::vec(a_record(), 0..60),
        hosts in 0_usize..=4,
    ) {
        // From no lab at all to one whose second tap was never introduced.
        let all = [&lab()[..hosts], &records].concat();
        let drawn = ladder(&all);
        if hosts == 4 {
            for line in drawn.lines() {
                prop_assert!(line.chars().count() <= 110, "{line}");
            }
        }
        let mut file = Vec::new();
        super::super::pcapng::pcapng(&all, &mut file).expect("memory");
    }
}
