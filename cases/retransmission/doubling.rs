//! Every retransmission timeout doubles the next: the first lone write is sent again no sooner
//! than its timeout, and each wait after that is twice the one before. Nothing is lost by it: what
//! the path swallowed arrives at the next timeout after it has healed.
//! Source: RFC 6298 5.5; `net/ipv4/tcp_timer.c` `tcp_retransmit_timer`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["RT-15"]).waits(Duration::from_secs(4));
    rule.source("RFC 6298 5.5; tcp_timer.c tcp_retransmit_timer; tcp_output.c tcp_send_loss_probe");
    rule.case("every_timeout_doubles_the_next").across(Ip::BOTH, doubles);
}

async fn doubles(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let rto = a.rto().await?;

    let hole = lab.black_hole().from("a").open().await?;
    a.write("is anybody there?").ok().await?;
    let first = wire.expect(data().from("a")).await?;
    // Three timeouts, which the hole swallows with the probe before them; the fourth gets through.
    let mut last = first.clone();
    for _ in 0..4 {
        let again = data().from("a").retransmitted(true);
        last = wire.expect(again).after(&last).within(Duration::from_secs(5)).await?;
    }
    same("swallowed", 5, hole.lift().await?)?;
    a.kernel().is_acknowledged().await?;

    let retries = wire.retries_of(&first).await?;
    let mut before = retries.tail_loss_probe.at();
    same("timeouts", 4, retries.timeouts.len())?;
    for (n, timeout) in (0..).zip(&retries.timeouts) {
        let due = timers::rto_gap(n, rto, timers::RTO_MAX);
        let window = Window::wheel([due], "tcpi_rto, doubled each time");
        window.judge(&format!("the wait before timeout {}", n + 1), timeout.at().since(before))?;
        before = timeout.at();
    }
    b.read(100).bytes(b"is anybody there?").await?;
    Ok(())
}
