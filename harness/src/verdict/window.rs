//! A span of time in which something must happen.

use std::time::Duration;

use super::judged;
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
    /// What the kernel sets its timer for, where the window is one timer's.
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

    /// What a kernel timer set for `nominal` allows: never early; late by what the timer wheel
    /// rounds up, at most an eighth (`kernel/time/timer.c`, `LVL_CLK_SHIFT`), and by the time a
    /// busy machine needs to run it: `[t, 1.15 t + 0.3 s]`.
    ///
    /// One tick is taken off the lower bound: a timer is set in whole jiffies counted from the
    /// last tick, which may lie almost a tick before the call that sets it.
    pub fn timer(nominal: Duration, rule: impl Into<String>) -> Self {
        let from = nominal.saturating_sub(super::timers::JIFFY_AT_MOST);
        let to = nominal.mul_f64(1.15) + Duration::from_millis(300);
        Self { derived: Some(nominal), ..Self::new(from, to, rule) }
    }

    /// From the start of this window to the end of the later one.
    #[must_use]
    pub fn until(self, later: &Self) -> Self {
        Self::new(self.from, later.to, format!("{} to {}", self.rule, later.rule))
    }

    /// Says whether `elapsed`, a time that has just ended, lies inside. For one that ended before,
    /// there is [`Self::judge_between`].
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if it is too early or too late; [`ErrorKind::TooSlow`] if it is too late by
    /// no more than the machine was seen to stall meanwhile.
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
        let expected = self.to_string();
        let excused = self.to.saturating_add(stall);
        if elapsed > self.to && elapsed <= excused && stall > TOLERATED_STALL {
            return Err(Error::too_slow(format!(
                "{what} {elapsed:.3?}, expected {expected}, but the machine stalled for {stall:.3?}"
            )));
        }
        Err(Error::mismatch(what, expected, format!("{elapsed:.3?}")))
    }
}

/// A stall below this is ordinary scheduling and excuses nothing: windows allow for it already.
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
        let window = Window::timer(ms(1000), "one second");
        assert!(window.judge("x", ms(1000)).is_ok());
        assert!(window.judge("x", ms(1450)).is_ok());
        assert_eq!(kind(window.judge("x", ms(980))), ErrorKind::Mismatch);
        assert_eq!(kind(window.judge("x", ms(1451))), ErrorKind::Mismatch);
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
        let window = Window::timer(ms(1000), "one second");
        assert_eq!(kind(window.judge_on("x", ms(1900), ms(500))), ErrorKind::TooSlow);
        assert_eq!(kind(window.judge_on("x", ms(2000), ms(500))), ErrorKind::Mismatch);
        assert_eq!(kind(window.judge_on("x", ms(900), ms(500))), ErrorKind::Mismatch);
    }
}
