//! With TCP_DEFER_ACCEPT the third segment of the handshake is not enough: the server waits for
//! data, and only when its patience is over takes an empty acknowledgement for an answer.
//! Source: tcp(7) TCP_DEFER_ACCEPT; `net/ipv4/tcp_minisocks.c` `tcp_check_req`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LC-10"]).waits(Duration::from_secs(1));
    rule.source("tcp(7) TCP_DEFER_ACCEPT; tcp_minisocks.c tcp_check_req");
    rule.case("deferred_accept_ignores_the_acknowledgement_until_data_comes")
        .across(Ip::BOTH, until_data);
    rule.case("deferred_accept_gives_in_after_its_time")
        .source("tcp(7) TCP_DEFER_ACCEPT; inet_connection_sock.c syn_ack_recalc")
        .across(Ip::BOTH, |scene, ip| until_timeout(scene, ip, 1))
        .stock("deferred_accept_of_a_minute_gives_in_after_a_minute")
        .source("inet_connection_sock.c syn_ack_recalc; tcp.c secs_to_retrans")
        .waits(Duration::from_secs(63))
        .run(|scene| until_timeout(scene, Ip::V4, 60));
}

/// A client that is connected, as it believes, and a server that waits for its data.
async fn deferred(scene: &Scene, ip: Ip, seconds: i32) -> Result<(Lab, Socket, End, SocketView)> {
    let lab = scene.lab().build().await?;
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = lab.host("b")?.address(ip, PORT);
    let listener = server.listen(address).await?;
    listener.set(option::DEFER_ACCEPT, seconds).ok().await?;

    let socket = client.connect(address).await?;
    let source = socket.local().ok().await?;
    lab.wire().expect(pure_ack().from("a").ack(1).arrived(true)).await?;
    let request = SocketView::new(server.host(), address, source);
    Ok((lab, listener, End::new(socket, source, address), request))
}

async fn until_data(scene: Scene, ip: Ip) -> Result {
    let (lab, listener, client, request) = deferred(&scene, ip, 30).await?;
    let accept = listener.accept().blocks().await?;
    request.stays(State::SynRecv, Duration::from_millis(500)).await?;
    let accept = accept.blocked().await?;
    client.kernel().is(State::Established)?;

    client.write("GET /").ok().await?;
    accept.done().await?.ok()?.read(100).bytes(b"GET /").await?;
    lab.wire().absent(Wire::start(), syn_ack().retransmitted(true)).await
}

async fn until_timeout(scene: Scene, ip: Ip, seconds: i32) -> Result {
    let (lab, listener, _client, request) = deferred(&scene, ip, seconds).await?;
    let wire = lab.wire();
    request.is(State::SynRecv)?;
    let accepted = listener.accept().ok().await?;

    // The answer is given again, and the client acknowledges it again.
    let first = wire.expect(syn_ack().from("b")).await?;
    let again = wire.expect(syn_ack().from("b").retransmitted(true)).await?;
    wire.expect(pure_ack().from("a").ack(1)).after(&again).await?;
    // As many of the request's timers, each twice the one before, as it takes to fill the time.
    let timers = (0..).map(|n| timers::SYN_RTO * (1 << n));
    let patience = Duration::from_secs(seconds as u64);
    let timers = timers.scan(Duration::ZERO, |sum, timer| {
        let go_on = *sum < patience;
        *sum += timer;
        go_on.then_some(timer)
    });
    let time = Window::wheel(timers, "the request's timers");
    time.judge("b was patient for", again.at().since(first.at()))?;
    accepted.unread().await?.is(&0)?;
    request.is(State::Established)?;
    Ok(())
}
