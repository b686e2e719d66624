//! A path that opens only now and then, as a shared medium does.

use std::{fmt, time::Duration};

use super::Distribution;

/// How often a path opens, and how much it lets through then. What is between two openings is
/// counted from when the kernel has let the last of the first through (`sch_netem.c`,
/// `get_slot_next`).
///
/// ```
/// use std::time::Duration;
///
/// use lastack_sys::netem::{Netem, Slot};
///
/// let wifi = Slot { packets: 64, ..Slot::every(Duration::from_millis(5)) };
/// assert!(Netem::new().slot(wifi).check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// From one opening to the next, on average.
    pub every: Duration,
    /// How much that varies: the most for [`Distribution::Uniform`], else the standard deviation.
    pub jitter: Duration,
    /// How it varies.
    pub distribution: Distribution,
    /// Frames that get through an opening; 0 is as many as there are.
    pub packets: u32,
    /// Bytes that get through an opening, the last frame whole; 0 is as many as there are.
    pub bytes: u32,
}

impl Slot {
    /// An opening every so often, through which all gets that waits.
    #[must_use]
    pub fn every(every: Duration) -> Self {
        let distribution = Distribution::Uniform;
        Self { every, jitter: Duration::ZERO, distribution, packets: 0, bytes: 0 }
    }

    /// Openings so far apart, or so far, or anything between, evenly spread.
    #[must_use]
    pub fn between(one: Duration, other: Duration) -> Self {
        let jitter = one.abs_diff(other) / 2;
        Self { jitter, ..Self::every(one.min(other) + jitter) }
    }

    /// The longest that a path stays closed.
    pub(super) fn longest(&self) -> Duration {
        self.every.saturating_add(self.jitter.saturating_mul(self.distribution.farthest()))
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot every {:?}", self.every)?;
        if !self.jitter.is_zero() {
            write!(f, " with jitter {:?} {}", self.jitter, self.distribution)?;
        }
        let frames = (self.packets > 0).then(|| match self.packets {
            1 => "one frame".to_owned(),
            more => format!("{more} frames"),
        });
        let bytes = (self.bytes > 0).then(|| format!("{} bytes", self.bytes));
        let limits: Vec<_> = frames.into_iter().chain(bytes).collect();
        if limits.is_empty() { Ok(()) } else { write!(f, " for {}", limits.join(" or ")) }
    }
}
