//! A fault in a host's own network settings: an address removed, a route that leads nowhere.
//!
//! It acts inside the host, where no tap looks, so its hits cannot be counted on the wire. That it
//! acted follows from the kernel's answer: a change that would change nothing is refused.

use super::{
    guard::Guard,
    hits::{Aim, Hits},
    taken::Takes,
};
use crate::{
    error::{Context, Result},
    lab::{Card, Host, Lab},
};

/// A host whose network settings are broken. Lift it, or drop it.
#[must_use = "the settings are restored when the guard is dropped"]
pub struct Alteration {
    guard: Guard,
}

impl Alteration {
    /// Lets `act` break the settings, and keeps `undo` for later.
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
        let context = || format!("break the network of host {} ({text})", host.name());
        let card = host.card().context(context)?;
        let text = format!("{}: {text}", host.name());
        let aim = Aim { may_miss: true, takes: Takes::Nothing, ..Aim::default() };
        let hits = Hits::of(lab, &text, aim);
        act(card).await.context(context)?;
        let mut guard = Guard::on_host(host, hits, undo);
        guard.on();
        Ok(Self { guard })
    }

    /// Restores the settings.
    ///
    /// # Errors
    /// The host has died meanwhile, or the kernel refuses.
    pub async fn lift(mut self) -> Result {
        self.guard.lift().await
    }
}
