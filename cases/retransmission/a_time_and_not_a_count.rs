//! tcp_retries2 stands for a time: that of so many retransmissions doubling from 200 ms. The
//! connection ends, without a word, at the first timeout that finds it gone, be that one
//! retransmission more than the number says. The stock 15 are a quarter of an hour.
//! Source: `net/ipv4/tcp_timer.c` `retransmits_timed_out`, `tcp_model_timeout`, `tcp_write_err`.

use lastack::prelude::*;

const RETRIES2: &str = "net.ipv4.tcp_retries2";
const FLOOR: &str = "net.ipv4.tcp_rto_min_us";

pub fn cases(family: &mut Family) {
    let retries = [("one", 1), ("two", 2)];
    let rule = family.rule(["RT-03"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c retransmits_timed_out, tcp_model_timeout, tcp_write_err");
    rule.case("tcp_retries2_below_five_allows_one_retransmission_more")
        .claims(["A1"])
        .across((retries, Ip::OVER), |scene, (retries, ip)| {
            dies(scene.pair().ip(ip), retries, retries + 1)
        });
    rule.case("dead_machine_is_given_up_at_the_time_of_tcp_retries2")
        .waits(Duration::from_secs(2))
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
    rule.case("slower_timeouts_meet_the_limit_at_the_number_of_tcp_retries2")
        .source("tcp_timer.c retransmits_timed_out: the model starts from TCP_RTO_MIN")
        .needs([Need::Sysctl(FLOOR)])
        .across(
            [
                ("two", (Ip::V4, 2)),
                ("two_over_ipv6", (Ip::V6, 2)),
                ("three", (Ip::V4, 3)),
                ("three_over_ipv6", (Ip::V6, 3)),
            ],
            // The smallest rise that leaves a tick of every length, and of the round trip, aside.
            |scene, (ip, retries)| {
                dies(scene.pair().ip(ip).sysctl("a", FLOOR, 250_000), retries, retries)
            },
        );
    rule.stock("stock_connection_is_given_up_after_a_quarter_of_an_hour")
        .covers(["RT-01"])
        .claims(["A1"])
        .source("tcp_timer.c retransmits_timed_out; ip-sysctl tcp_retries2 (15; 924.6 seconds)")
        .across(Ip::BOTH, |scene, ip| {
            dies(scene.pair().ip(ip), timers::STOCK_RETRIES, timers::STOCK_RETRIES)
        });
}

/// One small write into a silence, with so many retransmissions at the most.
async fn dies(pair: lastack::PairBuilder, retries: u32, most: u32) -> Result {
    let pair = pair.sysctl("a", RETRIES2, retries).connect().await?;
    let rto = pair.a.rto().await?;
    let end = GiveUp::of(retries, rto);
    if most != *end.retransmissions.end() {
        return Err(pair.unexpected_rto(rto).await?);
    }

    let _silence = pair.lab.black_hole().open().await?;
    writes(&pair, &end).await?;
    pair.b.kernel().is(State::Established)?;
    Ok(())
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
    let pair = scene.pair().kind("b", kind).ip(ip).sysctl("a", RETRIES2, 1).connect().await?;
    let rto = pair.a.rto().await?;

    let _dead = kill(&pair.lab, "b").now().await?;
    writes(&pair, &GiveUp::of(1, rto)).await
}

/// What comes of one small write that nobody acknowledges.
async fn writes(pair: &Pair, end: &GiveUp) -> Result {
    pair.write_unacknowledged(Errno::ETIMEDOUT).await?.judge(end)?;
    pair.a.read(100).eof().await?;
    pair.a.write("x").errno(Errno::EPIPE).await?;
    pair.wire().absent(Wire::start(), ending()).await
}
