//! The other side: the first process of a guest kernel, which is lastack itself in one more role.
//!
//! It makes the guest a host of its lab, starts agents and passes their messages on, and answers
//! for what a namespace host's kernel would be asked from outside.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::Write,
    os::fd::{AsFd, OwnedFd},
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
    sync::{Arc, Mutex, MutexGuard, mpsc},
    thread,
};

use nix::{
    mount::{MsFlags, mount},
    sys::{
        signal::{Signal, kill},
        termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
        time::TimeSpec,
        wait::{WaitPidFlag, waitpid},
    },
    time::{ClockId, clock_settime},
    unistd::Pid,
};

use super::{
    configure::configure,
    protocol::{Answer, Ask, FromGuest, IN_PIECES, INIT, LAST, NETLINK_LIMIT},
};
use crate::{
    error::{Context, Result},
    process::agent,
    stamp::Stamp,
    sys::{
        codec::{self, Received, read_frame, write_frame},
        counters, inside, rtnl, seqpacket, signals,
        sock_diag::Diag,
        sysctl,
    },
};

/// The argument with which a lastack binary is started as a guest's init.
pub const ROLE: &str = "lastack:guest";

/// The guest's end of the line to its case.
const LINE: &str = "/dev/ttyS0";

/// Serves the case until the guest dies. An init that ends lets its kernel panic, so whatever goes
/// wrong is also the end of the guest.
#[must_use]
pub fn guest_main() -> ExitCode {
    if std::process::id() != 1 {
        eprintln!("{ROLE} is started by lastack itself, as the init of a guest kernel");
        return ExitCode::from(2);
    }
    let error = Init::begin().and_then(Init::serve).err();
    eprintln!("the guest's init ends: {}", error.map_or_else(String::new, |e| e.to_string()));
    ExitCode::FAILURE
}

/// What its threads share.
#[derive(Clone)]
struct Init {
    line: Arc<Mutex<File>>,
    channels: Arc<Mutex<HashMap<u32, Channel>>>,
    diag: Arc<Mutex<Diag>>,
    born: mpsc::Sender<()>,
}

/// Whom a channel of the line leads to.
#[derive(Clone)]
enum Channel {
    /// An agent.
    Agent(Arc<OwnedFd>),
    /// This kernel's routing side.
    Netlink(Arc<OwnedFd>),
}

impl Channel {
    fn send(&self, message: &[u8]) -> Result {
        match self {
            Self::Agent(socket) => codec::send_bytes(socket.as_fd(), message, &[]),
            Self::Netlink(socket) => seqpacket::send(socket.as_fd(), &[message], &[]),
        }
    }

    /// Waits for the next message; none if there will be no more.
    fn receive<'b>(&self, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        match self {
            Self::Agent(socket) => match codec::receive_bytes(socket.as_fd(), buffer, true) {
                Ok(Received::Message(message, _)) => Some(message),
                _ => None,
            },
            Self::Netlink(socket) => {
                buffer.resize(NETLINK_LIMIT, 0);
                let (length, _) = seqpacket::receive(socket.as_fd(), buffer, true).ok()??;
                Some(&buffer[..length]).filter(|message| !message.is_empty())
            }
        }
    }
}

impl Init {
    fn begin() -> Result<Self> {
        let none = None::<&str>;
        mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none)
            .context(|| "mount /proc in the guest".to_owned())?;
        let line = OpenOptions::new().read(true).write(true).open(LINE);
        let line = line.context(|| format!("open {LINE} in the guest"))?;
        let mut settings = tcgetattr(&line).context(|| "read the line's settings".to_owned())?;
        cfmakeraw(&mut settings);
        tcsetattr(&line, SetArg::TCSANOW, &settings)
            .context(|| "make the line carry bytes as they are".to_owned())?;
        super::configure::load_ipv6();
        let (born, births) = mpsc::channel();
        let init = Self {
            line: Arc::new(Mutex::new(line)),
            channels: Arc::default(),
            diag: Arc::new(Mutex::new(Diag::open()?)),
            born,
        };
        let reaper = init.clone();
        thread::spawn(move || reaper.reap(&births));
        Ok(init)
    }

    fn serve(self) -> Result {
        let mut line = held(&self.line).try_clone().context(|| "share the line".to_owned())?;
        self.say(&FromGuest::Up);
        // A message that comes in pieces: the case sends one such at a time.
        let mut pieces = Vec::new();
        loop {
            let (tag, mut message) =
                read_frame(&mut line).context(|| "hear from the case".to_owned())?;
            if tag & IN_PIECES != 0 {
                pieces.append(&mut message);
                if tag & LAST == 0 {
                    self.say(&FromGuest::Taken);
                    continue;
                }
                message = std::mem::take(&mut pieces);
            }
            let channel = tag & !(IN_PIECES | LAST);
            if channel != INIT {
                let far = held(&self.channels).get(&channel).cloned();
                // One that has ended hears nothing.
                far.map(|far| far.send(&message));
                continue;
            }
            // Nothing but a wake-up.
            if message.is_empty() {
                continue;
            }
            let (id, ask): (u64, Ask) = codec::decode(&message)?;
            let answer = self.act(ask).unwrap_or_else(Answer::Failed);
            self.say(&FromGuest::Answer(id, answer));
        }
    }

    fn act(&self, ask: Ask) -> Result<Answer> {
        let done = |()| Answer::Done;
        match ask {
            Ask::Clock => Ok(Answer::Time(Stamp::now())),
            Ask::Shift(by) => shift(by).map(done),
            Ask::Configure(configuration) => {
                configure(configuration).map(|index| Answer::Number(index.into()))
            }
            Ask::Routes { channel } => self.relay(channel).map(done),
            Ask::Start { channel, host, name } => self.start(channel, &host, &name),
            Ask::Signal { pid, signal } => Signal::try_from(signal)
                .and_then(|signal| kill(Pid::from_raw(pid), signal))
                .map(done)
                .context(|| format!("send signal {signal} to process {pid} of the guest")),
            Ask::SignalThread { pid, thread, signal } => Signal::try_from(signal)
                .and_then(|signal| signals::send_to_thread(pid, thread, signal))
                .map(done)
                .context(|| format!("send signal {signal} to thread {thread} of the guest")),
            Ask::Stopped { pid } => stopped(pid).map(Answer::Truth),
            Ask::Asleep { pid, thread } => Ok(Answer::Truth(asleep(pid, thread))),
            Ask::Sockets => held(&self.diag).raw_sockets().map(Answer::Sockets),
            Ask::Socket { local, remote } => {
                let found = held(&self.diag).raw_socket(local, remote)?;
                Ok(Answer::Sockets(found.into_iter().collect()))
            }
            Ask::Sysctl(name) => sysctl::read(&name).map(Answer::Text),
            Ask::SetSysctl(name, value) => sysctl::write(&name, &value).map(done),
            Ask::Counter(name) => counters::read(&name).map(Answer::Number),
            Ask::Panic => {
                let panic = fs::write("/proc/sysrq-trigger", "c");
                panic.context(|| "panic".to_owned()).map(done)
            }
        }
    }

    fn start(&self, channel: u32, host: &str, name: &str) -> Result<Answer> {
        let context = || format!("start process {name} in the guest");
        let (ours, theirs) = seqpacket::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("lastack").arg(agent::ROLE).arg(host).arg(name);
        inside::hand_over(&mut command, theirs.as_fd());
        let spawned = command.spawn().context(context)?;
        drop(theirs);
        let agent = Channel::Agent(Arc::new(ours));
        held(&self.channels).insert(channel, agent.clone());
        let init = self.clone();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || init.pass_on(channel, &agent))
            .context(context)?;
        let _ = self.born.send(());
        Ok(Answer::Number(spawned.id().into()))
    }

    /// Lets the case speak to this kernel's routing side.
    fn relay(&self, channel: u32) -> Result {
        let netlink = Channel::Netlink(Arc::new(rtnl::blocking_socket()?));
        held(&self.channels).insert(channel, netlink.clone());
        let init = self.clone();
        thread::spawn(move || init.pass_on(channel, &netlink));
        Ok(())
    }

    /// Carries what somebody says to the case; an empty message says that there is no more.
    fn pass_on(&self, channel: u32, far: &Channel) {
        let mut buffer = Vec::new();
        while let Some(message) = far.receive(&mut buffer) {
            self.write(channel, message);
        }
        held(&self.channels).remove(&channel);
        self.write(channel, &[]);
    }

    /// Collects every process that ends, its own children and those left to it.
    fn reap(&self, births: &mpsc::Receiver<()>) {
        loop {
            match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Ok(status) => {
                    use nix::sys::wait::WaitStatus::{Exited, Signaled};
                    let (pid, status) = match status {
                        Exited(pid, code) => (pid, code << 8),
                        Signaled(pid, signal, _) => (pid, signal as i32),
                        _ => continue,
                    };
                    self.say(&FromGuest::Ended { pid: pid.as_raw(), status });
                }
                // Nobody to wait for, until somebody is born.
                Err(_) => {
                    if births.recv().is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn say(&self, word: &FromGuest) {
        if let Ok(bytes) = codec::encode(word) {
            self.write(INIT, &bytes);
        }
    }

    fn write(&self, channel: u32, message: &[u8]) {
        let mut line = held(&self.line);
        // A line that is down is the end of the case, and of the guest soon after.
        let _ = write_frame(&mut *line, channel, message).and_then(|()| line.flush());
    }
}

fn shift(by: i64) -> Result {
    let now = Stamp::now().0.saturating_add(by);
    let time = TimeSpec::new(now.div_euclid(1_000_000_000), now.rem_euclid(1_000_000_000));
    clock_settime(ClockId::CLOCK_REALTIME, time).context(|| "set the guest's clock".to_owned())
}

fn stopped(pid: i32) -> Result<bool> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.context(|| format!("look at process {pid} of the guest"))?;
    Ok(tasks.flatten().all(|task| state(&task.path()) == Some('T')))
}

/// A guest has no `/proc/PID/syscall`, but shows where in its kernel a thread sleeps: in a call of
/// its own business if not in the futex of a lock or in sending word to its init.
fn asleep(pid: i32, thread: i32) -> bool {
    let task = format!("/proc/{pid}/task/{thread}");
    let stack = fs::read_to_string(format!("{task}/stack")).unwrap_or_default();
    state(task.as_ref()) == Some('S')
        && stack.contains("handle_syscall")
        && !["futex", "sys_sendmsg"].iter().any(|own| stack.contains(own))
}

fn state(task: &std::path::Path) -> Option<char> {
    let stat = fs::read_to_string(task.join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("no holder of this lock panics")
}
