//! Something of a host's own network set wrong: an address gone, a route that leads nowhere.
//!
//! Such a fault acts inside the host, where no tap looks. That it acted is not counted on the
//! wire but is the kernel's own word: what would change nothing is refused.

use super::{
    guard::Guard,
    hits::{Aim, Hits},
    taken::Takes,
};
use crate::{
    error::{Context, Result},
    lab::{Card, Host, Lab},
};

/// A host that is set wrong. Lift it, or drop it.
#[must_use = "a host is set right again when the guard is dropped"]
pub struct Alteration {
    guard: Guard,
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

    /// Sets the host right again.
    ///
    /// # Errors
    /// The host has died meanwhile, or the kernel refuses.
    pub async fn lift(mut self) -> Result {
        self.guard.lift().await
    }
}
