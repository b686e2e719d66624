//! What decides is whether a probe is answered, not whether the peer is there: one that is back
//! before the last probe keeps the connection, one that is back just after it is given up all the
//! same, and is told so, unless it speaks of its own accord.
//! Source: `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`; `net/ipv4/tcp_input.c` `tcp_ack`, which
//! sets the count of unanswered probes back.

use lastack::prelude::*;

const KEEPALIVE: Keepalive = Keepalive::new(1, 2, 2);
/// More than one step of the keepalive timer.
const STEP: Duration = Duration::from_secs(3);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-01b"]).waits(KEEPALIVE.end());
    rule.source("tcp_timer.c tcp_keepalive_timer; tcp_input.c tcp_ack");
    rule.case("peer_back_before_the_last_probe_keeps_the_connection").across(Ip::BOTH, before);
    rule.case("peer_back_after_the_last_probe_is_reset").across(Ip::BOTH, after);
    rule.case("peer_that_speaks_after_the_last_probe_keeps_the_connection")
        .across(Ip::BOTH, speaks);
}

async fn before(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();

    let hole = lab.black_hole().open().await?;
    a.keep_alive(KEEPALIVE).await?;
    let first = wire.expect(probe().from("a").arrived(false)).within(STEP).await?;
    hole.lift().await?;

    let last = wire.expect(probe().from("a").arrived(true)).after(&first).within(STEP).await?;
    let answer = wire.expect(pure_ack().from("b").ack(1).arrived(true)).after(&last).await?;
    a.kernel().has_unanswered_probes(0).await?;
    // It would have ended an interval after that. The count begins anew instead.
    let next = wire.expect(probe().from("a")).after(&answer).within(STEP).await?;
    let period = timers::keepalive_period(KEEPALIVE.idle(), KEEPALIVE.interval());
    let window = Window::wheel(period, "an answered probe's period");
    window.judge("the next probe came after", next.at().since(answer.at()))?;
    a.write("x").ok().await?;
    b.read(1).bytes(b"x").await?;
    wire.absent(Wire::start(), rst()).await
}

async fn after(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let (start, lost) = (wire.mark().await?, probe().from("a").arrived(false));

    let hole = lab.black_hole().open().await?;
    let on = a.keep_alive(KEEPALIVE).await?;
    let read = a.read(1).blocks().await?;
    wire.in_order(start, [lost.clone(), lost.clone()], 2 * STEP).await?;
    hole.lift().await?;
    // The path is whole, the peer is there, and nobody asks.
    a.kernel().is(State::Established)?;

    read.done().await?.errno(Errno::ETIMEDOUT)?;
    let end = rst().from("a").flags(Flags::ACK).arrived(true);
    let sent = wire.exactly(start, [lost.clone(), lost, end]).await?;
    KEEPALIVE.judge_since(on.began(), &sent)?;
    b.read(1).errno(Errno::ECONNRESET).await?;
    b.kernel().is_gone().await?;
    Ok(())
}

async fn speaks(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let (start, lost) = (wire.mark().await?, probe().from("a").arrived(false));

    let hole = lab.black_hole().open().await?;
    a.keep_alive(KEEPALIVE).await?;
    wire.in_order(start, [lost.clone(), lost], 2 * STEP).await?;
    hole.lift().await?;
    b.write("x").ok().await?;
    a.read(1).bytes(b"x").await?;
    a.kernel().has_unanswered_probes(0).await?;

    let said = wire.expect(data().from("b")).await?;
    let next = wire.expect(probe().from("a").arrived(true)).after(&said).within(STEP).await?;
    // When the timer looks next, or when the idle time is over, whichever is later.
    let [idle, interval] = [KEEPALIVE.idle(), KEEPALIVE.interval()].map(|t| Window::wheel([t], ""));
    idle.until(&interval).judge("the next probe came after", next.at().since(said.at()))?;
    wire.absent(start, rst()).await
}
