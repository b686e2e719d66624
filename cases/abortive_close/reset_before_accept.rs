//! A connection that its client resets before anyone accepts it is accepted all the same: the
//! error waits for the first use.
//! Source: `net/ipv4/inet_connection_sock.c` `inet_csk_accept`; `tcp_input.c` `tcp_reset`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-20"]);
    rule.source("inet_connection_sock.c inet_csk_accept; af_inet.c inet_getname; accept(2)");
    rule.case("connection_reset_before_accept_is_still_accepted")
        .across(Ip::BOTH, accepted_all_the_same);
}

async fn accepted_all_the_same(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = server.host().address(ip, PORT);
    let listener = server.listen(address).await?;

    let socket = client.connect(address).await?;
    let source = socket.local().ok().await?;
    let waiting = SocketView::new(server.host(), address, source);
    waiting.reaches(State::Established).await?;
    socket.reset().await?;
    waiting.is_gone().await?;

    let accepted = listener.accept().ok().await?;
    accepted.peer().errno(Errno::ENOTCONN).await?;
    accepted.read(100).errno(Errno::ECONNRESET).await?;
    accepted.read(100).eof().await?;
    lab.wire().exactly(Wire::start(), [rst().from("a")]).among(ending()).await?;
    Ok(())
}
