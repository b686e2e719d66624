//! Boots a guest kernel: Debian's user-mode Linux, as one more program in a host's namespace.
//!
//! Nothing of it may be left anywhere: its memory is an unlinked file on a tmpfs that only this
//! program can see, mounted in a mount namespace of its own, and its consoles write to memory. It
//! gets a process group of its own, because a guest that panics ends by sending SIGTERM to its
//! whole group (`arch/um/os-Linux/util.c`, `os_dump_core`).

use std::{
    fs::{self, File},
    io::Read,
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::{
    mount::{MsFlags, mount},
    sys::{
        memfd::{MFdFlags, memfd_create},
        personality::{self, Persona},
    },
};

use super::{init, line::Line, machine::Guest};
use crate::{
    error::{Context, Error, Result},
    sys::{
        inside,
        netns::Netns,
        private_tmpfs::{self, MOUNTPOINT},
        probe::GUEST_KERNEL,
        program, spawn,
    },
};

/// The guest's memory: its kernel takes 15 MiB of it, agents a few.
const MEMORY: &str = "mem=64M";

/// How long a boot may take, on a machine that boots many at once. Alone it takes a second or two.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a guest is made from.
pub(crate) struct Plan<'a> {
    /// The host it is to be.
    pub(crate) host: &'a str,
    /// The namespace that holds its end of the cable.
    pub(crate) netns: &'a Netns,
    /// That end's name there.
    pub(crate) interface: &'a str,
    /// Its hardware address.
    pub(crate) mac: [u8; 6],
    /// The largest packet it carries.
    pub(crate) mtu: u32,
}

/// Boots it; comes back when its init listens.
///
/// # Errors
/// There is no such kernel, it may not run here, or it does not come up.
pub(crate) fn boot(plan: &Plan<'_>) -> Result<Guest> {
    let context = || format!("boot a guest kernel as host {}", plan.host);
    let kernel = program::find(GUEST_KERNEL).ok_or_else(|| {
        Error::system(context(), format!("there is no program {GUEST_KERNEL}"))
            .advise("install user-mode-linux (scripts/setup)")
    })?;
    let (ours, theirs) = UnixStream::pair().context(context)?;
    let console =
        memfd_create(c"console", MFdFlags::MFD_CLOEXEC).map(File::from).context(context)?;
    let pid = thread::scope(|scope| {
        // Its mount namespace is this thread's, which ends with it.
        let start = || start(plan, &kernel, &theirs, &console);
        scope.spawn(start).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
    .context(context)?;
    drop(theirs);
    let pidfd = inside::pidfd(pid).context(context)?;
    let (line, up) = Line::begin(plan.host, ours)?;
    let guest = Guest::new(plan.host, pid, pidfd, line);
    let trouble = match up.recv_timeout(PATIENCE) {
        Ok(()) => return guest.set_clock().map(|()| guest),
        Err(mpsc::RecvTimeoutError::Timeout) => format!("not up in {} s", PATIENCE.as_secs()),
        Err(mpsc::RecvTimeoutError::Disconnected) => "it ended before it was up".to_owned(),
    };
    let trouble = format!("{trouble} ({})", guest.kill());
    Err(Error::system(context(), format!("{trouble}; its last words: {}", last_words(&console))))
}

fn start(plan: &Plan<'_>, kernel: &Path, line: &UnixStream, console: &File) -> Result<i32> {
    let program = fill_private_tmpfs()?;
    // A kernel that lives in one address space with its processes wants to know that space.
    personality::set(personality::get().unwrap_or(Persona::empty()) | Persona::ADDR_NO_RANDOMIZE)
        .context(|| "switch address randomization off".to_owned())?;
    let [a, b, c, d, e, f] = plan.mac;
    let Plan { interface, mtu, .. } = plan;
    let card = format!(
        "vec0:transport=raw,ifname={interface},mtu={mtu},\
         mac={a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"
    );
    let mut command = Command::new(kernel);
    command
        .args([MEMORY, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet"])
        .args(["con=null", "con0=null,fd:1", "ssl=null", &format!("ssl0=fd:{}", spawn::CONTROL)])
        .args([&format!("uml_dir={MOUNTPOINT}/"), &card, "panic=0"])
        .arg(format!("init={}", program.display()))
        .args(["--", init::ROLE])
        .env_clear()
        .envs([
            ("TMPDIR", MOUNTPOINT),
            ("HOME", MOUNTPOINT),
            ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"),
        ])
        .process_group(0)
        .stdin(std::process::Stdio::null())
        .stdout(console.try_clone().context(|| "share the console".to_owned())?)
        .stderr(console.try_clone().context(|| "share the console".to_owned())?);
    inside::place(&mut command, plan.netns.as_fd(), Some(line.as_fd()));
    let spawned = command.spawn().context(|| format!("run {}", kernel.display()))?;
    Ok(i32::try_from(spawned.id()).expect("process ids fit an i32"))
}

/// Gives the calling thread a private_tmpfs, for the guest's memory, and this program's own file
/// there, wherever that lies and even if a build has replaced it meanwhile.
fn fill_private_tmpfs() -> Result<PathBuf> {
    private_tmpfs::make()?;
    let program = Path::new(MOUNTPOINT).join("lastack");
    let context = || format!("show this program to a guest as {}", program.display());
    let own = "/proc/self/exe";
    File::create(&program).context(context)?;
    let none = None::<&str>;
    if mount(Some(own), &program, none, MsFlags::MS_BIND, none).is_err() {
        // A file without a name cannot be mounted.
        fs::copy(own, &program).context(context)?;
    }
    Ok(program)
}

/// The end of what a kernel has printed.
fn last_words(console: &File) -> String {
    use std::os::fd::AsRawFd;
    let mut text = String::new();
    let file = File::open(format!("/proc/self/fd/{}", console.as_raw_fd()));
    let _ = file.and_then(|mut file| file.read_to_string(&mut text));
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join(" | ")
}
