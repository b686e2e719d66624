//! The application's side of a verdict: what a call returned, and when.

use std::{fmt::Debug, time::Duration};

use nix::errno::Errno;

use super::Window;
use crate::{
    error::{Error, Result},
    stamp::Stamp,
    wire::Segment,
};

/// How one system call came out.
#[derive(Debug, Clone)]
pub struct Outcome<T> {
    pub(crate) what: String,
    pub(crate) answer: std::result::Result<T, Errno>,
    pub(crate) shown: String,
    pub(crate) began: Stamp,
    pub(crate) ended: Stamp,
    pub(crate) took: Duration,
    pub(crate) signals: u32,
}

/// What reading to the end of a stream brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// How many bytes.
    pub bytes: u64,
    /// Whether they were the bulk pattern from its start, without gap or change.
    pub intact: bool,
    /// The errno that ended the reading, if it was not the end of file or the limit.
    pub error: Option<Errno>,
}

impl<T> Outcome<T> {
    /// The raw answer.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn answer(&self) -> std::result::Result<&T, Errno> {
        self.answer.as_ref().map_err(|errno| *errno)
    }

    /// How long the call took inside the process.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }

    /// When it was made.
    #[must_use]
    pub fn began(&self) -> Stamp {
        self.began
    }

    /// When it returned.
    #[must_use]
    pub fn ended(&self) -> Stamp {
        self.ended
    }

    /// The value of a call that should succeed.
    ///
    /// # Errors
    /// It failed.
    pub fn ok(self) -> Result<T> {
        match self.answer {
            Ok(value) => Ok(value),
            Err(_) => Err(Error::mismatch(self.what, "success", self.shown)),
        }
    }

    /// Expects success, whatever the value, and keeps the outcome.
    ///
    /// # Errors
    /// It failed.
    pub fn succeeds(self) -> Result<Self> {
        if self.answer.is_ok() { Ok(self) } else { Err(self.unlike("success")) }
    }

    /// Expects this errno.
    ///
    /// # Errors
    /// It succeeded, or failed otherwise.
    pub fn errno(self, expected: Errno) -> Result<Self> {
        if matches!(&self.answer, Err(errno) if *errno == expected) {
            return Ok(self);
        }
        Err(self.unlike(&format!("-1 {expected:?}")))
    }

    /// Expects that the call raised SIGPIPE on its thread.
    ///
    /// # Errors
    /// It raised nothing.
    pub fn with_sigpipe(self) -> Result<Self> {
        if self.signals == 1 { Ok(self) } else { Err(self.unlike("SIGPIPE raised once")) }
    }

    /// Expects that the call raised no signal.
    ///
    /// # Errors
    /// It did.
    pub fn without_signal(self) -> Result<Self> {
        if self.signals == 0 { Ok(self) } else { Err(self.unlike("no signal raised")) }
    }

    /// Expects the call to have taken a time inside the window.
    ///
    /// # Errors
    /// It returned too early or too late.
    pub fn took_within(self, window: &Window) -> Result<Self> {
        window.judge_during(&format!("{} took", self.what), self.took, self.began, self.ended)?;
        Ok(self)
    }

    /// Expects the call to have returned after this segment was on the wire.
    ///
    /// # Errors
    /// It returned before.
    pub fn returned_after(self, segment: &Segment) -> Result<Self> {
        let ahead = segment.at().since(self.ended);
        if self.ended >= segment.at() {
            return Ok(self);
        }
        let seen = format!("{} returned {ahead:?} before it", self.shown);
        Err(Error::mismatch(self.what, format!("returns after {segment}"), seen))
    }

    pub(crate) fn unlike(self, expected: &str) -> Error {
        Error::mismatch(self.what, expected, self.shown)
    }
}

impl<T: PartialEq + Debug> Outcome<T> {
    /// Expects this value.
    ///
    /// # Errors
    /// It is another, or the call failed.
    pub fn is(self, expected: &T) -> Result<Self> {
        if self.answer.as_ref() == Ok(expected) {
            return Ok(self);
        }
        let seen = match &self.answer {
            Ok(value) => format!("{value:?}"),
            Err(_) => self.shown,
        };
        Err(Error::mismatch(self.what, format!("{expected:?}"), seen))
    }
}

impl Outcome<Drained> {
    /// Expects exactly this many bytes of the bulk pattern, whole, and then the end of file.
    ///
    /// # Errors
    /// Others came, or an error ended the reading.
    pub fn whole(self, bytes: u64) -> Result<Self> {
        self.is(&Drained { bytes, intact: true, error: None })
    }
}

impl Outcome<Vec<u8>> {
    /// Expects the end of file: a read of nothing.
    ///
    /// # Errors
    /// Bytes came, or the call failed.
    pub fn eof(self) -> Result<Self> {
        if matches!(&self.answer, Ok(bytes) if bytes.is_empty()) {
            return Ok(self);
        }
        Err(self.unlike("0 (end of file)"))
    }

    /// Expects exactly these bytes.
    ///
    /// # Errors
    /// Others came, or the call failed.
    pub fn bytes(self, expected: &[u8]) -> Result<Self> {
        if matches!(&self.answer, Ok(bytes) if bytes == expected) {
            return Ok(self);
        }
        let expected = format!("{} {:?}", expected.len(), String::from_utf8_lossy(expected));
        Err(self.unlike(&expected))
    }
}
