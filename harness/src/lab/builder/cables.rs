//! What joins the hosts, and the taps on it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::AsRawFd,
};

use futures::future::try_join_all;

use super::{INTERFACE, LabBuilder, Middle};
use crate::{
    error::Result,
    lab::{Host, Ip, Patch, Port, Router, router::Gate},
    sys::{
        netns::Netns,
        packet::Tap,
        rtnl::{LinkEnd, Rtnl},
    },
    wire::{TapInfo, Wire},
};

impl LabBuilder {
    /// Cables the hosts to each other, to the patch, or to the router.
    pub(super) async fn run_cables(
        &self,
        patch: &Rtnl,
        router: Option<&Netns>,
        hosts: &[Host],
    ) -> Result<Vec<Port>> {
        let homes = hosts.iter().map(Host::shell).collect::<Result<Vec<_>>>()?;
        let end = |n: usize| LinkEnd {
            netns: Some(homes[n].as_raw_fd()),
            name: INTERFACE,
            index: hosts[n].shell_interface(),
            mac: hosts[n].mac(),
        };
        if self.middle == Middle::Cable {
            patch.cable(end(0), end(1), self.mtu).await?;
            return Ok(Vec::new());
        }
        let (end, stage) = (&end, self.labs.stage());
        let cables = hosts.iter().enumerate().map(|(n, host)| async move {
            let index = stage.next_port();
            let name = format!("port{index}");
            let netns = router.map(AsRawFd::as_raw_fd);
            let near = LinkEnd { netns, name: &name, index, mac: port_mac(host) };
            patch.cable(near, end(n), self.mtu).await?;
            Ok(Port { host: host.name().to_owned(), name, index, mac: host.mac() })
        });
        try_join_all(cables).await
    }

    pub(super) fn observe(
        &self,
        patch: Option<&Patch>,
        router: Option<&Router>,
        hosts: &[Host],
    ) -> Result<Wire> {
        let info = |host: &str, name: &str, near| TapInfo {
            host: host.to_owned(),
            name: name.to_owned(),
            near,
        };
        let facing = |port: &Port| info(&port.host, &format!("to-{}", port.host), false);
        let taps = match (patch, router) {
            (Some(patch), _) => patch
                .ports()
                .iter()
                .map(|port| Ok((facing(port), Tap::open(port.index)?)))
                .collect::<Result<Vec<_>>>()?,
            (None, Some(router)) => router
                .ports()
                .iter()
                .map(|port| Ok((facing(port), router.tap(port)?)))
                .collect::<Result<Vec<_>>>()?,
            (None, None) => hosts
                .iter()
                .map(|host| {
                    let tap = host.shell()?.enter(|| Tap::open(host.shell_interface()))??;
                    Ok((info(host.name(), "eth0", true), tap))
                })
                .collect::<Result<Vec<_>>>()?,
        };
        let stage = self.labs.stage();
        stage.keeper().share_taps(&taps.iter().map(|(_, tap)| tap).collect::<Vec<_>>());
        Wire::observe(taps, stage.journal().clone())
    }
}

/// The hardware address of the middle's end of a host's cable.
fn port_mac(host: &Host) -> [u8; 6] {
    [2, 0, 0, 0, 1, host.mac()[5]]
}

/// What a routed host sends through: the last address but one of its subnet.
pub(super) fn gate(host: &Host) -> Gate {
    let mut v4 = host.ip(Ip::V4);
    let mut v6 = host.ip(Ip::V6);
    if let IpAddr::V4(address) = &mut v4 {
        let [a, b, c, _] = address.octets();
        *address = Ipv4Addr::new(a, b, c, 254);
    }
    if let IpAddr::V6(address) = &mut v6 {
        let [a, b, c, d, ..] = address.segments();
        *address = Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0xfe);
    }
    Gate { v4, v6, mac: port_mac(host) }
}
