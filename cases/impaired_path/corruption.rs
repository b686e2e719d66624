//! A segment with a flipped bit fails its checksum and is as good as lost: no byte of it is ever
//! read, a FIN in it ends nothing, a reset in it resets nothing. What a FIN promises is kept with
//! the next copies; of a reset the peer hears when it asks.
//! Source: RFC 9293 3.1 (checksum); `net/ipv4/tcp_ipv4.c` `tcp_v4_rcv`, `tcp_v4_do_rcv`
//! (csum_err); `net/ipv6/tcp_ipv6.c`; `net/sched/sch_netem.c` `netem_enqueue`.

use lastack::prelude::*;

/// How the survivor asks.
const ASKING: Keepalive = Keepalive::new(1, 1, 9);
const WRITTEN: u32 = 8_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IM-06"]).waits(Duration::from_secs(3));
    rule.source("RFC 9293 3.1; tcp_ipv4.c tcp_v4_rcv; sch_netem.c netem_enqueue");
    rule.case("a_corrupt_segment_neither_brings_nor_ends_anything")
        .across((CloseKind::ALL, Ip::BOTH), corrupt);
}

async fn corrupt(scene: Scene, (kind, ip): (CloseKind, Ip)) -> Result {
    let pair = scene.pair().ip(ip).keepalive_on_listener(ASKING);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let wire = lab.wire();
    kind.prepare(&a, &b).await?;
    let read = b.read_to_end().blocks().await?;
    let start = wire.mark().await?;

    // A bit in every frame from a. Some bits are nobody's: of the sender's hardware address, of
    // IPv6's traffic class. Their frames get through, and are right: a reset, too, of which b would
    // ask whether it is meant, and now and then the answer would get through as well.
    let unasked = lab.black_hole().from("b").that_may_miss().open().await?;
    let path = lab.impair(Netem::new().corrupt(100.0)).from("a").turn_on().await?;
    a.write_pattern(WRITTEN).ok().await?;
    a.close_by(kind).await?;
    // What is tried again is in vain as well; a reset is tried once. The FIN may have to wait for
    // room, where some data got through and told of the rest.
    let tried = if kind.is_graceful() { any().retransmitted(true) } else { rst() };
    wire.expect(tried.from("a")).after(start).await?;
    let read = read.blocked().await?;
    path.lift().await?;
    unasked.lift().await?;

    kind.leaves(read.done().await?, WRITTEN.into())?;
    check("checksums that failed", b.host().counter("Tcp:InCsumErrors")?, more_than(0))?;
    kind.settles(&a, &b).await
}
