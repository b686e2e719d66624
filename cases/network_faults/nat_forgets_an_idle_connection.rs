//! A NAT forgets a connection that is idle for too long and tells nobody. A lax one takes the
//! client's next segment for a connection that it missed the beginning of, and it works on; a
//! strict one drops it, and the client times out while the server knows of nothing.
//! Source: `net/netfilter/nf_conntrack_proto_tcp.c` `nf_conntrack_tcp_packet`, `tcp_new`
//! (tcp_loose); nf_conntrack-sysctl.rst; RFC 5382 REQ-5.

use lastack::prelude::*;

const IDLE: Duration = Duration::from_secs(1);
/// As it comes: long after RFC 5382's two hours and four minutes.
const STOCK: Duration = Duration::from_secs(5 * 24 * 60 * 60);
const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-19"]).waits(Duration::from_millis(1500));
    rule.source("nf_conntrack_proto_tcp.c tcp_new (tcp_loose)");
    rule.case("lax_nat_picks_a_forgotten_connection_up_again").across(Ip::BOTH, picked_up);
    rule.stock("stock_nat_remembers_an_idle_connection_for_five_days")
        .source("nf_conntrack_proto_tcp.c tcp_timeouts (TCP_CONNTRACK_ESTABLISHED)")
        .waits(STOCK)
        .run(five_days);
    rule.case("strict_nat_lets_the_client_of_a_forgotten_connection_time_out")
        .covers(["NF-20"])
        .source("nf_conntrack_proto_tcp.c tcp_new (tcp_loose); tcp_timer.c tcp_write_timeout")
        .waits(Duration::from_secs(5))
        .across(Ip::BOTH, |scene, ip| client_times_out(scene, ip, RETRIES))
        .stock("strict_nat_leaves_a_stock_client_a_quarter_of_an_hour_to_find_out")
        .source("nf_conntrack_proto_tcp.c tcp_new (tcp_loose); ip-sysctl tcp_retries2")
        .run(|scene| client_times_out(scene, Ip::V4, timers::STOCK_RETRIES));
}

async fn picked_up(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().routed().build().await?;
    let nat = lab.router_tracks().masquerading("a").idle_timeout(IDLE).turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let established = lab.wire().mark().await?;
    nat.forgets_within(4 * IDLE).await?;
    lab.wire().absent(established, any()).await?;
    talks(&a, &b).await?;
    lab.wire().absent(established, ending()).await?;
    same("connections of the NAT", 1, nat.known()?)
}

async fn five_days(scene: Scene) -> Result {
    let lab = scene.lab().routed().build().await?;
    let nat = lab.router_tracks().masquerading("a").turn_on().await?;
    let Pair { a, b, .. } = scene.pair().connect_in(&lab).await?;
    let last = lab.wire().expect(pure_ack().from("a").ack(1).arrived(true)).await?;

    let minute = Duration::from_secs(60);
    lab.wire().never(&last, any()).for_(STOCK - minute).await?;
    same("connections of the NAT a minute before", 1, nat.known()?)?;
    let forgotten = nat.forgets_within(2 * minute).await?;
    let window = nat.idle_window(STOCK, 2 * minute);
    window.judge("the NAT forgot after", forgotten.since(last.at()))?;
    lab.wire().absent(&last, any()).await?;

    talks(&a, &b).await?;
    lab.wire().absent(&last, ending()).await?;
    same("connections of the NAT", 1, nat.known()?)
}

async fn talks(a: &End, b: &End) -> Result {
    a.write("still there?").ok().await?;
    b.read(64).bytes(b"still there?").await?;
    b.write("of course").ok().await?;
    a.read(64).bytes(b"of course").await?;
    Ok(())
}

async fn client_times_out(scene: Scene, ip: Ip, retries: u32) -> Result {
    let lab = scene.lab().routed().sysctl("a", "net.ipv4.tcp_retries2", retries).build().await?;
    let nat = lab.router_tracks().masquerading("a").strict().strangers(Strangers::Drop);
    let nat = nat.idle_timeout(IDLE).turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let rto = a.rto().await?;
    let established = lab.wire().mark().await?;
    nat.forgets_within(4 * IDLE).await?;

    a.write("still there?").ok().await?;
    let failed = a.read(1).errno(Errno::ETIMEDOUT).await?;
    let first = lab.wire().expect(data().from("a")).await?;
    let end = GiveUp::of(retries, rto);
    end.judge(&lab.wire().retries_of(&first).await?, failed.ended())?;

    lab.wire().absent(established, any().arrived(true)).await?;
    let entry = b.kernel().is(State::Established)?;
    same("timer of the server", None, entry.timer)
}
