//! A peer that has fallen silent is probed TCP_KEEPCNT times, TCP_KEEPINTVL apart, once
//! TCP_KEEPIDLE has passed; an interval after the last probe the connection ends with ETIMEDOUT
//! and a reset, which only reaches the peer if the way there is open.
//! Source: `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`; tcp(7); RFC 9293 3.8.4.

use lastack::prelude::*;

const KEEPALIVE: Keepalive = Keepalive::new(1, 1, 2);

pub fn cases(family: &mut Family) {
    let source = "tcp_timer.c tcp_keepalive_timer; tcp(7) TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT";
    family
        .case("silent_peer_is_given_up_after_the_last_probe")
        .covers(["KA-01"])
        .claims(["A30"])
        .source(source)
        .waits(KEEPALIVE.end())
        .across(
            [
                ("ipv4", (Ip::V4, None)),
                ("ipv6", (Ip::V6, None)),
                ("questions_lost", (Ip::V4, Some("a"))),
                ("answers_lost", (Ip::V4, Some("b"))),
                ("answers_lost_over_ipv6", (Ip::V6, Some("b"))),
            ],
            given_up,
        );
    family
        .case("dead_machine_is_given_up_after_the_last_probe")
        .covers(["KA-01"])
        .source(source)
        .waits(KEEPALIVE.end())
        .across_on_both_kinds(Death::BOTH_OVER_BOTH, dead);
    family
        .case("keepalive_wakes_whatever_waits")
        .covers(["KA-01"])
        .source(source)
        .waits(KEEPALIVE.end())
        .across(Ip::BOTH, wakes);
}

async fn given_up(scene: Scene, (ip, only_from): (Ip, Option<&'static str>)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;

    let _hole = match only_from {
        None => lab.black_hole().open().await?,
        Some(host) => lab.black_hole().from(host).open().await?,
    };
    gives_up(wire, &a, start).await?;
    if only_from == Some("b") {
        // Every probe was heard and answered, and the reset is heard as well.
        b.read(1).errno(Errno::ECONNRESET).await?;
        same("answers", 2, wire.count(start, pure_ack().from("b").arrived(false)).await?)
    } else {
        b.kernel().is(State::Established)?;
        wire.absent(start, any().from("b")).await
    }
}

async fn dead(scene: Scene, kind: HostKind, (ip, kill): (Ip, Kill)) -> Result {
    let Pair { lab, a, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;

    let dead = kill(&lab, "b").now().await?;
    gives_up(wire, &a, start).await?;
    same("sent in vain", 3, dead.sent_in_vain().await?.len())?;
    wire.absent(start, any().from("b")).await
}

/// Two probes, an interval apart, and the reset: all that is sent, and the end for who reads.
async fn gives_up(wire: &Wire, a: &End, start: Mark) -> Result {
    let on = a.keep_alive(KEEPALIVE).await?;
    a.read(1).errno(Errno::ETIMEDOUT).await?;

    let probe = probe().from("a").seq(0).payload(0);
    let end = rst().from("a").flags(Flags::ACK).seq(1);
    let sent = wire.exactly(start, [probe.clone(), probe, end]).among(any().from("a")).await?;
    KEEPALIVE.judge_since(on.began(), &sent)?;
    a.read(1).eof().await?;
    a.kernel().is_gone().await.map(drop)
}

async fn wakes(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let ended = Events::ALL | Events::ERR | Events::HUP;

    let _hole = lab.black_hole().open().await?;
    let poll = a.poll(Events::IN, None).on("poller").start().await?.blocked().await?;
    let on = a.keep_alive(KEEPALIVE).await?;
    let epoll = a.epoll(Events::RDHUP, None).on("epoller").start().await?.blocked().await?;

    let woken = poll.done().await?.is(&(Events::IN | Events::ERR | Events::HUP))?;
    let window = Window::timer(KEEPALIVE.end(), "the idle time, then an interval a probe");
    window.judge("the poller was woken after", woken.ended().since(on.began()))?;
    epoll.done().await?.is(&(Events::RDHUP | Events::ERR | Events::HUP))?;
    a.poll(Events::ALL, None).await?.is(&ended)?;
    a.write("x").errno(Errno::ETIMEDOUT).await?.without_signal()?;
    a.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;
    a.get(option::ERROR).await?.is(&0)?;
    Ok(())
}
