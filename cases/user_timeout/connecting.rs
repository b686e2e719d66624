//! TCP_USER_TIMEOUT bounds connect() as well, counted from the SYN; but a SYN is sent a second
//! time before a connection attempt is given up, however short the time. A timeout longer than
//! tcp_syn_retries allows prolongs nothing: that is a count as well as a time.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_timeout`, `retransmits_timed_out`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UT-07"]).waits(Duration::from_secs(3));
    rule.source("tcp_timer.c tcp_write_timeout, retransmits_timed_out; tcp(7)");
    rule.case("user_timeout_bounds_connect")
        .across(Ip::BOTH, |scene, ip| bounds(scene, (2500, ip)))
        .more()
        .across(([("shorter_than_the_first_timeout", 500)], Ip::OVER), bounds);
    rule.case("user_timeout_bounds_connect_to_a_dead_machine")
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
    rule.stock("user_timeout_shortens_a_stock_connect_and_never_prolongs_it")
        .source("tcp_timer.c tcp_write_timeout, tcp_clamp_rto_to_user_timeout; ip-sysctl")
        .waits(Duration::from_secs(135))
        .across([("within_the_last_wait", 100), ("beyond_all_retries", 600)], stock);
}

async fn bounds(scene: Scene, (milliseconds, ip): (i32, Ip)) -> Result {
    let lab = scene.lab().build().await?;
    let _hole = lab.black_hole().from("a").open().await?;
    connects(&lab, ip, milliseconds).await
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
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
    // Where it is over by the second SYN, the timer is set for the next tick.
    let waits = [timeout, Wheel::here().tick()];
    let window = Window::wheel(waits, "TCP_USER_TIMEOUT, but a SYN is sent twice");
    let window = Window { from: Window::wheel([timeout], "").from, ..window };
    socket.connect(address).errno(Errno::ETIMEDOUT).await?.took_within(&window)?;

    let first = lab.wire().expect(syn().from("a").retransmitted(false)).await?;
    let again = lab.wire().expect(syn().from("a").retransmitted(true)).await?;
    let gap = again.at().since(first.at());
    Window::wheel([timers::SYN_RTO], "the first timeout")
        .judge("the SYN was repeated after", gap)?;
    lab.wire().exactly(Wire::start(), []).among(any().without(Flags::SYN)).await?;
    Ok(())
}

/// Under a user timeout of so many seconds, nothing else being set.
async fn stock(scene: Scene, seconds: u64) -> Result {
    let timeout = Duration::from_secs(seconds);
    let lab = scene.lab().build().await?;
    let client = lab.host("a")?.process().await?;
    let address = lab.host("b")?.address(Ip::V4, PORT);
    let socket = client.socket(address).ok().await?;
    socket.set(option::USER_TIMEOUT, timeout.as_millis() as i32).ok().await?;
    let (mut syns, end) = client.host().unanswered_connect()?;
    syns.retain(|at| *at < timeout);

    let _hole = lab.black_hole().from("a").open().await?;
    let told = socket.connect(address).await?;
    lab.judge_unanswered_connect(told, &(syns, end.min(timeout))).await?;
    Ok(())
}
