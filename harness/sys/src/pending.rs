//! What this process waits for at the moment, for whoever must say why it has come to no end.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// By number: since when, and for what.
static WAITS: Mutex<BTreeMap<u64, (Instant, String)>> = Mutex::new(BTreeMap::new());

/// A wait that goes on; dropped, it is over.
#[derive(Debug)]
#[must_use = "the wait is over when this is dropped"]
pub struct Wait(u64);

/// Says that a wait begins, for `what`: a call, a segment.
pub fn wait(what: impl Into<String>) -> Wait {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    waits().insert(number, (Instant::now(), what.into()));
    Wait(number)
}

/// All waits that go on, each with how long so far, the oldest first.
#[must_use]
pub fn all() -> Vec<(String, Duration)> {
    waits().values().map(|(since, what)| (what.clone(), since.elapsed())).collect()
}

fn waits() -> MutexGuard<'static, BTreeMap<u64, (Instant, String)>> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Wait {
    fn drop(&mut self) {
        waits().remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_known_until_it_is_over() {
        let read = wait("b: read(5, 64)");
        let fin = wait("FIN from b");
        let what = || all().into_iter().map(|(what, _)| what).collect::<Vec<_>>();
        assert_eq!(what(), ["b: read(5, 64)", "FIN from b"]);
        drop(read);
        assert_eq!(what(), ["FIN from b"]);
        drop(fin);
        assert!(what().is_empty());
    }
}
