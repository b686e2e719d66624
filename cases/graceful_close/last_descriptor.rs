//! Only closing the last descriptor of a socket closes the connection; closing a copy sends
//! nothing.
//! Source: close(2); `fs/file_table.c` `fput`; dup(2).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["GC-09"]).source("close(2); dup(2); file_table.c fput");
    rule.case("closing_one_of_two_descriptors_sends_nothing").across(Ip::BOTH, last_one_closes);
}

async fn last_one_closes(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let established = wire.mark().await?;
    let copy = a.dup().ok().await?;

    // A FIN would leave inside the call.
    a.close().ok().await?;
    wire.absent(established, any()).await?;
    a.kernel().is(State::Established)?;

    copy.write("through the copy").ok().await?;
    b.read(100).bytes(b"through the copy").await?;
    b.write("and back").ok().await?;
    copy.read(100).bytes(b"and back").await?;
    a.kernel().is_acknowledged().await?;
    wire.absent(established, fin()).await?;

    let used = wire.mark().await?;
    copy.close().ok().await?;
    b.read(100).eof().await?;
    a.kernel().reaches(State::FinWait2).await?;
    wire.exactly(used, [fin().from("a").empty()]).among(fin().retransmitted(false)).await?;
    Ok(())
}
