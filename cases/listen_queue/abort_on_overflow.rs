//! When the accept queue fills up between a client's SYN and its acknowledgement, the client
//! believes in a connection that the server cannot keep. The stock server says nothing and lets
//! the client try; with tcp_abort_on_overflow it resets it.
//! Source: `net/ipv4/tcp_minisocks.c` `tcp_check_req`; `Documentation/networking/ip-sysctl.rst`
//! tcp_abort_on_overflow.

use lastack::prelude::*;

const ABORT: &str = "net.ipv4.tcp_abort_on_overflow";
/// A half-open connection must not fill it, or the server falls back on SYN cookies.
const BACKLOG: i32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LQ-03"]).waits(Duration::from_secs(2));
    rule.source("tcp_minisocks.c tcp_check_req; ip-sysctl tcp_abort_on_overflow");
    rule.case("overflow_at_the_last_acknowledgement_is_a_reset_if_the_server_is_told_so")
        .across(Ip::BOTH, reset);
    rule.case("overflow_at_the_last_acknowledgement_is_met_with_silence")
        .source("tcp_minisocks.c tcp_check_req: inet_rsk(req)->acked")
        .across(Ip::BOTH, silence);
}

/// A client on `a` that is connected, as it believes, to a server on `b` whose queue has filled up
/// meanwhile; the last acknowledgement of its handshake is still to come.
async fn overflowing(scene: &Scene, ip: Ip, abort: u32) -> Result<(Lab, Socket, End)> {
    let lab = scene.lab().hosts(&["a", "b", "c"]).sysctl("b", ABORT, abort).build().await?;
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let others = lab.host("c")?.process().await?;
    let address = server.host().address(ip, PORT);
    let listener = server.listen_with_backlog(address, BACKLOG).await?;

    let late = lab.black_hole().from("a").only(Flags::ACK).open().await?;
    let socket = client.connect(address).await?;
    let source = socket.local().ok().await?;
    SocketView::new(server.host(), address, source).is(State::SynRecv)?;
    for _ in 0..=BACKLOG {
        let early = others.connect(address).await?.local().ok().await?;
        SocketView::new(server.host(), address, early).reaches(State::Established).await?;
    }
    late.lift().await?;
    Ok((lab, listener, End::new(socket, source, address)))
}

async fn reset(scene: Scene, ip: Ip) -> Result {
    let (lab, _listener, client) = overflowing(&scene, ip, 1).await?;
    let read = client.read(100).blocks().await?;

    // The server asks again after a second, and gets the acknowledgement.
    read.done().await?.errno(Errno::ECONNRESET)?;
    let wire = lab.wire();
    let again = wire.expect(syn_ack().to("a").retransmitted(true)).await?;
    let last = wire.expect(pure_ack().from("a").arrived(true)).after(&again).await?;
    wire.expect(rst().from("b").to("a")).after(&last).await?;
    client.kernel().is_gone().await?;
    let request = SocketView::new(lab.host("b")?, client.remote_address(), client.local_address());
    request.is_gone().await?;
    Ok(())
}

async fn silence(scene: Scene, ip: Ip) -> Result {
    let (lab, listener, client) = overflowing(&scene, ip, 0).await?;
    let wire = lab.wire();
    let server = lab.host("b")?;
    let request = SocketView::new(server, client.remote_address(), client.local_address());

    client.write("is anybody there?").ok().await?;
    let first = wire.expect(data().from("a").arrived(true)).await?;
    server.counts("ListenOverflows", 1).await?;
    request.is(State::SynRecv)?;
    client.kernel().is(State::Established)?;
    // Room for one: what the client says again and again is its last acknowledgement, too.
    listener.accept().ok().await?;
    request.reaches(State::Established).await?;
    wire.expect(data().from("a").retransmitted(true).arrived(true)).after(&first).await?;
    client.kernel().is_acknowledged().await?;
    wire.absent(Wire::start(), ending()).await
}
