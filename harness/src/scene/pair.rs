//! Two processes with a connection between them: where most stories begin.

use std::{net::SocketAddr, ops::Deref, time::Duration};

use super::Scene;
use crate::{
    error::Result,
    fault::{Impostor, Packets},
    lab::{Host, HostKind, Ip, Lab, LabBuilder, Neighbours, SocketView},
    process::{
        Keepalive, Process, Socket,
        option::{self, OptionValue, SocketOption},
    },
    sys::sock_diag::State,
    wire::{Segment, Wire, pattern::any},
};

/// The port that servers listen on.
pub const PORT: u16 = 80;

type Setting = Box<dyn Fn(&Socket) -> crate::process::Call<()> + Send + Sync>;

/// A pair in the making: over IPv4 and with stock settings, unless said otherwise.
#[must_use = "a pair is there once it is connected"]
pub struct PairBuilder {
    lab: LabBuilder,
    ip: Ip,
    on_a: Vec<Setting>,
    on_listener: Vec<Setting>,
}

impl PairBuilder {
    pub(crate) fn new(scene: &Scene) -> Self {
        Self { lab: scene.lab(), ip: Ip::V4, on_a: Vec::new(), on_listener: Vec::new() }
    }

    /// Over this Internet protocol.
    pub fn ip(mut self, ip: Ip) -> Self {
        self.ip = ip;
        self
    }

    /// Sets a sysctl on one host before anything happens there.
    pub fn sysctl(mut self, host: &str, name: &str, value: impl ToString) -> Self {
        self.lab = self.lab.sysctl(host, name, value);
        self
    }

    /// Makes this host a guest kernel, see [`LabBuilder::guest`].
    pub fn guest(self, host: &str) -> Self {
        self.kind(host, HostKind::Guest)
    }

    /// What this host is made of; a namespace unless set.
    pub fn kind(mut self, host: &str, kind: HostKind) -> Self {
        self.lab = self.lab.kind(host, kind);
        self
    }

    /// Joins the hosts by one cable and nothing between.
    pub fn direct(mut self) -> Self {
        self.lab = self.lab.direct();
        self
    }

    /// Puts a router between the hosts; see [`LabBuilder::routed`].
    pub fn routed(mut self) -> Self {
        self.lab = self.lab.routed();
        self
    }

    /// How the hosts know each other on the wire.
    pub fn neighbours(mut self, neighbours: Neighbours) -> Self {
        self.lab = self.lab.neighbours(neighbours);
        self
    }

    /// Sets an option of `a`'s socket before it connects.
    pub fn option_on_a<T: OptionValue + Clone + Sync>(
        mut self,
        option: SocketOption<T>,
        value: T,
    ) -> Self {
        self.on_a.push(Box::new(move |socket| socket.set(option, value.clone())));
        self
    }

    /// Sets an option of `b`'s listener, which the accepted socket inherits.
    pub fn option_on_listener<T: OptionValue + Clone + Sync>(
        mut self,
        option: SocketOption<T>,
        value: T,
    ) -> Self {
        self.on_listener.push(Box::new(move |socket| socket.set(option, value.clone())));
        self
    }

    /// Switches keepalive on at `a`'s socket before it connects.
    pub fn keepalive_on_a(self, Keepalive { idle, interval, probes }: Keepalive) -> Self {
        self.option_on_a(option::KEEPIDLE, idle)
            .option_on_a(option::KEEPINTVL, interval)
            .option_on_a(option::KEEPCNT, probes)
            .option_on_a(option::KEEPALIVE, 1)
    }

    /// Switches keepalive on at `b`'s listener, which the accepted socket inherits.
    pub fn keepalive_on_listener(self, Keepalive { idle, interval, probes }: Keepalive) -> Self {
        self.option_on_listener(option::KEEPIDLE, idle)
            .option_on_listener(option::KEEPINTVL, interval)
            .option_on_listener(option::KEEPCNT, probes)
            .option_on_listener(option::KEEPALIVE, 1)
    }

    /// Tunes keepalive on one host by its three sysctls; programs still have to switch it on.
    pub fn keepalive_sysctls(self, host: &str, keepalive: Keepalive) -> Self {
        self.sysctl(host, "net.ipv4.tcp_keepalive_time", keepalive.idle)
            .sysctl(host, "net.ipv4.tcp_keepalive_intvl", keepalive.interval)
            .sysctl(host, "net.ipv4.tcp_keepalive_probes", keepalive.probes)
    }

    /// Gives `b` a receive buffer so small that a few kilobytes fill its window, and `a` a send
    /// buffer that holds some tens of them, whatever small segments cost its kernel (on Linux
    /// 6.1 a stock one takes less than 20 kB of those).
    pub fn small_window_at_b(self) -> Self {
        self.option_on_listener(option::RCVBUF, 2048).option_on_a(option::SNDBUF, 1 << 16)
    }

    /// Builds the lab, connects, and accepts.
    ///
    /// # Errors
    /// The lab cannot be built, or a call fails.
    pub async fn connect(self) -> Result<Pair> {
        let lab = self.lab.clone().build().await?;
        self.connect_in(&lab).await
    }

    /// Connects and accepts in a lab that has been built, with what has been done to it since;
    /// what this pair says of a lab is not asked for then.
    ///
    /// # Errors
    /// A call fails.
    pub async fn connect_in(self, lab: &Lab) -> Result<Pair> {
        let lab = lab.clone();
        let (host_a, host_b) = (lab.host("a")?.clone(), lab.host("b")?.clone());
        let (client, server) =
            futures::try_join!(host_a.process_named("client"), host_b.process_named("server"))?;
        let address = host_b.address(self.ip, PORT);
        let listener = server.socket(address).ok().await?;
        listener.set(option::REUSEADDR, 1).ok().await?;
        for setting in &self.on_listener {
            setting(&listener).ok().await?;
        }
        listener.bind(address).ok().await?;
        listener.listen(128).ok().await?;
        let socket = client.socket(address).ok().await?;
        for setting in &self.on_a {
            setting(&socket).ok().await?;
        }
        socket.connect(address).ok().await?;
        let accepted = listener.accept().ok().await?;
        let source = socket.local().ok().await?;
        let a = End { process: client, socket, local: source, remote: address };
        // Behind a router that translates, the other end is not who it thinks it is.
        let seen = if lab.router().is_ok() { accepted.peer().ok().await? } else { source };
        let b = End { process: server, socket: accepted, local: address, remote: seen };
        // The last segment of the handshake has arrived once the server's side is established.
        b.kernel().reaches(State::Established).await?;
        Ok(Pair { lab, a, b, listener })
    }
}

/// An established connection with everything around it.
pub struct Pair {
    /// The lab they are in.
    pub lab: Lab,
    /// The end that connected.
    pub a: End,
    /// The end that accepted.
    pub b: End,
    /// `b`'s listener.
    pub listener: Socket,
}

impl Pair {
    /// What is seen between them.
    #[must_use]
    pub fn wire(&self) -> &Wire {
        self.lab.wire()
    }

    /// Lets `a` write so much more than `b`, which does not read, has room for that `b` closes its
    /// window, and waits until `a` probes it. The segment that closed it.
    ///
    /// # Errors
    /// `b` has room for all of it, or `a` cannot hold the rest.
    pub async fn close_window(&self, bytes: u32) -> Result<Segment> {
        self.a.write_pattern(bytes).await?.is(&(bytes as usize))?;
        // Before that, a window too small for a whole segment is left alone for a while.
        let closed = any().from("b").window(0);
        let closed = self.wire().expect(closed).within(Duration::from_secs(5)).await?;
        self.a.kernel().probes_the_window().await?;
        Ok(closed)
    }
}

/// One end of a connection. It is its [`Socket`], and knows whose.
#[derive(Debug, Clone)]
pub struct End {
    /// The process that opened it.
    pub process: Process,
    socket: Socket,
    local: SocketAddr,
    remote: SocketAddr,
}

impl End {
    /// The end of a connection made by other means than [`PairBuilder`].
    #[must_use]
    pub fn new(socket: Socket, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { process: socket.process().clone(), socket, local, remote }
    }

    /// The host it is on.
    #[must_use]
    pub fn host(&self) -> &Host {
        self.process.host()
    }

    /// Its own address.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// The other end's address.
    #[must_use]
    pub fn remote_address(&self) -> SocketAddr {
        self.remote
    }

    /// Its retransmission timeout as it is now (`tcpi_rto`).
    ///
    /// # Errors
    /// The call fails.
    pub async fn rto(&self) -> Result<Duration> {
        Ok(self.info().ok().await?.rto())
    }

    /// What its host's kernel says of it.
    #[must_use]
    pub fn kernel(&self) -> SocketView {
        SocketView::new(self.host(), self.local, self.remote)
    }
}

impl Packets {
    /// Sent by this end of a connection to its peer.
    pub fn sent_by(self, end: &End) -> Self {
        self.from(end.host().name()).addressed(end.local_address(), end.remote_address())
    }
}

impl Lab {
    /// Somebody in the patch who speaks in this end's name to its peer; see [`Impostor`].
    ///
    /// # Errors
    /// The lab has no patch, or the peer is not in it.
    pub fn impersonate(&self, end: &End) -> Result<Impostor> {
        self.impersonate_towards(end.local_address(), end.remote_address())
    }
}

impl Deref for End {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}
