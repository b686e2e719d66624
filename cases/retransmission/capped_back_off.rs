//! A cap on the back-off shortens the time that tcp_retries2 stands for: beyond the cap it grows
//! by the cap, where it would have doubled.
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
    family
        .case("capped_back_off_shortens_the_time_that_tcp_retries2_stands_for")
        .covers(["RT-04"])
        .source("tcp_timer.c tcp_model_timeout, tcp_retransmit_timer; ip-sysctl tcp_rto_max_ms")
        .needs([Need::Sysctl(CAP)])
        .waits(Duration::from_secs(5))
        .across(
            [
                ("by_sysctl", (Ip::V4, true)),
                ("by_sysctl_over_ipv6", (Ip::V6, true)),
                ("by_option", (Ip::V4, false)),
                ("by_option_over_ipv6", (Ip::V6, false)),
            ],
            dies_sooner,
        );
}

async fn dies_sooner(scene: Scene, (ip, by_sysctl): (Ip, bool)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, RETRIES);
    let pair = match by_sysctl {
        true => pair.sysctl("a", CAP, CAP_MS),
        false => pair.option_on_a(option::RTO_MAX_MS, CAP_MS as i32),
    };
    let pair = pair.connect().await?;
    let cap = Duration::from_millis(CAP_MS.into());

    let _silence = pair.lab.black_hole().open().await?;
    let in_vain = pair.write_in_vain(Errno::ETIMEDOUT).await?;
    let InVain { retries, rto, .. } = &in_vain;
    for (n, two) in (1..).zip(retries.timeouts.windows(2)) {
        let due = Window::timer(timers::rto_gap(n, *rto, cap), "doubling up to the cap");
        due.judge(&format!("the wait after timeout {n}"), two[1].at().since(two[0].at()))?;
    }
    in_vain.judge(&timers::give_up(RETRIES, *rto, cap))?;
    pair.wire().absent(Wire::start(), ending()).await
}
