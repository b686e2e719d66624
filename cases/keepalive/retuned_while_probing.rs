//! A new TCP_KEEPINTVL or TCP_KEEPCNT counts when the next probe is due, and not before: the
//! timer that runs is not moved.
//! Source: `net/ipv4/tcp.c` `tcp_sock_set_keepintvl`, `tcp_sock_set_keepcnt`;
//! `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-10b"]).waits(Duration::from_secs(5));
    rule.source("tcp.c tcp_sock_set_keepintvl, tcp_sock_set_keepcnt; tcp_timer.c");
    rule.case("new_interval_counts_from_the_next_probe").across(Ip::BOTH, interval);
    rule.case("new_count_below_the_probes_sent_ends_it_when_the_next_is_due")
        .waits(Duration::from_secs(3))
        .across([("lowered", (9, 1)), ("raised", (1, 2))], count);
}

async fn interval(scene: Scene, ip: Ip) -> Result {
    let slow = Keepalive::new(1, 2, 2);
    let quick = Keepalive { interval: 1, ..slow };
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;

    let _hole = lab.black_hole().open().await?;
    let on = a.keep_alive(slow).await?;
    wire.expect(probe().from("a")).after(start).within(2 * slow.idle()).await?;
    a.set(option::KEEPINTVL, quick.interval).ok().await?;
    a.read(1).errno(Errno::ETIMEDOUT).await?;

    let sent = wire.exactly(start, [probe(), probe(), rst()]).await?;
    slow.judge_since(on.began(), &sent[..2])?;
    let window = Window::wheel([quick.interval()], "the new interval");
    window.judge("the time from the last probe to the end was", sent[2].at().since(sent[1].at()))
}

async fn count(scene: Scene, (old, new): (i32, i32)) -> Result {
    let keepalive = Keepalive::new(1, 1, old);
    let Pair { lab, a, .. } = scene.pair().connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;

    // Lowered below what is out already, or raised while the last one allowed is out.
    let out = if new < old { 2 } else { 1 };
    let _hole = lab.black_hole().open().await?;
    let on = a.keep_alive(keepalive).await?;
    wire.in_order(start, vec![probe(); out], 3 * keepalive.idle()).await?;
    a.set(option::KEEPCNT, new).ok().await?;
    a.read(1).errno(Errno::ETIMEDOUT).await?;

    let sent = wire.exactly(start, [probe(), probe(), rst()]).await?;
    keepalive.judge_since(on.began(), &sent)
}
