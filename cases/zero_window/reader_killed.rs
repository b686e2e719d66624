//! A reader that hangs keeps its connection, its kernel sees to that; when it is killed with data
//! unread, the sender that is blocked on the closed window is told at once, by a reset.
//! Source: `net/ipv4/tcp.c` `__tcp_close`; `net/ipv4/tcp_input.c` `tcp_data_queue`.

use lastack::prelude::*;

/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ZW-08"]).claims(["A23"]).waits(Duration::from_secs(1));
    rule.source("tcp.c __tcp_close: unread data; stream.c sk_stream_wait_memory");
    rule.case("killed_reader_resets_the_sender_that_is_blocked_on_its_window")
        .across(Ip::BOTH, reset);
}

async fn reset(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).small_window_at_b().connect().await?;
    pair.b.process.stop().await?;
    let closed = pair.close_window(MUCH).await?;
    let Pair { lab, a, b, .. } = pair;
    let wire = lab.wire();

    a.nonblocking(true).ok().await?;
    while a.write([0; 4096]).await?.answer().is_ok() {}
    a.write("x").errno(Errno::EAGAIN).await?;
    a.nonblocking(false).ok().await?;
    let write = a.write("x").blocks().await?;

    // The kernel behind the hung reader answers.
    let asked = wire.expect(probe().from("a")).after(&closed).await?;
    wire.expect(pure_ack().from("b").window(0)).after(&asked).await?;
    let write = write.blocked().await?;
    wire.absent(Wire::start(), ending()).await?;

    b.process.kill().await?;
    write.done().await?.errno(Errno::ECONNRESET)?.without_signal()?;
    wire.exactly(Wire::start(), [rst().flags(Flags::ACK).from("b")]).among(ending()).await?;
    a.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;
    Ok(())
}
