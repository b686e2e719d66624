//! A peer that dies behind its closed window is given up after tcp_retries2 probes without
//! an answer: a count here, not a time. ETIMEDOUT, and not a word to the peer.
//! Source: `net/ipv4/tcp_timer.c` `tcp_probe_timer`, `tcp_write_err`; RFC 1122 4.2.2.17.

use lastack::prelude::*;

const RETRIES2: &str = "net.ipv4.tcp_retries2";
const RETRIES: u32 = 3;
/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ZW-03"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_probe_timer, tcp_write_err; RFC 1122 4.2.2.17");
    rule.case("machine_dead_behind_a_closed_window_is_given_up_after_tcp_retries2_probes")
        .claims(["A1"])
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), |scene, kind, death| {
            given_up(scene, kind, death, RETRIES)
        });
    rule.stock("machine_dead_behind_a_closed_window_is_given_up_after_a_quarter_of_an_hour")
        .source("tcp_timer.c tcp_probe_timer, tcp_write_err; ip-sysctl tcp_retries2")
        .run(|scene| {
            let death = (Lab::power_off as Kill, Ip::V4);
            given_up(scene, HostKind::Namespace, death, timers::STOCK_RETRIES)
        });
}

async fn given_up(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip), retries: u32) -> Result {
    let pair = scene.pair().kind("b", kind).ip(ip).sysctl("a", RETRIES2, retries);
    let pair = pair.small_window_at_b().connect().await?;
    let closed = pair.close_window(MUCH).await?;
    let Pair { lab, a, .. } = pair;
    let wire = lab.wire();
    let rto = a.rto().await?;

    let _dead = kill(&lab, "b").now().await?;
    let told = a.read(100).await?.errno(Errno::ETIMEDOUT)?;

    // Dying takes a while, and some probes may have been answered by then: what counts is what was
    // sent after the last answer, but the waits have doubled all the time.
    let segments = wire.segments();
    let answer = segments.iter().rfind(|it| it.from == "b").unwrap_or(&closed);
    let probes = wire.exactly(answer, vec![probe().from("a"); retries as usize]).await?;
    let all = wire.count(&closed, probe().from("a")).await? as u32;
    let first = all + 1 - retries;
    let waits = timers::window_probe_death(first, retries, rto, timers::RTO_MAX);
    let window = Window::wheel(waits, "tcp_retries2 probes, doubling, and one more wait");
    window.judge("death after the first unanswered probe", told.ended().since(probes[0].at()))?;

    a.kernel().is_gone().await?;
    a.read(100).eof().await?;
    a.write("x").errno(Errno::EPIPE).await?;
    wire.absent(Wire::start(), ending()).await
}
