//! What the labs and faults of one case stand on: the journal of what happens, numbers that no two
//! of them share, and who keeps what must outlive the case.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU32, Ordering},
};

use crate::{
    error::Result,
    stamp::Stamp,
    sys::{netns::Netns, packet::Tap},
    wire::{Journal, Record},
};

/// Keeps what must not go with the process of a case, as that process hands it over. A keeper that
/// is gone is no error here: its absence is noticed elsewhere.
pub(crate) trait Keeper: Send + Sync {
    /// Keeps a host's namespace, to release it should the case die before it can itself.
    fn keep_namespace(&self, host: &str, netns: &Netns);

    /// Forgets the namespace of a host that is empty and done with.
    fn forget_namespace(&self, host: &str);

    /// Shares these taps, so that the last to close them is not the case.
    fn share_taps(&self, taps: &[&Tap]);
}

/// What the end of a case asks of every fault it used.
pub(crate) trait Inspect: Send + Sync {
    /// Whether the fault acted as its case meant it to.
    ///
    /// # Errors
    /// It did not.
    fn inspect(&self) -> Result;
}

/// The stage of one case. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Stage(Arc<Inner>);

struct Inner {
    journal: Journal,
    keeper: Arc<dyn Keeper>,
    prepared: Mutex<bool>,
    ports: AtomicU32,
    faults: Mutex<Vec<Arc<dyn Inspect>>>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stage")
    }
}

impl Stage {
    pub(crate) fn new(journal: Journal, keeper: Arc<dyn Keeper>) -> Self {
        Self(Arc::new(Inner {
            journal,
            keeper,
            prepared: Mutex::new(false),
            // Above any index a host's interface has, so that the two ends of a cable differ.
            ports: AtomicU32::new(1000),
            faults: Mutex::default(),
        }))
    }

    /// The journal of the case.
    pub(crate) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// Writes a line into the story, where the ladder will show it.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.0.journal.write(&Record::Note { at: Stamp::now(), text: text.into() });
    }

    /// Who keeps what must outlive the case.
    pub(crate) fn keeper(&self) -> &dyn Keeper {
        &*self.0.keeper
    }

    /// Runs `prepare` if it has not been run for this case yet.
    ///
    /// # Errors
    /// Those of `prepare`.
    pub(crate) fn once_prepared(&self, prepare: impl FnOnce() -> Result) -> Result {
        let mut prepared = held(&self.0.prepared);
        if !*prepared {
            prepare()?;
            *prepared = true;
        }
        Ok(())
    }

    /// An index for an interface in the middle that no other has.
    pub(crate) fn next_port(&self) -> u32 {
        self.0.ports.fetch_add(1, Ordering::Relaxed)
    }

    /// Keeps a fault, to be inspected when the case ends.
    pub(crate) fn keep_fault(&self, fault: Arc<dyn Inspect>) {
        held(&self.0.faults).push(fault);
    }

    /// Asks every fault whether it acted.
    ///
    /// # Errors
    /// The first that did not.
    pub(crate) fn inspect(&self) -> Result {
        let faults = held(&self.0.faults).clone();
        faults.iter().try_for_each(|fault| fault.inspect())
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("no holder of this lock panics")
}
