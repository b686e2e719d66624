//! The first process of a virtual kernel, which is this program again.
//!
//! It makes a machine of the bare kernel, does what the manifest says, says so, and has its power
//! taken away by who hears that: what a virtual kernel had said last would be lost if it went by
//! itself, as far as it was still on its way. It must not end, or its kernel panics; what goes
//! wrong is said on the port too, or on the console before there is one.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    thread,
};

use nix::{
    errno::Errno,
    kmod::init_module,
    mount::{MsFlags, mount},
    sys::{
        reboot::{RebootMode, reboot},
        resource::{Resource, setrlimit},
        termios::tcdrain,
        time::TimeSpec,
    },
    time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep},
};

use super::{mailbox::Mailbox, port::Message, programs, qemu};
use lastack_sys::error::{Context, Error, Result};
use lastack_sys::probe;

/// Where this program is, on a virtual kernel.
pub(super) const PROGRAM: &str = "/init";

/// Where the manifest is, on a virtual kernel.
pub const MANIFEST: &str = "/batch";

/// Where its modules are, by names in the order to load them in.
pub(super) const MODULES: &str = "/modules";

/// What is there instead on one that is to be saved: its manifest comes later, in the mailbox.
pub(super) const LATER: &str = "/batch-comes-later";

/// The ports of virtio consoles, each a folder with its name.
const PORTS: &str = "/sys/class/virtio-ports";

/// Work begins at a multiple of this on the virtual kernel's clock, which reaches it at once: so it
/// begins at the same instant however long the boot took, or the wait for being saved.
const ROUND: i64 = 10;

/// What keeps an idle kernel busy, and so keeps its clock from jumping: compaction looks around
/// twice a second, memory statistics are brought up to date once, and dirty pages are looked for
/// every five seconds. No socket notices.
const QUIET: [(&str, &str); 3] = [
    ("vm/compaction_proactiveness", "0"),
    ("vm/stat_interval", "86400"),
    ("vm/dirty_writeback_centisecs", "0"),
];

/// Files that a process may open, as far as the runner needs them for many cases at a time.
const FILES: u64 = 1 << 16;

/// Whether this process is the first of a virtual kernel of this kind. A container's first process,
/// with a file of that name, is not: it would not be told so by its kernel.
#[must_use]
pub fn is_here() -> bool {
    let told = || [MANIFEST, LATER].into_iter().any(|path| Path::new(path).exists());
    std::process::id() == 1 && probe::virtual_time().is_ok() && told()
}

/// Makes the virtual kernel a machine, and calls `prepare` for what is the same whatever the
/// manifest says; calls what that gives with the manifest and a way to say frames, from any thread,
/// and is done when it comes back. An empty manifest has it say one empty frame.
///
/// One that is to be saved waits in between.
#[must_use]
pub fn main<W: Work>(prepare: impl FnOnce() -> W) -> ExitCode {
    match serve(prepare) {
        Ok(()) => loop {
            nix::unistd::pause();
        },
        Err(error) => {
            eprintln!("lastack: the virtual kernel's init {error}");
            print_all();
            let _ = reboot(RebootMode::RB_POWER_OFF);
            ExitCode::FAILURE
        }
    }
}

/// What is done with a manifest and a way to say frames.
pub trait Work: FnOnce(&[u8], &(dyn Fn(&[u8]) + Sync)) {}

impl<F: FnOnce(&[u8], &(dyn Fn(&[u8]) + Sync))> Work for F {}

fn serve<W: Work>(prepare: impl FnOnce() -> W) -> Result {
    configure()?;
    let port = port()?;
    let context = || format!("open {} on the virtual kernel", port.display());
    let port = OpenOptions::new().read(true).write(true).open(&port).context(context)?;
    let questions = port.try_clone().context(|| "listen on the port".to_owned())?;
    let port = Arc::new(Mutex::new(port));
    let answers = Arc::clone(&port);
    thread::Builder::new()
        .name("answers".to_owned())
        .spawn(move || answer(questions, &answers))
        .context(|| "start a thread on the virtual kernel".to_owned())?;
    let say = |word: Message<'_>| say(&port, &word);
    say(Message::Up);
    let manifest = match fs::read(MANIFEST) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        read => Some(read.context(|| format!("read {MANIFEST} on the virtual kernel"))?),
    };
    // The first process of a namespace in here is not the virtual kernel's.
    let told = if manifest.is_some() { MANIFEST } else { LATER };
    fs::remove_file(told).context(|| format!("remove {told} on the virtual kernel"))?;
    let frames = |frame: &[u8]| say(Message::Frame(frame));
    let all = || -> Result {
        let work = prepare();
        let manifest = match manifest {
            Some(manifest) => manifest,
            None => {
                let mailbox = Mailbox::find()?;
                say(Message::Ready);
                let manifest = mailbox.wait();
                let manifest = manifest.context(|| "read the mailbox".to_owned())?;
                say(Message::Up);
                manifest
            }
        };
        begin().context(|| "wait for a round time".to_owned())?;
        match manifest.is_empty() {
            // It was only to be seen whether it comes this far.
            true => frames(&[]),
            false => work(&manifest, &frames),
        }
        Ok(())
    };
    match catch_unwind(AssertUnwindSafe(all)) {
        Ok(Ok(())) => say(Message::Done),
        Ok(Err(error)) => {
            print_all();
            say(Message::Trouble(&error.to_string()));
        }
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without words");
            print_all();
            say(Message::Trouble(&format!("what was to be done in it panicked: {words}")));
        }
    }
    Ok(())
}

fn say(port: &Mutex<File>, word: &Message<'_>) {
    let mut port = port.lock().expect("no writer to the port panics");
    // With nobody to hear it, the virtual kernel is about to be ended anyway.
    let _ = word.write(&mut *port);
}

/// Answers whoever asks whether the virtual kernel lives. It sleeps until then, without a timer:
/// a clock that jumps over idle time is never stopped by it.
fn answer(mut questions: File, port: &Mutex<File>) {
    let mut some = [0; 16];
    while questions.read(&mut some).is_ok_and(|length| length > 0) {
        say(port, &Message::Alive);
    }
}

/// The device of the port, by its name.
fn port() -> Result<PathBuf> {
    let context = || format!("find the port {} on the virtual kernel", qemu::PORT);
    let ports = fs::read_dir(PORTS).context(context)?.flatten();
    let ours = |port: &fs::DirEntry| {
        fs::read_to_string(port.path().join("name")).is_ok_and(|name| name.trim() == qemu::PORT)
    };
    let found = ports.into_iter().find(ours);
    let found = found.ok_or_else(|| Error::system(context(), "there is none"))?;
    Ok(Path::new("/dev").join(found.file_name()))
}

/// Waits for the next round time on the virtual kernel's clock.
fn begin() -> nix::Result<()> {
    let clock = ClockId::CLOCK_MONOTONIC;
    let now = clock_gettime(clock)?;
    let then = TimeSpec::new((now.tv_sec() / ROUND + 1) * ROUND, 0);
    while let Err(errno) = clock_nanosleep(clock, ClockNanosleepFlags::TIMER_ABSTIME, &then) {
        if errno != Errno::EINTR {
            return Err(errno);
        }
    }
    Ok(())
}

/// Waits until the console has printed what it was given.
fn print_all() {
    let _ = tcdrain(std::io::stderr());
}

fn configure() -> Result {
    for (kind, place, options) in [
        ("devtmpfs", "/dev", ""),
        ("proc", "/proc", ""),
        ("sysfs", "/sys", ""),
        ("tmpfs", "/tmp", "mode=1777"),
        ("tmpfs", "/run", "mode=0755"),
    ] {
        mount(Some(kind), place, Some(kind), MsFlags::empty(), Some(options))
            .context(|| format!("mount {place} on the virtual kernel"))?;
    }
    load_modules()?;
    programs::mount::all()?;
    for (name, value) in QUIET {
        // One that a kernel does not have does not keep it busy.
        let _ = fs::write(format!("/proc/sys/{name}"), value);
    }
    setrlimit(Resource::RLIMIT_NOFILE, FILES, FILES).context(|| "raise a limit".to_owned())
}

fn load_modules() -> Result {
    let context = || format!("look at {MODULES} on the virtual kernel");
    let entries = fs::read_dir(MODULES).context(context)?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        let bytes = fs::read(&file).context(context)?;
        init_module(&bytes, c"")
            .context(|| format!("load {} on the virtual kernel", file.display()))?;
        // Memory is what there is least of.
        let _ = fs::remove_file(file);
    }
    Ok(())
}
