//! What a process needs of the machine it runs on. Hosts are made above this room: they offer it.

use std::{any::Any, os::fd::OwnedFd, sync::Arc};

use nix::sys::signal::Signal;
use tokio::sync::watch;

use super::syscall::Weight;
use crate::{error::Result, sys::netns::Netns, wire::Journal};

/// A machine on which processes run.
pub(crate) trait Home: Any + Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// Where calls are written down.
    fn journal(&self) -> &Journal;

    /// The network namespace that it is.
    fn netns(&self) -> Result<Netns>;

    /// The kernel that it is, if it is not a namespace of this machine's.
    fn elsewhere(&self) -> Result<Option<Arc<dyn Elsewhere>>>;

    /// Refuses `what` on a machine that is not a namespace of this machine's kernel.
    fn only_here(&self, what: &str) -> Result;

    /// Says whether it lives and is awake.
    fn is_awake(&self) -> Result;

    /// Takes note of a process that was started here.
    fn adopt(&self, pid: i32);
}

/// A kernel of its own that runs processes for a case.
pub(crate) trait Elsewhere: Send + Sync {
    /// Starts an agent in it.
    fn start(&self, name: &str) -> Result<Started>;

    /// Sends a signal to one of its processes.
    fn signal(&self, pid: i32, signal: Signal) -> Result;

    /// Sends a signal to one thread.
    fn signal_thread(&self, pid: i32, thread: i32, signal: Signal) -> Result;

    /// Whether every thread of a process stands still.
    fn stopped(&self, pid: i32) -> Result<bool>;

    /// Whether a thread sleeps inside a system call of its own business.
    fn asleep(&self, pid: i32, thread: i32) -> bool;

    /// The weightiest call that it takes.
    fn limit(&self) -> Weight;
}

/// A process that was started in a kernel of its own.
pub(crate) struct Started {
    /// The agent's channel.
    pub(crate) channel: OwnedFd,
    /// Its process id there.
    pub(crate) pid: i32,
    /// Word of its end.
    pub(crate) ended: ExitWatch,
}

/// How a process in a kernel of its own has ended, once it has: its wait status.
pub(crate) type ExitWatch = watch::Receiver<Option<i32>>;
