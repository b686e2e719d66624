//! A machine in the lab: its own network stack, addresses, processes and sysctls.

use std::{
    net::{IpAddr, SocketAddr},
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{HostKind, Ip, kernel::snapshot};
use crate::{
    error::{Attempt, Error, Result},
    guest::Guest,
    process::{Process, Program},
    stamp::Stamp,
    sys::{
        counters,
        netns::Netns,
        rtnl::Rtnl,
        sock_diag::{Diag, SocketEntry},
        sysctl,
    },
    wire::{Journal, Record},
};

/// A host. Clones name the same one.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

/// A running kernel: what a host has only while it is alive.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) netns: Netns,
    pub(crate) rtnl: Rtnl,
    pub(crate) diag: Diag,
    /// The kernel that is the host, if it is not this machine's: then the rest only holds its
    /// network card.
    pub(crate) guest: Option<Guest>,
    /// The conversation with that kernel's routing side, once it is the host.
    pub(crate) routes: Option<Rtnl>,
    /// Whether it stands still.
    pub(crate) asleep: bool,
}

impl Life {
    /// The socket with these addresses, if there is one that is not a listener.
    pub(crate) fn socket(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<Option<SocketEntry>> {
        match &self.guest {
            Some(guest) => guest.socket(local, remote),
            None => self.diag.socket(local, remote),
        }
    }
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) name: String,
    /// `Err` says what it died of.
    pub(super) life: Mutex<std::result::Result<Life, &'static str>>,
    /// The index of its interface in the namespace that the host is, or that holds its card.
    pub(super) index: u32,
    /// The same as a guest counts, once it is the host.
    pub(super) card: AtomicU32,
    pub(super) v4: IpAddr,
    pub(super) v6: IpAddr,
    pub(super) mac: [u8; 6],
    pub(super) kind: HostKind,
    pub(super) journal: Journal,
    pub(super) pids: Mutex<Vec<i32>>,
}

impl Host {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Whether both handles name the same host.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its address of this family.
    #[must_use]
    pub fn ip(&self, ip: Ip) -> IpAddr {
        match ip {
            Ip::V4 => self.0.v4,
            Ip::V6 => self.0.v6,
        }
    }

    /// An address and port on it, to listen on or connect to.
    #[must_use]
    pub fn address(&self, ip: Ip, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(ip), port)
    }

    /// The hardware address of its interface.
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        self.0.mac
    }

    /// Its routing side: links, addresses, neighbours. A guest's is spoken to over its line.
    ///
    /// # Errors
    /// The host is dead, or a guest that sleeps.
    pub fn rtnl(&self) -> Result<Rtnl> {
        if self.kind() == HostKind::Guest {
            self.is_awake()?;
        }
        self.alive(|life| life.routes.as_ref().unwrap_or(&life.rtnl).clone())
    }

    /// The routing side of the namespace that the host is, or that holds its network card.
    pub(crate) fn shell_rtnl(&self) -> Result<Rtnl> {
        self.alive(|life| life.rtnl.clone())
    }

    /// What the host is made of.
    #[must_use]
    pub fn kind(&self) -> HostKind {
        self.0.kind
    }

    /// The guest kernel that it is, if it is one.
    pub(crate) fn guest(&self) -> Result<Option<Guest>> {
        self.alive(|life| life.guest.clone())
    }

    /// Refuses what only a namespace of this machine's kernel can offer.
    pub(crate) fn not_in_a_guest(&self, what: &str) -> Result {
        match self.0.kind {
            HostKind::Namespace => Ok(()),
            HostKind::Guest => Err(Error::Usage(format!(
                "host {} is a guest kernel, where {what} is out of reach; make it a namespace, or \
                 use its processes",
                self.name()
            ))),
        }
    }

    /// Gives a living host its guest kernel.
    pub(crate) fn equip(&self, guest: Guest) {
        self.adopt(guest.pid());
        if let Ok(life) = &mut *self.life() {
            life.guest = Some(guest);
        }
    }

    /// A guest kernel has become the host: its routing side, and the index of its network card.
    pub(crate) fn move_in(&self, routes: Rtnl, card: u32) {
        self.0.card.store(card, Ordering::Relaxed);
        if let Ok(life) = &mut *self.life() {
            life.routes = Some(routes);
        }
    }

    /// The index of its interface.
    #[must_use]
    pub fn interface(&self) -> u32 {
        match self.kind() {
            HostKind::Namespace => self.0.index,
            HostKind::Guest => self.0.card.load(Ordering::Relaxed),
        }
    }

    /// The index of its interface in the namespace that the host is, or that holds its card.
    pub(crate) fn shell_interface(&self) -> u32 {
        self.0.index
    }

    /// Takes its interface away, and with it its addresses, routes and cable, as is done with
    /// the network of a container. The namespace itself lives on while anybody holds it.
    ///
    /// # Errors
    /// It has been taken away before, or the host is a guest, whose card is soldered in.
    pub async fn lose_network(&self) -> Result {
        self.not_in_a_guest("taking its network card away")?;
        self.rtnl()?.delete_link(self.0.index).await?;
        let text = format!("{} has lost its network", self.name());
        self.0.journal.write(&Record::Note { at: Stamp::now(), text });
        Ok(())
    }

    /// Its network namespace.
    ///
    /// # Errors
    /// The host is dead.
    pub fn netns(&self) -> Result<Netns> {
        self.not_in_a_guest("its network namespace")?;
        self.shell()
    }

    /// The namespace that the host is, or that holds its network card.
    pub(crate) fn shell(&self) -> Result<Netns> {
        self.alive(|life| life.netns.clone())
    }

    /// Looks at what it has only while it is alive.
    pub(crate) fn alive<T>(&self, look: impl FnOnce(&Life) -> T) -> Result<T> {
        match &*self.life() {
            Ok(life) => Ok(look(life)),
            Err(fate) => Err(Error::Usage(format!("host {} {fate}", self.name()))),
        }
    }

    /// Ends its life, and says of what; gives what is left of it.
    pub(crate) fn die(&self, fate: &'static str) -> Result<Life> {
        let mut life = self.life();
        match std::mem::replace(&mut *life, Err(fate)) {
            Ok(ended) => Ok(ended),
            Err(earlier) => {
                *life = Err(earlier);
                Err(Error::Usage(format!("host {} {earlier} already", self.name())))
            }
        }
    }

    /// Says whether it lives and is awake.
    pub(crate) fn is_awake(&self) -> Result {
        match self.alive(|life| life.asleep)? {
            false => Ok(()),
            true => Err(Error::Usage(format!("host {} sleeps", self.name()))),
        }
    }

    /// Notes that it falls asleep, or wakes up.
    pub(crate) fn sleeps(&self, asleep: bool) -> Result {
        match &mut *self.life() {
            Ok(life) if life.asleep != asleep => life.asleep = asleep,
            Ok(_) => {
                let what = if asleep { "sleeps already" } else { "does not sleep any more" };
                return Err(Error::Usage(format!("host {} {what}", self.name())));
            }
            Err(fate) => return Err(Error::Usage(format!("host {} {fate}", self.name()))),
        }
        Ok(())
    }

    /// Begins a new life after the last has ended.
    pub(crate) fn live(&self, life: Life) {
        *self.life() = Ok(life);
        self.0.pids.lock().expect("no holder of this lock panics").clear();
    }

    fn life(&self) -> MutexGuard<'_, std::result::Result<Life, &'static str>> {
        self.0.life.lock().expect("no holder of this lock panics")
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// Takes note of a process that the harness answers for.
    pub(crate) fn adopt(&self, pid: i32) {
        self.0.pids.lock().expect("no holder of this lock panics").push(pid);
    }

    /// The processes the harness has started here.
    pub(crate) fn pids(&self) -> Vec<i32> {
        self.0.pids.lock().expect("no holder of this lock panics").clone()
    }

    /// Starts a process on it, called after the host.
    ///
    /// # Errors
    /// The machine is out of processes or memory.
    pub async fn process(&self) -> Result<Process> {
        self.process_named("process").await
    }

    /// As [`Self::process`], with a name for the ladder.
    ///
    /// # Errors
    /// As [`Self::process`].
    pub async fn process_named(&self, name: &str) -> Result<Process> {
        Process::start(self, name).await
    }

    /// Starts any program on it, with its output captured.
    ///
    /// # Errors
    /// There is no such program.
    pub fn spawn(&self, command: Command) -> Result<Program> {
        Program::start(self, command)
    }

    /// Starts a program whose executable the case carries with it, as `include_bytes!` does for
    /// what its build script has compiled.
    ///
    /// # Errors
    /// The bytes are no executable for this machine.
    pub fn spawn_image(&self, name: &str, image: &[u8], arguments: &[&str]) -> Result<Program> {
        Program::start_image(self, name, image, arguments)
    }

    /// Runs a closure on a thread inside the host and waits for it: sockets made there, by the
    /// standard library, tokio or anything else, are the host's.
    ///
    /// # Errors
    /// The thread cannot be started, or the closure panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.start(work)?.done().await
    }

    /// As [`Self::run`], without waiting.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Running<T>> {
        let (finished, result) = oneshot::channel();
        let netns = self.netns()?;
        let name = self.name().to_owned();
        let inside = move || {
            let result = netns.enter_for_good().map(|()| work());
            let _ = finished.send(result);
        };
        let attempt = || format!("run a closure on host {name}");
        thread::Builder::new().name(name.clone()).spawn(inside).attempt(attempt)?;
        Ok(Running { host: name, result })
    }

    /// Reads a sysctl of the host.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn sysctl(&self, name: &str) -> Result<String> {
        if let Some(guest) = self.guest()? {
            return guest.sysctl(name);
        }
        self.netns()?.enter(|| sysctl::read(name))?.map_err(|error| error.on_host(self.name()))
    }

    /// Writes a sysctl of the host.
    ///
    /// # Errors
    /// There is none of that name, or it refuses the value.
    pub fn set_sysctl(&self, name: &str, value: &str) -> Result {
        if let Some(guest) = self.guest()? {
            return guest.set_sysctl(name, value);
        }
        self.netns()?
            .enter(|| sysctl::write(name, value))?
            .map_err(|error| error.on_host(self.name()))
    }

    /// One of the counters that its kernel keeps for the administrator, such as
    /// "TCPAbortOnClose", or "Tcp:InCsumErrors" where more than one protocol has one of that name
    /// (`/proc/net/netstat` and `/proc/net/snmp`; `net/ipv4/proc.c`).
    ///
    /// # Errors
    /// There is none of that name.
    pub fn counter(&self, name: &str) -> Result<u64> {
        if let Some(guest) = self.guest()? {
            return guest.counter(name);
        }
        self.netns()?.enter(|| counters::read(name))?.map_err(|error| error.on_host(self.name()))
    }

    /// Waits until a counter has reached this value. Unlike a segment on the wire, it says that
    /// the kernel has dealt with the segment.
    ///
    /// # Errors
    /// It does not within five seconds, or there is none of that name.
    pub async fn counts(&self, name: &str, value: u64) -> Result {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let seen = self.counter(name)?;
            if seen >= value {
                return Ok(());
            }
            if Instant::now() > deadline {
                let what = format!("{}: counter {name}", self.name());
                return Err(Error::mismatch(what, format!("{value} within 5 s"), seen.to_string()));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Every TCP socket of the host, as `ss -tan` would list them.
    ///
    /// # Errors
    /// The kernel refuses the dump.
    pub fn sockets(&self) -> Result<Vec<SocketEntry>> {
        match self.guest()? {
            Some(guest) => guest.sockets(),
            None => self.alive(|life| life.diag.sockets())?,
        }
    }

    /// Aborts one socket from outside, as `ss -K` does (`SOCK_DESTROY`).
    ///
    /// # Errors
    /// The kernel was built without `CONFIG_INET_DIAG_DESTROY`, or the socket is gone.
    pub fn destroy(&self, entry: &SocketEntry) -> Result {
        self.not_in_a_guest("destroying a socket from outside")?;
        self.alive(|life| life.diag.destroy(entry))?.attempt(|| {
            format!("destroy the socket {} > {} on host {}", entry.local, entry.remote, self.name())
        })
    }

    /// Its sockets as text, for the record.
    #[must_use]
    pub fn states(&self) -> String {
        match self.sockets() {
            Ok(sockets) => snapshot(self.name(), &sockets),
            Err(error) => format!("{}: {error}\n", self.name()),
        }
    }
}

/// A closure running on a host.
#[derive(Debug)]
#[must_use = "a running closure has a result to wait for"]
pub struct Running<T> {
    host: String,
    result: oneshot::Receiver<Result<T>>,
}

impl<T> Running<T> {
    /// Waits for its end.
    ///
    /// # Errors
    /// The closure panicked, or the host could not be entered.
    pub async fn done(self) -> Result<T> {
        let attempt = || format!("finish a closure on host {}", self.host);
        self.result.await.map_err(|_| Error::system(attempt(), "it panicked"))?
    }
}
