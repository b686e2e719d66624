//! A reset that meets a half-open connection at the server takes it away; what the client sends
//! afterwards, believing itself connected, is answered with a reset.
//! Source: RFC 9293 3.10.7.4 (SYN-RECEIVED); `net/ipv4/tcp_minisocks.c` `tcp_check_req`
//! (embryonic_reset).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LQ-06"]);
    rule.source("RFC 9293 3.10.7.4; tcp_minisocks.c tcp_check_req (embryonic_reset)");
    rule.case("reset_takes_a_half_open_connection_away").across(Ip::BOTH, taken_away);
}

async fn taken_away(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = lab.host("b")?.address(ip, PORT);
    let listener = server.listen(address).await?;
    let accept = listener.accept().blocks().await?;
    let acks = packets().from("a").pure_ack().first(1).are_dropped();
    let _lost = lab.rules([acks]).turn_on().await?;

    let socket = client.connect(address).await?;
    let client = End::new(socket.clone(), socket.local().ok().await?, address);
    let request = SocketView::new(server.host(), address, client.local_address());
    request.is(State::SynRecv)?;
    let reset = lab.impersonate(&client)?.rst().seq(1).send().await?;
    request.is_gone().await?;
    lab.wire().absent(&reset, any()).await?;

    client.kernel().is(State::Established)?;
    client.write("hello").ok().await?;
    client.kernel().is_gone().await?;
    client.read(100).errno(Errno::ECONNRESET).await?;
    lab.wire().expect(rst().without(Flags::ACK).from("b").seq(1)).after(&reset).await?;
    let _accept = accept.blocked().await?;
    Ok(())
}
