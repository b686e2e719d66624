//! Keepalive holds a middlebox's memory open, if it probes more often than the box forgets. If it
//! probes less often, the first probe after that is what ends the connection.
//! Source: `nf_conntrack-sysctl.rst` tcp_timeout_established; AWS documentation of network load
//! balancers (keepalive and the idle timeout of 350 s); `tcp(7)` TCP_KEEPIDLE.

use lastack::prelude::*;

const FORGETS: Duration = Duration::from_secs(3);
/// The idle timeout of the balancers of a large provider.
const STOCK: Duration = Duration::from_secs(350);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-11"]).waits(Duration::from_secs(5));
    rule.source("nf_conntrack_proto_tcp.c; AWS network load balancer, TCP keepalive");
    rule.case("probes_more_often_than_a_balancer_forgets_keep_the_connection")
        .across(Ip::BOTH, |scene, ip| kept(scene, ip, every(1), FORGETS))
        .stock("probes_every_five_minutes_keep_a_connection_through_a_balancer_of_350_seconds")
        .waits(4 * STOCK)
        .run(|scene| kept(scene, Ip::V4, every(300), STOCK));
    rule.case("probe_after_a_balancer_forgot_ends_the_connection")
        .source("nf_conntrack_proto_tcp.c; AWS network load balancer, idle timeout")
        .across(Ip::BOTH, |scene, ip| ended(scene, ip, every(5), FORGETS))
        .stock("stock_keepalive_comes_hours_too_late_for_a_balancer_of_350_seconds")
        .waits(Keepalive::STOCK.idle())
        .run(|scene| ended(scene, Ip::V4, every(Keepalive::STOCK.idle), STOCK));
}

/// Probes after every so many seconds of silence.
const fn every(seconds: i32) -> Keepalive {
    Keepalive::new(seconds, seconds, 9)
}

/// A connection through a balancer, probed by `a`.
async fn through_balancer(
    scene: &Scene,
    ip: Ip,
    keepalive: Keepalive,
    forgets: Duration,
) -> Result<(Pair, impl Sized)> {
    let lab = scene.lab().routed().build().await?;
    let balancer = lab.router_tracks().strict().strangers(Strangers::Reset);
    let balancer = balancer.idle_timeout(forgets).turn_on().await?;
    let pair = scene.pair().ip(ip).keepalive_on_a(keepalive).connect_in(&lab).await?;
    Ok((pair, balancer))
}

async fn kept(scene: Scene, ip: Ip, keepalive: Keepalive, forgets: Duration) -> Result {
    let (Pair { lab, a, b, .. }, _balancer) =
        through_balancer(&scene, ip, keepalive, forgets).await?;
    let wire = lab.wire();
    let idle = wire.mark().await?;
    // Four probes without a word, more than it takes to be forgotten.
    let answered = || [probe().from("a").arrived(true), pure_ack().from("b").arrived(true)];
    let four = (0..4).flat_map(|_| answered());
    let probes = wire.in_order(idle, four, 4 * forgets).await?;
    let silence = probes[7].at().since(wire.segments()[0].at());
    Window::at_least(forgets, "the balancer's patience").judge("silence lasted", silence)?;

    b.write("news").ok().await?;
    a.read(64).bytes(b"news").await?;
    wire.absent(idle, ending()).await
}

async fn ended(scene: Scene, ip: Ip, keepalive: Keepalive, forgets: Duration) -> Result {
    let (Pair { lab, a, b, .. }, _balancer) =
        through_balancer(&scene, ip, keepalive, forgets).await?;
    let wire = lab.wire();
    let idle = wire.mark().await?;
    a.read(1).errno(Errno::ECONNRESET).await?;
    let forgotten = [probe().from("a").arrived(false), rst().from_middle().to("a")];
    let said = wire.in_order(idle, forgotten, Duration::from_secs(1)).await?;
    keepalive.judge(&wire.expect(syn_ack()).await?, &said[..1])?;
    wire.absent(idle, any().to("b").arrived(true)).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}
