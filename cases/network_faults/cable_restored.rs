//! A cable that is out for a while costs time and nothing else: what was written meanwhile arrives
//! with the first retransmission after it is back.
//! Source: RFC 6298 5; `net/ipv4/tcp_timer.c` `tcp_retransmit_timer`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let ends = [("at_the_reader", "b"), ("at_the_writer", "a")];
    let rule = family.rule(["NF-15"]).waits(Duration::from_secs(3));
    rule.source("RFC 6298 5; tcp_timer.c tcp_retransmit_timer");
    rule.case("cable_pulled_for_a_while_delays_the_data").across((ends, Ip::BOTH), pulled);
}

async fn pulled(scene: Scene, (end, ip): (&'static str, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let start = lab.wire().mark().await?;
    let reading = b.read(64).blocks().await?;
    let out = lab.unplug(end).that_may_miss().now().await?;
    let began = lastack::Stamp::now();
    a.write("better late").ok().await?;
    // The tail loss probe and the first timeout have been in vain.
    let tried = |entry: &Option<lastack::sys::sock_diag::SocketEntry>| {
        let info = entry.as_ref().and_then(|entry| entry.info.as_ref());
        info.is_some_and(|info| info.backoff() >= 1)
    };
    a.kernel().until("a timeout in vain", tried, Duration::from_secs(5)).await?;
    let reading = reading.blocked().await?;
    out.plug_in().await?;
    let restored = lastack::Stamp::now();

    let read = reading.done().await?.bytes(b"better late")?;
    let heard = lab.wire().expect(data().from("a").arrived(true)).after(start).await?;
    check_that("data", &heard, "sent again", |it| end == "a" || it.retransmission)?;
    // Each interval is twice the last: none is longer than all before it, and a timeout.
    let longest = restored.since(began) + a.rto().await?;
    Window::wheel([longest], "the next timeout")
        .at_latest()
        .judge("delivered after the cable is back", read.ended().since(restored))?;
    a.kernel().is_acknowledged().await?;
    b.write("thanks").ok().await?;
    a.read(64).bytes(b"thanks").await?;
    Ok(())
}
