//! While the peer's window is closed and data waits for it, keepalive is suspended: the window is
//! probed instead, and neither the number of keepalive probes nor their interval ends the
//! connection. With everything delivered keepalive is back.
//! Source: `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`, `tcp_probe_timer`.

use lastack::prelude::*;

const KEEPALIVE: Keepalive = Keepalive::new(1, 1, 1);
/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-05"]).claims(["A33"]).waits(Duration::from_secs(6));
    rule.source("tcp_timer.c tcp_keepalive_timer, tcp_probe_timer");
    rule.case("closed_window_suspends_keepalive")
        .across(Ip::BOTH, |scene, ip| suspended(scene, (false, ip)))
        .more()
        .across(([("silent_peer", true)], Ip::OVER), suspended);
}

async fn suspended(scene: Scene, (silent, ip): (bool, Ip)) -> Result {
    let builder = scene.pair().ip(ip).small_window_at_b();
    let Pair { lab, a, b, .. } = builder.keepalive_on_a(KEEPALIVE).connect().await?;
    a.write_pattern(MUCH).await?.is(&(MUCH as usize))?;
    a.kernel().probes_the_window().await?;

    let hole = if silent { Some(lab.black_hole().open().await?) } else { None };
    a.kernel().stays(State::Established, KEEPALIVE.end() + KEEPALIVE.interval()).await?;
    same("keepalive probes", 0, a.host().counter("TCPKeepAlive")?)?;
    check("window probes", a.host().counter("TCPWinProbe")?, more_than(0))?;
    if let Some(hole) = hole {
        hole.lift().await?;
    }

    b.read_until(MUCH.into()).await?.whole(MUCH.into())?;
    a.kernel().is_acknowledged().await?;
    let delivered = lab.wire().mark().await?;
    let question = probe().from("a").arrived(true);
    lab.wire().expect(question).after(delivered).within(2 * KEEPALIVE.idle()).await?;
    check("keepalive probes", a.host().counter("TCPKeepAlive")?, more_than(0))
}
