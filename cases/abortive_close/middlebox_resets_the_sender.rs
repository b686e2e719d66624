//! A middlebox that refuses data with a reset ends the connection on one side only: the sender is
//! told, the receiver goes on as if nothing had happened until it speaks itself.
//! Source: nft(8) `reject with tcp reset`; `net/ipv4/tcp_input.c` `tcp_reset`; RFC 9293 3.5.1.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-19"]);
    rule.source("nft(8) reject; tcp_input.c tcp_reset; RFC 9293 3.5.1 (half-open)");
    rule.case("middlebox_reset_reaches_the_sender_and_leaves_the_receiver_unaware")
        .across(Ip::BOTH, one_side_only);
}

async fn one_side_only(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();

    let _middlebox = lab.reject_from("a").turn_on().await?;
    let established = wire.mark().await?;
    a.write("refused").ok().await?;
    a.kernel().is_gone().await?;
    a.read(100).errno(Errno::ECONNRESET).await?;

    // b got nothing, and has nothing to do.
    wire.expect(rst().from_middle().to("a")).after(established).await?;
    wire.absent(established, any().to("b").arrived(true)).await?;
    let entry = b.kernel().is(State::Established)?;
    same("b waits for nothing", None, entry.timer)?;

    // The connection is half-open, and b finds out when it has something to say.
    b.write("hello?").ok().await?;
    b.kernel().is_gone().await?;
    wire.expect(rst().without(Flags::ACK).from("a").seq(1)).await?;
    b.read(100).errno(Errno::ECONNRESET).await?;
    Ok(())
}
