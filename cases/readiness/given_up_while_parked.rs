//! Whoever waits for a connection sleeps through its whole death, and is woken at the moment it is
//! given up: poll, epoll and select then show everything at once, the error included. The first
//! call takes the error away, and what is left looks like an ordinary end.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_err` (sk_error_report); `net/ipv4/tcp.c` `tcp_poll`,
//! `tcp_recvmsg_locked`; `net/core/stream.c` `sk_stream_error`; ip-sysctl tcp_retries2.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PV-08"]).needs([Need::VirtualTime]).waits(Duration::from_secs(940));
    rule.source(
        "tcp_timer.c tcp_write_err; tcp.c tcp_poll; ip-sysctl tcp_retries2 (924.6 seconds)",
    );
    rule.case("pollers_parked_for_a_quarter_of_an_hour_wake_when_the_connection_is_given_up")
        .across(Ip::BOTH, wakes);
}

async fn wakes(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let rto = a.rto().await?;
    let end = GiveUp::stock(rto);
    let failed = Events::ERR | Events::HUP;

    let _silence = lab.black_hole().open().await?;
    a.write("is anybody there?").ok().await?;
    let poll = a.poll(Events::IN, None).on("poller").blocks().await?;
    let epoll = a.epoll(Events::RDHUP, None).on("epoller").blocks().await?;
    // Errors and hang-ups are told even to a poll that asks for nothing.
    let idle = a.poll(Events::NONE, None).on("idler").blocks().await?;

    let woken = poll.done().await?.is(&(Events::IN | failed))?;
    epoll.done().await?.is(&(Events::RDHUP | failed))?;
    idle.done().await?.is(&failed)?;
    let first = lab.wire().expect(data().from("a")).await?;
    end.judge(&lab.wire().retries_of(&first).await?, woken.ended())?;

    a.polls_as(Events::ALL | failed).await?;
    a.recv(1, 0).errno(Errno::ETIMEDOUT).await?;
    a.polls_as(Events::ALL | Events::HUP).await?;
    a.recv(1, 0).eof().await?;
    a.get(option::ERROR).await?.is(&0)?;
    a.send("x", 0).errno(Errno::EPIPE).await?.with_sigpipe()?;
    b.kernel().is(State::Established)?;
    Ok(())
}
