//! The way in: how many cases may be building their labs at once.
//!
//! A case that waits costs nothing, one that builds its lab wants a core for some milliseconds. Let
//! in all at once, a hundred of them would starve each other for a second just when the first
//! measure time; so they come in a few at a time, and as many as there are may wait inside.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A door of some width. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Door(Arc<(Mutex<usize>, Condvar)>);

/// Somebody in the doorway; dropped, they are through.
#[derive(Debug)]
pub(super) struct Passage(Door);

impl Door {
    /// Two for each core: one may sleep while another works.
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::of_width(2 * cores)
    }

    fn of_width(width: usize) -> Self {
        Self(Arc::new((Mutex::new(width), Condvar::new())))
    }

    /// Waits for room in the doorway.
    pub fn pass(&self) -> Passage {
        let (_, freed) = &*self.0;
        let room = freed.wait_while(self.room(), |room| *room == 0);
        *room.unwrap_or_else(PoisonError::into_inner) -= 1;
        Passage(self.clone())
    }

    fn room(&self) -> MutexGuard<'_, usize> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        *self.0.room() += 1;
        self.0.0.1.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_than_its_width_are_in_the_doorway() {
        let (door, inside, most) = (Door::of_width(3), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    let _passage = door.pass();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert!(most.into_inner() <= 3);
        assert_eq!(*door.room(), 3);
    }
}
