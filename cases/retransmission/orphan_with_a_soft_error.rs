//! An orphan that was told its peer is out of reach does not wait for tcp_orphan_retries: once its
//! retransmission timeout has grown to the cap it has no retries left. Without such a word it
//! goes on.
//! Source: `net/ipv4/tcp_timer.c` `tcp_orphan_retries` (sk_err_soft), `tcp_write_timeout`;
//! ip-sysctl.rst tcp_orphan_retries, tcp_rto_max_ms.

use lastack::prelude::*;

/// The cap, in milliseconds, so low that an orphan gets there soon.
const CAP: u64 = 1000;
const RETRIES: u32 = 8;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["RT-09"]).needs([Need::Sysctl("net.ipv4.tcp_rto_max_ms")]);
    rule.waits(Duration::from_secs(5));
    rule.source("tcp_timer.c tcp_orphan_retries (sk_err_soft), tcp_write_timeout");
    rule.case("orphan_with_a_soft_error_ends_where_its_timeout_stops_growing")
        .across(Ip::BOTH, told);
    rule.case("orphan_without_a_soft_error_goes_on_at_the_cap")
        .source("tcp_timer.c tcp_orphan_retries, tcp_write_timeout")
        .across(Ip::BOTH, not_told);
}

/// A connection whose end at `a` can do nothing but retransmit once it is closed.
async fn capped(scene: &Scene, ip: Ip) -> Result<Pair> {
    let pair = scene.pair().routed().ip(ip).sysctl("a", "net.ipv4.tcp_rto_max_ms", CAP);
    pair.sysctl("a", "net.ipv4.tcp_orphan_retries", RETRIES).connect().await
}

/// How many timeouts retransmit before one ends a wait of the cap: as many as there are waits.
fn at_the_cap(rto: Duration) -> (usize, Window) {
    let cap = Duration::from_millis(CAP);
    let growing = (1..).take_while(|n| timers::rto_gap(*n, rto, cap) < cap).count();
    let waits = (1..growing as u32 + 2).map(|n| timers::rto_gap(n, rto, cap));
    (growing + 1, Window::wheel(waits, "first timeout after a wait of the cap"))
}

async fn told(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = capped(&scene, ip).await?;
    let rto = a.rto().await?;
    let _router = lab.router_answers(IcmpError::PortUnreachable).from("a").turn_on().await?;
    a.close().ok().await?;
    let gone = a.kernel().is_gone_within(Duration::from_secs(15)).await?;

    let first = lab.wire().expect(fin().from("a")).await?;
    let retries = lab.wire().retries_of(&first).await?;
    let (timeouts, window) = at_the_cap(rto);
    same("retransmissions until the wait is the cap", timeouts, retries.timeouts.len())?;
    gone.judge("the end of the orphan", &window, retries.first_timeout().at())
}

async fn not_told(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = capped(&scene, ip).await?;
    let rto = a.rto().await?;
    let router = lab.router_drops().from("a").turn_on().await?;
    a.close().ok().await?;

    let (timeouts, _) = at_the_cap(rto);
    let more = (0..1 + timeouts + 2).map(|_| fin().from("a").retransmitted(true).arrived(false));
    lab.wire().in_order(Wire::start(), more, Duration::from_secs(15)).await?;
    a.kernel().is(State::FinWait1)?;
    router.lift().await?;
    Ok(())
}
