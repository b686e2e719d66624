//! On a path where every second segment overtakes those before, no ending is the worse for it:
//! before a FIN the reader gets everything and gets it in order, before a reset a beginning without
//! holes. What becomes of an end that is there before its data is told in `overtaken_data.rs`.
//! Source: RFC 9293 3.10.7.4; RFC 5961 3.2; `net/ipv4/tcp_input.c` `tcp_data_queue_ofo`,
//! `tcp_validate_incoming`; `net/sched/sch_netem.c` `netem_enqueue` (gap).

use lastack::prelude::*;

const DELAY: Duration = Duration::from_millis(50);
/// Less than the initial window of ten segments: one flight.
const WRITTEN: u32 = 8_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IM-05"]).waits(Duration::from_secs(1));
    rule.source("RFC 9293 3.10.7.4; RFC 5961 3.2; tcp_input.c tcp_validate_incoming");
    rule.case("overtaking_shuffles_segments_and_not_what_is_read")
        .across((CloseKind::ALL, Ip::BOTH), overtakes);
}

async fn overtakes(scene: Scene, (kind, ip): (CloseKind, Ip)) -> Result {
    let lab = scene.lab().build().await?;
    let wire = lab.wire();
    let long = || Netem::new().delay(DELAY);
    let mut forth = lab.impair(long()).from("a").turn_on().await?;
    let _back = lab.impair(long()).from("b").turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    kind.prepare(&a, &b).await?;
    let read = b.read_to_end().blocks().await?;

    // All are held back but the second, the fourth and so on: no chance in it.
    forth.change(long().reorder(100.0).reorder_gap(2)).await?;
    let start = wire.mark().await?;
    a.write_pattern(WRITTEN).ok().await?;
    a.close_by(kind).await?;
    kind.leaves(read.done().await?, WRITTEN.into())?;

    check("overtaken", wire.overtaken("a", start).await?.len(), more_than(0))?;
    check("the kernel's count", forth.counted().await?.reordered, at_least(2))?;
    kind.settles(&a, &b).await
}
