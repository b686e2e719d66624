//! A writer that meets a reset first is told ECONNRESET, without a signal; only the write after
//! that is EPIPE, with SIGPIPE.
//! Source: `net/ipv4/tcp.c` `tcp_sendmsg_locked`; `net/core/stream.c` `sk_stream_error`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-03"]).claims(["A37", "A38", "B69"]);
    rule.source("tcp.c tcp_sendmsg_locked; stream.c sk_stream_error; tcp_input.c tcp_reset");
    rule.case("first_write_after_a_reset_is_econnreset_and_the_second_epipe")
        .across(Ip::BOTH, reset_then_broken_pipe);
}

async fn reset_then_broken_pipe(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.reset().await?;
    b.kernel().is_gone().await?;
    let reset = lab.wire().mark().await?;

    b.write("one").errno(Errno::ECONNRESET).await?.without_signal()?;
    b.write("two").errno(Errno::EPIPE).await?.with_sigpipe()?;
    b.write("three").errno(Errno::EPIPE).await?.with_sigpipe()?;
    b.read(100).eof().await?;
    b.read(100).eof().await?;
    lab.wire().absent(reset, any()).await
}
