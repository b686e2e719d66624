//! What belongs to no connection is answered with a reset, or not at all. A reset never is, and a
//! listener answers only what claims to belong to something.
//! Source: RFC 9293 3.10.7.1, 3.10.7.2; `net/ipv4/tcp_input.c` `tcp_rcv_state_process`
//! (TCP_LISTEN); `tcp_ipv4.c` `tcp_v4_send_reset`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LQ-09"]);
    rule.source("RFC 9293 3.10.7.1, 3.10.7.2; tcp_input.c tcp_rcv_state_process (TCP_LISTEN)");
    rule.case("strays_are_reset_or_dropped")
        .across(([("listening", PORT), ("closed", PORT + 1)], Ip::BOTH), answered);
}

async fn answered(scene: Scene, (port, ip): (u16, Ip)) -> Result {
    let lab = scene.lab().build().await?;
    let wire = lab.wire();
    let server = lab.host("b")?.process().await?;
    let listener = server.listen(server.host().address(ip, PORT)).await?;
    let to = server.host().address(ip, port);
    let source = |number: u16| lab.host("a").map(|host| host.address(ip, 4000 + number));
    let silence = Duration::from_millis(100);

    // An acknowledgement is reset at its own number, with or without a FIN.
    for (number, flags) in [(0, Flags::ACK), (1, Flags::FIN | Flags::ACK)] {
        let nobody = lab.impersonate_towards(source(number)?, to)?;
        let stray = nobody.segment(flags).ack(77).send().await?;
        let answer = wire.expect(rst().from("b")).after(&stray).await?;
        check_that("flags", answer.flags, "without ACK", |it| !it.contains(Flags::ACK))?;
        same("at its own number", stray.ack, answer.seq)?;
    }
    // A reset is never answered.
    for (number, flags) in [(2, Flags::RST), (3, Flags::RST | Flags::ACK)] {
        let nobody = lab.impersonate_towards(source(number)?, to)?;
        let stray = nobody.segment(flags).ack(77).send().await?;
        wire.never(&stray, any()).for_(silence).await?;
    }
    // A FIN that acknowledges nothing is nothing to a listener, and refused where there is none.
    let stray = lab.impersonate_towards(source(4)?, to)?.segment(Flags::FIN).send().await?;
    if port == PORT {
        wire.never(&stray, any()).for_(silence).await?;
    } else {
        let answer = wire.expect(rst().flags(Flags::ACK).from("b")).after(&stray).await?;
        same("acknowledges the FIN", stray.end(), answer.ack)?;
    }

    // None of it has left a trace.
    let backlog = listener.poll(Events::IN, Some(Duration::ZERO)).await?;
    backlog.is(&Events::NONE)?;
    Ok(())
}
