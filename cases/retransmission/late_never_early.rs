//! A kernel's timer fires late and never early: not before the moment that the kernel announces to
//! whoever asks (`ss -o`), and after it by no more than an eighth of the wait, which is how
//! coarse the timer wheel is, and what the machine needs.
//! How coarse is known: each level of the wheel has a granule of so many ticks, and the lateness of
//! a timer is never more than its level's.
//! Source: `kernel/time/timer.c` `calc_index`, `LVL_CLK_SHIFT`; `net/ipv4/inet_diag.c`.

use lastack::{prelude::*, sys::sock_diag::SocketEntry};

pub fn cases(family: &mut Family) {
    let rule = family.rule(["RT-16"]).waits(Duration::from_secs(4));
    rule.source("kernel/time/timer.c calc_index; inet_diag.c inet_sk_diag_fill (idiag_expires)");
    rule.case("timer_fires_late_and_never_early").across(Ip::BOTH, as_announced);
    rule.stock("timer_is_late_by_one_granule_of_the_wheel_at_most")
        .source("kernel/time/timer.c calc_wheel_index, calc_index; tcp_timer.c")
        .waits(Duration::from_secs(LONGEST as u64))
        .run(within_a_granule);
}

/// The longest idle time that keepalive takes (`include/net/tcp.h`, `MAX_TCP_KEEPIDLE`): nine hours.
const LONGEST: i32 = 32_767;
/// Idle times in seconds, for timers on every level of the wheel but the lowest and, with a wait of
/// days, the highest two.
const IDLE: [i32; 12] = [1, 2, 3, 10, 30, 60, 100, 350, 900, 3600, 7200, LONGEST];

async fn as_announced(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();

    let _silence = lab.black_hole().open().await?;
    a.write("is anybody there?").ok().await?;
    let mut last = wire.expect(data().from("a")).await?;
    // The waits are a tail loss probe's, and then 1, 2, 4 and 8 retransmission timeouts.
    for _ in 0..5 {
        let patience = Duration::from_secs(5);
        let armed = |socket: &Option<SocketEntry>| announced(socket).is_some();
        let look = a.kernel().until("waiting to send again", armed, patience).await?;
        let left = announced(&look.entry).unwrap_or_default();

        let again = data().from("a").retransmitted(true);
        let again = wire.expect(again).after(&last).within(patience).await?;
        // How late it may be depends on what it was set for, when the last segment was sent.
        let whole = look.first.since(last.at()) + left;
        let window = Window::wheel([whole], "as announced, and a granule late at most");
        window.judge("a timer fired", again.at().since(last.at()))?;
        last = again;
    }
    Ok(())
}

/// How long until the socket sends again. A timer that has run out and is not yet set again
/// announces nothing.
fn announced(socket: &Option<SocketEntry>) -> Option<Duration> {
    match socket.as_ref()?.timer {
        Some((Timer::Retransmit, left, _)) if !left.is_zero() => Some(left),
        _ => None,
    }
}

/// A connection for each, all silent together; what the timer does is to send the first probe.
async fn within_a_granule(scene: Scene) -> Result {
    let Pair { lab, a, b, listener } = scene.pair().connect().await?;
    let (wire, wheel) = (lab.wire(), Wheel::here());
    let mut timers = Vec::new();
    for idle in IDLE {
        let socket = a.process.connect(b.local_address()).await?;
        let _other = listener.accept().ok().await?;
        let port = socket.local().ok().await?.port();
        // The interval lets a live peer be asked once only.
        let set = socket.keep_alive(Keepalive::new(idle, LONGEST, 1)).await?;
        timers.push((idle, port, set));
    }

    let mut granules = Vec::new();
    for (idle, port, set) in timers {
        let delay = Duration::from_secs(idle as u64);
        let window = Window::wheel([delay], format!("{idle} s and a granule"));
        let first = probe().from("a").port(port);
        let probe = wire.expect(first).within(window.to + delay).await?;
        window.judge("the first probe came", probe.at().since(set.began()))?;
        let late = probe.at().since(set.began()).saturating_sub(delay);
        let granule = wheel.granule(delay);
        scene.note(format!("{idle} s: late by {late:.3?}, the granule is {granule:.3?}"));
        granules.push(granule);
    }
    granules.dedup();
    check("levels of the wheel", granules.len(), at_least(5))
}
