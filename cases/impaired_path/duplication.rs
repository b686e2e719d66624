//! On a path that delivers everything twice every byte is read once, a second FIN is only
//! acknowledged, and a second reset, which finds nobody, gets no answer at all.
//! Source: RFC 9293 3.10.7.1 (a reset is never answered), 3.10.7.4; RFC 2883;
//! `net/ipv4/tcp_input.c` `tcp_data_queue`, `tcp_send_dupack`; `net/ipv4/tcp_ipv4.c`
//! `tcp_v4_send_reset`.

use lastack::prelude::*;

const WRITTEN: u32 = 8_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IM-04"]).waits(Duration::from_secs(1));
    rule.source("RFC 9293 3.10.7.1, 3.10.7.4; tcp_input.c tcp_data_queue");
    rule.case("copies_of_an_ending_change_nothing").across((CloseKind::ALL, Ip::BOTH), twice);
}

async fn twice(scene: Scene, (kind, ip): (CloseKind, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    kind.prepare(&a, &b).await?;
    let read = b.read_to_end().blocks().await?;

    let path = lab.impair(Netem::new().duplicate(100.0)).turn_on().await?;
    a.write_pattern(WRITTEN).ok().await?;
    // A reset would throw away what the peer has not acknowledged.
    a.kernel().is_acknowledged().await?;
    let before = wire.mark().await?;
    a.close_by(kind).await?;

    let read = kind.leaves(read.done().await?, WRITTEN.into())?;
    same("bytes read", u64::from(WRITTEN), read.answer().map_or(0, |all| all.bytes))?;
    let end = wire.expect(ending().from("a").arrived(true)).after(before).await?;
    wire.expect(ending().from_middle().to("b").seq(end.seq)).after(before).await?;
    if kind.is_graceful() {
        // The copy is acknowledged as what it is: something that has been there before (RFC 2883).
        let twice = (end.seq, end.end());
        let again = move |it: &Segment| it.sack.first() == Some(&twice);
        wire.expect(pure_ack().from("b").ack(end.end()).that("twice", again)).after(&end).await?;
    } else {
        wire.never(before, any().from("b")).for_(timers::DELAYED_ACK).await?;
    }
    // From here on alone: a copy of the last acknowledgement may find nobody any more, and the reset
    // that answers it would end a's TIME_WAIT (RFC 1337).
    path.lift().await?;
    kind.settles(&a, &b).await?;
    let again = any().from("a").retransmitted(true);
    wire.absent(Wire::start(), again).await?;
    wire.absent(Wire::start(), rst().from("b")).await
}
