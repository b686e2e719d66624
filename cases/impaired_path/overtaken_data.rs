//! An end that arrives before the data it follows. A FIN waits for the data. A reset has a number
//! that the receiver does not expect yet, so the receiver asks, and the answer to that is believed
//! at once: if the data is there before the answer it is read, if not it is lost.
//! Source: RFC 9293 3.10.7.4; RFC 5961 3.2; `net/ipv4/tcp_input.c` `tcp_data_queue_ofo`,
//! `tcp_validate_incoming`, `tcp_send_challenge_ack`.

use lastack::prelude::*;

/// How long the data is on its way.
const HELD: Duration = Duration::from_millis(300);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IM-10"]).claims(["A3"]);
    rule.waits(Duration::from_secs(3)).source("RFC 5961 3.2; tcp_input.c tcp_validate_incoming");
    rule.case("a_fin_that_overtakes_its_data_waits_for_it")
        .covers(["IM-09"])
        .claims(["A26"])
        .source("RFC 9293 3.10.7.4; tcp_input.c tcp_data_queue_ofo")
        .across(Ip::BOTH, fin_first);
    rule.case("data_overtaken_by_a_reset_is_read_if_it_comes_before_the_answer")
        .across(Ip::BOTH, still_read);
    rule.case("data_overtaken_by_a_reset_is_lost_if_it_comes_after_the_answer")
        .across(Ip::BOTH, lost);
}

/// Lets whatever follows pass without delay; what is on its way stays there as long as it was told.
fn no_more() -> Netem {
    Netem::new().loss(0.0)
}

async fn fin_first(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let wire = lab.wire();
    let mut forth = lab.impair(Netem::new().delay(HELD)).from("a").turn_on().await?;
    // So long that a hears of the hole when it has been filled.
    let _back = lab.impair(Netem::new().delay(2 * HELD)).from("b").turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let read = b.read(100).blocks().await?;
    let hung_up = b.poll(Events::RDHUP, None).on("poller").blocks().await?;

    a.write("late").ok().await?;
    wire.expect(data().from("a")).await?;
    forth.change(no_more()).await?;
    a.close().ok().await?;

    let read = read.done().await?.bytes(b"late")?;
    let hung_up = hung_up.done().await?.is(&Events::RDHUP)?;
    b.read(100).eof().await?;
    let end = wire.expect(fin().from("a").empty().seq(5).arrived(true)).await?;
    let late = wire.expect(data().from("a").seq(1).arrived(true)).await?;
    same("overtaken", vec![late.clone()], wire.overtaken("a", Wire::start()).await?)?;
    let selective = pure_ack().from("b").ack(1).that("sack 5:6", |it| it.sack == [(5, 6)]);
    wire.expect(selective).after(&end).await?;
    // Neither the reader nor the poller was told before the data was there.
    let held = Window::wheel([HELD], "the delay of the data");
    held.judge("the read, after the write", read.ended().since(late.at()))?;
    held.judge("the poll, after the write", hung_up.ended().since(late.at()))?;
    wire.absent(Wire::start(), rst()).await
}

async fn still_read(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let wire = lab.wire();
    let mut forth = lab.impair(Netem::new().delay(HELD)).from("a").turn_on().await?;
    // The question takes longer than the data.
    let _back = lab.impair(Netem::new().delay(2 * HELD)).from("b").turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let read = b.read(100).blocks().await?;

    a.write("late").ok().await?;
    wire.expect(data().from("a")).await?;
    forth.change(no_more()).await?;
    a.reset().await?;

    read.done().await?.bytes(b"late")?;
    b.read(100).errno(Errno::ECONNRESET).await?;
    b.kernel().is_gone().await?;
    let late = wire.expect(data().from("a").arrived(true)).await?;
    same("overtaken", vec![late], wire.overtaken("a", Wire::start()).await?)?;
    let story = [
        rst().flags(Flags::ACK).from("a").seq(5),
        // The question, and then the data's own acknowledgement.
        pure_ack().from("b").ack(1),
        pure_ack().from("b").ack(5),
        // Each gets an answer from nobody: the first is about a number long past.
        rst().without(Flags::ACK).from("a").seq(1),
        rst().without(Flags::ACK).from("a").seq(5),
    ];
    wire.in_order(Wire::start(), story, Duration::from_secs(1)).await?;
    Ok(())
}

async fn lost(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let wire = lab.wire();
    let mut forth = lab.impair(Netem::new().delay(HELD)).from("a").turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let read = b.read(100).blocks().await?;

    a.write("late").ok().await?;
    wire.expect(data().from("a")).await?;
    forth.change(no_more()).await?;
    a.reset().await?;

    let read = read.done().await?.errno(Errno::ECONNRESET)?;
    b.read(100).eof().await?;
    let late = wire.expect(data().from("a").arrived(true)).await?;
    let arrived = late.arrived.unwrap_or(late.at());
    check("when the reader was told, before", read.ended(), less_than(arrived))?;
    let story = [
        data().from("a").seq(1),
        rst().flags(Flags::ACK).from("a").seq(5),
        pure_ack().from("b").ack(1),
        rst().without(Flags::ACK).from("a").seq(1),
        // The data finds nobody.
        rst().without(Flags::ACK).from("b").seq(1),
    ];
    wire.in_order(Wire::start(), story, Duration::from_secs(1)).await?;
    Ok(())
}
