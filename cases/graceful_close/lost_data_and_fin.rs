//! Data and FIN both lost: the tail loss probe sends the FIN again alone, the retransmission
//! timeout sends data and FIN again as one segment. A FIN sent again need not be empty.
//! Source: `net/ipv4/tcp_output.c` `tcp_send_loss_probe`, `tcp_retrans_try_collapse`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["GC-07"]).claims(["A2"]).waits(Duration::from_secs(2));
    rule.source("tcp_output.c tcp_send_loss_probe, tcp_retrans_try_collapse");
    rule.case("lost_data_and_fin_are_sent_again_as_one_segment").across(Ip::BOTH, lost_and_found);
}

async fn lost_and_found(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let read = b.read(100).blocks().await?;

    let cut = lab.black_hole().from("a").open().await?;
    // Ordered together, so that the close follows before the data alone is probed for.
    try_join!(a.write("farewell").ok(), a.close().queued().ok())?;
    // The probe comes two round trips later, the timeout one retransmission timeout after that;
    // the kernel merges the two segments when it finds nobody else holding them.
    let again = [
        data().from("a").payload(8).without(Flags::FIN).retransmitted(false),
        fin().from("a").empty().seq(9).retransmitted(false),
        fin().from("a").empty().seq(9).retransmitted(true),
        fin().from("a").payload(8).seq(1).retransmitted(true),
    ];
    wire.in_order(Wire::start(), again, Duration::from_secs(3)).await?;
    wire.absent(Wire::start(), any().from("b").that("after the handshake", |it| it.ack > 1))
        .await?;
    a.kernel().is(State::FinWait1)?;
    cut.lift().await?;

    read.done().await?.bytes(b"farewell")?;
    b.read(100).eof().await?;
    a.kernel().reaches(State::FinWait2).await?;
    let first = wire.expect(fin().from("a").arrived(true)).await?;
    same("data on the first FIN to arrive", 8, first.payload)
}
