//! A process that hangs is not dead to TCP: its kernel acknowledges data and answers keepalive
//! for it, so no timeout ever comes. What the peer notices, if it sends enough, is a window that
//! closes.
//! Source: `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`; `net/ipv4/tcp_output.c`
//! `__tcp_select_window`; RFC 9293 3.8.4, 3.8.6.

use lastack::prelude::*;

/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-17"]).waits(Duration::from_secs(4));
    rule.source(
        "tcp_timer.c tcp_keepalive_timer; tcp_output.c __tcp_select_window; RFC 9293 3.8.4",
    );
    rule.case("kernel_of_a_hung_process_answers_for_it").across(Ip::BOTH, hangs);
    rule.stock("kernel_of_a_hung_process_answers_for_it_for_a_day")
        .source("tcp_timer.c tcp_keepalive_timer, tcp_probe_timer; RFC 9293 3.8.4, 3.8.6")
        .waits(timers::A_DAY)
        .run(hangs_for_a_day);
}

async fn hangs(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).small_window_at_b().connect().await?;
    let wire = lab.wire();
    // One unanswered probe would be the end, two seconds from now.
    for option in [option::KEEPIDLE, option::KEEPINTVL, option::KEEPCNT, option::KEEPALIVE] {
        a.set(option, 1).ok().await?;
    }
    let read = b.read_until(MUCH.into()).blocks().await?;
    b.process.stop().await?;
    let stopped = wire.mark().await?;

    let probe = || probe().from("a");
    let answer = || pure_ack().from("b");
    let three = [probe(), answer(), probe(), answer(), probe(), answer()];
    wire.in_order(stopped, three, Duration::from_secs(6)).await?;
    a.kernel().is(State::Established)?;

    a.write_pattern(MUCH).await?.is(&(MUCH as usize))?;
    a.kernel().probes_the_window().await?;
    wire.expect(any().from("b").window(0)).after(stopped).await?;

    b.process.resume()?;
    read.done().await?.whole(MUCH.into())?;
    a.kernel().is(State::Established)?;
    wire.absent(stopped, rst()).await
}

/// Half of the day only keepalive asks, once in two hours; the other half the window is closed.
async fn hangs_for_a_day(scene: Scene) -> Result {
    let pair = scene.pair().small_window_at_b().option_on_a(option::KEEPALIVE, 1).connect().await?;
    let read = pair.b.read_until(MUCH.into()).blocks().await?;
    pair.b.process.stop().await?;
    let stopped = pair.wire().mark().await?;

    let two_hours = [probe().from("a").arrived(true), pure_ack().from("b").arrived(true)];
    pair.wire().exactly(stopped, vec![two_hours; 6].concat()).within(timers::A_DAY).await?;

    let closed = pair.close_window(MUCH).await?;
    let Pair { lab, a, b, .. } = pair;
    lab.wire().never(&closed, ending()).for_(timers::A_DAY / 2).await?;
    a.kernel().is(State::Established)?;
    a.kernel().has_unanswered_probes(0).await?;

    b.process.resume()?;
    read.done().await?.whole(MUCH.into())?;
    a.kernel().is(State::Established)?;
    lab.wire().absent(stopped, ending()).await
}
