//! What is said of each of them.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::common::{self, Checked, Named, Seen, life, run, running, until};
use crate::ends::LEAKED;
use crate::judged::ROUNDS;

pub fn tests() -> Vec<Trial> {
    let tests: [Named; 27] = [
        ("a_wrong_errno_is_told_with_the_right_one", wrong_errno),
        ("wrong_bytes_are_told", wrong_bytes),
        ("an_unforeseen_error_is_told", unforeseen),
        ("a_missing_segment_is_told_with_those_that_came", missing_segment),
        ("segments_in_another_order_are_told", another_order),
        ("a_forbidden_segment_is_told_at_once", forbidden),
        ("a_segment_too_many_is_pointed_at", too_many),
        ("a_wrong_state_is_told_with_what_was_seen", wrong_state),
        ("a_black_hole_that_swallowed_nothing_fails_its_case", idle_hole),
        ("a_fault_behind_another_one_fails_its_case", redundant),
        ("the_sockets_are_told_as_they_were_when_it_failed", behind_a_hole),
        ("a_wrong_time_is_told_with_its_rule", wrong_time),
        ("a_segment_that_is_not_absent_is_told", not_absent),
        ("a_call_that_is_not_blocked_is_told_with_what_it_returned", not_blocked),
        ("a_wrong_value_is_told_with_the_right_one", wrong_value),
        ("bytes_instead_of_the_end_of_file_are_told", no_end),
        ("a_signal_too_few_or_too_many_is_told", signals),
        ("a_call_that_returned_too_soon_is_told_with_the_segment", returned_before),
        ("a_retransmission_too_many_is_told_with_the_limit", too_often),
        ("very_many_calls_are_told_in_bounds", many_calls),
        ("a_hung_case_is_ended_with_its_story_so_far", hung),
        ("a_spinning_case_is_ended_with_its_story_so_far", spinning),
        ("a_dead_case_leaves_its_story", dead),
        ("a_panic_leaves_its_story", panicked),
        ("a_leaked_process_and_socket_are_named", leaked),
        ("a_lost_agent_is_told_by_its_end", lost_agent),
        ("a_call_to_the_dead_is_refused", dead_agent),
    ];
    common::trials(tests)
}

/// The case must have failed, saying `parts` in this order.
fn fails(name: &str, parts: &[&str]) -> Checked<Seen> {
    let seen = run(&mut life("test", &["--exact", name]))?;
    seen.ends(101)?.says(&format!("{name}  [ZZ-0"))?;
    let mut rest = &seen.out[..];
    for part in parts {
        let Some(found) = rest.find(part) else {
            seen.holds(false, &format!("{part:?} in its place"))?;
            break;
        };
        rest = &rest[found..];
    }
    Ok(seen)
}

/// As [`fails`]; and it left its story, told and kept: who called what, what was on the wire, what
/// the sockets were at that moment.
fn fails_in_full(name: &str, parts: &[&str]) -> Checked {
    let seen = fails(name, parts)?;
    seen.says("--- sockets at that moment\na: state ")?;
    kept(&seen)
}

fn kept(seen: &Seen) -> Checked {
    seen.says("--- the wire, and who called what\n")?.says("connect(4, ")?;
    let kept = seen.kept()?;
    let log = std::fs::read_to_string(kept.join("log.txt"))?;
    let story = seen.out.split_once("--- the wire").ok_or("no story")?.1;
    let story = story.split_once("\nkept in ").ok_or("nothing kept")?.0;
    seen.holds(log.contains(story), "the same story in the log")?;
    let capture = std::fs::read(kept.join("wire.pcapng"))?;
    // A section header (pcapng, 4.1), and more than the handshake's three segments.
    seen.holds(capture.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]), "a pcapng file")?;
    seen.holds(capture.len() > 3 * 2 * 66, "frames in it")?;
    seen.clear()
}

fn wrong_errno() -> Checked {
    for ip in ["ipv4", "ipv6"] {
        let expected = "b/server: read(5, 1)\n    expected: -1 EPIPE\n        seen: -1 ECONNRESET";
        fails_in_full(&format!("judged::wrong_errno::{ip}"), &[expected])?;
    }
    Ok(())
}

fn wrong_bytes() -> Checked {
    let expected = "expected: 15 \"what was wanted\"\n        seen: 13 \"what was sent\"";
    fails_in_full("judged::wrong_bytes", &["b/server: read(5, 64)", expected])
}

fn unforeseen() -> Checked {
    let expected = "expected: success\n        seen: -1 EPIPE, signal raised";
    fails_in_full("judged::an_error_where_none_should_be", &["a/client: write(4, 13)", expected])
}

fn missing_segment() -> Checked {
    let what = "a segment on the wire within 200ms\n    expected: RST\n        seen: ";
    fails_in_full("judged::missing_segment", &[what, "a > b FIN+ACK seq 1 ack 1"])
}

fn another_order() -> Checked {
    let expected = "expected: number 2 of 2: FIN from a, after ";
    fails_in_full("judged::segments_in_another_order", &[expected, "b > a FIN+ACK seq 1 ack 2"])
}

fn forbidden() -> Checked {
    for ip in ["ipv4", "ipv6"] {
        let expected = "absence on the wire for 5s\n    expected: no RST\n        seen: ";
        fails_in_full(&format!("judged::forbidden_segment::{ip}"), &[expected, "a > b RST"])?;
    }
    Ok(())
}

fn too_many() -> Checked {
    let what = "exactly these segments among FIN\n    expected:  1. FIN from a\n";
    let pointed = "b > a FIN+ACK seq 1 ack 2";
    fails_in_full("judged::a_segment_too_many", &[what, "a > b FIN", pointed, "<- does not fit"])
}

fn wrong_state() -> Checked {
    let seen = "        seen: ESTABLISHED";
    fails_in_full("judged::wrong_state", &["expected: CLOSE_WAIT\n", seen])?;
    let expected = "expected: TIME_WAIT within 300ms\n        seen: ";
    fails_in_full("judged::a_state_that_never_comes", &[expected, "FIN_WAIT2\n"])
}

fn idle_hole() -> Checked {
    let all = "black hole both ways\n    expected: swallows at least one segment\n        seen: swallowed nothing";
    fails_in_full("judged::idle_black_hole", &[all])?;
    let narrow = "black hole for RST from b\n    expected: swallows at least one segment";
    fails_in_full("judged::black_hole_for_others", &[narrow])
}

fn redundant() -> Checked {
    let [expected, seen] = [
        "    expected: swallows at least one segment\n",
        "        seen: swallowed nothing: all it would have swallowed was taken by ",
    ];
    let hole = "black hole from a\n";
    let by = "\"black hole both ways\"";
    fails_in_full("judged::redundant_black_hole", &[hole, expected, seen, by])?;
    let by = "\"packet rules: drop packets from a\"";
    fails_in_full("judged::redundant_unplug", &["b is unplugged\n", expected, seen, by])
}

/// The guard lifts the hole on the way out, which may let all through before the report is made.
fn behind_a_hole() -> Checked {
    let expected = "expected: CLOSE_WAIT within 2s\n        seen: ESTABLISHED";
    let then = ["--- sockets at that moment\na: ", "ESTABLISHED      0      9"];
    fails_in_full("judged::fails_behind_a_black_hole", &[expected, then[0], then[1]])
}

fn wrong_time() -> Checked {
    let expected = "expected: blocks for 5s\n        seen: 0 (end of file)";
    fails_in_full("judged::returns_instead_of_blocking", &[expected])?;
    fails_in_full("judged::too_early", &["a/client: close(4) took", "SO_LINGER of 30 s"])?;
    let expected = "(a tenth of a second)\n        seen: 2.";
    fails_in_full("judged::too_late", &["a/client: read(4, 1) took", expected])
}

fn not_absent() -> Checked {
    let expected = "    expected: no RST from a";
    fails_in_full("judged::a_segment_that_should_be_absent", &[expected, "seen: ", "a > b RST"])
}

fn not_blocked() -> Checked {
    let seen = "seen: 10 \"here it is\"";
    let what = ["b/server: read(5, 64)", "expected: ", seen];
    fails_in_full("judged::a_call_that_should_be_blocked", &what)
}

fn wrong_value() -> Checked {
    let what = "a/client: getsockopt(4, SO_KEEPALIVE)";
    fails_in_full("judged::wrong_value", &[what, "expected: 1\n        seen: 0"])?;
    let parts = ["expected: Drained { bytes: 1001,", "seen: Drained { bytes: 1000,"];
    fails_in_full("judged::less_than_the_whole", &parts)?;
    let expected = "bytes written\n    expected: less than 7\n        seen: 7";
    fails_in_full("judged::beyond_a_limit", &[expected])
}

fn no_end() -> Checked {
    let expected = "expected: 0 (end of file)\n        seen: 7 \"goes on\"";
    fails_in_full("judged::bytes_instead_of_the_end", &["b/server: read(5, 64)", expected])
}

fn signals() -> Checked {
    let expected = "expected: SIGPIPE raised once\n        seen: 5";
    fails_in_full("judged::no_signal_where_one_should_be", &["a/client: write(4, 5)", expected])?;
    let expected = "expected: no signal raised\n        seen: -1 EPIPE, signal raised";
    fails_in_full("judged::a_signal_where_none_should_be", &["a/client: write(4, 13)", expected])
}

fn returned_before() -> Checked {
    let expected =
        ["a/client: write(4, 5)", "expected: returns after ", "a > b FIN+ACK", "before it"];
    fails_in_full("judged::returns_before_the_segment", &expected)
}

fn too_often() -> Checked {
    let expected = "retransmissions\n    expected: at most 2 within 1.4s\n        seen: 3";
    fails_in_full("judged::retries_too_often", &[expected])
}

/// Of very many calls a reader is shown some, and they are told in little more time than they took:
/// with the square of their number it would be ten times as much.
fn many_calls() -> Checked {
    let began = Instant::now();
    let expected = format!("rounds\n    expected: less than {ROUNDS}\n        seen: {ROUNDS}");
    let seen = fails("judged::after_very_many_calls", &[&expected, "socket(", "close("])?;
    let took = began.elapsed();
    let spent = seen.out.split_once("went round for ").and_then(|(_, rest)| rest.split_once(" ms"));
    let spent = Duration::from_millis(spent.ok_or("it does not say how long it took")?.0.parse()?);
    let limit = 2 * spent + Duration::from_secs(5);
    seen.holds(took < limit, &format!("the end after {limit:?} at most, not {took:?}"))?;
    let folded = seen.out.lines().filter_map(|line| line.split_once(" calls like these"));
    let folded = folded.filter_map(|(count, _)| {
        let digits = count.rsplit(' ').next()?.replace(',', "");
        digits.parse::<usize>().ok()
    });
    // Some hundred rows are drawn (at most 400, and 300 between them), all other calls counted.
    let folded: usize = folded.sum();
    seen.holds((2 * ROUNDS - 700..=2 * ROUNDS).contains(&folded), "all but a few calls folded")?;
    seen.holds(seen.out.lines().count() < 1_000, "fewer than 1,000 lines")?;
    kept(&seen)
}

fn hung() -> Checked {
    let words = "hung: ran past its limit of 1.5 s";
    fails_in_full("ends::hangs_in_a_read", &[words, "read(5, 1)", "about to read"])
}

fn spinning() -> Checked {
    let words = "hung: ran past its limit of 1.5 s";
    fails_in_full("ends::spins", &[words, "write(4, 15)", "ESTABLISHED"])
}

/// Sockets are not asked for after a death: what they were then nobody knows.
fn dead() -> Checked {
    let all: [(_, &[&str]); 3] = [
        ("ends::aborts", &["ended without a verdict: killed by SIG"]),
        ("ends::crashes", &["ended without a verdict: killed by SIG"]),
        ("ends::exits_well", &["ended without a verdict: exited with status 0"]),
    ];
    for (name, words) in all {
        let seen = fails(name, words)?;
        seen.says("black hole both ways")?.says("close(4)")?.says("read(5, 1)")?;
        kept(&seen)?;
    }
    Ok(())
}

fn panicked() -> Checked {
    let words =
        "the case's own code\n    expected: runs to its end\n        seen: panicked: on purpose";
    fails_in_full("ends::panics", &[words, "black hole both ways", "FIN_WAIT1", "orphan"])
}

fn leaked() -> Checked {
    let words = "what the case leaves behind\n    expected: nothing\n        seen: process ";
    fails_in_full("ends::leaks", &[words, "(sleep), socket ", "(0.0.0.0:4711)"])?;
    match until(|| running(LEAKED).is_empty().then_some(())) {
        Some(()) => Ok(()),
        None => Err("what it leaked is still running".into()),
    }
}

fn lost_agent() -> Checked {
    let what = "b/server: read(5, 1)\n    expected: an answer\n        seen: no answer: the process was killed by ";
    fails_in_full("ends::loses_an_agent", &[&format!("{what}SIGKILL")])?;
    fails_in_full("ends::loses_a_crashed_agent", &[&format!("{what}SIGSEGV")])
}

fn dead_agent() -> Checked {
    let words = "process server on host b has ended and takes no more calls";
    fails_in_full("ends::calls_the_dead", &[words])
}
