//! A reset does not take back what had arrived: a reader gets those bytes, then the error once,
//! then end of file for ever.
//! Source: `net/ipv4/tcp.c` `tcp_recvmsg_locked`, `tcp_poll`; `tcp_input.c` `tcp_reset`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-02"]).claims(["A26", "B69"]);
    rule.source("tcp.c tcp_recvmsg_locked, tcp_poll; tcp_input.c tcp_reset");
    rule.case("reader_gets_its_bytes_then_the_reset_then_end_of_file")
        .across(Ip::BOTH, bytes_then_error_then_end);
    rule.case("blocked_reader_is_woken_by_the_reset")
        .source("tcp.c tcp_recvmsg_locked; tcp_input.c tcp_reset, tcp_done_with_error")
        .across(Ip::BOTH, blocked_reader);
}

async fn bytes_then_error_then_end(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.write([7; 100]).ok().await?;
    b.kernel().has_unread(100).await?;
    a.reset().await?;
    b.kernel().is_gone().await?;

    let all = Events::ALL | Events::ERR | Events::HUP;
    b.poll(Events::ALL, None).await?.is(&all)?;
    b.read(1000).bytes(&[7; 100]).await?;
    b.read(1000).errno(Errno::ECONNRESET).await?.without_signal()?;
    b.read(1000).eof().await?;
    b.read(1000).eof().await?;
    Ok(())
}

async fn blocked_reader(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).connect().await?;

    let read = b.read(1000).blocks().await?;
    a.reset().await?;
    read.done().await?.errno(Errno::ECONNRESET)?.without_signal()?;
    b.read(1000).eof().await?;
    Ok(())
}
