//! A write after the own SHUT_WR fails with EPIPE and raises SIGPIPE, and nothing is sent.
//! Source: POSIX send(); `net/ipv4/tcp.c` `tcp_sendmsg_locked` (SEND_SHUTDOWN);
//! `net/core/stream.c` `sk_stream_error`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-02"]).claims(["B15"]);
    rule.source("POSIX send(); tcp.c tcp_sendmsg_locked; stream.c sk_stream_error");
    rule.case("writing_after_shut_wr_breaks_the_pipe").across(Ip::BOTH, broken_pipe);
}

async fn broken_pipe(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.shut_wr().ok().await?;

    // Before the FIN is acknowledged or after makes no difference, nor does repetition.
    a.write("too late").errno(Errno::EPIPE).await?.with_sigpipe()?;
    a.kernel().reaches(State::FinWait2).await?;
    a.write("too late").errno(Errno::EPIPE).await?.with_sigpipe()?;
    a.send("too late", libc::MSG_NOSIGNAL).errno(Errno::EPIPE).await?.without_signal()?;

    // What broke is this direction only, and it is no error of the socket's.
    a.get(option::ERROR).await?.is(&0)?;
    b.write("still open").ok().await?;
    a.read(100).bytes(b"still open").await?;
    lab.wire().absent(Wire::start(), data().from("a")).await?;
    Ok(())
}
