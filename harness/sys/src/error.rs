//! What can go wrong, in words a reader can act on.

use std::error::Error as StdError;
use std::sync::OnceLock;
use std::{fmt, io};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// The result of everything in lastack that can fail.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a lab, a process, a fault or a verdict did not come out.
///
/// Its text says what was attempted, on what, what the system answered and, where lastack knows
/// it, what to do about it. Whatever [`Context`] is added on the way, its [kind](Error::kind), its
/// [errno](Error::errno) and its source stay. Sent to another process it loses its source only.
#[derive(Serialize, Deserialize)]
pub struct Error(Box<Inner>);

#[derive(Debug, Serialize, Deserialize)]
struct Inner {
    /// What was being done, innermost first: "add address 10.0.0.1 on host a".
    contexts: Vec<String>,
    cause: Cause,
    /// Raw, as it may come from another process.
    errno: Option<i32>,
    #[serde(skip)]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What lies at the bottom of an error.
#[derive(Debug, Serialize, Deserialize)]
enum Cause {
    System { answer: String, remedy: Option<String> },
    Mismatch(Mismatch),
    TooSlow(String),
    Unmet(Unmet),
    Usage(String),
}

/// What an error means for a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The system refused something the harness needed: the machine's fault, or the lab's.
    System,
    /// An expectation was not met: the test result itself.
    Mismatch,
    /// The machine was too slow for a time window to be judged; neither a pass nor a failure.
    TooSlow,
    /// The machine lacks what the case uses: the case is ignored with the reason.
    Unmet,
    /// The harness was used wrongly: an unknown host, an impossible option.
    Usage,
}

/// One expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// What was looked at: "b: read(5, 64)", "segments from a".
    pub what: String,
    /// What the case expected of it.
    pub expected: String,
    /// What was seen instead.
    pub seen: String,
}

/// What a machine lacks, why that is thought, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unmet {
    /// The need's short name, as `lastack doctor` gives it and `LASTACK_ALLOW_SKIPS` takes it.
    pub need: String,
    /// Why it is not met.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, seen } = self;
        write!(f, "{what}\n    expected: {expected}\n        seen: {seen}")
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.reason, self.remedy)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.0.contexts.iter().rev() {
            write!(f, "failed to {context}: ")?;
        }
        match &self.0.cause {
            Cause::System { answer, remedy: None } => f.write_str(answer),
            Cause::System { answer, remedy: Some(remedy) } => write!(f, "{answer}; {remedy}"),
            Cause::Mismatch(mismatch) => mismatch.fmt(f),
            Cause::TooSlow(what) => write!(f, "too slow to judge: {what}"),
            Cause::Unmet(unmet) => unmet.fmt(f),
            Cause::Usage(what) => f.write_str(what),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind())
    }
}

impl StdError for Unmet {}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

type Witness = Box<dyn Fn() + Send + Sync>;

/// See [`on_mismatch`].
static WITNESS: OnceLock<Witness> = OnceLock::new();

/// Has `witness` called whenever an expectation is found not met, on the thread that found it:
/// before the error is returned, and guards that it passes are dropped and lift their faults.
/// The first to ask is heard; a case's process asks once.
pub fn on_mismatch(witness: impl Fn() + Send + Sync + 'static) {
    let _ = WITNESS.set(Box::new(witness));
}

impl Error {
    fn new(cause: Cause) -> Self {
        Self(Box::new(Inner { contexts: Vec::new(), cause, errno: None, source: None }))
    }

    /// The system answered `answer` to what `context` says was attempted.
    pub fn system(
        context: impl Into<String>,
        answer: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::from_any(answer.into()).while_(context)
    }

    /// An expectation that was not met.
    pub fn mismatch(
        what: impl Into<String>,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) -> Self {
        if let Some(witness) = WITNESS.get() {
            witness();
        }
        let (what, expected, seen) = (what.into(), expected.into(), seen.into());
        Self::new(Cause::Mismatch(Mismatch { what, expected, seen }))
    }

    /// The machine was too slow for `what` to be judged.
    pub fn too_slow(what: impl Into<String>) -> Self {
        Self::new(Cause::TooSlow(what.into()))
    }

    /// The harness was used wrongly.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Cause::Usage(what.into()))
    }

    /// The machine lacks what is wanted of it.
    #[must_use]
    pub fn unmet(unmet: Unmet) -> Self {
        Self::new(Cause::Unmet(unmet))
    }

    /// What it means for a case.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Cause::System { .. } => ErrorKind::System,
            Cause::Mismatch(_) => ErrorKind::Mismatch,
            Cause::TooSlow(_) => ErrorKind::TooSlow,
            Cause::Unmet(_) => ErrorKind::Unmet,
            Cause::Usage(_) => ErrorKind::Usage,
        }
    }

    /// The errno that the system answered, where it answered one.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        self.0.errno.map(Errno::from_raw)
    }

    /// The expectation that was not met, where that is the error.
    #[must_use]
    pub fn as_mismatch(&self) -> Option<&Mismatch> {
        match &self.0.cause {
            Cause::Mismatch(mismatch) => Some(mismatch),
            _ => None,
        }
    }

    /// What the machine lacks, where that is the error.
    #[must_use]
    pub fn as_unmet(&self) -> Option<&Unmet> {
        match &self.0.cause {
            Cause::Unmet(unmet) => Some(unmet),
            _ => None,
        }
    }

    /// The same error with this errno, for one that came without a system call's own.
    #[must_use]
    pub fn with_errno(mut self, errno: Errno) -> Self {
        self.0.errno = Some(errno as i32);
        self
    }

    /// The same error with what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        if let Cause::System { remedy, .. } = &mut self.0.cause {
            *remedy = Some(advice.into());
        }
        self
    }

    /// The same error with the host it happened on.
    #[must_use]
    pub fn on_host(mut self, host: &str) -> Self {
        if let Some(context) = self.0.contexts.last_mut() {
            context.push_str(" on host ");
            context.push_str(host);
        }
        self
    }

    /// The same error, and what was being done when it came.
    fn while_(mut self, context: impl Into<String>) -> Self {
        self.0.contexts.push(context.into());
        self
    }

    /// Any other error, which is the system's answer. One of ours stays what it is.
    fn from_any(error: Box<dyn StdError + Send + Sync>) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return *own,
            Err(other) => other,
        };
        let source = match error.downcast::<Unmet>() {
            Ok(unmet) => return Self::unmet(*unmet),
            Err(other) => other,
        };
        let mut error = Self::new(Cause::System { answer: source.to_string(), remedy: None });
        error.0.errno = errno_of(&*source).map(|errno| errno as i32);
        error.0.source = Some(source);
        error
    }
}

/// The errno at the bottom of an error, if a system call is there.
fn errno_of(error: &(dyn StdError + 'static)) -> Option<Errno> {
    if let Some(errno) = error.downcast_ref::<Errno>() {
        return Some(*errno);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        let wrapped = || error.get_ref().and_then(|inner| errno_of(inner));
        return error.raw_os_error().map(Errno::from_raw).or_else(wrapped);
    }
    error.source().and_then(errno_of)
}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// Puts "failed to `context`: " before an error. One of another crate becomes one of
    /// [`ErrorKind::System`], with its errno and itself as the source; one of ours keeps what it
    /// has.
    ///
    /// # Errors
    /// The original error.
    fn context(self, context: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context(self, context: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::from_any(error.into()).while_(context()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context<E: Into<Box<dyn StdError + Send + Sync>>>(error: E) -> Error {
        Err::<(), E>(error).context(|| "do it".to_owned()).unwrap_err()
    }

    #[test]
    fn kind_errno_and_source_survive_added_context() {
        for error in [
            Error::usage("no host c"),
            Error::too_slow("it stalled"),
            Error::mismatch("the end", "FIN", "RST"),
            Error::unmet(Unmet {
                need: "netem".into(),
                reason: "no sch_netem".into(),
                remedy: "install it".into(),
            }),
        ] {
            let (kind, text) = (error.kind(), error.to_string());
            let more = context(error);
            assert_eq!(more.kind(), kind);
            assert_eq!(more.to_string(), format!("failed to do it: {text}"));
        }
        let refused = context(io::Error::from_raw_os_error(libc::EPERM));
        let more = context(refused);
        assert_eq!((more.kind(), more.errno()), (ErrorKind::System, Some(Errno::EPERM)));
        let source = more.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.and_then(io::Error::raw_os_error), Some(libc::EPERM));
        let text = more.to_string();
        assert!(text.starts_with("failed to do it: failed to do it: Operation not"), "{text}");
    }

    #[test]
    fn an_errno_is_found_however_deep_it_lies() {
        assert_eq!(context(Errno::ENODEV).errno(), Some(Errno::ENODEV));
        assert_eq!(context(io::Error::other(Errno::EINVAL)).errno(), Some(Errno::EINVAL));
        assert_eq!(context("no reason at all").errno(), None);
    }

    #[test]
    fn a_host_and_an_advice_are_added_where_they_belong() {
        let error = Error::system("add netem", "no sch_netem").on_host("a").advise("install it");
        assert_eq!(error.to_string(), "failed to add netem on host a: no sch_netem; install it");
    }
}
