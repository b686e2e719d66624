//! A lingering close() that returns 0 says nothing about delivery: the peer's kernel has
//! acknowledged bytes that its application may never read, and a reset ends the wait with the
//! same 0.
//! Source: `net/ipv4/af_inet.c` `inet_release`, which returns 0 whatever happened.

use lastack::prelude::*;

const LINGER: Linger = Linger::on(5);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-13"]).claims(["B13", "B33"]);
    rule.source("stream.c sk_stream_closing; tcp.c __tcp_close");
    rule.case("lingering_close_succeeds_though_the_peer_never_reads").across(Ip::BOTH, never_read);
    rule.case("reset_ends_the_lingering_with_success")
        .claims(["B33"])
        .source("af_inet.c inet_release; tcp_input.c tcp_reset")
        .across(Ip::BOTH, reset);
}

async fn never_read(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, LINGER).ok().await?;
    a.write_pattern(1000).ok().await?;
    a.close().await?.succeeds()?.took_within(&LINGER.cut_short())?;
    a.kernel().is(State::FinWait2)?;

    // A thousand bytes, and one for the FIN.
    b.kernel().has_unread(1001).await?;
    b.close().ok().await?;
    lab.wire().expect(rst().from("b")).await?;
    lab.wire().absent(Wire::start(), fin().from("b")).await?;
    a.kernel().is_gone().await?;
    Ok(())
}

async fn reset(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, LINGER).ok().await?;
    let _hole = lab.black_hole().from("a").open().await?;
    a.write("lost").ok().await?;
    let close = a.close().blocks().await?;
    a.kernel().reaches(State::FinWait1).await?;

    b.reset().await?;
    let rst = lab.wire().expect(rst().from("b").arrived(true)).await?;
    let close = close.done().await?.succeeds()?;
    close.returned_after(&rst)?.took_within(&LINGER.cut_short())?;
    a.kernel().is_gone().await?;
    Ok(())
}
