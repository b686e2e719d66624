//! An orphan behind a closed window asks on, and is answered, but not without end as its owner
//! would: once the wait for the next probe has reached the longest there is, it is dropped without a
//! word, with all that the reader never got. tcp_orphan_retries can only put that off.
//! Source: `net/ipv4/tcp_timer.c` `tcp_probe_timer` (SOCK_DEAD), `tcp_orphan_retries` (alive);
//! `net/ipv4/tcp_output.c` `tcp_send_probe0`.

use lastack::prelude::*;

/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ZW-01b"]).needs([Need::VirtualTime]).waits(Duration::from_secs(600));
    rule.source("tcp_timer.c tcp_probe_timer, tcp_orphan_retries; tcp_output.c tcp_send_probe0");
    rule.case("orphan_behind_a_closed_window_is_dropped_after_minutes").across(
        [("stock_ipv4", (Ip::V4, 0)), ("stock_ipv6", (Ip::V6, 0)), ("more_retries", (Ip::V4, 12))],
        dropped,
    );
}

async fn dropped(scene: Scene, (ip, retries): (Ip, u32)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_orphan_retries", retries);
    let pair = pair.small_window_at_b();
    let pair = pair.connect().await?;
    let closed = pair.close_window(MUCH).await?;
    let Pair { lab, a, b, .. } = pair;
    let wire = lab.wire();
    let rto = a.rto().await?;

    a.close().ok().await?;
    a.kernel().is(State::FinWait1)?;
    let gone = a.kernel().runs_out_within(Duration::from_secs(1000)).await?;

    let probes = timers::orphaned_window_probes(retries, rto, timers::RTO_MAX);
    let all = vec![probe().from("a").arrived(true); probes as usize];
    let sent = wire.exactly(&closed, all).among(any().from("a")).await?;
    let wait = |n: u32| timers::window_probe_gap(n, u32::MAX, rto, timers::RTO_MAX);
    for (pair, n) in sent.windows(2).zip(1..) {
        let window = Window::wheel([wait(n)], "tcpi_rto, doubled with each probe");
        window.judge("the next probe came", pair[1].at().since(pair[0].at()))?;
    }
    let window = Window::wheel([wait(probes)], "the wait that is the longest there is");
    gone.judge("the orphan was dropped", &window, sent[sent.len() - 1].at())?;
    wire.absent(Wire::start(), ending()).await?;

    // The reader waits for the rest, and for nobody.
    let survivor = b.kernel().is(State::Established)?;
    same("timer of the reader", None, survivor.timer)?;
    b.write("go on").ok().await?;
    wire.expect(rst().from("a")).await?;
    Ok(())
}
