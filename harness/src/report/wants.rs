//! What would let those cases run that could not: the way that helps most of them first.

use std::collections::{BTreeMap, BTreeSet};

use crate::runner::needs::Unmet;

/// More lines than these nobody reads at the end of a run.
const LINES: usize = 4;

/// Between two ways out, each of which would do.
const OR: &str = "; or ";

/// Cases that were ignored, counted by what they lack.
#[derive(Debug, Default)]
pub(super) struct Wants(BTreeMap<(String, String, String), usize>);

/// What one way out would do.
struct Way {
    cases: usize,
    remedy: String,
    needs: BTreeSet<String>,
    reasons: BTreeSet<String>,
}

impl Wants {
    pub(super) fn add(&mut self, unmet: &Unmet) {
        let Unmet { need, reason, remedy } = unmet.clone();
        *self.0.entry((remedy, need, reason)).or_default() += 1;
    }

    /// A line for every reason, the commonest first: how many cases, and how to go on after
    /// "ignored".
    pub(super) fn in_full(&self) -> Vec<(usize, String)> {
        let line = |((remedy, _, reason), count): (&(String, String, String), &usize)| {
            (*count, format!(": {reason}; {remedy}"))
        };
        let mut lines: Vec<_> = self.0.iter().map(line).collect();
        lines.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
        lines
    }

    /// A line for every remedy, the most useful first: how many cases it would let run that those
    /// before it do not, and how to go on after "ignored". The last line stands for what is left.
    pub(super) fn in_few_lines(&self, more: &str) -> Vec<(usize, String)> {
        let mut ways = self.ways();
        let rest = if ways.len() > LINES { ways.split_off(LINES - 1) } else { Vec::new() };
        let mut lines: Vec<_> = ways.iter().map(|way| (way.cases, way.to_string())).collect();
        if !rest.is_empty() {
            let cases = rest.iter().map(|way| way.cases).sum();
            lines.push((cases, format!(" for {} other reasons; {more}", rest.len())));
        }
        lines
    }

    /// As few ways as choosing the most useful again and again finds, which all cases have one of.
    fn ways(&self) -> Vec<Way> {
        let mut left: Vec<_> = self.0.iter().collect();
        let mut ways = Vec::new();
        while !left.is_empty() {
            let mut useful: BTreeMap<&str, usize> = BTreeMap::new();
            for ((remedy, ..), count) in &left {
                for way in remedy.split(OR).collect::<BTreeSet<_>>() {
                    *useful.entry(way).or_default() += *count;
                }
            }
            // Of two that help alike, the earlier in the alphabet: the same each time.
            let best = useful.into_iter().rev().max_by_key(|&(_, cases)| cases);
            let Some((best, cases)) = best else { break };
            let helps = |((remedy, ..), _): &(&(String, String, String), &usize)| {
                remedy.split(OR).any(|way| way == best)
            };
            let (helped, others): (Vec<_>, _) = left.into_iter().partition(helps);
            // What all of them say, they say whole.
            let whole: BTreeSet<_> = helped.iter().map(|((remedy, ..), _)| remedy).collect();
            let remedy = if whole.len() == 1 { &helped[0].0.0 } else { best };
            ways.push(Way {
                cases,
                remedy: remedy.to_owned(),
                needs: helped.iter().map(|((_, need, _), _)| need.clone()).collect(),
                reasons: helped.iter().map(|((.., reason), _)| reason.clone()).collect(),
            });
            left = others;
        }
        ways
    }
}

impl std::fmt::Display for Way {
    /// The reason if it is one, else what is wanted in short.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMED: usize = 3;
        let Self { remedy, needs, reasons, .. } = self;
        if reasons.len() == 1 {
            return reasons.iter().try_for_each(|reason| write!(f, ": {reason}; {remedy}"));
        }
        let named: Vec<_> = needs.iter().take(NAMED).map(String::as_str).collect();
        let more = match needs.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        write!(f, " for want of {}{more}; {remedy}", named.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(unmet: &[(usize, &str, &str, &str)]) -> Wants {
        let mut wants = Wants::default();
        for &(count, need, reason, remedy) in unmet {
            let [need, reason, remedy] = [need, reason, remedy].map(str::to_owned);
            (0..count).for_each(|_| {
                let (need, reason, remedy) = (need.clone(), reason.clone(), remedy.clone());
                wants.add(&Unmet { need, reason, remedy });
            });
        }
        wants
    }

    fn few(wants: &Wants) -> Vec<String> {
        let lines = wants.in_few_lines("the rest");
        lines.into_iter().map(|(count, line)| format!("{count}{line}")).collect()
    }

    #[test]
    fn what_one_remedy_would_mend_is_one_line_the_most_useful_first() {
        let wants = wants(&[
            (5, "nft", "there is no program nft", "install nftables"),
            (8, "virtual-time", "it takes 2h00m00s of real time, and no QEMU", "scripts/setup"),
            (4, "virtual-time", "it takes 1m00s of real time, and no QEMU", "scripts/setup"),
            (9, "netem", "there is no sch_netem, and no QEMU", "load sch_netem; or scripts/setup"),
        ]);
        assert_eq!(
            few(&wants),
            [
                "21 for want of netem, virtual-time; scripts/setup",
                "5: there is no program nft; install nftables",
            ]
        );
        let full = wants.in_full();
        assert_eq!(full.len(), 4);
        assert_eq!(
            full[0].1,
            ": there is no sch_netem, and no QEMU; load sch_netem; or scripts/setup"
        );
        assert_eq!(full.iter().map(|(count, _)| *count).collect::<Vec<_>>(), [9, 8, 5, 4]);
    }

    #[test]
    fn a_single_reason_is_told_whole_with_all_its_ways_out() {
        let wants = wants(&[(1, "netem", "no netem", "load it; or scripts/setup")]);
        assert_eq!(few(&wants), ["1: no netem; load it; or scripts/setup"]);
        assert!(few(&Wants::default()).is_empty());
    }

    #[test]
    fn many_remedies_are_a_few_lines_in_which_every_case_counts() {
        let kernels: Vec<_> = (1..=9).map(|minor| format!("run kernel 7.{minor}")).collect();
        let unmet: Vec<_> = kernels.iter().map(|remedy| (2, "kernel", "old", &**remedy)).collect();
        let lines = few(&wants(&unmet));
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[0], "2: old; run kernel 7.1");
        assert_eq!(lines[LINES - 1], "12 for 6 other reasons; the rest");
    }
}
