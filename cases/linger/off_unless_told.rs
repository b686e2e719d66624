//! Without SO_LINGER close() waits for nobody: it returns at once and the kernel delivers what is
//! queued behind its back. A time with the option off changes nothing.
//! Source: socket(7) SO_LINGER; `net/core/sock.c` `sock_setsockopt`; `net/ipv4/af_inet.c`
//! `inet_release`.

use lastack::prelude::*;

const OFF_WITH_A_TIME: Option<Linger> = Some(Linger { on: false, seconds: 5 });

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-01"]).claims(["A7", "A9", "B8"]).waits(Duration::from_secs(1));
    rule.source("socket(7); sock.c sock_setsockopt SO_LINGER; af_inet.c inet_release");
    rule.case("close_returns_at_once_and_delivery_goes_on").across(
        [
            ("ipv4", (Ip::V4, None)),
            ("ipv6", (Ip::V6, None)),
            ("off_with_a_time", (Ip::V4, OFF_WITH_A_TIME)),
        ],
        goes_on,
    );
}

async fn goes_on(scene: Scene, (ip, setting): (Ip, Option<Linger>)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    if let Some(linger) = setting {
        a.set(option::LINGER, linger).ok().await?;
    }
    a.get(option::LINGER).await?.is(&Linger::OFF)?;
    let read = b.read_to_end().blocks().await?;

    let hole = lab.black_hole().open().await?;
    a.write_pattern(100).ok().await?;
    a.close().await?.succeeds()?.took_within(&Linger::on(5).cut_short())?;
    // It is back, though nothing has arrived anywhere yet.
    a.kernel().is(State::FinWait1)?;
    hole.lift().await?;

    read.done().await?.whole(100)?;
    a.kernel().reaches(State::FinWait2).await?;
    lab.wire().absent(Wire::start(), rst()).await
}
