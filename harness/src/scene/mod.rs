//! What a case is given: the means to build labs, and the book that is kept of them.

use std::{
    os::fd::AsFd,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    error::Result,
    fault::Inspect,
    lab::{Host, Lab, LabBuilder},
    runner::protocol::{FromCase, Link},
    stamp::Stamp,
    sys::{netns::Netns, packet::Tap, seqpacket},
    wire::{Journal, Record, TapInfo},
};

mod close_kind;
mod pair;
mod unacknowledged;

pub use close_kind::CloseKind;
pub use pair::{End, PORT, Pair, PairBuilder};
pub use unacknowledged::{InFlight, Unacknowledged};

/// The stage of one case. Clones are the same one.
#[derive(Clone)]
pub struct Scene(Arc<Inner>);

struct Inner {
    journal: Journal,
    control: Arc<Link>,
    prepared: Mutex<bool>,
    ports: AtomicU32,
    hosts: Mutex<Vec<Host>>,
    labs: Mutex<Vec<Lab>>,
    faults: Mutex<Vec<Arc<dyn Inspect>>>,
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scene")
    }
}

impl Scene {
    pub(crate) fn new(journal: Journal, control: Arc<Link>) -> Self {
        Self(Arc::new(Inner {
            journal,
            control,
            prepared: Mutex::new(false),
            // Above any index a host's interface has, so that the two ends of a cable differ.
            ports: AtomicU32::new(1000),
            hosts: Mutex::default(),
            labs: Mutex::default(),
            faults: Mutex::default(),
        }))
    }

    /// A lab of its own: two hosts `a` and `b` joined through a patch, unless said otherwise.
    pub fn lab(&self) -> LabBuilder {
        LabBuilder::new(self)
    }

    /// A lab with an established connection from a process on host `a` to one on host `b`.
    pub fn pair(&self) -> PairBuilder {
        PairBuilder::new(self)
    }

    /// Writes a line into the story, where the ladder will show it.
    pub fn note(&self, text: impl Into<String>) {
        self.0.journal.write(&Record::Note { at: Stamp::now(), text: text.into() });
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// Runs `prepare` if it has not been run for this scene yet.
    pub(crate) fn once_prepared(&self, prepare: impl FnOnce() -> Result) -> Result {
        let mut prepared = held(&self.0.prepared);
        if !*prepared {
            prepare()?;
            *prepared = true;
        }
        Ok(())
    }

    pub(crate) fn next_port(&self) -> u32 {
        self.0.ports.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes a host.
    pub(crate) fn keep_host(&self, host: &Host) {
        held(&self.0.hosts).push(host.clone());
    }

    /// Hands a host's namespace to the runner, who puts it to rest if this process dies before it
    /// can.
    pub(crate) fn keep_namespace(&self, host: &str, netns: &Netns) {
        let namespaces = FromCase::Namespace { host: host.to_owned() };
        // A runner that is gone has no use for it; its absence is noticed elsewhere.
        let _ = self.0.control.send(&namespaces, &[netns.as_fd()]);
    }

    /// Lets the runner forget a namespace that is empty and done with.
    pub(crate) fn forget_namespace(&self, host: &str) {
        let _ = self.0.control.send(&FromCase::NamespaceGone { host: host.to_owned() }, &[]);
    }

    pub(crate) fn keep_lab(&self, lab: &Lab) {
        held(&self.0.labs).push(lab.clone());
    }

    pub(crate) fn keep_fault(&self, fault: Arc<dyn Inspect>) {
        held(&self.0.faults).push(fault);
    }

    /// Lets the runner share these taps, so that the last to close them is not this process.
    pub(crate) fn share_taps(&self, taps: &[(TapInfo, Tap)]) {
        for some in taps.chunks(seqpacket::MAX_DESCRIPTORS) {
            let taps: Vec<_> = some.iter().map(|(_, tap)| tap.as_fd()).collect();
            let _ = self.0.control.send(&FromCase::Taps, &taps);
        }
    }

    /// Forgets a lab that has been taken down, and lets the runner forget its hosts.
    pub(crate) fn forget(&self, lab: &Lab) {
        held(&self.0.labs).retain(|kept| !kept.is(lab));
        held(&self.0.hosts).retain(|kept| !lab.hosts().iter().any(|host| host.is(kept)));
        for host in lab.hosts() {
            self.forget_namespace(host.name());
        }
    }

    pub(crate) fn hosts(&self) -> Vec<Host> {
        held(&self.0.hosts).clone()
    }

    /// Asks every fault whether it acted, and every wire whether it saw everything.
    pub(crate) async fn inspect(&self) -> Result {
        let labs = held(&self.0.labs).clone();
        for lab in labs {
            lab.wire().settle().await?;
        }
        let faults = held(&self.0.faults).clone();
        faults.iter().try_for_each(|fault| fault.inspect())
    }

    /// Ends the story: all that was on the wires by now is in it, and nothing that comes later,
    /// such as the resets of teardown.
    pub(crate) fn close_book(&self) {
        let labs = held(&self.0.labs).clone();
        for lab in labs {
            // A wire that has lost frames has said so where it mattered.
            let _ = futures::executor::block_on(lab.wire().settle());
        }
        self.note("the case ended");
        self.0.journal.close();
    }

    /// The sockets of every host, as text.
    pub(crate) fn states(&self) -> String {
        self.hosts().iter().map(Host::states).collect()
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("no holder of this lock panics")
}
