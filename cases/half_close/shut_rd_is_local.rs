//! Shutting down the receiving side is a local matter: nothing is sent, the peer cannot tell, and
//! what arrives later is acknowledged, queued and readable all the same.
//! Source: shutdown(2); `net/ipv4/tcp.c` `tcp_shutdown` (returns unless SEND_SHUTDOWN),
//! `tcp_recvmsg_locked`, `tcp_poll`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-03"]).claims(["B15"]).source("tcp.c tcp_shutdown, tcp_poll");
    rule.case("shut_rd_on_an_idle_connection_sends_nothing")
        .claims(["B15", "B18"])
        .across(Ip::BOTH, sends_nothing);
    rule.case("data_arriving_after_shut_rd_is_still_read")
        .covers(["HC-04"])
        .source("tcp.c tcp_recvmsg_locked; tcp_input.c tcp_rcv_established")
        .across(Ip::BOTH, late_data);
    rule.case("data_buffered_before_shut_rd_is_still_read")
        .covers(["HC-05"])
        .source("tcp.c tcp_recvmsg_locked")
        .across(Ip::BOTH, early_data);
}

async fn sends_nothing(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let established = lab.wire().mark().await?;
    let read = a.read(100).blocks().await?;

    a.shut_rd().on("other").ok().await?;
    // Who was waiting for data waits no longer.
    read.done().await?.eof()?;
    a.read(100).eof().await?;
    let ended = Events::IN | Events::OUT | Events::RDHUP;
    a.poll(Events::ALL, Some(Duration::ZERO)).await?.is(&ended)?;
    b.poll(Events::ALL, Some(Duration::ZERO)).await?.is(&Events::OUT)?;
    a.kernel().is(State::Established)?;
    b.kernel().is(State::Established)?;
    lab.wire().absent(established, any()).await?;

    a.write("the other way").ok().await?;
    b.read(100).bytes(b"the other way").await?;
    Ok(())
}

async fn late_data(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.shut_rd().ok().await?;
    a.read(100).eof().await?;

    b.write("late").ok().await?;
    b.kernel().is_acknowledged().await?;
    a.unread().await?.is(&4)?;
    a.read(100).bytes(b"late").await?;
    a.read(100).eof().await?;
    a.kernel().is(State::Established)?;
    lab.wire().expect(pure_ack().from("a").ack(5)).await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    Ok(())
}

async fn early_data(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    b.write("early").ok().await?;
    a.kernel().has_unread(5).await?;

    a.shut_rd().ok().await?;
    a.read(3).bytes(b"ear").await?;
    a.read(100).bytes(b"ly").await?;
    a.read(100).eof().await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    Ok(())
}
