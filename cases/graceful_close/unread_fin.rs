//! A FIN that was never read is not unread data: closing on top of it sends a FIN, not a reset.
//! Source: `net/ipv4/tcp.c` `__tcp_close` (a queued FIN does not count into the unread bytes).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["GC-10"]).claims(["B3", "B4"]).source("tcp.c __tcp_close");
    rule.case("an_unread_end_of_file_does_not_turn_close_into_a_reset")
        .across(Ip::BOTH, close_unread_end);
}

async fn close_unread_end(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.close().ok().await?;
    b.kernel().reaches(State::CloseWait).await?;
    // sock_diag counts the FIN among what is unread, the ioctl does not.
    b.kernel().has_unread(1).await?;
    b.unread().await?.is(&0)?;
    b.close().ok().await?;

    b.kernel().is_gone().await?;
    a.kernel().reaches(State::TimeWait).await?;
    lab.wire().expect(fin().from("b").empty()).await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    Ok(())
}
