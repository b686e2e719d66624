//! A case's journal, read back into what happened.

use std::collections::HashMap;
use std::net::IpAddr;

use super::journal::{LIMIT, Record};
use super::packet::Packet;
use super::trace::{Observation, Seen, TapInfo, Trace};
use lastack_sys::Stamp;

/// What a journal tells, however suddenly it ends.
#[derive(Debug)]
pub struct Story {
    /// The hosts and their addresses, in the order in which they were made.
    pub hosts: Vec<(String, Vec<IpAddr>)>,
    /// What was seen on the wire, merged in the same way as while the case ran.
    pub trace: Trace,
    /// Every frame, in order of time.
    pub frames: Vec<CapturedFrame>,
    /// The applications' calls, in order of their beginning.
    pub calls: Vec<CallRecord>,
    /// Faults and notes, in order of time.
    pub notices: Vec<Notice>,
    /// When the journal was full: frames, calls and returns after that are missing.
    pub full: Option<Stamp>,
    /// The processes of each host that made calls; true where several threads of it did.
    callers: HashMap<String, HashMap<String, bool>>,
}

/// One frame at one tap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedFrame {
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
pub struct CallRecord {
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
    /// When it returned, and with what; `None` where it did not, as far as the journal goes.
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
    /// Reads the records of one case. Takes time in proportion to their number.
    #[must_use]
    pub fn of(records: impl IntoIterator<Item = Record>) -> Self {
        let mut hosts: Vec<(String, Vec<IpAddr>)> = Vec::new();
        let mut taps: Vec<(u8, TapInfo)> = Vec::new();
        let mut captured: Vec<(u8, CapturedFrame)> = Vec::new();
        let mut calls: Vec<CallRecord> = Vec::new();
        let mut places: HashMap<u64, usize> = HashMap::new();
        let mut notices = Vec::new();
        let mut full = None;
        for record in records {
            match record {
                Record::Host { name, addresses } => hosts.push((name, addresses)),
                Record::Tap { tap, host, near, name } => {
                    taps.push((tap, TapInfo { host, name, near }));
                }
                Record::Frame { tap, egress, at, length, bytes } => {
                    let (departs, seen) = (false, None);
                    let frame = CapturedFrame { tap: 0, egress, at, length, bytes, departs, seen };
                    captured.push((tap, frame));
                }
                Record::Call { id, host, process, thread, text, began } => {
                    places.insert(id, calls.len());
                    calls.push(CallRecord { host, process, thread, text, began, ended: None });
                }
                Record::Return { id, ended, result } => {
                    if let Some(place) = places.get(&id) {
                        calls[*place].ended = Some((ended, result));
                    }
                }
                Record::Fault { at, on, text } => {
                    let topic = if on { Topic::FaultOn } else { Topic::FaultOff };
                    notices.push(Notice { at, topic, text });
                }
                Record::Note { at, text } => notices.push(Notice { at, topic: Topic::Note, text }),
                Record::Full { at } => {
                    full = Some(at);
                    let text = format!(
                        "the case's journal is full ({} MiB): later calls and segments are left out",
                        LIMIT >> 20
                    );
                    notices.push(Notice { at, topic: Topic::Note, text });
                }
            }
        }
        for (_, tap) in &taps {
            if hosts.iter().all(|(name, _)| *name != tap.host) {
                hosts.push((tap.host.clone(), Vec::new()));
            }
        }
        let mut frames: Vec<CapturedFrame> = Vec::new();
        for (number, mut frame) in captured {
            // A frame of a tap that was never introduced has no story to be part of.
            let Some(tap) = taps.iter().position(|(known, _)| *known == number) else { continue };
            frame.tap = tap;
            frame.departs = taps[tap].1.departs(frame.egress);
            frames.push(frame);
        }
        frames.sort_by_key(|frame| (frame.at, !frame.departs));
        let mut trace = Trace::new(taps.into_iter().map(|(_, tap)| tap).collect());
        for frame in &mut frames {
            let packet = Packet::read(&frame.bytes, frame.length);
            let CapturedFrame { tap, egress, at, .. } = *frame;
            frame.seen = trace.see(Observation { tap, egress, at, packet });
        }
        calls.sort_by_key(|call| call.began);
        notices.sort_by_key(|notice| notice.at);
        let callers = callers(&calls);
        Self { hosts, trace, frames, calls, notices, full, callers }
    }

    /// The call in words, after its process and thread where its host has several of them.
    #[must_use]
    pub fn name_of(&self, call: &CallRecord) -> String {
        let CallRecord { host, process, thread, text, .. } = call;
        let processes = self.callers.get(host);
        let many_processes = processes.is_some_and(|all| all.len() > 1);
        let many_threads = processes.and_then(|all| all.get(process)).is_some_and(|many| *many);
        match (many_processes, many_threads) {
            (false, false) => text.clone(),
            (true, false) => format!("{process}: {text}"),
            (false, true) => format!("{thread}: {text}"),
            (true, true) => format!("{process}/{thread}: {text}"),
        }
    }

    /// Whether several processes of this host made calls.
    pub(super) fn has_processes(&self, host: &str) -> bool {
        self.callers.get(host).is_some_and(|all| all.len() > 1)
    }
}

/// The processes of each host, and whether several threads of each made calls.
fn callers(calls: &[CallRecord]) -> HashMap<String, HashMap<String, bool>> {
    let mut first: HashMap<(&str, &str), (&str, bool)> = HashMap::new();
    for call in calls {
        let caller = (call.host.as_str(), call.process.as_str());
        let (thread, several) = first.entry(caller).or_insert((&call.thread, false));
        *several |= *thread != call.thread;
    }
    let mut callers: HashMap<String, HashMap<String, bool>> = HashMap::new();
    for ((host, process), (_, several)) in first {
        callers.entry(host.to_owned()).or_default().insert(process.to_owned(), several);
    }
    callers
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
        let story = Story::of([lab(), records].concat());
        let order = story.trace.segments().iter().map(|segment| segment.flags.to_string());
        assert_eq!(order.collect::<Vec<_>>(), ["SYN", "SYN+ACK"]);
        assert!(story.trace.segments().iter().all(|segment| !segment.swallowed()));
    }

    #[test]
    fn a_call_without_a_return_never_returned() {
        let records = [call(1, "a", "close(3)", 1), call(2, "a", "read(4, 1)", 2)];
        let story = Story::of([&records[..], &[returns(1, "0", 5)]].concat());
        assert_eq!(story.calls[0].ended, Some((us(5), "0".into())));
        assert_eq!(story.calls[1].ended, None);
    }

    #[test]
    fn calls_are_told_apart_only_where_there_is_something_to_tell() {
        let one = Story::of([call(1, "a", "close(3)", 1), call(2, "b", "close(3)", 2)]);
        assert_eq!(one.name_of(&one.calls[0]), "close(3)");
        let mut other = call(2, "a", "read(4, 1)", 2);
        if let Record::Call { thread, .. } = &mut other {
            *thread = "reader".into();
        }
        let two = Story::of([call(1, "a", "close(3)", 1), other]);
        assert_eq!(two.name_of(&two.calls[1]), "reader: read(4, 1)");
    }

    #[test]
    fn frames_of_unknown_taps_and_returns_of_unknown_calls_are_passed_over() {
        let records = [goes(&Build::v4(), Some(1), None), vec![returns(9, "0", 2)]].concat();
        let story = Story::of(records);
        assert!(story.frames.is_empty() && story.calls.is_empty());
    }

    /// A case that goes round `rounds` times: it opens a connection, and closes it.
    pub(crate) fn rounds(rounds: u32) -> Vec<Record> {
        let mut all = lab();
        for round in 0..rounds {
            let at = i64::from(round) * 1_000;
            let id = u64::from(round) * 3;
            let port = 10_000 + u16::try_from(round % 50_000).expect("it fits");
            let isn = 1_000 + round / 50_000;
            let fd = 4 + round % 2;
            let a = |seq, ack| Build::v4().ports(port, 80).seq(isn + seq).ack(ack);
            let b = |seq, ack| Build::v4().back().ports(80, port).seq(seq).ack(isn + ack);
            all.push(call(id, "a", "socket(AF_INET, SOCK_STREAM)", at));
            all.push(returns(id, &fd.to_string(), at + 10));
            all.push(call(id + 1, "a", &format!("connect({fd}, 10.0.0.2:80)"), at + 20));
            all.extend(goes(&a(0, 0).flags(Flags::SYN), Some(at + 30), Some(at + 31)));
            let answer = b(5_000, 1).flags(Flags::SYN | Flags::ACK);
            all.extend(goes(&answer, Some(at + 40), Some(at + 41)));
            all.extend(goes(&a(1, 5_001), Some(at + 50), Some(at + 51)));
            all.push(returns(id + 1, "0", at + 60));
            all.push(call(id + 2, "a", &format!("close({fd})"), at + 70));
            let fin = a(1, 5_001).flags(Flags::FIN | Flags::ACK);
            all.extend(goes(&fin, Some(at + 80), Some(at + 81)));
            all.push(returns(id + 2, "0", at + 90));
        }
        all
    }

    #[test]
    fn a_story_of_many_calls_is_read_and_told_in_time_that_grows_with_their_number() {
        use std::time::{Duration, Instant};
        let records = rounds(7_000);
        let began = Instant::now();
        let story = Story::of(records);
        let names = story.calls.iter().map(|call| story.name_of(call).len()).sum::<usize>();
        let drawn = super::super::ladder::draw(&story);
        let took = began.elapsed();
        assert!(names > 0 && drawn.lines().count() < 1_000, "{}", drawn.lines().count());
        // A build that is not optimized takes some 0.6 s; the square of their number, minutes.
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}
