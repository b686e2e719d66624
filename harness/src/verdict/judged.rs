//! The times that a case has judged: what was derived, what was seen. They change no verdict;
//! whoever measures many runs of a case reads them ([`Finished`](crate::runner::events::Finished)).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::timers::{JIFFY_AT_MOST, LATEST};

/// At most this many are kept of one case, the first ones, so that they fit into its report.
pub(crate) const MOST: usize = 100;

/// At most this much is kept of what one is called, in bytes.
pub(crate) const LONGEST: usize = 120;

/// An elapsed time, beside the moment its timer was set for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// What it is the time of.
    pub what: String,
    /// What the kernel's formula says.
    pub derived: Duration,
    /// What it was.
    pub seen: Duration,
    /// For how long the machine stalled meanwhile, at worst.
    pub stall: Duration,
}

impl Judged {
    /// How much later than derived, as a fraction of it; negative where it was earlier. The tick
    /// that any time is rounded up to is not counted as late. `None` where zero was derived.
    #[must_use]
    pub fn late(&self) -> Option<f64> {
        let late = match self.seen.checked_sub(self.derived) {
            Some(late) => late.saturating_sub(JIFFY_AT_MOST).as_secs_f64(),
            None => -(self.derived - self.seen).as_secs_f64(),
        };
        (!self.derived.is_zero()).then(|| late / self.derived.as_secs_f64())
    }

    /// Whether this is what the timer wheel alone explains: at most an eighth late, and a tick in
    /// each direction. A [`Window::wheel`](super::Window::wheel) gives a busy machine its time as
    /// well.
    #[must_use]
    pub fn on_the_wheel(&self) -> bool {
        let earliest = self.derived.saturating_sub(JIFFY_AT_MOST);
        self.seen >= earliest && self.beyond_the_wheel().is_zero()
    }

    /// Whether it is later than the wheel explains, by no more than the machine had stalled.
    #[must_use]
    pub fn is_the_machines(&self) -> bool {
        let beyond = self.beyond_the_wheel();
        !beyond.is_zero() && beyond <= self.stall
    }

    fn beyond_the_wheel(&self) -> Duration {
        self.seen.saturating_sub(self.derived.mul_f64(LATEST) + JIFFY_AT_MOST)
    }
}

static BOOK: Mutex<Vec<Judged>> = Mutex::new(Vec::new());

/// Takes note of a time.
pub(crate) fn note(what: &str, derived: Duration, seen: Duration, stall: Duration) {
    let mut book = BOOK.lock().unwrap_or_else(PoisonError::into_inner);
    if book.len() < MOST {
        let longest = LONGEST.min(what.len());
        let end = (0..=longest).rev().find(|&end| what.is_char_boundary(end)).unwrap_or(0);
        book.push(Judged { what: what[..end].to_owned(), derived, seen, stall });
    }
}

/// All that was noted in this process.
pub(crate) fn book() -> Vec<Judged> {
    BOOK.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn judged(derived: u64, seen: u64) -> Judged {
        Judged { what: String::new(), derived: ms(derived), seen: ms(seen), stall: ms(20) }
    }

    #[test]
    fn lateness_is_a_fraction_of_what_was_derived() {
        assert_eq!(judged(1000, 1135).late(), Some(0.125));
        assert_eq!(judged(1000, 1010).late(), Some(0.0));
        assert_eq!(judged(1000, 750).late(), Some(-0.25));
        assert_eq!(judged(0, 1).late(), None);
    }

    #[test]
    fn the_wheel_is_late_by_an_eighth_at_most() {
        assert!(judged(1000, 990).on_the_wheel());
        assert!(judged(1000, 1135).on_the_wheel());
        assert!(!judged(1000, 989).on_the_wheel());
        assert!(!judged(1000, 1136).on_the_wheel());
    }

    #[test]
    fn a_stall_of_the_machine_explains_as_much_and_no_more() {
        assert!(!judged(1000, 1135).is_the_machines());
        assert!(judged(1000, 1136).is_the_machines());
        assert!(judged(1000, 1155).is_the_machines());
        assert!(!judged(1000, 1156).is_the_machines());
        assert!(!judged(1000, 900).is_the_machines());
    }
}
