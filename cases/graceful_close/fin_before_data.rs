//! A FIN that overtakes lost data ends nothing yet: it is acknowledged selectively, and until the
//! gap is filled the connection stays established and its reader waits.
//! Source: RFC 9293 3.10.7.4; RFC 2018; `net/ipv4/tcp_input.c` `tcp_data_queue_ofo`, `tcp_ofo_queue`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["GC-14"]).claims(["A26"]).waits(Duration::from_secs(2));
    rule.source("RFC 9293 3.10.7.4; RFC 2018; tcp_input.c tcp_data_queue_ofo");
    rule.case("a_fin_beyond_a_gap_waits_for_the_lost_data").across(Ip::BOTH, gap_then_end);
}

async fn gap_then_end(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let rto = a.rto().await?;
    let read = b.read(100).blocks().await?;
    let hung_up = b.poll(Events::RDHUP, None).on("poller").blocks().await?;

    let gap = lab.black_hole().from("a").only(Flags::PSH).open().await?;
    a.write("lost").ok().await?;
    a.close().ok().await?;
    let overtaken = wire.expect(data().from("a").seq(1).arrived(false)).await?;
    let end = wire.expect(fin().from("a").empty().seq(5).arrived(true)).after(&overtaken).await?;
    let selective = pure_ack().from("b").ack(1).that("sack 5:6", |it| it.sack == [(5, 6)]);
    wire.expect(selective).after(&end).await?;

    // Past a retransmission, which is lost as well: nothing has changed for b.
    let read = read.stays_blocked(2 * rto).await?;
    let hung_up = hung_up.stays_blocked(Duration::ZERO).await?;
    wire.expect(data().from("a").seq(1).retransmitted(true).arrived(false)).await?;
    b.kernel().is(State::Established)?;
    b.poll(Events::ALL, Some(Duration::ZERO)).on("onlooker").await?.is(&Events::OUT)?;
    a.kernel().is(State::FinWait1)?;
    gap.lift().await?;

    read.done().await?.bytes(b"lost")?;
    hung_up.done().await?.is(&Events::RDHUP)?;
    b.read(100).eof().await?;
    b.kernel().is(State::CloseWait)?;
    a.kernel().reaches(State::FinWait2).await?;
    wire.expect(pure_ack().from("b").ack(6)).after(&end).await?;
    Ok(())
}
