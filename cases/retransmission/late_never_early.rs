//! A kernel's timer fires late and never early: not before the moment that the kernel announces to
//! whoever asks (`ss -o`), and after it by no more than an eighth of the wait, which is how
//! coarse the timer wheel is, and what the machine needs.
//! Source: `kernel/time/timer.c` `calc_index`, `LVL_CLK_SHIFT`; `net/ipv4/inet_diag.c`.

use lastack::{prelude::*, sys::sock_diag::SocketEntry};

pub fn cases(family: &mut Family) {
    family
        .case("timer_fires_late_and_never_early")
        .covers(["RT-16"])
        .source("kernel/time/timer.c calc_index; inet_diag.c inet_sk_diag_fill (idiag_expires)")
        .waits(Duration::from_secs(4))
        .across(Ip::BOTH, as_announced);
}

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
        last = wire.expect(again).after(&last).within(patience).await?;
        let window = Window::timer(left, "as announced, and late by an eighth at most");
        window.judge("a timer fired", last.at().since(look.first))?;
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
