//! A server that has closed cleanly answers late data with resets: its client reads the whole
//! response and the end of file, and only its writing side learns that something went wrong.
//! Source: `net/ipv4/tcp_minisocks.c` `tcp_timewait_state_process` (FIN_WAIT2); RFC 9293 3.6.1;
//! `tcp_input.c` `tcp_reset` (CLOSE_WAIT).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UD-04"]).claims(["A34", "A36", "A37", "B14"]);
    rule.source("tcp_minisocks.c tcp_timewait_state_process; tcp_input.c tcp_reset");
    rule.case("late_data_after_a_clean_close_is_reset_and_the_response_survives")
        .across(Ip::BOTH, late_body);
}

async fn late_body(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();

    b.write("the response").ok().await?;
    b.close().ok().await?;
    // The FIN counts as one; its acknowledgement makes the server's side an orphan that waits.
    a.kernel().has_unread(13).await?;
    b.kernel().reaches(State::FinWait2).await?;

    // Two full segments leave in one call, before the answer to the first is looked at.
    let body = 2 * a.info().ok().await?.snd_mss();
    let closed = wire.mark().await?;
    a.write_pattern(body).await?.is(&(body as usize))?.without_signal()?;
    a.kernel().is_gone().await?;
    b.kernel().is_gone().await?;

    let each = [rst().from("b"), rst().from("b")];
    wire.in_order(closed, each, Duration::from_secs(1)).await?;
    let late = wire.count(closed, data().from("a")).await?;
    same("late segments", 2, late)?;
    same("resets", late, wire.count(closed, rst().from("b")).await?)?;
    a.read(100).bytes(b"the response").await?;
    a.read(100).eof().await?;
    a.read(100).eof().await?;
    a.get(option::ERROR).await?.is(&(Errno::EPIPE as i32))?;
    a.write("more").errno(Errno::EPIPE).await?.with_sigpipe()?;
    Ok(())
}
