//! Who is where on the wire, as one namespace knows it: its ARP and neighbour discovery tables.

use std::net::IpAddr;

use futures::TryStreamExt;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};

use super::rtnl::{Rtnl, refusal};
use crate::error::Result;

/// How sure a kernel is of a neighbour's hardware address (`net/core/neighbour.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surety {
    /// For good, whatever anybody says.
    Permanent,
    /// It was so once: to be used, and to be asked about.
    Stale,
}

impl Rtnl {
    /// Tells the host where `address` is on the wire, in place of what it knew.
    ///
    /// # Errors
    /// The interface is not there.
    pub async fn set_neighbour(
        &self,
        index: u32,
        address: IpAddr,
        mac: [u8; 6],
        surety: Surety,
    ) -> Result {
        let state = match surety {
            Surety::Permanent => NeighbourState::Permanent,
            Surety::Stale => NeighbourState::Stale,
        };
        let request = self.handle.neighbours().add(index, address).replace();
        let set = request.state(state).link_layer_address(&mac).execute().await;
        set.map_err(|error| refusal(error, || format!("set neighbour {address}")))
    }

    /// Lets the host forget where `address` is.
    ///
    /// # Errors
    /// It does not know.
    pub async fn forget_neighbour(&self, index: u32, address: IpAddr) -> Result {
        let mut add = self.handle.neighbours().add(index, address);
        let message = add.message_mut().clone();
        let forgotten = self.handle.neighbours().del(message).execute().await;
        forgotten.map_err(|error| refusal(error, || format!("forget neighbour {address}")))
    }

    /// The hardware address this host would send `address` to, once it has learned one.
    ///
    /// # Errors
    /// The kernel refuses the list.
    pub async fn neighbour(&self, address: IpAddr) -> Result<Option<Vec<u8>>> {
        let entry = self.neighbour_entry(address).await?;
        let attributes = entry.into_iter().flat_map(|entry| entry.attributes);
        Ok(attributes.into_iter().find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(mac) => Some(mac),
            _ => None,
        }))
    }

    /// What state the host's entry for `address` is in, if it has one.
    ///
    /// # Errors
    /// The kernel refuses the list.
    pub async fn neighbour_state(&self, address: IpAddr) -> Result<Option<NeighbourState>> {
        Ok(self.neighbour_entry(address).await?.map(|entry| entry.header.state))
    }

    async fn neighbour_entry(&self, address: IpAddr) -> Result<Option<NeighbourMessage>> {
        let wanted = match address {
            IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
            IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
        };
        let wanted = NeighbourAttribute::Destination(wanted);
        let mut all = self.handle.neighbours().get().execute();
        let failed = |error| refusal(error, || "list neighbours".to_owned());
        let mut found = None;
        // To the end, so that nothing of the answer is left for the next who asks.
        while let Some(entry) = all.try_next().await.map_err(failed)? {
            if entry.attributes.contains(&wanted) {
                found = Some(entry);
            }
        }
        Ok(found)
    }
}
