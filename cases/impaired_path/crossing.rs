//! On a long path both ends may leave before either hears of the other. FINs that cross leave a
//! TIME_WAIT on both sides, by way of CLOSING; resets that cross find nobody and get no answer.
//! Source: RFC 9293 3.6 case 3, 3.10.7.1; `net/ipv4/tcp_input.c` `tcp_fin` (TCP_FIN_WAIT1).

use lastack::prelude::*;

/// One way: longer than it takes to close both.
const DELAY: Duration = Duration::from_millis(200);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IM-13"]).waits(Duration::from_secs(1));
    rule.source("RFC 9293 3.6 case 3; tcp_input.c tcp_fin");
    rule.case("fins_that_cross_leave_a_time_wait_on_both_sides").across(Ip::BOTH, fins);
    rule.case("resets_that_cross_are_not_answered")
        .source("RFC 9293 3.10.7.1; tcp_ipv4.c tcp_v4_send_reset")
        .across(Ip::BOTH, resets);
}

async fn far_apart(scene: &Scene, ip: Ip) -> Result<(Pair, Impairment)> {
    let lab = scene.lab().build().await?;
    let path = lab.impair(Netem::new().delay(DELAY)).turn_on().await?;
    Ok((scene.pair().ip(ip).connect_in(&lab).await?, path))
}

/// Whether each of the two was sent before the other arrived.
fn crossed(one: &Segment, other: &Segment) -> Result {
    let before = |one: &Segment, other: &Segment| other.arrived.is_some_and(|at| one.at() < at);
    check_that("both segments", (one, other), "each left before the other arrived", |_| {
        before(one, other) && before(other, one)
    })
}

async fn fins(scene: Scene, ip: Ip) -> Result {
    let (Pair { lab, a, b, .. }, _path) = far_apart(&scene, ip).await?;
    let wire = lab.wire();
    try_join!(a.close().ok(), b.close().ok())?;
    let (at_a, at_b) = (a.kernel(), b.kernel());
    try_join!(at_a.reaches(State::Closing), at_b.reaches(State::Closing))?;
    try_join!(at_a.reaches(State::TimeWait), at_b.reaches(State::TimeWait))?;

    let one = wire.expect(fin().from("a").arrived(true)).await?;
    let other = wire.expect(fin().from("b").arrived(true)).await?;
    crossed(&one, &other)?;
    wire.absent(Wire::start(), fin().retransmitted(true)).await?;
    wire.absent(Wire::start(), rst()).await
}

async fn resets(scene: Scene, ip: Ip) -> Result {
    let (Pair { lab, a, b, .. }, _path) = far_apart(&scene, ip).await?;
    let wire = lab.wire();
    try_join!(a.reset(), b.reset())?;
    let (at_a, at_b) = (a.kernel(), b.kernel());
    try_join!(at_a.is_gone(), at_b.is_gone())?;

    let one = wire.expect(rst().from("a").arrived(true)).await?;
    let other = wire.expect(rst().from("b").arrived(true)).await?;
    crossed(&one, &other)?;
    wire.never(Wire::start(), rst().without(Flags::ACK)).for_(DELAY).await?;
    same("resets", 2, wire.count(Wire::start(), rst()).await?)
}
