//! Where time stamps were negotiated, the segments that end a connection carry them too, and
//! their value is that of the moment they were sent.
//! Source: RFC 7323 3.2; `net/ipv4/tcp_output.c` `tcp_send_fin`, `tcp_send_active_reset`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-24"]);
    rule.source("RFC 7323 3.2; tcp_output.c tcp_send_fin, tcp_send_active_reset");
    rule.case("fin_and_reset_carry_the_current_time_stamp")
        .across((ENDS, Ip::OVER), current_time_stamp);
    rule.case("fin_and_reset_carry_no_time_stamp_where_none_was_negotiated")
        .source("RFC 7323 3.2; tcp_output.c tcp_established_options")
        .across((ENDS, Ip::OVER), no_time_stamp);
}

const ENDS: [(&str, Linger); 2] = [("fin", Linger::OFF), ("reset", Linger::RESET)];

/// Long enough to tell a current value from that of the segment before.
const QUIET: Duration = Duration::from_millis(50);

async fn current_time_stamp(scene: Scene, (linger, ip): (Linger, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    a.set(option::LINGER, linger).ok().await?;

    let write = a.write("x").await?;
    b.read(1).bytes(b"x").await?;
    a.kernel().stays(State::Established, QUIET).await?;
    let close = a.close().await?;

    let (first, _) = stamps(&wire.expect(data().from("a").payload(1)).await?)?;
    let (last, echo) = stamps(&wire.expect(ending().from("a")).await?)?;
    // Both calls sent on the spot, so each value was taken between call and return; it counts
    // whole milliseconds, of which either may have lost a part.
    let passed = Duration::from_millis(last.wrapping_sub(first).into());
    let tick = Duration::from_millis(1);
    let from = close.began().since(write.ended()).saturating_sub(tick);
    let to = close.ended().since(write.began()) + tick;
    Window::new(from, to, "time from call to call").judge("the time stamps differ by", passed)?;
    // And it gives back one that b has sent.
    let echoed = any().from("b").that("the echoed stamp", move |it| {
        it.options.timestamps.is_some_and(|(value, _)| value == echo)
    });
    wire.expect(echoed).await?;
    Ok(())
}

async fn no_time_stamp(scene: Scene, (linger, ip): (Linger, Ip)) -> Result {
    let without = scene.pair().ip(ip).sysctl("b", "net.ipv4.tcp_timestamps", 0);
    let Pair { lab, a, .. } = without.connect().await?;
    a.set(option::LINGER, linger).ok().await?;
    a.close().ok().await?;

    let end = lab.wire().expect(ending().from("a")).await?;
    same("time stamps", None, end.options.timestamps)
}

/// A segment's time stamps: its own and the echo.
fn stamps(segment: &Segment) -> Result<(u32, u32)> {
    let missing = || Error::mismatch(segment.to_string(), "time stamps", "none");
    segment.options.timestamps.ok_or_else(missing)
}
