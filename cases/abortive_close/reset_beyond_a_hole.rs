//! A reset that is ahead of what has arrived is not believed but asked about: the challenge goes
//! to a connection that no longer exists, and the answer to that is the reset that counts.
//! Source: RFC 5961 3.2; `net/ipv4/tcp_input.c` `tcp_validate_incoming`; RFC 9293 3.5.2.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-14"]).claims(["A3"]);
    rule.source("RFC 5961 3.2; tcp_input.c tcp_validate_incoming, tcp_send_challenge_ack");
    rule.case("reset_beyond_lost_data_takes_a_challenge_and_a_second_reset")
        .across(Ip::BOTH, challenged);
}

async fn challenged(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();

    let hole = lab.black_hole().from("a").only(Flags::PSH).open().await?;
    let read = b.read(100).blocks().await?;
    a.write("lost").ok().await?;
    a.reset().await?;

    read.done().await?.errno(Errno::ECONNRESET)?;
    b.read(100).eof().await?;
    b.kernel().is_gone().await?;
    hole.lift().await?;
    let story = [
        data().from("a").payload(4).arrived(false),
        rst().flags(Flags::ACK).from("a").seq(5),
        pure_ack().from("b").ack(1),
        rst().without(Flags::ACK).from("a").seq(1),
    ];
    wire.in_order(Wire::start(), story, Duration::from_secs(1)).await?;
    // The first one alone was not enough.
    same("resets", 2, wire.count(Wire::start(), rst()).await?)
}
