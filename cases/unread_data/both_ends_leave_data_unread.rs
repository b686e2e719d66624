//! Where both ends close with unread data, one reset does for both: the second close finds the
//! connection gone and sends nothing.
//! Source: `net/ipv4/tcp.c` `__tcp_close` (state CLOSE), `tcp_input.c` `tcp_reset`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UD-07"]).claims(["B4"]);
    rule.source("tcp.c __tcp_close; tcp_input.c tcp_reset");
    rule.case("second_close_with_unread_data_is_silent").across(Ip::BOTH, one_reset_for_both);
}

async fn one_reset_for_both(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.write("to b").ok().await?;
    b.write("to a").ok().await?;
    b.kernel().has_unread(4).await?;
    a.kernel().has_unread(4).await?;
    a.close().ok().await?;
    b.kernel().is_gone().await?;
    b.unread().await?.is(&4)?;
    let reset = lab.wire().mark().await?;
    b.close().ok().await?;

    lab.wire().exactly(reset, []).await?;
    lab.wire().exactly(Wire::start(), [rst().from("a")]).among(ending()).await?;
    Ok(())
}
