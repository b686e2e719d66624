//! An address taken from a host that stays up: what is sent to it finds nobody, and what was
//! connected from it has lost its name.

use super::alteration::{Alteration, ready};
use crate::{
    error::Result,
    lab::{Ip, Lab},
    sys::rtnl::Rtnl,
};

impl Lab {
    /// Takes a host's address of this family away, and with it the route to its neighbours.
    ///
    /// # Errors
    /// There is no such host, it is dead, or it does not have the address any more.
    pub async fn remove_address(&self, host: &str, ip: Ip) -> Result<Alteration> {
        let host = self.host(host)?.clone();
        let (index, address) = (host.interface(), host.ip(ip));
        let (lab, again) = (self.clone(), host.clone());
        let act = async move |rtnl: Rtnl| rtnl.delete_address(index, address, ip.prefix()).await;
        let undo = async move |rtnl: Rtnl| {
            lab.refurnish(&rtnl, &again).await?;
            ready(&rtnl, &again).await
        };
        Alteration::begin(self, &host, &format!("without address {address}"), act, undo).await
    }
}
