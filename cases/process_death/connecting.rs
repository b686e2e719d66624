//! A process killed while it connects leaves without a packet. When the SYN-ACK comes after all,
//! its kernel knows nothing of the connection and resets it, and the half-open entry at the server
//! is gone.
//! Source: `net/ipv4/tcp.c` `__tcp_close`, `tcp_close_state` (SYN_SENT to CLOSE);
//! `net/ipv4/tcp_ipv4.c` `tcp_v4_send_reset`; RFC 9293 3.10.7.1.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-13"]).claims(["A23"]).waits(Duration::from_secs(2));
    rule.source("tcp.c tcp_close_state; tcp_ipv4.c tcp_v4_send_reset; RFC 9293 3.10.7.1");
    rule.case("killed_while_connecting_leaves_no_packet_but_a_late_reset").across(Ip::BOTH, killed);
}

async fn killed(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let wire = lab.wire();
    let (host_a, host_b) = (lab.host("a")?, lab.host("b")?);
    let client = host_a.process_named("client").await?;
    let server = host_b.process_named("server").await?;
    let (here, there) = (host_a.address(ip, 40_000), host_b.address(ip, PORT));
    server.listen(there).await?;
    let (at_a, at_b) = (SocketView::new(host_a, here, there), SocketView::new(host_b, there, here));
    let socket = client.socket(here).ok().await?;
    socket.bind(here).ok().await?;

    let hole = lab.black_hole().from("b").open().await?;
    let _connect = socket.connect(there).blocks().await?;
    at_a.is(State::SynSent)?;
    at_b.reaches(State::SynRecv).await?;
    client.kill().await?;
    at_a.is_gone().await?;
    wire.absent(Wire::start(), any().from("a").without(Flags::SYN)).await?;
    hole.lift().await?;

    let again = syn_ack().from("b").retransmitted(true).arrived(true);
    let again = wire.expect(again).within(8 * timers::SYN_RTO).await?;
    wire.expect(rst().from("a")).after(&again).await?;
    at_b.is_gone().await?;
    Ok(())
}
