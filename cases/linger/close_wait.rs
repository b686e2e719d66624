//! In CLOSE_WAIT a lingering close() waits as well: for the acknowledgement that takes LAST_ACK to
//! its end.
//! Source: `net/core/stream.c` `sk_stream_closing`, which counts LAST_ACK.

use lastack::prelude::*;

const LINGER: Linger = Linger::on(5);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-12"]).claims(["B38"]).waits(Duration::from_secs(1));
    rule.source("stream.c sk_stream_closing; tcp.c tcp_close_state");
    rule.case("last_ack_is_lingered_for").across(Ip::BOTH, lingers);
}

async fn lingers(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, LINGER).ok().await?;
    b.shut_wr().ok().await?;
    a.kernel().reaches(State::CloseWait).await?;

    let hole = lab.black_hole().from("b").open().await?;
    let close = a.close().blocks().await?;
    a.kernel().is(State::LastAck)?;
    let lost = pure_ack().from("b").arrived(false);
    lab.wire().expect(lost).await?;
    let close = close.blocked().await?;
    hole.lift().await?;

    let close = close.done().await?.succeeds()?.took_within(&LINGER.cut_short())?;
    let answer = lab.wire().expect(pure_ack().from("b").to("a").ack(2).arrived(true)).await?;
    close.returned_after(&answer)?;
    a.kernel().is_gone().await?;
    b.read(1).eof().await?;
    b.kernel().is(State::TimeWait)?;
    Ok(())
}
