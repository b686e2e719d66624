//! A server that refuses a request before it has read it all does as nginx does: it answers, ends
//! its own side, and reads on for half a minute at the most, so that the client, which is still
//! sending, gets to the answer. When that time is up it closes, and what comes then is reset; the
//! answer can still be read.
//! Source: nginx `lingering_time` (30 s), `lingering_timeout` (5 s); RFC 9112 9.6;
//! `net/ipv4/tcp_minisocks.c` `tcp_timewait_state_process` (data in FIN_WAIT2).

use lastack::prelude::*;

const LINGERING_TIME: Duration = Duration::from_secs(30);
const LINGERING_TIMEOUT: Duration = Duration::from_secs(5);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HT-06b"]).needs([Need::VirtualTime]).waits(LINGERING_TIME);
    rule.source("nginx lingering_time, lingering_timeout; RFC 9112 9.6");
    rule.case("trickling_client_is_reset_after_the_lingering_time_and_reads_its_answer")
        .across(Ip::BOTH, trickles);
    rule.case("lingering_server_that_hears_nothing_closes_after_the_lingering_timeout")
        .source("nginx lingering_timeout; ip-sysctl tcp_fin_timeout (60)")
        .waits(LINGERING_TIMEOUT + Duration::from_secs(60))
        .run(says_nothing);
}

const ANSWER: &[u8] = b"413 Content Too Large";

async fn trickles(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a: client, b: server, .. } = scene.pair().ip(ip).connect().await?;
    client.write("POST / HTTP/1.1").ok().await?;
    server.read(100).bytes(b"POST / HTTP/1.1").await?;
    server.write(ANSWER).ok().await?;
    let began = server.shut_wr().await?.began();
    // Each piece of the body comes just before the server would lose its patience.
    while Stamp::now().since(began) + LINGERING_TIMEOUT < LINGERING_TIME {
        let heard = server.poll(Events::IN, Some(LINGERING_TIMEOUT)).on("server").start().await?;
        let heard = heard.blocked().await?.stays_blocked(Duration::from_secs(4)).await?;
        client.write("body").ok().await?;
        heard.done().await?.is(&Events::IN)?;
        server.read(100).bytes(b"body").await?;
    }
    let rest = LINGERING_TIME.saturating_sub(Stamp::now().since(began));
    lab.wire().never(Wire::start(), rst()).for_(rest).await?;
    server.close().ok().await?;

    let closed = lab.wire().mark().await?;
    client.write("body").ok().await?;
    lab.wire().expect(rst().from("b")).after(closed).await?;
    server.kernel().is_gone().await?;
    client.kernel().is_gone().await?;
    client.write("body").await?.errno(Errno::EPIPE)?.with_sigpipe()?;
    client.read(100).bytes(ANSWER).await?;
    client.read(100).eof().await?;
    Ok(())
}

async fn says_nothing(scene: Scene) -> Result {
    let Pair { lab, a: client, b: server, .. } = scene.pair().connect().await?;
    server.write(ANSWER).ok().await?;
    server.shut_wr().ok().await?;
    let heard = server.poll(Events::IN, Some(LINGERING_TIMEOUT)).await?;
    let patience = Window::new(LINGERING_TIMEOUT, 2 * LINGERING_TIMEOUT, "lingering_timeout");
    heard.took_within(&patience)?.is(&Events::NONE)?;
    let closed = server.close().await?;

    // What is left is an orphan, and the client is none the wiser for its end.
    let gone = server.kernel().runs_out_within(Duration::from_secs(120)).await?;
    let window = Window::wheel([Duration::from_secs(60)], "tcp_fin_timeout");
    gone.judge("the orphan was gone after", &window, closed.began())?;
    lab.wire().absent(Wire::start(), rst()).await?;
    client.read(100).bytes(ANSWER).await?;
    client.read(100).eof().await?;
    client.kernel().is(State::CloseWait)?;
    Ok(())
}
