//! A host whose neighbour entry for another host is wrong, or so old that it has to ask again.

use super::Alteration;
use crate::{
    error::Result,
    lab::{Card, Host, Ip, Lab, Neighbours},
    sys::neighbours::Surety,
};

/// A hardware address that nobody in any lab has.
const NOBODY: [u8; 6] = [2, 0, 0, 0, 0xff, 0xff];

impl Lab {
    /// Makes one host send everything that is for another to a hardware address that nobody has.
    ///
    /// # Errors
    /// There is no such host, the first is dead, or its interface is gone.
    pub async fn misdirect(&self, from: &str, to: &str) -> Result<Alteration> {
        let text = format!("wrong neighbour entry for {to}");
        self.mistake(from, to, NOBODY, Surety::Permanent, &text).await
    }

    /// Makes one host's neighbour entry for another stale: it goes on sending there, and asks after
    /// a while.
    ///
    /// # Errors
    /// There is no such host, the first is dead, or its interface is gone.
    pub async fn doubt(&self, from: &str, to: &str) -> Result<Alteration> {
        let mac = self.host(to)?.mac();
        self.mistake(from, to, mac, Surety::Stale, &format!("stale neighbour entry for {to}")).await
    }

    async fn mistake(
        &self,
        from: &str,
        to: &str,
        mac: [u8; 6],
        surety: Surety,
        text: &str,
    ) -> Result<Alteration> {
        let (host, far) = (self.host(from)?.clone(), self.host(to)?.clone());
        let index = host.interface();
        let both = |far: &Host| [Ip::V4, Ip::V6].map(|ip| far.ip(ip));
        let addresses = both(&far);
        let act = async move |card: Card| {
            for address in addresses {
                card.own().set_neighbour(index, address, mac, surety).await?;
            }
            Ok(())
        };
        let neighbours = self.neighbours();
        let undo = async move |card: Card| {
            let rtnl = card.own();
            for address in both(&far) {
                match neighbours {
                    Neighbours::Permanent => {
                        rtnl.set_neighbour(index, address, far.mac(), Surety::Permanent).await?;
                    }
                    Neighbours::Learned => rtnl.forget_neighbour(index, address).await?,
                }
            }
            Ok(())
        };
        Alteration::begin(self, &host, text, act, undo).await
    }
}
