//! The first process of a virtual kernel, which is this program again.
//!
//! It makes a machine of the bare kernel, does what the manifest says, says so, and has its power
//! taken away by who hears that: what a virtual kernel had said last would be lost if it went by
//! itself, as far as it was still on its way. It must not end, or its kernel panics; what goes
//! wrong is said on the port too, or on the console before there is one.

use std::{
    fs::{self, OpenOptions},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::ExitCode,
    sync::Mutex,
};

use nix::{
    kmod::init_module,
    mount::{MsFlags, mount},
    sys::{
        reboot::{RebootMode, reboot},
        resource::{Resource, setrlimit},
        termios::tcdrain,
    },
};

use super::{port::Message, programs};
use lastack_sys::error::{Context, Result};
use lastack_sys::probe;

/// Where this program is, on a virtual kernel.
pub(super) const PROGRAM: &str = "/init";

/// Where the manifest is, on a virtual kernel.
pub const MANIFEST: &str = "/batch";

/// Where its modules are, by names in the order to load them in.
pub(super) const MODULES: &str = "/modules";

/// The first port of the virtual kernel's virtio console.
const PORT: &str = "/dev/vport0p1";

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
    std::process::id() == 1 && probe::virtual_time().is_ok() && Path::new(MANIFEST).exists()
}

/// Makes the virtual kernel a machine, calls `inside` with the manifest and a way to say frames,
/// from any thread, and is done when that comes back. An empty manifest has it say one empty frame.
#[must_use]
pub fn main(inside: impl FnOnce(&[u8], &(dyn Fn(&[u8]) + Sync))) -> ExitCode {
    match serve(inside) {
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

fn serve(inside: impl FnOnce(&[u8], &(dyn Fn(&[u8]) + Sync))) -> Result {
    configure()?;
    let context = || format!("open {PORT} on the virtual kernel");
    let port = Mutex::new(OpenOptions::new().write(true).open(PORT).context(context)?);
    let say = |word: Message<'_>| {
        let mut port = port.lock().expect("no writer to the port panics");
        // With nobody to hear it, the virtual kernel is about to be ended anyway.
        let _ = word.write(&mut *port);
    };
    say(Message::Up);
    let manifest =
        fs::read(MANIFEST).context(|| format!("read {MANIFEST} on the virtual kernel"))?;
    // The first process of a namespace in here is not the virtual kernel's.
    fs::remove_file(MANIFEST).context(|| format!("remove {MANIFEST} on the virtual kernel"))?;
    let frames = |frame: &[u8]| say(Message::Frame(frame));
    if manifest.is_empty() {
        // It was only to be seen whether it comes this far.
        say(Message::Frame(&[]));
        say(Message::Done);
        return Ok(());
    }
    match catch_unwind(AssertUnwindSafe(|| inside(&manifest, &frames))) {
        Ok(()) => say(Message::Done),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without words");
            print_all();
            say(Message::Trouble(&format!("what was to be done in it panicked: {words}")));
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
