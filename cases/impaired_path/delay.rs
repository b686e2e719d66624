//! A long path makes every ending late by the time of one way, and does nothing else to it: what
//! was written before still arrives before, be it a FIN or a reset that follows, and nothing is
//! sent twice.
//! Source: RFC 9293 3.6; `net/ipv4/tcp.c` `__tcp_close`; `net/sched/sch_netem.c` `netem_enqueue`.

use lastack::prelude::*;

/// One way. Both ways and the delay of an acknowledgement stay below any retransmission timeout.
const DELAY: Duration = Duration::from_millis(50);
/// Less than the initial window of ten segments, so that all of it is sent before the end.
const WRITTEN: u32 = 8_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IM-01"]).waits(Duration::from_secs(1));
    rule.source("RFC 9293 3.6; tcp.c __tcp_close; sch_netem.c netem_enqueue");
    rule.case("delay_makes_the_end_late_and_nothing_else").across((CloseKind::ALL, Ip::BOTH), late);
}

async fn late(scene: Scene, (kind, ip): (CloseKind, Ip)) -> Result {
    let lab = scene.lab().build().await?;
    let wire = lab.wire();
    // Before the handshake, so that both ends know how long the path is.
    let _path = lab.impair(Netem::new().delay(DELAY)).turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    kind.prepare(&a, &b).await?;
    let read = b.read_to_end().blocks().await?;

    a.write_pattern(WRITTEN).ok().await?;
    a.close_by(kind).await?;
    let end = wire.expect(ending().from("a").arrived(true)).await?;
    let read = kind.leaves(read.done().await?, WRITTEN.into())?;

    // A reset, too, keeps its place behind the data that is on its way.
    same("bytes read", u64::from(WRITTEN), read.answer().map_or(0, |all| all.bytes))?;
    let window = Window { from: DELAY, ..Window::wheel([DELAY], "the delay") };
    window.judge("the reader was told", read.ended().since(end.at()))?;
    kind.settles(&a, &b).await?;
    wire.absent(Wire::start(), any().retransmitted(true)).await?;
    same("endings of a", 1, wire.count(Wire::start(), ending().from("a")).await?)
}
