//! Says what a lab is like, and builds it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd, AsRawFd},
    sync::Mutex,
    time::{Duration, Instant},
};

use futures::{future::try_join_all, try_join};

use super::{
    Host, Lab, Patch, Router,
    built::Inner,
    host::{self, Life},
    patch::Port,
    router::{self, Gate},
    settings,
};
use crate::{
    error::{Attempt, Error, Result},
    guest::{
        boot::{Plan, boot},
        protocol::Furniture,
    },
    scene::Scene,
    sys::{
        neighbours::Surety,
        netns::Netns,
        packet::Tap,
        rtnl::{self, LinkEnd, Rtnl},
        sock_diag::Diag,
        tc,
    },
    wire::{Record, TapInfo, Wire},
};

/// What every host calls its interface.
pub(super) const INTERFACE: &str = "eth0";

/// An Internet protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Ip {
    V4,
    V6,
}

impl Ip {
    /// Both, with the names test variants carry.
    pub const BOTH: [(&'static str, Self); 2] = [("ipv4", Self::V4), ("ipv6", Self::V6)];

    /// How many bits of their addresses all hosts of a lab have in common.
    #[must_use]
    pub fn prefix(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }
}

/// How a host knows where the others are on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbours {
    /// Told for good when the lab is built: no address resolution in the story.
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
    /// A kernel of its own, see [`crate::guest`]: takes seconds to boot, and really dies. A case
    /// with one needs [`crate::runner::needs::Need::Guest`].
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
    scene: Scene,
    names: Vec<String>,
    middle: Middle,
    pub(super) mtu: u32,
    pub(super) neighbours: Neighbours,
    sysctls: Vec<(String, String, String)>,
    guests: Vec<String>,
}

impl LabBuilder {
    pub(crate) fn new(scene: &Scene) -> Self {
        Self {
            scene: scene.clone(),
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

    /// How hosts know each other; for good unless set.
    pub fn neighbours(mut self, neighbours: Neighbours) -> Self {
        self.neighbours = neighbours;
        self
    }

    /// Sets a sysctl on one host before anything happens there.
    pub fn sysctl(mut self, host: &str, name: &str, value: impl ToString) -> Self {
        self.sysctls.push((host.to_owned(), name.to_owned(), value.to_string()));
        self
    }

    /// Makes this host a guest kernel: the same host to a case, but for what only a namespace can
    /// offer, and it really dies.
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
        self.scene.once_prepared(settings::prepare_middle)?;
        let hosts = self.make_hosts()?;
        let middle = Rtnl::start(rtnl::socket()?);
        let switched = (self.middle == Middle::Router).then(|| self.switch_on_router());
        let switched = switched.transpose()?;
        let own = switched.as_ref().map(|(netns, _)| netns);
        let ports = self.run_cables(&middle, own, &hosts).await?;
        let furnished = try_join_all(hosts.iter().map(|host| self.furnish(host, &hosts)));
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
                router.furnish(&hosts, self.neighbours == Neighbours::Permanent).await?;
            }
            let Some(patch) = &patch else { return Ok(()) };
            let ports = try_join_all(patch.ports().iter().map(|port| patch.wire(port)));
            try_join!(ports, middle.set_link(tc::LOOPBACK, true)).map(drop)
        };
        try_join!(furnished, wires)?;
        let wire = self.observe(patch.as_ref(), router.as_ref(), &hosts)?;
        let scene = self.scene.clone();
        let inner = Inner { scene: scene.clone(), hosts, patch, router, wire, plan: self, middle };
        let lab = Lab::new(inner);
        lab.carries().await?;
        scene.keep_lab(&lab);
        Ok(lab)
    }

    fn check(&self) -> Result {
        let usage = |text: String| Err(Error::Usage(text));
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

    /// Makes the hosts, each with a namespace of its own.
    fn make_hosts(&self) -> Result<Vec<Host>> {
        let lives = self.begin_lives(&self.names)?;
        let hosts = (1..).zip(&self.names).zip(lives);
        Ok(hosts.map(|((n, name), life)| self.host(n, name, life)).collect())
    }

    /// Makes a namespace for each host, furnished from inside with what must come first.
    fn begin_lives(&self, names: &[String]) -> Result<Vec<Life>> {
        let made = Netns::create_each(names, |name| {
            let own = self.sysctls.iter().filter(|(host, ..)| host == name);
            let inside = || {
                if self.kind_of(name) == HostKind::Guest {
                    settings::prepare_shell()?;
                    return Ok((rtnl::socket()?, Diag::open()?));
                }
                settings::pin(own.map(|(_, name, value)| (name.as_str(), value.as_str())))?;
                Ok((rtnl::socket()?, Diag::open()?))
            };
            inside().map_err(|error: Error| error.on_host(name))
        })?;
        let begin =
            |(netns, (socket, diag))| Life { netns, rtnl: Rtnl::start(socket), diag, guest: None };
        Ok(made.into_iter().map(begin).collect())
    }

    /// Makes the router's namespace, which forwards before it has anything to forward.
    fn switch_on_router(&self) -> Result<(Netns, Rtnl)> {
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
        let journal = self.scene.journal().clone();
        journal.write(&Record::Host { name: name.to_owned(), addresses: vec![v4, v6] });
        self.scene.keep_estate(name, &life.netns);
        let host = Host::new(host::Inner {
            name: name.to_owned(),
            life: Mutex::new(Ok(life)),
            // Both ends of one cable must not have the same index: the kernel would take the
            // device for an unstacked one and be in no hurry to notice its carrier
            // (net/core/link_watch.c, linkwatch_urgent_event).
            index: 1 + u32::from(n),
            v4,
            v6,
            mac: [2, 0, 0, 0, 0, n],
            kind: self.kind_of(name),
            journal,
            pids: Mutex::default(),
        });
        self.scene.keep_host(&host);
        host
    }

    /// Gives a dead host a new kernel: the same name and addresses, and nothing it knew. Its end
    /// of the cable is taken from `holder`, where it has lain since as interface `index`.
    pub(super) async fn revive(
        &self,
        host: &Host,
        all: &[Host],
        holder: &Rtnl,
        index: u32,
    ) -> Result {
        let name = host.name().to_owned();
        let life = self.begin_lives(std::slice::from_ref(&name))?.remove(0);
        self.scene.keep_estate(&name, &life.netns);
        let own = (INTERFACE, host.interface());
        holder.move_link(index, own, life.netns.as_fd()).await?;
        host.live(life);
        self.furnish(host, all).await
    }

    /// Cables the hosts to each other, to the patch, or to the router.
    async fn run_cables(
        &self,
        patch: &Rtnl,
        router: Option<&Netns>,
        hosts: &[Host],
    ) -> Result<Vec<Port>> {
        let homes = hosts.iter().map(Host::shell).collect::<Result<Vec<_>>>()?;
        let end = |n: usize| LinkEnd {
            netns: Some(homes[n].as_raw_fd()),
            name: INTERFACE,
            index: hosts[n].interface(),
            mac: hosts[n].mac(),
        };
        if self.middle == Middle::Cable {
            patch.cable(end(0), end(1), self.mtu).await?;
            return Ok(Vec::new());
        }
        let (end, scene) = (&end, &self.scene);
        let cables = hosts.iter().enumerate().map(|(n, host)| async move {
            let index = scene.next_port();
            let name = format!("port{index}");
            let netns = router.map(AsRawFd::as_raw_fd);
            let near = LinkEnd { netns, name: &name, index, mac: port_mac(host) };
            patch.cable(near, end(n), self.mtu).await?;
            Ok(Port { host: host.name().to_owned(), name, index, mac: host.mac() })
        });
        try_join_all(cables).await
    }

    /// Brings a host's interfaces up and gives it addresses and neighbours.
    async fn furnish(&self, host: &Host, all: &[Host]) -> Result {
        if host.kind() == HostKind::Guest {
            return self.boot(host, all).await;
        }
        self.furnish_over(&host.rtnl()?, host, all).await
    }

    /// As [`Self::furnish`], in this conversation with the host; what it has already stays.
    pub(super) async fn furnish_over(&self, rtnl: &Rtnl, host: &Host, all: &[Host]) -> Result {
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

    /// Whom a host is told of for good.
    fn neighbours_of(&self, host: &Host, all: &[Host]) -> Vec<(IpAddr, [u8; 6])> {
        if self.neighbours != Neighbours::Permanent {
            return Vec::new();
        }
        // Behind a router there is nobody in sight but the router.
        if self.middle == Middle::Router {
            let gate = gate(host);
            return [Ip::V4, Ip::V6].map(|ip| (gate.ip(ip), gate.mac)).to_vec();
        }
        let others = all.iter().filter(|other| other.name() != host.name());
        others.flat_map(|other| [Ip::V4, Ip::V6].map(|ip| (other.ip(ip), other.mac()))).collect()
    }

    /// By whom it reaches everybody else.
    fn gateways_of(&self, host: &Host) -> Vec<IpAddr> {
        match self.middle {
            Middle::Router => [Ip::V4, Ip::V6].map(|ip| gate(host).ip(ip)).to_vec(),
            _ => Vec::new(),
        }
    }

    /// Boots the kernel of a guest host and makes it the host.
    async fn boot(&self, host: &Host, all: &[Host]) -> Result {
        host.shell_rtnl()?.set_link(host.interface(), true).await?;
        let own = self.sysctls.iter().filter(|(of, ..)| of == host.name());
        let furniture = Furniture {
            addresses: Ip::BOTH.map(|(_, ip)| (host.ip(ip), ip.prefix())).into(),
            neighbours: self.neighbours_of(host, all),
            gateways: self.gateways_of(host),
            sysctls: own.map(|(_, name, value)| (name.clone(), value.clone())).collect(),
        };
        let (netns, mtu, of) = (host.shell()?, self.mtu, host.clone());
        // Seconds of waiting, and other guests may boot meanwhile.
        let booted = tokio::task::spawn_blocking(move || {
            let (host, mac) = (of.name(), of.mac());
            let guest = boot(&Plan { host, netns: &netns, interface: INTERFACE, mac, mtu })?;
            // Known from here on, so that it ends with its host whatever comes.
            of.equip(guest.clone());
            guest.furnish(furniture)
        });
        booted.await.attempt(|| format!("boot host {}", host.name()))?
    }

    fn observe(
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
                    let tap = host.shell()?.enter(|| Tap::open(host.interface()))??;
                    Ok((info(host.name(), "eth0", true), tap))
                })
                .collect::<Result<Vec<_>>>()?,
        };
        self.scene.share_taps(&taps);
        Wire::observe(taps, self.scene.journal().clone())
    }
}

/// The hardware address of the middle's end of a host's cable.
fn port_mac(host: &Host) -> [u8; 6] {
    [2, 0, 0, 0, 1, host.mac()[5]]
}

/// What a routed host sends through: the last address but one of its subnet.
fn gate(host: &Host) -> Gate {
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

/// Waits until the kernel has noticed the carrier of an interface. Until then it drops what is
/// sent there: the queue of a device without carrier is a hole (`net/sched/sch_generic.c`,
/// `dev_activate`), and the notice comes from a work item (`net/core/link_watch.c`).
pub(crate) async fn carries(rtnl: Rtnl, index: u32) -> Result {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !rtnl.is_operational(index).await? {
        if Instant::now() > deadline {
            return Err(Error::system(format!("see carrier on interface {index}"), "none in 5 s"));
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}

/// Waits until a host takes what is sent to `address` for its own.
pub(crate) async fn answers_to(rtnl: Rtnl, address: IpAddr) -> Result {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !rtnl.is_local(address).await? {
        if Instant::now() > deadline {
            return Err(Error::system(format!("see {address} become local"), "not in 5 s"));
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}
