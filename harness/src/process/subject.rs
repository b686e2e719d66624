//! A process under test.

use std::{
    fmt,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    os::unix::process::CommandExt,
    process::Command,
    sync::{Arc, Mutex, OnceLock},
};

use nix::sys::{signal::Signal, wait::WaitStatus};

use super::{
    agent,
    body::{Body, Lost},
    call::Call,
    option,
    protocol::{Op, Value},
    socket::{Socket, done, handle},
    talk::Talk,
};
use crate::{
    error::{Context, Error, Result},
    lab::Host,
    sys::{inside, seqpacket, signals::Disposition},
    wire::Record,
};

mod fate;
mod offspring;

pub use fate::words;

/// Where orders to the process as a whole are carried out: on the agent's own thread, whatever
/// its others are doing.
const WHOLE: &str = "process";

/// A real process on a host. Clones name the same one.
///
/// It lives until it ends by itself, is made to, or its case is over.
#[derive(Clone)]
pub struct Process(Arc<Inner>);

struct Inner {
    host: Host,
    name: String,
    pid: i32,
    body: Body,
    talk: Mutex<Talk>,
    parent: Option<Process>,
    status: OnceLock<WaitStatus>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Process {
    /// Starts an agent inside the host.
    pub(crate) async fn start(host: &Host, name: &str) -> Result<Self> {
        let context = || format!("start process {name} on host {}", host.name());
        if let Some(guest) = host.guest()? {
            let (channel, pid, ending) = guest.start(name)?;
            return Self::attend(host, name, pid, channel, Body::InGuest(guest, ending), None)
                .await;
        }
        let (ours, theirs) = seqpacket::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("lastack").arg(agent::ROLE).arg(host.name()).arg(name);
        let netns = host.netns()?;
        inside::place(&mut command, netns.as_fd(), Some(theirs.as_fd()));
        let spawned = command.spawn().context(context)?;
        drop(theirs);
        let pid = i32::try_from(spawned.id()).expect("process ids fit an i32");
        host.adopt(pid);
        let body = Body::here(pid).context(context)?;
        Self::attend(host, name, pid, ours, body, None).await
    }

    async fn attend(
        host: &Host,
        name: &str,
        pid: i32,
        channel: OwnedFd,
        body: Body,
        parent: Option<Self>,
    ) -> Result<Self> {
        let talk = Talk::begin(channel, host.name(), name, host.journal().clone()).await?;
        let (host, name) = (host.clone(), format!("{}/{name}", host.name()));
        let (talk, status) = (Mutex::new(talk), OnceLock::new());
        Ok(Self(Arc::new(Inner { host, name, pid, body, talk, parent, status })))
    }

    /// Its name: "host/process".
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its process id, as the case's own PID namespace counts, or the guest kernel it is in.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.0.pid
    }

    /// The host it runs on.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    pub(super) fn talk(&self) -> Talk {
        self.0.talk.lock().expect("no holder of this lock panics").clone()
    }

    /// What a call says that will have no answer: its channel has closed.
    pub(super) fn gone(&self, what: &str) -> Error {
        let fate = match self.0.body.fate(self.0.pid) {
            Lost::Ended(status) => {
                let words = words(status);
                let _ = self.0.status.set(status);
                words
            }
            Lost::Lives => "lives on as another program".to_owned(),
            Lost::Collected => {
                self.0.status.get().map_or("ended".to_owned(), |status| words(*status))
            }
            Lost::MachineGone => "died with its machine".to_owned(),
        };
        Error::mismatch(what, "an answer", format!("no answer: the process {fate}"))
    }

    fn call<T: Send + 'static>(
        &self,
        op: Op,
        read: impl FnOnce(&Self, Value) -> Option<T> + Send + 'static,
    ) -> Call<T> {
        Call::new(self, op, read)
    }

    /// `socket(2)` for TCP over the address family of `like`.
    pub fn socket(&self, like: SocketAddr) -> Call<Socket> {
        self.call(Op::Socket { v6: like.is_ipv6(), nonblocking: false }, handle)
    }

    /// As [`Self::socket`], with `SOCK_NONBLOCK`.
    pub fn nonblocking_socket(&self, like: SocketAddr) -> Call<Socket> {
        self.call(Op::Socket { v6: like.is_ipv6(), nonblocking: true }, handle)
    }

    /// A listening socket on `address`: `socket`, `SO_REUSEADDR`, `bind`, `listen`.
    ///
    /// # Errors
    /// One of the calls failed.
    pub async fn listen(&self, address: SocketAddr) -> Result<Socket> {
        self.listen_with_backlog(address, 128).await
    }

    /// As [`Self::listen`], with room for `backlog` connections and one more that nobody has
    /// accepted yet (`include/net/sock.h`, `sk_acceptq_is_full`).
    ///
    /// # Errors
    /// As [`Self::listen`].
    pub async fn listen_with_backlog(&self, address: SocketAddr, backlog: i32) -> Result<Socket> {
        let socket = self.socket(address).ok().await?;
        socket.set(option::REUSEADDR, 1).ok().await?;
        socket.bind(address).ok().await?;
        socket.listen(backlog).ok().await?;
        Ok(socket)
    }

    /// A socket connected to `address`: `socket`, `connect`.
    ///
    /// # Errors
    /// One of the calls failed.
    pub async fn connect(&self, address: SocketAddr) -> Result<Socket> {
        let socket = self.socket(address).ok().await?;
        socket.connect(address).ok().await?;
        Ok(socket)
    }

    /// Sets what the process does on `signal`. An agent starts with SIGPIPE handled, so that
    /// every call can say whether it raised one; all else is at its default.
    pub fn dispose(&self, signal: Signal, disposition: Disposition) -> Call<()> {
        self.call(Op::Dispose { signal: signal as i32, disposition, interrupt: false }, done)
    }

    /// Installs a handler that interrupts blocked calls (no `SA_RESTART`).
    pub fn interrupt_on(&self, signal: Signal) -> Call<()> {
        let disposition = Disposition::Handle;
        self.call(Op::Dispose { signal: signal as i32, disposition, interrupt: true }, done)
    }

    pub(super) fn note(&self, text: String) {
        self.0.host.journal().write(&Record::Note { at: crate::Stamp::now(), text });
    }
}
