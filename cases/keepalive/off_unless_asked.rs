//! Keepalive is off unless a program asks for it, and without it silence lasts for ever. Where a
//! program asks and says no more, the host's three sysctls give the numbers.
//! Source: tcp(7); RFC 9293 3.8.4 (MUST default to off); `include/net/tcp.h`
//! `keepalive_time_when`, `keepalive_intvl_when`, `keepalive_probes`.

use lastack::prelude::*;

const QUICK: Keepalive = Keepalive::new(1, 1, 1);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-03"]);
    rule.source("tcp(7) SO_KEEPALIVE; RFC 9293 3.8.4; tcp.h keepalive_time_when");
    rule.case("without_keepalive_nothing_is_ever_asked")
        .claims(["A28"])
        .waits(2 * QUICK.end())
        .across(Ip::BOTH, never_asked);
    rule.case("keepalive_switched_off_between_two_probes_asks_no_more")
        .source("sock.c sock_setsockopt SO_KEEPALIVE; tcp_timer.c tcp_set_keepalive")
        .waits(2 * QUICK.end())
        .across(Ip::BOTH, switched_off);
    rule.case("stock_numbers_are_two_hours_75_seconds_and_nine_probes").claims(["A30"]).run(stock);
    rule.case("sysctls_give_what_the_options_leave_open")
        .waits(Duration::from_secs(4))
        .across([("all_three", None), ("all_but_the_idle_time", Some(2))], from_sysctls);
    rule.case("changed_sysctl_counts_at_once_but_moves_no_running_timer")
        .source("tcp.h keepalive_time_when; tcp_timer.c tcp_set_keepalive")
        .waits(QUICK.idle())
        .run(changed);
}

async fn never_asked(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } =
        scene.pair().ip(ip).keepalive_sysctls("a", QUICK).connect().await?;
    let start = lab.wire().mark().await?;
    a.get(option::KEEPALIVE).await?.is(&0)?;
    let read = a.read(1).blocks().await?;

    let _hole = lab.black_hole().that_may_miss().open().await?;
    let read = read.stays_blocked(2 * QUICK.end()).await?;
    lab.wire().exactly(start, []).await?;
    a.kernel().is(State::Established)?;
    b.kernel().is(State::Established)?;
    drop(read);
    Ok(())
}

async fn switched_off(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let read = a.read(1).on("reader").blocks().await?;

    let _hole = lab.black_hole().open().await?;
    a.keep_alive(QUICK).await?;
    let first = wire.expect(probe().from("a")).within(2 * QUICK.idle()).await?;
    a.set(option::KEEPALIVE, 0).ok().await?;
    let _read = read.stays_blocked(2 * QUICK.interval()).await?;
    a.kernel().is(State::Established)?;
    wire.exactly(&first, []).await?;
    Ok(())
}

async fn stock(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    for end in [&a, &b] {
        end.get(option::KEEPALIVE).await?.is(&0)?;
        end.get(option::KEEPIDLE).await?.is(&7200)?;
        end.get(option::KEEPINTVL).await?.is(&75)?;
        end.get(option::KEEPCNT).await?.is(&9)?;
    }
    Ok(())
}

async fn from_sysctls(scene: Scene, own_idle: Option<i32>) -> Result {
    let hosts = Keepalive::new(1, 1, 2);
    let Pair { lab, a, .. } = scene.pair().keepalive_sysctls("a", hosts).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;
    let keepalive = Keepalive { idle: own_idle.unwrap_or(hosts.idle), ..hosts };
    if let Some(seconds) = own_idle {
        a.set(option::KEEPIDLE, seconds).ok().await?;
    }
    a.get(option::KEEPIDLE).await?.is(&keepalive.idle)?;
    a.get(option::KEEPINTVL).await?.is(&hosts.interval)?;
    a.get(option::KEEPCNT).await?.is(&hosts.probes)?;

    let _hole = lab.black_hole().open().await?;
    let on = a.set(option::KEEPALIVE, 1).await?;
    a.read(1).errno(Errno::ETIMEDOUT).await?;
    let sent = [probe(), probe(), rst()].map(|it| it.from("a"));
    keepalive.judge_since(on.began(), &wire.exactly(start, sent).await?)
}

async fn changed(scene: Scene) -> Result {
    let Pair { lab, a, .. } = scene.pair().option_on_a(option::KEEPALIVE, 1).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;
    for name in ["time", "intvl", "probes"] {
        a.host().set_sysctl(&format!("net.ipv4.tcp_keepalive_{name}"), "1")?;
    }
    a.get(option::KEEPIDLE).await?.is(&1)?;
    a.get(option::KEEPINTVL).await?.is(&1)?;
    a.get(option::KEEPCNT).await?.is(&1)?;

    let running = a.kernel().runs(Timer::Keepalive).await?.entry.and_then(|entry| entry.timer);
    let left = running.map_or(Duration::ZERO, |(_, left, _)| left);
    check("the timer still runs for", left, more_than(Duration::from_secs(7000)))?;
    wire.never(start, any()).for_(2 * QUICK.idle()).await?;
    // Switched off and on again it is set anew.
    a.set(option::KEEPALIVE, 0).ok().await?;
    let on = a.set(option::KEEPALIVE, 1).await?;
    let first = wire.expect(probe().from("a")).within(2 * QUICK.idle()).await?;
    QUICK.judge_since(on.began(), &[first])
}
