//! A kernel answers window probes no more often than tcp_invalid_ratelimit says. The second probe
//! of a healthy peer's window comes too soon after the first, and counts as unanswered; with
//! tcp_retries2 of 1 that is enough to give the connection up.
//! Source: `net/ipv4/tcp_input.c` `tcp_oow_rate_limited`; `net/ipv4/tcp_timer.c`
//! `tcp_probe_timer`; `Documentation/networking/ip-sysctl.rst` tcp_invalid_ratelimit.

use lastack::prelude::*;

const RETRIES2: &str = "net.ipv4.tcp_retries2";
const RATELIMIT: &str = "net.ipv4.tcp_invalid_ratelimit";
/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ZW-02"]).waits(Duration::from_secs(2));
    rule.source("tcp_input.c tcp_oow_rate_limited; ip-sysctl tcp_invalid_ratelimit");
    rule.case("window_probes_are_answered_no_more_often_than_the_rate_limit_says")
        .across(([("none", 0), ("stock", 500), ("six_seconds", 6000)], Ip::OVER), rationed);
    rule.case("one_unanswered_probe_of_a_healthy_peer_can_be_too_many")
        .source("tcp_timer.c tcp_probe_timer: icsk_probes_out; ip-sysctl tcp_invalid_ratelimit")
        .across(Ip::BOTH, too_many);
}

async fn rationed(scene: Scene, (limit, ip): (u64, Ip)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("b", RATELIMIT, limit).small_window_at_b();
    let pair = pair.connect().await?;
    let closed = pair.close_window(MUCH).await?;
    let wire = pair.wire();

    let (ask, answer) = (probe().from("a").arrived(true), pure_ack().from("b").window(0));
    let within = Duration::from_secs(2);
    let first = wire.expect(ask.clone()).after(&closed).within(within).await?;
    wire.expect(answer.clone()).after(&first).await?;
    let second = wire.expect(ask.clone()).after(&first).within(within).await?;
    let third = wire.expect(ask).after(&second).within(within).await?;

    let (limit, distance) = (Duration::from_millis(limit), second.at().since(first.at()));
    if distance.abs_diff(limit) < timers::JIFFY_AT_MOST {
        return Err(Error::too_slow(format!("the second probe came {distance:?} after the first")));
    }
    let answers = wire
        .segments()
        .into_iter()
        .filter(|it| answer.matches(it) && it.index > second.index && it.index < third.index);
    same("answers to the second probe", usize::from(distance > limit), answers.count())
}

async fn too_many(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, 1).small_window_at_b();
    let pair = pair.connect().await?;
    let closed = pair.close_window(MUCH).await?;
    let Pair { lab, a, b, .. } = pair;
    let wire = lab.wire();
    let rto = a.rto().await?;

    let told = a.read(100).await?.errno(Errno::ETIMEDOUT)?;

    // b answered, and got every probe.
    wire.expect(pure_ack().from("b").window(0)).after(&closed).await?;
    wire.absent(&closed, any().arrived(false)).await?;
    let last = wire.segments().into_iter().rfind(|it| it.probe);
    let last = last.ok_or_else(|| Error::usage("no probe"))?;
    let gap = timers::window_probe_gap(1, 1, rto, timers::RTO_MAX);
    let window = Window::wheel([gap], "one unanswered probe and one wait");
    window.judge("the end after the last probe", told.ended().since(last.at()))?;
    wire.absent(&last, any()).await?;
    wire.absent(Wire::start(), ending()).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}
