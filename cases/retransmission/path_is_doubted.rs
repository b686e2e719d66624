//! After tcp_retries1 the kernel doubts the path, and keeps it to itself: it asks for another
//! route, and with tcp_mtu_probing for smaller segments, and the application is told nothing.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_timeout`, `tcp_mtu_probing`; RFC 1122 4.2.3.5;
//! `Documentation/networking/ip-sysctl.rst` tcp_retries1, tcp_mtu_probing.

use lastack::prelude::*;

const RETRIES1: &str = "net.ipv4.tcp_retries1";
const MTU_PROBING: &str = "net.ipv4.tcp_mtu_probing";
/// Fills a segment on an Ethernet path over either protocol, and two of `tcp_base_mss`.
const LENGTH: u32 = 1400;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["RT-17"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_write_timeout, tcp_mtu_probing; RFC 1122 4.2.3.5; ip-sysctl");
    rule.case("path_is_doubted_after_tcp_retries1_and_nobody_is_told")
        .across(([("probing_off", false), ("probing_on", true)], Ip::OVER), doubted);
}

async fn doubted(scene: Scene, (probing, ip): (bool, Ip)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", RETRIES1, 1);
    let pair = pair.sysctl("a", MTU_PROBING, u32::from(probing));
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let wire = lab.wire();
    let rto = a.rto().await?;
    let doubt = GiveUp::of(1, rto);

    let hole = lab.black_hole().open().await?;
    a.write_pattern(LENGTH).ok().await?;
    let first = wire.expect(data().from("a").payload(LENGTH)).await?;
    let read = a.read(100).blocks().await?;
    // The tail loss probe, and the timeouts after 0, 2 and 6 times the first; the last of them is
    // beyond what one retransmission stands for.
    let mut last = first.clone();
    for _ in 0..4 {
        let again = data().from("a").retransmitted(true);
        last = wire.expect(again).after(&last).within(Duration::from_secs(5)).await?;
    }

    let mut retries = wire.retries_of(&first).await?;
    let smaller = retries.timeouts.iter().find(|it| it.payload < LENGTH).cloned();
    match smaller {
        Some(smaller) if probing => {
            retries.timeouts.retain(|it| it.payload == LENGTH);
            doubt.judge(&retries, smaller.at())?;
        }
        other => same("a smaller segment", probing, other.is_some())?,
    }

    hole.lift().await?;
    a.kernel().is_acknowledged().await?;
    b.read_until(LENGTH.into()).await?.whole(LENGTH.into())?;
    b.write("all there").ok().await?;
    read.done().await?.bytes(b"all there")?;
    Ok(())
}
