//! A host that finds no way: its route gone, or leading into a dead end.

use super::Alteration;
use crate::{
    error::Result,
    lab::{Card, Host, Ip, Lab},
    sys::{
        routes::{Connected, DeadEnd},
        rtnl::Rtnl,
    },
};

/// What becomes of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misroute {
    /// It is deleted, and there is no other: `ENETUNREACH`.
    Deleted,
    /// An `unreachable` route takes its place: `EHOSTUNREACH`.
    Unreachable,
    /// A `prohibit` route takes its place: `EACCES`.
    Prohibit,
    /// A `blackhole` route takes its place: `EINVAL`.
    Blackhole,
}

impl Misroute {
    fn dead_end(self) -> Option<DeadEnd> {
        match self {
            Self::Deleted => None,
            Self::Unreachable => Some(DeadEnd::Unreachable),
            Self::Prohibit => Some(DeadEnd::Prohibit),
            Self::Blackhole => Some(DeadEnd::Blackhole),
        }
    }
}

impl Lab {
    /// Breaks the route from one host to another, in the first one's own tables and for both
    /// families. Deleting it takes the way to all of its neighbours away.
    ///
    /// # Errors
    /// There is no such host, the first is dead, or it has lost the route already.
    pub async fn misroute(&self, from: &str, to: &str, how: Misroute) -> Result<Alteration> {
        let (host, far) = (self.host(from)?.clone(), self.host(to)?.clone());
        let text = match how {
            Misroute::Deleted => format!("route to {to} deleted"),
            other => format!("route to {to} is {other:?}").to_lowercase(),
        };
        let (here, there) = (host.clone(), far.clone());
        let act = async move |card: Card| mislead(card.own(), &here, &there, how).await;
        let again = host.clone();
        let undo = async move |card: Card| lead(card.own(), &again, &far, how).await;
        Alteration::begin(self, &host, &text, act, undo).await
    }
}

const FAMILIES: [Ip; 2] = [Ip::V4, Ip::V6];

fn connected(host: &Host, ip: Ip) -> Connected {
    Connected { index: host.interface(), address: host.ip(ip), prefix: ip.prefix() }
}

async fn mislead(rtnl: &Rtnl, host: &Host, far: &Host, how: Misroute) -> Result {
    for ip in FAMILIES {
        match how.dead_end() {
            Some(kind) => rtnl.add_dead_end(far.ip(ip), kind).await?,
            None => rtnl.delete_connected(connected(host, ip)).await?,
        }
    }
    Ok(())
}

async fn lead(rtnl: &Rtnl, host: &Host, far: &Host, how: Misroute) -> Result {
    for ip in FAMILIES {
        match how.dead_end() {
            Some(kind) => rtnl.delete_dead_end(far.ip(ip), kind).await?,
            None => rtnl.add_connected(connected(host, ip)).await?,
        }
    }
    Ok(())
}
