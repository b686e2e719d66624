//! How late the kernel's timers may fire: the timer wheel, in time instead of jiffies.
//!
//! A timer goes to a level of the wheel by how far away it is, and every level is read an eighth
//! as often as the one below, so that the further a timer is away, the later it may be; up to the
//! next reading, that is by one granule, and never early (`kernel/time/timer.c`,
//! `calc_wheel_index`, `calc_index`). Granules are counted in ticks, so their length follows from
//! the kernel's HZ.

use std::{sync::LazyLock, time::Duration};

use nix::time::{ClockId, clock_getres};

use super::Window;
use crate::stall;

/// `LVL_BITS`: a level has 2^6 buckets.
const BUCKETS: u32 = 1 << 6;
/// `LVL_CLK_SHIFT`: a level's granule is 2^3 of those of the level below.
const SHIFT: u32 = 3;
/// The last level, where HZ is more than 100 (`LVL_DEPTH`); with fewer ticks a second it is the
/// one before, and what would not fit it is cut short after years.
const LAST: u32 = 8;

/// How late a busy machine may notice that a timer has fired. Where the clock jumps over idle time
/// it stands still while the machine is busy; there only the turn counts that other cases have
/// first, as two dozen of them share one processor (`kernel/sched/fair.c`,
/// `sysctl_sched_min_granularity`: 3 ms each at the most).
fn noticed() -> Duration {
    Duration::from_millis(if stall::clock_jumps() { 72 } else { 300 })
}

/// The timer wheel of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wheel {
    tick: Duration,
}

impl Wheel {
    /// The wheel of a kernel with this many ticks a second (`CONFIG_HZ`).
    #[must_use]
    pub const fn of(hz: u32) -> Self {
        Self { tick: Duration::from_nanos(1_000_000_000 / hz as u64) }
    }

    /// The wheel of the running kernel. Its HZ is told by the coarse clocks, which move once a
    /// tick and say so (`kernel/time/posix-timers.c`, `posix_get_coarse_res`).
    #[must_use]
    pub fn here() -> Self {
        static HERE: LazyLock<Wheel> = LazyLock::new(|| {
            let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE)
                .expect("CLOCK_MONOTONIC_COARSE always exists");
            Wheel { tick: tick.into() }
        });
        *HERE
    }

    /// The time between two ticks.
    #[must_use]
    pub const fn tick(self) -> Duration {
        self.tick
    }

    /// By how much a timer set for `delay` may be late.
    #[must_use]
    pub fn granule(self, delay: Duration) -> Duration {
        // One tick more than asked for: the wheel's own clock may be a tick behind, which counts
        // where a delay lies at the edge of a level.
        let ticks = delay.as_nanos().div_ceil(self.tick.as_nanos()) + 1;
        let above = |level: &u32| ticks >= u128::from(BUCKETS - 1) << (SHIFT * (level - 1));
        let level = (1..=LAST).take_while(above).last().unwrap_or(0);
        self.tick * (1 << (SHIFT * level))
    }

    /// By how much the last of these timers may be late, each being set when the one before fires.
    #[must_use]
    pub fn granules(self, delays: impl IntoIterator<Item = Duration>) -> Duration {
        delays.into_iter().map(|delay| self.granule(delay)).sum()
    }
}

impl Window {
    /// What timers of the running kernel allow that are set one after the other, each when the one
    /// before fires: never early, late by the granule of each and by the time a busy machine needs
    /// to notice.
    ///
    /// Both bounds give in by a tick: delays are counted from the last tick, which may lie almost
    /// one before the call that sets the first timer.
    pub fn wheel(delays: impl IntoIterator<Item = Duration>, rule: impl Into<String>) -> Self {
        Self::wheel_of(Wheel::here(), noticed(), delays, rule)
    }

    pub(super) fn wheel_of(
        wheel: Wheel,
        noticed: Duration,
        delays: impl IntoIterator<Item = Duration>,
        rule: impl Into<String>,
    ) -> Self {
        let delays: Vec<_> = delays.into_iter().collect();
        let nominal: Duration = delays.iter().sum();
        let late = wheel.granules(delays) + wheel.tick + noticed;
        let bounds = Self::new(nominal.saturating_sub(wheel.tick), nominal + late, rule);
        Self { derived: (!nominal.is_zero()).then_some(nominal), ..bounds }
    }

    /// What a time allows that the kernel counts in ticks and compares with its clock whenever
    /// somebody asks, as connection tracking does (`nf_conntrack.h`, `nf_ct_is_expired`); somebody
    /// asks `every` so often.
    ///
    /// No timer fires, so it may be over early: the count begins at the last tick, almost one
    /// before the event, and that tick may be counted late by another.
    pub fn ticks(delay: Duration, every: Duration, rule: impl Into<String>) -> Self {
        Self::ticks_of(Wheel::here(), noticed(), delay, every, rule)
    }

    fn ticks_of(
        wheel: Wheel,
        noticed: Duration,
        delay: Duration,
        every: Duration,
        rule: impl Into<String>,
    ) -> Self {
        let from = delay.saturating_sub(2 * wheel.tick);
        let bounds = Self::new(from, delay + wheel.tick + every + noticed, rule);
        Self { derived: Some(delay), ..bounds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// The tables in the comment above `LVL_CLK_SHIFT` in `kernel/time/timer.c`: for each level
    /// its granule and a delay well inside its range, in milliseconds.
    const TABLES: [(u32, &[(u64, u64)]); 4] = [
        (
            1000,
            &[
                (1, 40),
                (8, 300),
                (64, 2_000),
                (512, 20_000),
                (4_096, 150_000),
                (32_768, 1_000_000),
                (262_144, 8_000_000),
                (2_097_152, 60_000_000),
                (16_777_216, 500_000_000),
            ],
        ),
        (
            300,
            &[
                (3, 100),
                (26, 1_000),
                (213, 7_000),
                (1_706, 50_000),
                (13_653, 400_000),
                (109_226, 3_000_000),
                (873_813, 20_000_000),
                (6_990_506, 200_000_000),
                (55_924_053, 2_000_000_000),
            ],
        ),
        (
            250,
            &[
                (4, 204),
                (32, 1_000),
                (256, 5_000),
                (2_048, 60_000),
                (16_384, 350_000),
                (131_072, 7_200_000),
                (1_048_576, 32_767_000),
                (8_388_608, 432_000_000),
                (67_108_864, 2_000_000_000),
            ],
        ),
        (
            100,
            &[
                (10, 210),
                (80, 1_000),
                (640, 20_000),
                (5_120, 60_000),
                (40_960, 1_000_000),
                (327_680, 7_200_000),
                (2_621_440, 32_767_000),
                (20_971_520, 432_000_000),
            ],
        ),
    ];

    #[test]
    fn granules_are_those_of_the_kernels_own_tables() {
        for (hz, levels) in TABLES {
            for (granule, delay) in levels {
                let seen = Wheel::of(hz).granule(ms(*delay)).as_millis();
                // Where a tick is 3.3 ms the tables round, and ours lacks a third of a nanosecond.
                let rounded = u128::from(granule / 1_000_000 + 1);
                let off = seen.abs_diff(u128::from(*granule));
                assert!(off <= rounded, "HZ={hz} {delay} ms: {seen}");
            }
        }
    }

    #[test]
    fn no_granule_is_much_longer_than_an_eighth() {
        let wheel = Wheel::of(250);
        for delay in (1..2_000_000).map(ms) {
            // Eight ticks of 63, less the one that the wheel may be behind and another.
            let most = delay.mul_f64(8.0 / 61.0).max(wheel.tick);
            assert!(wheel.granule(delay) <= most, "{delay:?}: {:?}", wheel.granule(delay));
        }
    }

    #[test]
    fn levels_begin_where_the_kernel_begins_them() {
        let wheel = Wheel::of(1000);
        // LVL_START(1) is 63 ticks; the wheel's clock may be one behind.
        assert_eq!(wheel.granule(ms(61)), ms(1));
        assert_eq!(wheel.granule(ms(62)), ms(8));
        assert_eq!(wheel.granule(ms(502)), ms(8));
        assert_eq!(wheel.granule(ms(503)), ms(64));
    }

    #[test]
    fn what_was_measured_lies_within_the_granules() {
        let wheel = Wheel::of(250);
        let second = Duration::from_secs(1);
        let doubling = |from: Duration, n: u32| (0..n).map(move |k| from * (1 << k));
        let keepalive = [7200 * second].into_iter().chain([75 * second; 9]);
        let noticed = Duration::from_millis(300);
        let window = |delays| Window::wheel_of(wheel, noticed, delays, "measured");
        for (delays, measured) in [
            (keepalive.collect(), 7925.58),
            (vec![60 * second], 61.70),
            (doubling(second, 7).collect(), 130.9),
            (doubling(second, 6).collect(), 64.2),
        ] {
            let window = window(delays);
            assert!(window.judge("it", Duration::from_secs_f64(measured)).is_ok(), "{window}");
            assert!(window.to < window.from.mul_f64(1.05) + ms(500), "{window}");
        }
    }

    #[test]
    fn a_window_is_as_wide_as_the_granules_and_a_tick_on_either_side() {
        let window = Window::wheel_of(Wheel::of(250), ms(0), [ms(204), ms(1000)], "two timers");
        assert_eq!((window.from, window.to), (ms(1200), ms(1204 + 4 + 32 + 4)));
        assert_eq!(window.derived, Some(ms(1204)));
        let busy = Window::wheel_of(Wheel::of(250), ms(300), [ms(204), ms(1000)], "two timers");
        assert_eq!((busy.from, busy.to), (window.from, window.to + ms(300)));
    }

    #[test]
    fn a_time_counted_in_ticks_may_be_over_two_of_them_early() {
        let window = Window::ticks_of(Wheel::of(250), ms(0), ms(1000), ms(5), "a second");
        assert_eq!((window.from, window.to), (ms(992), ms(1009)));
        let window = Window::ticks_of(Wheel::of(100), ms(0), ms(1000), ms(5), "a second");
        assert!(window.judge("seen on a busy machine", Duration::from_micros(988_400)).is_ok());
    }

    #[test]
    fn this_kernel_has_a_tick_of_a_known_length() {
        let hz = (1e9 / Wheel::here().tick().as_nanos() as f64).round() as u32;
        assert!([100, 250, 300, 1000].contains(&hz), "{hz}");
    }
}
