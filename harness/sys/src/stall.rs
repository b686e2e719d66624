//! How time passes for the harness: when this machine has kept it waiting, and how often it looks
//! at what it waits for.

use std::{
    collections::VecDeque,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{probe, stamp::Stamp};

/// A shorter delay is no stall: no verdict is that sharp.
const LEAST: Duration = Duration::from_millis(1);

/// So many are remembered, the latest: on a machine that stalls a hundred times a second, those of
/// a minute.
const MOST: usize = 6_000;

/// From when to when something was kept waiting that only a busy machine explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stall {
    from: Stamp,
    to: Stamp,
}

impl Stall {
    /// How much of it lies between two moments.
    fn within(self, from: Stamp, to: Stamp) -> Duration {
        self.to.min(to).since(self.from.max(from))
    }
}

static STALLS: Mutex<VecDeque<Stall>> = Mutex::new(VecDeque::new());

fn stalls() -> MutexGuard<'static, VecDeque<Stall>> {
    STALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes note of a delay that only a busy machine explains.
pub fn note(from: Stamp, to: Stamp) {
    if to.since(from) < LEAST {
        return;
    }
    let mut stalls = stalls();
    if stalls.len() == MOST {
        stalls.pop_front();
    }
    stalls.push_back(Stall { from, to });
}

/// Takes note of such a delay that ends now.
pub fn late_by(delay: Duration) {
    let now = Stamp::now();
    note(now.before(delay), now);
}

/// The longest delay between these moments that was noted in this process; of one that began
/// before or ended after, the part between.
#[must_use]
pub fn within(from: Stamp, to: Stamp) -> Duration {
    stalls().iter().map(|stall| stall.within(from, to)).max().unwrap_or_default()
}

/// How much of the time between these moments was lost to noted delays.
#[must_use]
pub fn sum_within(from: Stamp, to: Stamp) -> Duration {
    let mut parts: Vec<_> = stalls().iter().copied().collect();
    parts.sort_by_key(|stall| stall.from);
    let (mut sum, mut at) = (Duration::ZERO, from);
    for stall in parts {
        // What two threads lost at the same time is lost once.
        sum += stall.within(at, to);
        at = at.max(stall.to);
    }
    sum
}

/// Whether the clock here jumps over idle time. A wait costs nothing there, however long it is, but
/// every look on the way costs what it costs anywhere: two hours at one look a millisecond are
/// seven million looks.
#[must_use]
pub fn clock_jumps() -> bool {
    static JUMPS: LazyLock<bool> = LazyLock::new(|| probe::virtual_time().is_ok());
    *JUMPS
}

/// How long to wait for the next look, when `waited` has been waited so far: `usual`, but in
/// virtual time no less than a part of that which no window notices.
#[must_use]
pub fn pace(usual: Duration, waited: Duration) -> Duration {
    match clock_jumps() {
        true => rarer(usual, waited),
        false => usual,
    }
}

fn rarer(usual: Duration, waited: Duration) -> Duration {
    usual.max(waited / 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Stamp {
        Stamp(millis * 1_000_000)
    }

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn only_the_part_of_a_stall_inside_the_interval_counts() {
        // Years before any other test of this process.
        note(at(1_000), at(1_400));
        note(at(1_300), at(1_500));
        note(at(3_000), at(3_100));
        assert_eq!(within(at(0), at(5_000)), ms(400));
        assert_eq!(within(at(1_350), at(5_000)), ms(150));
        assert_eq!(within(at(0), at(1_100)), ms(100));
        assert_eq!(within(at(1_500), at(2_900)), Duration::ZERO);
        assert_eq!(sum_within(at(0), at(5_000)), ms(600));
        assert_eq!(sum_within(at(1_450), at(3_050)), ms(100));
    }

    #[test]
    fn looks_become_rarer_as_fast_as_they_may_become_late() {
        let usual = Duration::from_millis(1);
        let (mut waited, mut looks) = (Duration::ZERO, 0);
        while waited < Duration::from_secs(7_200) {
            let pause = rarer(usual, waited);
            assert!(pause == usual || pause <= waited.mul_f64(0.004), "{pause:?} at {waited:?}");
            waited += pause;
            looks += 1;
        }
        assert!(looks < 3_000, "{looks} looks in two hours");
    }
}
