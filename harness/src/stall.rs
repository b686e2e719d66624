//! How long this machine has kept the harness waiting, at worst.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

static WORST: AtomicU64 = AtomicU64::new(0);

/// Takes note of a delay that only a busy machine explains.
pub(crate) fn note(delay: Duration) {
    let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
    WORST.fetch_max(nanos, Ordering::Relaxed);
}

/// The longest delay noted in this process.
#[must_use]
pub fn worst() -> Duration {
    Duration::from_nanos(WORST.load(Ordering::Relaxed))
}
