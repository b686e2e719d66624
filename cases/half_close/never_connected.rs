//! A shutdown of a socket that was never connected fails, and yet takes effect: pollers see the
//! end, and a read finds it instead of an error.
//! Source: `net/ipv4/af_inet.c` `inet_shutdown` (TCP_CLOSE); `net/ipv4/tcp.c`
//! `tcp_recvmsg_locked`, `tcp_poll`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-16"]);
    rule.source("af_inet.c inet_shutdown; tcp.c tcp_recvmsg_locked, tcp_poll");
    rule.case("shutting_down_an_unconnected_socket_fails_and_yet_takes_effect")
        .across(Ip::BOTH, takes_effect);
}

async fn takes_effect(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let host = lab.host("a")?;
    let socket = host.process().await?.socket(host.address(ip, PORT)).ok().await?;
    let at_once = Some(Duration::ZERO);
    socket.poll(Events::ALL, at_once).await?.is(&(Events::OUT | Events::HUP))?;
    socket.read(1).errno(Errno::ENOTCONN).await?;

    socket.shutdown(libc::SHUT_RDWR).errno(Errno::ENOTCONN).await?;
    let ended = Events::IN | Events::OUT | Events::HUP | Events::RDHUP;
    socket.poll(Events::ALL, at_once).await?.is(&ended)?;
    socket.read(1).eof().await?;
    socket.write("?").errno(Errno::EPIPE).await?.with_sigpipe()?;
    lab.wire().absent(Wire::start(), any()).await?;
    Ok(())
}
