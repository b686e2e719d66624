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
    family
        .case("unanswered_syn_is_sent_again_and_again_until_connect_times_out")
        .covers(["RT-13"])
        .source("tcp_timer.c tcp_write_timeout, tcp_retransmit_timer; ip-sysctl")
        .needs([Need::Sysctl(LINEAR)])
        .waits(Duration::from_secs(4))
        .across(
            [
                ("one_doubling", (Ip::V4, 1, 0)),
                ("one_doubling_over_ipv6", (Ip::V6, 1, 0)),
                // A SYN a second, ended by their number.
                ("one_linear", (Ip::V4, 1, 1)),
                ("one_linear_over_ipv6", (Ip::V6, 1, 1)),
                // A SYN a second, ended by the time.
                ("four_linear_cut_short", (Ip::V4, 1, 4)),
                ("four_linear_cut_short_over_ipv6", (Ip::V6, 1, 4)),
            ],
            times_out,
        );
    family
        .case("connect_to_a_dead_machine_times_out")
        .covers(["RT-13"])
        .source("tcp_timer.c tcp_write_timeout, tcp_retransmit_timer; ip-sysctl")
        .needs([Need::Sysctl(LINEAR)])
        .waits(Duration::from_secs(4))
        .across_on_both_kinds(Death::BOTH_OVER_BOTH, dead);
    family
        .case("stock_connect_fails_after_eleven_syns_and_two_minutes")
        .covers(["RT-12"])
        .source("tcp_timer.c tcp_write_timeout; ip-sysctl tcp_syn_linear_timeouts (Linux 6.5)")
        .needs([Need::VirtualTime, Need::Kernel(6, 5)])
        .waits(Duration::from_secs(135))
        .across(Ip::BOTH, |scene, ip| stock(scene, ip, STOCK_LINEAR, 11));
    family
        .case("stock_connect_before_linear_timeouts_fails_after_seven_syns_and_two_minutes")
        .covers(["RT-12"])
        .source("tcp_timer.c tcp_write_timeout; ip-sysctl tcp_syn_retries (Linux 6.4)")
        .needs([Need::VirtualTime, Need::Before(6, 5)])
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

async fn times_out(scene: Scene, (ip, retries, linear): (Ip, u32, u32)) -> Result {
    let lab = scene.lab().sysctl("a", RETRIES, retries).sysctl("a", LINEAR, linear).build().await?;
    unanswered(&lab, ip, retries, linear).await.map(drop)
}

/// Connects into a silence. How many SYNs there were.
async fn unanswered(lab: &Lab, ip: Ip, retries: u32, linear: u32) -> Result<usize> {
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = server.host().address(ip, PORT);
    server.listen(address).await?;

    let _silence = lab.black_hole().open().await?;
    connects(lab, &client, address, timers::connect(retries, linear)).await
}

async fn dead(scene: Scene, kind: HostKind, (ip, kill): (Ip, Kill)) -> Result {
    let lab = scene.lab().kind("b", kind).sysctl("a", RETRIES, 1).sysctl("a", LINEAR, 0);
    let lab = lab.build().await?;
    let client = lab.host("a")?.process().await?;

    let _dead = kill(&lab, "b").now().await?;
    let address = lab.host("b")?.address(ip, PORT);
    connects(&lab, &client, address, timers::connect(1, 0)).await.map(drop)
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
