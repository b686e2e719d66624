//! What became of one case on one kernel, and what of that makes kernels differ.

use std::fmt::Write;

use serde::Serialize;

use crate::runner::events::{CaseOutcome, Counts, Finished};
use crate::runner::needs::Unmet;

/// What became of one case on one kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Cell {
    pub(super) verdict: &'static str,
    /// What there is to say about it: why it was ignored, or what was expected and what seen.
    pub(super) evidence: String,
    /// What it was ignored for want of.
    #[serde(skip)]
    pub(super) need: Option<String>,
    /// Whether it counts as a failure.
    #[serde(skip)]
    pub(super) fails: bool,
}

impl Cell {
    pub(super) fn finished(finished: &Finished) -> Self {
        let verdict = match finished.outcome {
            CaseOutcome::Passed => "ok",
            CaseOutcome::Failed(_) => "FAILED",
            CaseOutcome::TooSlow(_) => "too slow",
        };
        let mut evidence = finished.outcome.message().to_owned();
        let directory = finished.evidence.as_ref().and_then(|left| left.directory.as_ref());
        if let Some(directory) = directory {
            let _ = write!(evidence, "\nkept in {}", directory.display());
        }
        let fails = finished.counts == Counts::Failed;
        Self { verdict, evidence, need: None, fails }
    }

    pub(super) fn ignored(unmet: &Unmet) -> Self {
        let (evidence, need) = (unmet.reason.clone(), Some(unmet.need.clone()));
        Self { verdict: "ignored", evidence, need, fails: false }
    }

    /// What is compared: a pass is a pass, whatever was measured on the way; a failure is what
    /// was looked at, without the figures that follow.
    fn essence(&self) -> (&str, &str) {
        let first = self.evidence.lines().next().unwrap_or_default();
        (self.verdict, if self.verdict == "ignored" { "" } else { first })
    }

    /// Whether it was ignored for what this kernel is or has, not for what the machine lacks.
    fn of_kernel(&self) -> bool {
        let of = |need: &String| ["kernel", "sysctl"].iter().any(|kind| need.starts_with(kind));
        self.need.as_ref().is_some_and(of)
    }

    /// Whether it says anything about the kernel.
    fn counts(&self) -> bool {
        self.of_kernel() || !matches!(self.verdict, "ignored" | "too slow")
    }
}

/// Whether kernels differ in these: among those that had their say, not all say the same.
pub(super) fn differ(cells: &[Cell]) -> bool {
    let mut said = cells.iter().filter(|cell| cell.counts()).map(Cell::essence);
    said.next().is_some_and(|first| said.any(|other| other != first))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cli::matrix) fn cell(verdict: &'static str, evidence: &str) -> Cell {
        let fails = verdict == "FAILED";
        Cell { verdict, evidence: evidence.to_owned(), need: None, fails }
    }

    pub(in crate::cli::matrix) fn ignored(need: &str) -> Cell {
        let (need, reason) = (need.to_owned(), "no".to_owned());
        Cell::ignored(&Unmet { need, reason, remedy: String::new() })
    }

    #[test]
    fn kernels_differ_by_verdict_and_by_what_a_failure_looked_at() {
        let ok = || cell("ok", "");
        assert!(!differ(&[ok(), ok()]));
        assert!(differ(&[ok(), cell("FAILED", "b: read(5)\n    expected: EOF")]));
        let figures = [cell("FAILED", "elapsed\nseen: 1 s"), cell("FAILED", "elapsed\nseen: 2 s")];
        assert!(!differ(&figures));
        assert!(differ(&[cell("FAILED", "elapsed"), cell("FAILED", "b: read(5)")]));
    }

    #[test]
    fn what_a_machine_lacks_is_no_difference_between_kernels() {
        let ok = || cell("ok", "");
        for (need, differs) in [
            ("kernel 6.5", true),
            ("kernel before 6.5", true),
            ("sysctl net.ipv4.tcp_rto_max_ms", true),
            ("virtual-time", false),
            ("program nginx", false),
        ] {
            assert_eq!(differ(&[ok(), ignored(need)]), differs, "{need}");
            assert!(!differ(&[ignored(need), ignored(need)]), "{need}");
        }
        assert!(!differ(&[ok(), cell("too slow", "stalled for 2 s")]));
    }
}
