//! How time passes for the harness: how long this machine has kept it waiting at worst, and how
//! often it looks at what it waits for.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::probe;

static WORST: AtomicU64 = AtomicU64::new(0);

/// Takes note of a delay that only a busy machine explains.
pub fn note(delay: Duration) {
    let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
    WORST.fetch_max(nanos, Ordering::Relaxed);
}

/// The longest delay noted in this process.
#[must_use]
pub fn worst() -> Duration {
    Duration::from_nanos(WORST.load(Ordering::Relaxed))
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
