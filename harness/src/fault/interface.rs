//! A host's own interface set down by its administrator: the kernel takes the routes over it
//! away, and the address of IPv6 with them; who sends finds no way out.

use super::Alteration;
use crate::{
    error::{Error, Result},
    lab::Lab,
    sys::rtnl::Rtnl,
};

impl Lab {
    /// Sets a host's own interface down, as `ip link set down` does. Lifted, it is up again with
    /// all the addresses and neighbours it was built with.
    ///
    /// # Errors
    /// There is no such host, it is dead, or its interface is down already or gone.
    pub async fn interface_down(&self, host: &str) -> Result<Alteration> {
        let host = self.host(host)?.clone();
        let index = host.interface();
        let (lab, again, name) = (self.clone(), host.clone(), host.name().to_owned());
        let act = async move |rtnl: Rtnl| {
            if !rtnl.is_operational(index).await? {
                return Err(Error::Usage(format!(
                    "the interface of host {name} is down or without carrier already"
                )));
            }
            rtnl.set_link(index, false).await
        };
        let undo = async move |rtnl: Rtnl| {
            lab.refurnish(&rtnl, &again).await?;
            Self::is_back(&rtnl, &again).await
        };
        Alteration::begin(self, &host, "interface down", act, undo).await
    }
}
