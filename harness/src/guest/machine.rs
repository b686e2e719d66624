//! A running guest kernel, as its case holds it.

use std::{
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    line::Line,
    protocol::{Answer, Ask, Configuration},
    relay,
};
use crate::{
    error::{Error, Result},
    process::{
        home::{Elsewhere, Started},
        syscall::Weight,
    },
    stamp::Stamp,
    sys::{child::readable, inside, rtnl::Rtnl, sock_diag::SocketEntry},
};

/// How many times the clocks are compared. The quickest exchange counts, so a few are enough.
const COMPARISONS: usize = 8;

/// How long a kernel may take to end once it was told to.
const DYING: Duration = Duration::from_secs(20);

/// A guest kernel. Clones name the same one.
#[derive(Debug, Clone)]
pub(crate) struct Guest(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: String,
    /// The kernel itself, a process like any other to this machine.
    pid: i32,
    pidfd: OwnedFd,
    line: Arc<Line>,
    asleep: AtomicBool,
    ended: Mutex<bool>,
}

impl Guest {
    pub(super) fn new(host: &str, pid: i32, pidfd: OwnedFd, line: Arc<Line>) -> Self {
        let host = host.to_owned();
        let asleep = AtomicBool::new(false);
        Self(Arc::new(Inner { host, pid, pidfd, line, asleep, ended: Mutex::new(false) }))
    }

    /// The kernel's own process id, as the case counts.
    pub(crate) fn pid(&self) -> i32 {
        self.0.pid
    }

    /// Lets it stand still with all that runs in it, or go on.
    pub(crate) fn sleeps(&self, asleep: bool) {
        self.0.asleep.store(asleep, Ordering::Relaxed);
        let signal = if asleep { Signal::SIGSTOP } else { Signal::SIGCONT };
        // One that has died needs neither.
        let _ = kill(Pid::from_raw(self.0.pid), signal);
    }

    fn ask(&self, ask: &Ask) -> Result<Answer> {
        if self.0.asleep.load(Ordering::Relaxed) {
            let context = format!("ask the guest kernel of host {}", self.0.host);
            return Err(Error::system(context, "it sleeps").advise("let it resume first"));
        }
        self.0.line.ask(ask)
    }

    fn nonsense<T>(&self, ask: &Ask) -> Result<T> {
        Err(self.0.line.nonsense(ask))
    }

    /// Brings its clock to the machine's, so that what its agents stamp sorts with the rest. The
    /// guest was asked somewhere between question and answer: the quickest exchange errs least.
    pub(super) fn set_clock(&self) -> Result {
        let mut best = (Duration::MAX, 0);
        for _ in 0..COMPARISONS {
            let asked = Stamp::now();
            let Answer::Time(theirs) = self.ask(&Ask::Clock)? else {
                return self.nonsense(&Ask::Clock);
            };
            let took = Stamp::now().since(asked);
            if took < best.0 {
                best = (took, asked.after(took / 2).0 - theirs.0);
            }
        }
        self.ask(&Ask::Shift(best.1)).map(drop)
    }

    /// Makes it a host of its lab; the index of its network card.
    pub(crate) fn configure(&self, configuration: Configuration) -> Result<u32> {
        let ask = Ask::Configure(configuration);
        match self.ask(&ask)? {
            Answer::Number(index) => u32::try_from(index).or_else(|_| self.nonsense(&ask)),
            _ => self.nonsense(&ask),
        }
    }

    /// Begins a conversation with its routing side, on the current runtime.
    pub(crate) fn routes(&self) -> Result<Rtnl> {
        relay::open(&self.0.line).map(Rtnl::over)
    }

    fn truth(&self, ask: &Ask) -> Result<bool> {
        match self.ask(ask)? {
            Answer::Truth(truth) => Ok(truth),
            _ => self.nonsense(ask),
        }
    }

    fn entries(&self, ask: &Ask) -> Result<Vec<SocketEntry>> {
        match self.ask(ask)? {
            Answer::Sockets(raw) => Ok(raw.iter().filter_map(|m| SocketEntry::parse(m)).collect()),
            _ => self.nonsense(ask),
        }
    }

    /// Every TCP socket it has.
    pub(crate) fn sockets(&self) -> Result<Vec<SocketEntry>> {
        self.entries(&Ask::Sockets)
    }

    /// The socket with these addresses, if it has one that is not a listener.
    pub(crate) fn socket(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<Option<SocketEntry>> {
        self.entries(&Ask::Socket { local, remote }).map(|found| found.into_iter().next())
    }

    /// Reads one of its sysctls.
    pub(crate) fn sysctl(&self, name: &str) -> Result<String> {
        let ask = Ask::Sysctl(name.to_owned());
        match self.ask(&ask)? {
            Answer::Text(text) => Ok(text),
            _ => self.nonsense(&ask),
        }
    }

    /// Writes one of its sysctls.
    pub(crate) fn set_sysctl(&self, name: &str, value: &str) -> Result {
        self.ask(&Ask::SetSysctl(name.to_owned(), value.to_owned())).map(drop)
    }

    /// One of its kernel's counters.
    pub(crate) fn counter(&self, name: &str) -> Result<u64> {
        let ask = Ask::Counter(name.to_owned());
        match self.ask(&ask)? {
            Answer::Number(value) => Ok(value),
            _ => self.nonsense(&ask),
        }
    }

    /// Lets its kernel panic, and comes back when it is dead. A user-mode kernel that panics ends
    /// its own process (`arch/um/kernel/um_arch.c`, `panic_exit`): what is left is a network card
    /// that holds its link, as on a machine that hangs after its panic.
    ///
    /// One that sleeps executes nothing, be it its own panic, and if it were woken for it, it
    /// might do other things first. It is killed where it stands, which leaves the same.
    pub(crate) fn panic(&self) -> Result {
        if self.0.asleep.load(Ordering::Relaxed) {
            let _ = self.kill();
            return Ok(());
        }
        // The answer is its death.
        let line = self.0.line.clone();
        let asking = std::thread::spawn(move || drop(line.ask(&Ask::Panic)));
        let pidfd = self.0.pidfd.as_fd();
        let died = readable(&[pidfd], Some(Instant::now() + DYING))?.contains(&true);
        let _ = self.kill();
        let _ = asking.join();
        if died {
            return Ok(());
        }
        let context = format!("let the kernel of guest {} panic", self.0.host);
        Err(Error::system(context, format!("it lives on after {} s", DYING.as_secs())))
    }

    /// Takes its power away: SIGKILL, and its kernel is gone with all it held. What it has started
    /// to help it on this machine, and its processes' shells, end with the namespace they are in.
    ///
    /// Says how it ended, for who wonders.
    pub(crate) fn kill(&self) -> String {
        let mut ended = self.0.ended.lock().expect("no holder of this lock panics");
        if std::mem::replace(&mut *ended, true) {
            return "ended before".to_owned();
        }
        let _ = kill(Pid::from_raw(self.0.pid), Signal::SIGKILL);
        let pidfd = self.0.pidfd.as_fd();
        let _ = readable(&[pidfd], Some(Instant::now() + DYING));
        let status = inside::collect(pidfd);
        self.0.line.hang_up();
        status.map_or_else(|errno| errno.to_string(), crate::process::words)
    }
}

/// What a guest's line and memory can take in one call. Its line carries about a megabyte a second,
/// and of its memory, 64 MiB, a message takes its length several times.
const LIMIT: Weight = Weight { shipped: 1 << 20, held: 8 << 20 };

impl Elsewhere for Guest {
    fn start(&self, name: &str) -> Result<Started> {
        self.0.line.start(name)
    }

    fn signal(&self, pid: i32, signal: Signal) -> Result {
        self.ask(&Ask::Signal { pid, signal: signal as i32 }).map(drop)
    }

    fn signal_thread(&self, pid: i32, thread: i32, signal: Signal) -> Result {
        self.ask(&Ask::SignalThread { pid, thread, signal: signal as i32 }).map(drop)
    }

    fn stopped(&self, pid: i32) -> Result<bool> {
        self.truth(&Ask::Stopped { pid })
    }

    fn asleep(&self, pid: i32, thread: i32) -> bool {
        self.truth(&Ask::Asleep { pid, thread }).unwrap_or(false)
    }

    fn limit(&self) -> Weight {
        LIMIT
    }
}
