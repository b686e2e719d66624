//! Data that waits behind a gap is not unread data: nobody could have read it. A close sends a
//! FIN over it, and only when the gap is filled does the data that nobody will read reset the
//! connection.
//! Source: `net/ipv4/tcp.c` `__tcp_close` (sk_receive_queue only); `tcp_input.c`
//! `tcp_rcv_state_process` (RCV_SHUTDOWN).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["GC-12"]);
    rule.source("tcp.c __tcp_close; tcp_input.c tcp_rcv_state_process (RCV_SHUTDOWN)");
    rule.case("data_beyond_a_gap_does_not_turn_close_into_a_reset").across(Ip::BOTH, fin_first);
}

async fn fin_first(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();

    let beyond = lab.impersonate(&b)?.data("beyond").seq(6).send().await?;
    wire.expect(any().from("a").ack(1).that("sack", |it| it.sack == [(6, 12)]))
        .after(&beyond)
        .await?;
    same("a: unread", 0, a.unread().ok().await?)?;
    a.close().ok().await?;
    wire.expect(fin().from("a").empty()).await?;
    a.kernel().reaches(State::FinWait2).await?;
    wire.absent(Wire::start(), rst()).await?;
    b.read(100).eof().await?;

    b.write("fills").ok().await?;
    let filler = wire.expect(data().from("b").seq(1).payload(5)).await?;
    wire.expect(rst().from("a")).after(&filler).await?;
    a.kernel().is_gone().await?;
    b.kernel().is_gone().await?;
    Ok(())
}
