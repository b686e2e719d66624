//! A span of time in which something must happen.

use std::time::Duration;

use super::{judged, stalled};
use crate::{
    error::{Error, Result},
    stall,
    stamp::Stamp,
};

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

    /// Says whether `elapsed`, a time that has just ended, lies inside. For one that ended before,
    /// there is [`Self::judge_between`].
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind) if it is too early or too late;
    /// [`ErrorKind::TooSlow`](crate::ErrorKind) if it is too late by no more than the machine was
    /// seen to stall meanwhile.
    pub fn judge(&self, what: &str, elapsed: Duration) -> Result {
        let now = Stamp::now();
        self.judge_during(what, elapsed, now.before(elapsed), now)
    }

    /// Says whether the time between two moments lies inside.
    ///
    /// # Errors
    /// As [`Self::judge`].
    pub fn judge_between(&self, what: &str, from: Stamp, to: Stamp) -> Result {
        self.judge_during(what, to.since(from), from, to)
    }

    /// As [`Self::judge`], of a time measured otherwise between these moments: only what the
    /// machine stalled between them counts.
    pub(crate) fn judge_during(
        &self,
        what: &str,
        elapsed: Duration,
        from: Stamp,
        to: Stamp,
    ) -> Result {
        let stall = stall::within(from, to);
        if let Some(derived) = self.derived {
            judged::note(what, derived, elapsed, stall);
        }
        self.judge_on(what, elapsed, stall)
    }

    /// As [`Self::judge`], on a machine that stalled for `stall` at worst meanwhile.
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
    use crate::ErrorKind;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn kind(judged: Result) -> ErrorKind {
        judged.unwrap_err().kind()
    }

    #[test]
    fn a_window_has_two_sides() {
        let window = Window::new(ms(990), ms(1450), "one second");
        for inside in [990, 1000, 1450] {
            assert!(window.judge("x", ms(inside)).is_ok(), "{inside}");
        }
        for outside in [989, 1451] {
            let judged = window.judge_on("x", ms(outside), Duration::ZERO);
            assert_eq!(kind(judged), ErrorKind::Mismatch, "{outside}");
        }
    }

    #[test]
    fn a_window_may_be_open_towards_the_end() {
        let window = Window::at_least(ms(1000), "one second");
        assert!(window.judge("x", Duration::MAX).is_ok());
        assert_eq!(kind(window.judge("x", ms(999))), ErrorKind::Mismatch);
        assert_eq!(window.to_string(), "at least 1.000s (one second)");
    }

    #[test]
    fn a_stall_before_the_interval_excuses_nothing() {
        // Years before any other test of this process.
        let at = |millis: i64| Stamp(3_600_000_000_000 + millis * 1_000_000);
        stall::note(at(0), at(900));
        let window = Window::new(ms(900), ms(1_000), "about a second");
        assert_eq!(kind(window.judge_between("x", at(1_000), at(2_500))), ErrorKind::Mismatch);
        assert_eq!(kind(window.judge_between("x", at(100), at(1_600))), ErrorKind::TooSlow);
        assert_eq!(kind(window.judge_between("x", at(500), at(2_000))), ErrorKind::Mismatch);
    }

    #[test]
    fn a_stalled_machine_excuses_lateness_but_not_haste() {
        let window = Window::new(ms(990), ms(1450), "one second");
        assert_eq!(kind(window.judge_on("x", ms(1900), ms(500))), ErrorKind::TooSlow);
        assert_eq!(kind(window.judge_on("x", ms(2000), ms(500))), ErrorKind::Mismatch);
        assert_eq!(kind(window.judge_on("x", ms(900), ms(500))), ErrorKind::Mismatch);
    }
}
