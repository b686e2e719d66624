//! SO_LINGER on with time zero turns close into a reset: what is queued is thrown away, sent or
//! not, one RST goes out, and neither side keeps a TIME_WAIT.
//! Source: `net/ipv4/tcp.c` `__tcp_close`, `tcp_disconnect`; RFC 9293 3.10.7 (ABORT); socket(7).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-01"]).claims(["A3", "A10", "B30", "B35", "B67"]);
    rule.source("tcp.c __tcp_close, tcp_disconnect; socket(7) SO_LINGER");
    rule.case("linger_zero_discards_the_queue_and_resets_at_once")
        .across(Ip::BOTH, discards_and_resets);
}

/// More than ten full segments, the most that may be under way before the first acknowledgement
/// (RFC 6928), so a part is sent and a part is not.
const WRITTEN: u32 = 20_000;

async fn discards_and_resets(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let established = wire.mark().await?;

    let silence = lab.black_hole().from("b").open().await?;
    a.write_pattern(WRITTEN).await?.is(&(WRITTEN as usize))?;
    a.unacknowledged().await?.is(&(WRITTEN as usize))?;
    check("bytes not sent yet", a.unsent().ok().await?, more_than(0))?;

    // Nothing that b sends gets through: a close that comes back has waited for none of it.
    a.reset().await?;
    a.kernel().is_gone().await?;
    b.kernel().is_gone().await?;
    silence.lift().await?;

    let ends = wire.exactly(established, [rst().flags(Flags::ACK).from("a").empty()]);
    let reset = ends.among(ending()).await?.remove(0);
    wire.absent(&reset, any()).await?;

    // What b read is what was sent before the reset, and no more.
    let sent = u64::from(reset.seq - 1);
    check("bytes sent", sent, less_than(WRITTEN.into()))?;
    let error = Some(Errno::ECONNRESET);
    b.read_to_end().await?.is(&Drained { bytes: sent, intact: true, error })?;
    Ok(())
}
