//! A middle that forwards: a namespace of its own between hosts in different subnets.
//!
//! Unlike the patch it is a network stack that takes part: it decrements the time to live, answers
//! with ICMP in its own name, and, told to, tracks and translates connections. Its interfaces
//! are tapped as the patch's ports are.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{future::try_join_all, try_join};

use super::{Host, Ip, Port};
use crate::{
    error::{Error, Result},
    sys::{
        conntrack, counters, neighbours::Surety, netns::Netns, nft, packet::Tap, rtnl::Rtnl, sysctl,
    },
};

/// What makes a namespace a router. A real one limits how many errors it sends a second
/// (`net/ipv4/icmp.c`, `icmpv4_xrlim_allow`); this one answers every segment, so that what a
/// case sees is the rule and not the limit.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv6.conf.all.forwarding", "1"),
    ("net.ipv6.conf.default.forwarding", "1"),
    ("net.ipv4.icmp_ratelimit", "0"),
    ("net.ipv6.icmp.ratelimit", "0"),
    // It never tells a host of a shorter way.
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.default.send_redirects", "0"),
];

/// Its link-local address on every interface, where it has one.
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xfe);

/// The router of a lab. Clones name the same one.
#[derive(Debug, Clone)]
pub struct Router(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    netns: Netns,
    rtnl: Rtnl,
    ports: Vec<Port>,
    gates: Vec<Gate>,
    tracks: Arc<AtomicBool>,
}

/// The right to set how a router tracks connections; one fault at a time has it.
#[derive(Debug)]
pub(crate) struct Tracks(Arc<AtomicBool>);

impl Drop for Tracks {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The router's own addresses facing a host: where that host sends what is not for its subnet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    pub(super) v4: IpAddr,
    pub(super) v6: IpAddr,
    pub(super) mac: [u8; 6],
}

impl Gate {
    pub(super) fn ip(&self, ip: Ip) -> IpAddr {
        match ip {
            Ip::V4 => self.v4,
            Ip::V6 => self.v6,
        }
    }
}

impl Router {
    /// Where it stands in a story; no host may be called so.
    pub(super) const NAME: &str = "router";

    pub(super) fn new(netns: Netns, rtnl: Rtnl, ports: Vec<Port>, gates: Vec<Gate>) -> Self {
        Self(Arc::new(Inner { netns, rtnl, ports, gates, tracks: Arc::default() }))
    }

    /// Its interfaces, in the order of the hosts they face.
    #[must_use]
    pub fn ports(&self) -> &[Port] {
        &self.0.ports
    }

    /// The interface that faces this host.
    ///
    /// # Errors
    /// No such host is cabled to it.
    pub fn port(&self, host: &str) -> Result<&Port> {
        self.0.ports.iter().find(|port| port.host == host).ok_or_else(|| {
            let names: Vec<_> = self.0.ports.iter().map(|port| port.host.as_str()).collect();
            Error::usage(format!("no host {host} at the router; it has {}", names.join(", ")))
        })
    }

    /// Its own address facing this host.
    ///
    /// # Errors
    /// No such host is cabled to it.
    pub fn address(&self, host: &str, ip: Ip) -> Result<IpAddr> {
        self.gate(host).map(|gate| gate.ip(ip))
    }

    /// The hardware address of its interface that faces this host.
    ///
    /// # Errors
    /// No such host is cabled to it.
    pub fn mac(&self, host: &str) -> Result<[u8; 6]> {
        self.gate(host).map(|gate| gate.mac)
    }

    fn gate(&self, host: &str) -> Result<&Gate> {
        let port = self.port(host)?;
        let place = self.0.ports.iter().position(|it| it.index == port.index).unwrap_or(0);
        Ok(&self.0.gates[place])
    }

    /// Its routing side.
    #[must_use]
    pub fn rtnl(&self) -> &Rtnl {
        &self.0.rtnl
    }

    /// Its network namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.0.netns
    }

    /// Writes one of its sysctls.
    ///
    /// # Errors
    /// There is none of that name, or it refuses the value.
    pub fn set_sysctl(&self, name: &str, value: &str) -> Result {
        self.enter(|| sysctl::write(name, value))
    }

    /// Reads one of its sysctls.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn sysctl(&self, name: &str) -> Result<String> {
        self.enter(|| sysctl::read(name))
    }

    /// One of the counters its kernel keeps; see [`Host::counter`].
    ///
    /// # Errors
    /// There is none of that name.
    pub fn counter(&self, name: &str) -> Result<u64> {
        self.enter(|| counters::read(name))
    }

    /// Loads packet rules into it, in one transaction.
    pub(crate) fn load(&self, rules: &str) -> Result {
        self.enter(|| nft::load(rules))
    }

    /// Takes the right to set how it tracks connections.
    ///
    /// # Errors
    /// Another fault has it.
    pub(crate) fn claim_tracking(&self) -> Result<Tracks> {
        if self.0.tracks.swap(true, Ordering::Relaxed) {
            return Err(Error::usage(
                "the router tracks connections already, and has one set of settings: lift that first"
                    .to_owned(),
            ));
        }
        Ok(Tracks(self.0.tracks.clone()))
    }

    /// How many connections it tracks.
    ///
    /// # Errors
    /// The kernel has no connection tracking.
    pub fn tracked(&self) -> Result<usize> {
        self.enter(conntrack::count)
    }

    /// Makes it forget every connection it tracks.
    pub(crate) fn forget(&self) -> Result {
        self.enter(conntrack::flush)
    }

    pub(super) fn tap(&self, port: &Port) -> Result<Tap> {
        self.enter(|| Tap::open(port.index))
    }

    fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.0.netns.enter(work)?.map_err(|error| error.on_host(Self::NAME))
    }

    /// Brings its interfaces up and gives them addresses; `tell` says whether it knows its hosts
    /// on the wire for good.
    pub(super) async fn configure(&self, hosts: &[Host], tell: bool) -> Result {
        let rtnl = self.rtnl();
        let ports = || self.0.ports.iter().zip(&self.0.gates).zip(hosts);
        let up = ports().map(|((port, _), _)| rtnl.set_link(port.index, true));
        let addresses = ports().flat_map(|((port, gate), _)| {
            [
                rtnl.add_address(port.index, gate.v4, Ip::V4.prefix()),
                rtnl.add_address(port.index, gate.v6, Ip::V6.prefix()),
            ]
        });
        // It asks for a neighbour in the name of a link-local address, and of no other when it
        // asks on behalf of a packet it forwards (`net/ipv6/ndisc.c`, `ndisc_send_ns`).
        let asking = ports()
            .filter(|_| !tell)
            .map(|((port, _), _)| rtnl.add_address(port.index, LINK_LOCAL.into(), Ip::V6.prefix()));
        let neighbours = ports().filter(|_| tell).flat_map(|((port, _), host)| {
            let know =
                |ip| rtnl.set_neighbour(port.index, host.ip(ip), host.mac(), Surety::Permanent);
            [know(Ip::V4), know(Ip::V6)]
        });
        // One conversation is heard in order: nothing here waits for the answer before it.
        let done = try_join!(
            rtnl.set_link(1, true),
            try_join_all(up),
            try_join_all(addresses),
            try_join_all(asking),
            try_join_all(neighbours),
        );
        done.map(drop).map_err(|error: Error| error.on_host(Self::NAME))
    }
}
