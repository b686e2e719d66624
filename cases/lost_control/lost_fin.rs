//! A lost FIN is sent again like lost data: first by the tail loss probe, then by the
//! retransmission timeout, each twice as long as the one before. The end of file is late by that.
//! Source: `net/ipv4/tcp_output.c` `tcp_schedule_loss_probe`; RFC 6298 5.5.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let times = [("once", 1), ("twice", 2), ("thrice", 3)];
    let rule = family.rule(["LC-01"]).waits(Duration::from_millis(900));
    rule.source("tcp_output.c tcp_schedule_loss_probe; RFC 6298 5.5");
    rule.case("lost_fin_makes_the_end_of_file_late")
        .across((times, Ip::BOTH).but(["twice_ipv6", "thrice_ipv4"]), late);
}

async fn late(scene: Scene, (times, ip): (u32, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let rto = a.rto().await?;
    let read = b.read(100).blocks().await?;

    let fins = packets().from("a").flags(Flags::FIN).first(times).are_dropped();
    let lost = lab.rules([fins]).turn_on().await?;
    a.close().ok().await?;
    let patience = Duration::from_secs(3);
    let found = wire.expect(fin().from("a").arrived(true)).within(patience).await?;
    read.done().await?.eof()?.returned_after(&found)?;
    a.kernel().reaches(State::FinWait2).await?;

    // The probe leaves room for a delayed acknowledgement; timeouts follow it and double.
    let first = wire.expect(fin().from("a")).await?;
    let timeouts = (0..times - 1).map(|n| timers::rto_gap(n, rto, timers::RTO_MAX));
    let waits = [timers::RTO_MIN].into_iter().chain(timeouts);
    let late = Window::wheel(waits, "loss probe and timeouts");
    late.judge("the end of file was late", found.at().since(first.at()))?;
    same("FINs lost", vec![u64::from(times)], lost.lift().await?)?;
    wire.absent(Wire::start(), rst()).await
}
