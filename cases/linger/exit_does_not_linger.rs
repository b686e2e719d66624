//! A process that ends does not linger, however it ends: it is gone at once and the kernel
//! delivers in the background what the socket still holds.
//! Source: `net/ipv4/af_inet.c` `inet_release` (PF_EXITING); socket(7): "when the socket is closed
//! as part of exit(2), it always lingers in the background".

use std::time::Instant;

use lastack::prelude::*;

const LINGER: Linger = Linger::on(6);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-05"]).claims(["B36"]).waits(Duration::from_secs(1));
    rule.source("af_inet.c inet_release PF_EXITING; socket(7)");
    rule.case("ending_process_does_not_linger").across((ProcessEnd::ALL, Ip::BOTH), ends);
}

async fn ends(scene: Scene, (ending, ip): (ProcessEnd, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, LINGER).ok().await?;
    let read = b.read_to_end().blocks().await?;

    let hole = lab.black_hole().open().await?;
    a.write_pattern(100).ok().await?;
    let began = Instant::now();
    a.process.end_by(ending).await?;
    LINGER.cut_short().judge("the process took to end", began.elapsed())?;
    a.kernel().is(State::FinWait1)?;
    hole.lift().await?;

    read.done().await?.whole(100)?;
    lab.wire().absent(Wire::start(), rst()).await
}
