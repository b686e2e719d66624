//! Who closes second and never hears the last acknowledgement repeats its FIN for almost two
//! minutes, in LAST_ACK, and is gone without a word. The other end answers every one of them from
//! TIME_WAIT, whose minute starts anew each time and so ends long after.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_timeout`, `tcp_orphan_retries`;
//! `net/ipv4/tcp_minisocks.c` `tcp_timewait_state_process`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ST-14"]).needs([Need::VirtualTime]).waits(Duration::from_secs(170));
    rule.source("tcp_timer.c tcp_orphan_retries: 0 means 8; tcp_minisocks.c");
    rule.case("stock_last_ack_without_an_answer_lasts_almost_two_minutes")
        .across(Ip::BOTH, unheard);
}

async fn unheard(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let end = GiveUp::of(timers::ORPHAN_RETRIES, b.rto().await?);
    a.close().ok().await?;
    b.read(1).eof().await?;
    a.kernel().reaches(State::FinWait2).await?;

    let _deaf = lab.black_hole().from("a").open().await?;
    b.close().ok().await?;
    b.kernel().is(State::LastAck)?;
    let gone = b.kernel().runs_out_within(2 * end.window().to).await?;
    let first = wire.expect(fin().from("b").arrived(true)).await?;
    let retries = wire.retries_of(&first).await?;
    end.judge_sighting(&retries, &gone)?;

    // It began anew with the last FIN.
    a.waits_out_its_minute(&retries.timeouts[retries.timeouts.len() - 1]).await?;
    let answers = wire.count(&first, pure_ack().from("a").ack(2)).await?;
    // Of two questions within half a second, one may go without an answer (tcp_invalid_ratelimit).
    let asked = retries.timeouts.len() + 2;
    check("answers, one for each FIN but the first few", answers, at_least(asked - 3))?;
    check("answers", answers, at_most(asked))?;
    wire.absent(Wire::start(), rst()).await
}
