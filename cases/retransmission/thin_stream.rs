//! A thin stream may ask not to back off at first: with fewer than four segments in flight its
//! first six timeouts are all of the same length, and only the seventh doubles the next.
//! Source: `net/ipv4/tcp_timer.c` `tcp_retransmit_timer`; `include/net/tcp.h`
//! `TCP_THIN_LINEAR_RETRIES`; `Documentation/networking/tcp-thin.rst`.

use lastack::prelude::*;

const THIN: &str = "net.ipv4.tcp_thin_linear_timeouts";
const RETRIES2: &str = "net.ipv4.tcp_retries2";
const RETRIES: u32 = 3;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["RT-18"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_retransmit_timer; tcp.h TCP_THIN_LINEAR_RETRIES; tcp-thin.rst");
    rule.case("thin_stream_does_not_back_off_for_its_first_six_timeouts")
        .across(([("by_sysctl", true), ("by_option", false)], Ip::OVER), thin);
}

async fn thin(scene: Scene, (by_sysctl, ip): (bool, Ip)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, RETRIES);
    let pair = match by_sysctl {
        true => pair.sysctl("a", THIN, 1),
        false => pair.option_on_a(option::THIN_LINEAR_TIMEOUTS, 1),
    };
    let Pair { lab, a, .. } = pair.connect().await?;
    let wire = lab.wire();
    let rto = a.rto().await?;

    let _silence = lab.black_hole().open().await?;
    a.write("is anybody there?").ok().await?;
    let told = a.read(100).await?.errno(Errno::ETIMEDOUT)?;

    let first = wire.expect(data().from("a")).await?;
    let timeouts = wire.retries_of(&first).await?.timeouts;
    let gap = |n| timers::thin_gap(n, rto, timers::RTO_MAX);
    for (n, pair) in (1..).zip(timeouts.windows(2)) {
        let window = Window::wheel([gap(n)], "the same six times, then doubling");
        window.judge(&format!("the wait after timeout {n}"), pair[1].at().since(pair[0].at()))?;
    }
    // Six waits do not use up what three retransmissions stand for: it ends when backed off.
    let count = timeouts.len() as u32;
    check("timeouts, backed off in the end", count, more_than(timers::THIN_LINEAR_RETRIES))?;
    let end = GiveUp::of(RETRIES, rto);
    let lasted = told.ended().since(timeouts[0].at());
    check("retried for as long as tcp_retries2 stands for", lasted, at_least(end.limit))?;
    let last = &timeouts[timeouts.len() - 1];
    let window = Window::wheel([gap(count)], "one wait more");
    window.judge("the end of the connection", told.ended().since(last.at()))
}
