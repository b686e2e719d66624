//! A listener that is closed while a client connects takes the connection with it, at whatever
//! stage: before the handshake is through the client is refused, at its next SYN; after it, be it
//! that the server never heard the last of it, the client is reset. A poller hears of either as an
//! error and a hang-up.
//! Source: `net/ipv4/inet_connection_sock.c` `inet_csk_listen_stop`, `reqsk_timer_handler`;
//! `net/ipv4/tcp_ipv4.c` `tcp_v4_rcv` (TCP_NEW_SYN_RECV, no_tcp_socket); `net/ipv4/tcp_input.c`
//! `tcp_reset`.

use lastack::prelude::*;

/// How far it has come.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    SynLost,
    SynAckLost,
    LastAckLost,
    NotAccepted,
}

pub fn cases(family: &mut Family) {
    let stages = [
        ("syn_lost", Stage::SynLost),
        ("syn_ack_lost", Stage::SynAckLost),
        ("last_ack_lost", Stage::LastAckLost),
        ("not_accepted", Stage::NotAccepted),
    ];
    let rule = family.rule(["PV-15"]).waits(timers::SYN_RTO);
    rule.source("inet_connection_sock.c inet_csk_listen_stop; tcp_ipv4.c tcp_v4_rcv; tcp_input.c");
    rule.case("listener_closed_while_a_client_connects_refuses_or_resets_it")
        .across((stages, Ip::OVER), closed);
}

async fn closed(scene: Scene, (stage, ip): (Stage, Ip)) -> Result {
    let lab = scene.lab().build().await?;
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = server.host().address(ip, PORT);
    let listener = server.listen(address).await?;
    let hole = match stage {
        Stage::SynLost => Some(lab.black_hole().from("a").open().await?),
        Stage::SynAckLost => Some(lab.black_hole().from("b").open().await?),
        Stage::LastAckLost => Some(lab.black_hole().from("a").only(Flags::ACK).open().await?),
        Stage::NotAccepted => None,
    };
    let socket = client.nonblocking_socket(address).ok().await?;
    socket.connect(address).errno(Errno::EINPROGRESS).await?;
    let end = End::new(socket.clone(), socket.local().ok().await?, address);
    let idle = socket.poll(Events::NONE, None).on("idler").blocks().await?;
    let there = SocketView::new(server.host(), address, end.local_address());
    let (here, at_server) = match stage {
        Stage::SynLost => (State::SynSent, None),
        Stage::SynAckLost => (State::SynSent, Some(State::SynRecv)),
        Stage::LastAckLost => (State::Established, Some(State::SynRecv)),
        Stage::NotAccepted => (State::Established, Some(State::Established)),
    };
    end.kernel().reaches(here).await?;
    match at_server {
        Some(state) => _ = there.reaches(state).await?,
        None => _ = there.is_gone().await?,
    }

    listener.close().ok().await?;
    if let Some(hole) = hole {
        hole.lift().await?;
    }
    if stage == Stage::LastAckLost {
        end.write("hello").ok().await?;
    }
    let failed = Events::ERR | Events::HUP;
    let connected = here == State::Established;
    let why = if connected { Errno::ECONNRESET } else { Errno::ECONNREFUSED };
    idle.done().await?.is(&failed)?;
    socket.polls_as(Events::ALL | failed).await?;
    socket.get(option::ERROR).await?.is(&(why as i32))?;
    lab.wire().expect(rst().from("b").arrived(true)).await?;
    there.is_gone().await?;
    Ok(())
}
