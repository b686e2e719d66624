//! A write that is blocked on a full window when the reset comes returns what it had taken; the
//! error is kept for the next one, and is EPIPE where the peer's FIN had come before.
//! Source: `net/ipv4/tcp.c` `tcp_sendmsg_locked`; `net/core/stream.c` `sk_stream_wait_memory`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-22"]).claims(["A37", "A38", "A40"]);
    rule.source("tcp.c tcp_sendmsg_locked; stream.c sk_stream_wait_memory, sk_stream_error");
    rule.case("blocked_write_returns_its_count_and_the_next_one_the_error")
        .across(([("reset", false), ("half_closed_then_reset", true)], Ip::OVER), count_then_error);
}

/// More than the send buffer may ever grow to here (`tcp_wmem`, 4 MiB).
const ENDLESS: u32 = 8 << 20;

async fn count_then_error(scene: Scene, (half_closed, ip): (bool, Ip)) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).small_window_at_b().connect().await?;

    if half_closed {
        b.shut_wr().ok().await?;
        a.kernel().reaches(State::CloseWait).await?;
    }
    let write = a.write_pattern(ENDLESS).blocks().await?;
    // b holds what it does not read, and a asks from time to time whether there is room again.
    b.kernel().has_any_unread().await?;
    a.kernel().runs(Timer::Persist).await?;
    b.reset().await?;

    let taken = write.done().await?.without_signal()?.ok()?;
    check("bytes taken", taken, more_than(0))?;
    check("bytes taken", taken, less_than(ENDLESS as usize))?;
    if half_closed {
        a.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;
    } else {
        a.write("x").errno(Errno::ECONNRESET).await?.without_signal()?;
    }
    a.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;
    a.read(100).eof().await?;
    Ok(())
}
