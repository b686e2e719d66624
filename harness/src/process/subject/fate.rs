//! What becomes of a process: signals, how it is made to end, and how it has ended.

use std::time::Duration;

use nix::{
    sys::{signal::Signal, wait::WaitStatus},
    unistd::Pid,
};

use super::Process;
use crate::{
    error::{Context, Error, Result},
    process::{
        body::Lost,
        protocol::{End, Whole},
    },
};

impl Process {
    /// Sends it a signal.
    ///
    /// # Errors
    /// It has been collected already.
    pub fn signal(&self, signal: Signal) -> Result {
        self.note(format!("{signal} to {}", self.name()));
        let sent = self.0.body.signal(self.0.pid, signal);
        sent.context(|| format!("signal process {}", self.name()))
    }

    pub(in super::super) fn signal_thread(&self, thread: i32, signal: Signal) -> Result {
        self.0.body.signal_thread(self.0.pid, thread, signal)
    }

    pub(in super::super) fn sleeps_in_call(&self, thread: i32) -> bool {
        self.0.body.sleeps_in_call(self.0.pid, thread)
    }

    /// Kills it with SIGKILL and waits until it has ended, and with it closed everything.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn kill(&self) -> Result {
        self.signal(Signal::SIGKILL)?;
        self.wait().await.map(drop)
    }

    /// Stops it (SIGSTOP) and waits until all its threads stand still.
    ///
    /// # Errors
    /// It has ended.
    pub async fn stop(&self) -> Result {
        self.signal(Signal::SIGSTOP)?;
        let stopped = || self.0.body.stopped(self.0.pid);
        while !stopped().ok_or_else(|| self.gone("SIGSTOP"))? {
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// It has ended, does not stand still, or its host sleeps.
    pub fn resume(&self) -> Result {
        let context = || format!("resume process {}", self.name());
        self.0.home.is_awake().context(context)?;
        if self.0.body.stopped(self.0.pid) == Some(false) {
            return Err(Error::system(context(), "it does not stand still; stop it first"));
        }
        self.signal(Signal::SIGCONT)
    }

    /// Waits until it has ended and says how. It is collected, as by a parent that waits for its
    /// children.
    ///
    /// # Errors
    /// The status was collected by somebody else.
    pub async fn wait(&self) -> Result<WaitStatus> {
        if let Some(status) = self.0.status.get() {
            return Ok(*status);
        }
        let status = match self.0.body.ended(self.0.pid).await? {
            Lost::Ended(status) => status,
            lost => match self.0.status.get() {
                // Collected by another who waited, meanwhile.
                Some(status) => *status,
                // A forked child is its parent's to collect, for as long as that lives.
                None => self.told_by_parent(lost, true).await?,
            },
        };
        Ok(*self.0.status.get_or_init(|| status))
    }

    /// Waits until it has ended and says how, but leaves it a zombie, as a parent does that never
    /// waits for its children. [`Self::wait`] still collects it.
    ///
    /// # Errors
    /// It was collected before, or it is in a guest, whose init collects whatever ends.
    pub async fn becomes_zombie(&self) -> Result<WaitStatus> {
        self.0.home.only_here("leaving a process uncollected")?;
        match self.0.body.becomes_zombie(self.0.pid).await? {
            Lost::Ended(status) => Ok(status),
            lost => self.told_by_parent(lost, false).await,
        }
    }

    async fn told_by_parent(&self, lost: Lost, collect: bool) -> Result<WaitStatus> {
        let unknown = || lost.unknown(self.name());
        let Some(parent) = self.0.parent.as_ref().filter(|_| matches!(lost, Lost::Collected))
        else {
            return Err(unknown());
        };
        let wait = Whole::Wait { pid: self.0.pid, collect };
        let text = wait.to_string();
        let order = parent.talk().order_whole(wait, None, None)?;
        let raw = parent.answer_of(&text, order).await?;
        WaitStatus::from_raw(Pid::from_raw(self.0.pid), raw).map_err(|_| unknown())
    }

    /// `exit(3)`; comes back when it has ended.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn exit(&self, status: i32) -> Result<WaitStatus> {
        self.end(End::Exit(status)).await
    }

    /// `abort(3)`: SIGABRT.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn abort(&self) -> Result<WaitStatus> {
        self.end(End::Abort).await
    }

    /// A wild pointer: SIGSEGV.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn crash(&self) -> Result<WaitStatus> {
        self.end(End::Crash).await
    }

    /// A Rust panic that unwinds its main thread.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn panic(&self) -> Result<WaitStatus> {
        self.end(End::Panic).await
    }

    async fn end(&self, how: End) -> Result<WaitStatus> {
        self.talk().order_whole(Whole::End(how), None, None)?;
        self.wait().await
    }
}

/// A wait status in words: "exited with status 1", "was killed by SIGKILL".
#[must_use]
pub fn words(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, code) => format!("exited with status {code}"),
        WaitStatus::Signaled(_, signal, _) => format!("was killed by {signal}"),
        other => format!("changed to {other:?}"),
    }
}
