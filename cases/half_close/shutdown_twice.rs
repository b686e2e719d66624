//! A repeated SHUT_WR succeeds and sends nothing more; once the connection has gone to TIME_WAIT
//! the socket is not connected any more and says so.
//! Source: `net/ipv4/af_inet.c` `inet_shutdown`; `net/ipv4/tcp.c` `tcp_shutdown`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-08"]).claims(["B17"]).waits(Duration::from_secs(1));
    rule.source("af_inet.c inet_shutdown; tcp.c tcp_shutdown");
    rule.case("a_second_shut_wr_sends_no_second_fin").across(Ip::BOTH, twice);
}

async fn twice(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();

    let unanswered = lab.black_hole().from("b").open().await?;
    a.shut_wr().ok().await?;
    a.kernel().is(State::FinWait1)?;
    a.shut_wr().ok().await?;
    b.kernel().reaches(State::CloseWait).await?;
    wire.expect(pure_ack().from("b").ack(2).arrived(false)).await?;
    unanswered.lift().await?;

    a.kernel().reaches(State::FinWait2).await?;
    let acknowledged = wire.mark().await?;
    a.shut_wr().ok().await?;
    wire.absent(acknowledged, any().from("a")).await?;

    b.close().ok().await?;
    a.kernel().reaches(State::TimeWait).await?;
    a.shut_wr().errno(Errno::ENOTCONN).await?;
    wire.exactly(Wire::start(), [fin().seq(1)]).among(fin().from("a").retransmitted(false)).await?;
    Ok(())
}
