//! A host whose own interface is set down sends nothing and is told nothing: a write succeeds, its
//! data waits under the persist timer, and either the interface is back before that gives up, or
//! the connection ends: over IPv4 in ETIMEDOUT, over IPv6 in what its route said last.
//! Source: `net/ipv4/tcp_output.c` `tcp_write_xmit`, `__tcp_push_pending_frames`
//! (tcp_check_probe_timer), `tcp_send_probe0`; `net/ipv4/tcp_timer.c` `tcp_probe_timer`;
//! `net/ipv6/inet6_connection_sock.c` `inet6_csk_xmit` (sk_err_soft).

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-05"]).waits(Duration::from_secs(2));
    rule.source("tcp_timer.c tcp_probe_timer; ip-sysctl tcp_retries2");
    rule.case("write_over_an_interface_that_is_down_ends_under_the_persist_timer")
        .source("tcp_output.c tcp_check_probe_timer; tcp_timer.c tcp_probe_timer")
        .across(Ip::BOTH, |scene, ip| down(scene, ip, RETRIES));
    rule.stock("stock_write_over_an_interface_that_is_down_is_told_after_a_quarter_of_an_hour")
        .run(|scene| down(scene, Ip::V4, timers::STOCK_RETRIES));
    rule.case("write_over_an_interface_that_comes_back_is_delivered_by_the_next_probe")
        .covers(["NF-16"])
        .source("tcp_output.c tcp_send_probe0, tcp_write_wakeup")
        .across(Ip::BOTH, back);
    rule.case("write_over_a_deleted_interface_ends_no_sooner")
        .covers(["NF-17"])
        .source("tcp_timer.c tcp_probe_timer")
        .across(Ip::BOTH, |scene, ip| deleted(scene, ip, RETRIES))
        .stock("stock_write_over_a_deleted_interface_is_told_after_a_quarter_of_an_hour")
        .source("tcp_timer.c tcp_probe_timer; ip-sysctl tcp_retries2")
        .run(|scene| deleted(scene, Ip::V6, timers::STOCK_RETRIES));
}

async fn down(scene: Scene, ip: Ip, retries: u32) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let pair = pair.connect().await?;
    let Pair { lab, b, .. } = &pair;
    let start = lab.wire().mark().await?;
    let _down = lab.interface_down("a").await?;
    // The interface took its route along.
    pair.write_that_never_leaves(retries, Errno::ENETUNREACH).await?;
    lab.wire().absent(start, any()).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn deleted(scene: Scene, ip: Ip, retries: u32) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let pair = pair.connect().await?;
    let Pair { lab, a, b, .. } = &pair;
    let start = lab.wire().mark().await?;
    a.host().lose_network().await?;
    a.kernel().is(State::Established)?;
    pair.write_that_never_leaves(retries, Errno::ENETUNREACH).await?;
    lab.wire().absent(start, any()).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn back(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let start = lab.wire().mark().await?;
    let down = lab.interface_down("a").await?;
    let began = lastack::Stamp::now();
    a.write("at last").ok().await?;
    // The second interval of the persist timer is running, or a later one.
    let probed = |entry: &Option<_>| timer_count(entry).is_some_and(|count| count >= 1);
    a.kernel().until("a probe in vain", probed, Duration::from_secs(5)).await?;
    lab.wire().absent(start, any()).await?;
    down.lift().await?;
    let up = lastack::Stamp::now();

    b.read(64).bytes(b"at last").await?;
    let first = lab.wire().expect(data().from("a")).after(start).await?;
    check_that("data", &first, "sent for the first time", |it| !it.retransmission)?;
    // What the timer waits for next is at most as long as all it has waited for, and a timeout.
    let rto = a.rto().await?;
    let waited = up.since(began);
    Window::wheel([waited + rto], "the next probe")
        .at_latest()
        .judge("delivered after the interface is up", first.at().since(up))?;
    a.kernel().is_acknowledged().await?;
    Ok(())
}

fn timer_count(entry: &Option<lastack::sys::sock_diag::SocketEntry>) -> Option<u8> {
    entry.as_ref()?.timer.filter(|(timer, ..)| *timer == Timer::Persist).map(|(.., count)| count)
}
