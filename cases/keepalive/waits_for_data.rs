//! Keepalive asks nothing while something is on its way: as long as data is unacknowledged the
//! retransmissions decide, however short keepalive's own patience is. Once it is delivered the
//! silence is counted anew.
//! Source: `net/ipv4/tcp_timer.c` `tcp_keepalive_timer` ("It is alive without keepalive").

use lastack::prelude::*;

const KEEPALIVE: Keepalive = Keepalive::new(1, 1, 1);
/// A limit of retransmissions that is reached after keepalive's, in a few seconds.
const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-04"]).waits(Duration::from_secs(5));
    rule.source("tcp_timer.c tcp_keepalive_timer, tcp_write_timeout");
    rule.case("data_in_flight_suspends_keepalive")
        .claims(["A33"])
        .across(Ip::BOTH, |scene, ip| suspended(scene, ip, RETRIES))
        .stock("data_in_flight_suspends_keepalive_for_a_quarter_of_an_hour")
        .run(|scene| suspended(scene, Ip::V4, 15));
    rule.case("data_for_a_dead_machine_suspends_keepalive")
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
    rule.case("keepalive_goes_on_once_the_data_is_delivered").across(Ip::BOTH, goes_on);
    rule.case("data_written_between_two_probes_takes_over").across(Ip::BOTH, takes_over);
}

fn judge(retries: u32, rto: Duration, first_timeout: &Segment, end: &Outcome<Vec<u8>>) -> Result {
    let limit = GiveUp::of(retries, rto);
    let lasted = end.ended().since(first_timeout.at());
    limit.window().judge("the time from the first timeout to the end was", lasted)
}

async fn suspended(scene: Scene, ip: Ip, retries: u32) -> Result {
    let builder = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let Pair { lab, a, b, .. } = builder.connect().await?;
    let rto = a.rto().await?;

    let _hole = lab.black_hole().open().await?;
    retransmits(lab.wire(), &a, retries, rto).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
    let builder = scene.pair().kind("b", kind).ip(ip);
    let builder = builder.sysctl("a", "net.ipv4.tcp_retries2", RETRIES);
    let Pair { lab, a, .. } = builder.connect().await?;
    let rto = a.rto().await?;

    let _dead = kill(&lab, "b").now().await?;
    retransmits(lab.wire(), &a, RETRIES, rto).await
}

/// One write into a silence: retransmissions and no probe, to the limit of the former.
async fn retransmits(wire: &Wire, a: &End, retries: u32, rto: Duration) -> Result {
    let start = wire.mark().await?;
    a.keep_alive(KEEPALIVE).await?;
    a.write("x").ok().await?;
    let read = a.read(1).await?.errno(Errno::ETIMEDOUT)?;

    wire.absent(start, probe()).await?;
    wire.absent(start, rst()).await?;
    judge(retries, rto, &wire.first_timeout("a", start).await?, &read)?;
    let lasted = read.ended().since(wire.expect(data()).await?.at());
    check("it outlived keepalive's patience", lasted, more_than(KEEPALIVE.end()))?;
    same("keepalive probes", 0, a.host().counter("TCPKeepAlive")?)
}

async fn goes_on(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let start = wire.mark().await?;

    // The last of these comes eight timeouts after the write, and the next eight later.
    let hole = lab.black_hole().open().await?;
    a.keep_alive(KEEPALIVE).await?;
    a.write("x").ok().await?;
    let lost = data().from("a").arrived(false);
    wire.in_order(start, vec![lost; 5], 2 * KEEPALIVE.end()).await?;
    hole.lift().await?;

    b.read(1).bytes(b"x").await?;
    a.kernel().is_acknowledged().await?;
    wire.absent(start, probe()).await?;
    let heard = wire.expect(pure_ack().from("b").ack(2).arrived(true)).await?;
    let next = probe().from("a").seq(1).arrived(true);
    let next = wire.expect(next).after(&heard).within(2 * KEEPALIVE.idle()).await?;
    KEEPALIVE.judge(&heard, &[next])
}

async fn takes_over(scene: Scene, ip: Ip) -> Result {
    let builder = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", RETRIES);
    let Pair { lab, a, .. } = builder.connect().await?;
    let wire = lab.wire();
    let (start, rto) = (wire.mark().await?, a.rto().await?);

    let _hole = lab.black_hole().open().await?;
    a.keep_alive(KEEPALIVE).await?;
    let asked = wire.expect(probe().from("a")).after(start).within(2 * KEEPALIVE.idle()).await?;
    // One interval later this would be the end.
    a.write("x").ok().await?;
    let read = a.read(1).await?.errno(Errno::ETIMEDOUT)?;
    judge(RETRIES, rto, &wire.first_timeout("a", &asked).await?, &read)?;
    wire.absent(&asked, probe()).await?;
    wire.absent(start, rst()).await
}
