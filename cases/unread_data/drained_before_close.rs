//! Who finishes writing, reads to the end and closes only then loses nothing and resets nobody.
//! Source: RFC 9112 9.6; `net/ipv4/tcp.c` `tcp_shutdown`, `__tcp_close`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UD-09"]).claims(["B13", "B17"]);
    rule.source("RFC 9112 9.6; tcp.c tcp_shutdown, __tcp_close");
    rule.case("shut_down_drained_and_closed_takes_two_fins_and_no_reset").across(Ip::BOTH, drained);
}

/// The client's request body: more than the server has room for at once.
const BODY: u32 = 1 << 20;

async fn drained(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).small_window_at_b().connect().await?;

    let body = a.write_pattern(BODY).blocks().await?;
    b.kernel().has_any_unread().await?;
    b.write("no, thanks").ok().await?;
    // With unread data here, a close would reset; this only says that no more will come.
    b.shut_wr().ok().await?;

    let drain = b.read_to_end().start().await?;
    body.done().await?.is(&(BODY as usize))?;
    a.read(100).bytes(b"no, thanks").await?;
    a.read(100).eof().await?;
    a.close().ok().await?;
    drain.done().await?.is(&Drained { bytes: BODY.into(), intact: true, error: None })?;
    b.close().ok().await?;

    a.kernel().is_gone().await?;
    b.kernel().reaches(State::TimeWait).await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    same("FINs", 2, lab.wire().count(Wire::start(), fin().retransmitted(false)).await?)
}
