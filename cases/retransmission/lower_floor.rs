//! A lower floor of the retransmission timeout brings more retransmissions and no earlier end:
//! the time that tcp_retries2 stands for is modelled on 200 ms all the same.
//! Source: `net/ipv4/tcp_timer.c` `retransmits_timed_out` (`rto_base`);
//! `Documentation/networking/ip-sysctl.rst` tcp_rto_min_us.

use lastack::prelude::*;

const RETRIES2: &str = "net.ipv4.tcp_retries2";
const FLOOR: &str = "net.ipv4.tcp_rto_min_us";
const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    family
        .case("lower_floor_brings_more_retransmissions_and_no_earlier_end")
        .covers(["RT-06"])
        .source("tcp_timer.c retransmits_timed_out; ip-sysctl tcp_rto_min_us")
        .needs([Need::Sysctl(FLOOR)])
        .waits(Duration::from_secs(2))
        .across(Ip::BOTH, no_earlier);
}

async fn no_earlier(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, RETRIES).sysctl("a", FLOOR, 20_000);
    let pair = pair.connect().await?;
    let rto = pair.a.info().ok().await?.rto();
    let usual = timers::give_up(RETRIES, timers::RTO_MIN, timers::RTO_MAX);
    let end = timers::give_up(RETRIES, rto, timers::RTO_MAX);
    same("the timeout is below the usual floor", true, rto < timers::RTO_MIN)?;
    same("the limit", usual.limit, end.limit)?;
    if end.retransmissions.start() <= usual.retransmissions.end() {
        let seen = format!("a slow handshake has left the timeout at {rto:?}");
        return Err(Error::TooSlow(seen));
    }

    let _silence = pair.lab.black_hole().open().await?;
    let in_vain = pair.write_in_vain(Errno::ETIMEDOUT).await?;
    in_vain.judge(&end)?;
    let more = in_vain.retries.timeouts.len() > *usual.retransmissions.end() as usize;
    same("more retransmissions than usual", true, more)
}
