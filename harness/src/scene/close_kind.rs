//! The ways in which an end leaves its connection, for stories in which only the path differs.

use nix::errno::Errno;

use super::End;
use crate::{
    error::{Error, Result},
    process::ProcessEnd,
    sys::sock_diag::State,
    verdict::{Drained, Outcome, Window, timers},
    wire::Segment,
};

/// How an end leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseKind {
    /// `close()` with everything read: a FIN.
    Close,
    /// `shutdown(SHUT_WR)`: the same FIN, and the other direction stays open.
    HalfClose,
    /// SIGKILL of the process that holds it: its kernel closes.
    Kill,
    /// `close()` with SO_LINGER on and time zero: a reset.
    LingerZero,
    /// `close()` with received data unread: a reset.
    Unread,
}

impl CloseKind {
    /// Every way, with the names test variants carry.
    pub const ALL: [(&'static str, Self); 5] = [
        ("close", Self::Close),
        ("half_close", Self::HalfClose),
        ("kill", Self::Kill),
        ("linger_zero", Self::LingerZero),
        ("unread_data", Self::Unread),
    ];

    /// Whether the end is a FIN, which follows everything written and is sent until it arrives.
    /// Else it is a reset, which does neither.
    #[must_use]
    pub fn is_graceful(self) -> bool {
        matches!(self, Self::Close | Self::HalfClose | Self::Kill)
    }

    /// What has to happen before: `from`, who will leave, has data of `other` that it leaves
    /// unread.
    ///
    /// # Errors
    /// It does not arrive.
    pub async fn prepare(self, from: &End, other: &End) -> Result {
        if self == Self::Unread {
            other.write("x").ok().await?;
            from.kernel().has_unread(1).await?;
            // Its acknowledgement is not part of what comes next.
            other.kernel().is_acknowledged().await?;
        }
        Ok(())
    }

    /// What the other end is left with, which has read all along what was written as a pattern:
    /// after a FIN all of it and the end of file; after a reset its beginning, and the error.
    ///
    /// # Errors
    /// It read something else.
    pub fn leaves(self, read: Outcome<Drained>, written: u64) -> Result<Outcome<Drained>> {
        if self.is_graceful() {
            return read.whole(written);
        }
        match read.answer() {
            Ok(Drained { bytes, intact: true, error: Some(Errno::ECONNRESET) })
                if *bytes <= written =>
            {
                Ok(read)
            }
            _ => Err(read.unlike(&format!("the beginning of {written} bytes, then ECONNRESET"))),
        }
    }

    /// What is left when the other end has closed, too: after a FIN a TIME_WAIT where the first
    /// one came from, after a reset nothing.
    ///
    /// # Errors
    /// It does not come to that.
    pub async fn settles(self, from: &End, other: &End) -> Result {
        other.close().ok().await?;
        if self.is_graceful() {
            from.kernel().reaches(State::TimeWait).await?;
        } else {
            from.kernel().is_gone().await?;
        }
        other.kernel().is_gone().await.map(drop)
    }
}

impl End {
    /// Leaves the connection in this way.
    ///
    /// # Errors
    /// A call fails, or the process had ended already.
    pub async fn close_by(&self, kind: CloseKind) -> Result {
        match kind {
            CloseKind::Close => self.close().ok().await,
            CloseKind::HalfClose => self.shut_wr().ok().await,
            CloseKind::Kill => self.process.end_by(ProcessEnd::Kill).await,
            CloseKind::LingerZero => self.reset().await,
            CloseKind::Unread => match self.unread().ok().await? {
                0 => Err(Error::usage("leave with data unread: there is none")),
                _ => self.close().ok().await,
            },
        }
    }

    /// Waits for the end of the TIME_WAIT that it is in, which comes a minute after the `last`
    /// segment of the connection.
    ///
    /// # Errors
    /// It comes earlier, or later.
    pub async fn waits_out_its_minute(&self, last: &Segment) -> Result {
        self.kernel().is(State::TimeWait)?;
        let gone = self.kernel().runs_out_within(2 * timers::TIME_WAIT).await?;
        let window = Window::wheel([timers::TIME_WAIT], "TCP_TIMEWAIT_LEN");
        gone.judge("TIME_WAIT was over after", &window, last.at())
    }
}
