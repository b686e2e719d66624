//! A program that forgets to close what its peer has closed keeps it in CLOSE_WAIT for as long as
//! it runs: no timer, nothing on the wire, and one in the receive queue, the FIN that it never
//! read. The peer is rid of it after a minute, and answers the first word, be it of keepalive,
//! with a reset.
//! Source: RFC 9293 3.6 (CLOSE_WAIT waits for the user); `net/ipv4/tcp.c` `__tcp_close`;
//! `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`; `net/ipv4/tcp_input.c` `tcp_reset` (EPIPE in
//! CLOSE_WAIT); ip-sysctl tcp_fin_timeout.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ST-10"]).needs([Need::VirtualTime]).waits(timers::A_DAY);
    rule.source(
        "RFC 9293 3.6; tcp.c __tcp_close; tcp_input.c tcp_reset; ip-sysctl tcp_fin_timeout",
    );
    rule.case("connection_that_is_never_closed_is_in_close_wait_a_day_later").run(leaks);
    rule.case("stock_keepalive_ends_a_leaked_close_wait_after_two_hours")
        .source("tcp_timer.c tcp_keepalive_timer; tcp_input.c tcp_reset; tcp(7) tcp_keepalive_time")
        .waits(Keepalive::STOCK.idle())
        .run(ends);
}

/// A pair of which `a` has closed and been forgotten by its kernel, and `b` takes no notice.
async fn leaked(pair: lastack::PairBuilder) -> Result<(Pair, Segment)> {
    let pair = pair.connect().await?;
    let Pair { lab, a, b, .. } = &pair;
    let rto = a.rto().await?;
    a.close().ok().await?;
    a.kernel().reaches(State::FinWait2).await?;
    b.kernel().has_unread(1).await?;
    let last = lab.wire().expect(pure_ack().from("b").ack(2).arrived(true)).await?;

    let gone = a.kernel().runs_out_within(2 * timers::FIN_TIMEOUT).await?;
    let window = Window::wheel([timers::fin_wait2(timers::FIN_TIMEOUT, rto)], "tcp_fin_timeout");
    gone.judge("the peer's kernel had forgotten it after", &window, last.at())?;
    Ok((pair, last))
}

async fn leaks(scene: Scene) -> Result {
    let (Pair { lab, b, .. }, last) = leaked(scene.pair()).await?;
    lab.wire().never(&last, any()).for_(timers::A_DAY).await?;
    let entry = b.kernel().is(State::CloseWait)?;
    same("Recv-Q", 1, entry.receive_queue)?;
    same("its timer", None, entry.timer)?;

    b.write("by the way").ok().await?;
    lab.wire().expect(rst().from("a").arrived(true)).after(&last).await?;
    b.kernel().is_gone().await?;
    b.write("hello?").errno(Errno::EPIPE).await?.with_sigpipe()?;
    b.read(1).eof().await?;
    Ok(())
}

async fn ends(scene: Scene) -> Result {
    let pair = scene.pair().option_on_listener(option::KEEPALIVE, 1);
    let (Pair { lab, b, .. }, last) = leaked(pair).await?;
    let hung = b.poll(Events::NONE, None).blocks().await?;

    hung.done().await?.is(&(Events::ERR | Events::HUP))?;
    let heard = lab.wire().expect(fin().from("a")).await?;
    let said = [probe().from("b").arrived(true), rst().from("a").arrived(true)];
    let said = lab.wire().exactly(&last, said).await?;
    Keepalive::STOCK.judge(&heard, &said[..1])?;
    b.get(option::ERROR).await?.is(&(Errno::EPIPE as i32))?;
    b.kernel().is_gone().await?;
    Ok(())
}
