//! What a listener is told of keepalive, its accepted sockets inherit, and act on.
//! Source: `net/core/sock.c` `sk_clone_lock`; `net/ipv4/tcp_minisocks.c`
//! `tcp_create_openreq_child`; accept(2).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-12"]).waits(Duration::from_secs(3));
    rule.source("sock.c sk_clone_lock; tcp_minisocks.c tcp_create_openreq_child; accept(2)");
    rule.case("accepted_socket_inherits_keepalive_and_acts_on_it").across(Ip::BOTH, inherited);
}

async fn inherited(scene: Scene, ip: Ip) -> Result {
    let keepalive = Keepalive::new(2, 1, 1);
    let builder = scene.pair().ip(ip).keepalive_on_listener(keepalive);
    let Pair { lab, a, b, .. } = builder.connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;
    for (option, value) in [
        (option::KEEPALIVE, 1),
        (option::KEEPIDLE, keepalive.idle),
        (option::KEEPINTVL, keepalive.interval),
        (option::KEEPCNT, keepalive.probes),
    ] {
        b.get(option).await?.is(&value)?;
    }
    a.get(option::KEEPALIVE).await?.is(&0)?;

    let _hole = lab.black_hole().open().await?;
    b.read(1).errno(Errno::ETIMEDOUT).await?;
    let sent = wire.exactly(start, [probe(), rst()].map(|it| it.from("b"))).await?;
    // What it heard last is the end of the handshake.
    let heard = wire.expect(pure_ack().from("a").ack(1)).await?;
    keepalive.judge(&heard, &sent)?;
    a.kernel().is(State::Established)?;
    Ok(())
}
