//! Expectations against a wire that sees what the test says.

use std::sync::Arc;
use std::time::Instant;

use super::super::TapInfo;
use super::super::build::Build;
use super::super::flags::Flags;
use super::super::observer::Observer;
use super::super::packet::Packet;
use super::super::pattern::{any, data, fin, probe, pure_ack, rst, syn};
use super::super::segment::PATIENCE;
use super::super::trace::Observation;
use super::*;

const FIN_ACK: Flags = Flags(Flags::FIN.0 | Flags::ACK.0);

fn wire() -> Wire {
    let tap = |host: &str| TapInfo { host: host.into(), name: format!("to-{host}"), near: false };
    Wire { observer: Arc::new(Observer::of(vec![tap("a"), tap("b")])) }
}

fn sends(wire: &Wire, build: &Build) {
    let tap = usize::from(build.headers().src.port() == 80);
    let packet = Packet::read(&build.frame(), 60);
    wire.observer.tell(Observation { tap, egress: false, at: Stamp::now(), packet });
}

fn gets(wire: &Wire, build: &Build) {
    let tap = usize::from(build.headers().src.port() != 80);
    let packet = Packet::read(&build.frame(), 60);
    wire.observer.tell(Observation { tap, egress: true, at: Stamp::now(), packet });
}

fn carries(wire: &Wire, build: &Build) {
    sends(wire, build);
    gets(wire, build);
}

/// Runs a test's body on a runtime like a case's.
fn run<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(body)
}

fn seen(error: &Error) -> &str {
    match error.as_mismatch() {
        Some(mismatch) => &mismatch.seen,
        None => panic!("{error}"),
    }
}

fn build(flags: Flags) -> Build {
    let seq = if flags == Flags::SYN { 1000 } else { 1001 };
    Build::v4().seq(seq).ack(1).flags(flags)
}

const SOON: Duration = Duration::from_millis(30);

#[test]
fn a_segment_already_seen_is_found_at_once() {
    run(async {
        let wire = wire();
        carries(&wire, &build(Flags::SYN));
        carries(&wire, &build(FIN_ACK));
        let found = wire.expect(fin().from("a").to("b")).await.unwrap();
        assert_eq!((found.index, found.flags), (1, FIN_ACK));
    });
}

#[test]
fn a_segment_still_to_come_is_waited_for() {
    run(async {
        let wire = wire();
        let later = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            carries(&wire, &build(Flags::RST));
        };
        let (found, ()) = tokio::join!(wire.expect(rst()).into_future(), later);
        assert!(found.is_ok());
    });
}

#[test]
fn after_leaves_out_what_was_before() {
    run(async {
        let wire = wire();
        carries(&wire, &build(Flags::ACK));
        let mark = wire.mark().await.unwrap();
        assert!(wire.expect(pure_ack()).after(mark).within(SOON).await.is_err());
        let first = wire.expect(pure_ack()).after(Wire::start()).await.unwrap();
        carries(&wire, &build(Flags::ACK));
        assert_eq!(wire.expect(pure_ack()).after(&first).await.unwrap().index, 1);
    });
}

#[test]
fn a_missing_segment_fails_at_the_deadline_with_what_was_seen_instead() {
    run(async {
        let wire = wire();
        carries(&wire, &build(Flags::SYN));
        let began = Instant::now();
        let error = wire.expect(fin().from("a")).within(SOON).await.unwrap_err();
        assert!(began.elapsed() >= SOON);
        assert!(error.to_string().contains("expected: FIN from a"), "{error}");
        assert_eq!(seen(&error), "     0.000 ms  a > b SYN seq 0 win 502");
    });
}

#[test]
fn a_segment_stamped_after_the_deadline_is_too_late() {
    run(async {
        let wire = wire();
        let patterns = [syn()];
        let deadline = Stamp::now();
        std::thread::sleep(Duration::from_millis(2));
        carries(&wire, &build(Flags::SYN));
        let late = first_fit(&wire, Mark(0), &patterns, deadline).await.unwrap();
        assert!(late.is_err());
    });
}

#[test]
fn order_matters_and_others_may_come_between() {
    run(async {
        let wire = wire();
        for flags in [Flags::SYN, Flags::ACK, FIN_ACK] {
            carries(&wire, &build(flags));
        }
        let start = Wire::start();
        assert_eq!(wire.in_order(start, [syn(), fin()], SOON).await.unwrap().len(), 2);
        let error = wire.in_order(start, [fin(), syn()], SOON).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("number 2 of 2: SYN, after"), "{text}");
        assert_eq!(seen(&error), "no segment at all");
    });
}

#[test]
fn exactly_allows_no_others() {
    run(async {
        let wire = wire();
        let start = Wire::start();
        assert!(wire.exactly(start, []).await.unwrap().is_empty());
        for flags in [Flags::SYN, Flags::ACK, FIN_ACK] {
            carries(&wire, &build(flags));
        }
        assert!(wire.exactly(start, [syn(), pure_ack(), fin()]).await.is_ok());
        assert!(wire.exactly(start, [fin()]).among(fin()).await.is_ok());
        let error = wire.exactly(start, [syn(), fin()]).await.unwrap_err();
        assert!(seen(&error).contains("ACK seq 1 ack 0 win 502   <- does not fit"), "{error}");
    });
}

#[test]
fn of_very_many_segments_a_failure_lists_those_around_the_first_difference() {
    run(async {
        let (wire, start) = (wire(), Wire::start());
        for i in 0..1_000 {
            let flags = if i == 500 { FIN_ACK } else { Flags::ACK };
            carries(&wire, &build(flags));
        }
        let error = wire.exactly(start, vec![pure_ack(); 1_000]).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("501. ") && text.contains("<- does not fit"), "{text}");
        assert!(text.contains("489 before and") && text.contains("and 487 more"), "{text}");
        assert!(text.lines().count() < 60, "{text}");
    });
}

#[test]
fn exactly_waits_for_the_last_of_them() {
    run(async {
        let (wire, start) = (wire(), Wire::start());
        carries(&wire, &build(FIN_ACK));
        let later = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            carries(&wire, &build(Flags::RST));
        };
        let ends = [fin(), rst()];
        let at_once = wire.exactly(start, ends.clone()).within(Duration::ZERO).await;
        let waiting = wire.exactly(start, ends).into_future();
        let (found, ()) = tokio::join!(waiting, later);
        assert!(at_once.is_err());
        assert_eq!(found.unwrap().len(), 2);
    });
}

#[test]
fn absence_is_judged_up_to_now_or_for_a_while() {
    run(async {
        let wire = wire();
        let start = Wire::start();
        wire.absent(start, rst()).await.unwrap();
        wire.never(start, rst()).for_(SOON).await.unwrap();
        carries(&wire, &build(Flags::RST));
        assert_eq!(wire.count(start, rst()).await.unwrap(), 1);
        let error = wire.absent(start, rst()).await.unwrap_err();
        assert!(error.to_string().contains("expected: no RST"), "{error}");
        let began = Instant::now();
        assert!(wire.never(start, rst()).for_(Duration::from_secs(60)).await.is_err());
        assert!(began.elapsed() < Duration::from_secs(30), "fails at once");
    });
}

#[test]
fn swallowed_is_judged_when_the_segment_had_its_time() {
    run(async {
        let wire = wire();
        let began = Instant::now();
        sends(&wire, &build(Flags::ACK).payload(5));
        let lost = wire.expect(data().arrived(false)).await.unwrap();
        assert!(lost.swallowed() && began.elapsed() >= PATIENCE);
    });
}

#[test]
fn what_arrives_in_time_was_not_swallowed() {
    run(async {
        let wire = wire();
        let segment = build(Flags::ACK).payload(5);
        sends(&wire, &segment);
        let later = async {
            // The expectation has looked once when this runs.
            tokio::task::yield_now().await;
            gets(&wire, &segment);
        };
        let expect = wire.expect(any().arrived(false)).within(PATIENCE / 10).into_future();
        let (lost, ()) = tokio::join!(expect, later);
        assert!(lost.is_err());
        assert_eq!(wire.count(Wire::start(), any().arrived(true)).await.unwrap(), 1);
    });
}

#[test]
fn a_wire_that_lost_frames_says_nothing_about_them() {
    run(async {
        let wire = wire();
        carries(&wire, &build(Flags::SYN));
        wire.observer.knowledge().trouble = Some("tap to-b of host b lost 7 frames".into());
        let errors = [
            wire.expect(syn()).await.unwrap_err(),
            wire.settle().await.unwrap_err(),
            wire.absent(Wire::start(), rst()).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), crate::ErrorKind::System, "{error}");
            assert!(error.to_string().contains("tap to-b of host b lost 7 frames"), "{error}");
        }
    });
}

/// What is refused, and says these words.
fn refused<T: std::fmt::Debug>(result: Result<T>, words: &str) {
    match result {
        Err(error) if error.kind() == crate::ErrorKind::Usage => {
            assert!(error.to_string().contains(words), "{error}");
        }
        other => panic!("not an error of use: {other:?}"),
    }
}

#[test]
fn a_host_that_the_lab_does_not_have_is_an_error_of_use() {
    run(async {
        let (wire, start) = (wire(), Wire::start());
        carries(&wire, &build(Flags::SYN));
        let words = "no host c on this wire; it has a, b";
        refused(wire.absent(start, rst().from("c")).await, words);
        refused(wire.absent(start, rst().to("c")).await, words);
        refused(wire.count(start, rst().from("c")).await, words);
        refused(wire.never(start, rst().from("c")).for_(SOON).await, words);
        refused(wire.expect(syn().from("c")).await, words);
        refused(wire.in_order(start, [syn(), fin().to("c")], SOON).await, words);
        refused(wire.exactly(start, [syn(), fin().from("c")]).await, words);
        refused(wire.exactly(start, [syn()]).among(any().from("c")).await, words);
        refused(wire.first_timeout("c", start).await, words);
        refused(wire.overtaken("c", start).await, words);
        refused(wire.absent(start, rst().from("c")).await, "the pattern \"RST from c\"");
        // An address is not a host's name: a segment may go where no host is.
        wire.absent(start, any().to("10.0.0.99")).await.unwrap();
    });
}

#[test]
fn a_connection_or_a_position_of_another_wire_is_an_error_of_use() {
    run(async {
        let (wire, other, start) = (wire(), self::wire(), Wire::start());
        carries(&wire, &build(Flags::SYN));
        for port in [4000, 4001] {
            carries(&other, &build(Flags::SYN).ports(port, 80));
        }
        let own = wire.expect(syn()).await.unwrap();
        let foreign = other.expect(syn().port(4001)).await.unwrap();
        wire.absent(start, fin().of_connection_of(&own)).await.unwrap();
        let words = "no connection 10.0.0.1:4001 <> 10.0.0.2:80 on this wire";
        refused(wire.absent(start, fin().of_connection_of(&foreign)).await, words);
        refused(wire.sent_again(&foreign).await, words);
        refused(wire.retries_of(&foreign).await, words);
        refused(wire.absent(&foreign, fin()).await, "which has seen 1");
    });
}

#[test]
fn hosts_on_one_cable_have_no_middle() {
    run(async {
        let tap = |host: &str| TapInfo { host: host.into(), name: "eth0".into(), near: true };
        let wire = Wire { observer: Arc::new(Observer::of(vec![tap("a"), tap("b")])) };
        let middle = wire.absent(Wire::start(), probe().from_middle()).await;
        refused(middle, "there is no middle on this wire");
        self::wire().absent(Wire::start(), probe().from_middle()).await.unwrap();
    });
}
