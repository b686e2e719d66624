//! What makes a namespace or a guest kernel a host: interfaces up, addresses, neighbours, ways out.

use std::net::IpAddr;

use futures::{future::try_join_all, try_join};

use super::{INTERFACE, LabBuilder, Middle, Neighbours, cables::gate};
use crate::{
    error::{Context, Error, Result},
    guest::{
        boot::{Plan, boot},
        protocol::Configuration,
    },
    lab::{Host, HostKind, Ip, settings},
    sys::{neighbours::Surety, probe::Trial, rtnl::Rtnl},
};

impl LabBuilder {
    /// Brings a host's interfaces up and gives it addresses and neighbours.
    pub(super) async fn configure(&self, host: &Host, all: &[Host]) -> Result {
        if host.kind() == HostKind::Guest {
            return self.boot(host, all).await;
        }
        let own: Vec<_> = self.sysctls_of(host.name()).collect();
        if own.iter().any(|(name, _)| settings::is_of(name, INTERFACE)) {
            let set = host.netns()?.enter(|| settings::pin_interface(own.into_iter()))?;
            set.map_err(|error| error.on_host(host.name()))?;
        }
        self.configure_over(&host.rtnl()?, host, all).await
    }

    /// As [`Self::configure`], in this conversation with the host; what it has already stays.
    pub(in super::super) async fn configure_over(
        &self,
        rtnl: &Rtnl,
        host: &Host,
        all: &[Host],
    ) -> Result {
        let index = host.interface();
        let neighbours = self
            .neighbours_of(host, all)
            .into_iter()
            .map(|(ip, mac)| rtnl.set_neighbour(index, ip, mac, Surety::Permanent));
        let routes = self
            .gateways_of(host)
            .into_iter()
            .map(|gateway| rtnl.add_default_route(index, gateway));
        // One conversation is heard in order: nothing here waits for the answer before it.
        let done = try_join!(
            try_join_all([rtnl.set_link(1, true), rtnl.set_link(index, true)]),
            try_join_all([
                rtnl.add_address(index, host.ip(Ip::V4), Ip::V4.prefix()),
                rtnl.add_address(index, host.ip(Ip::V6), Ip::V6.prefix()),
            ]),
            try_join_all(neighbours),
            try_join_all(routes),
        );
        done.map(drop).map_err(|error: Error| error.on_host(host.name()))
    }

    /// The permanent neighbour entries of a host.
    fn neighbours_of(&self, host: &Host, all: &[Host]) -> Vec<(IpAddr, [u8; 6])> {
        if self.neighbours != Neighbours::Permanent {
            return Vec::new();
        }
        // Behind a router its only neighbour is the router.
        if self.middle == Middle::Router {
            let gate = gate(host);
            return [Ip::V4, Ip::V6].map(|ip| (gate.ip(ip), gate.mac)).to_vec();
        }
        let others = all.iter().filter(|other| other.name() != host.name());
        others.flat_map(|other| [Ip::V4, Ip::V6].map(|ip| (other.ip(ip), other.mac()))).collect()
    }

    /// Its default gateways.
    fn gateways_of(&self, host: &Host) -> Vec<IpAddr> {
        match self.middle {
            Middle::Router => [Ip::V4, Ip::V6].map(|ip| gate(host).ip(ip)).to_vec(),
            _ => Vec::new(),
        }
    }

    /// Boots the kernel of a guest host and makes it the host.
    async fn boot(&self, host: &Host, all: &[Host]) -> Result {
        host.shell_rtnl()?.set_link(host.shell_interface(), true).await?;
        let own = self.sysctls_of(host.name());
        let configuration = Configuration {
            addresses: Ip::BOTH.map(|(_, ip)| (host.ip(ip), ip.prefix())).into(),
            neighbours: self.neighbours_of(host, all),
            gateways: self.gateways_of(host),
            sysctls: own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        };
        let (netns, mtu, of) = (host.shell()?, self.mtu, host.clone());
        // Seconds of waiting, and other guests may boot meanwhile.
        let booted = tokio::task::spawn_blocking(move || {
            let (host, mac) = (of.name(), of.mac());
            let guest = boot(&Plan { host, netns: &netns, interface: INTERFACE, mac, mtu })?;
            // Known from here on, so that it ends with its host whatever comes.
            of.equip(guest.clone());
            let card = guest.configure(configuration)?;
            of.move_in(guest.routes()?, card);
            Ok(())
        });
        let booted = booted.await.context(|| format!("boot host {}", host.name()))?;
        Trial::Guest.tried(booted)
    }
}
