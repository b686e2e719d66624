//! With IP_RECVERR an ICMP error about established data is reported at once, and is a report all
//! the same: the connection stays, goes on retransmitting, and delivers when the path heals.
//! Source: `tcp(7)`, `ip(7)` IP_RECVERR; `net/ipv4/tcp_ipv4.c` `tcp_v4_err`; `net/ipv6/tcp_ipv6.c`
//! `tcp_v6_err`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-14"]).waits(Duration::from_secs(2));
    rule.source("ip(7) IP_RECVERR; tcp_ipv4.c tcp_v4_err; tcp_ipv6.c tcp_v6_err");
    rule.case("recverr_reports_an_icmp_error_and_the_connection_lives").across(Ip::BOTH, reported);
}

async fn reported(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().routed().ip(ip).connect().await?;
    let recverr = if ip == Ip::V4 { option::RECVERR } else { option::RECVERR6 };
    a.set(recverr, 1).ok().await?;
    let poll = a.poll(Events::IN, None).on("poller").blocks().await?;
    let router = lab.router_answers(IcmpError::HostUnreachable).from("a").turn_on().await?;

    a.write("hello?").ok().await?;
    let poll = poll.done().await?;
    // An answer that comes while the write still holds the socket's lock is no more than a hint;
    // the next one counts.
    let held_back = a.host().counter("LockDroppedIcmps")? as usize;
    let sent = router.hit().await?;
    let Some(reported) = sent.get(held_back) else {
        let expected = format!("more than the {held_back} held back");
        return Err(Error::mismatch("transmissions", expected, sent.len().to_string()));
    };
    poll.returned_after(reported)?.is(&Events::ERR)?;
    a.read(1).errno(Errno::EHOSTUNREACH).await?;
    a.kernel().is(State::Established)?;

    let healed = lab.wire().mark().await?;
    router.lift().await?;
    // Every answer until then was a report of its own; the last may not have been read.
    a.get(option::ERROR).ok().await?;
    let again = data().from("a").retransmitted(true).arrived(true);
    lab.wire().expect(again).after(healed).within(Duration::from_secs(3)).await?;
    b.read(64).bytes(b"hello?").await?;
    b.write("hello!").ok().await?;
    a.read(64).bytes(b"hello!").await?;
    Ok(())
}
