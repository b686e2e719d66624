//! A response that is still queued when its server closes with the request unread loses its tail:
//! the client reads what had arrived and then meets the reset.
//! Source: `net/ipv4/tcp.c` `__tcp_close`; `tcp_write_queue_purge`; RFC 9112 9.6.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UD-03"]).claims(["A8", "B4", "B5", "B13"]);
    rule.source("tcp.c __tcp_close, tcp_write_queue_purge; RFC 9112 9.6");
    rule.case("close_with_unread_data_loses_what_is_still_queued").across(Ip::BOTH, tail_lost);
}

/// Several times what the client's receive buffer takes, and less than the server's send buffer
/// holds, so that the server may believe all is well.
const RESPONSE: u32 = 40_000;

async fn tail_lost(scene: Scene, ip: Ip) -> Result {
    let slow_client = scene.pair().ip(ip).option_on_a(option::RCVBUF, 4096);
    let roomy_server = slow_client.option_on_listener(option::SNDBUF, 100_000);
    let Pair { lab, a, b, .. } = roomy_server.connect().await?;

    a.write("request body").ok().await?;
    b.kernel().has_unread(12).await?;
    b.write_pattern(RESPONSE).await?.is(&(RESPONSE as usize))?;
    a.kernel().has_any_unread().await?;
    check("bytes not sent yet", b.unsent().ok().await?, more_than(0))?;
    // Success, as far as the server can tell.
    b.close().ok().await?;
    a.kernel().is_gone().await?;

    let read = a.read_to_end().ok().await?;
    check_that("what was read", &read, "the beginning of it", |it| it.intact)?;
    check("bytes read", read.bytes, more_than(0))?;
    check("bytes read", read.bytes, less_than(RESPONSE.into()))?;
    same("the end of it", Some(Errno::ECONNRESET), read.error)?;
    lab.wire().absent(Wire::start(), fin()).await
}
