//! A closed window is nobody's business while there is nothing to send: it is not probed, and the
//! first byte that has to wait for it starts the probing.
//! Source: `net/ipv4/tcp_input.c` `tcp_ack_probe`; `include/net/tcp.h` `tcp_check_probe_timer`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ZW-06"]).waits(Duration::from_secs(2));
    rule.source("tcp_input.c tcp_ack_probe; tcp.h tcp_check_probe_timer");
    rule.case("closed_window_is_not_probed_while_there_is_nothing_to_send")
        .across(Ip::BOTH, not_probed);
}

async fn not_probed(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).small_window_at_b().connect().await?;
    let wire = lab.wire();

    // Exactly what the window takes, until it takes no more.
    let mut written = 0;
    loop {
        let room = a.info().ok().await?.snd_wnd().unwrap_or(0);
        if room == 0 {
            break;
        }
        a.write_pattern_from(written, room).await?.is(&(room as usize))?;
        a.kernel().is_acknowledged().await?;
        written += u64::from(room);
    }
    let closed = wire.expect(any().from("b").window(0)).await?;
    let idle = a.kernel().is(State::Established)?;
    same("a waits for nothing", None, idle.timer)?;
    // Probes start after one timeout, so three would have been seen.
    wire.never(&closed, any().from("a")).for_(Duration::from_millis(1600)).await?;

    a.write_pattern_from(written, 1).ok().await?;
    a.kernel().probes_the_window().await?;
    wire.expect(probe().from("a")).after(&closed).await?;
    b.read_until(written + 1).await?.whole(written + 1)?;
    Ok(())
}
