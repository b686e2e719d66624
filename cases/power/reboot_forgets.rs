//! A machine that lost power and came back knows nothing of its old connections: what the
//! survivor sends then is answered with a reset.
//! Source: RFC 9293 3.5.1 (half-open connections); `net/ipv4/tcp_ipv4.c` `tcp_v4_rcv`
//! (no_tcp_socket).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["OP-04"]).claims(["A34", "A37"]);
    rule.source("RFC 9293 3.5.1; tcp_ipv4.c no_tcp_socket; tcp_input.c tcp_reset");
    rule.case("write_after_the_peer_rebooted_meets_a_reset")
        .across_on_both_kinds(Ip::BOTH, rebooted);
}

async fn rebooted(scene: Scene, kind: HostKind, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    b.write("unfinished").ok().await?;
    a.read(100).bytes(b"unfinished").await?;
    let before = lab.wire().mark().await?;

    let outage = lab.power_off("b").that_may_miss().now().await?;
    lab.wire().absent(before, any().from("b")).await?;
    a.kernel().is(State::Established)?;
    outage.boot().await?;
    lab.wire().absent(before, any().from("b")).await?;

    a.write("anyone there?").ok().await?;
    lab.wire().expect(rst().from("b")).await?;
    a.read(100).errno(Errno::ECONNRESET).await?;
    a.write("again").await?.errno(Errno::EPIPE)?.with_sigpipe()?;
    Ok(())
}
