//! A machine that sleeps for a while is only late: what was sent to it meanwhile arrives with the
//! next retransmission after it woke, and the connection goes on.
//! Source: RFC 9293 3.8.1; `net/ipv4/tcp_timer.c` `tcp_retransmit_timer`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["OP-15"]).waits(Duration::from_secs(2));
    rule.source("tcp_timer.c tcp_retransmit_timer");
    rule.case("connection_outlives_a_sleep_shorter_than_the_retransmission_limit")
        .across_on_both_kinds(Ip::BOTH, slept);
}

async fn slept(scene: Scene, kind: HostKind, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    let reading = b.read(100).blocks().await?;
    let sleep = lab.suspend("b").await?;

    a.write("good morning").ok().await?;
    // Asleep until at least one retransmission timeout has been in vain: the tail loss probe, then
    // the timer.
    let lost = data().from("a").retransmitted(true).arrived(false);
    let within = Duration::from_secs(5);
    lab.wire().in_order(Wire::start(), [lost.clone(), lost], within).await?;
    sleep.resume().await?;

    reading.done().await?.bytes(b"good morning")?;
    b.write("thank you").ok().await?;
    a.read(100).bytes(b"thank you").await?;
    Ok(())
}
