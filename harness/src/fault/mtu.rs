//! An interface that carries less than its neighbours believe: larger frames end there without
//! a word, smaller ones pass.

use super::Alteration;
use crate::{
    error::{Error, Result},
    lab::{Card, Lab},
};

impl Lab {
    /// Shrinks the MTU of a host's own interface to so many bytes. Below 1280 its IPv6 goes, too
    /// (RFC 8200 5), until this is lifted.
    ///
    /// # Errors
    /// There is no such host, it is dead, its interface is gone, or this is no shrinking.
    pub async fn shrink_mtu(&self, host: &str, bytes: u32) -> Result<Alteration> {
        /// What IPv4 needs (RFC 791), and the least a veth takes (`ETH_MIN_MTU`).
        const LEAST: u32 = 68;
        let host = self.host(host)?.clone();
        let whole = self.mtu();
        if !(LEAST..whole).contains(&bytes) {
            return Err(Error::usage(format!(
                "an MTU of {bytes} on host {} is no shrinking: it goes from {LEAST} to {}",
                host.name(),
                whole - 1
            )));
        }
        let lab = self.clone();
        let act = async move |card: Card| card.set_mtu(bytes).await;
        let undo = async move |card: Card| {
            card.set_mtu(whole).await?;
            card.reconfigure(&lab).await?;
            card.is_back_if_plugged_in().await
        };
        Alteration::begin(self, &host, &format!("MTU {bytes}"), act, undo).await
    }
}
