//! TCP_USER_TIMEOUT alone does nothing on an idle connection: its clock runs only while something
//! is unacknowledged, and starts with that, however long the peer has been dead by then.
//! Source: `net/ipv4/tcp_timer.c` `retransmits_timed_out`; tcp(7).

use lastack::prelude::*;

const TIMEOUT: Duration = Duration::from_millis(500);

pub fn cases(family: &mut Family) {
    family
        .case("user_timeout_spares_the_idle_and_counts_from_the_write")
        .covers(["UT-03"])
        .source("tcp_timer.c retransmits_timed_out; tcp(7) TCP_USER_TIMEOUT")
        .waits(4 * TIMEOUT + Duration::from_secs(1))
        .across_on_both_kinds(Death::BOTH_OVER_BOTH, spares);
}

async fn spares(scene: Scene, kind: HostKind, (ip, kill): (Ip, Kill)) -> Result {
    let builder = scene.pair().kind("b", kind).ip(ip);
    let timeout = TIMEOUT.as_millis() as i32;
    let Pair { lab, a, .. } = builder.option_on_a(option::USER_TIMEOUT, timeout).connect().await?;
    let wire = lab.wire();
    let read = a.read(1).on("reader").start().await?.blocked().await?;

    let _dead = kill(&lab, "b").now().await?;
    let read = read.stays_blocked(3 * TIMEOUT).await?;
    a.kernel().is(State::Established)?;
    let start = wire.mark().await?;
    a.write("x").ok().await?;

    let read = read.done().await?.errno(Errno::ETIMEDOUT)?;
    let first = wire.first_timeout("a", start).await?;
    let window = Window::timer(timers::user_timeout(TIMEOUT), "TCP_USER_TIMEOUT");
    window.judge("the time from the first timeout was", read.ended().since(first.at()))
}
