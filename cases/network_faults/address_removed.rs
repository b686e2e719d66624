//! A connection outlives the address it was made with. Its owner finds no way to send in its name,
//! and is not told before TCP gives up.
//! Source: `net/ipv4/devinet.c` `inet_del_ifa` (no socket is looked at); `net/ipv4/route.c`
//! `ip_route_output_key_hash_rcu` (the source must be local).

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-09"]).waits(Duration::from_secs(4));
    rule.source("devinet.c inet_del_ifa; tcp_timer.c tcp_probe_timer");
    rule.case("own_address_removed_while_idle_ends_the_next_write_later")
        .waits(Duration::from_secs(2))
        .across(Ip::BOTH, |scene, ip| idle(scene, ip, RETRIES))
        .stock("stock_write_without_its_address_is_told_after_a_quarter_of_an_hour")
        .source("devinet.c inet_del_ifa; tcp_timer.c tcp_probe_timer; ip-sysctl tcp_retries2")
        .run(|scene| idle(scene, Ip::V6, timers::STOCK_RETRIES));
    rule.case("own_address_removed_with_data_in_flight_ends_in_network_unreachable")
        .source("af_inet.c inet_sk_rebuild_header; tcp_timer.c tcp_write_err")
        .across(Ip::BOTH, |scene, ip| in_flight(scene, ip, RETRIES))
        .stock("stock_data_in_flight_without_its_address_is_told_after_a_quarter_of_an_hour")
        .source(
            "af_inet.c inet_sk_rebuild_header; tcp_timer.c tcp_write_err; ip-sysctl tcp_retries2",
        )
        .run(|scene| in_flight(scene, Ip::V4, timers::STOCK_RETRIES));
}

async fn idle(scene: Scene, ip: Ip, retries: u32) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let pair = pair.connect().await?;
    let Pair { lab, a, b, .. } = &pair;
    let start = lab.wire().mark().await?;
    let _gone = lab.remove_address("a", ip).await?;
    a.kernel().is(State::Established)?;

    pair.write_that_never_leaves(retries, Errno::ENETUNREACH).await?;
    lab.wire().absent(start, any()).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn in_flight(scene: Scene, ip: Ip, retries: u32) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let pair = pair.connect().await?;
    let flight = pair.data_in_flight(retries).await?;
    let Pair { lab, a, b, .. } = &pair;

    let _gone = lab.remove_address("a", ip).await?;

    let failed = a.read(1).errno(Errno::ENETUNREACH).await?;
    flight
        .end
        .window()
        .judge("after the first timeout", failed.ended().since(flight.first_timeout.at()))?;
    b.kernel().is(State::Established)?;
    Ok(())
}
