//! A NAT forgets a connection that is idle for too long and tells nobody. A lax one takes the
//! client's next segment for a connection that it missed the beginning of, and it works on; a
//! strict one drops it, and the client times out while the server knows of nothing.
//! Source: `net/netfilter/nf_conntrack_proto_tcp.c` `nf_conntrack_tcp_packet`, `tcp_new`
//! (tcp_loose); nf_conntrack-sysctl.rst; RFC 5382 REQ-5.

use lastack::prelude::*;

const IDLE: Duration = Duration::from_secs(1);
const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    family
        .case("lax_nat_picks_a_forgotten_connection_up_again")
        .covers(["NF-19"])
        .source("nf_conntrack_proto_tcp.c tcp_new (tcp_loose)")
        .needs([Need::Conntrack])
        .waits(Duration::from_millis(1500))
        .across(Ip::BOTH, picked_up);
    family
        .case("strict_nat_lets_the_client_of_a_forgotten_connection_time_out")
        .covers(["NF-20"])
        .source("nf_conntrack_proto_tcp.c tcp_new (tcp_loose); tcp_timer.c tcp_write_timeout")
        .needs([Need::Conntrack])
        .waits(Duration::from_secs(5))
        .across(Ip::BOTH, client_times_out);
}

async fn picked_up(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().routed().build().await?;
    let nat = lab.router_tracks().masquerading("a").idle_timeout(IDLE).turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let established = lab.wire().mark().await?;
    nat.forgets_within(4 * IDLE).await?;
    lab.wire().absent(established, any()).await?;

    a.write("still there?").ok().await?;
    b.read(64).bytes(b"still there?").await?;
    b.write("of course").ok().await?;
    a.read(64).bytes(b"of course").await?;
    lab.wire().absent(established, ending()).await?;
    same("connections of the NAT", 1, nat.known()?)
}

async fn client_times_out(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().routed().sysctl("a", "net.ipv4.tcp_retries2", RETRIES).build().await?;
    let nat = lab.router_tracks().masquerading("a").strict().strangers(Strangers::Drop);
    let nat = nat.idle_timeout(IDLE).turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let rto = a.info().ok().await?.rto();
    let established = lab.wire().mark().await?;
    nat.forgets_within(4 * IDLE).await?;

    a.write("still there?").ok().await?;
    let failed = a.read(1).errno(Errno::ETIMEDOUT).await?;
    let first = lab.wire().expect(data().from("a")).await?;
    let end = timers::give_up(RETRIES, rto, timers::RTO_MAX);
    end.judge(&lab.wire().retries_of(&first).await?, failed.ended())?;

    lab.wire().absent(established, any().arrived(true)).await?;
    let entry = b.kernel().is(State::Established)?;
    same("timer of the server", None, entry.timer)
}
