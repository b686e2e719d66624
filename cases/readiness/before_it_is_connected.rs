//! A socket that was never connected shows a hang-up, one that is connecting nothing at all; who
//! has parked in a call on that hears of the refusal there.
//! Source: `net/ipv4/tcp.c` `tcp_poll` (TCP_CLOSE, TCP_SYN_SENT), `tcp_recvmsg_locked`;
//! `net/core/stream.c` `sk_stream_wait_connect`, `sk_stream_error`.

use lastack::prelude::*;

#[derive(Clone, Copy)]
enum Parked {
    Receiver,
    Sender,
}

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PV-12"]);
    rule.source("tcp.c tcp_poll (TCP_CLOSE), tcp_recvmsg_locked; stream.c sk_stream_wait_connect");
    rule.case("socket_that_was_never_connected_shows_a_hang_up").across(Ip::BOTH, never_connected);
    rule.case("connecting_socket_shows_nothing_and_parked_calls_hear_of_its_refusal")
        .covers(["PV-11"])
        .source(
            "tcp.c tcp_poll (TCP_SYN_SENT), tcp_recvmsg_locked; stream.c sk_stream_wait_connect",
        )
        .waits(timers::SYN_RTO)
        .across(([("receiver", Parked::Receiver), ("sender", Parked::Sender)], Ip::BOTH), refused);
}

async fn never_connected(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let host = lab.host("a")?;
    let socket = host.process().await?.socket(host.address(ip, PORT)).ok().await?;
    socket.polls_as(Events::OUT | Events::HUP).await?;
    socket.recv(1, 0).errno(Errno::ENOTCONN).await?;
    socket.send("x", 0).errno(Errno::EPIPE).await?.with_sigpipe()?;
    socket.get(option::ERROR).await?.is(&0)?;
    socket.polls_as(Events::OUT | Events::HUP).await?;
    lab.wire().absent(Wire::start(), any()).await
}

async fn refused(scene: Scene, (parked, ip): (Parked, Ip)) -> Result {
    let lab = scene.lab().build().await?;
    let client = lab.host("a")?.process().await?;
    // Nobody listens there.
    let address = lab.host("b")?.address(ip, PORT);
    let lost = lab.black_hole().from("a").open().await?;
    let socket = client.nonblocking_socket(address).ok().await?;
    socket.connect(address).errno(Errno::EINPROGRESS).await?;
    socket.polls_as(Events::NONE).await?;
    socket.recv(1, 0).errno(Errno::EAGAIN).await?;
    socket.send("x", 0).errno(Errno::EAGAIN).await?.without_signal()?;

    let idle = socket.poll(Events::NONE, None).on("idler").blocks().await?;
    socket.nonblocking(false).ok().await?;
    match parked {
        Parked::Receiver => {
            let call = socket.recv(1, 0).on("parked").blocks().await?;
            lost.lift().await?;
            call.done().await?.errno(Errno::ECONNREFUSED)?;
        }
        Parked::Sender => {
            let call = socket.send("x", 0).on("parked").blocks().await?;
            lost.lift().await?;
            call.done().await?.errno(Errno::ECONNREFUSED)?.without_signal()?;
        }
    }
    // Whether the poller comes before who takes the error is a race.
    let heard = idle.done().await?.ok()?;
    check_that("what the poller heard", heard, "POLLHUP", |it| it.any_of(Events::HUP))?;
    socket.polls_as(Events::ALL | Events::HUP).await?;
    lab.wire().expect(rst().from("b")).await?;
    Ok(())
}
