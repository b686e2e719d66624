//! A FIN that was overtaken by a newer acknowledgement of its own sender is still the FIN: that
//! it acknowledges less than is known already does not make it old.
//! Source: kernel commit 795a7dfbc3d9 (net: tcp: accept old ack during closing; Linux 6.9, and in
//! Debian's 6.1);
//! `net/ipv4/tcp_input.c` `tcp_rcv_state_process`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-18"]);
    rule.source("tcp_input.c tcp_rcv_state_process; tcp_disorder_fin_in_FIN_WAIT.pkt");
    rule.case("a_fin_overtaken_by_an_acknowledgement_counts").across(Ip::BOTH, overtaken);
}

async fn overtaken(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.shut_wr().ok().await?;
    a.kernel().reaches(State::FinWait2).await?;
    let read = a.read(100).blocks().await?;

    // Sent before a's FIN was known, it comes after that has been acknowledged.
    let overtaken = lab.impersonate(&b)?.fin().seq(1).ack(1).send().await?;
    read.done().await?.eof()?;
    lab.wire().expect(pure_ack().from("a").seq(2).ack(2)).after(&overtaken).await?;
    a.kernel().reaches(State::TimeWait).await?;
    Ok(())
}
