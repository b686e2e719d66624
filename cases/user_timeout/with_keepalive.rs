//! With keepalive, TCP_USER_TIMEOUT takes the place of the number of probes: an idle connection
//! ends when the next probe is due, one at least is out unanswered, and the silence has lasted
//! that long. A peer that answers is safe, however short the time.
//! Source: `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`; tcp(7) TCP_USER_TIMEOUT.

use lastack::prelude::*;

/// Keepalive with its user timeout.
#[derive(Clone, Copy)]
struct Setting {
    keepalive: Keepalive,
    milliseconds: i32,
}

const fn setting(keepalive: Keepalive, milliseconds: i32) -> Setting {
    Setting { keepalive, milliseconds }
}

/// A little less than a moment at which a probe is due: no timer is early, so that is the first
/// one that finds the user timeout over.
const JUST_BELOW: i32 = 100;

const SHORTER_THAN_IDLE: Setting = setting(Keepalive::new(2, 2, 3), 500);
const SHORTER: Setting = setting(Keepalive::new(2, 1, 5), 4000 - JUST_BELOW);
const LONGER: Setting = setting(Keepalive::new(2, 1, 1), 5000 - JUST_BELOW);
const OVER_BETWEEN_PROBES: Setting = setting(Keepalive::new(2, 2, 9), 2500);
/// As recommended: the number of probes keeps its meaning.
const SUM: Setting = setting(Keepalive::new(2, 1, 2), 4000 - JUST_BELOW);

pub fn cases(family: &mut Family) {
    let settings = [
        ("shorter_than_the_idle_time", SHORTER_THAN_IDLE),
        ("shorter_than_keepalive", SHORTER),
        ("longer_than_keepalive", LONGER),
    ];
    let rule = family.rule(["UT-04"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_keepalive_timer; tcp(7) TCP_USER_TIMEOUT");
    rule.case("user_timeout_takes_the_place_of_the_number_of_probes")
        .claims(["A33"])
        .waits(Duration::from_secs(5))
        .across((settings, Ip::OVER).but(["shorter_than_the_idle_time_over_ipv6"]), ends);
    rule.case("user_timeout_takes_the_place_of_the_number_of_probes_to_a_dead_machine")
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
    rule.case("user_timeout_just_below_keepalives_sum_changes_nothing")
        .covers(["UT-11"])
        .waits(SUM.keepalive.end())
        .across(Ip::BOTH, |scene, ip| ends(scene, (SUM, ip)));
    rule.case("peer_that_answers_probes_is_safe_from_any_user_timeout").across(Ip::BOTH, safe);
    rule.case("user_timeout_that_is_over_counts_when_the_next_probe_is_due")
        .across(([("peer_back_in_silence", false), ("peer_speaks_in_time", true)], Ip::OVER), back);
}

async fn ends(scene: Scene, (setting, ip): (Setting, Ip)) -> Result {
    let builder = scene.pair().ip(ip).option_on_a(option::USER_TIMEOUT, setting.milliseconds);
    let Pair { lab, a, b, .. } = builder.keepalive_on_a(setting.keepalive).connect().await?;
    let start = lab.wire().mark().await?;

    let _hole = lab.black_hole().open().await?;
    let heard = lab.wire().expect(syn_ack()).await?;
    gives_up(lab.wire(), &a, (start, heard.arrived.unwrap_or(heard.at())), setting).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
    let setting = SHORTER_THAN_IDLE;
    let builder =
        scene.pair().kind("b", kind).ip(ip).option_on_a(option::USER_TIMEOUT, setting.milliseconds);
    let Pair { lab, a, .. } = builder.connect().await?;
    let start = lab.wire().mark().await?;

    let _dead = kill(&lab, "b").now().await?;
    let on = a.keep_alive(setting.keepalive).await?;
    gives_up(lab.wire(), &a, (start, on.began()), setting).await
}

/// An idle connection into a silence, counted from `since`: so many probes, and the reset where
/// the next is due.
async fn gives_up(
    wire: &Wire,
    a: &End,
    (start, since): (Mark, Stamp),
    Setting { keepalive, milliseconds }: Setting,
) -> Result {
    a.read(1).errno(Errno::ETIMEDOUT).await?;

    let timeout = Duration::from_millis(milliseconds as u64);
    let (idle, interval) = (keepalive.idle(), keepalive.interval());
    let probes = timers::keepalive_user_timeout(idle, interval, timeout);
    let probe = probe().from("a").seq(0).payload(0);
    let mut expected = vec![probe; probes as usize];
    expected.push(rst().from("a").flags(Flags::ACK));
    let sent = wire.exactly(start, expected).await?;
    keepalive.judge_since(since, &sent)?;
    let lasted = sent[probes as usize].at().since(since);
    let waits = [idle].into_iter().chain(vec![interval; probes as usize]);
    Window::wheel(waits, "the first probe due after the user timeout").judge("it lasted", lasted)
}

async fn safe(scene: Scene, ip: Ip) -> Result {
    let builder = scene.pair().ip(ip).option_on_a(option::USER_TIMEOUT, 1);
    let Pair { lab, a, .. } = builder.keepalive_on_a(Keepalive::new(1, 1, 1)).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;

    let question = probe().from("a").arrived(true);
    let answer = pure_ack().from("b").arrived(true);
    let rounds = vec![[question, answer]; 3].concat();
    wire.in_order(start, rounds.clone(), Duration::from_secs(6)).await?;
    wire.exactly(start, rounds).await?;
    a.kernel().is(State::Established)?;
    Ok(())
}

async fn back(scene: Scene, (speaks, ip): (bool, Ip)) -> Result {
    let Setting { keepalive, milliseconds } = OVER_BETWEEN_PROBES;
    let timeout = Duration::from_millis(milliseconds as u64);
    let builder = scene.pair().ip(ip).option_on_a(option::USER_TIMEOUT, milliseconds);
    let Pair { lab, a, b, .. } = builder.keepalive_on_a(keepalive).connect().await?;
    let wire = lab.wire();
    let (start, heard) = (wire.mark().await?, wire.expect(syn_ack()).await?);

    let hole = lab.black_hole().open().await?;
    let lost = probe().from("a").arrived(false);
    wire.expect(lost).after(start).within(2 * keepalive.idle()).await?;
    a.kernel().stays(State::Established, timeout - keepalive.idle()).await?;
    hole.lift().await?;
    if !speaks {
        a.read(1).errno(Errno::ETIMEDOUT).await?;
        let sent = wire.exactly(start, [probe(), rst().from("a").arrived(true)]).await?;
        keepalive.judge(&heard, &sent)?;
        b.read(1).errno(Errno::ECONNRESET).await?;
        return Ok(());
    }

    b.write("x").ok().await?;
    a.read(1).bytes(b"x").await?;
    let said = wire.expect(data().from("b")).await?;
    check("the silence before", said.at().since(heard.at()), more_than(timeout))?;
    // An interval after the lost probe it would have ended; the silence is counted anew.
    let next = probe().from("a").arrived(true);
    let next = wire.expect(next).after(&said).within(2 * keepalive.idle()).await?;
    keepalive.judge(&said, &[next])?;
    a.kernel().has_unanswered_probes(0).await?;
    wire.absent(start, rst()).await
}
