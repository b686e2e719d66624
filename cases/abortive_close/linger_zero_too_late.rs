//! Linger zero set after the close was agreed on both sides is too late: nothing is sent and
//! TIME_WAIT lives on.
//! Source: `net/ipv4/tcp.c` `__tcp_close`; `tcp_minisocks.c` `tcp_time_wait`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-08"]).source("tcp.c __tcp_close; tcp_minisocks.c tcp_time_wait");
    rule.case("linger_zero_does_not_end_a_time_wait").claims(["A10", "B30", "B68"]).across(
        Ip::BOTH,
        |scene, ip| async move {
            time_wait_stays(&scene, ip).await?;
            Ok(())
        },
    );
    rule.stock("linger_zero_leaves_time_wait_its_minute")
        .source("tcp.c __tcp_close; tcp_minisocks.c tcp_time_wait; tcp.h TCP_TIMEWAIT_LEN")
        .waits(timers::TIME_WAIT)
        .run(to_the_end);
}

async fn to_the_end(scene: Scene) -> Result {
    let Pair { lab, a, .. } = time_wait_stays(&scene, Ip::V4).await?;
    let last = lab.wire().expect(pure_ack().from("a").ack(2)).await?;
    a.waits_out_its_minute(&last).await
}

async fn time_wait_stays(scene: &Scene, ip: Ip) -> Result<Pair> {
    let pair = scene.pair().ip(ip).connect().await?;
    let Pair { lab, a, b, .. } = &pair;
    let wire = lab.wire();

    a.shut_wr().ok().await?;
    b.read(1).eof().await?;
    b.close().ok().await?;
    a.kernel().reaches(State::TimeWait).await?;
    b.kernel().is_gone().await?;
    let before = left(a)?;
    let agreed = wire.mark().await?;

    a.reset().await?;

    // It is still the same wait: its clock goes on and was not started again.
    let after = left(a)?;
    check("TIME_WAIT's clock", after, at_most(before))?;
    check("TIME_WAIT's clock", after, more_than(Duration::ZERO))?;
    wire.exactly(agreed, []).await?;
    wire.absent(Wire::start(), rst()).await?;
    Ok(pair)
}

/// What remains of its TIME_WAIT.
fn left(end: &End) -> Result<Duration> {
    let entry = end.kernel().is(State::TimeWait)?;
    let remaining = entry.timer.map(|(timer, left, _)| (timer == Timer::TimeWait, left));
    same("TIME_WAIT runs its timer", Some(true), remaining.map(|(own, _)| own))?;
    Ok(remaining.map_or(Duration::ZERO, |(_, left)| left))
}
