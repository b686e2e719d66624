//! A peer that takes its window back, with data in flight, turns retransmissions into window
//! probes. While it answers them the connection lives, however small tcp_retries2 is; once it falls
//! silent twice the longest retransmission timeout ends it. TCP_USER_TIMEOUT asks for no answers:
//! it ends what makes no progress. In stock a silent peer has four minutes, not a quarter of an
//! hour.
//! Source: `net/ipv4/tcp_timer.c` `tcp_retransmit_timer` ("receiver dastardly shrinks window"),
//! `tcp_rtx_probe0_timed_out`; RFC 9293 3.8.6 (shrinking is discouraged, and must be survived).

use lastack::{PairBuilder, prelude::*};

const RETRIES2: &str = "net.ipv4.tcp_retries2";
const CAP: &str = "net.ipv4.tcp_rto_max_ms";
/// The least that the kernel takes.
const LONGEST: Duration = Duration::from_secs(1);
const AN_HOUR: Duration = Duration::from_secs(3600);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ZW-09"]).waits(Duration::from_secs(5));
    rule.source("tcp_timer.c tcp_retransmit_timer, tcp_rtx_probe0_timed_out; RFC 9293 3.8.6");
    rule.case("window_taken_back_by_a_peer_that_answers_ends_nothing")
        .needs([Need::Sysctl(CAP)])
        .across(Ip::BOTH, |scene, ip| answering(impatient_sender(&scene, ip), LONGEST));
    rule.stock("stock_window_taken_back_by_a_peer_that_answers_ends_nothing_in_an_hour")
        .waits(AN_HOUR)
        .run(|scene| answering(scene.pair(), timers::RTO_MAX));
    rule.case(
        "window_taken_back_by_a_peer_that_falls_silent_ends_after_two_of_the_longest_timeouts",
    )
    .needs([Need::Sysctl(CAP)])
    .across(Ip::BOTH, |scene, ip| silent(impatient_sender(&scene, ip), LONGEST));
    rule.stock("stock_window_taken_back_in_silence_ends_with_the_timeout_after_four_minutes")
        .waits(3 * timers::RTO_MAX)
        .run(|scene| silent(scene.pair(), timers::RTO_MAX));
    rule.case("window_taken_back_by_a_peer_that_answers_ends_after_the_user_timeout")
        .needs([Need::Sysctl(CAP)])
        .waits(Duration::from_secs(3))
        .across(Ip::BOTH, impatient);
}

/// `a`, which would give up after one retransmission were its peer's window open.
fn impatient_sender(scene: &Scene, ip: Ip) -> PairBuilder {
    scene.pair().ip(ip).sysctl("a", RETRIES2, 1).sysctl("a", CAP, LONGEST.as_millis())
}

async fn answering(pair: PairBuilder, longest: Duration) -> Result {
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let wire = lab.wire();
    let impostor = lab.impersonate(&b)?;
    let deaf = lab.black_hole().from("a").open().await?;
    let first = a.write("in flight").await?;
    let mut answered = impostor.pure_ack().seq(1).ack(1).window(0).send().await?;

    // Far more of the longest timeouts than the two that would be the end without an answer.
    let enough = if longest == LONGEST { 3 * longest } else { AN_HOUR };
    while answered.at().since(first.ended()) < enough {
        let again = data().from("a").seq(1).retransmitted(true);
        wire.expect(again).after(&answered).within(2 * longest).await?;
        answered = impostor.pure_ack().seq(1).ack(1).window(0).send().await?;
    }
    a.kernel().is(State::Established)?;

    // The window of b itself was open all the time.
    deaf.lift().await?;
    b.read(100).bytes(b"in flight").await?;
    a.kernel().is_acknowledged().await?;
    wire.absent(Wire::start(), ending()).await
}

async fn silent(pair: PairBuilder, longest: Duration) -> Result {
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let wire = lab.wire();
    let rto = a.rto().await?;
    let _deaf = lab.black_hole().from("a").open().await?;
    a.write("in flight").ok().await?;
    lab.impersonate(&b)?.pure_ack().seq(1).ack(1).window(0).send().await?;

    let told = a.read(100).await?.errno(Errno::ETIMEDOUT)?;
    let retries = wire.retries_of(&wire.expect(data().from("a")).await?).await?;
    timers::shrunk_window(rto, longest).judge(&retries, told.ended())?;
    wire.absent(Wire::start(), ending()).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn impatient(scene: Scene, ip: Ip) -> Result {
    const TIMEOUT: Duration = Duration::from_millis(700);
    let Pair { lab, a, b, .. } = impatient_sender(&scene, ip).connect().await?;
    let wire = lab.wire();
    let impostor = lab.impersonate(&b)?;
    a.set(option::USER_TIMEOUT, TIMEOUT.as_millis() as i32).ok().await?;
    let read = a.read(100).blocks().await?;
    let _deaf = lab.black_hole().from("a").open().await?;
    a.write("in flight").on("writer").ok().await?;
    let mut said = impostor.pure_ack().seq(1).ack(1).window(0).send().await?;
    // The tail loss probe, and the first timeout.
    for _ in 0..2 {
        let again = data().from("a").retransmitted(true);
        wire.expect(again).after(&said).within(LONGEST).await?;
        said = impostor.pure_ack().seq(1).ack(1).window(0).send().await?;
    }

    let told = read.done().await?.errno(Errno::ETIMEDOUT)?;
    let first = wire.first_timeout("a", Wire::start()).await?;
    Window::wheel([timers::user_timeout(TIMEOUT)], "TCP_USER_TIMEOUT")
        .judge("the end after the first timeout", told.ended().since(first.at()))?;
    b.kernel().is(State::Established)?;
    Ok(())
}
