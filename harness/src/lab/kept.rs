//! What is kept of a case's labs until it ends.

use std::sync::{Arc, Mutex, MutexGuard};

use super::{Host, Lab, LabBuilder};
use crate::{stage::Stage, wire::Wire};

/// The labs of one case and every host that was made for one, also where the lab was not finished.
/// Clones are the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Labs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stage: Stage,
    hosts: Mutex<Vec<Host>>,
    labs: Mutex<Vec<Lab>>,
}

impl Labs {
    pub(crate) fn new(stage: Stage) -> Self {
        Self(Arc::new(Inner { stage, hosts: Mutex::default(), labs: Mutex::default() }))
    }

    /// Begins another lab.
    pub(crate) fn build(&self) -> LabBuilder {
        LabBuilder::new(self)
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.0.stage
    }

    /// Every host there is.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        held(&self.0.hosts).clone()
    }

    /// The wire of every lab that was finished.
    pub(crate) fn wires(&self) -> Vec<Wire> {
        held(&self.0.labs).iter().map(|lab| lab.wire().clone()).collect()
    }

    pub(super) fn keep_host(&self, host: &Host) {
        held(&self.0.hosts).push(host.clone());
    }

    pub(super) fn keep(&self, lab: &Lab) {
        held(&self.0.labs).push(lab.clone());
    }

    /// Forgets a lab that has been taken down, and lets the keeper forget its hosts.
    pub(super) fn forget(&self, lab: &Lab) {
        held(&self.0.labs).retain(|kept| !kept.is(lab));
        held(&self.0.hosts).retain(|kept| !lab.hosts().iter().any(|host| host.is(kept)));
        for host in lab.hosts() {
            self.stage().keeper().forget_namespace(host.name());
        }
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("no holder of this lock panics")
}
