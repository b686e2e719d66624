//! A virtual kernel, from its boot to its end.
//!
//! A thread of its own starts QEMU and stays with it: the kernel ends QEMU when that thread ends,
//! whatever ended this program. Nothing of a virtual kernel is in any file; its initial file system
//! is memory that only it and QEMU have.

use std::{
    fmt,
    fs::File,
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::Command,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{
    console::Console,
    image::Image,
    port::{Message, QUESTION},
    qemu::{self, Call},
    qmp::Monitor,
    watch::{Look, Watch},
};
use lastack_sys::{
    child::{Child, End, readable},
    error::{Context, Error, Result},
};

/// How long a virtual kernel may work without a sign of life (see `watch`), unless
/// [`SILENCE_VARIABLE`] says otherwise. A boot takes five seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// Says how many seconds a virtual kernel may work without a sign of life.
pub const SILENCE_VARIABLE: &str = "LASTACK_VIRTUAL_SILENCE";

/// Memory that a virtual kernel needs beside what its file system holds, in MiB: its kernel, and a
/// few cases.
const WORKING_MEMORY: usize = 192;

/// A kernel keeps a record of 64 bytes of every page that it has, also of those of an image of
/// programs, which are no part of its memory.
const PAGE_PER_RECORD: usize = 4096 / 64;
/// From the last that QEMU says to its end.
const MOMENT: Duration = Duration::from_secs(1);

/// A running machine. Dropped, it is ended.
#[derive(Debug)]
pub struct Machine {
    told: mpsc::Receiver<Told>,
    ended: Option<MachineEnd>,
    pid: i32,
    /// Its keeper ends it when this is dropped.
    leash: Option<UnixStream>,
    keeper: Option<JoinHandle<()>>,
    /// For one that was saved, or goes on: without it QEMU has nobody to tell of what happens.
    monitor: Option<Monitor>,
}

/// What a virtual kernel says, and that it says no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineEvent {
    /// One message, as the function in it said it.
    Frame(Vec<u8>),
    /// It has ended; nothing follows.
    Ended(MachineEnd),
}

/// How a virtual kernel ended. `console` is the last it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineEnd {
    /// The function in it came back.
    PoweredOff,
    /// Its kernel panicked.
    Panicked {
        /// Its last words.
        console: String,
    },
    /// It said nothing for so long that it was ended.
    Hung {
        /// Its last words.
        console: String,
        /// For how long, of processor time; or of real time, if it did not even work.
        silent_for: Duration,
        /// Whether its kernel and its init still answered all that time: what was done in it did
        /// not come to an end.
        answered: bool,
    },
    /// It ended of something else: it was killed, or QEMU gave up.
    Died {
        /// How.
        how: String,
        /// Its last words.
        console: String,
    },
    /// It ended, or was ended, before its init spoke.
    NeverBooted {
        /// Why.
        why: String,
        /// Its last words.
        console: String,
    },
}

impl fmt::Display for MachineEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let console = match self {
            Self::PoweredOff => return f.write_str("it powered off"),
            Self::Panicked { console } => {
                f.write_str("its kernel panicked")?;
                console
            }
            Self::Hung { console, silent_for, answered } => {
                let though = if *answered { ", though it answered," } else { "" };
                let seconds = silent_for.as_secs();
                write!(f, "it said nothing for {seconds} s of work{though} and was ended")?;
                console
            }
            Self::Died { how, console } => {
                f.write_str(how)?;
                console
            }
            Self::NeverBooted { why, console } => {
                write!(f, "it did not come up: {why}")?;
                console
            }
        };
        match console.is_empty() {
            true => f.write_str("; it printed nothing"),
            false => write!(f, "; the last of its console:\n{console}"),
        }
    }
}

/// What comes from the thread that stays with it.
pub(super) enum Told {
    /// Its init has begun, or goes on in a clone.
    Up,
    /// It can be saved.
    Ready,
    Event(MachineEvent),
}

impl Machine {
    /// Boots it; what it is to do is in `manifest`. Comes back at once: whether it came up, the
    /// first [`Machine::next_event`] says.
    ///
    /// # Errors
    /// QEMU does not start, or what is asked for cannot be: why, and what to do.
    pub fn boot(image: &Image, manifest: &[u8]) -> Result<Self> {
        let boot = || {
            let call = Call::new(image)?;
            let file = file_system(&call, image, Some(manifest))?;
            Self::start(call.boot(file)?, None)
        };
        boot().context(|| format!("boot virtual kernel {}", image.kernel().release))
    }

    /// Starts it with this command. If it is not up after so much work it is ended.
    pub(super) fn start(mut command: Command, up_within: Option<Duration>) -> Result<Self> {
        let context = || "start QEMU".to_owned();
        let silence = silence().context(context)?;
        let (port, its_end) = UnixStream::pair().context(context)?;
        command.stdout(OwnedFd::from(its_end));
        let (leash, collar) = UnixStream::pair().context(context)?;
        let (tell, told) = mpsc::channel();
        let (started, start) = mpsc::channel();
        let keep = move || {
            let spawned =
                command.spawn().map_err(|error| error.to_string()).and_then(|mut child| {
                    let console = child.stderr.take().expect("it was asked for");
                    let child = Child::adopt(child).map_err(|errno| errno.to_string())?;
                    Ok((child, OwnedFd::from(console)))
                });
            // Copies of what only the child was to have.
            drop(command);
            match spawned {
                Ok((child, console)) => {
                    let _ = started.send(Ok(child.pid()));
                    let keeper = Keeper {
                        child,
                        port,
                        console: console.into(),
                        collar,
                        silence,
                        patience: up_within.unwrap_or(silence),
                        last_words: Console::default(),
                        up: false,
                        done: None,
                    };
                    if let Some(ending) = keeper.keep(&tell) {
                        let _ = tell.send(Told::Event(MachineEvent::Ended(ending)));
                    }
                }
                Err(error) => drop(started.send(Err(error))),
            }
        };
        let keeper =
            thread::Builder::new().name("machine".to_owned()).spawn(keep).context(context)?;
        let pid = start.recv().unwrap_or_else(|error| Err(error.to_string())).context(context)?;
        let (leash, keeper) = (Some(leash), Some(keeper));
        Ok(Self { told, ended: None, pid, leash, keeper, monitor: None })
    }

    /// Keeps the connection to its monitor for as long as it runs.
    pub(super) fn keep_monitor(&mut self, monitor: Monitor) {
        self.monitor = Some(monitor);
    }

    /// What it says next, when it says it. After [`MachineEvent::Ended`] that again.
    ///
    /// # Errors
    /// The system refuses to listen.
    pub fn next_event(&mut self) -> Result<MachineEvent> {
        loop {
            if let Told::Event(event) = self.hear()? {
                return Ok(event);
            }
        }
    }

    /// What comes next of all that is told of it.
    pub(super) fn hear(&mut self) -> Result<Told> {
        if let Some(ended) = &self.ended {
            return Ok(Told::Event(MachineEvent::Ended(ended.clone())));
        }
        let told = self.told.recv().context(|| "listen to a virtual kernel".to_owned())?;
        if let Told::Event(MachineEvent::Ended(ending)) = &told {
            self.ended = Some(ending.clone());
        }
        Ok(told)
    }

    /// How it ended, if it has by now or does within a moment: QEMU's monitor falls silent before
    /// QEMU has ended.
    pub(super) fn ended_by_now(&mut self) -> Option<MachineEnd> {
        while self.ended.is_none() {
            let told = self.told.recv_timeout(MOMENT).ok()?;
            if let Told::Event(MachineEvent::Ended(ending)) = told {
                self.ended = Some(ending);
            }
        }
        self.ended.clone()
    }

    /// QEMU's process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.leash.take());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// The file system of one machine, in a file that only it will have.
///
/// # Errors
/// The machine has too little memory for it.
pub(super) fn file_system(call: &Call, image: &Image, manifest: Option<&[u8]>) -> Result<OwnedFd> {
    let context = || "make a file system".to_owned();
    let size = image.size() + manifest.map_or(0, <[u8]>::len);
    let mounted = image.mounted().map_or(0, |programs| programs.size() as usize / PAGE_PER_RECORD);
    let least = (size * 2 + mounted).div_ceil(1 << 20) + WORKING_MEMORY;
    if (call.memory as usize) < least {
        let little = format!("{} MiB of memory are too little", call.memory);
        return Err(Error::system(context(), little)
            .advise(format!("give it {least} or more ({})", qemu::MEMORY_VARIABLE)));
    }
    let file = memfd_create(c"lastack-machine", MFdFlags::MFD_CLOEXEC).context(context)?;
    let mut file = File::from(file);
    image.write(&mut file, manifest).context(context)?;
    Ok(file.into())
}

fn silence() -> Result<Duration, String> {
    match std::env::var(SILENCE_VARIABLE) {
        Ok(text) => text
            .parse()
            .map(Duration::from_secs)
            .map_err(|_| format!("{SILENCE_VARIABLE}={text} is no number of seconds")),
        Err(_) => Ok(SILENCE),
    }
}

/// What the thread that stays with a virtual kernel holds.
struct Keeper {
    child: Child,
    port: UnixStream,
    console: File,
    collar: UnixStream,
    silence: Duration,
    /// As much until it is up.
    patience: Duration,
    last_words: Console,
    up: bool,
    /// That all was done, or what hindered it.
    done: Option<Result<(), String>>,
}

impl Keeper {
    /// Passes on what the virtual kernel says, until it ends; how it ended, if anybody still wants
    /// to know.
    fn keep(mut self, tell: &mpsc::Sender<Told>) -> Option<MachineEnd> {
        let mut pending = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        let (mut port_open, mut console_open) = (true, true);
        let mut watch = Watch::over(self.child.pid(), self.patience);
        while port_open || console_open {
            let collar = self.collar.as_fd();
            let port = if port_open { self.port.as_fd() } else { collar };
            let console = if console_open { self.console.as_fd() } else { collar };
            // An error here is as good as silence: there is nothing more to hear.
            let ready =
                readable(&[port, console, collar], Some(watch.next_look())).unwrap_or_default();
            let [port_ready, console_ready, let_go] = ready[..] else {
                return self.silenced(self.silence, false);
            };
            if let_go {
                return None;
            }
            if console_ready {
                match self.console.read(&mut buffer) {
                    Ok(0) | Err(_) => console_open = false,
                    Ok(length) => self.last_words.add(&buffer[..length]),
                }
            }
            if port_ready {
                watch.lives();
                match self.port.read(&mut buffer) {
                    Ok(0) | Err(_) => port_open = false,
                    Ok(length) => pending.extend_from_slice(&buffer[..length]),
                }
                let was_up = self.up;
                let told = match self.pass_on(&mut pending, tell) {
                    Ok(told) => told,
                    Err(nonsense) => return Some(self.ending(nonsense)),
                };
                if self.up && !was_up {
                    watch = Watch::over(self.child.pid(), self.silence);
                }
                if told {
                    watch.told();
                }
                if self.up && !was_up {
                    watch = Watch::over(self.child.pid(), self.silence);
                }
                if self.done.is_some() {
                    self.child.kill();
                    return Some(self.ending(String::new()));
                }
            }
            match watch.look() {
                _ if port_ready => {}
                // A question that finds nobody is not answered.
                Look::Ask if self.up => drop(self.port.write_all(&[QUESTION])),
                Look::Fine | Look::Ask => {}
                Look::TooLong { silent_for, answered } => {
                    return self.silenced(silent_for, answered);
                }
            }
        }
        let how = match self.child.wait() {
            Ok(End::Exited(0)) => "its power went off before all was done".to_owned(),
            Ok(end) => format!("QEMU {end}"),
            Err(error) => error.to_string(),
        };
        Some(self.ending(how))
    }

    /// Takes the words that are whole out of what has come; whether any was more than an answer.
    fn pass_on(
        &mut self,
        pending: &mut Vec<u8>,
        tell: &mpsc::Sender<Told>,
    ) -> Result<bool, String> {
        let (mut taken, mut told) = (0, false);
        while let Some((word, length)) = Message::first(&pending[taken..])? {
            told |= word != Message::Alive;
            match word {
                Message::Alive => {}
                Message::Up => {
                    self.up = true;
                    let _ = tell.send(Told::Up);
                }
                Message::Ready => drop(tell.send(Told::Ready)),
                Message::Done => self.done = Some(Ok(())),
                Message::Trouble(what) => self.done = Some(Err(what.to_owned())),
                // Nobody to hear it is about to let go.
                Message::Frame(bytes) => {
                    drop(tell.send(Told::Event(MachineEvent::Frame(bytes.to_vec()))));
                }
            }
            taken += length;
        }
        pending.drain(..taken);
        Ok(told)
    }

    fn silenced(&self, silent_for: Duration, answered: bool) -> Option<MachineEnd> {
        self.child.kill();
        let console = self.last_words.text();
        Some(match self.up {
            true => MachineEnd::Hung { console, silent_for, answered },
            false => {
                let why = format!("it said nothing for {} s", self.patience.as_secs());
                MachineEnd::NeverBooted { why, console }
            }
        })
    }

    fn ending(self, how: String) -> MachineEnd {
        let how = match self.done {
            Some(Ok(())) => return MachineEnd::PoweredOff,
            Some(Err(trouble)) => trouble,
            None => how,
        };
        let console = self.last_words.text();
        let panic = self.last_words.panic();
        match (self.up, panic) {
            (true, Some(_)) => MachineEnd::Panicked { console },
            (true, None) => MachineEnd::Died { how, console },
            (false, panic) => {
                let mut why = panic.map_or(how, |line| format!("its kernel panicked: {line}"));
                if self.last_words.wants_memory() {
                    why = format!("{why}; give it more memory ({}, in MiB)", qemu::MEMORY_VARIABLE);
                }
                MachineEnd::NeverBooted { why, console }
            }
        }
    }
}
