//! A path that swallows long packets and says nothing connects, carries small messages, and hangs
//! on bulk; path MTU probing, off by default, finds the size that passes.
//! Source: RFC 2923 2.1; RFC 4821; `net/ipv4/tcp_timer.c` `tcp_mtu_probing`, `tcp_write_timeout`;
//! ip-sysctl.rst tcp_mtu_probing.

use lastack::prelude::*;

/// What passes, in bytes: tcp_base_mss (1024) and headers.
const PASSES: u32 = 1200;
const BULK: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-29"]).waits(Duration::from_secs(4));
    rule.source("RFC 2923 2.1; tcp_timer.c tcp_write_timeout");
    rule.case("bulk_hangs_where_only_small_packets_pass")
        .across(Ip::BOTH, |scene, ip| hangs(scene, ip, 2))
        .stock("bulk_hangs_for_a_quarter_of_an_hour_where_only_small_packets_pass")
        .source("RFC 2923 2.1; tcp_timer.c tcp_write_timeout; ip-sysctl tcp_retries2")
        .run(|scene| hangs(scene, Ip::V4, timers::STOCK_RETRIES));
    rule.case("path_mtu_probing_finds_the_size_that_passes")
        .source("RFC 4821; tcp_timer.c tcp_mtu_probing; ip-sysctl.rst tcp_mtu_probing")
        .across(Ip::BOTH, heals);
}

async fn hangs(scene: Scene, ip: Ip, retries: u32) -> Result {
    let pair = scene.pair().routed().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let hole = lab.router_drops().from("a").longer_than(PASSES).turn_on().await?;
    a.write("small").ok().await?;
    b.read(64).bytes(b"small").await?;
    a.kernel().is_acknowledged().await?;

    let (start, rto) = (lab.wire().mark().await?, a.rto().await?);
    a.write_pattern(BULK).ok().await?;
    let told = a.read(1).errno(Errno::ETIMEDOUT).await?;
    // The tail loss probe repeats the last segment, the timeouts the first.
    let first = lab.wire().expect(data().from("a")).after(start).await?;
    let again = lab.wire().sent_again(&first).await?;
    let first = again.first().ok_or_else(|| Error::mismatch("a", "sends it again", "never"))?;
    GiveUp::of(retries, rto)
        .window()
        .judge("the end after the first timeout", told.ended().since(first.at()))?;
    b.kernel().is(State::Established)?;
    let swallowed = hole.hit().await?;
    let shortest = swallowed.iter().map(|lost| lost.payload).min().unwrap_or(0);
    check("the shortest that vanished", shortest, more_than(1000))?;
    let long = data().from("a").that("long", |it| it.payload > 1000).arrived(true);
    lab.wire().absent(Wire::start(), long).await
}

async fn heals(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().routed().ip(ip).sysctl("a", "net.ipv4.tcp_mtu_probing", 1);
    // After as many timeouts as make a sender doubt its path.
    let pair = pair.sysctl("a", "net.ipv4.tcp_retries1", 1);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let before = a.info().ok().await?.snd_mss();
    let hole = lab.router_drops().from("a").longer_than(PASSES).turn_on().await?;

    a.write_pattern(BULK).ok().await?;
    b.read_until(BULK.into()).await?.whole(BULK.into())?;
    let after = a.info().ok().await?.snd_mss();
    check("bytes a segment, then", after, less_than(before.min(PASSES)))?;
    hole.lift().await?;
    Ok(())
}
