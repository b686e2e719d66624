//! A load balancer that forgets an idle connection says nothing when it does. Whoever speaks next,
//! be it client or server, is reset; the other end knows of nothing.
//! Source: AWS documentation of network load balancers (idle timeout 350 s);
//! `net/netfilter/nf_conntrack_proto_tcp.c`; nft(8) `reject with tcp reset`.

use lastack::prelude::*;

const IDLE: Duration = Duration::from_secs(1);
/// That of the balancers of a large provider.
const STOCK: Duration = Duration::from_secs(350);

pub fn cases(family: &mut Family) {
    let speakers = [("client", "a"), ("server", "b")];
    let rule = family.rule(["NF-24"]).waits(Duration::from_millis(1500));
    rule.source("AWS network load balancer, idle timeout; nf_conntrack_proto_tcp.c");
    rule.case("first_to_speak_after_a_balancer_forgot_is_reset")
        .across((speakers, Ip::BOTH), |scene, (first, ip)| reset(scene, first, ip, IDLE))
        .stock("first_to_speak_after_350_seconds_is_reset")
        .waits(STOCK)
        .across([("client", "a"), ("server", "b")], |scene, first| {
            reset(scene, first, Ip::V4, STOCK)
        });
}

async fn reset(scene: Scene, first: &'static str, ip: Ip, limit: Duration) -> Result {
    let lab = scene.lab().routed().build().await?;
    let balancer = lab.router_tracks().strict().strangers(Strangers::Reset).idle_timeout(limit);
    let balancer = balancer.turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let (speaker, other) = if first == "a" { (a, b) } else { (b, a) };
    speaker.write("in time").ok().await?;
    other.read(64).bytes(b"in time").await?;
    speaker.kernel().is_acknowledged().await?;

    let last = lab.wire().expect(pure_ack().to(first).ack(8)).await?;
    let idle = lab.wire().mark().await?;
    let forgotten = balancer.forgets_within(4 * limit).await?;
    let window = balancer.idle_window(limit, 4 * limit);
    window.judge("the balancer forgot after", forgotten.since(last.at()))?;
    lab.wire().absent(idle, any()).await?;
    speaker.kernel().is(State::Established)?;

    speaker.write("too late").ok().await?;
    lab.wire().expect(rst().from_middle().to(first)).after(idle).await?;
    speaker.read(1).errno(Errno::ECONNRESET).await?;
    lab.wire().absent(idle, any().arrived(true).to(other.host().name())).await?;
    let entry = other.kernel().is(State::Established)?;
    same("timer of the other end", None, entry.timer)
}
