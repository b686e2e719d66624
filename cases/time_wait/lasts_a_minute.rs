//! TIME_WAIT lasts a minute, and no setting makes it shorter: tcp_fin_timeout, which many lower for
//! that, is for FIN_WAIT2.
//! Source: `include/net/tcp.h` `TCP_TIMEWAIT_LEN`; `net/ipv4/tcp_minisocks.c` `tcp_time_wait`;
//! ip-sysctl tcp_fin_timeout.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["TW-01"]).needs([Need::VirtualTime]).waits(timers::TIME_WAIT);
    rule.source("tcp.h TCP_TIMEWAIT_LEN; tcp_minisocks.c tcp_time_wait");
    rule.case("time_wait_lasts_a_minute_whatever_tcp_fin_timeout_says").across(
        [("stock_ipv4", (Ip::V4, 60)), ("stock_ipv6", (Ip::V6, 60)), ("lowered", (Ip::V4, 5))],
        a_minute,
    );
}

async fn a_minute(scene: Scene, (ip, fin_timeout): (Ip, u32)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_fin_timeout", fin_timeout);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let wire = lab.wire();

    a.close().ok().await?;
    b.read(1).eof().await?;
    b.close().ok().await?;
    a.kernel().reaches(State::TimeWait).await?;
    b.kernel().is_gone().await?;
    let last = wire.expect(pure_ack().from("a").ack(2).arrived(true)).await?;

    a.waits_out_its_minute(&last).await?;
    wire.absent(&last, any()).await
}
