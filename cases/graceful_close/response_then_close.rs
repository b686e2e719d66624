//! A server that has read the request, writes its response and closes at once loses none of it:
//! the client reads every byte, then the end.
//! Source: RFC 9293 3.6 (CLOSE is graceful: what was sent before is delivered); `net/ipv4/tcp.c`
//! `__tcp_close`.

use lastack::prelude::*;

/// Many times what the first flight carries.
const RESPONSE: u32 = 100_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["GC-15"]).claims(["A2"]).source("RFC 9293 3.6; tcp.c __tcp_close");
    rule.case("a_response_closed_behind_arrives_whole").across(Ip::BOTH, respond_and_close);
}

async fn respond_and_close(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a: client, b: server, .. } = scene.pair().ip(ip).connect().await?;

    client.write("GET /").ok().await?;
    let response = client.read_to_end().blocks().await?;
    server.read(100).bytes(b"GET /").await?;
    server.write_pattern(RESPONSE).await?.is(&(RESPONSE as usize))?;
    server.close().ok().await?;

    response.done().await?.whole(RESPONSE.into())?;
    client.read(1).eof().await?;
    client.close().ok().await?;
    server.kernel().reaches(State::TimeWait).await?;
    client.kernel().is_gone().await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    Ok(())
}
