//! A peer that falls silent behind its closed window is given up after tcp_retries2 probes without
//! an answer: a count here, not a time. ETIMEDOUT, and not a word to the peer.
//! Source: `net/ipv4/tcp_timer.c` `tcp_probe_timer`, `tcp_write_err`; RFC 1122 4.2.2.17.

use lastack::prelude::*;

const RETRIES2: &str = "net.ipv4.tcp_retries2";
const RETRIES: u32 = 3;
/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    family
        .case("peer_silent_behind_a_closed_window_is_given_up_after_tcp_retries2_probes")
        .covers(["ZW-03"])
        .claims(["A1"])
        .source("tcp_timer.c tcp_probe_timer, tcp_write_err; RFC 1122 4.2.2.17")
        .waits(Duration::from_secs(4))
        .across(Ip::BOTH, given_up);
}

async fn given_up(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES2, RETRIES).small_window_at_b();
    let pair = pair.connect().await?;
    let closed = pair.close_window(MUCH).await?;
    let Pair { lab, a, b, .. } = pair;
    let wire = lab.wire();
    let rto = a.info().ok().await?.rto();

    let _silence = lab.black_hole().open().await?;
    let told = a.read(100).await?.errno(Errno::ETIMEDOUT)?;

    // A probe or two may have been answered before the silence began.
    let unanswered = probe().from("a").arrived(false);
    let probes = wire.exactly(&closed, vec![unanswered.clone(); RETRIES as usize]).among(unanswered).await?;
    let before = wire.count(&closed, probe().from("a").arrived(true)).await? as u32;
    let death = timers::window_probe_death(before + 1, RETRIES, rto, timers::RTO_MAX);
    let window = Window::timer(death, "tcp_retries2 probes, doubling, and one more wait");
    window.judge("death after the first unanswered probe", told.ended().since(probes[0].at()))?;

    a.kernel().is_gone().await?;
    a.read(100).eof().await?;
    a.write("x").errno(Errno::EPIPE).await?;
    wire.absent(Wire::start(), ending()).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}
