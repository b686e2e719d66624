//! Data that its own host's queue refuses is not in flight: nothing backs off, and every half
//! second it is tried again, until TCP_USER_TIMEOUT has passed since the first attempt, or, without
//! one, tcp_retries2 attempts have failed, within seconds.
//! Source: `net/ipv4/tcp_output.c` `tcp_send_probe0` (TCP_RESOURCE_PROBE_INTERVAL),
//! `tcp_check_probe_timer`; `net/ipv4/tcp_timer.c` `tcp_probe_timer`.

use lastack::prelude::*;

const RETRIES2: &str = "net.ipv4.tcp_retries2";
/// Counted before the segment leaves TCP (`tcp_output.c`, `__tcp_transmit_skb`): the queue itself
/// also refuses what IPv6 has to say now and then.
const SENT: &str = "OutSegs";

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UT-10"]).waits(Duration::from_secs(4));
    rule.source("tcp_output.c tcp_send_probe0: TCP_RESOURCE_PROBE_INTERVAL; tcp_timer.c");
    rule.case("data_refused_by_the_own_queue_ends_the_connection_after_the_user_timeout")
        .across(Ip::BOTH, user_timeout);
    rule.case("data_refused_by_the_own_queue_is_given_up_after_tcp_retries2_half_seconds")
        .across(([("three", 3)], Ip::OVER), retries);
    rule.case("data_refused_by_the_own_queue_leaves_within_half_a_second_of_there_being_room")
        .waits(Duration::from_secs(2))
        .across(Ip::BOTH, room_again);
}

async fn user_timeout(scene: Scene, ip: Ip) -> Result {
    const TIMEOUT: Duration = Duration::from_secs(3);
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let start = lab.wire().mark().await?;
    a.set(option::USER_TIMEOUT, TIMEOUT.as_millis() as i32).ok().await?;
    let rto = a.rto().await?;
    let read = a.read(1).on("reader").blocks().await?;

    let full = lab.full_queue("a").await?;
    let sent = a.host().counter(SENT)?;
    let began = lastack::Stamp::now();
    a.write("refused").ok().await?;
    // Half-way through: attempts have been made, and not one of them doubled the wait.
    a.kernel().has_unanswered_probes(3).await?;
    let info = a.info().ok().await?;
    same("in flight", 0, info.unacked())?;
    same("doublings", 0, info.backoff())?;

    let told = read.done().await?.errno(Errno::ETIMEDOUT)?;
    let waits = [rto, timers::user_timeout(TIMEOUT)];
    Window::wheel(waits, "a retransmission timeout and TCP_USER_TIMEOUT")
        .judge("the end after the write", told.ended().since(began))?;
    // The write itself, and an attempt at the start of every half second that the time has; late
    // as they are, the last may find it over.
    let most = 1 + (TIMEOUT.as_millis() / timers::RESOURCE_PROBE.as_millis()) as u64;
    let attempts = a.host().counter(SENT)? - sent;
    if !(most - 1..=most).contains(&attempts) {
        let expected = format!("{most}, or one less");
        return Err(Error::mismatch("attempts to send", expected, attempts.to_string()));
    }
    check("attempts refused", full.lift().await?, at_least(attempts))?;
    lab.wire().exactly(start, []).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn retries(scene: Scene, (retries, ip): (u32, Ip)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, retries);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let start = lab.wire().mark().await?;
    let rto = a.rto().await?;
    let read = a.read(1).on("reader").blocks().await?;

    let full = lab.full_queue("a").await?;
    let sent = a.host().counter(SENT)?;
    let began = lastack::Stamp::now();
    a.write("refused").ok().await?;
    let told = read.done().await?.errno(Errno::ETIMEDOUT)?;
    Window::wheel(timers::no_room(retries, rto), "a retransmission timeout and half seconds")
        .judge("the end after the write", told.ended().since(began))?;
    let attempts = a.host().counter(SENT)? - sent;
    same("the write and tcp_retries2 attempts", u64::from(1 + retries), attempts)?;
    check("attempts refused", full.lift().await?, at_least(attempts))?;
    lab.wire().exactly(start, []).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn room_again(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let start = lab.wire().mark().await?;

    let full = lab.full_queue("a").await?;
    a.write("at last").ok().await?;
    a.kernel().has_unanswered_probes(2).await?;
    lab.wire().exactly(start, []).await?;
    full.lift().await?;
    let room = lastack::Stamp::now();

    b.read(64).bytes(b"at last").await?;
    let first = lab.wire().expect(data().from("a")).after(start).await?;
    check_that("data", &first, "sent for the first time", |it| !it.retransmission)?;
    Window::wheel([timers::RESOURCE_PROBE], "the next attempt")
        .at_latest()
        .judge("delivered after there is room", first.at().since(room))?;
    a.kernel().is_acknowledged().await?;
    Ok(())
}
