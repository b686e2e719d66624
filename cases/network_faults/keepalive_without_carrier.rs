//! Keepalive's verdict is ETIMEDOUT also where the host knows better, from itself or from a router:
//! its probes repeat an old sequence number, so the unreachable host that they meet is taken for
//! news of another connection's segment.
//! Source: `net/ipv4/tcp_output.c` `tcp_xmit_probe_skb` (snd_una - 1); `net/ipv4/tcp_ipv4.c`
//! `tcp_v4_err` (between; OutOfWindowIcmps).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    family
        .case("keepalive_without_carrier_ends_in_a_timeout")
        .covers(["NF-18b"])
        .source("tcp_output.c tcp_xmit_probe_skb; tcp_ipv4.c tcp_v4_err")
        .waits(Duration::from_secs(4))
        .across(Ip::BOTH, timeout);
    family
        .case("icmp_error_about_a_keepalive_probe_is_ignored")
        .covers(["NF-18"])
        .source("tcp_output.c tcp_xmit_probe_skb; tcp_ipv4.c tcp_v4_err (OutOfWindowIcmps)")
        .needs([Need::Nft])
        .waits(Duration::from_secs(3))
        .across(Ip::BOTH, ignored);
}

async fn timeout(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).neighbours(Neighbours::Learned);
    let pair = pair.option_on_a(option::KEEPALIVE, 1).option_on_a(option::KEEPIDLE, 1);
    let pair = pair.option_on_a(option::KEEPINTVL, 1).option_on_a(option::KEEPCNT, 2);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let family = if ip == Ip::V4 { "ipv4" } else { "ipv6" };
    a.host().set_sysctl(&format!("net.{family}.neigh.eth0.retrans_time_ms"), "100")?;
    let heard = lab.wire().expect(syn_ack().from("b")).await?;
    let start = lab.wire().mark().await?;
    let reading = a.read(1).start().await?.blocked().await?;

    let _out = lab.unplug("a").that_may_miss().now().await?;

    let failed = reading.done().await?.errno(Errno::ETIMEDOUT)?;
    let second = Duration::from_secs(1);
    let nominal = timers::keepalive_death(second, second, 2);
    Window::timer(nominal, "TCP_KEEPIDLE and TCP_KEEPCNT intervals")
        .judge("ETIMEDOUT after the last segment heard", failed.ended().since(heard.at()))?;
    let unreachable = a.host().counter("OutOfWindowIcmps")?;
    same("the host had told itself, and did not listen", true, unreachable >= 1)?;
    lab.wire().absent(start, any()).await?;
    b.kernel().is(State::Established).map(drop)
}

async fn ignored(scene: Scene, ip: Ip) -> Result {
    let keepalive = Keepalive::new(1, 1, 2);
    let pair = scene.pair().routed().ip(ip).keepalive_on_a(keepalive);
    let Pair { lab, a, .. } = pair.connect().await?;
    let heard = lab.wire().expect(syn_ack().from("b").arrived(true)).await?;
    let router = lab.router_answers(IcmpError::HostUnreachable).from("a").turn_on().await?;

    let failed = a.read(1).errno(Errno::ETIMEDOUT).await?;
    let window = Window::timer(keepalive.end(), "idle time, two probes");
    window.judge("ETIMEDOUT after the last segment heard", failed.ended().since(heard.at()))?;
    let probes = router.hit().await?.iter().filter(|segment| segment.probe).count();
    same("probes", 2, probes)?;
    let disbelieved = a.host().counter("OutOfWindowIcmps")?;
    same("ICMP errors out of the window", 2, disbelieved)
}
