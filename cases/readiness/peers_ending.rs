//! A peer's FIN is something to read and no hang-up: a poll that asks for no event is not told. A
//! reset is everything at once, until a call takes its error away; then it looks like an ordinary
//! end of both directions.
//! Source: `net/ipv4/tcp.c` `tcp_poll`, `tcp_recvmsg_locked`; `net/ipv4/tcp_input.c` `tcp_fin`,
//! `tcp_reset`, `tcp_done_with_error`; `fs/select.c` `POLLIN_SET`, `POLLOUT_SET`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PV-01"]);
    rule.source("tcp.c tcp_poll (RCV_SHUTDOWN); tcp_input.c tcp_fin; select.c POLLIN_SET");
    rule.case("peers_fin_is_readable_and_no_hang_up").across(Ip::BOTH, fin_is_readable);
    rule.case("reset_shows_everything_and_its_error_until_that_is_taken")
        .covers(["PV-02", "PV-07"])
        .source("tcp.c tcp_poll; tcp_input.c tcp_reset; select.c POLLOUT_SET")
        .across(Ip::BOTH, reset_shows_everything);
    rule.case("reader_parked_while_its_peer_reboots_wakes_with_the_reset")
        .covers(["PV-13"])
        .source("tcp_input.c tcp_reset, tcp_done_with_error; tcp.c tcp_recvmsg_locked")
        .across(Ip::BOTH, parked_reader);
}

async fn fin_is_readable(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).connect().await?;
    b.polls_as(Events::OUT).await?;
    let poll = b.poll(Events::IN, None).on("poller").blocks().await?;
    let epoll = b.epoll(Events::RDHUP, None).on("epoller").blocks().await?;
    let idle = b.poll(Events::NONE, None).on("idler").blocks().await?;

    a.close().ok().await?;
    poll.done().await?.is(&Events::IN)?;
    epoll.done().await?.is(&Events::RDHUP)?;
    b.kernel().is(State::CloseWait)?;
    b.polls_as(Events::ALL).await?;
    // Read or not, it stays so.
    b.read(1).eof().await?;
    b.polls_as(Events::ALL).await?;
    let idle = idle.stays_blocked(Duration::from_millis(100)).await?;

    // With its own side ended as well, it is one.
    b.shut_wr().ok().await?;
    idle.done().await?.is(&Events::HUP)?;
    Ok(())
}

async fn reset_shows_everything(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).connect().await?;
    let failed = Events::ERR | Events::HUP;
    let poll = b.poll(Events::IN, None).on("poller").blocks().await?;
    let epoll = b.epoll(Events::RDHUP, None).on("epoller").blocks().await?;
    let idle = b.poll(Events::NONE, None).on("idler").blocks().await?;

    a.reset().await?;
    poll.done().await?.is(&(Events::IN | failed))?;
    epoll.done().await?.is(&(Events::RDHUP | failed))?;
    idle.done().await?.is(&failed)?;
    b.polls_as(Events::ALL | failed).await?;
    // Asking takes nothing away.
    b.polls_as(Events::ALL | failed).await?;

    b.get(option::ERROR).await?.is(&(Errno::ECONNRESET as i32))?;
    b.polls_as(Events::ALL | Events::HUP).await?;
    b.get(option::ERROR).await?.is(&0)?;
    b.read(1).eof().await?;
    b.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;
    Ok(())
}

async fn parked_reader(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let read = a.read(1).on("reader").blocks().await?;

    lab.power_off("b").that_may_miss().now().await?.boot().await?;
    let read = read.stays_blocked(Duration::from_millis(100)).await?;
    a.write("still there?").ok().await?;
    let reset = lab.wire().expect(rst().from("b").arrived(true)).await?;
    read.done().await?.errno(Errno::ECONNRESET)?.returned_after(&reset)?;
    a.polls_as(Events::ALL | Events::HUP).await
}
