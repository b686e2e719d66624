//! TCP_USER_TIMEOUT bounds connect() as well, counted from the SYN; but a SYN is sent a second
//! time before a connection attempt is given up, however short the time.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_timeout`, `retransmits_timed_out`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    family
        .case("user_timeout_bounds_connect")
        .covers(["UT-07"])
        .source("tcp_timer.c tcp_write_timeout, retransmits_timed_out; tcp(7)")
        .waits(Duration::from_secs(3))
        .across(
            [
                ("ipv4", (Ip::V4, 2500)),
                ("ipv6", (Ip::V6, 2500)),
                ("shorter_than_the_first_timeout", (Ip::V4, 500)),
                ("shorter_than_the_first_timeout_over_ipv6", (Ip::V6, 500)),
            ],
            bounds,
        );
    family
        .case("user_timeout_bounds_connect_to_a_dead_machine")
        .covers(["UT-07"])
        .source("tcp_timer.c tcp_write_timeout, retransmits_timed_out; tcp(7)")
        .waits(Duration::from_secs(3))
        .across_on_both_kinds(Death::BOTH_OVER_BOTH, dead);
}

async fn bounds(scene: Scene, (ip, milliseconds): (Ip, i32)) -> Result {
    let lab = scene.lab().build().await?;
    let _hole = lab.black_hole().from("a").open().await?;
    connects(&lab, ip, milliseconds).await
}

async fn dead(scene: Scene, kind: HostKind, (ip, kill): (Ip, Kill)) -> Result {
    let lab = scene.lab().kind("b", kind).build().await?;
    let _dead = kill(&lab, "b").now().await?;
    connects(&lab, ip, 2500).await
}

/// A connect that nobody answers, from `a` to `b`.
async fn connects(lab: &Lab, ip: Ip, milliseconds: i32) -> Result {
    let client = lab.host("a")?.process().await?;
    let address = lab.host("b")?.address(ip, PORT);
    let socket = client.socket(address).ok().await?;
    socket.set(option::USER_TIMEOUT, milliseconds).ok().await?;

    let timeout = timers::connect_user_timeout(Duration::from_millis(milliseconds as u64));
    let window = Window::timer(timeout, "TCP_USER_TIMEOUT, but a SYN is sent twice");
    socket.connect(address).errno(Errno::ETIMEDOUT).await?.took_within(&window)?;

    let first = lab.wire().expect(syn().from("a").retransmitted(false)).await?;
    let again = lab.wire().expect(syn().from("a").retransmitted(true)).await?;
    let gap = again.at().since(first.at());
    Window::timer(timers::SYN_RTO, "the first timeout").judge("the SYN was repeated after", gap)?;
    lab.wire().exactly(Wire::start(), []).among(any().without(Flags::SYN)).await?;
    Ok(())
}
