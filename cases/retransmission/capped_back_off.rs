//! A cap on the back-off shortens the time that tcp_retries2 stands for: beyond the cap it grows
//! by the cap, where it would have doubled. Before Linux 6.15 there is none, and who asks for one is
//! told so.
//! Source: `Documentation/networking/ip-sysctl.rst` tcp_rto_max_ms; tcp(7);
//! `net/ipv4/tcp_timer.c` `tcp_model_timeout`, `tcp_retransmit_timer`.

use lastack::prelude::*;

const RETRIES2: &str = "net.ipv4.tcp_retries2";
const CAP: &str = "net.ipv4.tcp_rto_max_ms";
/// The least that the kernel takes.
const CAP_MS: u32 = 1000;
/// 6.2 s without the cap, 3.4 s with it.
const RETRIES: u32 = 4;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["RT-04"]);
    rule.source("tcp_timer.c tcp_model_timeout, tcp_retransmit_timer; ip-sysctl tcp_rto_max_ms");
    rule.case("capped_back_off_shortens_the_time_that_tcp_retries2_stands_for")
        .needs([Need::Sysctl(CAP)])
        .waits(Duration::from_secs(5))
        .across(([("by_sysctl", true), ("by_option", false)], Ip::OVER), dies_sooner);
    rule.case("cap_on_the_back_off_is_a_second_at_least_and_two_minutes_at_most")
        .source("tcp.c do_tcp_setsockopt (TCP_RTO_MAX_MS); sysctl_net_ipv4.c tcp_rto_max_ms")
        .needs([Need::Kernel(6, 15)])
        .run(limits);
    rule.case("back_off_has_no_cap_before_linux_6_15")
        .source("tcp.c do_tcp_setsockopt; tcp_timer.c tcp_model_timeout (Linux 6.14)")
        .needs([Need::Before(6, 15)])
        .waits(Duration::from_secs(8))
        .across(Ip::BOTH, uncapped);
}

async fn dies_sooner(scene: Scene, (by_sysctl, ip): (bool, Ip)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, RETRIES);
    let pair = match by_sysctl {
        true => pair.sysctl("a", CAP, CAP_MS),
        false => pair.option_on_a(option::RTO_MAX_MS, CAP_MS as i32),
    };
    let pair = pair.connect().await?;
    let cap = Duration::from_millis(CAP_MS.into());

    let _silence = pair.lab.black_hole().open().await?;
    let unacknowledged = pair.write_unacknowledged(Errno::ETIMEDOUT).await?;
    let Unacknowledged { retries, rto, .. } = &unacknowledged;
    for (n, two) in (1..).zip(retries.timeouts.windows(2)) {
        let due = Window::wheel([timers::rto_gap(n, *rto, cap)], "doubling up to the cap");
        due.judge(&format!("the wait after timeout {n}"), two[1].at().since(two[0].at()))?;
    }
    unacknowledged.judge(&timers::give_up(RETRIES, *rto, cap))?;
    pair.wire().absent(Wire::start(), ending()).await
}

async fn limits(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let a = lab.host("a")?;
    let socket = a.process().await?.socket(a.address(Ip::V4, PORT)).ok().await?;
    for possible in [1000, 120_000] {
        a.set_sysctl(CAP, &possible.to_string())?;
        socket.set(option::RTO_MAX_MS, possible).ok().await?;
        socket.get(option::RTO_MAX_MS).await?.is(&possible)?;
    }
    for impossible in [0, 999, 120_001] {
        refused("the sysctl", a.set_sysctl(CAP, &impossible.to_string()), Errno::EINVAL)?;
        socket.set(option::RTO_MAX_MS, impossible).errno(Errno::EINVAL).await?;
    }
    Ok(())
}

async fn uncapped(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, RETRIES).connect().await?;
    refused("the sysctl", pair.a.host().set_sysctl(CAP, &CAP_MS.to_string()), Errno::ENOENT)?;
    pair.a.set(option::RTO_MAX_MS, CAP_MS as i32).errno(Errno::ENOPROTOOPT).await?;
    pair.a.get(option::RTO_MAX_MS).errno(Errno::ENOPROTOOPT).await?;

    let _silence = pair.lab.black_hole().open().await?;
    let unacknowledged = pair.write_unacknowledged(Errno::ETIMEDOUT).await?;
    unacknowledged.judge(&GiveUp::of(RETRIES, unacknowledged.rto))?;
    pair.wire().absent(Wire::start(), ending()).await
}
