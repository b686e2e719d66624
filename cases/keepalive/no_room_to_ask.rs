//! A keepalive probe that the asking host's own queue has refused was never asked: it is tried
//! again every half second and counted by nothing, so that no congestion of its own, however long,
//! makes a host give up a peer that is alive.
//! Source: `net/ipv4/tcp_timer.c` `tcp_keepalive_timer` (TCP_RESOURCE_PROBE_INTERVAL);
//! `net/ipv4/tcp_output.c` `tcp_write_wakeup`.

use lastack::prelude::*;

/// Counted before the segment leaves TCP (`tcp_output.c`, `__tcp_transmit_skb`): the queue itself
/// also refuses what IPv6 has to say now and then.
const SENT: &str = "OutSegs";
/// One second of silence, one probe, and one more second: over long before the case is, were the
/// probe counted.
const KEEPALIVE: Keepalive = Keepalive::new(1, 1, 1);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-13"]).waits(2 * KEEPALIVE.end());
    rule.source("tcp_timer.c tcp_keepalive_timer: TCP_RESOURCE_PROBE_INTERVAL");
    rule.case("probe_refused_by_the_own_queue_is_tried_again_and_not_counted")
        .across(Ip::BOTH, not_counted);
}

async fn not_counted(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;
    let read = a.read(1).on("reader").blocks().await?;

    let full = lab.full_queue("a").await?;
    let sent = a.host().counter(SENT)?;
    let began = a.keep_alive(KEEPALIVE).await?.began();
    let read = read.stays_blocked(2 * KEEPALIVE.end()).await?;
    let entry = a.kernel().has_unanswered_probes(0).await?.entry;
    let timer = entry.and_then(|entry| entry.timer).filter(|(of, ..)| *of == Timer::Keepalive);
    let left = timer.map_or(Duration::MAX, |(_, left, _)| left);
    check("the next attempt is off by", left, at_most(timers::RESOURCE_PROBE))?;

    let lasted = lastack::Stamp::now().since(began).saturating_sub(KEEPALIVE.idle());
    let attempts = a.host().counter(SENT)? - sent;
    // Every attempt but the first is a timer of its own, and each may be late.
    let every = Window::wheel([timers::RESOURCE_PROBE], "the next attempt");
    let count = |every: Duration| (lasted.as_nanos() / every.as_nanos()) as u64;
    let allowed = count(every.to)..=count(every.from) + 1;
    if !allowed.contains(&attempts) {
        let expected = format!("{allowed:?} in {lasted:?}");
        return Err(Error::mismatch("attempts to ask", expected, attempts.to_string()));
    }
    check("attempts refused", full.lift().await?, at_least(attempts))?;
    wire.exactly(start, []).await?;

    // The next attempt is the first to be seen, and it is answered.
    let lifted = lastack::Stamp::now();
    let asked = wire.expect(probe().from("a").arrived(true)).after(start).await?;
    every.at_latest().judge("the probe after the queue had room", asked.at().since(lifted))?;
    wire.expect(pure_ack().from("b")).after(&asked).await?;
    a.kernel().is(State::Established)?;
    b.kernel().is(State::Established)?;
    drop(read);
    Ok(())
}
