//! A host that loses its carrier loses its neighbours, too: it asks for them in vain, tells itself
//! that the host is unreachable, and that is what the application hears when TCP gives up:
//! EHOSTUNREACH instead of ETIMEDOUT, and no sooner. IPv4 takes each such word for news of the
//! path and starts its back-off anew, IPv6 does not.
//! Source: `net/core/neighbour.c` `neigh_carrier_down`; `net/ipv4/route.c` `ipv4_link_failure`;
//! `net/ipv4/tcp_ipv4.c` `tcp_v4_err`, `tcp_ld_RTO_revert` (RFC 6069); `net/ipv4/tcp_timer.c`
//! `tcp_write_err` (sk_err_soft).

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let places = [("direct", true), ("patched", false)];
    let rule = family.rule(["NF-03"]).waits(Duration::from_secs(4));
    rule.source("route.c ipv4_link_failure; tcp_timer.c tcp_write_err");
    rule.case("write_without_carrier_ends_in_host_unreachable")
        .claims(["A34"])
        .across((places, Ip::BOTH), |scene, place| before(scene, place, RETRIES));
    rule.stock("write_without_carrier_ends_in_host_unreachable_after_a_quarter_of_an_hour")
        .source("route.c ipv4_link_failure; tcp_timer.c tcp_write_err; ip-sysctl tcp_retries2")
        .run(|scene| before(scene, (false, Ip::V4), timers::STOCK_RETRIES));
    rule.case("carrier_lost_with_data_in_flight_ends_in_host_unreachable")
        .covers(["NF-04"])
        .across(Ip::BOTH, |scene, ip| in_flight(scene, ip, RETRIES))
        .stock("carrier_lost_with_data_in_flight_is_told_after_a_quarter_of_an_hour")
        .source("route.c ipv4_link_failure; tcp_timer.c tcp_write_err; ip-sysctl tcp_retries2")
        .across(Ip::BOTH, |scene, ip| in_flight(scene, ip, timers::STOCK_RETRIES));
}

/// A host asks three times before it gives up on a neighbour, one second apart unless told. How
/// long it asks.
fn ask_quickly(host: &Host, ip: Ip) -> Result<Duration> {
    let family = if ip == Ip::V4 { "ipv4" } else { "ipv6" };
    host.set_sysctl(&format!("net.{family}.neigh.eth0.retrans_time_ms"), "100")?;
    Ok(3 * Duration::from_millis(100))
}

async fn before(scene: Scene, (direct, ip): (bool, Ip), retries: u32) -> Result {
    let pair = scene.pair().ip(ip).neighbours(Neighbours::Learned);
    let pair = pair.sysctl("a", "net.ipv4.tcp_retries2", retries);
    let pair = if direct { pair.direct() } else { pair };
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let asking = ask_quickly(a.host(), ip)?;
    let rto = a.rto().await?;
    let start = lab.wire().mark().await?;
    let _out = lab.unplug("a").that_may_miss().now().await?;

    let written = a.write("hello?").ok();
    let began = lastack::Stamp::now();
    same("bytes taken", 6, written.await?)?;
    let failed = a.read(1).errno(Errno::EHOSTUNREACH).await?;

    // The segment waits in the neighbour's queue: no retransmission leaves TCP that could be the
    // first, so the limit counts from the write (`tcp_output.c`, `skb_still_in_host_queue`).
    let limit = GiveUp::of(retries, rto).limit;
    let waits = timers::nothing_leaves(retries, rto, timers::RTO_MAX);
    // A question to the neighbour may stand in the way of one attempt.
    let waits = waits.into_iter().chain([asking]);
    let window = Window { from: limit, ..Window::wheel(waits, "the first timeout past the limit") };
    window.judge("EHOSTUNREACH after the write", failed.ended().since(began))?;
    a.read(1).eof().await?;
    lab.wire().absent(start, any()).await?;
    if !direct {
        b.kernel().is(State::Established)?;
    }
    Ok(())
}

async fn in_flight(scene: Scene, ip: Ip, retries: u32) -> Result {
    let pair = scene.pair().ip(ip).neighbours(Neighbours::Learned);
    let pair = pair.sysctl("a", "net.ipv4.tcp_retries2", retries);
    let pair = pair.connect().await?;
    let asking = ask_quickly(pair.a.host(), ip)?;
    let first_wait = timers::rto_gap(1, pair.a.rto().await?, timers::RTO_MAX);
    // The back-off stays where it was before, or as long as the question takes.
    let again = asking.max(first_wait);
    let flight = pair.data_in_flight(retries).await?;
    let Pair { lab, a, b, .. } = &pair;

    let _out = lab.unplug("a").that_may_miss().now().await?;

    let cut = lab.wire().mark().await?;
    let failed = a.read(1).errno(Errno::EHOSTUNREACH).await?;
    let window = match ip {
        Ip::V4 => Window::wheel([flight.end.limit + again], "the limit, and once more in vain"),
        Ip::V6 => flight.end.window(),
    };
    let window = Window { from: flight.end.limit, ..window };
    window.judge("after the first timeout", failed.ended().since(flight.first_timeout.at()))?;
    lab.wire().absent(cut, any().from("a")).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}
