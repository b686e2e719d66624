//! The routes of one namespace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::{
    RouteMessageBuilder,
    packet_route::route::{RouteMessage, RouteProtocol, RouteScope, RouteType},
};

use super::rtnl::{Rtnl, refusal};
use crate::error::{Context, Result};

/// A route that leads nowhere, and what a sender is told (`ip-route(8)`;
/// `net/ipv4/fib_semantics.c`, `fib_props`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadEnd {
    /// `EHOSTUNREACH`.
    Unreachable,
    /// `EACCES`.
    Prohibit,
    /// `EINVAL`.
    Blackhole,
}

/// The route that comes with an address: to everybody of the same prefix, over its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connected {
    /// The interface.
    pub index: u32,
    /// The host's own address.
    pub address: IpAddr,
    /// Bits of it that all have in common.
    pub prefix: u8,
}

impl Rtnl {
    /// Adds a route to one address that leads nowhere; it comes before the one to its network.
    ///
    /// # Errors
    /// There is one already.
    pub async fn add_dead_end(&self, to: IpAddr, kind: DeadEnd) -> Result {
        let added = self.handle.route().add(dead_end(to, kind)?).execute().await;
        added.map_err(|error| refusal(error, || format!("add a dead end to {to}")))
    }

    /// Takes that route away.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_dead_end(&self, to: IpAddr, kind: DeadEnd) -> Result {
        let deleted = self.handle.route().del(dead_end(to, kind)?).execute().await;
        deleted.map_err(|error| refusal(error, || format!("delete the dead end to {to}")))
    }

    /// Sends everything that no other route takes to `gateway`, over the interface `index`.
    ///
    /// # Errors
    /// There is such a route already, or the gateway is on none of its networks.
    pub async fn add_default_route(&self, index: u32, gateway: IpAddr) -> Result {
        let context = || format!("add the default route over {gateway}");
        let route = RouteMessageBuilder::<IpAddr>::new().output_interface(index);
        let route = match gateway {
            IpAddr::V4(_) => route.destination_prefix(Ipv4Addr::UNSPECIFIED.into(), 0),
            IpAddr::V6(_) => route.destination_prefix(Ipv6Addr::UNSPECIFIED.into(), 0),
        };
        let route = route.and_then(|route| route.gateway(gateway)).context(context)?;
        let added = self.handle.route().add(route.build()).execute().await;
        added.map_err(|error| refusal(error, context))
    }

    /// Takes the route away that came with an address; the address stays.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_connected(&self, route: Connected) -> Result {
        let deleted = self.handle.route().del(connected(route)?).execute().await;
        deleted.map_err(|error| refusal(error, || format!("delete the route to {}", net(route))))
    }

    /// Brings it back.
    ///
    /// # Errors
    /// There is one, or the interface is down.
    pub async fn add_connected(&self, route: Connected) -> Result {
        let added = self.handle.route().add(connected(route)?).execute().await;
        added.map_err(|error| refusal(error, || format!("add the route to {}", net(route))))
    }
}

fn dead_end(to: IpAddr, kind: DeadEnd) -> Result<RouteMessage> {
    let kind = match kind {
        DeadEnd::Unreachable => RouteType::Unreachable,
        DeadEnd::Prohibit => RouteType::Prohibit,
        DeadEnd::Blackhole => RouteType::BlackHole,
    };
    let whole = if to.is_ipv4() { 32 } else { 128 };
    let route = RouteMessageBuilder::<IpAddr>::new().destination_prefix(to, whole);
    Ok(route.context(|| format!("describe a route to {to}"))?.kind(kind).build())
}

/// As the kernel itself adds it (`net/ipv4/fib_frontend.c`, `fib_add_ifaddr`;
/// `net/ipv6/addrconf.c`, `addrconf_prefix_route`).
fn connected(route: Connected) -> Result<RouteMessage> {
    const IPV6_METRIC: u32 = 256;
    let Connected { index, address, prefix } = route;
    let network = network(address, prefix);
    let describe = || format!("describe the route to {}", net(route));
    let builder = RouteMessageBuilder::<IpAddr>::new().destination_prefix(network, prefix);
    let builder =
        builder.context(describe)?.output_interface(index).protocol(RouteProtocol::Kernel);
    Ok(match address {
        IpAddr::V4(_) => {
            builder.scope(RouteScope::Link).pref_source(address).context(describe)?.build()
        }
        IpAddr::V6(_) => builder.priority(IPV6_METRIC).build(),
    })
}

fn network(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

fn net(route: Connected) -> String {
    format!("{}/{}", network(route.address, route.prefix), route.prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_of_an_address() {
        let net = |address: &str, prefix| network(address.parse().unwrap(), prefix).to_string();
        assert_eq!(net("10.0.0.7", 24), "10.0.0.0");
        assert_eq!(net("10.0.0.7", 0), "0.0.0.0");
        assert_eq!(net("10.0.0.7", 32), "10.0.0.7");
        assert_eq!(net("fd00::7", 64), "fd00::");
        assert_eq!(net("fd00::7", 0), "::");
    }
}
