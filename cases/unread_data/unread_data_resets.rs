//! Closing with received data unread is a reset: the peer must learn that what it sent was lost.
//! Source: `net/ipv4/tcp.c` `__tcp_close`; RFC 1122 4.2.2.13; RFC 2525 2.17.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UD-01"]).claims(["B3", "B4", "B32"]);
    rule.source("tcp.c __tcp_close; RFC 1122 4.2.2.13; RFC 2525 2.17");
    rule.case("one_unread_byte_turns_close_into_a_reset")
        .across(Ip::BOTH, |scene, ip| leave_one_unread(scene, ip, b"x"));
    rule.case("a_read_that_leaves_a_byte_turns_close_into_a_reset")
        .covers(["UD-05"])
        .claims(["B3", "B4"])
        .across(Ip::BOTH, |scene, ip| leave_one_unread(scene, ip, b"xyz"));
    rule.case("a_killed_process_with_unread_data_resets")
        .covers(["UD-08"])
        .claims(["A23"])
        .source("tcp.c __tcp_close; kernel/exit.c do_exit")
        .across(Ip::BOTH, killed);
}

async fn leave_one_unread(scene: Scene, ip: Ip, sent: &'static [u8]) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let (read, total) = (sent.len() as u32 - 1, sent.len() as u32);

    a.write(sent).ok().await?;
    b.kernel().has_unread(total).await?;
    if read > 0 {
        b.read(read).bytes(&sent[..read as usize]).await?;
    }
    b.unread().await?.is(&1)?;
    let counted = b.host().counter("TCPAbortOnClose")?;
    b.close().await?.ok()?;

    // Gone on both sides, where a TIME_WAIT would stay for a minute.
    b.kernel().is_gone().await?;
    a.kernel().is_gone().await?;
    same("TCPAbortOnClose", counted + 1, b.host().counter("TCPAbortOnClose")?)?;
    let reset = rst().flags(Flags::ACK).from("b").seq(1).ack(total + 1);
    lab.wire().exactly(Wire::start(), [reset]).among(ending()).await?;
    a.read(100).errno(Errno::ECONNRESET).await?;
    a.read(100).eof().await?;
    Ok(())
}

async fn killed(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.write("x").ok().await?;
    b.kernel().has_unread(1).await?;
    let read = a.read(100).blocks().await?;
    b.process.kill().await?;

    read.done().await?.errno(Errno::ECONNRESET)?;
    a.kernel().is_gone().await?;
    b.kernel().is_gone().await?;
    let reset = rst().flags(Flags::ACK).from("b").seq(1).ack(2);
    lab.wire().exactly(Wire::start(), [reset]).among(ending()).await?;
    Ok(())
}
