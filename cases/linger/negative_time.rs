//! A negative l_linger is no error and no zero: it is so large a time that close() waits for the
//! acknowledgement for ever.
//! Source: `net/core/sock.c` `sock_setsockopt` SO_LINGER, which takes the time as unsigned and
//! bounds it at MAX_SCHEDULE_TIMEOUT.

use lastack::prelude::*;

/// Longer than any other reason would hold a close.
const LONG: Duration = Duration::from_millis(2500);

pub fn cases(family: &mut Family) {
    family
        .case("negative_linger_time_waits_for_ever")
        .covers(["LI-15"])
        .source("sock.c SO_LINGER; stream.c sk_stream_wait_close")
        .waits(Duration::from_secs(4))
        .across(Ip::BOTH, waits);
}

async fn waits(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, Linger::on(-1)).ok().await?;
    let read = b.read_to_end().start().await?.blocked().await?;

    let hole = lab.black_hole().open().await?;
    a.write_pattern(100).ok().await?;
    let close = a.close().start().await?.blocked().await?.stays_blocked(LONG).await?;
    a.kernel().is(State::FinWait1)?;
    hole.lift().await?;

    read.done().await?.whole(100)?;
    close.done().await?.is(&())?;
    a.kernel().is(State::FinWait2)?;
    lab.wire().absent(Wire::start(), rst()).await
}
