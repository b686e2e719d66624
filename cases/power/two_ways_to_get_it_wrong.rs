//! A process that is killed is not a machine that died, whatever is done to the cable: killed before
//! the cut, its FIN is out; killed behind the cut, its FIN waits for the cable to come back.
//! Source: `kernel/exit.c` `do_exit`, `exit_files`; `net/ipv4/tcp.c` `__tcp_close` (the orphan);
//! `net/ipv4/tcp_timer.c` `tcp_orphan_retries`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    family
        .case("process_killed_before_the_cut_says_goodbye")
        .covers(["OP-08"])
        .source("exit.c exit_files; tcp.c __tcp_close")
        .across_on_both_kinds(Ip::BOTH, killed_first);
    family
        .case("process_killed_behind_the_cut_says_goodbye_when_the_cable_is_back")
        .covers(["OP-09"])
        .source("tcp.c __tcp_close; tcp_timer.c tcp_retransmit_timer")
        .waits(Duration::from_secs(1))
        .across_on_both_kinds(Ip::BOTH, cut_first);
    family
        .case("orderly_shutdown_ends_processes_before_the_network")
        .covers(["OP-07"])
        .source("signal(7) SIGTERM; exit.c exit_files")
        .across_on_both_kinds(Ip::BOTH, orderly);
}

async fn killed_first(scene: Scene, kind: HostKind, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    b.process.kill().await?;
    let _dead = lab.power_off("b").that_may_miss().now().await?;

    lab.wire().expect(fin().from("b")).await?;
    a.read(1).eof().await?;
    a.kernel().is(State::CloseWait)?;
    Ok(())
}

async fn cut_first(scene: Scene, kind: HostKind, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    let cut = lab.black_hole().open().await?;
    b.process.kill().await?;
    b.kernel().reaches(State::FinWait1).await?;
    lab.wire().expect(fin().from("b").arrived(false)).await?;
    a.kernel().is(State::Established)?;

    cut.lift().await?;
    a.read(1).eof().await?;
    lab.wire().expect(fin().from("b").arrived(true).retransmitted(true)).await?;
    Ok(())
}

async fn orderly(scene: Scene, kind: HostKind, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    // What init does: ask, then insist, and only then turn the network off.
    b.process.signal(Signal::SIGTERM)?;
    let status = b.process.wait().await?;
    same("how it ended", "killed by SIGTERM", ended(status))?;
    a.read(1).eof().await?;
    let _off = lab.power_off("b").that_may_miss().now().await?;
    a.kernel().is(State::CloseWait)?;
    Ok(())
}

fn ended(status: WaitStatus) -> &'static str {
    match status {
        WaitStatus::Signaled(_, Signal::SIGTERM, _) => "killed by SIGTERM",
        _ => "otherwise",
    }
}
