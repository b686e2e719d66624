//! Apache reads on after it has ended its own side, too. Its prefork and worker threads wait two
//! seconds for bytes, and half a minute at the most from the first that come; its event loop, which
//! blocks nobody, gives a silent client the whole half minute. Then it closes: a silent client
//! notices nothing, one that goes on sending is reset and can still read its answer.
//! Source: Apache httpd 2.4 `server/connection.c` `ap_lingering_close` (SECONDS_TO_LINGER 2,
//! MAX_SECS_TO_LINGER 30), `server/mpm/event/event.c` (linger_q); RFC 9112 9.6;
//! `net/ipv4/tcp_minisocks.c` `tcp_timewait_state_process` (data in FIN_WAIT2).

use lastack::prelude::*;

const SECONDS_TO_LINGER: Duration = Duration::from_secs(2);
const MAX_SECS_TO_LINGER: Duration = Duration::from_secs(30);

const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request";

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HT-13"]).needs([Need::VirtualTime]);
    rule.waits(MAX_SECS_TO_LINGER + timers::FIN_TIMEOUT);
    rule.source("httpd server/connection.c ap_lingering_close, event.c; ip-sysctl tcp_fin_timeout");
    rule.case("silent_client_of_a_lingering_server_is_closed_without_noticing").across(
        [("by_a_thread", SECONDS_TO_LINGER), ("by_an_event_loop", MAX_SECS_TO_LINGER)],
        says_nothing,
    );
    rule.case("trickling_client_is_reset_half_a_minute_after_its_first_late_bytes")
        .source("httpd server/connection.c ap_lingering_close; tcp_minisocks.c")
        .waits(MAX_SECS_TO_LINGER + SECONDS_TO_LINGER)
        .across(Ip::BOTH, trickles);
}

async fn says_nothing(scene: Scene, patience: Duration) -> Result {
    let Pair { lab, a: client, b: server, .. } = scene.pair().connect().await?;
    let rto = server.rto().await?;
    server.write(ANSWER).ok().await?;
    server.shut_wr().ok().await?;
    let waited = server.poll(Events::IN, Some(patience)).await?.is(&Events::NONE)?;
    waited.took_within(&Window::wheel([patience], "how long it waits for bytes"))?;
    // Held, it has no time limit of its own.
    let held = server.kernel().is(State::FinWait2)?;
    same("timer of the lingering server", None, held.timer)?;
    let idle = lab.wire().mark().await?;
    let closed = server.close().await?;

    let gone = server.kernel().runs_out_within(2 * timers::FIN_TIMEOUT).await?;
    let window = Window::wheel([timers::fin_wait2(timers::FIN_TIMEOUT, rto)], "tcp_fin_timeout");
    gone.judge("what was left was gone after", &window, closed.began())?;
    lab.wire().absent(idle, any()).await?;
    client.kernel().is(State::CloseWait)?;
    client.read(100).bytes(ANSWER).await?;
    client.read(100).eof().await?;
    Ok(())
}

async fn trickles(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a: client, b: server, .. } = scene.pair().ip(ip).connect().await?;
    server.write(ANSWER).ok().await?;
    server.shut_wr().ok().await?;
    let first = trickle(&client, &server).await?;
    while trickle(&client, &server).await?.since(first) < MAX_SECS_TO_LINGER {}
    lab.wire().absent(Wire::start(), rst()).await?;
    let closed = server.close().await?;
    let most = MAX_SECS_TO_LINGER + SECONDS_TO_LINGER;
    let window = Window::new(MAX_SECS_TO_LINGER, most, "MAX_SECS_TO_LINGER, and one piece");
    window.judge("it closed after", closed.began().since(first))?;

    let late = lab.wire().mark().await?;
    client.write("body").ok().await?;
    lab.wire().expect(rst().from("b").arrived(true)).after(late).await?;
    server.kernel().is_gone().await?;
    client.kernel().is_gone().await?;
    client.write("body").errno(Errno::EPIPE).await?.with_sigpipe()?;
    client.read(100).bytes(ANSWER).await?;
    client.read(100).eof().await?;
    Ok(())
}

/// One piece of a body, in time though only just; when it was read.
async fn trickle(client: &End, server: &End) -> Result<Stamp> {
    let heard = server.poll(Events::IN, Some(SECONDS_TO_LINGER)).on("server").start().await?;
    let nearly = SECONDS_TO_LINGER.mul_f64(0.75);
    let heard = heard.blocked().await?.stays_blocked(nearly).await?;
    client.write("body").ok().await?;
    heard.done().await?.is(&Events::IN)?;
    Ok(server.read(100).bytes(b"body").await?.ended())
}
