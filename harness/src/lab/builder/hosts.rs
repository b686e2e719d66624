//! The hosts of a lab and its router: a namespace and an identity for each.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::AsFd,
    sync::{Mutex, atomic::AtomicU32},
};

use super::{INTERFACE, LabBuilder, Middle};
use crate::{
    error::{Error, Result},
    lab::{
        Host, HostKind, Router,
        host::{self, Life},
        router, settings,
    },
    sys::{
        netns::Netns,
        rtnl::{self, Rtnl},
        sock_diag::Diag,
    },
    wire::Record,
};

impl LabBuilder {
    /// Makes the hosts, each with a namespace of its own.
    pub(super) fn make_hosts(&self) -> Result<Vec<Host>> {
        let lives = self.begin_lives(&self.names)?;
        let hosts = (1..).zip(&self.names).zip(lives);
        Ok(hosts.map(|((n, name), life)| self.host(n, name, life)).collect())
    }

    /// Makes a namespace for each host, configured from inside with what must come first.
    fn begin_lives(&self, names: &[String]) -> Result<Vec<Life>> {
        let made = Netns::create_each(names, |name| {
            let inside = || {
                if self.kind_of(name) == HostKind::Guest {
                    settings::prepare_shell()?;
                    return Ok((rtnl::socket()?, Diag::open()?));
                }
                settings::pin(self.sysctls_of(name))?;
                Ok((rtnl::socket()?, Diag::open()?))
            };
            inside().map_err(|error: Error| error.on_host(name))
        })?;
        let begin = |(netns, (socket, diag))| Life {
            netns,
            rtnl: Rtnl::start(socket),
            diag,
            guest: None,
            routes: None,
            asleep: false,
        };
        Ok(made.into_iter().map(begin).collect())
    }

    /// Makes the router's namespace, which forwards before it has anything to forward.
    pub(super) fn switch_on_router(&self) -> Result<(Netns, Rtnl)> {
        let inside = |_: &()| {
            settings::pin(router::SETTINGS.iter().copied())?;
            rtnl::socket()
        };
        let made = Netns::create_each(&[()], |one| {
            inside(one).map_err(|error| error.on_host(Router::NAME))
        })?;
        let (netns, socket) = made.into_iter().next().expect("one was asked for");
        Ok((netns, Rtnl::start(socket)))
    }

    fn host(&self, n: u8, name: &str, life: Life) -> Host {
        let (subnet, n4) = if self.middle == Middle::Router { (n, 1) } else { (0, n) };
        let v4 = IpAddr::V4(Ipv4Addr::new(10, 0, subnet, n4));
        let v6 = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, subnet.into(), 0, 0, 0, n4.into()));
        let journal = self.labs.stage().journal().clone();
        journal.write(&Record::Host { name: name.to_owned(), addresses: vec![v4, v6] });
        self.labs.stage().keeper().keep_namespace(name, &life.netns);
        let host = Host::new(host::Inner {
            name: name.to_owned(),
            life: Mutex::new(Ok(life)),
            // Both ends of one cable must not have the same index: the kernel would take the
            // device for an unstacked one and be in no hurry to notice its carrier
            // (net/core/link_watch.c, linkwatch_urgent_event).
            index: 1 + u32::from(n),
            card: AtomicU32::default(),
            v4,
            v6,
            mac: [2, 0, 0, 0, 0, n],
            kind: self.kind_of(name),
            journal,
            pids: Mutex::default(),
        });
        self.labs.keep_host(&host);
        host
    }

    /// Gives a dead host a new kernel: the same name and addresses, and nothing it knew. Its end
    /// of the cable is taken from `holder`, where it has lain since as interface `index`.
    pub(in super::super) async fn revive(
        &self,
        host: &Host,
        all: &[Host],
        holder: &Rtnl,
        index: u32,
    ) -> Result {
        let name = host.name().to_owned();
        let life = self.begin_lives(std::slice::from_ref(&name))?.remove(0);
        self.labs.stage().keeper().keep_namespace(&name, &life.netns);
        let own = (INTERFACE, host.shell_interface());
        holder.move_link(index, own, life.netns.as_fd()).await?;
        host.live(life);
        self.configure(host, all).await
    }
}
