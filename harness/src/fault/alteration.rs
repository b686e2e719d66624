//! Something of a host's own network set wrong: an address gone, a route that leads nowhere.
//!
//! Such a fault acts inside the host, where no tap looks. That it acted is not counted on the
//! wire but is the kernel's own word: what would change nothing is refused.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{
    hits::{Aim, Hits},
    lift_aside_on,
};
use crate::{
    error::{Attempt, Result},
    lab::{Card, Host, Lab},
};

type Undo = Box<dyn FnOnce(Card) -> BoxFuture<'static, Result> + Send>;

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
        act: impl AsyncFnOnce(Card) -> Result,
        undo: impl FnOnce(Card) -> F + Send + 'static,
    ) -> Result<Self>
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let attempt = || format!("break the network of host {} ({text})", host.name());
        let card = host.card().attempt(attempt)?;
        let text = format!("{}: {text}", host.name());
        let hits = Hits::of(lab, &text, Aim { may_miss: true, ..Aim::default() });
        act(card).await.attempt(attempt)?;
        hits.on();
        Ok(Self { host: host.clone(), hits, undo: Some(Box::new(|card| Box::pin(undo(card)))) })
    }

    /// Sets the host right again.
    ///
    /// # Errors
    /// The host has died meanwhile, or the kernel refuses.
    pub async fn lift(mut self) -> Result {
        if let Some(undo) = self.undo.take() {
            let attempt = || format!("lift the fault ({})", self.hits.text());
            let card = self.host.card().attempt(attempt)?;
            undo(card).await.attempt(attempt)?;
            self.hits.off();
        }
        Ok(())
    }
}

impl Drop for Alteration {
    fn drop(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        // A dead host has nothing to be set right.
        if self.host.alive(|_| ()).is_err() {
            return;
        }
        lift_aside_on(&self.host, undo);
        self.hits.off();
    }
}
