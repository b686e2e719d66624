//! A case's journal, read back into what happened.

use std::net::IpAddr;

use super::journal::Record;
use super::packet::Packet;
use super::trace::{Seen, Sighting, TapInfo, Trace};
use crate::stamp::Stamp;

/// What a journal tells, however suddenly it ends.
#[derive(Debug)]
pub struct Story {
    /// The hosts and their addresses, in the order in which they were made.
    pub hosts: Vec<(String, Vec<IpAddr>)>,
    /// What was seen on the wire, merged in the same way as while the case ran.
    pub trace: Trace,
    /// Every frame, in order of time.
    pub frames: Vec<Shot>,
    /// The applications' calls, in order of their beginning.
    pub calls: Vec<Call>,
    /// Faults and notes, in order of time.
    pub notices: Vec<Notice>,
}

/// One frame at one tap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// Index of the tap.
    pub tap: usize,
    /// Leaving through the tapped interface, or entering by it.
    pub egress: bool,
    /// When.
    pub at: Stamp,
    /// Length on the wire, in bytes.
    pub length: u32,
    /// The head of the frame.
    pub bytes: Vec<u8>,
    /// Leaving its sender, or reaching its receiver.
    pub departs: bool,
    /// What it is in the trace.
    pub seen: Option<Seen>,
}

/// One call of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The host it was made on.
    pub host: String,
    /// The process that made it.
    pub process: String,
    /// The thread that made it.
    pub thread: String,
    /// The call in words.
    pub text: String,
    /// When it was made.
    pub began: Stamp,
    /// When it returned, and with what; `None` where it never did.
    pub ended: Option<(Stamp, String)>,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A fault switched on.
    FaultOn,
    /// A fault switched off.
    FaultOff,
    /// Anything else.
    Note,
}

/// Something that concerns the whole lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub at: Stamp,
    /// What it is about.
    pub topic: Topic,
    /// The words.
    pub text: String,
}

impl Story {
    /// Reads the records of one case.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut hosts: Vec<(String, Vec<IpAddr>)> = Vec::new();
        let mut taps: Vec<(u8, TapInfo)> = Vec::new();
        let mut shots: Vec<(u8, Shot)> = Vec::new();
        let mut calls: Vec<(u64, Call)> = Vec::new();
        let mut notices = Vec::new();
        for record in records.iter().cloned() {
            match record {
                Record::Host { name, addresses } => hosts.push((name, addresses)),
                Record::Tap { tap, host, near, name } => {
                    taps.push((tap, TapInfo { host, name, near }));
                }
                Record::Frame { tap, egress, at, length, bytes } => {
                    let shot =
                        Shot { tap: 0, egress, at, length, bytes, departs: false, seen: None };
                    shots.push((tap, shot));
                }
                Record::Call { id, host, process, thread, text, began } => {
                    calls.push((id, Call { host, process, thread, text, began, ended: None }));
                }
                Record::Return { id, ended, result } => {
                    let call = calls.iter_mut().rev().find(|(known, _)| *known == id);
                    if let Some((_, call)) = call {
                        call.ended = Some((ended, result));
                    }
                }
                Record::Fault { at, on, text } => {
                    let topic = if on { Topic::FaultOn } else { Topic::FaultOff };
                    notices.push(Notice { at, topic, text });
                }
                Record::Note { at, text } => notices.push(Notice { at, topic: Topic::Note, text }),
            }
        }
        for (_, tap) in &taps {
            if hosts.iter().all(|(name, _)| *name != tap.host) {
                hosts.push((tap.host.clone(), Vec::new()));
            }
        }
        let mut frames: Vec<Shot> = Vec::new();
        for (number, mut shot) in shots {
            // A frame of a tap that was never introduced has no story to be part of.
            let Some(tap) = taps.iter().position(|(known, _)| *known == number) else { continue };
            shot.tap = tap;
            shot.departs = taps[tap].1.departs(shot.egress);
            frames.push(shot);
        }
        frames.sort_by_key(|shot| (shot.at, !shot.departs));
        let mut trace = Trace::new(taps.into_iter().map(|(_, tap)| tap).collect());
        for shot in &mut frames {
            let packet = Packet::read(&shot.bytes, shot.length);
            let Shot { tap, egress, at, .. } = *shot;
            shot.seen = trace.see(Sighting { tap, egress, at, packet });
        }
        let mut calls: Vec<_> = calls.into_iter().map(|(_, call)| call).collect();
        calls.sort_by_key(|call| call.began);
        notices.sort_by_key(|notice| notice.at);
        Self { hosts, trace, frames, calls, notices }
    }

    /// The calls as they should be named: with their process and thread where a host has
    /// several of them.
    #[must_use]
    pub fn name_of(&self, call: &Call) -> String {
        let on_host = || self.calls.iter().filter(|other| other.host == call.host);
        let many_processes = on_host().any(|other| other.process != call.process);
        let mut same_process = on_host().filter(|other| other.process == call.process);
        let many_threads = same_process.any(|other| other.thread != call.thread);
        let Call { process, thread, text, .. } = call;
        match (many_processes, many_threads) {
            (false, false) => text.clone(),
            (true, false) => format!("{process}: {text}"),
            (false, true) => format!("{thread}: {text}"),
            (true, true) => format!("{process}/{thread}: {text}"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::build::Build;
    use super::super::flags::Flags;
    use super::*;

    /// A stamp this many microseconds into the story.
    pub(crate) fn us(micros: i64) -> Stamp {
        Stamp(1_700_000_000_000_000_000 + micros * 1000)
    }

    /// The lab of hosts a and b with a tap on each port of the patch.
    pub(crate) fn lab() -> Vec<Record> {
        let mut records = Vec::new();
        for (tap, host) in [(0, "a"), (1, "b")] {
            let addresses = vec![format!("10.0.0.{}", tap + 1).parse().unwrap()];
            records.push(Record::Host { name: host.into(), addresses });
            let name = format!("to-{host}");
            records.push(Record::Tap { tap, host: host.into(), near: false, name });
        }
        records
    }

    /// The frame leaves its sender at `sent`, and arrives at `arrived` if it does.
    pub(crate) fn goes(build: &Build, sent: Option<i64>, arrived: Option<i64>) -> Vec<Record> {
        let end = u8::from(build.headers().src.port() == 80);
        let frame = |tap, egress, at| {
            let bytes = build.frame();
            let length = u32::try_from(bytes.len()).unwrap();
            Record::Frame { tap, egress, at: us(at), length, bytes }
        };
        let sent = sent.map(|at| frame(end, false, at));
        sent.into_iter().chain(arrived.map(|at| frame(1 - end, true, at))).collect()
    }

    pub(crate) fn call(id: u64, host: &str, text: &str, began: i64) -> Record {
        let process = if host == "a" { "client" } else { "server" }.into();
        let thread = "main".into();
        Record::Call { id, host: host.into(), process, thread, text: text.into(), began: us(began) }
    }

    pub(crate) fn returns(id: u64, result: &str, ended: i64) -> Record {
        Record::Return { id, ended: us(ended), result: result.into() }
    }

    #[test]
    fn frames_are_put_in_order_whatever_order_the_taps_were_read_in() {
        let syn = Build::v4().seq(1000).flags(Flags::SYN);
        let answer = Build::v4().back().seq(1).ack(1001).flags(Flags::SYN | Flags::ACK);
        let mut records = goes(&answer, Some(30), Some(40));
        records.extend(goes(&syn, Some(10), Some(20)).into_iter().rev());
        let story = Story::of(&[lab(), records].concat());
        let order = story.trace.segments().iter().map(|segment| segment.flags.to_string());
        assert_eq!(order.collect::<Vec<_>>(), ["SYN", "SYN+ACK"]);
        assert!(story.trace.segments().iter().all(|segment| !segment.swallowed()));
    }

    #[test]
    fn a_call_without_a_return_never_returned() {
        let records = [call(1, "a", "close(3)", 1), call(2, "a", "read(4, 1)", 2)];
        let story = Story::of(&[&records[..], &[returns(1, "0", 5)]].concat());
        assert_eq!(story.calls[0].ended, Some((us(5), "0".into())));
        assert_eq!(story.calls[1].ended, None);
    }

    #[test]
    fn calls_are_told_apart_only_where_there_is_something_to_tell() {
        let one = Story::of(&[call(1, "a", "close(3)", 1), call(2, "b", "close(3)", 2)]);
        assert_eq!(one.name_of(&one.calls[0]), "close(3)");
        let mut other = call(2, "a", "read(4, 1)", 2);
        if let Record::Call { thread, .. } = &mut other {
            *thread = "reader".into();
        }
        let two = Story::of(&[call(1, "a", "close(3)", 1), other]);
        assert_eq!(two.name_of(&two.calls[1]), "reader: read(4, 1)");
    }

    #[test]
    fn frames_of_unknown_taps_and_returns_of_unknown_calls_are_passed_over() {
        let records = [goes(&Build::v4(), Some(1), None), vec![returns(9, "0", 2)]].concat();
        let story = Story::of(&records);
        assert!(story.frames.is_empty() && story.calls.is_empty());
    }
}
