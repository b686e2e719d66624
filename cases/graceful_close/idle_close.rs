//! Closing an idle, fully read connection: a FIN each way, each acknowledged; who closes first
//! passes through FIN_WAIT1 and FIN_WAIT2 to TIME_WAIT, the other through CLOSE_WAIT and LAST_ACK
//! to nothing.
//! Source: RFC 9293 3.6; `net/ipv4/tcp.c` `new_state`, `__tcp_close`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["GC-01"]).source("RFC 9293 3.6; tcp.c new_state");
    rule.case("an_idle_close_waits_for_the_peer_to_close_too").claims(["B26"]).across(
        Ip::BOTH,
        |scene, ip| async move {
            four_segments(&scene, ip).await?;
            Ok(())
        },
    );
    rule.stock("an_idle_close_is_over_for_the_one_at_once_and_for_the_other_after_a_minute")
        .source("RFC 9293 3.6; tcp_minisocks.c tcp_time_wait; tcp.h TCP_TIMEWAIT_LEN")
        .waits(timers::TIME_WAIT)
        .run(a_minute);
    rule.case("a_graceful_close_passes_through_every_state")
        .claims(["B8"])
        .source("RFC 9293 3.3.2, 3.6; tcp.c new_state; tcp_input.c tcp_rcv_state_process")
        .waits(Duration::from_secs(2))
        .across(Ip::BOTH, every_state);
}

/// What is left of it, and the last segment.
async fn four_segments(scene: &Scene, ip: Ip) -> Result<(Pair, Segment)> {
    let pair = scene.pair().ip(ip).connect().await?;
    let Pair { lab, a, b, .. } = &pair;
    let established = lab.wire().mark().await?;

    a.close().ok().await?;
    a.kernel().reaches(State::FinWait2).await?;
    b.kernel().is(State::CloseWait)?;
    // What waits to be read is the FIN, and the kernel counts it as one.
    b.kernel().has_unread(1).await?;

    b.read(1).eof().await?;
    b.close().ok().await?;
    a.kernel().reaches(State::TimeWait).await?;
    b.kernel().is_gone().await?;
    let four = [
        fin().from("a").empty().seq(1),
        pure_ack().from("b").ack(2),
        fin().from("b").empty().seq(1).ack(2),
        pure_ack().from("a").ack(2),
    ];
    let last = lab.wire().exactly(established, four).await?.remove(3);
    Ok((pair, last))
}

async fn a_minute(scene: Scene) -> Result {
    let (Pair { lab, a, .. }, last) = four_segments(&scene, Ip::V4).await?;
    a.waits_out_its_minute(&last).await?;
    lab.wire().absent(&last, any()).await
}

/// The states that pass in no time, held by withholding the segment that ends them.
async fn every_state(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    let unanswered = lab.black_hole().from("b").open().await?;
    a.close().ok().await?;
    // Back already, with nothing acknowledged.
    a.kernel().is(State::FinWait1)?;
    b.kernel().reaches(State::CloseWait).await?;
    lab.wire().expect(pure_ack().from("b").ack(2).arrived(false)).await?;
    a.kernel().is(State::FinWait1)?;
    unanswered.lift().await?;
    a.kernel().reaches(State::FinWait2).await?;

    let unanswered = lab.black_hole().from("a").open().await?;
    b.close().ok().await?;
    b.kernel().is(State::LastAck)?;
    a.kernel().reaches(State::TimeWait).await?;
    lab.wire().expect(pure_ack().from("a").ack(2).arrived(false)).await?;
    b.kernel().is(State::LastAck)?;
    unanswered.lift().await?;
    b.kernel().is_gone().await?;
    a.kernel().is(State::TimeWait)?;
    Ok(())
}
