//! SO_LINGER with time zero is honoured when a process ends, though a time above zero is not: the
//! connection is reset and what was queued is thrown away.
//! Source: `net/ipv4/tcp.c` `__tcp_close`, which asks for `SOCK_LINGER` and a zero
//! `sk_lingertime` itself; `net/ipv4/af_inet.c` `inet_release`, which asks PF_EXITING for the rest.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-04"]).claims(["A23"]);
    rule.source("tcp.c __tcp_close; af_inet.c inet_release");
    rule.case("dying_with_linger_zero_resets").across((ProcessEnd::ALL, Ip::BOTH), resets);
}

async fn resets(scene: Scene, (ending, ip): (ProcessEnd, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    b.set(option::LINGER, Linger::RESET).ok().await?;
    let read = a.read(1).blocks().await?;

    b.process.end_by(ending).await?;

    read.done().await?.errno(Errno::ECONNRESET)?;
    b.kernel().is_gone().await?;
    lab.wire().expect(rst().from("b")).await?;
    lab.wire().absent(Wire::start(), fin()).await
}
