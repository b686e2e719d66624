//! A reset is sent once and never again: when it is lost, the peer stays connected to nobody
//! until it says something, and every segment it sends is answered with a new reset.
//! Source: `net/ipv4/tcp_output.c` `tcp_send_active_reset`; RFC 9293 3.5.1; `tcp_timer.c`
//! `tcp_write_timeout`.

use lastack::prelude::*;

/// `tcp_retries2` of a's host.
const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LC-04"]).waits(Duration::from_secs(1));
    rule.source("tcp_output.c tcp_send_active_reset; RFC 9293 3.5.1");
    rule.case("lost_reset_is_not_sent_again")
        .across(Ip::BOTH, |scene, ip| once(scene, ip, Duration::from_secs(1)))
        .stock("peer_that_missed_the_reset_is_connected_to_nobody_for_a_day")
        .waits(timers::A_DAY)
        .run(|scene| once(scene, Ip::V4, timers::A_DAY));
    rule.case("writes_to_nobody_succeed_while_every_reset_is_lost")
        .covers(["LC-12"])
        .source("tcp_timer.c tcp_write_timeout; tcp_ipv4.c tcp_v4_send_reset")
        .waits(Duration::from_secs(4))
        .across(Ip::BOTH, |scene, ip| none_arrives(scene, ip, RETRIES))
        .stock("stock_writes_to_nobody_succeed_for_a_quarter_of_an_hour")
        .source("tcp_timer.c tcp_write_timeout; ip-sysctl tcp_retries2")
        .run(|scene| none_arrives(scene, Ip::V4, timers::STOCK_RETRIES));
}

async fn once(scene: Scene, ip: Ip, silence: Duration) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let resets = packets().from("a").flags(Flags::RST).first(1).are_dropped();
    let lost = lab.rules([resets]).turn_on().await?;
    let read = b.read(100).on("reader").blocks().await?;

    a.reset().await?;
    a.kernel().is_gone().await?;
    let gone = wire.expect(rst().from("a").arrived(false)).await?;
    let read = read.stays_blocked(silence).await?;
    same("b's timer", None, b.kernel().is(State::Established)?.timer)?;
    wire.absent(&gone, any()).await?;
    same("resets lost", vec![1], lost.lift().await?)?;

    b.write("hello?").ok().await?;
    read.done().await?.errno(Errno::ECONNRESET)?;
    wire.expect(rst().without(Flags::ACK).from("a").seq(1)).after(&gone).await?;
    b.kernel().is_gone().await?;
    Ok(())
}

async fn none_arrives(scene: Scene, ip: Ip, retries: u32) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let wire = lab.wire();
    let resets = packets().from("b").flags(Flags::RST).are_dropped();
    let lost = lab.rules([resets]).turn_on().await?;
    b.close().ok().await?;
    a.read(100).eof().await?;
    b.kernel().reaches(State::FinWait2).await?;

    let rto = a.rto().await?;
    for words in ["to", " ", "no", "bo", "dy"] {
        a.write(words).ok().await?;
    }
    b.kernel().is_gone().await?;
    let give_up = GiveUp::of(retries, rto);
    let limit = give_up.window().to + 3 * rto;
    let gone = a.kernel().is_gone_within(limit).await?;

    // The tail loss probe repeats the last of them, the timeouts the first.
    let first = wire.expect(data().from("a").seq(1).retransmitted(true)).await?;
    gone.judge("a tried again for", &give_up.window(), first.at())?;
    a.write("so?").await?.errno(Errno::ETIMEDOUT)?.without_signal()?;
    a.write("well").await?.errno(Errno::EPIPE)?.with_sigpipe()?;
    wire.absent(Wire::start(), rst().from("b").arrived(true)).await?;
    let answers = wire.count(Wire::start(), rst().from("b").arrived(false)).await? as u64;
    same("resets lost", vec![answers], lost.lift().await?)
}
