//! What is known of one connection from its segments: where its numbers start, what each side
//! has sent, how its windows are scaled.

use std::net::SocketAddr;

use super::flags::Flags;
use super::packet::Headers;
use super::seq::Seq;

/// One life of a pair of ends. The pair may be used again by a later connection.
#[derive(Debug)]
pub(crate) struct Connection {
    ends: [SocketAddr; 2],
    sides: [Side; 2],
}

/// What one end has sent.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// Where relative numbers start: the number of the SYN, else the first number seen.
    base: Option<Seq>,
    /// `base` is the number of a SYN.
    opened: bool,
    /// Window scale offered in the SYN.
    scale: Option<u8>,
    /// The number after the highest one sent.
    next: Option<Seq>,
    /// How far `next` is from `base`, without wrapping.
    reach: i64,
    /// The highest acknowledgement that arrived from the other side.
    acked: Option<Seq>,
    sent: Ranges,
    /// The window field and the time stamps of the latest segment sent, where it was no reset.
    window: Option<u16>,
    stamps: Option<(u32, u32)>,
    /// How long the latest arrival of this side had travelled, in nanoseconds.
    pub(crate) transit: Option<i64>,
}

/// What a departing segment is, beside what its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Nature {
    pub(crate) retransmission: bool,
    pub(crate) probe: bool,
}

/// Where one side of a connection stands, in the numbers that are on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Where its relative numbers start.
    pub(crate) base: Option<Seq>,
    /// The number after the highest it has sent.
    pub(crate) next: Option<Seq>,
    /// Where its peer's relative numbers start.
    pub(crate) peer_base: Option<Seq>,
    /// The number after the highest its peer has sent.
    pub(crate) peer_next: Option<Seq>,
    /// The window it advertised last, not scaled.
    pub(crate) window: Option<u16>,
    /// Time stamps that its peer takes for current, where the connection uses them.
    pub(crate) stamps: Option<(u32, u32)>,
}

impl Connection {
    pub(crate) fn between(src: SocketAddr, dst: SocketAddr) -> Self {
        Self { ends: [src, dst], sides: [Side::default(), Side::default()] }
    }

    fn index(&self, src: SocketAddr) -> usize {
        usize::from(src != self.ends[0])
    }

    /// The side that sends from `src`.
    pub(crate) fn side(&mut self, src: SocketAddr) -> &mut Side {
        let index = self.index(src);
        &mut self.sides[index]
    }

    fn both(&self, src: SocketAddr) -> (&Side, &Side) {
        let index = self.index(src);
        (&self.sides[index], &self.sides[1 - index])
    }

    /// Whether a SYN without ACK belongs here: the same SYN again, or the first one where none
    /// was sent. Any other SYN starts a new life of the pair, a real one as well as an injected
    /// one.
    pub(crate) fn takes_syn(&self, headers: &Headers) -> bool {
        let (own, _) = self.both(headers.src);
        if own.opened { own.base == Some(headers.seq) } else { own.next.is_none() }
    }

    /// How far the numbers of a segment are from what this connection would send next: a
    /// segment of a pair with several lives belongs to the nearest.
    pub(crate) fn distance(&self, headers: &Headers) -> u64 {
        let (own, peer) = self.both(headers.src);
        let from = |seen: Seq, expected: Option<Seq>| {
            expected.map_or(0, |expected| u64::from((seen - expected).unsigned_abs()))
        };
        let acks = headers.flags.contains(Flags::ACK);
        let ack = if acks { from(headers.ack, peer.next.or(peer.base)) } else { 0 };
        from(headers.seq, own.next.or(own.base)) + ack
    }

    /// Learns where numbers start; comes before anything relative is asked.
    pub(crate) fn learn(&mut self, headers: &Headers) {
        let index = self.index(headers.src);
        let has_ack = headers.flags.contains(Flags::ACK);
        let opening = self.sides[1 - index].base;
        let answers = has_ack && opening.is_some_and(|base| headers.ack == base + 1);
        let side = &mut self.sides[index];
        if headers.flags.contains(Flags::SYN) {
            // A second SYN+ACK with another number answers the same SYN: a listener was replaced.
            let renumbered = side.opened && side.base != Some(headers.seq);
            if !side.opened || (renumbered && answers) {
                *side = Side {
                    base: Some(headers.seq),
                    opened: true,
                    scale: headers.options.window_scale,
                    transit: side.transit,
                    ..Side::default()
                };
            }
        }
        side.base.get_or_insert(headers.seq);
        if has_ack {
            self.sides[1 - index].base.get_or_insert(headers.ack);
        }
    }

    /// Notes that a segment left its sender, and says what kind of sending that was.
    pub(crate) fn departs(&mut self, headers: &Headers) -> Nature {
        let side = self.side(headers.src);
        let (seq, space) = (headers.seq, headers.space());
        // Sequence space already sent is kept in offsets from the start, which do not wrap: the
        // offset of a number is the one nearest to what was sent last.
        let (next, reach) = match side.next {
            Some(next) => (next, side.reach),
            None => (seq, i64::from(seq - side.base.unwrap_or(seq))),
        };
        let offset = reach + i64::from(seq - next);
        let end = offset + i64::from(space);
        let retransmission = space > 0 && side.sent.add(offset, end);
        // A keepalive or window probe is an empty segment one number before what the peer
        // expects, sent to make it answer (RFC 9293 section 3.8.4 and 3.8.6.1).
        let before = |expected: Option<Seq>| expected == Some(seq + 1);
        let quiet = !headers.flags.intersects(Flags::SYN | Flags::FIN | Flags::RST);
        let probe = quiet && space == 0 && (before(side.next) || before(side.acked));
        if !headers.flags.contains(Flags::RST) {
            // A SYN's is not scaled, those after it are (RFC 7323 section 2.2).
            let opens = headers.flags.contains(Flags::SYN);
            let shift = if opens { side.scale.unwrap_or(0) } else { 0 };
            side.window = Some(headers.window >> shift);
            side.stamps = headers.options.timestamps;
        }
        side.next = Some(next.later(seq + space));
        side.reach = reach.max(end);
        Nature { retransmission, probe }
    }

    /// Notes that a segment reached its receiver.
    pub(crate) fn arrives(&mut self, headers: &Headers) {
        if headers.flags.contains(Flags::ACK) {
            let peer = self.side(headers.dst);
            // What was never sent cannot be acknowledged, whatever an injected segment says.
            if peer.next.is_some_and(|next| headers.ack <= next) {
                peer.acked = Some(peer.acked.map_or(headers.ack, |acked| acked.later(headers.ack)));
            }
        }
    }

    /// Learns from a segment that no host sent: nothing that is known already, since the middle
    /// may lie.
    pub(crate) fn learn_from_middle(&mut self, headers: &Headers) {
        let (own, _) = self.both(headers.src);
        if own.base.is_none() {
            self.learn(headers);
        } else if headers.flags.contains(Flags::ACK) {
            self.side(headers.dst).base.get_or_insert(headers.ack);
        }
    }

    /// What a segment from `src` would say if it were the next one.
    pub(crate) fn standing(&self, src: SocketAddr) -> Standing {
        let (own, peer) = self.both(src);
        Standing {
            base: own.base,
            next: own.next,
            peer_base: peer.base,
            peer_next: peer.next.or(peer.base),
            window: own.window,
            // The value repeats, which PAWS allows (RFC 7323 section 5.3); the echo is the latest.
            stamps: own
                .stamps
                .map(|(value, echo)| (value, peer.stamps.map_or(echo, |(latest, _)| latest))),
        }
    }

    /// Sequence and acknowledgement numbers from 0 at the SYN; the latter 0 without ACK.
    pub(crate) fn relative(&self, headers: &Headers) -> (u32, u32) {
        let (own, peer) = self.both(headers.src);
        let seq = headers.seq.relative_to(own.base.unwrap_or_default());
        let acks = headers.flags.contains(Flags::ACK);
        (seq, if acks { headers.ack.relative_to(peer.base.unwrap_or_default()) } else { 0 })
    }

    /// SACK blocks in the receiver's relative numbers.
    pub(crate) fn relative_sack(&self, headers: &Headers) -> Vec<(u32, u32)> {
        let (_, peer) = self.both(headers.src);
        let base = peer.base.unwrap_or_default();
        let blocks = headers.options.sack.iter();
        blocks.map(|(from, to)| (from.relative_to(base), to.relative_to(base))).collect()
    }

    /// The window in bytes, scaled where both SYNs were seen and offered it (RFC 7323
    /// section 2.2); never in a SYN.
    pub(crate) fn window(&self, headers: &Headers) -> u32 {
        let raw = u32::from(headers.window);
        let (own, peer) = self.both(headers.src);
        match (own.scale, peer.scale) {
            (Some(shift), Some(_)) if !headers.flags.contains(Flags::SYN) => raw << shift,
            _ => raw,
        }
    }
}

/// Stretches of sequence space, in offsets from the start, sorted and apart.
#[derive(Debug, Default)]
struct Ranges(Vec<(i64, i64)>);

impl Ranges {
    /// Adds `from..to`; true where some of it was there before.
    fn add(&mut self, from: i64, to: i64) -> bool {
        let first = self.0.partition_point(|(_, end)| *end < from);
        let last = self.0.partition_point(|(start, _)| *start <= to);
        // first..last touch the new stretch or overlap it.
        let touched = &self.0[first..last];
        let overlaps = touched.iter().any(|(start, end)| *start < to && from < *end);
        let start = touched.first().map_or(from, |(start, _)| from.min(*start));
        let end = touched.last().map_or(to, |(_, end)| to.max(*end));
        self.0.splice(first..last, [(start, end)]);
        overlaps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::build::Build;
    use super::*;

    const NEW: Nature = Nature { retransmission: false, probe: false };
    const AGAIN: Nature = Nature { retransmission: true, probe: false };

    /// Feeds segments that all depart, and says what each was.
    fn natures(segments: &[Build]) -> Vec<Nature> {
        let first = segments[0].headers();
        let mut connection = Connection::between(first.src, first.dst);
        let one = |build: &Build| {
            let headers = build.headers();
            connection.learn(&headers);
            let nature = connection.departs(&headers);
            connection.arrives(&headers);
            nature
        };
        segments.iter().map(one).collect()
    }

    #[test]
    fn what_takes_sequence_space_a_second_time_is_a_retransmission() {
        let syn = Build::v4().seq(99).flags(Flags::SYN);
        let data = Build::v4().seq(100).payload(10);
        let fin = Build::v4().seq(110).flags(Flags::FIN | Flags::ACK);
        let both = data.clone().flags(Flags::FIN | Flags::ACK);
        let ack = Build::v4().seq(111);
        let sent = [syn.clone(), syn, data.clone(), data, fin, both, ack.clone(), ack];
        assert_eq!(natures(&sent), [NEW, AGAIN, NEW, AGAIN, NEW, AGAIN, NEW, NEW]);
    }

    #[test]
    fn filling_a_hole_is_no_retransmission() {
        let at = |seq| Build::v4().seq(seq).payload(10);
        let sent = [at(100), at(120), at(110), at(115)];
        assert_eq!(natures(&sent), [NEW, NEW, NEW, AGAIN]);
    }

    #[test]
    fn numbers_may_wrap_in_mid_connection() {
        let at = |seq: u32| Build::v4().seq(seq).payload(10);
        let last = u32::MAX - 4;
        let sent = [
            at(last - 10),
            at(last),
            at(last.wrapping_add(10)),
            at(last),
            at(last.wrapping_add(20)),
        ];
        assert_eq!(natures(&sent), [NEW, NEW, NEW, AGAIN, NEW]);
    }

    #[test]
    fn an_empty_segment_one_before_the_next_number_is_a_probe() {
        let probe = Nature { retransmission: false, probe: true };
        let data = Build::v4().seq(100).payload(10);
        let sent = [
            data,
            Build::v4().seq(109),
            Build::v4().seq(110),
            Build::v4().seq(109).flags(Flags::RST),
        ];
        assert_eq!(natures(&sent), [NEW, probe, NEW, NEW]);
        // With unacknowledged data in flight the number before that is used.
        let flying = [
            Build::v4().seq(100).payload(10),
            Build::v4().back().seq(5).ack(110),
            Build::v4().seq(110).payload(10),
            Build::v4().seq(109),
        ];
        assert_eq!(natures(&flying)[3], probe);
    }

    #[test]
    fn windows_are_scaled_only_when_both_ends_offered_it() {
        let syn = Build::v4().seq(1).flags(Flags::SYN).window(1000).window_scale(7);
        let ack = Build::v4().seq(2).ack(9).window(1000);
        for (answer, expected) in [(Some(3), 128_000), (None, 1000)] {
            let back = Build::v4().back().seq(8).ack(2).flags(Flags::SYN | Flags::ACK);
            let back = answer.map_or(back.clone(), |shift| back.window_scale(shift));
            let mut connection = Connection::between(syn.headers().src, syn.headers().dst);
            for build in [&syn, &back] {
                connection.learn(&build.headers());
                assert_eq!(connection.window(&build.headers()), u32::from(build.headers().window));
            }
            assert_eq!(connection.window(&ack.headers()), expected);
        }
    }

    proptest! {
        #[test]
        fn ranges_agree_with_a_set_of_numbers(
            adds in proptest::collection::vec((0_i64..60, 1_i64..12), 0..40)
        ) {
            let mut ranges = Ranges::default();
            let mut set = std::collections::BTreeSet::new();
            for (from, length) in adds {
                let seen = (from..from + length).any(|n| set.contains(&n));
                prop_assert_eq!(ranges.add(from, from + length), seen);
                set.extend(from..from + length);
                prop_assert!(ranges.0.is_sorted() && ranges.0.windows(2).all(|w| w[0].1 < w[1].0));
            }
            let total: i64 = ranges.0.iter().map(|(a, b)| b - a).sum();
            prop_assert_eq!(total, i64::try_from(set.len()).expect("few"));
        }
    }
}
