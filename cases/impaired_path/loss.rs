//! Of one who leaves every second segment is lost. What a FIN promises is kept all the same, late,
//! because everything before it and the FIN itself are sent again. What a reset cuts off is never
//! sent again, nor is the reset: the peer hears of it when it asks.
//! Source: RFC 6298 5; RFC 9293 3.5.2; `net/ipv4/tcp_output.c` `tcp_send_active_reset`;
//! `net/sched/sch_netem.c` `loss_gilb_ell`.

use lastack::prelude::*;

/// Good and bad by turns, and in the bad state everything is lost: no chance in it.
const EVERY_SECOND: GilbertElliott =
    GilbertElliott { to_bad: 100.0, to_good: 100.0, lost_in_bad: 100.0, lost_in_good: 0.0 };
/// How the survivor asks. Of the answers every second one is lost, too.
const ASKING: Keepalive = Keepalive::new(1, 1, 9);
const WRITTEN: u32 = 8_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IM-03"]).waits(Duration::from_secs(5));
    rule.source("RFC 6298 5; RFC 9293 3.5.2; tcp_output.c tcp_send_active_reset");
    rule.case("loss_delays_what_a_fin_promises_and_takes_what_a_reset_leaves")
        .across((CloseKind::ALL, Ip::BOTH), lossy);
}

async fn lossy(scene: Scene, (kind, ip): (CloseKind, Ip)) -> Result {
    let pair = scene.pair().ip(ip).keepalive_on_listener(ASKING);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let wire = lab.wire();
    kind.prepare(&a, &b).await?;
    let read = b.read_to_end().blocks().await?;

    // One way only: with losses both ways in step, copy after copy could be the one that is lost.
    let every_second = Netem::new().loss_in_bursts(EVERY_SECOND);
    let path = lab.impair(every_second).from("a").turn_on().await?;
    a.write_pattern(WRITTEN).ok().await?;
    a.close_by(kind).await?;
    kind.leaves(read.done().await?, WRITTEN.into())?;

    let lost = path.hit().await?;
    check("data lost", lost.iter().filter(|it| it.payload > 0).count(), more_than(0))?;
    let counted = path.lift().await?;
    scene.note(format!("{} frames lost, {} passed", counted.lost, counted.passed));
    check("the kernel's count", counted.lost, at_least(lost.len() as u64))?;
    if kind.is_graceful() {
        // Without the sending again not even half of it would have come.
        wire.expect(data().from("a").retransmitted(true).arrived(true)).await?;
        return wire.absent(Wire::start(), rst()).await;
    }
    let reset = wire.expect(rst().from("a")).await?;
    wire.absent(&reset, data().from("a")).await
}
