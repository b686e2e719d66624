//! Where a process really is: a child of the case, or inside a kernel of its own. What is done to
//! it from outside differs; what it does itself does not.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::WaitStatus,
    },
    unistd::Pid,
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{
    home::{Elsewhere, ExitWatch},
    syscall::Weight,
};
use crate::{
    error::{Context, Error, Result},
    sys::{child::readable, codec, inside, signals},
};

/// How long a process may take from closing its descriptors to its end. It takes less than a
/// millisecond, but for a process with much memory on a busy machine.
const DYING: Duration = Duration::from_secs(2);

/// A process, as it is watched and signalled.
pub(super) enum Body {
    /// A process of this machine's kernel.
    Here(AsyncFd<OwnedFd>),
    /// One of a kernel of its own, and word of its end.
    Elsewhere(Arc<dyn Elsewhere>, ExitWatch),
}

/// How a process came to be out of reach.
pub(super) enum Lost {
    /// It ended with this status.
    Ended(WaitStatus),
    /// It lives on, and only its channel has closed.
    Lives,
    /// Somebody else has collected it.
    Collected,
    /// Its whole machine is gone.
    MachineGone,
}

impl Body {
    /// That of a child, or of another's.
    pub(super) fn here(pid: i32) -> std::io::Result<Self> {
        inside::watch(inside::pidfd(pid)?, Interest::READABLE).map(Self::Here)
    }

    pub(super) fn signal(&self, pid: i32, signal: Signal) -> Result {
        match self {
            Self::Here(_) => kill(Pid::from_raw(pid), signal)
                .context(|| format!("send {signal} to process {pid}")),
            Self::Elsewhere(kernel, _) => kernel.signal(pid, signal),
        }
    }

    pub(super) fn signal_thread(&self, pid: i32, thread: i32, signal: Signal) -> Result {
        match self {
            Self::Here(_) => signals::send_to_thread(pid, thread, signal)
                .context(|| format!("send {signal} to thread {thread}")),
            Self::Elsewhere(kernel, _) => kernel.signal_thread(pid, thread, signal),
        }
    }

    /// Whether all its threads stand still; nothing if it has none any more.
    pub(super) fn stopped(&self, pid: i32) -> Option<bool> {
        match self {
            Self::Here(_) => {
                let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
                let mut states = tasks.flatten().map(|task| task_state(&task.path()));
                Some(states.all(|state| state == Some('T')))
            }
            Self::Elsewhere(kernel, _) => kernel.stopped(pid).ok(),
        }
    }

    /// Whether a thread sleeps inside a system call of its own business: not in the futex of a
    /// lock, and not in sending word to the case.
    pub(super) fn sleeps_in_call(&self, pid: i32, thread: i32) -> bool {
        match self {
            Self::Here(_) => sleeps_in_call(thread),
            Self::Elsewhere(kernel, _) => kernel.asleep(pid, thread),
        }
    }

    /// The weightiest call that it takes.
    pub(super) fn limit(&self) -> Weight {
        match self {
            Self::Here(_) => Weight { shipped: codec::LONGEST / 2, held: codec::LONGEST },
            Self::Elsewhere(kernel, _) => kernel.limit(),
        }
    }

    /// Waits until it has ended, and leaves it to be collected.
    pub(super) async fn becomes_zombie(&self, pid: i32) -> Result<Lost> {
        let Self::Here(pidfd) = self else { return self.ended(pid).await };
        let context = || format!("wait for process {pid}");
        drop(pidfd.readable().await.context(context)?);
        match inside::look(pidfd.get_ref().as_fd()) {
            Err(Errno::ECHILD) => Ok(Lost::Collected),
            other => other.context(context).map(Lost::Ended),
        }
    }

    /// Waits until it has ended, and collects it.
    pub(super) async fn ended(&self, pid: i32) -> Result<Lost> {
        match self {
            Self::Here(pidfd) => {
                let context = || format!("wait for process {pid}");
                drop(pidfd.readable().await.context(context)?);
                match inside::collect(pidfd.get_ref().as_fd()) {
                    Err(Errno::ECHILD) => Ok(Lost::Collected),
                    other => other.context(context).map(Lost::Ended),
                }
            }
            Self::Elsewhere(_, ending) => {
                let mut ending = ending.clone();
                let told = ending.wait_for(Option::is_some).await.map(|status| *status);
                Ok(told.map_or(Lost::MachineGone, |status| fate(pid, status)))
            }
        }
    }

    /// What has become of it, when its channel has closed: a dying process closes its descriptors
    /// some time before it can be collected (`kernel/exit.c`, `do_exit`); one that executed
    /// another program never can. It is left to be collected.
    pub(super) fn fate(&self, pid: i32) -> Lost {
        let deadline = Instant::now() + DYING;
        match self {
            Self::Here(pidfd) => {
                let pidfd = pidfd.get_ref().as_fd();
                let _ = readable(&[pidfd], Some(deadline));
                match inside::look(pidfd) {
                    Ok(status) => Lost::Ended(status),
                    Err(Errno::EAGAIN) => Lost::Lives,
                    Err(_) => Lost::Collected,
                }
            }
            Self::Elsewhere(_, ending) => loop {
                if ending.borrow().is_some() {
                    return fate(pid, *ending.borrow());
                }
                // Its sender is gone with the line to its machine.
                if ending.has_changed().is_err() {
                    return Lost::MachineGone;
                }
                if Instant::now() > deadline {
                    return Lost::Lives;
                }
                std::thread::sleep(Duration::from_millis(1));
            },
        }
    }
}

impl Lost {
    /// What to say of somebody who waits for the end of a process that cannot be told.
    pub(super) fn unknown(&self, process: &str) -> Error {
        let answer = match self {
            Self::MachineGone => "its whole machine has died".to_owned(),
            _ => Errno::ECHILD.to_string(),
        };
        Error::system(format!("wait for process {process}"), answer)
    }
}

fn fate(pid: i32, status: Option<i32>) -> Lost {
    let status = status.and_then(|raw| WaitStatus::from_raw(Pid::from_raw(pid), raw).ok());
    status.map_or(Lost::Collected, Lost::Ended)
}

/// `/proc/TID/syscall` says "running" for a thread that does not sleep (`fs/proc/base.c`,
/// `proc_pid_syscall`). Not `/proc/PID/task/TID`: what was looked up there, the thread and whoever
/// collects its process throw away at the same time, and the one spins for as long as the other has
/// no processor (`proc_flush_pid`, `shrink_dcache_parent`).
fn sleeps_in_call(thread: i32) -> bool {
    let Ok(line) = std::fs::read_to_string(format!("/proc/{thread}/syscall")) else {
        return false;
    };
    let number = line.split_whitespace().next().and_then(|word| word.parse::<i64>().ok());
    number.is_some_and(|n| n >= 0 && n != libc::SYS_futex && n != libc::SYS_sendmsg)
}

fn task_state(task: &Path) -> Option<char> {
    let stat = std::fs::read_to_string(task.join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
