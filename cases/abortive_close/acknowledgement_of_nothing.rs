//! An acknowledgement of what was never sent does not end a connection, and nothing that comes
//! with it is believed. Its sender is told what holds; older kernels did that only while closing.
//! Source: RFC 9293 3.10.7.4; RFC 5961 5.2; `net/ipv4/tcp_input.c` `tcp_ack`,
//! `tcp_rcv_state_process`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-16"]);
    rule.source("RFC 9293 3.10.7.4; tcp_input.c tcp_ack (TCP_ACK_UNSENT_DATA)");
    rule.case("acknowledgement_of_what_was_never_sent_is_not_believed")
        .across(Ip::BOTH, established);
    rule.case("acknowledgement_of_what_was_never_sent_while_closing_is_corrected")
        .source("tcp_input.c tcp_rcv_state_process: tcp_ack failed, tcp_send_challenge_ack")
        .across(Ip::BOTH, closing);
}

async fn established(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let impostor = lab.impersonate(&b)?;
    let forged = impostor.pure_ack().ack(1000).send().await?;
    impostor.data("lies").ack(1000).send().await?;
    let anything_else =
        any().from("a").that("no challenge", |it| !(pure_ack().seq(1).ack(1)).matches(it));
    lab.wire().never(&forged, anything_else).for_(Duration::from_millis(100)).await?;
    a.kernel().is(State::Established)?;
    let answers = lab.wire().count(&forged, pure_ack().from("a")).await? as u64;
    same("answers", a.host().counter("TCPChallengeACK")?, answers)?;
    b.write("truth").ok().await?;
    a.read(100).bytes(b"truth").await?;
    a.write("heard").ok().await?;
    b.read(100).bytes(b"heard").await?;
    Ok(())
}

async fn closing(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let impostor = lab.impersonate(&b)?;

    // Two FINs that cross: a's is not acknowledged by b's.
    let lost = lab.black_hole().from("a").open().await?;
    a.shut_wr().ok().await?;
    a.kernel().reaches(State::FinWait1).await?;
    let crossing = impostor.fin().seq(1).ack(1).send().await?;
    a.kernel().reaches(State::Closing).await?;
    wire.expect(pure_ack().from("a").ack(2)).after(&crossing).await?;

    let forged = impostor.pure_ack().seq(2).ack(1000).send().await?;
    wire.expect(pure_ack().from("a").seq(2).ack(2)).after(&forged).await?;
    a.kernel().is(State::Closing)?;
    wire.absent(Wire::start(), rst()).await?;

    // The right number ends it.
    impostor.pure_ack().seq(2).ack(2).send().await?;
    a.kernel().reaches(State::TimeWait).await?;
    lost.lift().await?;
    Ok(())
}
