//! Keepalive's verdict is ETIMEDOUT also where the host knows better, from itself or from a router:
//! its probes repeat an old sequence number, so the unreachable host that they meet is taken for
//! news of another connection's segment.
//! Source: `net/ipv4/tcp_output.c` `tcp_xmit_probe_skb` (snd_una - 1); `net/ipv4/tcp_ipv4.c`
//! `tcp_v4_err` (between; OutOfWindowIcmps).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-18b"]).waits(Duration::from_secs(4));
    rule.source("tcp_output.c tcp_xmit_probe_skb; tcp_ipv4.c tcp_v4_err");
    rule.case("keepalive_without_carrier_ends_in_a_timeout")
        .across(Ip::BOTH, |scene, ip| timeout(scene, ip, SHORT))
        .stock("stock_keepalive_without_carrier_ends_in_a_timeout")
        .waits(Keepalive::STOCK.end())
        .run(|scene| timeout(scene, Ip::V4, Keepalive::STOCK));
    rule.case("icmp_error_about_a_keepalive_probe_is_ignored")
        .covers(["NF-18"])
        .source("tcp_output.c tcp_xmit_probe_skb; tcp_ipv4.c tcp_v4_err (OutOfWindowIcmps)")
        .across(Ip::BOTH, |scene, ip| ignored(scene, ip, SHORT))
        .stock("icmp_error_about_a_stock_keepalive_probe_is_ignored")
        .waits(Keepalive::STOCK.end())
        .run(|scene| ignored(scene, Ip::V4, Keepalive::STOCK));
}

const SHORT: Keepalive = Keepalive::new(1, 1, 2);

async fn timeout(scene: Scene, ip: Ip, keepalive: Keepalive) -> Result {
    let pair = scene.pair().ip(ip).neighbours(Neighbours::Learned).keepalive_on_a(keepalive);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let family = if ip == Ip::V4 { "ipv4" } else { "ipv6" };
    a.host().set_sysctl(&format!("net.{family}.neigh.eth0.retrans_time_ms"), "100")?;
    let heard = lab.wire().expect(syn_ack().from("b")).await?;
    let start = lab.wire().mark().await?;
    let reading = a.read(1).blocks().await?;

    let _out = lab.unplug("a").that_may_miss().now().await?;

    let failed = reading.done().await?.errno(Errno::ETIMEDOUT)?;
    keepalive
        .end_window()
        .judge("ETIMEDOUT after the last segment heard", failed.ended().since(heard.at()))?;
    same("probes", keepalive.probes as u64, a.host().counter("TCPKeepAlive")?)?;
    // The host had told itself, and did not listen.
    check("errors not listened to", a.host().counter("OutOfWindowIcmps")?, at_least(1))?;
    lab.wire().absent(start, any()).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn ignored(scene: Scene, ip: Ip, keepalive: Keepalive) -> Result {
    let pair = scene.pair().routed().ip(ip).keepalive_on_a(keepalive);
    let Pair { lab, a, .. } = pair.connect().await?;
    let heard = lab.wire().expect(syn_ack().from("b").arrived(true)).await?;
    let router = lab.router_answers(IcmpError::HostUnreachable).from("a").turn_on().await?;

    let failed = a.read(1).errno(Errno::ETIMEDOUT).await?;
    keepalive
        .end_window()
        .judge("ETIMEDOUT after the last segment heard", failed.ended().since(heard.at()))?;
    let probes = router.hit().await?.iter().filter(|segment| segment.probe).count();
    same("probes", keepalive.probes as usize, probes)?;
    let disbelieved = a.host().counter("OutOfWindowIcmps")?;
    same("ICMP errors out of the window", probes as u64, disbelieved)
}
