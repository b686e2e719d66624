//! Linger zero sends no reset where there is nothing to abort: before the connection exists, and
//! once everything up to the FIN has been sent and the peer's FIN has come.
//! Source: `net/ipv4/tcp.c` `tcp_disconnect`, `tcp_need_reset`; RFC 9293 3.10.5 (ABORT).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-09"]).claims(["A10"]);
    rule.source("tcp.c tcp_disconnect, tcp_need_reset; RFC 9293 3.10.5");
    rule.case("linger_zero_in_syn_sent_goes_without_a_reset").across(Ip::BOTH, syn_sent);
    rule.case("linger_zero_in_closing_goes_without_a_reset").across(Ip::BOTH, closing);
    rule.case("linger_zero_in_last_ack_goes_without_a_reset").across(Ip::BOTH, last_ack);
    rule.case("linger_zero_in_last_ack_resets_while_data_is_unsent")
        .across(Ip::BOTH, last_ack_with_unsent_data);
}

async fn syn_sent(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.address(ip, PORT));
    let _hole = lab.black_hole().from("a").open().await?;

    let socket = client.nonblocking_socket(server).ok().await?;
    socket.connect(server).errno(Errno::EINPROGRESS).await?;
    let a = End::new(socket.clone(), socket.local().ok().await?, server);
    a.kernel().is(State::SynSent)?;
    a.reset().await?;

    a.kernel().is_gone().await?;
    lab.wire().expect(syn().from("a")).await?;
    // Resets would be seen where the patch takes them up, before the hole.
    lab.wire().absent(Wire::start(), rst()).await
}

async fn closing(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    // a's FIN is lost, b's own arrives: two closes that have crossed.
    let _hole = lab.black_hole().from("a").only(Flags::FIN).open().await?;
    a.shut_wr().ok().await?;
    b.shut_wr().ok().await?;
    a.kernel().reaches(State::Closing).await?;
    a.reset().await?;

    a.kernel().is_gone().await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    // b was told nothing but that its FIN had arrived.
    b.kernel().reaches(State::FinWait2).await?;
    Ok(())
}

async fn last_ack(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.shut_wr().ok().await?;
    b.kernel().reaches(State::CloseWait).await?;
    a.kernel().reaches(State::FinWait2).await?;
    let _hole = lab.black_hole().from("b").only(Flags::FIN).open().await?;
    b.shut_wr().ok().await?;
    b.kernel().is(State::LastAck)?;
    b.reset().await?;

    b.kernel().is_gone().await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    a.kernel().is(State::FinWait2)?;
    Ok(())
}

/// The other side of the rule: Linux is in LAST_ACK as soon as the FIN is queued, where RFC 9293
/// would still say CLOSE_WAIT, and there ABORT means RST.
async fn last_ack_with_unsent_data(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.shut_wr().ok().await?;
    b.kernel().reaches(State::CloseWait).await?;
    a.kernel().reaches(State::FinWait2).await?;
    // Without acknowledgements no more than ten segments leave, and the FIN stays behind.
    let silence = lab.black_hole().from("a").open().await?;
    b.write_pattern(20_000).await?.is(&20_000)?;
    b.shut_wr().ok().await?;
    b.kernel().is(State::LastAck)?;
    check("bytes not sent yet", b.unsent().ok().await?, more_than(0))?;
    b.reset().await?;

    a.kernel().is_gone().await?;
    b.kernel().is_gone().await?;
    silence.lift().await?;
    let ends = [fin().from("a"), rst().flags(Flags::ACK).from("b")];
    lab.wire().exactly(Wire::start(), ends).among(ending()).await?;
    let end = a.read_to_end().ok().await?;
    same("a learns of the reset", Some(Errno::ECONNRESET), end.error)
}
