//! A server that answers with SYN cookies remembers nothing of the handshake. When its accept queue
//! fills up before the last acknowledgement, the client has a connection and the server has
//! nothing of it, not even a request; tcp_abort_on_overflow has nothing to reset either.
//! Source: `net/ipv4/tcp_input.c` `tcp_conn_request`; `net/ipv4/syncookies.c` `cookie_v4_check`,
//! `tcp_get_cookie_sock`; `Documentation/networking/ip-sysctl.rst` tcp_syncookies.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LQ-04"]).needs([Need::Sysctl("net.ipv4.tcp_syncookies")]);
    rule.waits(Duration::from_secs(1));
    rule.source("tcp_input.c tcp_conn_request; syncookies.c cookie_v4_check, tcp_get_cookie_sock");
    rule.case("overflow_with_syn_cookies_leaves_the_server_without_a_trace")
        .across(Ip::BOTH, without_a_trace);
}

async fn without_a_trace(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().hosts(&["a", "b", "c"]).sysctl("b", "net.ipv4.tcp_syncookies", 1);
    let lab = lab.sysctl("b", "net.ipv4.tcp_abort_on_overflow", 1).build().await?;
    let wire = lab.wire();
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let other = lab.host("c")?.process().await?;
    let address = server.host().address(ip, PORT);
    // Room for one connection, and for no request beyond the first.
    let listener = server.listen_with_backlog(address, 0).await?;

    let late = lab.black_hole().from("a").only(Flags::ACK).open().await?;
    client.connect(address).await?;
    let socket = client.connect(address).await?;
    let source = socket.local().ok().await?;
    let trace = SocketView::new(server.host(), address, source);
    same("a trace of it", None, trace.now()?)?;
    let early = other.connect(address).await?.local().ok().await?;
    SocketView::new(server.host(), address, early).reaches(State::Established).await?;
    late.lift().await?;

    socket.write("is anybody there?").ok().await?;
    let first = wire.expect(data().from("a").arrived(true)).await?;
    server.host().counts("ListenOverflows", 1).await?;
    same("a trace of it", None, trace.now()?)?;
    SocketView::new(client.host(), source, address).is(State::Established)?;
    wire.absent(Wire::start(), ending().of_connection_of(&first)).await?;

    // The cookie is good for a while: what the client sends again brings it back.
    listener.accept().ok().await?;
    trace.reaches(State::Established).await?;
    wire.expect(data().from("a").retransmitted(true).arrived(true)).after(&first).await?;
    Ok(())
}
