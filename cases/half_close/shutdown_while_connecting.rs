//! A shutdown in SYN_SENT, whichever direction it names, gives the connection attempt up without
//! a word to the peer: the socket is as unconnected as before and may connect again.
//! Source: `net/ipv4/af_inet.c` `inet_shutdown` (TCP_SYN_SENT); `net/ipv4/tcp.c` `tcp_disconnect`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let ways =
        [("shut_wr", libc::SHUT_WR), ("shut_rd", libc::SHUT_RD), ("shut_rdwr", libc::SHUT_RDWR)];
    let rule = family.rule(["HC-14"]).claims(["B17"]);
    rule.source("af_inet.c inet_shutdown; tcp.c tcp_disconnect");
    rule.case("a_shutdown_while_connecting_gives_up_in_silence")
        .across((ways, Ip::BOTH).but(["shut_rd_ipv6", "shut_rdwr_ipv6"]), gives_up);
}

async fn gives_up(scene: Scene, (how, ip): (i32, Ip)) -> Result {
    let lab = scene.lab().build().await?;
    let wire = lab.wire();
    let (host_a, host_b) = (lab.host("a")?, lab.host("b")?);
    let (client, server) =
        try_join!(host_a.process_named("client"), host_b.process_named("server"))?;
    let address = host_b.address(ip, PORT);
    server.listen(address).await?;
    let at_once = Some(Duration::ZERO);

    let unheard = lab.black_hole().from("a").only(Flags::SYN).open().await?;
    let socket = client.nonblocking_socket(address).ok().await?;
    socket.connect(address).errno(Errno::EINPROGRESS).await?;
    let end = End::new(socket.clone(), socket.local().ok().await?, address);
    end.kernel().is(State::SynSent)?;
    socket.poll(Events::ALL, at_once).await?.is(&Events::NONE)?;

    socket.shutdown(how).ok().await?;
    end.kernel().is_gone().await?;
    let failed = Events::OUT | Events::ERR | Events::HUP;
    socket.poll(Events::ALL, at_once).await?.is(&failed)?;
    socket.get(option::ERROR).await?.is(&(Errno::ECONNRESET as i32))?;
    socket.poll(Events::ALL, at_once).await?.is(&(Events::OUT | Events::HUP))?;
    socket.read(1).errno(Errno::ENOTCONN).await?;
    wire.exactly(Wire::start(), [syn().from("a").arrived(false)]).await?;

    unheard.lift().await?;
    socket.nonblocking(false).ok().await?;
    socket.connect(address).ok().await?;
    Ok(())
}
