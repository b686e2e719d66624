//! A peer that has fallen silent is probed TCP_KEEPCNT times, TCP_KEEPINTVL apart, once
//! TCP_KEEPIDLE has passed; an interval after the last probe the connection ends with ETIMEDOUT
//! and a reset, which only reaches the peer if the way there is open.
//! Source: `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`; tcp(7); RFC 9293 3.8.4.

use lastack::prelude::*;

const KEEPALIVE: Keepalive = Keepalive::new(1, 1, 2);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-01"]).claims(["A30"]).waits(KEEPALIVE.end());
    rule.source("tcp_timer.c tcp_keepalive_timer; tcp(7) TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT");
    rule.case("silent_peer_is_given_up_after_the_last_probe").across(
        [
            ("ipv4", (Ip::V4, None)),
            ("ipv6", (Ip::V6, None)),
            ("questions_lost", (Ip::V4, Some("a"))),
            ("answers_lost", (Ip::V4, Some("b"))),
            ("answers_lost_over_ipv6", (Ip::V6, Some("b"))),
        ],
        given_up,
    );
    rule.case("dead_machine_is_given_up_after_the_last_probe")
        .claims([])
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
    rule.case("keepalive_wakes_whatever_waits").claims([]).across(Ip::BOTH, wakes);
    rule.stock("stock_keepalive_gives_a_silent_peer_up_after_two_hours_and_eleven_minutes")
        .source("tcp_timer.c tcp_keepalive_timer; tcp.h TCP_KEEPALIVE_TIME, _INTVL, _PROBES")
        .waits(Keepalive::STOCK.end())
        .across(Ip::BOTH, |scene, ip| dies(scene, ip, None, None));
}

async fn given_up(scene: Scene, (ip, only_from): (Ip, Option<&'static str>)) -> Result {
    dies(scene, ip, only_from, Some(KEEPALIVE)).await
}

/// Falls silent, in both directions or in one, on a socket with these numbers, or the stock ones.
async fn dies(
    scene: Scene,
    ip: Ip,
    only_from: Option<&'static str>,
    tuned: Option<Keepalive>,
) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;

    let _hole = match only_from {
        None => lab.black_hole().open().await?,
        Some(host) => lab.black_hole().from(host).open().await?,
    };
    let probes = gives_up(wire, &a, start, tuned).await?;
    if only_from == Some("b") {
        // Every probe was heard and answered, and the reset is heard as well.
        b.read(1).errno(Errno::ECONNRESET).await?;
        same("answers", probes, wire.count(start, pure_ack().from("b").arrived(false)).await?)
    } else {
        b.kernel().is(State::Established)?;
        wire.absent(start, any().from("b")).await
    }
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
    let Pair { lab, a, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;

    let dead = kill(&lab, "b").now().await?;
    let probes = gives_up(wire, &a, start, Some(KEEPALIVE)).await?;
    same("sent in vain", probes + 1, dead.sent_unacknowledged().await?.len())?;
    wire.absent(start, any().from("b")).await
}

/// Probes, an interval apart, and the reset: all that is sent, and the end for who reads. How
/// many probes there were.
async fn gives_up(wire: &Wire, a: &End, start: Mark, tuned: Option<Keepalive>) -> Result<usize> {
    let on = match tuned {
        Some(keepalive) => a.keep_alive(keepalive).await?,
        None => a.set(option::KEEPALIVE, 1).await?.succeeds()?,
    };
    let keepalive = tuned.unwrap_or(Keepalive::STOCK);
    let told = a.read(1).errno(Errno::ETIMEDOUT).await?;
    keepalive.end_window().judge("ETIMEDOUT came after", told.ended().since(on.began()))?;

    let probes = keepalive.probes as usize;
    let probe = probe().from("a").seq(0).payload(0);
    let end = rst().from("a").flags(Flags::ACK).seq(1);
    let all = std::iter::repeat_n(probe, probes).chain([end]);
    let sent = wire.exactly(start, all).among(any().from("a")).await?;
    keepalive.judge_since(on.began(), &sent)?;
    a.read(1).eof().await?;
    a.kernel().is_gone().await?;
    Ok(probes)
}

async fn wakes(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let ended = Events::ALL | Events::ERR | Events::HUP;

    let _hole = lab.black_hole().open().await?;
    let poll = a.poll(Events::IN, None).on("poller").blocks().await?;
    let on = a.keep_alive(KEEPALIVE).await?;
    let epoll = a.epoll(Events::RDHUP, None).on("epoller").blocks().await?;

    let woken = poll.done().await?.is(&(Events::IN | Events::ERR | Events::HUP))?;
    let after = woken.ended().since(on.began());
    KEEPALIVE.end_window().judge("the poller was woken after", after)?;
    epoll.done().await?.is(&(Events::RDHUP | Events::ERR | Events::HUP))?;
    a.poll(Events::ALL, None).await?.is(&ended)?;
    a.write("x").errno(Errno::ETIMEDOUT).await?.without_signal()?;
    a.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;
    a.get(option::ERROR).await?.is(&0)?;
    Ok(())
}
