//! A span of time in which something must happen.

use std::time::Duration;

use super::{judged, stalled};
use crate::error::{Error, Result};

/// An elapsed time that is neither too early nor too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// No earlier than this.
    pub from: Duration,
    /// No later than this.
    pub to: Duration,
    /// What the kernel sets its timers for, where the window is that of timers.
    pub derived: Option<Duration>,
    /// Where the bounds come from, for the reader of a failure.
    pub rule: String,
}

impl Window {
    /// From `from` to `to`, because of `rule`.
    pub fn new(from: Duration, to: Duration, rule: impl Into<String>) -> Self {
        Self { from, to, derived: None, rule: rule.into() }
    }

    /// From `from` on, where nothing bounds how late it may be.
    pub fn at_least(from: Duration, rule: impl Into<String>) -> Self {
        Self::new(from, Duration::MAX, rule)
    }

    /// From the start of this window to the end of the later one.
    #[must_use]
    pub fn until(self, later: &Self) -> Self {
        Self::new(self.from, later.to, format!("{} to {}", self.rule, later.rule))
    }

    /// No later than the end of this window, and as early as one likes.
    #[must_use]
    pub fn at_latest(self) -> Self {
        Self { from: Duration::ZERO, derived: None, ..self }
    }

    /// Says whether `elapsed` lies inside.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if it is too early or too late; [`Error::TooSlow`] if it is too late by
    /// no more than the machine was seen to stall while the case ran.
    pub fn judge(&self, what: &str, elapsed: Duration) -> Result {
        if let Some(derived) = self.derived {
            judged::note(what, derived, elapsed);
        }
        self.judge_on(what, elapsed, stalled::worst())
    }

    /// As [`Self::judge`], on a machine that has stalled for `stall` at worst.
    fn judge_on(&self, what: &str, elapsed: Duration, stall: Duration) -> Result {
        if elapsed >= self.from && elapsed <= self.to {
            return Ok(());
        }
        let error = Error::mismatch(what, self.to_string(), format!("{elapsed:.3?}"));
        match elapsed.checked_sub(self.to) {
            Some(late) => Err(stalled::excuse(error, stall, late.max(TOLERATED_STALL))),
            None => Err(error),
        }
    }
}

/// A stall up to this is ordinary scheduling and excuses no lateness: windows allow for it already.
const TOLERATED_STALL: Duration = Duration::from_millis(100);

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, to, rule, .. } = self;
        match *to {
            Duration::MAX => write!(f, "at least {from:.3?} ({rule})"),
            to => write!(f, "{from:.3?} to {to:.3?} ({rule})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_window_has_two_sides() {
        let window = Window::new(ms(990), ms(1450), "one second");
        for inside in [990, 1000, 1450] {
            assert!(window.judge("x", ms(inside)).is_ok(), "{inside}");
        }
        for outside in [989, 1451] {
            let judged = window.judge_on("x", ms(outside), Duration::ZERO);
            assert!(matches!(judged, Err(Error::Mismatch(_))), "{outside}");
        }
    }

    #[test]
    fn a_window_may_be_open_towards_the_end() {
        let window = Window::at_least(ms(1000), "one second");
        assert!(window.judge("x", Duration::MAX).is_ok());
        assert!(matches!(window.judge("x", ms(999)), Err(Error::Mismatch(_))));
        assert_eq!(window.to_string(), "at least 1.000s (one second)");
    }

    #[test]
    fn a_stalled_machine_excuses_lateness_but_not_haste() {
        let window = Window::new(ms(990), ms(1450), "one second");
        assert!(matches!(window.judge_on("x", ms(1900), ms(500)), Err(Error::TooSlow(_))));
        assert!(matches!(window.judge_on("x", ms(2000), ms(500)), Err(Error::Mismatch(_))));
        assert!(matches!(window.judge_on("x", ms(900), ms(500)), Err(Error::Mismatch(_))));
    }
}
