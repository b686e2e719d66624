//! Keepalive as a program asks for it: the switch and its three numbers in one word, with the
//! times that follow from them.

use std::time::Duration;

use super::{Socket, option};
use crate::{
    error::{Error, Result},
    stamp::Stamp,
    verdict::{Outcome, Window, timers},
    wire::Segment,
};

/// `SO_KEEPALIVE` on, with `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Seconds of silence before the first probe.
    pub idle: i32,
    /// Seconds from one probe to the next.
    pub interval: i32,
    /// Unanswered probes after which the peer is given up.
    pub probes: i32,
}

impl Keepalive {
    /// What a socket gets that only switches keepalive on: two hours, and nine probes 75 s apart
    /// (`include/net/tcp.h`, `TCP_KEEPALIVE_TIME`, `TCP_KEEPALIVE_INTVL`, `TCP_KEEPALIVE_PROBES`).
    pub const STOCK: Self = Self::new(7200, 75, 9);

    /// These times, in seconds, and this many probes.
    #[must_use]
    pub const fn new(idle: i32, interval: i32, probes: i32) -> Self {
        Self { idle, interval, probes }
    }

    /// The silence before the first probe.
    #[must_use]
    pub fn idle(self) -> Duration {
        seconds(self.idle)
    }

    /// The time between two probes.
    #[must_use]
    pub fn interval(self) -> Duration {
        seconds(self.interval)
    }

    /// From the last segment received to the end, where nothing answers.
    #[must_use]
    pub fn end(self) -> Duration {
        let probes = u32::try_from(self.probes).unwrap_or(0);
        timers::keepalive_death(self.idle(), self.interval(), probes)
    }

    /// When the end comes, by the timers that lead to it: the idle time's, and one a probe.
    #[must_use]
    pub fn end_window(self) -> Window {
        let probes = usize::try_from(self.probes).unwrap_or(0);
        let timers = [self.idle()].into_iter().chain(vec![self.interval(); probes]);
        Window::wheel(timers, format!("idle time, {probes} unanswered probes"))
    }

    /// Judges what a survivor sent into the silence after it had `heard` the last segment: the
    /// first probe after the idle time, and everything further, the reset of the end included, an
    /// interval after the one before.
    ///
    /// # Errors
    /// Nothing was sent, or something too early or too late.
    pub fn judge(self, heard: &Segment, sent: &[Segment]) -> Result {
        self.judge_since(heard.arrived.unwrap_or_else(|| heard.at()), sent)
    }

    /// As [`Self::judge`], the idle time being counted from `since`.
    ///
    /// # Errors
    /// As [`Self::judge`].
    pub fn judge_since(self, since: Stamp, sent: &[Segment]) -> Result {
        let Some(first) = sent.first() else {
            return Err(Error::mismatch("keepalive", "at least one probe", "none"));
        };
        let idle = Window::wheel([self.idle()], "the idle time");
        idle.judge_between("the silence before the first probe was", since, first.at())?;
        let interval = Window::wheel([self.interval()], "the probe interval");
        for pair in sent.windows(2) {
            let what = format!("the time from one probe to {} was", pair[1]);
            interval.judge_between(&what, pair[0].at(), pair[1].at())?;
        }
        Ok(())
    }
}

fn seconds(n: i32) -> Duration {
    Duration::from_secs(u64::try_from(n).unwrap_or(0))
}

impl Socket {
    /// Switches keepalive on with these numbers: four `setsockopt(2)`, of which this is the last.
    /// On an idle connection the idle time is counted from there.
    ///
    /// # Errors
    /// One of them failed.
    pub async fn keep_alive(
        &self,
        Keepalive { idle, interval, probes }: Keepalive,
    ) -> Result<Outcome<()>> {
        self.set(option::KEEPIDLE, idle).ok().await?;
        self.set(option::KEEPINTVL, interval).ok().await?;
        self.set(option::KEEPCNT, probes).ok().await?;
        self.set(option::KEEPALIVE, 1).await?.succeeds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pattern::tests::segment;

    fn at(millis: i64) -> Segment {
        Segment { sent: Some(Stamp(millis * 1_000_000)), ..segment() }
    }

    fn heard(millis: i64) -> Segment {
        Segment { arrived: Some(Stamp(millis * 1_000_000)), ..segment() }
    }

    #[test]
    fn silence_is_judged_step_by_step() {
        let keepalive = Keepalive::new(2, 1, 2);
        assert_eq!(keepalive.end(), Duration::from_secs(4));
        let judge = |times: &[i64]| {
            let sent: Vec<_> = times.iter().copied().map(at).collect();
            keepalive.judge(&heard(100), &sent).is_ok()
        };
        assert!(judge(&[2_110, 3_120, 4_200]));
        assert!(!judge(&[]), "no probe");
        assert!(!judge(&[1_500]), "the first too early");
        assert!(!judge(&[2_110, 4_110]), "one is missing");
    }
}
