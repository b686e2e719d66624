//! TCP_USER_TIMEOUT alone does nothing on an idle connection: its clock runs only while something
//! is unacknowledged, and starts with that, however long the peer has been dead by then.
//! Source: `net/ipv4/tcp_timer.c` `retransmits_timed_out`; tcp(7).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UT-03"]).waits(Duration::from_secs(3));
    rule.source("tcp_timer.c retransmits_timed_out; tcp(7) TCP_USER_TIMEOUT");
    rule.case("user_timeout_spares_the_idle_and_counts_from_the_write")
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), |scene, kind, death| {
            let timeout = Duration::from_secs(1);
            spares(scene, kind, death, (timeout, 2 * timeout))
        })
        .stock("user_timeout_of_half_a_minute_spares_the_idle_for_a_day")
        .waits(timers::A_DAY)
        .run(|scene| {
            let times = (Duration::from_secs(30), timers::A_DAY);
            spares(scene, HostKind::Namespace, (Lab::power_off, Ip::V4), times)
        });
}

/// With this user timeout, when the connection has been idle for so long.
async fn spares(
    scene: Scene,
    kind: HostKind,
    (kill, ip): (Kill, Ip),
    (timeout, idle): (Duration, Duration),
) -> Result {
    let pair = scene.pair().kind("b", kind).ip(ip);
    let pair = pair.option_on_a(option::USER_TIMEOUT, timeout.as_millis() as i32);
    let Pair { lab, a, .. } = pair.connect().await?;
    let wire = lab.wire();
    let read = a.read(1).on("reader").blocks().await?;

    let _dead = kill(&lab, "b").now().await?;
    let read = read.stays_blocked(idle).await?;
    a.kernel().is(State::Established)?;
    let start = wire.mark().await?;
    a.write("x").ok().await?;

    let read = read.done().await?.errno(Errno::ETIMEDOUT)?;
    let first = wire.first_timeout("a", start).await?;
    let window = Window::wheel([timers::user_timeout(timeout)], "TCP_USER_TIMEOUT");
    window.judge("the time from the first timeout was", read.ended().since(first.at()))
}
