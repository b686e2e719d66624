//! Keepalive finds a machine that rebooted with its first probe: the new kernel answers it with a
//! reset, and the survivor is told ECONNRESET, not ETIMEDOUT.
//! Source: RFC 1122 4.2.3.6; `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`; `net/ipv4/tcp_ipv4.c`
//! (no_tcp_socket).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["OP-05", "KA-06"]).waits(Duration::from_secs(2));
    rule.source("tcp_timer.c tcp_keepalive_timer; tcp_ipv4.c no_tcp_socket");
    rule.case("first_keepalive_probe_to_a_rebooted_machine_meets_a_reset")
        .across_on_both_kinds(Ip::BOTH, |scene, kind, ip| probed(scene, kind, ip, None))
        .stock("stock_keepalive_finds_a_rebooted_machine_after_two_hours")
        .source("tcp_timer.c tcp_keepalive_timer; tcp.h TCP_KEEPALIVE_TIME")
        .waits(Keepalive::STOCK.idle())
        .run(|scene| probed(scene, HostKind::Namespace, Ip::V4, Some(Keepalive::STOCK.idle())));
}

/// With this idle time, or one that is over soon after the machine is up again.
async fn probed(scene: Scene, kind: HostKind, ip: Ip, idle: Option<Duration>) -> Result {
    let Pair { lab, a, .. } = scene
        .pair()
        .kind("b", kind)
        .ip(ip)
        .option_on_a(option::KEEPALIVE, 1)
        .option_on_a(option::KEEPIDLE, idle.unwrap_or(Keepalive::STOCK.idle()).as_secs() as i32)
        .option_on_a(option::KEEPINTVL, 5)
        .connect()
        .await?;
    let last_heard = lab.wire().expect(syn_ack().from("b")).await?;
    let reading = a.read(1).on("reader").blocks().await?;

    lab.power_off("b").that_may_miss().now().await?.boot().await?;
    let silence = || Stamp::now().since(last_heard.at());
    let idle = idle.unwrap_or_else(|| Duration::from_secs(silence().as_secs() + 2));
    a.set(option::KEEPIDLE, idle.as_secs() as i32).ok().await?;
    if silence() > idle {
        let up = Error::mismatch("the machine", "up before the first probe", "not yet");
        let stall = stalled(last_heard.at(), Stamp::now());
        return Err(excuse(up, stall, silence() - idle));
    }

    let failed = reading.done().await?.errno(Errno::ECONNRESET)?;
    let reset = lab.wire().expect(rst().from("b")).await?;
    Window::wheel([idle], "TCP_KEEPIDLE, and the first probe")
        .judge("the reset after the last segment heard", reset.at().since(last_heard.at()))?;
    failed.returned_after(&reset)?;
    a.read(1).eof().await?;
    Ok(())
}
