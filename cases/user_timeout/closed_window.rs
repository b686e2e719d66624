//! TCP_USER_TIMEOUT also bounds the wait for a closed window, from the first window probe on, and
//! though the peer answers every one: the connection ends with ETIMEDOUT and without a word. A
//! window that opens before takes the clock back.
//! Source: `net/ipv4/tcp_timer.c` `tcp_probe_timer`, `tcp_clamp_probe0_to_user_timeout`;
//! `net/ipv4/tcp_input.c` `tcp_ack_probe`.

use lastack::prelude::*;

/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UT-06"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_probe_timer, tcp_clamp_probe0_to_user_timeout");
    rule.case("closed_window_ends_the_connection_a_user_timeout_after_the_first_probe")
        .claims(["A8"])
        .across(([("live_peer", false), ("silent_peer", true)], Ip::OVER), ends);
    rule.case(
        "closed_window_of_a_dead_machine_ends_the_connection_a_user_timeout_after_the_first_probe",
    )
    .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
    rule.case("window_that_opens_before_the_user_timeout_keeps_the_connection")
        .across(Ip::BOTH, opens);
}

/// Writes until `b`'s window is closed.
async fn close_the_window(a: &End) -> Result {
    a.write_pattern(MUCH).on("writer").await?.is(&(MUCH as usize))?;
    a.kernel().probes_the_window().await?;
    Ok(())
}

fn judge(timeout: Duration, first: &Segment, end: &Outcome<Vec<u8>>) -> Result {
    let window = Window::wheel([timers::user_timeout(timeout)], "TCP_USER_TIMEOUT");
    window.judge("the time from the first probe to the end was", end.ended().since(first.at()))
}

async fn ends(scene: Scene, (silent, ip): (bool, Ip)) -> Result {
    // The hole needs a few probes to swallow, however late it opens.
    let timeout = Duration::from_millis(if silent { 3500 } else { 1000 });
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).small_window_at_b().connect().await?;
    let wire = lab.wire();
    a.set(option::USER_TIMEOUT, timeout.as_millis() as i32).ok().await?;
    let read = a.read(1).blocks().await?;
    close_the_window(&a).await?;

    let hole = if silent { Some(lab.black_hole().open().await?) } else { None };
    let cut = wire.mark().await?;
    let first = wire.expect(probe().from("a")).await?;
    let read = read.done().await?.errno(Errno::ETIMEDOUT)?;
    judge(timeout, &first, &read)?;

    let since = if silent { cut } else { Mark::from(&first) };
    let answers = wire.count(since, pure_ack().from("b").window(0).arrived(true)).await?;
    same("the peer has answered", !silent, answers > 0)?;
    wire.absent(Wire::start(), rst()).await?;
    b.kernel().is(State::Established)?;
    drop(hole);
    Ok(())
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
    // The dead machine gets a few probes, however long it takes to die.
    let timeout = Duration::from_millis(3500);
    let builder = scene.pair().kind("b", kind).ip(ip).small_window_at_b();
    let builder = builder.option_on_a(option::USER_TIMEOUT, timeout.as_millis() as i32);
    let Pair { lab, a, .. } = builder.connect().await?;
    let wire = lab.wire();
    close_the_window(&a).await?;

    let dead = kill(&lab, "b").now().await?;
    let silence = wire.mark().await?;
    let read = a.read(1).await?.errno(Errno::ETIMEDOUT)?;
    judge(timeout, &wire.expect(probe().from("a")).await?, &read)?;
    check("probes in vain", dead.sent_unacknowledged().await?.len(), more_than(0))?;
    wire.absent(silence, any().from("b")).await?;
    wire.absent(Wire::start(), rst()).await
}

async fn opens(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).small_window_at_b().connect().await?;
    let wire = lab.wire();
    // Between two probes: counted from the first they come after 0, 2, 6 and 14 timeouts.
    let timeout = a.rto().await? * 10;
    a.set(option::USER_TIMEOUT, timeout.as_millis() as i32).ok().await?;
    let read = a.read(1).blocks().await?;
    close_the_window(&a).await?;

    wire.in_order(Wire::start(), vec![probe().from("a"); 3], timeout).await?;
    b.read_until(MUCH.into()).await?.whole(MUCH.into())?;
    a.kernel().is_acknowledged().await?;

    // Another wait for the window has a clock of its own.
    let delivered = wire.mark().await?;
    close_the_window(&a).await?;
    let first = wire.expect(probe().from("a")).after(delivered).await?;
    let read = read.done().await?.errno(Errno::ETIMEDOUT)?;
    judge(timeout, &first, &read)
}
