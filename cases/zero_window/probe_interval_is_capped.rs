//! tcp_retries2 also says how often the wait between window probes may double: with a small value
//! a closed window is asked after more often, and the connection lives on all the same.
//! Source: `net/ipv4/tcp_output.c` `tcp_send_probe0` (`icsk_backoff`).

use lastack::prelude::*;

const RETRIES2: &str = "net.ipv4.tcp_retries2";
const RETRIES: u32 = 2;
/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ZW-04"]).waits(Duration::from_secs(4));
    rule.source("tcp_output.c tcp_send_probe0");
    rule.case("small_tcp_retries2_caps_the_wait_between_window_probes").across(Ip::BOTH, capped);
}

async fn capped(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, RETRIES).small_window_at_b();
    let pair = pair.connect().await?;
    let closed = pair.close_window(MUCH).await?;
    let Pair { lab, a, .. } = pair;
    let wire = lab.wire();
    let rto = a.rto().await?;

    let mut last = wire.expect(probe().from("a")).after(&closed).await?;
    for n in 1..=4 {
        let gap = timers::window_probe_gap(n, RETRIES, rto, timers::RTO_MAX);
        let next = wire.expect(probe().from("a")).after(&last).within(gap * 2).await?;
        let window = Window::wheel([gap], "tcpi_rto, doubled tcp_retries2 times at most");
        window.judge(&format!("the wait after probe {n}"), next.at().since(last.at()))?;
        last = next;
    }
    a.kernel().is(State::Established)?;
    Ok(())
}
