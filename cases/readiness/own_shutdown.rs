//! A socket that has ended its own side still counts as writable, though a write would fail: poll
//! tells that a call would not block, and not that it would succeed. One that has ended its
//! reading side looks as if the peer had ended. Only both directions together are a hang-up.
//! Source: `net/ipv4/tcp.c` `tcp_poll` (SEND_SHUTDOWN, RCV_SHUTDOWN, SHUTDOWN_MASK); poll(2).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PV-03"]).source("tcp.c tcp_poll (SEND_SHUTDOWN); poll(2) POLLOUT");
    rule.case("own_shut_wr_leaves_a_socket_writable_for_calls_that_fail")
        .across(Ip::BOTH, writable);
    rule.case("own_shut_rd_looks_like_the_peers_end")
        .covers(["PV-04"])
        .source("tcp.c tcp_poll (RCV_SHUTDOWN); poll(2) POLLRDHUP")
        .across(Ip::BOTH, readable);
    rule.case("both_directions_ended_without_an_error_are_a_hang_up")
        .covers(["PV-05"])
        .source("tcp.c tcp_poll (SHUTDOWN_MASK); poll(2) POLLHUP")
        .across([("client_first", "a"), ("server_first", "b")], hang_up);
}

async fn writable(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.shut_wr().ok().await?;
    a.polls_as(Events::OUT).await?;
    a.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;
    a.polls_as(Events::OUT).await?;

    b.kernel().reaches(State::CloseWait).await?;
    b.write("go on").ok().await?;
    a.kernel().has_unread(5).await?;
    a.polls_as(Events::IN | Events::OUT).await
}

async fn readable(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).connect().await?;
    let idle = a.poll(Events::NONE, None).on("idler").blocks().await?;
    let poll = a.poll(Events::RDHUP, None).on("poller").blocks().await?;
    a.shut_rd().ok().await?;
    poll.done().await?.is(&Events::RDHUP)?;
    a.polls_as(Events::ALL).await?;
    b.polls_as(Events::OUT).await?;
    let _idle = idle.stays_blocked(Duration::from_millis(100)).await?;
    a.kernel().is(State::Established)?;
    Ok(())
}

async fn hang_up(scene: Scene, first: &'static str) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let (first, second) = if first == "a" { (a, b) } else { (b, a) };
    let idle = first.poll(Events::NONE, None).on("idler").blocks().await?;
    first.shut_wr().ok().await?;
    second.kernel().reaches(State::CloseWait).await?;
    let idle = idle.stays_blocked(Duration::from_millis(100)).await?;
    second.shut_wr().ok().await?;

    idle.done().await?.is(&Events::HUP)?;
    first.kernel().reaches(State::TimeWait).await?;
    second.kernel().is_gone().await?;
    for end in [&first, &second] {
        end.polls_as(Events::ALL | Events::HUP).await?;
        end.get(option::ERROR).await?.is(&0)?;
    }
    Ok(())
}
