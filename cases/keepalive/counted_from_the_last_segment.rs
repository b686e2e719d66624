//! The idle time is counted from the last segment the peer was heard with: data, a bare
//! acknowledgement, a retransmission of what is here already. A new TCP_KEEPIDLE counts from
//! there as well; switching SO_KEEPALIVE on starts from now.
//! Source: `include/net/tcp.h` `keepalive_time_elapsed`; `net/ipv4/tcp.c`
//! `tcp_sock_set_keepidle_locked`; `net/ipv4/tcp_timer.c` `tcp_set_keepalive`.

use lastack::prelude::*;

const KEEPALIVE: Keepalive = Keepalive::new(1, 1, 1);
/// Two hours of patience, which is as good as none.
const STOCK: Keepalive = Keepalive::new(7200, 1, 1);
/// A silence shorter than the idle time of two seconds that is set later.
const SILENCE: Duration = Duration::from_millis(1500);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-10"]).waits(Duration::from_secs(4));
    rule.source("tcp.h keepalive_time_elapsed; tcp_timer.c tcp_keepalive_timer");
    rule.case("any_segment_of_the_peer_starts_the_idle_time_again")
        .claims(["A30"])
        .waits(2 * KEEPALIVE.idle())
        .across(([("data", "b"), ("acknowledgement", "a")], Ip::OVER), starts_again);
    rule.case("retransmissions_of_the_peer_are_signs_of_life").across(Ip::BOTH, retransmissions);
    rule.case("new_idle_time_counts_the_silence_before_it")
        .claims(["A30"])
        .source("tcp.c tcp_sock_set_keepidle_locked; tcp_timer.c tcp_set_keepalive")
        .waits(Duration::from_secs(2))
        .across([("not_yet_over", 2), ("over_already", 1)], new_idle_time);
    rule.case("keepalive_switched_on_late_waits_the_whole_idle_time")
        .source("tcp.c tcp_sock_set_keepidle_locked; tcp_timer.c tcp_set_keepalive")
        .waits(SILENCE + KEEPALIVE.idle())
        .across(Ip::BOTH, switched_on);
}

async fn starts_again(scene: Scene, (writer, ip): (&'static str, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).keepalive_on_a(KEEPALIVE).connect().await?;
    let wire = lab.wire();
    let (start, a_while) = (wire.mark().await?, KEEPALIVE.idle() / 4);

    wire.never(start, any()).for_(a_while).await?;
    if writer == "a" {
        a.write("x").ok().await?;
        a.kernel().is_acknowledged().await?;
    } else {
        b.write("x").ok().await?;
        a.read(1).bytes(b"x").await?;
    }
    let heard = wire.expect(any().from("b").arrived(true)).after(start).await?;
    let next = wire.expect(probe()).after(start).within(2 * KEEPALIVE.idle()).await?;
    KEEPALIVE.judge(&heard, &[next])
}

async fn retransmissions(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;

    // b hears nothing from a and says the same thing again and again, with longer and longer
    // breaks, until one is longer than a's idle time.
    let _hole = lab.black_hole().from("a").open().await?;
    a.keep_alive(KEEPALIVE).await?;
    b.write("x").ok().await?;
    a.read(1).bytes(b"x").await?;
    let first = wire.expect(probe().from("a")).after(start).within(3 * KEEPALIVE.end()).await?;

    let segments = wire.segments();
    let said = segments[..first.index].iter().filter(|it| it.from == "b" && it.payload > 0);
    let said: Vec<_> = said.collect();
    let times = said.len();
    check("times that b said it", times, at_least(4))?;
    // Counted from the first time, it would have been over long ago.
    let lasted = first.at().since(said[0].at());
    check("a has outlived its patience", lasted, more_than(KEEPALIVE.end()))?;
    KEEPALIVE.judge(said[times - 1], &[first])
}

async fn new_idle_time(scene: Scene, seconds: i32) -> Result {
    let Pair { lab, a, .. } = scene.pair().keepalive_on_a(STOCK).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;
    let heard = wire.expect(syn_ack()).await?;

    wire.never(start, any()).for_(SILENCE).await?;
    let set = a.set(option::KEEPIDLE, seconds).await?;
    let first = wire.expect(probe().from("a")).after(start).within(SILENCE).await?;
    let keepalive = Keepalive { idle: seconds, ..STOCK };
    if keepalive.idle() > SILENCE {
        return keepalive.judge(&heard, &[first]);
    }
    let at_once = Window::wheel([Duration::ZERO], "the silence was long enough");
    at_once.judge("from setsockopt() to the probe it took", first.at().since(set.began()))
}

async fn switched_on(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;
    a.keep_alive(KEEPALIVE).await?;
    a.set(option::KEEPALIVE, 0).ok().await?;

    wire.never(start, any()).for_(SILENCE).await?;
    let on = a.set(option::KEEPALIVE, 1).await?;
    let first = wire.expect(probe().from("a")).after(start).within(2 * KEEPALIVE.idle()).await?;
    KEEPALIVE.judge_since(on.began(), &[first])
}
