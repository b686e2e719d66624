//! Any program on a host, with its output captured.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Command, ExitStatus, Stdio},
};

use nix::{
    sys::{
        memfd::{MFdFlags, memfd_create},
        signal::{Signal, kill},
        wait::WaitStatus,
    },
    unistd::Pid,
};
use tokio::io::{Interest, unix::AsyncFd};

use super::home::Home;
use crate::{
    error::{Context, Result},
    sys::inside,
};

/// A program started on a host. It dies with its case at the latest.
#[derive(Debug)]
pub struct Program {
    name: String,
    pid: i32,
    pidfd: AsyncFd<OwnedFd>,
    output: File,
    errors: File,
}

impl Program {
    pub(crate) fn start(host: &dyn Home, command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        Self::start_named(host, command, name)
    }

    /// Starts an executable that exists only in memory: the machine needs no file of it, and no
    /// file system that it could be executed from.
    pub(crate) fn start_image(
        host: &dyn Home,
        name: &str,
        image: &[u8],
        arguments: &[&str],
    ) -> Result<Self> {
        let context = || format!("hold program {name} in memory");
        let mut writer = capture().context(context)?;
        writer.write_all(image).context(context)?;
        let path = |file: &File| format!("/proc/self/fd/{}", file.as_raw_fd());
        let reader = File::open(path(&writer)).context(context)?;
        // What somebody may still write to is not executed (ETXTBSY, execve(2)).
        drop(writer);
        // The path is looked up in the forked child, which has inherited the descriptor.
        let mut command = Command::new(path(&reader));
        command.arg0(name).args(arguments);
        Self::start_named(host, command, name.to_owned())
    }

    fn start_named(host: &dyn Home, mut command: Command, name: String) -> Result<Self> {
        let context = || format!("run {name} on host {}", host.name());
        let output = capture().context(context)?;
        let errors = capture().context(context)?;
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().context(context)?);
        command.stderr(errors.try_clone().context(context)?);
        let netns = host.netns()?;
        inside::place(&mut command, netns.as_fd(), None);
        let spawned = command.spawn().context(context)?;
        let pid = i32::try_from(spawned.id()).expect("process ids fit an i32");
        host.adopt(pid);
        let pidfd = inside::pidfd(pid).context(context)?;
        let pidfd = inside::watch(pidfd, Interest::READABLE).context(context)?;
        Ok(Self { name, pid, pidfd, output, errors })
    }

    /// Its process id, as the case's own PID namespace counts.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has been collected already.
    pub fn signal(&self, signal: Signal) -> Result {
        kill(Pid::from_raw(self.pid), signal).context(|| format!("send {signal} to {}", self.name))
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// Its status was collected before.
    pub async fn wait(&self) -> Result<ExitStatus> {
        let context = || format!("wait for {}", self.name);
        drop(self.pidfd.readable().await.context(context)?);
        let status = inside::collect(self.pidfd.get_ref().as_fd()).context(context)?;
        Ok(ExitStatus::from_raw(match status {
            WaitStatus::Exited(_, code) => code << 8,
            WaitStatus::Signaled(_, signal, _) => signal as i32,
            _ => 0,
        }))
    }

    /// What it has written to standard output so far.
    ///
    /// # Errors
    /// The captured output cannot be read.
    pub fn output(&self) -> Result<String> {
        read(&self.output).context(|| format!("read the output of {}", self.name))
    }

    /// What it has written to standard error so far.
    ///
    /// # Errors
    /// The captured output cannot be read.
    pub fn errors(&self) -> Result<String> {
        read(&self.errors).context(|| format!("read the output of {}", self.name))
    }
}

fn capture() -> nix::Result<File> {
    memfd_create(c"output", MFdFlags::MFD_CLOEXEC).map(File::from)
}

/// Reads from the start through a fresh opening, whose offset is not the writer's.
fn read(file: &File) -> std::io::Result<String> {
    let mut file = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
