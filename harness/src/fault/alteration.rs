//! Something of a host's own network set wrong: an address gone, a route that leads nowhere.
//!
//! Such a fault acts inside the host, where no tap looks. That it acted is not counted on the
//! wire but is the kernel's own word: what would change nothing is refused.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{
    hits::{Aim, Hits},
    lift_aside_in,
};
use crate::{
    error::{Attempt, Result},
    lab::{Host, Lab},
    sys::rtnl::Rtnl,
};

type Undo = Box<dyn FnOnce(Rtnl) -> BoxFuture<'static, Result> + Send>;

/// A host that is set wrong. Lift it, or drop it.
#[must_use = "a host is set right again when the guard is dropped"]
pub struct Alteration {
    host: Host,
    hits: Arc<Hits>,
    undo: Option<Undo>,
}

impl Alteration {
    /// Lets `act` set the host wrong, and keeps `undo` for later.
    pub(super) async fn begin<F>(
        lab: &Lab,
        host: &Host,
        text: &str,
        act: impl AsyncFnOnce(Rtnl) -> Result,
        undo: impl FnOnce(Rtnl) -> F + Send + 'static,
    ) -> Result<Self>
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let attempt = || format!("break the network of host {} ({text})", host.name());
        let rtnl = host.rtnl().attempt(attempt)?;
        let text = format!("{}: {text}", host.name());
        let hits = Hits::of(lab, &text, Aim { may_miss: true, ..Aim::default() });
        act(rtnl).await.attempt(attempt)?;
        hits.on();
        Ok(Self { host: host.clone(), hits, undo: Some(Box::new(|rtnl| Box::pin(undo(rtnl)))) })
    }

    /// Sets the host right again.
    ///
    /// # Errors
    /// The host has died meanwhile, or the kernel refuses.
    pub async fn lift(mut self) -> Result {
        if let Some(undo) = self.undo.take() {
            let attempt = || format!("lift the fault ({})", self.hits.text());
            let rtnl = self.host.rtnl().attempt(attempt)?;
            undo(rtnl).await.attempt(attempt)?;
            self.hits.off();
        }
        Ok(())
    }
}

/// Waits until a host that has its addresses again also takes them for its own; without carrier,
/// which some other fault may have taken, it cannot yet.
pub(super) async fn ready(rtnl: &Rtnl, host: &Host) -> Result {
    match rtnl.is_operational(host.interface()).await? {
        true => Lab::is_back(rtnl, host).await,
        false => Ok(()),
    }
}

impl Drop for Alteration {
    fn drop(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        // A dead host has nothing to be set right.
        let Ok(netns) = self.host.netns() else { return };
        lift_aside_in(Some(netns), undo);
        self.hits.off();
    }
}
