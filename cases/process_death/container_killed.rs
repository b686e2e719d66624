//! Killing a container's first process kills everything in it, and TCP sees ordinary deaths: each
//! connection closes with a FIN, because the network namespace is still there to send it.
//! Source: `kernel/pid_namespace.c` `zap_pid_ns_processes`; `kernel/exit.c` `do_exit`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-18"]).claims(["A23"]);
    rule.source("pid_namespace.c zap_pid_ns_processes; exit.c do_exit");
    rule.case("killed_container_closes_its_connections_with_a_fin").across(Ip::BOTH, killed);
}

async fn killed(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let init = b.process.fork_container("init").await?;
    let worker = init.fork("worker").await?;
    // Only the worker, which nobody signals, is left to hold the connection.
    b.close().ok().await?;
    b.in_process(&init).close().ok().await?;
    b.in_process(&worker).write("served").ok().await?;
    a.read(64).bytes(b"served").await?;
    let read = a.read(1).blocks().await?;
    lab.wire().absent(Wire::start(), fin()).await?;

    init.end_by(ProcessEnd::Kill).await?;

    read.done().await?.eof()?;
    a.kernel().is(State::CloseWait)?;
    lab.wire().expect(fin().from("b").empty()).await?;
    lab.wire().absent(Wire::start(), rst()).await
}
