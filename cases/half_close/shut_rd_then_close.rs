//! Having shut down the receiving side does not excuse from reading: data that arrives after it
//! and is left unread turns close into a reset.
//! Source: RFC 2525 2.17; `net/ipv4/tcp.c` `__tcp_close`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-06"]).claims(["B3", "B4", "B32"]);
    rule.source("RFC 2525 2.17; tcp.c __tcp_close");
    rule.case("unread_data_after_shut_rd_turns_close_into_a_reset").across(Ip::BOTH, resets);
}

async fn resets(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.shut_rd().ok().await?;
    b.write("unwanted").ok().await?;
    a.kernel().has_unread(8).await?;

    let read = b.read(100).blocks().await?;
    a.close().ok().await?;
    read.done().await?.errno(Errno::ECONNRESET)?;
    a.kernel().is_gone().await?;
    b.kernel().is_gone().await?;
    lab.wire().expect(rst().from("a")).await?;
    lab.wire().absent(Wire::start(), fin()).await?;
    Ok(())
}
