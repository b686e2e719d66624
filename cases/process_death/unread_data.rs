//! A process that dies with received data unread resets the connection, however it dies: the
//! survivor learns ECONNRESET instead of the end of file.
//! Source: `net/ipv4/tcp.c` `__tcp_close`; RFC 1122 4.2.2.13.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-03"]).claims(["A23", "A26"]);
    rule.source("tcp.c __tcp_close; exit.c do_exit; RFC 1122 4.2.2.13");
    rule.case("dying_with_unread_data_resets").across((ProcessEnd::ALL, Ip::BOTH), resets);
}

async fn resets(scene: Scene, (ending, ip): (ProcessEnd, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.write("never read").ok().await?;
    b.kernel().has_unread(10).await?;
    let read = a.read(1).blocks().await?;

    b.process.end_by(ending).await?;

    read.done().await?.errno(Errno::ECONNRESET)?;
    b.kernel().is_gone().await?;
    lab.wire().expect(rst().from("b")).await?;
    lab.wire().absent(Wire::start(), fin()).await
}
