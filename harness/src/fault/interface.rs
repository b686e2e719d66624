//! A host's own interface set down by its administrator: the kernel deletes the routes over it,
//! and its IPv6 address with them, so that nothing can be sent any more.

use super::Alteration;
use crate::{
    error::{Error, Result},
    lab::{Card, Lab},
};

impl Lab {
    /// Sets a host's own interface down, as `ip link set down` does. Lifted, it is up again with
    /// all the addresses and neighbours it was built with.
    ///
    /// # Errors
    /// There is no such host, it is dead, or its interface is down already or gone.
    pub async fn interface_down(&self, host: &str) -> Result<Alteration> {
        let host = self.host(host)?.clone();
        let (lab, name) = (self.clone(), host.name().to_owned());
        let act = async move |card: Card| {
            if !card.is_plugged_in().await? {
                return Err(Error::usage(format!(
                    "the interface of host {name} is down or without carrier already"
                )));
            }
            card.set_down().await
        };
        let undo = async move |card: Card| {
            card.reconfigure(&lab).await?;
            card.is_back().await
        };
        Alteration::begin(self, &host, "interface down", act, undo).await
    }
}
