//! Closing a listener leaves the connections accepted from it alone; only new ones are refused.
//! Source: `net/ipv4/inet_connection_sock.c` `inet_csk_listen_stop` (touches what is not yet
//! accepted); RFC 9293 3.10.7.1 (a segment to no socket is answered with a reset).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["GC-08"]);
    rule.source("inet_connection_sock.c inet_csk_listen_stop; RFC 9293 3.10.7.1");
    rule.case("an_accepted_connection_outlives_its_listener").across(Ip::BOTH, outlives);
}

async fn outlives(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, listener } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let established = wire.mark().await?;

    listener.close().ok().await?;
    wire.absent(established, any()).await?;
    b.kernel().is(State::Established)?;

    let newcomer = a.process.socket(b.local_address()).ok().await?;
    newcomer.connect(b.local_address()).errno(Errno::ECONNREFUSED).await?;
    let refused = wire.expect(syn().from("a")).after(established).await?;
    wire.expect(rst().from("b").of_connection_of(&refused)).after(&refused).await?;

    a.write("still").ok().await?;
    b.read(10).bytes(b"still").await?;
    b.write("here").ok().await?;
    a.read(10).bytes(b"here").await?;
    a.close().ok().await?;
    b.read(10).eof().await?;
    b.close().ok().await?;
    a.kernel().reaches(State::TimeWait).await?;
    wire.exactly(established, [rst().of_connection_of(&refused)]).among(rst()).await?;
    Ok(())
}
