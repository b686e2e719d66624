//! A reader that does not read holds up a lingering close() for the whole of its time: the FIN
//! waits behind the data that a closed window keeps back. Afterwards the orphan probes the window
//! on, and delivers when it opens.
//! Source: `net/ipv4/tcp.c` `__tcp_close`; `net/ipv4/tcp_timer.c` `tcp_probe_timer`.

use lastack::prelude::*;

const LINGER: Linger = Linger::on(1);
/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-08"]).claims(["A11"]).waits(Duration::from_secs(2));
    rule.source("tcp.c __tcp_close; tcp_timer.c tcp_probe_timer; tcp_output.c tcp_send_fin");
    rule.case("closed_window_uses_up_the_linger_time").across(Ip::BOTH, uses_up);
}

async fn uses_up(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).small_window_at_b().connect().await?;
    let wire = lab.wire();
    a.set(option::LINGER, LINGER).ok().await?;
    a.write_pattern(MUCH).await?.is(&(MUCH as usize))?;
    a.kernel().probes_the_window().await?;

    a.close().await?.succeeds()?.took_within(&LINGER.used_up())?;
    a.kernel().is(State::FinWait1)?;
    a.kernel().probes_the_window().await?;
    wire.absent(Wire::start(), fin()).await?;

    b.read_to_end().await?.whole(MUCH.into())?;
    b.kernel().is(State::CloseWait)?;
    wire.absent(Wire::start(), rst()).await
}
