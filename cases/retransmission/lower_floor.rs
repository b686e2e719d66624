//! A lower floor of the retransmission timeout brings more retransmissions and no earlier end:
//! the time that tcp_retries2 stands for is modelled on 200 ms all the same. Before Linux 6.11 no
//! sysctl lowers it.
//! Source: `net/ipv4/tcp_timer.c` `retransmits_timed_out` (`rto_base`);
//! `Documentation/networking/ip-sysctl.rst` tcp_rto_min_us.

use lastack::prelude::*;

const RETRIES2: &str = "net.ipv4.tcp_retries2";
const FLOOR: &str = "net.ipv4.tcp_rto_min_us";
const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["RT-06"]).waits(Duration::from_secs(2));
    rule.source("tcp_timer.c retransmits_timed_out; ip-sysctl tcp_rto_min_us");
    rule.case("lower_floor_brings_more_retransmissions_and_no_earlier_end")
        .needs([Need::Sysctl(FLOOR)])
        .across(Ip::BOTH, no_earlier);
    rule.case("floor_is_two_hundred_milliseconds_before_linux_6_11")
        .source("tcp.h tcp_rto_min, TCP_RTO_MIN (Linux 6.10)")
        .needs([Need::Before(6, 11)])
        .across(Ip::BOTH, unmoved);
}

async fn no_earlier(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, RETRIES).sysctl("a", FLOOR, 20_000);
    let pair = pair.connect().await?;
    let rto = pair.a.rto().await?;
    let usual = GiveUp::of(RETRIES, timers::RTO_MIN);
    let end = GiveUp::of(RETRIES, rto);
    check("a timeout below the usual floor", rto, less_than(timers::RTO_MIN))?;
    same("the limit", usual.limit, end.limit)?;
    if end.retransmissions.start() <= usual.retransmissions.end() {
        return Err(pair.unexpected_rto(rto).await?);
    }

    let _silence = pair.lab.black_hole().open().await?;
    let unacknowledged = pair.write_unacknowledged(Errno::ETIMEDOUT).await?;
    unacknowledged.judge(&end)?;
    let usual = *usual.retransmissions.end() as usize;
    check("retransmissions", unacknowledged.retries.timeouts.len(), more_than(usual))
}

async fn unmoved(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, RETRIES).connect().await?;
    refused("the sysctl", pair.a.host().set_sysctl(FLOOR, "20000"), Errno::ENOENT)?;
    let rto = pair.a.rto().await?;
    check("a timeout above the floor", rto, at_least(timers::RTO_MIN))?;

    let _silence = pair.lab.black_hole().open().await?;
    let unacknowledged = pair.write_unacknowledged(Errno::ETIMEDOUT).await?;
    unacknowledged.judge(&GiveUp::of(RETRIES, rto))
}
