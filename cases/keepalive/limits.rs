//! TCP_KEEPIDLE and TCP_KEEPINTVL take 1 to 32767 seconds, TCP_KEEPCNT 1 to 127 probes; all else
//! is EINVAL and changes nothing.
//! Source: `include/net/tcp.h` `MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPINTVL`, `MAX_TCP_KEEPCNT`;
//! `net/ipv4/tcp.c` `do_tcp_setsockopt`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-12"]).waits(Duration::from_secs(1));
    rule.source("tcp.h MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT; tcp(7)");
    rule.case("keepalive_numbers_have_limits").across(Ip::BOTH, limits);
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
