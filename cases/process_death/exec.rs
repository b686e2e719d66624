//! A descriptor without close-on-exec goes on into whatever program a child becomes, and keeps
//! the connection open for as long as that runs. With close-on-exec, execve() is what closes it.
//! Source: `fs/exec.c` `begin_new_exec`, `fs/file.c` `do_close_on_exec`; execve(2).

use std::time::Instant;

use lastack::prelude::*;

const LINGER: Linger = Linger::on(1);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-08"]).claims(["A22"]).waits(Duration::from_secs(1));
    rule.source("file.c do_close_on_exec; execve(2)");
    rule.case("descriptor_leaked_through_exec_keeps_the_connection_open")
        .covers(["PD-07"])
        .across(Ip::BOTH, leaks);
    rule.case("close_on_exec_sends_the_fin_at_execve").claims([]).across(Ip::BOTH, closes);
    rule.case("execve_lingers_for_what_it_closes")
        .claims(["B36"])
        .source("file.c do_close_on_exec; af_inet.c inet_release")
        .across(Ip::BOTH, lingers);
}

async fn leaks(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    a.cloexec(false).ok().await?;
    let daemon = a.process.fork("daemon").await?;
    daemon.exec_again().await?;

    a.process.end_by(ProcessEnd::Success).await?;
    wire.absent(Wire::start(), fin()).await?;
    a.kernel().is(State::Established)?;
    // Nobody knows of the connection any more, and yet its kernel takes what the peer sends.
    b.write("anybody there?").ok().await?;
    a.kernel().has_unread(14).await?;
    b.kernel().is_acknowledged().await?;

    let read = b.read(1).blocks().await?;
    daemon.end_by(ProcessEnd::Success).await?;
    // What nobody read makes it a reset, even after all this time.
    read.done().await?.errno(Errno::ECONNRESET)?;
    wire.absent(Wire::start(), fin()).await
}

async fn closes(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let read = b.read(1).blocks().await?;

    a.process.exec_again().await?;

    read.done().await?.eof()?;
    lab.wire().expect(fin().from("a")).await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    // The process is another program now, and well.
    a.process.socket(a.local_address()).ok().await?;
    Ok(())
}

async fn lingers(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, LINGER).ok().await?;
    let _hole = lab.black_hole().open().await?;
    a.write("unacknowledged").ok().await?;

    let began = Instant::now();
    a.process.exec_again().await?;
    // The new program takes its time to start as well, so there is no upper bound to hold.
    let used_up = Window::at_least(LINGER.used_up().from, "l_linger");
    used_up.judge("execve took", began.elapsed())?;
    a.kernel().is(State::FinWait1)?;
    Ok(())
}
