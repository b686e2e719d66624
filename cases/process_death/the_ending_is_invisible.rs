//! However a process ends, by exit, abort or signal, its kernel closes what it held: the survivor
//! sees one FIN and reads the end of file, and cannot tell how its peer ended.
//! Source: `kernel/exit.c` `do_exit` (`exit_files`, `exit_task_work`).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-01"]).claims(["A21", "A22", "A23", "A26", "A41"]);
    rule.source("exit.c do_exit, exit_files; tcp.c __tcp_close");
    rule.case("survivor_sees_the_same_fin_however_a_process_ends")
        .across((ProcessEnd::ALL, Ip::BOTH), ends);
}

async fn ends(scene: Scene, (ending, ip): (ProcessEnd, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let read = a.read(1).blocks().await?;
    let established = wire.mark().await?;

    b.process.end_by(ending).await?;

    read.done().await?.eof()?;
    a.kernel().is(State::CloseWait)?;
    // The survivor's kernel may hold its answer back for a moment.
    b.kernel().reaches(State::FinWait2).await?;
    wire.exactly(established, [fin().from("b").empty(), pure_ack().from("a")]).await?;
    Ok(())
}
