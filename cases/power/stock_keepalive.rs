//! A program that only switches keepalive on learns of its peer's death after two hours, eleven
//! minutes and a quarter: 7200 s of silence, nine probes 75 s apart, and what the coarse timers add
//! to each. Then a reset goes out to nobody, and the reader is told ETIMEDOUT.
//! Source: tcp(7) tcp_keepalive_time, tcp_keepalive_intvl, tcp_keepalive_probes; RFC 1122 4.2.3.6
//! (no less than two hours); `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["OP-03"]).claims(["A30"]).needs([Need::VirtualTime]);
    rule.waits(Keepalive::STOCK.end());
    rule.source("tcp_timer.c tcp_keepalive_timer; tcp(7) tcp_keepalive_time; RFC 1122 4.2.3.6");
    rule.case("stock_keepalive_finds_a_dead_machine_after_two_hours_and_eleven_minutes")
        .across(Death::BOTH, found_dead);
}

async fn found_dead(scene: Scene, kill: Kill) -> Result {
    let stock = Keepalive::STOCK;
    let Pair { lab, a, .. } = scene.pair().option_on_a(option::KEEPALIVE, 1).connect().await?;
    a.get(option::KEEPIDLE).await?.is(&stock.idle)?;
    a.get(option::KEEPINTVL).await?.is(&stock.interval)?;
    a.get(option::KEEPCNT).await?.is(&stock.probes)?;
    let heard = lab.wire().expect(syn_ack().from("b")).await?;
    let reading = a.read(1).blocks().await?;
    let alive = lab.wire().mark().await?;

    let _dead = kill(&lab, "b").now().await?;

    let told = reading.done().await?.errno(Errno::ETIMEDOUT)?;
    stock.end_window().judge("after the last segment heard", told.ended().since(heard.at()))?;
    let asked = std::iter::repeat_n(probe().from("a"), stock.probes as usize);
    let sent = lab.wire().exactly(alive, asked.chain([rst().from("a")])).await?;
    stock.judge(&heard, &sent)?;
    a.read(1).eof().await?;
    a.kernel().is_gone().await?;
    Ok(())
}
