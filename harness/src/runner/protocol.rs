//! What the runner and the process of a case say to each other, on that process's descriptor 3.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Result;
pub use crate::sys::codec::Received;
use crate::sys::error::Unmet;
use crate::sys::probe::Trial;
use crate::sys::{codec, seqpacket, spawn};
use crate::verdict::Judged;

/// No text in a report is longer; a snapshot of many sockets loses its end.
const TEXT_LIMIT: usize = 48 * 1024;

/// From the process of a case to the runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromCase {
    /// A host was made. The message carries one descriptor, its network namespace, so that the
    /// runner can destroy what sockets pin in it should the case die.
    Namespace {
        /// The host's name.
        host: String,
    },
    /// The message carries taps, for the runner to close when the case is over: the kernel takes
    /// many milliseconds to close one (`packet_release` waits for an RCU grace period), and the
    /// case would spend them on its way out.
    Taps,
    /// A host was put to rest before its case ended; nothing of it needs holding any more.
    NamespaceGone {
        /// The host's name.
        host: String,
    },
    /// The case has come to its end.
    Verdict(Report),
}

/// From the runner to the process of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToCase {
    /// The time limit has come: report what there is, now.
    TimeUp,
}

/// How a case ended, and what was to be seen at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The decision.
    pub verdict: Verdict,
    /// The expectation that was not met, expected against seen; empty for a pass.
    pub message: String,
    /// The sockets of every host, and their states.
    pub states: String,
    /// The most memory the process held, in KiB.
    pub rss_kib: u64,
    /// The times it has judged, in their order.
    pub judged: Vec<Judged>,
    /// What it has used of the kernel that not every kernel has.
    pub used: Vec<Trial>,
    /// For how long its processes were ready to run and had no processor, together.
    pub starved: Duration,
}

/// What a case decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every expectation was met.
    Passed,
    /// One was not, or the harness could not do what the case asked.
    Failed,
    /// The machine was too slow for the case to judge.
    TooSlow,
    /// The kernel lacks what the case has used.
    Unmet(Unmet),
}

impl Report {
    /// A report on nothing but a verdict.
    #[must_use]
    pub fn bare(verdict: Verdict, message: impl Into<String>) -> Self {
        let (message, states) = (message.into(), String::new());
        let (judged, used, starved) = (Vec::new(), Vec::new(), Duration::ZERO);
        Self { verdict, message, states, rss_kib: 0, judged, used, starved }
    }

    /// The same report, with texts cut to what somebody may want to read of them.
    #[must_use]
    pub fn cut(mut self) -> Self {
        for text in [&mut self.message, &mut self.states] {
            if text.len() > TEXT_LIMIT {
                let end = (0..=TEXT_LIMIT).rev().find(|&end| text.is_char_boundary(end));
                text.truncate(end.unwrap_or(0));
                text.push_str("\n… (cut)");
            }
        }
        self
    }
}

/// One end of the control socket.
#[derive(Debug)]
pub struct Link(OwnedFd);

impl Link {
    /// Two connected ends.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn pair() -> Result<(Self, Self)> {
        seqpacket::pair().map(|(a, b)| (Self(a), Self(b)))
    }

    /// The end that the runner handed down to the process of a case. Call it once.
    ///
    /// # Errors
    /// This process was not started by a runner.
    pub fn inherited() -> Result<Self> {
        spawn::inherited(spawn::CONTROL).map(Self)
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The other end is gone.
    pub fn send<T: Serialize>(&self, message: &T, descriptors: &[BorrowedFd<'_>]) -> Result {
        codec::send(self.0.as_fd(), message, descriptors)
    }

    /// Takes the next message, and waits for one if `block`.
    ///
    /// # Errors
    /// What came is not a message of this protocol.
    pub fn receive<T: DeserializeOwned>(&self, block: bool) -> Result<Received<T>> {
        codec::receive(self.0.as_fd(), &mut Vec::new(), block)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use proptest::prelude::*;

    use super::*;
    use crate::verdict::judged;

    fn message() -> impl Strategy<Value = FromCase> {
        let verdict =
            prop_oneof![Just(Verdict::Passed), Just(Verdict::Failed), Just(Verdict::TooSlow)];
        prop_oneof![
            ".*".prop_map(|host| FromCase::Namespace { host }),
            (verdict, ".*", ".*", any::<u64>()).prop_map(|(verdict, message, states, rss_kib)| {
                let report = Report::bare(verdict, message);
                FromCase::Verdict(Report { states, rss_kib, ..report })
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_message_survives_the_trip(sent in message()) {
            let bytes = codec::encode(&sent).unwrap();
            prop_assert_eq!(codec::decode::<FromCase>(&bytes).unwrap(), sent);
        }

        #[test]
        fn garbage_is_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = codec::decode::<FromCase>(&bytes);
            let _ = codec::decode::<ToCase>(&bytes);
        }

        #[test]
        fn a_torn_message_is_refused(sent in message(), at: prop::sample::Index) {
            let bytes = codec::encode(&sent).unwrap();
            let torn = &bytes[..at.index(bytes.len())];
            prop_assert!(codec::decode::<FromCase>(torn).is_err());
        }

        #[test]
        fn a_cut_report_is_not_long(text in "[a-zé…]{0,40}", times in 1..5000_usize) {
            let long = text.repeat(times);
            let mut report = Report::bare(Verdict::Failed, long.clone());
            report.states = long;
            let longest = Judged {
                what: "x".repeat(judged::LONGEST),
                derived: std::time::Duration::MAX,
                seen: std::time::Duration::MAX,
                stall: std::time::Duration::MAX,
            };
            report.judged = vec![longest; judged::MOST];
            let sent = FromCase::Verdict(report.cut());
            prop_assert!(codec::encode(&sent).unwrap().len() <= 128 * 1024);
        }
    }

    #[test]
    fn a_descriptor_travels_with_its_message() {
        let (case, runner) = Link::pair().unwrap();
        let (pipe, mut end) = std::io::pipe().unwrap();
        let sent = FromCase::Namespace { host: "a".into() };
        case.send(&sent, &[pipe.as_fd()]).unwrap();
        drop(pipe);
        let Received::Message(got, mut descriptors) = runner.receive::<FromCase>(false).unwrap()
        else {
            panic!("a message was sent");
        };
        assert_eq!(got, sent);
        end.write_all(b"same pipe").unwrap();
        drop(end);
        let mut text = String::new();
        File::from(descriptors.remove(0)).read_to_string(&mut text).unwrap();
        assert_eq!(text, "same pipe");
    }

    #[test]
    fn what_was_sent_before_the_end_is_still_read() {
        let (case, runner) = Link::pair().unwrap();
        assert!(matches!(runner.receive::<FromCase>(false).unwrap(), Received::Nothing));
        // The case reports just as its time is up, and never reads that it was.
        runner.send(&ToCase::TimeUp, &[]).unwrap();
        let sent = FromCase::Verdict(Report::bare(Verdict::Passed, ""));
        case.send(&sent, &[]).unwrap();
        drop(case);
        let Received::Message(got, _) = runner.receive::<FromCase>(true).unwrap() else {
            panic!("the verdict was lost");
        };
        assert_eq!(got, sent);
        assert!(matches!(runner.receive::<FromCase>(true).unwrap(), Received::Closed));
    }
}
