//! Which segments on the wire a set of rules dropped or answered, as far as that follows from the
//! rules: which random numbers the kernel drew is not known.

use super::{Effect, Packets, Rule, Which};
use crate::wire::{Flags, Segment};

/// Which of all segments, in their order, some of `rules` kept from arriving while they were on,
/// as `took` says.
pub(in super::super) fn dropped(
    rules: &[Rule],
    all: &[Segment],
    took: &dyn Fn(&Segment) -> bool,
) -> Vec<bool> {
    let mut counts = vec![0; rules.len()];
    let mut each = |segment: &Segment| {
        for (rule, count) in rules.iter().zip(&mut counts) {
            if !rule.fits(segment) {
                continue;
            }
            *count += 1;
            let hit = match rule.what.which {
                Which::All => true,
                Which::First(first) => *count <= first,
                Which::Nth(number) => *count == number,
            };
            if hit {
                return rule.fate != Effect::Held;
            }
        }
        false
    };
    all.iter().map(|segment| took(segment) && each(segment)).collect()
}

impl Rule {
    /// Whether it is certain that the rule is about this segment.
    fn fits(&self, segment: &Segment) -> bool {
        let Packets { from, to, ends, with, without, payload, seq, chance, which: _ } = &self.what;
        let within = |range: &Option<(u32, u32)>, value: u32| {
            range.is_none_or(|(low, high)| (low..=high).contains(&value))
        };
        let family = match self.fate {
            Effect::Refused(error) => {
                let (v4, v6) = error.codes();
                if segment.src.is_ipv4() { v4.is_some() } else { v6.is_some() }
            }
            _ => true,
        };
        family
            && from.as_ref().is_none_or(|from| *from == segment.from)
            && to.as_ref().is_none_or(|to| *to == segment.to)
            && ends.is_none_or(|ends| ends == (segment.src, segment.dst))
            && segment.flags.contains(*with)
            && (*without == Flags::NONE || !segment.flags.intersects(*without))
            && within(payload, segment.payload)
            && within(seq, segment.seq)
            && chance.is_none_or(|chance| chance >= 1.0)
    }
}
