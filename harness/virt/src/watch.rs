//! When a virtual kernel that says nothing has said nothing for too long.
//!
//! It is measured by what QEMU has worked, not by the clock on the wall: beside others on a loaded
//! machine a boot takes a minute, and as much work as ever. A virtual kernel that waits for
//! something works its way at once to where it waits no more; one that neither works nor speaks has
//! nothing left that could wake it, and is given the same time by the wall.
//!
//! One that is busy may have nothing to say for long. It is asked now and then whether it lives, and
//! ended if it does not answer within the limit. While it answers, each of its cases ends by its
//! own limit, which its own clock measures; if even [`PATIENCE`] times the limit brings no word of
//! any case, what runs them is stuck. Nobody is asked who speaks by himself: what enters a virtual
//! kernel from outside is an interrupt that comes at another time in every run.

use std::time::{Duration, Instant};

use nix::{
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// How often to look.
const LOOK: Duration = Duration::from_millis(500);

/// Less work than this in a look is none: QEMU's own threads turn over now and then.
const SOME_WORK: Duration = Duration::from_millis(2);

/// It is asked after one of so many parts of the limit, and has the others to answer.
const ASK: u32 = 3;

/// How many times the limit it may work and only answer. An interpreted processor that spins gets
/// through a virtual minute, a case's usual limit, in two or three minutes.
const PATIENCE: u32 = 20;

/// Watches one process.
pub(super) struct Watch {
    clock: Option<ClockId>,
    limit: Duration,
    /// What it had worked when it last told something.
    work_told: Duration,
    /// What it had worked when it last gave a sign of life.
    work_lived: Duration,
    /// Whether it was asked since.
    asked: bool,
    /// What it had worked when it was last seen working, and when that was.
    work_seen: Duration,
    seen: Instant,
}

/// What is to be done about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing.
    Fine,
    /// Ask whether it lives.
    Ask,
    /// End it: it told nothing for so long, of work, whether it `answered` or not.
    TooLong { silent_for: Duration, answered: bool },
}

impl Watch {
    /// Gives the process `pid` so long between two signs of life.
    pub(super) fn over(pid: i32, limit: Duration) -> Self {
        let clock = clock_getcpuclockid(Pid::from_raw(pid)).ok();
        let (work_told, work_lived, work_seen) = Default::default();
        let seen = Instant::now();
        Self { clock, limit, work_told, work_lived, asked: false, work_seen, seen }
    }

    /// It gave a sign of life.
    pub(super) fn lives(&mut self) {
        self.lived_at(self.work());
    }

    fn lived_at(&mut self, work: Duration) {
        self.work_lived = work;
        self.work_seen = self.work_lived;
        self.seen = Instant::now();
        self.asked = false;
    }

    /// It told something, and did not only answer.
    pub(super) fn told(&mut self) {
        self.lives();
        self.work_told = self.work_lived;
    }

    /// When to look again.
    pub(super) fn next_look(&self) -> Instant {
        Instant::now() + LOOK
    }

    /// Looks how it does.
    pub(super) fn look(&mut self) -> Look {
        self.look_at(self.work())
    }

    fn look_at(&mut self, work: Duration) -> Look {
        if work.saturating_sub(self.work_seen) >= SOME_WORK {
            self.work_seen = work;
            self.seen = Instant::now();
        }
        let silent = work.saturating_sub(self.work_lived);
        if silent > self.limit || self.seen.elapsed() > self.limit {
            return Look::TooLong { silent_for: self.limit, answered: false };
        }
        let silent_for = self.limit * PATIENCE;
        if work.saturating_sub(self.work_told) > silent_for {
            return Look::TooLong { silent_for, answered: true };
        }
        if silent > self.limit / ASK && !self.asked {
            self.asked = true;
            return Look::Ask;
        }
        Look::Fine
    }

    /// The processor time it has had. One that has ended works no more.
    fn work(&self) -> Duration {
        let time = self.clock.and_then(|clock| clock_gettime(clock).ok());
        time.map_or(self.work_seen, Duration::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// What there is to do next, and after how many seconds of work, from `work` seconds on.
    fn next(watch: &mut Watch, work: u64) -> (u64, Look) {
        let mut looks = (work..).map(|work| (work, watch.look_at(Duration::from_secs(work))));
        looks.find(|(_, look)| *look != Look::Fine).unwrap()
    }

    fn watch() -> Watch {
        Watch::over(std::process::id().try_into().unwrap(), LIMIT)
    }

    #[test]
    fn who_does_not_answer_is_asked_once_and_ended_after_the_limit() {
        let mut watch = watch();
        assert_eq!(next(&mut watch, 0), (21, Look::Ask));
        let end = Look::TooLong { silent_for: LIMIT, answered: false };
        assert_eq!(next(&mut watch, 21), (61, end));
    }

    #[test]
    fn who_only_answers_lives_for_many_times_the_limit() {
        let mut watch = watch();
        let (mut work, mut asked) = (0, 0);
        let end = loop {
            match next(&mut watch, work) {
                (at, Look::Ask) => (work, asked) = (at, asked + 1),
                (at, end) => break (at, end),
            }
            watch.lived_at(Duration::from_secs(work));
        };
        assert_eq!(end, (1201, Look::TooLong { silent_for: LIMIT * 20, answered: true }));
        assert_eq!(asked, 1200 / 21);
    }

    #[test]
    fn who_neither_works_nor_speaks_is_ended_by_the_wall() {
        let mut watch = watch();
        watch.seen = Instant::now().checked_sub(LIMIT).unwrap();
        let end = Look::TooLong { silent_for: LIMIT, answered: false };
        assert_eq!(watch.look_at(Duration::ZERO), end);
    }
}
