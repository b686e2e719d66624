//! A close with linger zero answers the peer's FIN with a reset instead of a FIN: no LAST_ACK
//! here, no TIME_WAIT there.
//! Source: `net/ipv4/tcp.c` `tcp_need_reset` (CLOSE_WAIT), `tcp_disconnect`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-06"]).claims(["A10", "B30", "B67"]);
    rule.source("tcp.c tcp_need_reset, tcp_disconnect");
    rule.case("linger_zero_in_close_wait_answers_the_fin_with_a_reset")
        .across(Ip::BOTH, fin_answered_with_a_reset);
}

async fn fin_answered_with_a_reset(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.shut_wr().ok().await?;
    b.kernel().reaches(State::CloseWait).await?;
    // The FIN is acknowledged late; then only the peer's answer is missing.
    a.kernel().reaches(State::FinWait2).await?;
    b.reset().await?;

    a.kernel().is_gone().await?;
    b.kernel().is_gone().await?;
    let ends = [fin().from("a"), rst().flags(Flags::ACK).from("b").seq(1).ack(2)];
    lab.wire().exactly(Wire::start(), ends).among(ending()).await?;
    // One who waits for the answer to its FIN learns that there is none.
    a.read(100).errno(Errno::ECONNRESET).await?;
    a.read(100).eof().await?;
    Ok(())
}
