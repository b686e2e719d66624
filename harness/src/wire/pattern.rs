//! Patterns: what a case looks for on the wire, with everything it does not say left open.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::flags::Flags;
use super::segment::Segment;
use lastack_sys::Stamp;

/// A description of segments: what is not said is not asked.
///
/// A host, a connection or a middle that it names must be there: an expectation, a count or an
/// order of a pattern that names another is an error of use.
///
/// ```
/// use lastack::wire::pattern::{data, fin};
/// let close = fin().from("a").seq(1).payload(0);
/// assert_eq!(close.to_string(), "FIN from a, seq 1, 0 bytes");
/// let lost = data().to("b").arrived(false);
/// assert_eq!(lost.to_string(), "data to b, swallowed");
/// ```
#[derive(Clone)]
pub struct Pattern {
    name: &'static str,
    tests: Vec<Test>,
    /// Whether the segment must have arrived, or must not have.
    arrived: Option<bool>,
    names: Names,
}

/// What a pattern names.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// Hosts.
    pub(super) hosts: Vec<String>,
    /// What is between the hosts.
    pub(super) middle: bool,
    /// Connections, each by its number and one way round of its ends.
    pub(super) connections: Vec<(usize, SocketAddr, SocketAddr)>,
}

type Predicate = Arc<dyn Fn(&Segment) -> bool + Send + Sync>;

#[derive(Clone)]
struct Test {
    /// How the test reads in the description; empty where the pattern's name says it.
    words: String,
    /// "from" and "to" follow the name without a comma.
    joined: bool,
    holds: Predicate,
}

/// What a pattern says of a segment at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    /// It depends on whether the segment arrives, which it may still do until then.
    NotBefore(Stamp),
}

/// Any segment with FIN.
#[must_use]
pub fn fin() -> Pattern {
    Pattern::new("FIN", |it| it.flags.contains(Flags::FIN))
}

/// Any segment with RST.
#[must_use]
pub fn rst() -> Pattern {
    Pattern::new("RST", |it| it.flags.contains(Flags::RST))
}

/// Any segment with FIN or RST: what ends a connection, one way or the other.
#[must_use]
pub fn ending() -> Pattern {
    Pattern::new("FIN or RST", |it| it.flags.intersects(Flags::FIN | Flags::RST))
}

/// A SYN without ACK.
#[must_use]
pub fn syn() -> Pattern {
    Pattern::new("SYN", |it| it.flags.contains(Flags::SYN) && !it.flags.contains(Flags::ACK))
}

/// A SYN with ACK.
#[must_use]
pub fn syn_ack() -> Pattern {
    Pattern::new("SYN+ACK", |it| it.flags.contains(Flags::SYN | Flags::ACK))
}

/// A segment that carries data, whatever its flags.
#[must_use]
pub fn data() -> Pattern {
    Pattern::new("data", |it| it.payload > 0)
}

/// An acknowledgement and nothing else: no data, no SYN, FIN or RST, and not a probe.
#[must_use]
pub fn pure_ack() -> Pattern {
    Pattern::new("pure ACK", |it| {
        let more = Flags::SYN | Flags::FIN | Flags::RST;
        it.flags.contains(Flags::ACK) && !it.flags.intersects(more) && it.payload == 0 && !it.probe
    })
}

/// A keepalive or zero-window probe.
#[must_use]
pub fn probe() -> Pattern {
    Pattern::new("probe", |it| it.probe)
}

/// Any segment at all.
#[must_use]
pub fn any() -> Pattern {
    Pattern::new("any segment", |_| true)
}

impl Pattern {
    fn new(name: &'static str, holds: fn(&Segment) -> bool) -> Self {
        let test = Test { words: String::new(), joined: false, holds: Arc::new(holds) };
        Self { name, tests: vec![test], arrived: None, names: Names::default() }
    }

    fn and(
        mut self,
        words: String,
        holds: impl Fn(&Segment) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.tests.push(Test { words, joined: false, holds: Arc::new(holds) });
        self
    }

    fn joined(mut self) -> Self {
        if let Some(test) = self.tests.last_mut() {
            test.joined = true;
        }
        self
    }

    /// Sent by this host. Never holds for a segment that the middle made in the host's name.
    #[must_use]
    pub fn from(mut self, host: impl AsRef<str>) -> Self {
        let host = host.as_ref().to_owned();
        self.names.hosts.push(host.clone());
        self.and(format!("from {host}"), move |it| it.from == host && !it.from_middle()).joined()
    }

    /// Going to this host, whether it arrives or not; or to an address that no host has.
    #[must_use]
    pub fn to(mut self, host: impl AsRef<str>) -> Self {
        let host = host.as_ref().to_owned();
        if host.parse::<IpAddr>().is_err() {
            self.names.hosts.push(host.clone());
        }
        self.and(format!("to {host}"), move |it| it.to == host).joined()
    }

    /// Made by the middle: it arrives and was sent by no host.
    #[must_use]
    pub fn from_middle(mut self) -> Self {
        self.names.middle = true;
        self.and("from the middle".into(), Segment::from_middle).joined()
    }

    /// With all of these flags.
    #[must_use]
    pub fn flags(self, flags: Flags) -> Self {
        self.and(format!("with {flags}"), move |it| it.flags.contains(flags))
    }

    /// With none of these flags.
    #[must_use]
    pub fn without(self, flags: Flags) -> Self {
        self.and(format!("without {flags}"), move |it| !it.flags.intersects(flags))
    }

    /// With exactly this much data.
    #[must_use]
    pub fn payload(self, bytes: u32) -> Self {
        self.and(format!("{bytes} bytes"), move |it| it.payload == bytes)
    }

    /// With data.
    #[must_use]
    pub fn carrying_data(self) -> Self {
        self.and("carrying data".into(), |it| it.payload > 0)
    }

    /// Without data.
    #[must_use]
    pub fn empty(self) -> Self {
        self.and("empty".into(), |it| it.payload == 0)
    }

    /// With this relative sequence number.
    #[must_use]
    pub fn seq(self, seq: u32) -> Self {
        self.and(format!("seq {seq}"), move |it| it.seq == seq)
    }

    /// With this relative acknowledgement number, and the flag that makes it valid.
    #[must_use]
    pub fn ack(self, ack: u32) -> Self {
        self.and(format!("ack {ack}"), move |it| it.flags.contains(Flags::ACK) && it.ack == ack)
    }

    /// Advertising this window, in bytes as scaled.
    #[must_use]
    pub fn window(self, bytes: u32) -> Self {
        self.and(format!("win {bytes}"), move |it| it.window == bytes)
    }

    /// A retransmission, or not one.
    #[must_use]
    pub fn retransmitted(self, yes: bool) -> Self {
        let words = if yes { "retransmitted" } else { "for the first time" };
        self.and(words.into(), move |it| it.retransmission == yes)
    }

    /// Arrived at its receiver, or swallowed on the way. The latter is decided when the segment
    /// has had [`PATIENCE`](super::PATIENCE) to arrive.
    #[must_use]
    pub fn arrived(mut self, yes: bool) -> Self {
        let words = if yes { "arrived" } else { "swallowed" };
        self.arrived = Some(yes);
        self.and(words.into(), move |it| it.arrived.is_some() == yes)
    }

    /// With this port at either end.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        self.and(format!("port {port}"), move |it| it.src.port() == port || it.dst.port() == port)
    }

    /// Of the same connection as `segment`, in either direction.
    #[must_use]
    pub fn of_connection_of(mut self, segment: &Segment) -> Self {
        let connection = segment.connection;
        self.names.connections.push((connection, segment.src, segment.dst));
        let words = format!("of connection {} <> {}", segment.src, segment.dst);
        self.and(words, move |it| it.connection == connection)
    }

    /// With something else that no other word says.
    #[must_use]
    pub fn that(
        self,
        words: impl Into<String>,
        holds: impl Fn(&Segment) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.and(words.into(), holds)
    }

    /// Whether the segment, as it is now, fits.
    #[must_use]
    pub fn matches(&self, segment: &Segment) -> bool {
        self.tests.iter().all(|test| (test.holds)(segment))
    }

    /// Whether the segment fits, where its arrival is given time.
    pub(crate) fn answer(&self, segment: &Segment, now: Stamp, patience: Duration) -> Answer {
        if let (Some(wanted), Some(sent), None) = (self.arrived, segment.sent, segment.arrived) {
            let decided = sent.after(patience);
            if now < decided {
                let there = Segment { arrived: Some(now), ..segment.clone() };
                let fits = self.matches(if wanted { &there } else { segment });
                return if fits { Answer::NotBefore(decided) } else { Answer::No };
            }
        }
        if self.matches(segment) { Answer::Yes } else { Answer::No }
    }

    /// The hosts and connections it names.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Its absence in words: "no FIN from a", "no segment to b".
    pub(super) fn absence(&self) -> String {
        let words = self.to_string();
        format!("no {}", words.strip_prefix("any ").unwrap_or(&words))
    }

    /// Whether arrival is part of what is asked.
    pub(crate) fn asks_for_arrival(&self) -> bool {
        self.arrived.is_some()
    }
}

/// In words: "FIN from a, seq 1, 0 bytes".
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for test in self.tests.iter().filter(|test| !test.words.is_empty()) {
            write!(f, "{}{}", if test.joined { " " } else { ", " }, test.words)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self})")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::options::Options;
    use super::super::segment::PATIENCE;
    use super::*;

    /// An acknowledgement from a to b that arrived.
    pub(crate) fn segment() -> Segment {
        Segment {
            index: 0,
            connection: 0,
            from: "a".into(),
            to: "b".into(),
            src: "10.0.0.1:4000".parse().unwrap(),
            dst: "10.0.0.2:80".parse().unwrap(),
            sent: Some(Stamp(1_000)),
            arrived: Some(Stamp(2_000)),
            seq: 1,
            ack: 1,
            flags: Flags::ACK,
            window: 502,
            payload: 0,
            options: Options::default(),
            sack: Vec::new(),
            retransmission: false,
            probe: false,
        }
    }

    #[test]
    fn names_say_what_they_match() {
        let with = |flags, payload| Segment { flags, payload, ..segment() };
        let ack = Flags::ACK;
        let all = [
            ("SYN", syn(), with(Flags::SYN, 0)),
            ("SYN+ACK", syn_ack(), with(Flags::SYN | ack, 0)),
            ("pure ACK", pure_ack(), with(ack, 0)),
            ("data", data(), with(Flags::PSH | ack, 5)),
            ("FIN", fin(), with(Flags::FIN | ack, 0)),
            ("RST", rst(), with(Flags::RST, 0)),
            ("probe", probe(), Segment { probe: true, ..segment() }),
        ];
        for (name, pattern, _) in &all {
            let fits = all.iter().filter(|(.., segment)| pattern.matches(segment));
            assert_eq!(fits.map(|(name, ..)| *name).collect::<Vec<_>>(), [*name]);
            assert_eq!(pattern.to_string(), *name);
        }
        assert!(all.iter().all(|(.., segment)| any().matches(segment)));
        assert!(fin().matches(&with(Flags::PSH | Flags::FIN | ack, 9)), "FIN with data is a FIN");
    }

    #[test]
    fn every_word_narrows() {
        let it = Segment { payload: 5, flags: Flags::PSH | Flags::ACK, ..segment() };
        let fits = |pattern: Pattern| pattern.matches(&it);
        assert!(fits(any().from("a").to("b").payload(5).seq(1).ack(1).window(502).port(80)));
        assert!(fits(any().carrying_data().flags(Flags::PSH).without(Flags::FIN | Flags::RST)));
        assert!(fits(any().retransmitted(false).arrived(true).of_connection_of(&it)));
        assert!(fits(any().that("even payload or odd", |_| true)));
        let misses = [
            any().from("b"),
            any().to("a"),
            any().payload(4),
            any().seq(2),
            any().ack(2),
            any().window(1),
            any().port(81),
            any().empty(),
            any().flags(Flags::PSH | Flags::FIN),
            any().without(Flags::ACK),
            any().retransmitted(true),
            any().arrived(false),
            any().from_middle(),
            any().that("nothing", |_| false),
        ];
        for miss in misses {
            assert!(!fits(miss.clone()), "{miss}");
        }
    }

    #[test]
    fn a_host_did_not_send_what_the_middle_made_in_its_name() {
        let forged = Segment { sent: None, ..segment() };
        assert!(!any().from("a").matches(&forged));
        assert!(any().from_middle().to("b").matches(&forged));
    }

    #[test]
    fn an_ack_number_counts_only_with_its_flag() {
        let bare = Segment { flags: Flags::RST, ack: 0, ..segment() };
        assert!(!rst().ack(0).matches(&bare));
    }

    #[test]
    fn a_segment_has_time_to_arrive_before_it_counts_as_swallowed() {
        let sent = Stamp(0);
        let young = Segment { sent: Some(sent), arrived: None, ..segment() };
        let (soon, late) = (sent.after(PATIENCE / 2), sent.after(PATIENCE));
        for (pattern, in_the_end) in
            [(any().arrived(false), Answer::Yes), (any().arrived(true), Answer::No)]
        {
            assert_eq!(
                pattern.answer(&young, soon, PATIENCE),
                Answer::NotBefore(late),
                "{pattern}"
            );
            assert_eq!(pattern.answer(&young, late, PATIENCE), in_the_end, "{pattern}");
        }
        assert_eq!(any().answer(&young, soon, PATIENCE), Answer::Yes);
        assert_eq!(
            fin().arrived(false).answer(&young, soon, PATIENCE),
            Answer::No,
            "it is no FIN anyway"
        );
    }

    #[test]
    fn patterns_read_as_words() {
        let words = any().from("a").to("b").flags(Flags::PSH).without(Flags::FIN).ack(7);
        assert_eq!(words.to_string(), "any segment from a to b, with PSH, without FIN, ack 7");
        assert_eq!(any().from("a").absence(), "no segment from a");
        assert_eq!(rst().absence(), "no RST");
        let words = rst().from_middle().to("a").that("ttl below 5", |_| true);
        assert_eq!(words.to_string(), "RST from the middle to a, ttl below 5");
    }
}
