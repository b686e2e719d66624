//! What a case counts as that could not run, or not be judged. It is decided here and nowhere else.

use std::time::Duration;

use super::events::{CaseOutcome, Counts, Finished, Place};
use super::needs::Unmet;

/// Says that a case which cannot run, or not be judged, counts as failed: for a CI that must not
/// go green by running less.
const DENY: &str = "LASTACK_DENY_SKIPS";

/// Names the needs (`netem,guest`) that a CI knows its machines cannot meet: cases without them
/// are ignored all the same.
const ALLOW: &str = "LASTACK_ALLOW_SKIPS";

/// What counts as what, for a whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    denied: bool,
    allowed: Vec<String>,
}

impl Policy {
    /// What the environment asks for (`LASTACK_DENY_SKIPS`, `LASTACK_ALLOW_SKIPS`). Call it once,
    /// when the program starts.
    #[must_use]
    pub fn asked() -> Self {
        let denied = std::env::var_os(DENY).is_some_and(|value| !value.is_empty() && value != "0");
        Self::of(denied, &std::env::var(ALLOW).unwrap_or_default())
    }

    fn of(denied: bool, allowed: &str) -> Self {
        let names = allowed.split(',').map(str::trim).filter(|name| !name.is_empty());
        Self { denied, allowed: names.map(str::to_owned).collect() }
    }

    /// Whether a case that could not be judged counts as failed.
    #[must_use]
    pub fn denies_skips(&self) -> bool {
        self.denied
    }

    /// Whether a case for want of this counts as failed.
    #[must_use]
    pub fn denies(&self, unmet: &Unmet) -> bool {
        self.denied && !self.allowed.contains(&unmet.need)
    }

    /// What a case counts as that came out so.
    #[must_use]
    pub fn counts(&self, outcome: &CaseOutcome) -> Counts {
        match outcome {
            CaseOutcome::Passed => Counts::Passed,
            CaseOutcome::TooSlow(_) if !self.denied => Counts::Ignored,
            CaseOutcome::TooSlow(_) | CaseOutcome::Failed(_) => Counts::Failed,
        }
    }
}

impl Finished {
    /// A case that came out so without having left anything, before the run's policy is asked.
    #[must_use]
    pub fn bare(outcome: CaseOutcome, place: Place, elapsed: Duration) -> Self {
        let counts = Policy::default().counts(&outcome);
        Self { outcome, counts, place, elapsed, rss_kib: 0, judged: Vec::new(), evidence: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(need: &str) -> Unmet {
        Unmet { need: need.to_owned(), reason: String::new(), remedy: String::new() }
    }

    #[test]
    fn denied_skips_fail_but_for_those_allowed_by_name() {
        let lax = Policy::default();
        assert!(!lax.denies(&without("nft")));
        let strict = Policy::of(true, " netem, guest,");
        assert!(strict.denies(&without("nft")));
        assert!(!strict.denies(&without("netem")) && !strict.denies(&without("guest")));
    }

    #[test]
    fn what_could_not_be_judged_is_ignored_or_failed_and_never_passed() {
        let slow = CaseOutcome::TooSlow("it stalled".into());
        assert_eq!(Policy::default().counts(&slow), Counts::Ignored);
        assert_eq!(Policy::of(true, "").counts(&slow), Counts::Failed);
        assert_eq!(Policy::of(true, "").counts(&CaseOutcome::Passed), Counts::Passed);
    }
}
