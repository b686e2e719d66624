//! A reset at exactly the next expected sequence number ends the connection, whoever sent it, with
//! or without an acknowledgement; the peer in whose name it came knows nothing.
//! Source: RFC 5961 3.2; `net/ipv4/tcp_input.c` `tcp_validate_incoming`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-10"]);
    rule.source("RFC 5961 3.2; tcp_input.c tcp_validate_incoming, tcp_reset");
    rule.case("reset_at_the_next_expected_number_is_believed")
        .across(([("rst", Flags::RST), ("rst_ack", Flags::RST | Flags::ACK)], Ip::BOTH), believed);
}

async fn believed(scene: Scene, (flags, ip): (Flags, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    b.write("heard").ok().await?;
    a.read(100).bytes(b"heard").await?;
    let read = a.read(100).blocks().await?;

    let reset = lab.impersonate(&b)?.segment(flags).seq(6).send().await?;
    read.done().await?.errno(Errno::ECONNRESET)?.returned_after(&reset)?;
    a.kernel().is_gone().await?;
    a.read(100).eof().await?;

    // Nobody answered it, and b goes on until it speaks.
    lab.wire().absent(&reset, any().from("a")).await?;
    b.kernel().is(State::Established)?;
    b.write("hello?").ok().await?;
    b.kernel().is_gone().await?;
    b.read(100).errno(Errno::ECONNRESET).await?;
    Ok(())
}
