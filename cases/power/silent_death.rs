//! A machine that dies says nothing, and an idle survivor never learns of it: no segment, no timer,
//! no event.
//! Source: RFC 1122 4.2.3.6 (keep-alives default to off); `net/ipv4/tcp_timer.c`
//! `tcp_keepalive_timer` (only under SO_KEEPALIVE).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["OP-01"]).waits(Duration::from_secs(3));
    rule.source("RFC 1122 4.2.3.6; tcp_timer.c tcp_keepalive_timer");
    rule.case("idle_survivor_of_a_machine_never_learns_of_its_death")
        .claims(["A15", "A16", "A18", "A27"])
        .across_on_both_kinds(Death::BOTH, |scene, kind, kill| {
            idle(scene, kind, kill, Duration::from_secs(2))
        })
        .stock("idle_survivor_of_a_machine_is_none_the_wiser_after_a_day")
        .waits(timers::A_DAY)
        .run(|scene| idle(scene, HostKind::Namespace, Lab::power_off, timers::A_DAY));
    rule.case("survivor_on_the_same_cable_keeps_its_connection_without_carrier")
        .source("tcp(7); net/core/link_watch.c")
        .waits(Duration::from_secs(1))
        .on_both_kinds(without_carrier);
}

async fn idle(scene: Scene, kind: HostKind, kill: Kill, time: Duration) -> Result {
    let Pair { lab, a, .. } = scene.pair().kind("b", kind).connect().await?;
    let established = lab.wire().mark().await?;
    let waiting = a.read(1).on("reader").blocks().await?;

    let _dead = kill(&lab, "b").that_may_miss().now().await?;

    let waiting = waiting.stays_blocked(time).await?;
    let entry = a.kernel().is(State::Established)?;
    if let Some((timer, ..)) = entry.timer {
        return Err(Error::mismatch("the survivor's socket", "no timer", format!("{timer:?}")));
    }
    lab.wire().absent(established, any()).await?;
    drop(waiting);

    Ok(())
}

async fn without_carrier(scene: Scene, kind: HostKind) -> Result {
    let Pair { lab, a, .. } = scene.pair().kind("b", kind).direct().connect().await?;
    let established = lab.wire().mark().await?;

    let _dead = lab.power_off("b").that_may_miss().now().await?;

    let survivor = lab.host("a")?;
    if survivor.rtnl()?.is_operational(survivor.interface()).await? {
        return Err(Error::mismatch("a's interface", "no carrier", "carrier"));
    }
    a.kernel().stays(State::Established, Duration::from_millis(500)).await?;
    lab.wire().absent(established, any()).await
}
