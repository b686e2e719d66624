//! A process that is killed is not a machine that died, whatever is done to the cable: killed before
//! the cut, its FIN is out; killed behind the cut, its FIN waits for the cable to come back.
//! Source: `kernel/exit.c` `do_exit`, `exit_files`; `net/ipv4/tcp.c` `__tcp_close` (the orphan);
//! `net/ipv4/tcp_timer.c` `tcp_orphan_retries`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["OP-07"]).waits(Duration::from_secs(1));
    rule.source("exit.c exit_files; tcp.c __tcp_close");
    rule.case("process_killed_before_the_cut_says_goodbye")
        .covers(["OP-08"])
        .across_on_both_kinds(Ip::BOTH, killed_first);
    rule.case("process_killed_behind_the_cut_says_goodbye_when_the_cable_is_back")
        .covers(["OP-09"])
        .source("tcp.c __tcp_close; tcp_timer.c tcp_retransmit_timer")
        .across_on_both_kinds(Ip::BOTH, cut_first);
    rule.case("orderly_shutdown_ends_processes_before_the_network")
        .source("signal(7) SIGTERM; exit.c exit_files")
        .across_on_both_kinds(Ip::BOTH, orderly);
    rule.stock("process_that_does_not_heed_sigterm_says_goodbye_when_init_kills_it")
        .source("signal(7); systemd-system.conf(5) DefaultTimeoutStopSec; exit.c exit_files")
        .waits(INIT)
        .run(heedless);
    rule.stock("process_that_outlives_the_network_takes_its_goodbye_along")
        .source("systemd.special(7) network.target; tcp_output.c tcp_send_fin")
        .waits(timers::A_DAY)
        .run(outlives_the_network);
}

/// How long init waits between SIGTERM and SIGKILL: systemd's `DefaultTimeoutStopSec`.
const INIT: Duration = Duration::from_secs(90);

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

async fn heedless(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    b.process.dispose(Signal::SIGTERM, Disposition::Ignore).ok().await?;
    let read = a.read(1).on("reader").blocks().await?;

    b.process.signal(Signal::SIGTERM)?;
    let read = read.stays_blocked(INIT).await?;
    a.write("still there?").ok().await?;
    b.read(100).bytes(b"still there?").await?;
    lab.wire().absent(Wire::start(), ending()).await?;
    b.process.kill().await?;
    read.done().await?.eof()?;
    let _off = lab.power_off("b").that_may_miss().now().await?;

    a.kernel().is(State::CloseWait)?;
    lab.wire().absent(Wire::start(), rst()).await
}

/// As where nothing orders the process before the network.
async fn outlives_the_network(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    b.process.dispose(Signal::SIGTERM, Disposition::Ignore).ok().await?;
    let read = a.read(1).blocks().await?;
    let established = lab.wire().mark().await?;

    b.process.signal(Signal::SIGTERM)?;
    let _down = lab.interface_down("b").await?;
    let read = read.stays_blocked(INIT).await?;
    b.process.kill().await?;
    b.kernel().is(State::FinWait1)?;
    let _off = lab.power_off("b").that_may_miss().now().await?;

    let _read = read.stays_blocked(timers::A_DAY).await?;
    same("timer of the survivor", None, a.kernel().is(State::Established)?.timer)?;
    lab.wire().absent(established, any()).await
}

fn ended(status: WaitStatus) -> &'static str {
    match status {
        WaitStatus::Signaled(_, Signal::SIGTERM, _) => "killed by SIGTERM",
        _ => "otherwise",
    }
}
