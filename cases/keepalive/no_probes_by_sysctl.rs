//! The sysctl is not held to the option's limits: with tcp_keepalive_probes of 0 an idle connection
//! whose peer lives is ended unasked.
//! Source: `net/ipv4/sysctl_net_ipv4.c` `tcp_keepalive_probes`; `net/ipv4/tcp_timer.c`
//! `tcp_keepalive_timer`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-12"]).waits(Duration::from_secs(1));
    rule.source("sysctl_net_ipv4.c tcp_keepalive_probes; tcp_timer.c tcp_keepalive_timer");
    rule.case("no_probes_by_sysctl_end_a_live_idle_connection_unasked").across(Ip::BOTH, no_probes);
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
