//! A window that opens again is news of its own: the reader's kernel announces it, and the data
//! flows at once, however long the sender would have waited for its next probe.
//! Source: RFC 9293 3.8.6.2.2; `net/ipv4/tcp.c` `tcp_cleanup_rbuf`; `tcp_input.c` `tcp_ack_probe`.

use lastack::prelude::*;

/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ZW-05"]).waits(Duration::from_secs(2));
    rule.source("RFC 9293 3.8.6.2.2; tcp.c tcp_cleanup_rbuf; tcp_input.c tcp_ack_probe");
    rule.case("reopened_window_is_announced_and_the_data_does_not_wait_for_a_probe")
        .across(Ip::BOTH, at_once);
}

async fn at_once(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).small_window_at_b().connect().await?;
    let closed = pair.close_window(MUCH).await?;
    let Pair { lab, a, b, .. } = pair;
    let wire = lab.wire();
    let mut last = closed;
    for _ in 0..3 {
        let within = Duration::from_secs(3);
        last = wire.expect(probe().from("a")).after(&last).within(within).await?;
    }
    // The next probe is due in eight timeouts of 200 ms.
    let waiting = a.kernel().probes_the_window().await?;
    let due = waiting.entry.and_then(|entry| entry.timer).map(|(_, left, _)| left);
    let due = waiting.first.after(due.unwrap_or_default());

    b.read_until(MUCH.into()).await?.whole(MUCH.into())?;
    let open = any().from("b").that("an open window", |it| it.window > 0);
    let update = wire.expect(open).after(&last).await?;
    let resumed = wire.expect(any().from("a")).after(&update).await?;
    check("bytes that follow", resumed.payload, more_than(0))?;
    check("when they followed, before the next probe", resumed.at(), less_than(due))?;
    a.kernel().is_acknowledged().await?;
    wire.absent(&last, probe().from("a")).await
}
