//! A socket closed under TCP_REPAIR is gone as if its machine had died: no segment, and whoever
//! writes to it later is answered like a stranger.
//! Source: `net/ipv4/tcp.c` `__tcp_close` (the repair branch), `tcp_v4_rcv` (no_tcp_socket).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["OP-10"]).claims(["A1"]);
    rule.source("tcp.c __tcp_close; tcp_ipv4.c no_tcp_socket");
    rule.case("socket_closed_under_repair_vanishes_without_a_segment")
        .across_on_both_kinds(Ip::BOTH, vanished);
}

async fn vanished(scene: Scene, kind: HostKind, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    let established = lab.wire().mark().await?;
    // Data that waits to be read would turn an ordinary close into a reset.
    a.write("unread").ok().await?;
    b.kernel().has_unread(6).await?;

    b.vanish().ok().await?;
    b.kernel().is_gone().await?;
    a.kernel().is_acknowledged().await?;
    lab.wire().absent(established, ending().from("b")).await?;
    a.kernel().is(State::Established)?;

    a.write("more").ok().await?;
    lab.wire().expect(rst().from("b")).after(established).await?;
    a.read(1).errno(Errno::ECONNRESET).await?;
    Ok(())
}
