//! An address taken from a host that stays up: what is sent to it finds nobody, and what was
//! connected from it has lost its name.

use super::Alteration;
use crate::{
    error::Result,
    lab::{Card, Ip, Lab},
};

impl Lab {
    /// Takes a host's address of this family away, and with it the route to its neighbours.
    ///
    /// # Errors
    /// There is no such host, it is dead, or it does not have the address any more.
    pub async fn remove_address(&self, host: &str, ip: Ip) -> Result<Alteration> {
        let host = self.host(host)?.clone();
        let (index, address, lab) = (host.interface(), host.ip(ip), self.clone());
        let act =
            async move |card: Card| card.own().delete_address(index, address, ip.prefix()).await;
        let undo = async move |card: Card| {
            card.reconfigure(&lab).await?;
            card.is_back_if_plugged_in().await
        };
        Alteration::begin(self, &host, &format!("without address {address}"), act, undo).await
    }
}
