//! The reset of a close with unread data does not discard what the peer has already received: it
//! reads that, and meets the reset after it.
//! Source: `net/ipv4/tcp.c` `tcp_recvmsg_locked`; `tcp_input.c` `tcp_done_with_error`; RFC 9112
//! 9.6 (which warns of stacks that do discard).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UD-02"]).claims(["B5", "B6", "B7"]);
    rule.source("tcp.c tcp_recvmsg_locked; tcp_input.c tcp_done_with_error; RFC 9112 9.6");
    rule.case("buffered_response_survives_the_reset_of_an_unread_request")
        .across(Ip::BOTH, buffered);
    rule.case("response_sent_just_before_an_unread_close_is_still_read")
        .covers(["UD-12"])
        .claims(["B5", "B6"])
        .across(Ip::BOTH, just_sent);
}

async fn buffered(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.write("request").ok().await?;
    b.kernel().has_unread(7).await?;
    b.write("the response").ok().await?;
    a.kernel().has_unread(12).await?;
    b.close().ok().await?;
    a.kernel().is_gone().await?;

    a.read(100).bytes(b"the response").await?;
    a.read(100).errno(Errno::ECONNRESET).await?;
    a.read(100).eof().await?;
    lab.wire().exactly(Wire::start(), [rst().from("b")]).among(ending()).await?;
    Ok(())
}

async fn just_sent(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.write("request").ok().await?;
    b.kernel().has_unread(7).await?;
    b.write("last words!").ok().await?;
    b.close().ok().await?;
    a.kernel().is_gone().await?;

    a.read(100).bytes(b"last words!").await?;
    a.read(100).errno(Errno::ECONNRESET).await?;
    a.read(100).eof().await?;
    // The reset followed the data in sequence, so nothing had to be asked.
    lab.wire().exactly(Wire::start(), [rst().from("b").seq(12)]).among(ending()).await?;
    Ok(())
}
