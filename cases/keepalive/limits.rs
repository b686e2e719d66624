//! TCP_KEEPIDLE and TCP_KEEPINTVL take 1 to 32767 seconds, TCP_KEEPCNT 1 to 127 probes; all else
//! is EINVAL and changes nothing. The sysctls are not held to that: no probes at all means that an
//! idle connection ends unasked. What a listener is told, its accepted sockets inherit.
//! Source: `include/net/tcp.h` `MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPINTVL`, `MAX_TCP_KEEPCNT`;
//! `net/ipv4/tcp.c` `do_tcp_setsockopt`; `net/core/sock.c` `sk_clone_lock`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-12"]).waits(Duration::from_secs(1));
    rule.source("tcp.h MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT; tcp(7)");
    rule.case("keepalive_numbers_have_limits").across(Ip::BOTH, limits);
    rule.case("no_probes_by_sysctl_end_a_live_idle_connection_unasked")
        .source("sysctl_net_ipv4.c tcp_keepalive_probes; tcp_timer.c tcp_keepalive_timer")
        .across(Ip::BOTH, no_probes);
    rule.case("accepted_socket_inherits_keepalive_and_acts_on_it")
        .source("sock.c sk_clone_lock; tcp_minisocks.c tcp_create_openreq_child; accept(2)")
        .waits(Duration::from_secs(3))
        .across(Ip::BOTH, inherited);
}

async fn limits(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, listener, .. } = scene.pair().ip(ip).connect().await?;
    let host = a.host().clone();
    let fresh = a.process.socket(host.address(ip, PORT)).ok().await?;
    for socket in [&a as &Socket, &b, &listener, &fresh] {
        for (option, highest) in
            [(option::KEEPIDLE, 32767), (option::KEEPINTVL, 32767), (option::KEEPCNT, 127)]
        {
            for accepted in [1, highest] {
                socket.set(option, accepted).ok().await?;
                socket.get(option).await?.is(&accepted)?;
            }
            for refused in [0, -1, highest + 1, i32::MIN, i32::MAX] {
                socket.set(option, refused).errno(Errno::EINVAL).await?;
            }
            socket.get(option).await?.is(&highest)?;
        }
    }
    Ok(())
}

async fn no_probes(scene: Scene, ip: Ip) -> Result {
    let unasked = Keepalive::new(1, 1, 0);
    let builder = scene.pair().ip(ip).keepalive_sysctls("a", unasked);
    let Pair { lab, a, b, .. } = builder.option_on_a(option::KEEPALIVE, 1).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;
    a.get(option::KEEPCNT).await?.is(&0)?;

    a.read(1).errno(Errno::ETIMEDOUT).await?;
    b.read(1).errno(Errno::ECONNRESET).await?;
    let end = rst().from("a").flags(Flags::ACK).arrived(true);
    unasked.judge(&wire.expect(syn_ack()).await?, &wire.exactly(start, [end]).await?)
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
