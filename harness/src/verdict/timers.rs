//! When the kernel gives up: the formulas behind every time window.
//!
//! Each takes the knobs and the retransmission timeout read from the socket
//! ([`crate::sys::tcp_info::TcpInfo::rto`]) and gives the waits of its timers, or their sum;
//! [`super::Window::wheel`] makes a window of them. Sources are files and functions of Linux 6.1 to
//! 6.18.

use std::{ops::RangeInclusive, time::Duration};

use super::{Sighting, Wheel, Window};
use crate::{
    error::{Error, Result},
    stamp::Stamp,
    wire::Retries,
};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The longest tick any common configuration has (HZ=100).
pub const JIFFY_AT_MOST: Duration = ms(10);
/// `TCP_RTO_MIN`: also the base of the retransmission limits, whatever the real timeout is.
pub const RTO_MIN: Duration = ms(200);
/// `TCP_RTO_MAX`, where `tcp_rto_max_ms` does not say otherwise.
pub const RTO_MAX: Duration = ms(120_000);
/// `TCP_TIMEOUT_INIT`: the base for a handshake.
pub const SYN_RTO: Duration = ms(1000);
/// `TCP_TIMEWAIT_LEN`: how long TIME_WAIT lasts; no sysctl changes it.
pub const TIME_WAIT: Duration = ms(60_000);
/// `tcp_fin_timeout` as it comes: how long an orphan's FIN_WAIT2 lasts (`TCP_FIN_TIMEOUT`).
pub const FIN_TIMEOUT: Duration = ms(60_000);
/// `TCP_DELACK_MAX`: the longest a bare acknowledgement is held back, plus the tick it is
/// rounded up to.
pub const DELAYED_ACK: Duration = ms(200);
/// `TCP_ATO_MIN` (HZ/25): how long an end in a conversation holds back a bare acknowledgement. One
/// that has received no data yet does not, but for the rest of the tick.
pub const ATO_MIN: Duration = ms(40);
/// A day: ten times as long as the most patient timer in stock, keepalive's. What has not happened
/// by then happens never.
pub const A_DAY: Duration = Duration::from_secs(86_400);
/// `tcp_orphan_retries`' meaning of the value 0 (`net/ipv4/tcp_timer.c`, `tcp_orphan_retries`).
pub const ORPHAN_RETRIES: u32 = 8;

/// `tcp_retries2` as it comes (`TCP_RETR2`): a quarter of an hour.
pub const STOCK_RETRIES: u32 = 15;

/// The elapsed time that `boundary` retransmissions stand for: doubling from `base` up to `max`,
/// then linear (`tcp_timer.c`, `tcp_model_timeout`).
#[must_use]
pub fn model(boundary: u32, base: Duration, max: Duration) -> Duration {
    let threshold = (max.as_millis() / base.as_millis()).ilog2();
    let doublings = boundary.min(threshold);
    base * ((2 << doublings) - 1) + max * (boundary - doublings)
}

/// When retransmission timeout number `k` (from 1) fires, counted from the first of them.
#[must_use]
pub fn rto_event(k: u32, rto: Duration, max: Duration) -> Duration {
    (1..k).fold(Duration::ZERO, |at, n| at + step(n, rto, max))
}

fn step(backoff: u32, rto: Duration, max: Duration) -> Duration {
    rto.saturating_mul(1u32.checked_shl(backoff).unwrap_or(u32::MAX)).min(max)
}

/// The end of an established connection, or an orphan, whose segments are not acknowledged.
/// Times count from the first retransmission timeout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveUp {
    /// The limit itself: the connection ends at the first timeout that finds it reached.
    pub limit: Duration,
    /// When that is, if every timer fires on its moment.
    pub after: Duration,
    /// How many timeouts still retransmit: the last one ends the connection instead. Timers that
    /// are late spend the limit on fewer of them.
    pub retransmissions: RangeInclusive<u32>,
    rto: Duration,
    max: Duration,
}

impl GiveUp {
    /// By this `tcp_retries2`, or `tcp_orphan_retries` for a socket nobody holds, with the stock
    /// longest timeout.
    #[must_use]
    pub fn of(retries: u32, rto: Duration) -> Self {
        give_up(retries, rto, RTO_MAX)
    }

    /// By the stock `tcp_retries2`: a quarter of an hour.
    #[must_use]
    pub fn stock(rto: Duration) -> Self {
        Self::of(STOCK_RETRIES, rto)
    }

    /// From the first retransmission timeout to the end.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window_by(Wheel::here())
    }

    /// No earlier than the limit, nor than the fewest timeouts that late timers leave; no later
    /// than all of them, each as late as it may be.
    fn window_by(&self, wheel: Wheel) -> Window {
        let waits = |count: u32| (1..=count).map(|n| rto_gap(n, self.rto, self.max));
        let rule = format!("first timeout that finds {:?} gone", self.limit);
        let window = Window::wheel(waits(*self.retransmissions.end()), rule);
        // A busy machine may be late besides.
        let latest = Window::wheel([], "").to;
        let busy = give_up_by(wheel, latest, self.limit, self.rto, self.max);
        let fewest = waits(*busy.retransmissions.start()).sum::<Duration>();
        Window { from: self.limit.max(fewest).saturating_sub(wheel.tick()), ..window }
    }

    /// Says whether a connection that died so, after these retries, died by the rule: the timeout
    /// that ended it was the first to find the limit reached, and the next due after the last
    /// retransmission.
    ///
    /// # Errors
    /// It retransmitted more often, or beyond the limit, or ended at another time.
    pub fn judge(&self, retries: &Retries, died: Stamp) -> Result {
        let (what, window) = self.end_after(retries)?;
        window.judge_between(&what, retries.first_timeout().at(), died)
    }

    /// As [`Self::judge`], where the end was awaited at the kernel.
    ///
    /// # Errors
    /// As [`Self::judge`], or nobody looked closely enough.
    pub fn judge_sighting(&self, retries: &Retries, gone: &Sighting) -> Result {
        let (what, window) = self.end_after(retries)?;
        gone.judge(&what, &window, retries.first_timeout().at())
    }

    /// When the connection must have ended after these retries, and what that is called.
    fn end_after(&self, retries: &Retries) -> Result<(String, Window)> {
        let start = retries.first_timeout().at();
        let tick = Wheel::here().tick();
        let count = u32::try_from(retries.timeouts.len()).unwrap_or(u32::MAX);
        let most = *self.retransmissions.end();
        if count > most {
            let expected = format!("at most {most} within {:?}", self.limit);
            return Err(Error::mismatch("retransmissions", expected, count.to_string()));
        }
        for segment in &retries.timeouts {
            let rule = "before the limit is reached";
            let window = Window::new(Duration::ZERO, self.limit + tick, rule);
            window.judge_between("a retransmission", start, segment.at())?;
        }
        let waits = (1..=count).map(|n| rto_gap(n, self.rto, self.max));
        let rule = format!("first timeout that finds {:?} gone, none early", self.limit);
        let window = Window::wheel(waits, rule);
        let from = window.from.max(self.limit.saturating_sub(tick));
        let what = format!("the end of the connection after {count} retransmissions");
        Ok((what, Window { from, ..window }))
    }
}

/// When a connection gives up. `retries` is `tcp_retries2`, or `tcp_orphan_retries` for a socket
/// nobody holds (`tcp_timer.c`, `retransmits_timed_out`); `max` is [`RTO_MAX`] or `tcp_rto_max_ms`,
/// with which [`GiveUp::of`] is shorter.
#[must_use]
pub fn give_up(retries: u32, rto: Duration, max: Duration) -> GiveUp {
    give_up_at(model(retries, RTO_MIN, max), rto, max)
}

fn give_up_at(limit: Duration, rto: Duration, max: Duration) -> GiveUp {
    let wheel = Wheel::here();
    give_up_by(wheel, wheel.tick(), limit, rto, max)
}

/// As [`give_up_at`] on this wheel, where the machine is late by `latest` besides.
fn give_up_by(
    wheel: Wheel,
    latest: Duration,
    limit: Duration,
    rto: Duration,
    max: Duration,
) -> GiveUp {
    let (mut after, mut late, mut count, mut fewest) = (Duration::ZERO, latest, 0, None);
    while after < limit {
        count += 1;
        let wait = rto_gap(count, rto, max);
        after += wait;
        late += wheel.granule(wait);
        if after + late >= limit {
            fewest.get_or_insert(count);
        }
    }
    GiveUp { limit, after, retransmissions: fewest.unwrap_or(count)..=count, rto, max }
}

/// How late the timer wheel may be: an eighth (`kernel/time/timer.c`, `LVL_CLK_SHIFT`).
pub(super) const LATEST: f64 = 1.125;

/// From a lone small write to its first retransmission timeout: a tail loss probe comes first
/// and re-arms the timer (`tcp_output.c`, `tcp_schedule_loss_probe`).
#[must_use]
pub fn first_rto_after_lone_write(rto: Duration) -> Duration {
    2 * rto
}

/// The shortest round trip of a handshake that explains this retransmission timeout: the timeout is
/// the round trip, and twice as long again or the `floor` (`tcp_rto_min_us`), whichever is longer;
/// rounded up to the next tick but one at most (`tcp_input.c`, `tcp_rtt_estimator`; `tcp.h`,
/// `__tcp_set_rto`).
#[must_use]
pub fn least_round_trip(rto: Duration, floor: Duration) -> Duration {
    let tick = Wheel::here().tick();
    let rto = rto.saturating_sub(2 * tick);
    let trip = if rto > floor * 3 / 2 { rto / 3 } else { rto.saturating_sub(floor) };
    trip.max(tick)
}

/// `TCP_THIN_LINEAR_RETRIES`: how many timeouts of a thin stream do not back off.
pub const THIN_LINEAR_RETRIES: u32 = 6;

/// From timeout number `n` (from 1) of a thin stream under `tcp_thin_linear_timeouts` to the next
/// (`tcp_timer.c`, `tcp_retransmit_timer`).
#[must_use]
pub fn thin_gap(n: u32, rto: Duration, max: Duration) -> Duration {
    step(n.saturating_sub(THIN_LINEAR_RETRIES), rto, max)
}

/// From timeout number `n` (from 1) to the next (`tcp_timer.c`, `tcp_retransmit_timer`).
#[must_use]
pub fn rto_gap(n: u32, rto: Duration, max: Duration) -> Duration {
    step(n, rto, max)
}

/// From window probe number `n` to the next, and for `n` of 0 from the window's closing to the
/// first: doubling, but no more often than `tcp_retries2` says (`tcp_output.c`,
/// `tcp_send_probe0`; `tcp.h`, `tcp_probe0_when`). Answers change nothing in it.
#[must_use]
pub fn window_probe_gap(n: u32, retries2: u32, rto: Duration, max: Duration) -> Duration {
    step(n.min(retries2), rto.max(RTO_MIN), max)
}

/// How many probes an orphan sends behind a closed window, answered or not: it ends in place of the
/// next, once its back-off has reached the longest wait and is no less than `tcp_orphan_retries`
/// (`tcp_timer.c`, `tcp_probe_timer`).
#[must_use]
pub fn orphaned_window_probes(orphan_retries: u32, rto: Duration, max: Duration) -> u32 {
    let longest = (0..).find(|backoff| step(*backoff, rto, max) == max).unwrap_or(0);
    longest.max(orphan_retries)
}

/// The waits of a peer that falls silent behind its closed window, from the first probe without an
/// answer, number `n`: `tcp_retries2` probes go out, and the next one due ends the connection
/// instead (`tcp_timer.c`, `tcp_probe_timer`).
#[must_use]
pub fn window_probe_death(n: u32, retries2: u32, rto: Duration, max: Duration) -> Vec<Duration> {
    (n..n + retries2).map(|n| window_probe_gap(n, retries2, rto, max)).collect()
}

/// When the SYN-ACKs of a handshake that is never finished go out, and when the request is
/// forgotten (`inet_connection_sock.c`, `reqsk_timer_handler`).
#[must_use]
pub fn syn_ack(synack_retries: u32) -> (Vec<Duration>, Duration) {
    let at = |n: u32| SYN_RTO * ((1 << n) - 1);
    ((0..=synack_retries).map(at).collect(), at(synack_retries + 1))
}

/// The waits of a connection whose data does not even leave the host, from the write that found no
/// way out to the end: the persist timer fires `retries` times in vain and once more
/// (`tcp_timer.c`, `tcp_probe_timer`; `tcp_output.c`, `tcp_send_probe0`).
#[must_use]
pub fn nothing_leaves(retries: u32, rto: Duration, max: Duration) -> Vec<Duration> {
    (0..=retries).map(|probe| step(probe, rto, max)).collect()
}

/// `TCP_RESOURCE_PROBE_INTERVAL`: when TCP tries again what its own host had no room for, window
/// and keepalive probes as well as data that could not be sent (`tcp_output.c`, `tcp_send_probe0`;
/// `tcp_timer.c`, `tcp_keepalive_timer`).
pub const RESOURCE_PROBE: Duration = ms(500);

/// The waits of a connection whose data its own host has no room for, from the write to the end:
/// the first attempt of the persist timer after a retransmission timeout, then `retries` more in
/// vain (`tcp_timer.c`, `tcp_probe_timer`).
#[must_use]
pub fn no_room(retries: u32, rto: Duration) -> Vec<Duration> {
    let more = vec![RESOURCE_PROBE; retries as usize];
    [rto.max(RTO_MIN)].into_iter().chain(more).collect()
}

/// A peer that has taken its window back with data in flight, and is silent: retransmissions
/// become window probes, and the first timeout ends the connection that finds twice the longest
/// timeout gone, since the first of them as since the last word of the peer's (`tcp_timer.c`,
/// `tcp_rtx_probe0_timed_out`).
#[must_use]
pub fn shrunk_window(rto: Duration, max: Duration) -> GiveUp {
    give_up_at(2 * max, rto, max)
}

/// A busy connection under TCP_USER_TIMEOUT, from its first retransmission timeout, or, where the
/// peer's window is closed, from its first window probe (`tcp_timer.c`,
/// `tcp_clamp_rto_to_user_timeout`, `tcp_clamp_probe0_to_user_timeout`).
#[must_use]
pub fn user_timeout(timeout: Duration) -> Duration {
    timeout
}

/// A `connect` under TCP_USER_TIMEOUT that nothing answers, from the SYN: never before that was
/// sent a second time (`tcp_timer.c`, `retransmits_timed_out`).
#[must_use]
pub fn connect_user_timeout(timeout: Duration) -> Duration {
    timeout.max(SYN_RTO)
}

/// Keepalive's verdict on a silent peer, from the last segment received
/// (`tcp_timer.c`, `tcp_keepalive_timer`): the idle time, then each probe's interval; death comes
/// one interval after the last probe.
#[must_use]
pub fn keepalive_death(idle: Duration, interval: Duration, probes: u32) -> Duration {
    idle + interval * probes
}

/// When keepalive probe number `n` (from 1) goes out, from the last segment received.
#[must_use]
pub fn keepalive_probe(idle: Duration, interval: Duration, n: u32) -> Duration {
    idle + interval * (n - 1)
}

/// Keepalive's verdict on a silent peer under TCP_USER_TIMEOUT, which takes the place of the
/// number of probes, from the last segment received: how many probes go out before the connection
/// ends. It is looked at when the next probe is due, and one must be out (`tcp_timer.c`,
/// `tcp_keepalive_timer`).
#[must_use]
pub fn keepalive_user_timeout(idle: Duration, interval: Duration, timeout: Duration) -> u32 {
    (1..).find(|n| keepalive_death(idle, interval, *n) >= timeout).unwrap_or(1)
}

/// The waits from one probe that is answered at once to the next: the interval passes before the
/// timer looks at the silence again, and then what the idle time has left (`tcp_timer.c`,
/// `tcp_keepalive_timer`).
#[must_use]
pub fn keepalive_period(idle: Duration, interval: Duration) -> Vec<Duration> {
    let waits = [interval, idle.saturating_sub(interval)];
    waits.into_iter().filter(|wait| !wait.is_zero()).collect()
}

/// When the SYNs of an unanswered `connect` go out and when it fails with ETIMEDOUT.
#[must_use]
pub fn connect(syn_retries: u32, linear: u32) -> (Vec<Duration>, Duration) {
    let limit = model(syn_retries, SYN_RTO, RTO_MAX);
    let (mut sent, mut at, mut gap) = (vec![Duration::ZERO], Duration::ZERO, SYN_RTO);
    loop {
        at += gap;
        let timeouts = sent.len() as u32;
        // tcp_write_timeout: retransmissions counted, or their modelled time reached.
        if timeouts > syn_retries + linear || at >= limit {
            return (sent, at);
        }
        sent.push(at);
        if timeouts > linear {
            gap *= 2;
        }
    }
}

/// How long an orphaned FIN_WAIT2 lives (`tcp_input.c`, `tcp_rcv_state_process`; `tcp.h`,
/// `tcp_fin_time`): `tcp_fin_timeout` but never less than 3.5 retransmission timeouts; of a time
/// over TIME_WAIT's, the part beyond is spent twice, first on the keepalive timer and then as a
/// mini-socket.
#[must_use]
pub fn fin_wait2(fin_timeout: Duration, rto: Duration) -> Duration {
    let floor = rto * 4 - rto / 2;
    if fin_timeout > TIME_WAIT { (fin_timeout - TIME_WAIT) * 2 } else { fin_timeout.max(floor) }
}

#[cfg(test)]
#[path = "timers_tests.rs"]
mod tests;
