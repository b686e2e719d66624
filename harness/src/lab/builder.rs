//! Says what a lab is like, and builds it.

use futures::{future::try_join_all, try_join};

use super::{Lab, Labs, Patch, Router, built::Inner, settings};
use crate::{
    error::{Error, Result},
    sys::{
        rtnl::{self, Rtnl},
        tc,
    },
};

mod cables;
mod configure;
mod hosts;

use cables::gate;

pub(super) use super::settings::INTERFACE;

/// How a host knows the hardware addresses of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbours {
    /// By permanent entries, made when the lab is built: no address resolution on the wire.
    Permanent,
    /// Learned by ARP and neighbour discovery, as on an ordinary network.
    Learned,
}

/// What a host is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostKind {
    /// A network namespace of this machine's kernel: there at once, and dies by simulation.
    #[default]
    Namespace,
    /// A kernel of its own, see [`crate::guest`]: takes seconds to boot, and really dies.
    Guest,
}

impl HostKind {
    /// Both, with the names test variants carry.
    pub const BOTH: [(&'static str, Self); 2] =
        [("namespace", Self::Namespace), ("guest", Self::Guest)];
}

/// What joins the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Middle {
    Cable,
    Patch,
    Router,
}

/// A lab in the making: two hosts `a` and `b` joined through a patch, unless said otherwise.
#[derive(Debug, Clone)]
#[must_use = "a lab is there once it is built"]
pub struct LabBuilder {
    labs: Labs,
    names: Vec<String>,
    middle: Middle,
    pub(super) mtu: u32,
    pub(super) neighbours: Neighbours,
    sysctls: Vec<(String, String, String)>,
    guests: Vec<String>,
}

impl LabBuilder {
    pub(super) fn new(labs: &Labs) -> Self {
        Self {
            labs: labs.clone(),
            names: vec!["a".to_owned(), "b".to_owned()],
            middle: Middle::Patch,
            mtu: 1500,
            neighbours: Neighbours::Permanent,
            sysctls: Vec::new(),
            guests: Vec::new(),
        }
    }

    /// Hosts of these names; at least two.
    pub fn hosts(mut self, names: &[&str]) -> Self {
        self.names = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Joins two hosts by one cable and nothing between: the survivor of a cut loses carrier.
    pub fn direct(mut self) -> Self {
        self.middle = Middle::Cable;
        self
    }

    /// Puts a router between the hosts, each of which is then in a subnet of its own: the n-th is
    /// 10.0.n.1 and fd00:0:0:n::1, and knows the way to the others through the router only.
    pub fn routed(mut self) -> Self {
        self.middle = Middle::Router;
        self
    }

    /// The largest packet its cables carry, in bytes; 1500 unless set.
    pub fn mtu(mut self, bytes: u32) -> Self {
        self.mtu = bytes;
        self
    }

    /// How hosts know each other's hardware addresses; by permanent entries unless set.
    pub fn neighbours(mut self, neighbours: Neighbours) -> Self {
        self.neighbours = neighbours;
        self
    }

    /// Sets a sysctl on one host before anything happens there, also each time it boots. One of
    /// the host's interface `eth0` (`net.ipv4.neigh.eth0.…`) is set as soon as that is there.
    pub fn sysctl(mut self, host: &str, name: &str, value: impl ToString) -> Self {
        self.sysctls.push((host.to_owned(), name.to_owned(), value.to_string()));
        self
    }

    /// Makes this host a guest kernel. A case uses it like any other host, but for what only a
    /// namespace can offer, and it really dies.
    pub fn guest(self, host: &str) -> Self {
        self.kind(host, HostKind::Guest)
    }

    /// What a host is made of; a namespace unless set.
    pub fn kind(mut self, host: &str, kind: HostKind) -> Self {
        self.guests.retain(|guest| guest != host);
        if kind == HostKind::Guest {
            self.guests.push(host.to_owned());
        }
        self
    }

    /// The sysctls set on this host, and their values.
    fn sysctls_of(&self, host: &str) -> impl Iterator<Item = (&str, &str)> {
        let own = self.sysctls.iter().filter(move |(of, ..)| of == host);
        own.map(|(_, name, value)| (name.as_str(), value.as_str()))
    }

    fn kind_of(&self, host: &str) -> HostKind {
        if self.guests.iter().any(|guest| guest == host) {
            HostKind::Guest
        } else {
            HostKind::Namespace
        }
    }

    /// Builds it: when this returns every path carries segments and every tap listens.
    ///
    /// # Errors
    /// The description is impossible, or the kernel refuses a part of it.
    pub async fn build(self) -> Result<Lab> {
        self.check()?;
        self.labs.stage().once_prepared(settings::prepare_middle)?;
        let hosts = self.make_hosts()?;
        let middle = Rtnl::start(rtnl::socket()?);
        let switched = (self.middle == Middle::Router).then(|| self.switch_on_router());
        let switched = switched.transpose()?;
        let own = switched.as_ref().map(|(netns, _)| netns);
        let ports = self.run_cables(&middle, own, &hosts).await?;
        let configured = try_join_all(hosts.iter().map(|host| self.configure(host, &hosts)));
        let (mut patch, mut router) = (None, None);
        match (switched, self.middle) {
            (Some((netns, rtnl)), _) => {
                let gates = hosts.iter().map(gate).collect();
                router = Some(Router::new(netns, rtnl, ports, gates));
            }
            (None, Middle::Patch) => patch = Some(Patch::new(middle.clone(), ports)),
            (None, _) => {}
        }
        let wires = async {
            if let Some(router) = &router {
                router.configure(&hosts, self.neighbours == Neighbours::Permanent).await?;
            }
            let Some(patch) = &patch else { return Ok(()) };
            let ports = try_join_all(patch.ports().iter().map(|port| patch.wire(port)));
            try_join!(ports, middle.set_link(tc::LOOPBACK, true)).map(drop)
        };
        try_join!(configured, wires)?;
        let wire = self.observe(patch.as_ref(), router.as_ref(), &hosts)?;
        let labs = self.labs.clone();
        let inner = Inner { labs: labs.clone(), hosts, patch, router, wire, plan: self, middle };
        let lab = Lab::new(inner);
        lab.carries().await?;
        labs.keep(&lab);
        Ok(lab)
    }

    fn check(&self) -> Result {
        let usage = |text: String| Err(Error::usage(text));
        if self.names.len() < 2 || self.names.len() > 100 {
            return usage(format!("a lab has 2 to 100 hosts, not {}", self.names.len()));
        }
        if self.middle == Middle::Cable && self.names.len() != 2 {
            return usage(format!("one cable joins two hosts, not {}", self.names.len()));
        }
        if !(1280..=65535).contains(&self.mtu) {
            return usage(format!("MTU {} is outside 1280 to 65535, which IPv6 needs", self.mtu));
        }
        if self.middle == Middle::Router && self.names.iter().any(|name| name == Router::NAME) {
            return usage(format!("a host is called {}, as the lab's own router", Router::NAME));
        }
        for (n, name) in self.names.iter().enumerate() {
            if self.names[..n].contains(name) {
                return usage(format!("two hosts are called {name}"));
            }
        }
        for host in &self.guests {
            if !self.names.contains(host) {
                return usage(format!("host {host}, which is to be a guest, is not in the lab"));
            }
        }
        for (host, name, _) in &self.sysctls {
            if !self.names.contains(host) {
                return usage(format!(
                    "sysctl {name} is set on host {host}, which is not in the lab"
                ));
            }
        }
        Ok(())
    }
}
