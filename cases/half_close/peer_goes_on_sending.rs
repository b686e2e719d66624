//! Shutting down the sending side leaves the receiving side open for as long as the peer sends:
//! the connection rests in FIN_WAIT2 and ends with the peer's FIN.
//! Source: RFC 9293 3.6 case 1; `net/ipv4/tcp.c` `tcp_shutdown`, `tcp_poll`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-01"]).claims(["B15", "B16"]);
    rule.source("RFC 9293 3.6; tcp.c tcp_shutdown, tcp_poll");
    rule.case("data_still_arrives_after_our_own_fin").across(Ip::BOTH, still_receives);
}

async fn still_receives(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let at_once = Some(Duration::ZERO);

    a.shut_wr().ok().await?;
    a.kernel().reaches(State::FinWait2).await?;
    b.read(100).eof().await?;
    a.poll(Events::ALL, at_once).await?.is(&Events::OUT)?;

    for words in [b"first", b"again"] {
        let before = wire.mark().await?;
        b.write(words).ok().await?;
        a.read(100).bytes(words).await?;
        let sent = wire.expect(data().from("b").payload(5)).after(before).await?;
        wire.expect(pure_ack().from("a").ack(sent.end())).after(&sent).await?;
        a.kernel().is(State::FinWait2)?;
    }

    b.close().ok().await?;
    a.read(100).eof().await?;
    a.kernel().reaches(State::TimeWait).await?;
    // The descriptor's socket is an empty shell now: the kernel keeps TIME_WAIT apart from it.
    let state = a.info().ok().await?.state();
    same("a: tcpi_state", Some(State::Close), state)?;
    let all = Events::IN | Events::OUT | Events::HUP | Events::RDHUP;
    a.poll(Events::ALL, at_once).await?.is(&all)?;
    wire.absent(Wire::start(), rst()).await?;
    Ok(())
}
