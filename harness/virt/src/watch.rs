//! When a virtual kernel that says nothing has said nothing for too long.
//!
//! It is measured by what QEMU has worked, not by the clock on the wall: beside others on a loaded
//! machine a boot takes a minute, and as much work as ever. A virtual kernel that waits for
//! something works its way at once to where it waits no more; one that neither works nor speaks has
//! nothing left that could wake it, and is given the same time by the wall.

use std::time::{Duration, Instant};

use nix::{
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// How often to look.
const LOOK: Duration = Duration::from_millis(500);

/// Less work than this in a look is none: QEMU's own threads turn over now and then.
const SOME_WORK: Duration = Duration::from_millis(2);

/// Watches one process.
pub(super) struct Watch {
    clock: Option<ClockId>,
    limit: Duration,
    /// What it had worked when it was last heard of.
    work_then: Duration,
    /// What it had worked when it was last seen working, and when that was.
    work_seen: Duration,
    seen: Instant,
}

impl Watch {
    /// Gives the process `pid` so long between two words.
    pub(super) fn over(pid: i32, limit: Duration) -> Self {
        let clock = clock_getcpuclockid(Pid::from_raw(pid)).ok();
        let none = Duration::ZERO;
        Self { clock, limit, work_then: none, work_seen: none, seen: Instant::now() }
    }

    /// It was heard of.
    pub(super) fn heard(&mut self) {
        self.work_then = self.work();
        self.work_seen = self.work_then;
        self.seen = Instant::now();
    }

    /// When to look again.
    pub(super) fn next_look(&self) -> Instant {
        Instant::now() + LOOK
    }

    /// Whether it has been silent for too long.
    pub(super) fn too_long(&mut self) -> bool {
        let work = self.work();
        if work.saturating_sub(self.work_seen) >= SOME_WORK {
            self.work_seen = work;
            self.seen = Instant::now();
        }
        work.saturating_sub(self.work_then) > self.limit || self.seen.elapsed() > self.limit
    }

    /// The processor time it has had. One that has ended works no more.
    fn work(&self) -> Duration {
        let time = self.clock.and_then(|clock| clock_gettime(clock).ok());
        time.map_or(self.work_seen, Duration::from)
    }
}
