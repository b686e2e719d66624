//! For its minute a connection in TIME_WAIT keeps what it was made of: a client with one port left
//! cannot reach the same server again, and neither it nor a restarted server gets the port by
//! bind(), unless both sockets allowed that beforehand. An orphan in FIN_WAIT2 keeps it likewise,
//! even where tcp_tw_reuse lets TIME_WAIT go.
//! Source: `net/ipv4/inet_hashtables.c` `__inet_check_established`; `net/ipv4/tcp_ipv4.c`
//! `tcp_twsk_unique`; `net/ipv4/inet_connection_sock.c` `inet_csk_bind_conflict`.

use lastack::prelude::*;

const ONE_PORT: (&str, &str) = ("net.ipv4.ip_local_port_range", "40000 40000");

pub fn cases(family: &mut Family) {
    let rule = family.rule(["TW-11"]).needs([Need::VirtualTime]).waits(timers::TIME_WAIT);
    rule.source("inet_hashtables.c __inet_check_established; tcp_ipv4.c tcp_twsk_unique");
    rule.case("last_port_is_free_again_when_time_wait_is_over")
        .across(Ip::BOTH, |scene, ip| exhausted(scene, ip, State::TimeWait));
    rule.case("last_port_is_free_again_when_an_orphan_in_fin_wait2_is_gone")
        .covers(["TW-23"])
        .source("tcp_ipv4.c tcp_twsk_unique (TCP_FIN_WAIT2)")
        .run(|scene| exhausted(scene, Ip::V4, State::FinWait2));
    rule.case("restarted_server_gets_its_port_when_time_wait_is_over")
        .covers(["TW-16"])
        .source("inet_connection_sock.c inet_csk_bind_conflict")
        .run(restarted);
    rule.case("client_gets_its_port_by_bind_when_time_wait_is_over")
        .covers(["TW-19"])
        .source("inet_connection_sock.c inet_csk_bind_conflict (sk_reuse of both)")
        .run(bound);
}

/// The time that is kept, whatever it is called.
fn minute() -> Window {
    Window::wheel([timers::TIME_WAIT], "TCP_TIMEWAIT_LEN, or tcp_fin_timeout")
}

async fn exhausted(scene: Scene, ip: Ip, state: State) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", ONE_PORT.0, ONE_PORT.1);
    // Where it may, TIME_WAIT makes way after a second.
    let reuse = if state == State::TimeWait { 2 } else { 1 };
    let Pair { a, b, .. } = pair.sysctl("a", "net.ipv4.tcp_tw_reuse", reuse).connect().await?;
    let closed = a.close().await?;
    b.read(1).eof().await?;
    if state == State::TimeWait {
        b.close().ok().await?;
    }
    let kept = a.kernel().reaches(state).await?;

    let server = b.local_address();
    a.process.socket(server).ok().await?.connect(server).errno(Errno::EADDRNOTAVAIL).await?;
    let gone = a.kernel().runs_out_within(2 * timers::TIME_WAIT).await?;
    gone.judge("the port was kept for", &minute(), closed.began().max(kept.before))?;
    let again = a.process.connect(server).await?;
    same("the port", a.local_address(), again.local().ok().await?)
}

async fn restarted(scene: Scene) -> Result {
    let Pair { a, b, listener, .. } = scene.pair().connect().await?;
    listener.close().ok().await?;
    b.close().ok().await?;
    a.read(1).eof().await?;
    a.close().ok().await?;
    let waits = b.kernel().reaches(State::TimeWait).await?;

    let server = b.host().process_named("restarted").await?;
    let again = server.socket(b.local_address()).ok().await?;
    again.bind(b.local_address()).errno(Errno::EADDRINUSE).await?;
    let gone = b.kernel().runs_out_within(2 * timers::TIME_WAIT).await?;
    gone.judge("the port was kept for", &minute(), waits.before)?;
    again.bind(b.local_address()).ok().await?;
    again.listen(1).ok().await
}

async fn bound(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.close().ok().await?;
    b.read(1).eof().await?;
    b.close().ok().await?;
    let waits = a.kernel().reaches(State::TimeWait).await?;

    let again = a.process.socket(a.local_address()).ok().await?;
    again.set(option::REUSEADDR, 1).ok().await?;
    again.bind(a.local_address()).errno(Errno::EADDRINUSE).await?;
    let gone = a.kernel().runs_out_within(2 * timers::TIME_WAIT).await?;
    gone.judge("the port was kept for", &minute(), waits.before)?;
    again.bind(a.local_address()).ok().await
}
