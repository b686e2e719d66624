//! Unread data beats SO_LINGER: close() sends a reset and does not wait, since nothing is left to
//! wait for.
//! Source: `net/ipv4/tcp.c` `__tcp_close`, which looks at the receive queue before it sends a FIN.

use lastack::prelude::*;

const LINGER: Linger = Linger::on(5);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-11"]).claims(["B4"]).source("tcp.c __tcp_close; RFC 1122 4.2.2.13");
    rule.case("unread_data_beats_lingering").across(Ip::BOTH, resets);
}

async fn resets(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, LINGER).ok().await?;
    b.write("never read").ok().await?;
    a.kernel().has_unread(10).await?;

    // Nothing comes back any more, so a close that waited would wait to the end of its time.
    let _hole = lab.black_hole().open().await?;
    a.close().await?.succeeds()?.took_within(&LINGER.cut_short())?;
    a.kernel().is_gone().await?;
    lab.wire().expect(rst().from("a")).await?;
    lab.wire().absent(Wire::start(), fin()).await
}
