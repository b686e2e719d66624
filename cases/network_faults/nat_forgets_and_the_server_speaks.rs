//! A NAT that has lost its state cannot tell whom the server means. One that serves as a host as
//! well answers with a reset in its own name; one that drops leaves the server to its timers.
//! Neither lets the client know.
//! Source: `net/netfilter/nf_conntrack_core.c` `nf_conntrack_in`; `net/ipv4/tcp_ipv4.c`
//! `tcp_v4_rcv` (no_tcp_socket); `net/ipv4/tcp_timer.c` `tcp_write_timeout`; RFC 9293 3.5.1.

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-22"]);
    rule.source("nf_conntrack_core.c nf_conntrack_in; tcp_timer.c tcp_write_timeout");
    rule.case("server_behind_a_dropping_nat_that_forgot_times_out")
        .waits(Duration::from_secs(4))
        .across(Ip::BOTH, |scene, ip| dropped(scene, ip, RETRIES))
        .stock("stock_server_behind_a_dropping_nat_that_forgot_tries_for_a_quarter_of_an_hour")
        .source("nf_conntrack_core.c nf_conntrack_in; ip-sysctl tcp_retries2 (924.6 seconds)")
        .run(|scene| dropped(scene, Ip::V4, timers::STOCK_RETRIES));
    rule.case("server_behind_a_nat_that_forgot_is_reset_by_it")
        .source("tcp_ipv4.c tcp_v4_rcv (no_tcp_socket); RFC 9293 3.5.1")
        .across(Ip::BOTH, reset);
}

async fn dropped(scene: Scene, ip: Ip, retries: u32) -> Result {
    let lab = scene.lab().routed().sysctl("b", "net.ipv4.tcp_retries2", retries).build().await?;
    let nat = lab.router_tracks().masquerading("a").strangers(Strangers::Drop).turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let rto = b.rto().await?;
    let established = lab.wire().mark().await?;
    nat.forget().await?;

    b.write("news").ok().await?;
    let failed = b.read(1).errno(Errno::ETIMEDOUT).await?;
    let first = lab.wire().expect(data().from("b")).await?;
    let end = GiveUp::of(retries, rto);
    end.judge(&lab.wire().retries_of(&first).await?, failed.ended())?;
    unaware(&lab, established, &a).await
}

async fn reset(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().routed().build().await?;
    let nat = lab.router_tracks().masquerading("a").turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let established = lab.wire().mark().await?;
    nat.forget().await?;

    b.write("news").ok().await?;
    b.kernel().is_gone().await?;
    b.read(1).errno(Errno::ECONNRESET).await?;
    lab.wire().expect(rst().from_middle().to("b")).after(established).await?;
    unaware(&lab, established, &a).await
}

/// Nothing has come to the client, and it expects nothing.
async fn unaware(lab: &Lab, since: Mark, client: &End) -> Result {
    lab.wire().absent(since, any().to("a").arrived(true)).await?;
    let entry = client.kernel().is(State::Established)?;
    same("timer of the client", None, entry.timer)
}
