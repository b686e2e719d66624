//! A closed connection whose FIN nobody acknowledges is given up after tcp_orphan_retries, which
//! stands for a time as tcp_retries2 does: no reset, no TIME_WAIT, and a peer that knows nothing.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_timeout`, `tcp_orphan_retries`;
//! `Documentation/networking/ip-sysctl.rst` tcp_orphan_retries.

use lastack::prelude::*;

const ORPHAN_RETRIES: &str = "net.ipv4.tcp_orphan_retries";
/// `tcp_orphan_retries` as it comes, which stands for [`timers::ORPHAN_RETRIES`].
const STOCK: u32 = 0;
const CAP: &str = "net.ipv4.tcp_rto_max_ms";

pub fn cases(family: &mut Family) {
    let rule = family.rule(["RT-08"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_write_timeout, tcp_orphan_retries");
    rule.case("orphan_in_a_silence_is_given_up_after_tcp_orphan_retries")
        .claims(["A1"])
        .across(([("one", 1), ("two", 2)], Ip::OVER), given_up)
        .stock("stock_orphan_in_a_silence_lives_for_almost_two_minutes")
        .covers(["RT-07"])
        .source("tcp_timer.c tcp_orphan_retries: 0 means 8; ip-sysctl tcp_orphan_retries")
        .waits(Duration::from_secs(110))
        .across(Ip::BOTH, |scene, ip| given_up(scene, (STOCK, ip)));
    rule.case("orphan_of_a_dead_machine_is_given_up_after_tcp_orphan_retries")
        .waits(Duration::from_secs(2))
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
    rule.case("orphan_that_has_backed_off_to_the_cap_has_no_retries_left")
        .source("tcp_timer.c tcp_write_timeout (alive), tcp_orphan_retries: 0 means 8 or 0")
        .needs([Need::Sysctl(CAP)])
        .across(Ip::BOTH, none_left);
}

async fn given_up(scene: Scene, (retries, ip): (u32, Ip)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", ORPHAN_RETRIES, retries);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let rto = a.rto().await?;

    let silence = lab.black_hole().open().await?;
    let meant = if retries == STOCK { timers::ORPHAN_RETRIES } else { retries };
    closes(lab.wire(), &a, &GiveUp::of(meant, rto)).await?;
    b.kernel().is(State::Established)?;

    // The peer learns of it when it speaks.
    silence.lift().await?;
    b.write("hello?").ok().await?;
    b.kernel().is_gone().await?;
    b.read(100).errno(Errno::ECONNRESET).await?;
    Ok(())
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
    let pair = scene.pair().kind("b", kind).ip(ip).sysctl("a", ORPHAN_RETRIES, 1);
    let Pair { lab, a, .. } = pair.connect().await?;
    let rto = a.rto().await?;

    let _dead = kill(&lab, "b").now().await?;
    closes(lab.wire(), &a, &GiveUp::of(1, rto)).await
}

/// What comes of a close that nobody acknowledges.
async fn closes(wire: &Wire, a: &End, end: &GiveUp) -> Result {
    a.close().ok().await?;
    a.kernel().is(State::FinWait1)?;
    let gone = a.kernel().runs_out_within(2 * end.window().to).await?;

    let first = wire.expect(fin().from("a")).await?;
    end.judge_sighting(&wire.retries_of(&first).await?, &gone)?;
    wire.absent(Wire::start(), rst()).await
}

/// The stock value 0 means 8 retransmissions, but only until the timeout cannot grow any more.
async fn none_left(scene: Scene, ip: Ip) -> Result {
    let cap = Duration::from_secs(1);
    let pair = scene.pair().ip(ip).sysctl("a", ORPHAN_RETRIES, 0);
    let Pair { lab, a, .. } = pair.sysctl("a", CAP, cap.as_millis()).connect().await?;
    let wire = lab.wire();
    let rto = a.rto().await?;

    let _silence = lab.black_hole().open().await?;
    a.close().ok().await?;
    let gone = a.kernel().is_gone_within(Duration::from_secs(10)).await?;

    let first = wire.expect(fin().from("a")).await?;
    let retries = wire.retries_of(&first).await?;
    let growing = (1..).take_while(|n| timers::rto_gap(*n, rto, cap) < cap).count();
    same("retransmissions until the wait is the cap", growing + 1, retries.timeouts.len())?;
    let waits = (1..growing as u32 + 2).map(|n| timers::rto_gap(n, rto, cap));
    let window = Window::wheel(waits, "first timeout after a wait of the cap");
    gone.judge("the end of the orphan", &window, retries.first_timeout().at())
}
