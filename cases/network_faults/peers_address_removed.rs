//! A peer that no longer has the address of a connection takes nothing in and says nothing: the
//! sender is not told before TCP gives up.
//! Source: `net/ipv4/devinet.c` `inet_del_ifa` (no socket is looked at); `net/ipv4/ip_input.c`
//! `ip_rcv_finish`; `net/ipv4/tcp_timer.c` `tcp_write_timeout`.

use lastack::prelude::*;
use lastack::wire::{Kind, Stray};

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-10"]).waits(Duration::from_secs(4));
    rule.source("ip_input.c ip_rcv_finish; tcp_timer.c tcp_write_timeout");
    rule.case("peer_without_its_address_is_silent")
        .across(Ip::BOTH, |scene, ip| peer(scene, ip, RETRIES))
        .stock("stock_peer_without_its_address_is_silent_for_a_quarter_of_an_hour")
        .source("ip_input.c ip_rcv_finish; tcp_timer.c tcp_write_timeout; ip-sysctl tcp_retries2")
        .run(|scene| peer(scene, Ip::V4, timers::STOCK_RETRIES));
}

async fn peer(scene: Scene, ip: Ip, retries: u32) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let end = GiveUp::of(retries, a.rto().await?);
    let start = lab.wire().mark().await?;
    let _gone = lab.remove_address("b", ip).await?;

    a.write("hello?").ok().await?;
    let failed = a.read(1).errno(Errno::ETIMEDOUT).await?;

    // It gets as far as the peer, who does not know that it is meant.
    let again = || data().from("a").retransmitted(true).arrived(true);
    let sent = lab.wire().in_order(start, [again(), again()], Duration::from_secs(2)).await?;
    end.window().judge("after the first timeout", failed.ended().since(sent[1].at()))?;
    lab.wire().absent(start, any().from("b")).await?;
    let told = |it: &&Stray| it.from == "b" && it.what.kind == Kind::Icmp;
    same("ICMP from b", 0, lab.wire().strays().iter().filter(told).count())?;
    let silent = b.kernel().is(State::Established)?;
    same("unread at b", 0, silent.receive_queue)
}
