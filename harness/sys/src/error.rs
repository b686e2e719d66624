//! What can go wrong, in words a reader can act on.

use std::fmt;
use std::sync::OnceLock;

/// The result of everything in lastack that can fail.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a lab, a process, a fault or a verdict did not come out.
///
/// Every message completes "failed to …" and says what was attempted, on what, what the
/// system answered and, where lastack knows it, what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused something the harness needed: the machine's fault, or the lab's.
    #[error("failed to {context}: {answer}{}", advice(.remedy))]
    System {
        /// What was attempted and on what: "add address 10.0.0.1 on host a".
        context: String,
        /// What the system answered.
        answer: String,
        /// What to do about it, when known.
        remedy: Option<String>,
    },
    /// An expectation was not met: the test result itself.
    #[error("{0}")]
    Mismatch(Mismatch),
    /// The machine was too slow for a time window to be judged; neither a pass nor a failure.
    #[error("too slow to judge: {0}")]
    TooSlow(String),
    /// The harness was used wrongly: an unknown host, an impossible option.
    #[error("{0}")]
    Usage(String),
}

/// One expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What was looked at: "b: read(5, 64)", "segments from a".
    pub what: String,
    /// What the case expected of it.
    pub expected: String,
    /// What was seen instead.
    pub seen: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, seen } = self;
        write!(f, "{what}\n    expected: {expected}\n        seen: {seen}")
    }
}

fn advice(remedy: &Option<String>) -> String {
    remedy.as_ref().map(|text| format!("; {text}")).unwrap_or_default()
}

type Witness = Box<dyn Fn() + Send + Sync>;

/// See [`on_mismatch`].
static WITNESS: OnceLock<Witness> = OnceLock::new();

/// Has `witness` called whenever an expectation is found not met, on the thread that found it:
/// before the error goes its way, and guards that it passes are dropped and lift their faults.
/// The first to ask is heard; a case's process asks once.
pub fn on_mismatch(witness: impl Fn() + Send + Sync + 'static) {
    let _ = WITNESS.set(Box::new(witness));
}

impl Error {
    /// The system answered `answer` when `context` was tried.
    pub fn system(context: impl Into<String>, answer: impl fmt::Display) -> Self {
        Self::System { context: context.into(), answer: answer.to_string(), remedy: None }
    }

    /// The same error with what to do about it.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        if let Self::System { remedy, .. } = &mut self {
            *remedy = Some(advice.into());
        }
        self
    }

    /// The same error with the host it happened on.
    #[must_use]
    pub fn on_host(mut self, host: &str) -> Self {
        if let Self::System { context, .. } = &mut self {
            context.push_str(" on host ");
            context.push_str(host);
        }
        self
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
        Self::Mismatch(Mismatch { what: what.into(), expected: expected.into(), seen: seen.into() })
    }
}

/// Gives a foreign error the words of [`Error::system`].
pub trait Context<T> {
    /// Turns an error into "failed to `context`: …".
    ///
    /// # Errors
    /// The original error, as [`Error::System`].
    fn context(self, context: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, context: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|answer| Error::system(context(), answer))
    }
}
