//! A connection outlives a process as long as anybody else holds it: a forked child, or a
//! debugger that took a copy. Until the last of them lets go, nothing is sent and nothing has
//! happened as far as the peer can tell.
//! Source: `fs/file_table.c` `fput`; fork(2); pidfd_getfd(2).

use lastack::prelude::*;

/// What the process that opened the connection does.
#[derive(Clone, Copy)]
enum Leaves {
    Closes,
    Exits,
    IsKilled,
}

const ALL: [(&str, Leaves); 3] =
    [("closes", Leaves::Closes), ("exits", Leaves::Exits), ("is_killed", Leaves::IsKilled)];

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-06"]).claims(["A22"]).source("file_table.c fput; fork(2)");
    rule.case("forked_child_keeps_the_connection_when_its_parent").across((ALL, Ip::BOTH), child);
    rule.case("debuggers_copy_keeps_the_connection_when_its_owner")
        .covers(["PD-12"])
        .source("file_table.c fput; pidfd_getfd(2)")
        .needs([Need::Kernel(5, 6)])
        .across((ALL, Ip::BOTH), debugger);
}

async fn child(scene: Scene, (leaves, ip): (Leaves, Ip)) -> Result {
    let pair = scene.pair().ip(ip).connect().await?;
    let child = pair.a.process.fork("child").await?;
    let kept = pair.a.in_process(&child);
    outlives(pair, leaves, kept).await
}

async fn debugger(scene: Scene, (leaves, ip): (Leaves, Ip)) -> Result {
    let pair = scene.pair().ip(ip).connect().await?;
    let debugger = pair.a.host().process_named("debugger").await?;
    let kept = debugger.steal(&pair.a).ok().await?;
    outlives(pair, leaves, kept).await
}

async fn outlives(pair: Pair, leaves: Leaves, kept: Socket) -> Result {
    let Pair { lab, a, b, .. } = pair;
    let wire = lab.wire();
    let before = wire.mark().await?;

    match leaves {
        Leaves::Closes => a.close().ok().await?,
        Leaves::Exits => a.process.end_by(ProcessEnd::Success).await?,
        Leaves::IsKilled => a.process.end_by(ProcessEnd::Kill).await?,
    }
    // Closed is closed: what close sends, it has sent by the time it has returned.
    wire.exactly(before, []).await?;
    a.kernel().is(State::Established)?;
    kept.write("still here").ok().await?;
    b.read(64).bytes(b"still here").await?;
    b.kernel().is(State::Established)?;

    let read = b.read(1).blocks().await?;
    kept.process().kill().await?;
    read.done().await?.eof()?;
    wire.expect(fin().from("a")).await?;
    wire.absent(before, rst()).await
}
