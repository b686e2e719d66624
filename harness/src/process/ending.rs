//! The ways a process can end, for stories in which the way should make no difference.

use nix::sys::{signal::Signal, wait::WaitStatus};

use super::{Process, subject::words};
use crate::error::{Error, Result};

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEnd {
    /// `exit(0)`.
    Success,
    /// `exit(1)`.
    Failure,
    /// `abort()`: SIGABRT.
    Abort,
    /// A wild pointer: SIGSEGV.
    Crash,
    /// SIGKILL, from outside.
    Kill,
}

impl ProcessEnd {
    /// Every way, with the names test variants carry.
    pub const ALL: [(&'static str, Self); 5] = [
        ("exit_0", Self::Success),
        ("exit_1", Self::Failure),
        ("abort", Self::Abort),
        ("sigsegv", Self::Crash),
        ("sigkill", Self::Kill),
    ];

    fn left(self, status: WaitStatus) -> bool {
        match self {
            Self::Success => matches!(status, WaitStatus::Exited(_, 0)),
            Self::Failure => matches!(status, WaitStatus::Exited(_, 1)),
            Self::Abort => matches!(status, WaitStatus::Signaled(_, Signal::SIGABRT, _)),
            Self::Crash => matches!(status, WaitStatus::Signaled(_, Signal::SIGSEGV, _)),
            Self::Kill => matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)),
        }
    }
}

impl Process {
    /// Ends the process this way and waits until it has ended, and with it closed everything.
    ///
    /// # Errors
    /// It had ended already, or its wait status is another than this way leaves.
    pub async fn end_by(&self, ending: ProcessEnd) -> Result {
        let status = match ending {
            ProcessEnd::Success => self.exit(0).await?,
            ProcessEnd::Failure => self.exit(1).await?,
            ProcessEnd::Abort => self.abort().await?,
            ProcessEnd::Crash => self.crash().await?,
            ProcessEnd::Kill => {
                self.signal(Signal::SIGKILL)?;
                self.wait().await?
            }
        };
        if ending.left(status) {
            return Ok(());
        }
        Err(Error::mismatch(self.name(), format!("ends by {ending:?}"), words(status)))
    }
}
