//! Which packets a rule is about, and what becomes of them.

use std::{
    net::SocketAddr,
    ops::{Bound, RangeBounds},
};

use crate::{
    error::{Error, Result},
    fault::IcmpError,
    wire::Flags,
};

mod fit;
mod script;

pub(super) use fit::dropped;
use script::{MODULUS, MOST, span};

/// TCP segments passing through the patch, all of them unless narrowed.
pub fn packets() -> Packets {
    Packets::default()
}

/// A description of TCP segments: what it does not mention may be anything.
#[derive(Debug, Clone, Default)]
#[must_use = "say what becomes of them"]
pub struct Packets {
    from: Option<String>,
    to: Option<String>,
    ends: Option<(SocketAddr, SocketAddr)>,
    with: Flags,
    without: Flags,
    payload: Option<(u32, u32)>,
    seq: Option<(u32, u32)>,
    chance: Option<f64>,
    which: Which,
}

/// Which of the matching packets, in the order of their arrival.
#[derive(Debug, Clone, Copy, Default)]
enum Which {
    #[default]
    All,
    First(u32),
    Nth(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Dropped,
    Reset,
    Refused(IcmpError),
    Held,
}

/// Some packets, and what happens to them.
#[derive(Debug, Clone)]
#[must_use = "a rule acts once it is turned on"]
pub struct Rule {
    what: Packets,
    fate: Effect,
}

impl Packets {
    /// Sent by this host.
    pub fn from(mut self, host: &str) -> Self {
        self.from = Some(host.to_owned());
        self
    }

    /// Sent to this host.
    pub fn to(mut self, host: &str) -> Self {
        self.to = Some(host.to_owned());
        self
    }

    /// Sent from this address and port to that one.
    pub fn addressed(mut self, from: SocketAddr, to: SocketAddr) -> Self {
        self.ends = Some((from, to));
        self
    }

    /// With all of these flags.
    pub fn flags(mut self, flags: Flags) -> Self {
        self.with |= flags;
        self
    }

    /// With none of these flags.
    pub fn without(mut self, flags: Flags) -> Self {
        self.without |= flags;
        self
    }

    /// With data.
    pub fn carrying_data(self) -> Self {
        self.payload(1..)
    }

    /// Without data.
    pub fn empty(self) -> Self {
        self.payload(0..=0)
    }

    /// An acknowledgement and nothing else, probes included.
    pub fn pure_ack(self) -> Self {
        self.flags(Flags::ACK).without(Flags::SYN | Flags::FIN | Flags::RST).empty()
    }

    /// With so many bytes of data.
    pub fn payload(mut self, bytes: impl RangeBounds<u32>) -> Self {
        self.payload = Some(bounds(bytes));
        self
    }

    /// With a sequence number in this range, counted as on the wire: from the SYN. It needs
    /// [`Self::sent_by`], to know whose SYN.
    pub fn seq(mut self, numbers: impl RangeBounds<u32>) -> Self {
        self.seq = Some(bounds(numbers));
        self
    }

    /// Each with this probability only; the kernel draws the random number.
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.chance = Some(probability);
        self
    }

    /// Only the first so many of those that fit all the rest.
    pub fn first(mut self, count: u32) -> Self {
        self.which = Which::First(count);
        self
    }

    /// Only the one of this number, from 1, of those that fit all the rest.
    pub fn nth(mut self, number: u32) -> Self {
        self.which = Which::Nth(number);
        self
    }

    /// They never arrive, and nobody is told.
    pub fn are_dropped(self) -> Rule {
        Rule { what: self, fate: Effect::Dropped }
    }

    /// They never arrive, and their sender gets a TCP reset in the receiver's name.
    pub fn are_reset(self) -> Rule {
        Rule { what: self, fate: Effect::Reset }
    }

    /// They never arrive, and their sender gets an ICMP error, which also comes in the receiver's
    /// name: the patch has no address.
    pub fn are_refused(self, error: IcmpError) -> Rule {
        Rule { what: self, fate: Effect::Refused(error) }
    }

    /// They wait in the patch, in the order of their arrival, until they are let go
    /// ([`Rules::release`](super::Rules::release)); nobody is told.
    pub fn are_held(self) -> Rule {
        Rule { what: self, fate: Effect::Held }
    }
}

fn bounds(range: impl RangeBounds<u32>) -> (u32, u32) {
    let low = match range.start_bound() {
        Bound::Included(low) => *low,
        Bound::Excluded(low) => low.saturating_add(1),
        Bound::Unbounded => 0,
    };
    match range.end_bound() {
        Bound::Included(high) => (low, *high),
        // An empty range stays one.
        Bound::Excluded(0) => (1, 0),
        Bound::Excluded(high) => (low, high - 1),
        Bound::Unbounded => (low, u32::MAX),
    }
}

impl Rule {
    /// Whose packets it is about: one host's, or everybody's.
    pub(super) fn source(&self) -> Option<&str> {
        self.what.from.as_deref()
    }

    /// The hosts it names.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        [&self.what.from, &self.what.to].into_iter().flatten().map(String::as_str)
    }

    /// Whether it keeps what it hits, and may let it go.
    pub(super) fn holds(&self) -> bool {
        self.fate == Effect::Held
    }

    /// Whether it answers what it hits.
    pub(super) fn answers(&self) -> bool {
        matches!(self.fate, Effect::Reset | Effect::Refused(_))
    }

    /// The connection whose numbers it needs to know.
    pub(super) fn numbered_by(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.what.seq.and(self.what.ends)
    }

    /// Refuses what can match nothing, or do nothing.
    pub(super) fn check(&self) -> Result {
        let Packets { from, to, with, without, chance, which, .. } = &self.what;
        let ranges = [self.what.payload, self.what.seq];
        let trouble = if from.is_some() && from == to {
            "no host sends to itself through the patch"
        } else if with.intersects(*without) {
            "a flag is both asked for and ruled out"
        } else if ranges.into_iter().flatten().any(|(low, high)| low > high) {
            "a range is empty"
        } else if self.what.payload.is_some_and(|(low, _)| low > MOST) {
            "no packet is as long as that"
        } else if chance.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
            "a probability is over 0 and at most 1"
        } else if matches!(which, Which::First(0) | Which::Nth(0)) {
            "matches are counted from 1"
        } else if matches!(which, Which::First(n) | Which::Nth(n) if *n >= MODULUS) {
            "that many are never counted"
        } else if self.what.seq.is_some() && self.what.ends.is_none() {
            "it is not said whose sequence numbers they are: use sent_by"
        } else if matches!(self.fate, Effect::Refused(error) if error.codes() == (None, None)) {
            "only a router lets the time of a packet run out"
        } else if matches!(self.fate, Effect::Refused(error) if !error.exists()) {
            "there is no such ICMP error"
        } else {
            return Ok(());
        };
        Err(Error::usage(format!("packet rule \"{self}\" cannot act: {trouble}")))
    }
}

/// In words: "drop FIN from a, the first".
impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Packets { from, to, ends, with, without, payload, seq, chance, which } = &self.what;
        match self.fate {
            Effect::Dropped => write!(f, "drop ")?,
            Effect::Reset => write!(f, "reset ")?,
            Effect::Held => write!(f, "hold ")?,
            Effect::Refused(error) => write!(f, "refuse ({error}) ")?,
        }
        match (*with == Flags::NONE, payload) {
            (false, _) => write!(f, "{with}")?,
            (true, Some((1, u32::MAX))) => write!(f, "data")?,
            (true, _) => write!(f, "packets")?,
        }
        if let Some(from) = from {
            write!(f, " from {from}")?;
        }
        if let Some(to) = to {
            write!(f, " to {to}")?;
        }
        if let Some((from, to)) = ends {
            write!(f, ", {from} > {to}")?;
        }
        if *without != Flags::NONE {
            write!(f, ", without {without}")?;
        }
        match payload {
            None => {}
            Some((0, 0)) => write!(f, ", empty")?,
            Some((1, u32::MAX)) if *with == Flags::NONE => {}
            Some((1, u32::MAX)) => write!(f, ", carrying data")?,
            Some((low, high)) => write!(f, ", {} bytes", span(*low, *high))?,
        }
        if let Some((low, high)) = seq {
            write!(f, ", seq {}", span(*low, *high))?;
        }
        if let Some(chance) = chance {
            write!(f, ", with probability {chance}")?;
        }
        match which {
            Which::All => Ok(()),
            Which::First(1) => write!(f, ", the first"),
            Which::First(count) => write!(f, ", the first {count}"),
            Which::Nth(number) => write!(f, ", number {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_as_a_sentence() {
        let first_fin = packets().from("a").flags(Flags::FIN).first(1).are_dropped();
        assert_eq!(first_fin.to_string(), "drop FIN from a, the first");
        let data = packets().to("b").carrying_data().with_probability(0.5).are_reset();
        assert_eq!(data.to_string(), "reset data to b, with probability 0.5");
        let held = packets().from("b").flags(Flags::FIN).are_held();
        assert_eq!(held.to_string(), "hold FIN from b");
        let acks = packets().pure_ack().nth(3).are_refused(IcmpError::HostUnreachable);
        let words = "refuse (host unreachable) ACK, without SYN+RST+FIN, empty, number 3";
        assert_eq!(acks.to_string(), words);
    }

    #[test]
    fn what_cannot_match_is_refused() {
        let refused = |packets: Packets, why: &str| {
            let error = packets.are_dropped().check().expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        };
        refused(packets().from("a").to("a"), "itself");
        refused(packets().flags(Flags::FIN).without(Flags::FIN), "ruled out");
        #[allow(clippy::reversed_empty_ranges)]
        refused(packets().payload(9..3), "empty");
        refused(packets().payload(..0), "empty");
        refused(packets().payload(70_000..), "as long");
        for chance in [0.0, -1.0, 1.1, f64::NAN] {
            refused(packets().with_probability(chance), "probability is over 0");
        }
        refused(packets().nth(0), "from 1");
        refused(packets().first(0), "from 1");
        refused(packets().seq(1..9), "sent_by");
        let refusal =
            |error| packets().are_refused(error).check().expect_err("no such").to_string();
        assert!(refusal(IcmpError::TimeExceeded).contains("router"));
        assert!(refusal(IcmpError::V4(16)).contains("no such ICMP error"));
        packets().payload(..).with_probability(1.0).are_dropped().check().expect("matches");
    }
}
