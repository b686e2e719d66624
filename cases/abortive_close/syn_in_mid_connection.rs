//! A SYN that reaches an established connection, whatever its number, is answered with an
//! acknowledgement and nothing else: a peer that has truly begun anew will reset on it.
//! Source: RFC 5961 4.2; `net/ipv4/tcp_input.c` `tcp_validate_incoming` (syn_challenge).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let (syn, syn_ack) = (Flags::SYN, Flags::SYN | Flags::ACK);
    let rule = family.rule(["AB-15"]);
    rule.source("RFC 5961 4.2; tcp_input.c tcp_validate_incoming, tcp_send_challenge_ack");
    rule.case("syn_in_mid_connection_is_asked_about").across(
        [
            ("syn_expected_ipv4", (Ip::V4, syn, 6)),
            ("syn_expected_ipv6", (Ip::V6, syn, 6)),
            ("syn_old_ipv4", (Ip::V4, syn, 0)),
            ("syn_far_ahead_ipv6", (Ip::V6, syn, 1 << 30)),
            ("syn_ack_expected_ipv4", (Ip::V4, syn_ack, 6)),
            ("syn_ack_far_ahead_ipv6", (Ip::V6, syn_ack, 1 << 30)),
        ],
        asked_about,
    );
}

async fn asked_about(scene: Scene, (ip, flags, seq): (Ip, Flags, u32)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.write("hello").ok().await?;
    b.read(100).bytes(b"hello").await?;

    let forged = lab.impersonate(&a)?.segment(flags).seq(seq).send().await?;
    lab.wire().expect(pure_ack().from("b").seq(1).ack(6)).after(&forged).await?;
    same("challenges", 1, b.host().counter("TCPSYNChallenge")?)?;
    // The true peer is where it was, and so is everything.
    lab.wire().absent(&forged, any().from("a")).await?;
    b.write("still here").ok().await?;
    a.read(100).bytes(b"still here").await?;
    lab.wire().absent(Wire::start(), ending()).await
}
