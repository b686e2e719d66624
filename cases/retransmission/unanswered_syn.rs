//! connect() without an answer sends tcp_syn_linear_timeouts SYNs a second apart and doubles the
//! wait after that; it fails with ETIMEDOUT after tcp_syn_retries more, or once the time is up
//! that these stand for without the linear ones.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_timeout`, `tcp_retransmit_timer`;
//! `Documentation/networking/ip-sysctl.rst` tcp_syn_retries, tcp_syn_linear_timeouts.

use std::net::SocketAddr;

use lastack::prelude::*;

const RETRIES: &str = "net.ipv4.tcp_syn_retries";
const LINEAR: &str = "net.ipv4.tcp_syn_linear_timeouts";

pub fn cases(family: &mut Family) {
    // A SYN a second is ended by their number, or by the time.
    let linear = [("one_doubling", 0), ("one_linear", 1), ("four_linear_cut_short", 4)];
    let rule = family.rule(["RT-13"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_write_timeout, tcp_retransmit_timer; ip-sysctl");
    rule.case("unanswered_syn_is_sent_again_and_again_until_connect_times_out")
        .needs([Need::Sysctl(LINEAR)])
        .across((linear, Ip::OVER), times_out);
    rule.case("connect_to_a_dead_machine_times_out")
        .needs([Need::Sysctl(LINEAR)])
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
    rule.stock("stock_connect_fails_after_eleven_syns_and_two_minutes")
        .covers(["RT-12"])
        .source("tcp_timer.c tcp_write_timeout; ip-sysctl tcp_syn_linear_timeouts (Linux 6.5)")
        .needs([Need::Kernel(6, 5)])
        .waits(Duration::from_secs(135))
        .across(Ip::BOTH, |scene, ip| stock(scene, ip, STOCK_LINEAR, 11));
    rule.stock("stock_connect_before_linear_timeouts_fails_after_seven_syns_and_two_minutes")
        .covers(["RT-12"])
        .source("tcp_timer.c tcp_write_timeout; ip-sysctl tcp_syn_retries (Linux 6.4)")
        .needs([Need::Before(6, 5)])
        .waits(Duration::from_secs(131))
        .across(Ip::BOTH, |scene, ip| stock(scene, ip, 0, 7));
}

/// `tcp_syn_retries` as it comes.
const STOCK_RETRIES: u32 = 6;
/// `tcp_syn_linear_timeouts` as it comes.
const STOCK_LINEAR: u32 = 4;

/// With nothing set, so that what is found is what this kernel has in stock.
async fn stock(scene: Scene, ip: Ip, linear: u32, syns: usize) -> Result {
    let lab = scene.lab().build().await?;
    let sent = unanswered(&lab, ip, STOCK_RETRIES, linear).await?;
    same("SYNs", syns, sent)
}

async fn times_out(scene: Scene, (linear, ip): (u32, Ip)) -> Result {
    let retries = 1;
    let lab = scene.lab().sysctl("a", RETRIES, retries).sysctl("a", LINEAR, linear).build().await?;
    unanswered(&lab, ip, retries, linear).await?;
    Ok(())
}

/// Connects into a silence. How many SYNs there were.
async fn unanswered(lab: &Lab, ip: Ip, retries: u32, linear: u32) -> Result<usize> {
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = server.host().address(ip, PORT);
    server.listen(address).await?;

    let _silence = lab.black_hole().open().await?;
    connects(lab, &client, address, timers::connect(retries, linear)).await
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
    let lab = scene.lab().kind("b", kind).sysctl("a", RETRIES, 1).sysctl("a", LINEAR, 0);
    let lab = lab.build().await?;
    let client = lab.host("a")?.process().await?;

    let _dead = kill(&lab, "b").now().await?;
    let address = lab.host("b")?.address(ip, PORT);
    connects(&lab, &client, address, timers::connect(1, 0)).await?;
    Ok(())
}

async fn connects(
    lab: &Lab,
    client: &Process,
    address: SocketAddr,
    times: (Vec<Duration>, Duration),
) -> Result<usize> {
    let told = client.socket(address).ok().await?.connect(address).await?;
    lab.judge_unanswered_connect(told, &times).await.map(|sent| sent.len())
}
