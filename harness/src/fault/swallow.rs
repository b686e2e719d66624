//! Filters in the patch that let nothing through of what they fit.

use std::sync::{Arc, Mutex, MutexGuard};

use futures::future::join_all;

use super::{
    guard::Guard,
    hits::{Aim, Hits},
    taken::Place,
};
use crate::{
    error::Result,
    lab::{Lab, Patch, Port},
    sys::{
        rtnl::Rtnl,
        tc::{Action, Key},
    },
};

/// Swallows what enters the patch by one of these ports and fits some of the words beside it.
/// When this returns, nothing of it gets through any more.
///
/// # Errors
/// The kernel refuses a filter; the others are gone again.
pub(super) async fn swallow(
    lab: &Lab,
    patch: &Patch,
    text: &str,
    aim: Aim,
    what: &[(Port, Vec<Vec<Key>>)],
) -> Result<Guard> {
    let priority = patch.priority();
    let hits = Hits::of(lab, text, Aim { place: Place::Filter(priority), ..aim });
    let filters = Arc::new(Filters::of(priority));
    let added = filters.clone();
    let take_away = async move |rtnl: Rtnl| added.delete(&rtnl).await;
    let mut guard = Guard::in_middle(patch.rtnl(), hits, take_away);
    for (port, words) in what {
        filters.add(patch.rtnl(), port.index, words).await?;
    }
    guard.on();
    Ok(guard)
}

/// The filters of one fault: on each port they have the same priority, and go together.
#[derive(Debug)]
pub(super) struct Filters {
    priority: u16,
    ports: Mutex<Vec<u32>>,
}

impl Filters {
    pub(super) fn of(priority: u16) -> Self {
        Self { priority, ports: Mutex::default() }
    }

    /// Swallows what enters by this port, given by its index, and fits some of these words.
    pub(super) async fn add(&self, rtnl: &Rtnl, port: u32, words: &[Vec<Key>]) -> Result {
        let each = words.iter().map(|words| async move {
            rtnl.add_filter(port, self.priority, words, &Action::Swallow).await
        });
        // One conversation is heard in order, so none needs to wait for the answer to another; and
        // all are waited for, so that what is there is known.
        let added = join_all(each).await;
        if added.iter().any(Result::is_ok) {
            self.ports().push(port);
        }
        added.into_iter().collect()
    }

    /// Takes them away from all ports.
    pub(super) async fn delete(&self, rtnl: &Rtnl) -> Result {
        let ports = std::mem::take(&mut *self.ports());
        for port in ports {
            rtnl.delete_filter(port, self.priority).await?;
        }
        Ok(())
    }

    fn ports(&self) -> MutexGuard<'_, Vec<u32>> {
        self.ports.lock().expect("no holder of this lock panics")
    }
}
