//! What ladders look like.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::super::build::Build;
use super::super::flags::Flags;
use super::super::journal::Record;
use super::super::story::tests::{call, goes, lab, returns, rounds, us};
use super::*;

const SYN: Flags = Flags::SYN;
const ACK: Flags = Flags::ACK;

fn ladder(records: &[Record]) -> String {
    draw(&Story::of(records.to_vec()))
}

fn is_narrow(drawn: &str) {
    for line in drawn.lines() {
        assert!(line.chars().count() <= 100, "{line}\n{drawn}");
    }
}

/// A connection that loses a FIN, as it would be journalled.
fn records() -> Vec<Record> {
    let a = |seq, ack| Build::v4().seq(seq).ack(ack).window(502);
    let b = |seq, ack| Build::v4().back().seq(seq).ack(ack).window(509);
    let fin = || a(1006, 5001).flags(Flags::FIN | ACK);
    let mut all = lab();
    all.extend(set_up());
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

/// What comes before a connection.
fn set_up() -> Vec<Record> {
    let calls = [
        ("b", "socket(AF_INET, SOCK_STREAM)", "3"),
        ("b", "setsockopt(3, SO_REUSEADDR, 1)", "0"),
        ("b", "bind(3, 10.0.0.2:80)", "0"),
        ("b", "listen(3, 128)", "0"),
        ("a", "socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)", "3"),
        ("a", "setsockopt(3, SO_LINGER, {1, 0})", "0"),
    ];
    let both = |(i, (host, text, result)): (usize, (&str, &str, &str))| {
        let (id, at) = (100 + i as u64, 200 * i as i64 - 4_000);
        [call(id, host, text, at), returns(id, result, at + 50)]
    };
    calls.into_iter().enumerate().flat_map(both).collect()
}

#[test]
fn a_ladder_is_read_from_top_to_bottom() {
    let drawn = ladder(&records());
    let expected = include_str!("ladder.txt");
    assert_eq!(drawn, expected, "\n{drawn}");
}

#[test]
fn no_line_is_wider_than_a_hundred_columns() {
    let mut all = records();
    let long = "setsockopt(3, SOL_SOCKET, SO_LINGER, on, 0 seconds) on a very long line ".repeat(3);
    all.push(call(9, "a", &long, 257_000));
    all.push(call(10, "b", &long, 257_100));
    all.push(Record::Note { at: us(257_200), text: long });
    is_narrow(&ladder(&all));
    all.push(Record::Host { name: "c".into(), addresses: Vec::new() });
    is_narrow(&ladder(&all));
}

#[test]
fn long_addresses_have_room() {
    let of = |n: u16| format!("[fd00:1234:5678:9abc:def0:1234:5678:{n:x}]:65000");
    let far: SocketAddr = of(0x9abc).parse().unwrap();
    let near: SocketAddr = of(0x9abd).parse().unwrap();
    let syn = Build::v6().source(near).destination(far).flags(SYN);
    let one = goes_between(&syn, 1);
    let drawn = ladder(&[lab(), one.clone()].concat());
    is_narrow(&drawn);
    assert!(drawn.contains(&of(0x9abc)) && drawn.contains(&of(0x9abd)), "{drawn}");
    let other = Build::v6().source(near).destination(far).ports(65_001, 65_000).flags(SYN);
    let drawn = ladder(&[lab(), one, goes_between(&other, 9)].concat());
    is_narrow(&drawn);
    assert!(drawn.contains("#2") && drawn.contains("9abd]:65001"), "{drawn}");
}

/// From a to b, whatever its addresses.
fn goes_between(build: &Build, at: i64) -> Vec<Record> {
    let frame = |(tap, egress, at)| {
        let bytes = build.frame();
        Record::Frame { tap, egress, at: us(at), length: bytes.len() as u32, bytes }
    };
    [(0, false, at), (1, true, at + 2)].map(frame).to_vec()
}

#[test]
fn set_up_is_one_line_and_times_count_from_the_first_segment() {
    let drawn = ladder(&records());
    let line = "    set up  b: socket 3, SO_REUSEADDR 1, bind 10.0.0.2:80, listen 128; \
                a: socket 3 nonblocking,";
    assert!(drawn.contains(line), "{drawn}");
    assert!(drawn.contains("\n                SO_LINGER {1, 0}\n"), "{drawn}");
    assert!(drawn.contains("\n    -0.012  connect(3, 10.0.0.2:80) …"), "{drawn}");
    assert!(drawn.contains("\n     0.000  "), "{drawn}");
}

#[test]
fn set_up_that_failed_or_comes_later_has_rows_of_its_own() {
    let mut all = records();
    all.push(call(50, "a", "bind(9, 10.0.0.2:80)", -300));
    all.push(returns(50, "-1 EADDRNOTAVAIL", -290));
    all.push(call(51, "a", "setsockopt(3, TCP_NODELAY, 1)", 95));
    all.push(returns(51, "0", 96));
    let drawn = ladder(&all);
    assert!(drawn.contains("    -0.312  bind(9, 10.0.0.2:80) = -1 EADDRNOTAVAIL"), "{drawn}");
    assert!(drawn.contains("     0.083  setsockopt(3, TCP_NODELAY, 1) = 0"), "{drawn}");
    let alone = ladder(&[lab(), set_up()].concat());
    assert!(alone.contains("listen(3, 128) = 0") && !alone.contains("set up"), "{alone}");
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
        let known = ["", "ms", "set up"].contains(&time) || time.parse::<f64>().is_ok();
        assert!(known && rest.starts_with("  "), "{line}\n{drawn}");
    }
}

#[test]
fn more_than_two_hosts_are_told_as_a_list() {
    let mut all = records();
    all.push(Record::Host { name: "c".into(), addresses: Vec::new() });
    let drawn = ladder(&all);
    assert!(
        drawn.contains("     1.498  a → b  FIN+ACK seq 6 ack 1 win 502  (swallowed)"),
        "{drawn}"
    );
    assert!(drawn.contains("     1.488  a: close(3) = 0"), "{drawn}");
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
    assert!(drawn.contains("300 segments like these"), "{drawn}");
    assert!(drawn.contains("swallowed") && drawn.contains("in the middle"), "{drawn}");
    assert!(drawn.lines().count() < 420);
}

#[test]
fn calls_that_repeat_themselves_are_counted() {
    let mut all = rounds(2_000);
    all.push(call(9_000, "b", "read(5, 9)", 900_400));
    all.push(returns(9_000, "-1 ECONNRESET", 900_450));
    let drawn = ladder(&all);
    // Three calls and four segments a round; 200 rows are drawn at each end.
    assert!(drawn.contains("2,627 calls and 3,504 segments like these"), "{drawn}");
    assert!(drawn.contains("read(5, 9) = -1 ECONNRESET"), "{drawn}");
    assert!(drawn.contains("… 1,988 more connections"), "{drawn}");
    assert!(drawn.contains("#2000  a "), "{drawn}");
    assert!(drawn.lines().count() < 500, "{drawn}");
}

#[test]
fn however_different_its_rows_a_ladder_has_an_end() {
    let word = |i: usize| (0..8).map(move |bit| if i >> bit & 1 == 0 { 'x' } else { 'y' });
    let note = |i: usize| {
        let text = word(i).chain(word(i >> 8)).collect();
        Record::Note { at: us(i as i64), text }
    };
    let calls = (0..9_000).flat_map(|i| {
        let text: String = word(i).chain(word(i >> 8)).collect();
        let (id, at) = (i as u64, 10 * i as i64);
        [call(id, "a", &text, at), returns(id, "0", at + 5)]
    });
    let all: Vec<_> = lab().into_iter().chain(calls).chain((0..9_000).map(note)).collect();
    let drawn = ladder(&all);
    assert!(drawn.contains(" left out"), "{drawn}");
    assert!(drawn.lines().count() < 1_500, "{}", drawn.lines().count());
}

#[test]
fn a_full_journal_does_not_say_that_calls_never_returned() {
    let mut all = records();
    assert!(ladder(&all).contains("poll(4, POLLIN, -1) (never returned)"));
    all.push(Record::Full { at: us(256_800) });
    let drawn = ladder(&all);
    assert!(drawn.contains("poll(4, POLLIN, -1) (no return in the journal)"), "{drawn}");
    assert!(drawn.contains("the case's journal is full (64 MiB)"), "{drawn}");
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
        is_narrow(&drawn);
        let mut file = Vec::new();
        super::super::pcapng::save(&Story::of(all), &mut file).expect("memory");
    }
}
