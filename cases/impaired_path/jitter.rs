//! Jitter puts segments out of order, and no ending is the worse for it: before a FIN the reader
//! gets everything and gets it in order, before a reset a beginning without holes, and the reset
//! itself is always believed in the end.
//! Source: RFC 9293 3.10.7.4; `net/ipv4/tcp_input.c` `tcp_data_queue_ofo`, `tcp_validate_incoming`.

use lastack::prelude::*;

const DELAY: Duration = Duration::from_millis(60);
const JITTER: Duration = Duration::from_millis(40);
/// Less than the initial window of ten segments: one flight, which the jitter shuffles.
const WRITTEN: u32 = 12_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IM-02"]).waits(Duration::from_secs(1));
    rule.source("RFC 9293 3.10.7.4; tcp_input.c tcp_data_queue_ofo, tcp_validate_incoming");
    rule.case("jitter_shuffles_segments_and_not_what_is_read")
        .across((CloseKind::ALL, Ip::BOTH), shuffled);
}

async fn shuffled(scene: Scene, (kind, ip): (CloseKind, Ip)) -> Result {
    let lab = scene.lab().build().await?;
    let jittery = Netem::new().delay(DELAY).jitter(JITTER);
    let _path = lab.impair(jittery).repeatable(1).turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    kind.prepare(&a, &b).await?;
    let read = b.read_to_end().blocks().await?;
    let start = lab.wire().mark().await?;

    a.write_pattern(WRITTEN).ok().await?;
    a.close_by(kind).await?;
    kind.leaves(read.done().await?, WRITTEN.into())?;
    kind.settles(&a, &b).await?;

    // A reset does not wait for those that it has overtaken; they come, and find nobody.
    lab.wire().absent(start, data().from("a").arrived(false)).await?;
    // Nine segments with evenly spread delays keep their order once in 9! times.
    let sent = lab.wire().count(start, data().from("a").retransmitted(false)).await?;
    check("segments with data", sent, at_least(9))?;
    check("overtaken", lab.wire().overtaken("a", start).await?.len(), more_than(0))
}
