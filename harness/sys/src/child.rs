//! A started process, held by its pidfd: waiting for it and killing it cannot hit another.

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::error::{Context, Error, Result};

/// A child process. Dropped before it was waited for, it is killed and waited for.
#[derive(Debug)]
pub struct Child {
    pid: libc::pid_t,
    pidfd: OwnedFd,
    end: Option<End>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Killed(signal) => match Signal::try_from(signal) {
                Ok(signal) => write!(f, "killed by {signal}"),
                Err(_) => write!(f, "killed by signal {signal}"),
            },
        }
    }
}

impl Child {
    pub(super) fn new(pid: libc::pid_t, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd, end: None }
    }

    /// Takes over a child that `std` has started.
    ///
    /// # Errors
    /// The system has no descriptor left; the child is killed then.
    pub fn adopt(mut child: std::process::Child) -> nix::Result<Self> {
        let pid = i32::try_from(child.id()).expect("process ids fit an i32");
        // Nobody has waited for it yet, so the number is still its own.
        let pidfd = super::inside::pidfd(pid).and_then(|pidfd| {
            // Those of the runtime do not block; waiting here does.
            fcntl(&pidfd, FcntlArg::F_SETFL(OFlag::empty()))?;
            Ok(pidfd)
        });
        match pidfd {
            Ok(pidfd) => Ok(Self::new(pid, pidfd)),
            Err(errno) => {
                let _ = child.kill().and_then(|()| child.wait());
                Err(errno)
            }
        }
    }

    /// Its process id, as the caller's namespace counts.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends SIGKILL. For the init of a pid namespace that ends all in it. A process that has
    /// ended already is no error.
    pub fn kill(&self) {
        // SAFETY: a system call on a descriptor we own; null stands for plain signal data.
        unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                libc::SIGKILL,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            );
        }
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// Someone else has waited for it: its end is unknown.
    pub fn wait(&mut self) -> Result<End> {
        if let Some(end) = self.end {
            return Ok(end);
        }
        // SAFETY: `siginfo_t` is plain data, all zero before the kernel fills it in.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let waited = loop {
            let id = self.pidfd.as_raw_fd() as libc::id_t;
            // SAFETY: the descriptor and the buffer live through the call.
            let answer = unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, libc::WEXITED) };
            let error = io::Error::last_os_error();
            if answer == 0 {
                break Ok(());
            } else if error.kind() != io::ErrorKind::Interrupted {
                break Err(error);
            }
        };
        waited.context(|| format!("wait for process {}", self.pid))?;
        // SAFETY: after a successful wait for an exit the kernel has filled in this field.
        let status = unsafe { info.si_status() };
        let end = if info.si_code == libc::CLD_EXITED {
            End::Exited(status)
        } else {
            End::Killed(status)
        };
        self.end = Some(end);
        Ok(end)
    }

    /// Waits until it ends, or for this long; none if it still runs then.
    ///
    /// # Errors
    /// As [`Child::wait`], or the system refuses to wait at all.
    pub fn wait_within(&mut self, limit: Duration) -> Result<Option<End>> {
        let deadline = Instant::now() + limit;
        if self.end.is_none() && !readable(&[self.as_fd()], Some(deadline))?[0] {
            return Ok(None);
        }
        self.wait().map(Some)
    }
}

impl AsFd for Child {
    /// Readable once the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.end.is_none() {
            self.kill();
            let _ = self.wait();
        }
    }
}

/// Waits until one of the descriptors can be read or has been hung up, at most until
/// `deadline`; says which. None of them: the deadline has come.
///
/// # Errors
/// The system refuses to wait.
pub fn readable(descriptors: &[BorrowedFd<'_>], deadline: Option<Instant>) -> Result<Vec<bool>> {
    let mut polled: Vec<_> =
        descriptors.iter().map(|&fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    loop {
        let timeout = deadline.map_or(PollTimeout::NONE, |deadline| {
            // Rounded up: a poll that returns a little early would spin.
            let left =
                deadline.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
            PollTimeout::try_from(i32::try_from(left).unwrap_or(i32::MAX))
                .unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut polled, timeout) {
            Ok(0) if deadline.is_none_or(|deadline| Instant::now() < deadline) => {}
            Ok(_) => return Ok(polled.iter().map(|fd| fd.any().unwrap_or(true)).collect()),
            Err(nix::Error::EINTR) => {}
            Err(answer) => return Err(Error::system("wait for a child process", answer)),
        }
    }
}
