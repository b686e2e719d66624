//! Who closes second keeps nothing: its socket is gone with the acknowledgement of its FIN, and
//! its port is free. Who closes first keeps the connection in TIME_WAIT, and the port with it.
//! Source: RFC 9293 3.6; `net/ipv4/tcp_input.c` `tcp_rcv_state_process` (TCP_LAST_ACK);
//! `net/ipv4/inet_connection_sock.c` `inet_csk_bind_conflict`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let orders = [("client_first", First::Client), ("server_first", First::Server)];
    let rule = family.rule(["GC-05"]).claims(["B11", "B21", "B26"]);
    rule.source("RFC 9293 3.6; tcp_input.c tcp_rcv_state_process; inet_csk_bind_conflict");
    rule.case("the_passive_closer_keeps_no_time_wait").across((orders, Ip::BOTH), close_in_turn);
    rule.case("a_late_segment_finds_nobody_at_the_passive_closer")
        .claims([])
        .source("RFC 9293 3.10.7.1; tcp_ipv4.c tcp_v4_send_reset")
        .across(Ip::BOTH, late_segment);
}

#[derive(Clone, Copy)]
enum First {
    Client,
    Server,
}

async fn close_in_turn(scene: Scene, (first, ip): (First, Ip)) -> Result {
    let Pair { a: client, b: server, listener, .. } = scene.pair().ip(ip).connect().await?;
    let (active, passive) = match first {
        First::Client => (&client, &server),
        First::Server => (&server, &client),
    };

    active.close().ok().await?;
    passive.read(1).eof().await?;
    passive.kernel().is(State::CloseWait)?;
    active.kernel().reaches(State::FinWait2).await?;
    passive.close().ok().await?;
    active.kernel().reaches(State::TimeWait).await?;
    passive.kernel().is_gone().await?;

    // Only the listener, or what TIME_WAIT keeps of the connection, can hold the server's port
    // against a socket that does not ask to reuse it.
    listener.close().ok().await?;
    let successor = server.process.socket(server.local_address()).ok().await?;
    let bound = successor.bind(server.local_address());
    match first {
        First::Client => bound.ok().await?,
        First::Server => _ = bound.errno(Errno::EADDRINUSE).await?,
    }
    Ok(())
}

async fn late_segment(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.close().ok().await?;
    b.read(1).eof().await?;
    b.close().ok().await?;
    b.kernel().is_gone().await?;
    a.kernel().is(State::TimeWait)?;

    // Delayed somewhere on the way; who gets it remembers nothing, and answers by its number.
    let late = lab.impersonate(&a)?.pure_ack().seq(1).ack(1).send().await?;
    let answer = lab.wire().expect(rst().without(Flags::ACK).from("b")).after(&late).await?;
    same("its number", 1, answer.seq)
}
