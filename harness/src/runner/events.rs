//! What a run tells, and to whom: a reporter consumes events and never reaches into the runner.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::case::Case;
use super::needs::Unmet;
use crate::verdict::Judged;

/// On which kernel a case ran.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// This machine's own.
    Host,
    /// A virtual one, whose time is its own.
    Virtual {
        /// What it calls itself: "6.1.0-56-cloud-amd64".
        release: String,
    },
}

impl Place {
    /// The release of a virtual kernel.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        match self {
            Self::Host => None,
            Self::Virtual { release } => Some(release),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Virtual { release } => write!(f, "virtual {release}"),
        }
    }
}

/// How one case came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaseOutcome {
    /// Every expectation was met.
    Passed,
    /// One was not; or the case crashed, hung, or left something behind. The text says what.
    Failed(String),
    /// The machine was too slow for the case to judge. The text says what was too slow.
    TooSlow(String),
}

impl CaseOutcome {
    /// Whether it is a pass.
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self, Self::Passed)
    }

    /// What there is to say about it; empty for a pass.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::Failed(message) | Self::TooSlow(message) => message,
        }
    }
}

/// What a case counts as in the result of a run; see [`Policy`](super::policy::Policy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counts {
    /// As a pass.
    Passed,
    /// As a failure.
    Failed,
    /// As neither: it could not be judged.
    Ignored,
}

/// What a case left for its reader. Gathered when it did not pass, or when asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Both hosts, calls, segments and faults in order of time.
    pub ladder: String,
    /// The sockets and their states when it ended.
    pub states: String,
    /// What its processes printed.
    pub output: String,
    /// The last that the virtual kernel it ran on printed, where that died of it.
    pub console: String,
    /// Where the capture and the log are.
    pub directory: Option<PathBuf>,
    /// What could not be kept, and why.
    pub trouble: Option<String>,
}

/// One case, run to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// How it came out.
    pub outcome: CaseOutcome,
    /// What that counts as, which the run's policy decides.
    pub counts: Counts,
    /// Where it ran.
    pub place: Place,
    /// From the start of its process to its end, by the clock of the kernel it ran on.
    pub elapsed: Duration,
    /// The most memory its process held, in KiB; 0 when it did not live to say.
    pub rss_kib: u64,
    /// The times it has judged, in their order.
    pub judged: Vec<Judged>,
    /// What it left, when it did not pass or evidence was asked for.
    pub evidence: Option<Evidence>,
}

/// Why a case runs once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// The machine was too slow to judge it: what was too slow. It is repeated once.
    TooSlow(String),
    /// Its kernel lacks what it has used, and another may have it.
    Unmet(Unmet),
}

/// Something that happened in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// It begins.
    RunStarted {
        /// How many cases were chosen, those that cannot run here included.
        cases: usize,
        /// How many run side by side.
        jobs: usize,
    },
    /// A case cannot run here.
    CaseIgnored {
        /// Which.
        case: &'a Case,
        /// Which of its needs is not met, why, and what to do about it.
        unmet: &'a Unmet,
    },
    /// A case's process is about to be started.
    CaseStarted {
        /// Which.
        case: &'a Case,
    },
    /// A case that has begun runs once more, from its beginning.
    CaseRepeated {
        /// Which.
        case: &'a Case,
        /// Why.
        why: &'a Repeat,
    },
    /// A case has come to its end.
    CaseFinished {
        /// Which.
        case: &'a Case,
        /// How.
        finished: &'a Finished,
    },
    /// Time passes: a chance to redraw what is shown.
    Tick,
    /// It is over.
    RunFinished {
        /// From beginning to end.
        elapsed: Duration,
    },
}

/// Someone who is told what happens.
pub trait Reporter {
    /// Takes note of one event.
    ///
    /// # Errors
    /// The report could not be written. The run goes on; its program says so at the end.
    fn event(&mut self, event: &Event<'_>) -> crate::Result;
}
