//! A process under test.

use std::{
    fmt,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    os::unix::process::CommandExt,
    process::Command,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{signal::Signal, wait::WaitStatus},
    unistd::Pid,
};

use super::{
    agent,
    body::{Body, Fate},
    call::Call,
    option,
    protocol::{Op, Value},
    socket::{Socket, count, done, handle},
    talk::Talk,
};
use crate::{
    error::{Attempt, Error, Result},
    lab::Host,
    sys::{inside, seqpacket, signals::Disposition},
    wire::Record,
};

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
        let attempt = || format!("start process {name} on host {}", host.name());
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
        let spawned = command.spawn().attempt(attempt)?;
        drop(theirs);
        let pid = i32::try_from(spawned.id()).expect("process ids fit an i32");
        host.adopt(pid);
        let body = Body::here(pid).attempt(attempt)?;
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
            Fate::Ended(status) => {
                let words = words(status);
                let _ = self.0.status.set(status);
                words
            }
            Fate::Lives => "lives on as another program".to_owned(),
            Fate::Collected => {
                self.0.status.get().map_or("ended".to_owned(), |status| words(*status))
            }
            Fate::MachineGone => "died with its machine".to_owned(),
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

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has been collected already.
    pub fn signal(&self, signal: Signal) -> Result {
        self.note(format!("{signal} to {}", self.name()));
        let sent = self.0.body.signal(self.0.pid, signal);
        sent.attempt(|| format!("signal process {}", self.name()))
    }

    pub(super) fn signal_thread(&self, thread: i32, signal: Signal) -> Result {
        self.0.body.signal_thread(self.0.pid, thread, signal)
    }

    pub(super) fn sleeps_in_call(&self, thread: i32) -> bool {
        self.0.body.sleeps_in_call(self.0.pid, thread)
    }

    /// Kills it with SIGKILL and waits until it has ended, and with it closed everything.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn kill(&self) -> Result {
        self.signal(Signal::SIGKILL)?;
        self.wait().await.map(drop)
    }

    /// Stops it (SIGSTOP) and waits until all its threads stand still.
    ///
    /// # Errors
    /// It has ended.
    pub async fn stop(&self) -> Result {
        self.signal(Signal::SIGSTOP)?;
        let stopped = || self.0.body.stopped(self.0.pid);
        while !stopped().ok_or_else(|| self.gone("SIGSTOP"))? {
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// It has ended.
    pub fn resume(&self) -> Result {
        self.signal(Signal::SIGCONT)
    }

    /// Waits until it has ended and says how.
    ///
    /// # Errors
    /// The status was collected by somebody else.
    pub async fn wait(&self) -> Result<WaitStatus> {
        if let Some(status) = self.0.status.get() {
            return Ok(*status);
        }
        let status = match self.0.body.ended(self.0.pid).await? {
            Fate::Ended(status) => status,
            // Seen to end by another who waited, meanwhile.
            _ if self.0.status.get().is_some() => self.0.status.get().copied().expect("just seen"),
            // A forked child is its parent's to collect, for as long as that lives.
            Fate::Collected => self.collected_by_parent().await?,
            fate => return Err(fate.unknown(self.name())),
        };
        Ok(*self.0.status.get_or_init(|| status))
    }

    async fn collected_by_parent(&self) -> Result<WaitStatus> {
        let lost = || Error::system(format!("wait for process {}", self.name()), Errno::ECHILD);
        let parent = self.0.parent.as_ref().ok_or_else(lost)?;
        let op = Op::Wait { pid: self.0.pid };
        let raw = parent.call(op, count).ok().await?;
        WaitStatus::from_raw(Pid::from_raw(self.0.pid), raw as i32).map_err(|_| lost())
    }

    /// `exit(3)`; comes back when it has ended.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn exit(&self, status: i32) -> Result<WaitStatus> {
        self.end(Op::Exit { status }).await
    }

    /// `abort(3)`: SIGABRT.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn abort(&self) -> Result<WaitStatus> {
        self.end(Op::Abort).await
    }

    /// A wild pointer: SIGSEGV.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn crash(&self) -> Result<WaitStatus> {
        self.end(Op::Crash).await
    }

    /// A Rust panic that unwinds its main thread.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn panic(&self) -> Result<WaitStatus> {
        self.end(Op::Panic).await
    }

    async fn end(&self, op: Op) -> Result<WaitStatus> {
        let text = op.to_string();
        self.talk().order(WHOLE, op, text, None).await?;
        self.wait().await
    }

    /// `fork(2)`: a child that shares every descriptor, under the name `name`.
    ///
    /// # Errors
    /// The process is gone, or cannot fork.
    pub async fn fork(&self, name: &str) -> Result<Self> {
        self.fork_as(name, false).await
    }

    /// As [`Self::fork`], the child being the first process of a PID namespace of its own, as a
    /// container's is; what it forks dies with it.
    ///
    /// # Errors
    /// The process is gone, or cannot make a PID namespace.
    pub async fn fork_container(&self, name: &str) -> Result<Self> {
        self.fork_as(name, true).await
    }

    async fn fork_as(&self, name: &str, container: bool) -> Result<Self> {
        self.0.host.not_in_a_guest("forking a process under the case's control")?;
        let (ours, theirs) = seqpacket::pair()?;
        let op = Op::Fork { container };
        let text = format!("{op} as {name}");
        let order = self.talk().order(WHOLE, op, text, Some(theirs.as_fd())).await?;
        drop(theirs);
        let ended = order.ended.await.map_err(|_| self.gone("fork()"))?;
        let pid = match ended.answer {
            Ok(Value::Number(pid)) => {
                self.child(i32::try_from(pid).expect("process ids fit an i32"))?
            }
            Ok(_) => return Err(self.gone("fork()")),
            Err(errno) => {
                let attempt = format!("fork process {}", self.name());
                return Err(Error::system(attempt, Errno::from_raw(errno)));
            }
        };
        // The child's channel came with the order; it says it is up by its first answer.
        self.0.host.adopt(pid);
        let watched = Body::here(pid).attempt(|| format!("watch process {name}"))?;
        Self::attend(&self.0.host, name, pid, ours, watched, Some(self.clone())).await
    }

    /// The process id, as the case counts, of a child that in this process's PID namespace is
    /// called `pid`: the same, unless this process lives in a container.
    fn child(&self, pid: i32) -> Result<i32> {
        let lost =
            |what| Error::system(format!("find child {pid} of process {}", self.name()), what);
        let (_, names) = family(self.0.pid).ok_or_else(|| lost("its parent has ended"))?;
        // A process has a name in its own PID namespace and in each around it.
        let depth = names.len().saturating_sub(1);
        if depth == 0 {
            return Ok(pid);
        }
        let all = std::fs::read_dir("/proc").attempt(|| "list processes".to_owned())?;
        let mut all = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mine = |candidate: &i32| {
            family(*candidate).is_some_and(|(parent, names)| {
                parent == self.0.pid && names.get(depth) == Some(&pid)
            })
        };
        all.find(mine).ok_or_else(|| lost("no such process"))
    }

    /// `execve(2)` of a program: the process goes on as that, and takes no more calls.
    ///
    /// # Errors
    /// The program cannot be executed.
    pub async fn exec(&self, program: &[&str]) -> Result {
        let program = program.iter().map(|word| (*word).to_owned()).collect();
        let op = Op::Exec { program };
        let text = op.to_string();
        let order = self.talk().order(WHOLE, op, text.clone(), None).await?;
        // On success the channel closes on exec; an answer is a failure.
        match order.ended.await {
            Err(_) => Ok(()),
            Ok(ended) => {
                let errno = ended.answer.err().map_or(Errno::UnknownErrno, Errno::from_raw);
                Err(Error::system(format!("{text} in {}", self.name()), errno))
            }
        }
    }

    /// `execve(2)` of a fresh agent: every close-on-exec descriptor closes, the others stay open
    /// under their numbers, and the process goes on taking calls.
    ///
    /// # Errors
    /// The process is gone.
    pub async fn exec_again(&self) -> Result {
        self.0.host.not_in_a_guest("executing an agent anew")?;
        let (ours, theirs) = seqpacket::pair()?;
        let text = Op::Become.to_string();
        self.talk().order(WHOLE, Op::Become, text, Some(theirs.as_fd())).await?;
        drop(theirs);
        let (host, name) = (&self.0.host, self.short_name());
        let talk = Talk::begin(ours, host.name(), name, host.journal().clone()).await?;
        *self.0.talk.lock().expect("no holder of this lock panics") = talk;
        Ok(())
    }

    fn short_name(&self) -> &str {
        self.0.name.split_once('/').map_or(self.name(), |(_, name)| name)
    }

    /// A copy of another process's descriptor (`pidfd_getfd(2)`), as a debugger takes one.
    pub fn steal(&self, socket: &Socket) -> Call<Socket> {
        self.call(Op::StealFd { pid: socket.process().pid(), fd: socket.fd() }, handle)
    }

    /// Joins two processes with a Unix socket, to pass descriptors over: one end in each.
    ///
    /// # Errors
    /// Either process is gone.
    pub async fn join(&self, other: &Self) -> Result<(Socket, Socket)> {
        let (here, there) = seqpacket::pair()?;
        Ok((self.adopt(here).await?, other.adopt(there).await?))
    }

    async fn adopt(&self, fd: OwnedFd) -> Result<Socket> {
        self.0.host.not_in_a_guest("handing over descriptors")?;
        let text = Op::Adopt.to_string();
        let order = self.talk().order(WHOLE, Op::Adopt, text, Some(fd.as_fd())).await?;
        let ended = order.ended.await.map_err(|_| self.gone("adopt"))?;
        let value = ended.answer.ok().and_then(|value| handle(self, value));
        value.ok_or_else(|| self.gone("adopt"))
    }
}

/// A wait status in words: "exited with status 1", "was killed by SIGKILL".
#[must_use]
pub fn words(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, code) => format!("exited with status {code}"),
        WaitStatus::Signaled(_, signal, _) => format!("was killed by {signal}"),
        other => format!("changed to {other:?}"),
    }
}

/// A process's parent, and what it is called in each PID namespace it is in, outermost first
/// (`proc_pid_status(5)`).
fn family(pid: i32) -> Option<(i32, Vec<i32>)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
    let parent = field("PPid:")?.trim().parse().ok()?;
    Some((parent, field("NSpid:")?.split_whitespace().flat_map(str::parse).collect()))
}
