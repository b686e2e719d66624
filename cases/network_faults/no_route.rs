//! A route that is gone or leads nowhere ends no connection. With data in flight its errno is
//! remembered, and is what the application hears when TCP gives up, no sooner; before any data the
//! write succeeds and waits under the persist timer.
//! Source: `net/ipv4/af_inet.c` `inet_sk_rebuild_header` (sk_err_soft); `net/ipv4/fib_semantics.c`
//! `fib_props`; `net/ipv4/tcp_timer.c` `tcp_write_err`, `tcp_probe_timer`;
//! `net/ipv6/inet6_connection_sock.c` `inet6_csk_xmit` (sk_err_soft).

use lastack::prelude::*;

const RETRIES: u32 = 2;

/// What is wrong with the route, and what the application hears of it in the end.
type Route = (Misroute, Errno);

const ROUTES: [(&str, Route); 4] = [
    ("deleted", (Misroute::Deleted, Errno::ENETUNREACH)),
    ("unreachable", (Misroute::Unreachable, Errno::EHOSTUNREACH)),
    ("prohibit", (Misroute::Prohibit, Errno::EACCES)),
    ("blackhole", (Misroute::Blackhole, Errno::EINVAL)),
];

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-07"]).waits(Duration::from_secs(4));
    rule.source("af_inet.c inet_sk_rebuild_header; tcp_timer.c tcp_write_err");
    rule.case("data_in_flight_ends_in_the_errno_of_the_route")
        .across((ROUTES, Ip::BOTH), |scene, over| in_flight(scene, over, RETRIES))
        .stock("stock_data_in_flight_ends_in_the_errno_of_the_route_a_quarter_of_an_hour_later")
        .source(
            "af_inet.c inet_sk_rebuild_header; tcp_timer.c tcp_write_err; ip-sysctl tcp_retries2",
        )
        .run(|scene| {
            let route = (Misroute::Unreachable, Errno::EHOSTUNREACH);
            in_flight(scene, (route, Ip::V4), timers::STOCK_RETRIES)
        });
    rule.case("data_not_yet_sent_waits_under_the_persist_timer")
        .covers(["NF-08"])
        .source("tcp_timer.c tcp_probe_timer; inet6_connection_sock.c inet6_csk_xmit")
        .waits(Duration::from_secs(2))
        .across((ROUTES, Ip::BOTH), |scene, over| before(scene, over, RETRIES))
        .stock("stock_data_not_yet_sent_waits_for_a_quarter_of_an_hour")
        .source("tcp_timer.c tcp_probe_timer; ip-sysctl tcp_retries2")
        .run(|scene| {
            let route = (Misroute::Deleted, Errno::ENETUNREACH);
            before(scene, (route, Ip::V6), timers::STOCK_RETRIES)
        });
}

async fn in_flight(scene: Scene, ((how, errno), ip): (Route, Ip), retries: u32) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let pair = pair.connect().await?;
    let flight = pair.data_in_flight(retries).await?;
    let Pair { lab, a, b, .. } = &pair;

    let _lost = lab.misroute("a", "b", how).await?;

    let cut = lab.wire().mark().await?;
    let failed = a.read(1).errno(errno).await?;
    flight
        .end
        .window()
        .judge("after the first timeout", failed.ended().since(flight.first_timeout.at()))?;
    a.read(1).eof().await?;
    lab.wire().absent(cut, any().from("a")).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn before(scene: Scene, ((how, errno), ip): (Route, Ip), retries: u32) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let pair = pair.connect().await?;
    let Pair { lab, b, .. } = &pair;
    let start = lab.wire().mark().await?;

    let _lost = lab.misroute("a", "b", how).await?;

    pair.write_that_never_leaves(retries, errno).await?;
    lab.wire().absent(start, any()).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}
