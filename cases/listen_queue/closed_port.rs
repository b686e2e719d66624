//! Where nobody listens, the host answers for its port: a reset, and connect() fails at once with
//! ECONNREFUSED.
//! Source: RFC 9293 3.5.2; `net/ipv4/tcp_ipv4.c` `tcp_v4_send_reset`; `tcp_input.c` `tcp_reset`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LQ-01"]);
    rule.source("RFC 9293 3.5.2; tcp_ipv4.c tcp_v4_send_reset; tcp_input.c tcp_reset");
    rule.case("closed_port_refuses_at_once").across(Ip::BOTH, refused);
}

async fn refused(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let client = lab.host("a")?.process().await?;
    let address = lab.host("b")?.address(ip, PORT);

    let socket = client.socket(address).ok().await?;
    let connect = socket.connect(address).await?.errno(Errno::ECONNREFUSED)?;

    let answer = rst().flags(Flags::ACK).from("b").ack(1).empty();
    let seen = lab.wire().exactly(Wire::start(), [syn().from("a"), answer]).await?;
    connect.returned_after(&seen[1])?;
    Ok(())
}
