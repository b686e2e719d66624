//! Filters in the patch that let nothing through of what they fit.

use std::sync::{Arc, Mutex, MutexGuard};

use super::{guard::Guard, hits::Hits};
use crate::{
    error::Result,
    lab::Patch,
    sys::{
        rtnl::Rtnl,
        tc::{Action, Key},
    },
};

/// Swallows what enters the patch by one of these ports, by index, and fits the words beside it.
/// When this returns, nothing of it gets through any more.
///
/// # Errors
/// The kernel refuses a filter; those before it are gone again.
pub(super) async fn swallow(
    patch: &Patch,
    hits: Arc<Hits>,
    what: impl IntoIterator<Item = (u32, Vec<Key>)>,
) -> Result<Guard> {
    let filters = Arc::new(Mutex::new(Vec::new()));
    let added = filters.clone();
    let take_away = async move |rtnl: Rtnl| {
        let filters = std::mem::take(&mut *held(&added));
        for (port, priority) in filters {
            rtnl.delete_filter(port, priority).await?;
        }
        Ok(())
    };
    let rtnl = patch.rtnl();
    let mut guard = Guard::in_middle(rtnl, hits, take_away);
    for (port, words) in what {
        let priority = patch.priority();
        rtnl.add_filter(port, priority, &words, &Action::Swallow).await?;
        held(&filters).push((port, priority));
    }
    guard.on();
    Ok(guard)
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("no holder of this lock panics")
}
