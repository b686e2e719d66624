//! SHUT_WR with unread data sends a FIN, where close would send a reset; the data stays readable.
//! Source: RFC 9293 3.6; `net/ipv4/tcp.c` `tcp_shutdown` (does not look at the receive queue).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-12"]).claims(["B17"]).source("RFC 9293 3.6; tcp.c tcp_shutdown");
    rule.case("shut_wr_with_unread_data_sends_a_fin").across(Ip::BOTH, fin_not_reset);
}

async fn fin_not_reset(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    b.write("unread").ok().await?;
    a.kernel().has_unread(6).await?;

    a.shut_wr().ok().await?;
    b.read(100).eof().await?;
    a.kernel().reaches(State::FinWait2).await?;
    lab.wire().expect(fin().from("a").empty()).await?;

    a.read(100).bytes(b"unread").await?;
    b.close().ok().await?;
    a.kernel().reaches(State::TimeWait).await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    Ok(())
}
