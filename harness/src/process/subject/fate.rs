//! What becomes of a process: signals, how it is made to end, and how it has ended.

use std::time::Duration;

use nix::{
    errno::Errno,
    sys::{signal::Signal, wait::WaitStatus},
    unistd::Pid,
};

use super::{Process, WHOLE};
use crate::{
    error::{Context, Error, Result},
    process::{body::Lost, protocol::Op, socket::count},
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
        self.0.host.is_awake().context(context)?;
        if self.0.body.stopped(self.0.pid) == Some(false) {
            return Err(Error::system(context(), "it does not stand still; stop it first"));
        }
        self.signal(Signal::SIGCONT)
    }

    /// Waits until it has ended and says how.
    ///
    /// # Errors
    /// The status was collected by somebody else.
    pub async fn wait(&self) -> Result<WaitStatus> {
        if let Some(status) = self.0.status.get() {
            return Ok(*status);
        }
        let status = match self.0.body.ended(self.0.pid).await? {
            Lost::Ended(status) => status,
            // Seen to end by another who waited, meanwhile.
            _ if self.0.status.get().is_some() => self.0.status.get().copied().expect("just seen"),
            // A forked child is its parent's to collect, for as long as that lives.
            Lost::Collected => self.collected_by_parent().await?,
            fate => return Err(fate.unknown(self.name())),
        };
        Ok(*self.0.status.get_or_init(|| status))
    }

    async fn collected_by_parent(&self) -> Result<WaitStatus> {
        let lost = || Error::system(format!("wait for process {}", self.name()), Errno::ECHILD);
        let parent = self.0.parent.as_ref().ok_or_else(lost)?;
        let op = Op::Wait { pid: self.0.pid };
        let raw = parent.call(op, count).ok().await?;
        WaitStatus::from_raw(Pid::from_raw(self.0.pid), raw as i32).map_err(|_| lost())
    }

    /// `exit(3)`; comes back when it has ended.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn exit(&self, status: i32) -> Result<WaitStatus> {
        self.end(Op::Exit { status }).await
    }

    /// `abort(3)`: SIGABRT.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn abort(&self) -> Result<WaitStatus> {
        self.end(Op::Abort).await
    }

    /// A wild pointer: SIGSEGV.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn crash(&self) -> Result<WaitStatus> {
        self.end(Op::Crash).await
    }

    /// A Rust panic that unwinds its main thread.
    ///
    /// # Errors
    /// It had ended already.
    pub async fn panic(&self) -> Result<WaitStatus> {
        self.end(Op::Panic).await
    }

    async fn end(&self, op: Op) -> Result<WaitStatus> {
        let text = op.to_string();
        self.talk().order(WHOLE, op, text, None).await?;
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
