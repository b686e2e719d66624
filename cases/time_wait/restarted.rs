//! Whatever still comes from the peer starts TIME_WAIT's minute anew: its FIN again and data that
//! comes too late are acknowledged, a bare acknowledgement is only heard. A reset of the exact
//! number, where tcp_rfc1337 forbids it to end the wait, does not prolong it either.
//! Source: `net/ipv4/tcp_minisocks.c` `tcp_timewait_state_process`; RFC 1337; RFC 9293 3.10.7.4.

use lastack::prelude::*;

/// How far into the minute it comes.
const HALF: Duration = Duration::from_secs(30);

/// What comes.
#[derive(Clone, Copy)]
enum Late {
    Fin,
    Ack,
    Data,
    Reset,
}

pub fn cases(family: &mut Family) {
    let rule = family.rule(["TW-02"]).needs([Need::VirtualTime]).waits(HALF + timers::TIME_WAIT);
    rule.source("tcp_minisocks.c tcp_timewait_state_process (inet_twsk_reschedule)");
    rule.case("repeated_fin_starts_time_wait_anew")
        .across(Ip::BOTH, |scene, ip| anew(scene, ip, Late::Fin));
    rule.case("bare_acknowledgement_starts_time_wait_anew_without_an_answer")
        .covers(["TW-03"])
        .run(|scene| anew(scene, Ip::V4, Late::Ack));
    rule.case("late_data_starts_time_wait_anew_and_is_no_reason_to_reset")
        .covers(["TW-04"])
        .run(|scene| anew(scene, Ip::V4, Late::Data));
    rule.case("reset_neither_ends_nor_prolongs_time_wait_under_tcp_rfc1337")
        .covers(["TW-09"])
        .source("tcp_minisocks.c tcp_timewait_state_process (sysctl_tcp_rfc1337); RFC 1337 3")
        .run(|scene| anew(scene, Ip::V4, Late::Reset));
}

async fn anew(scene: Scene, ip: Ip, late: Late) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_rfc1337", 1);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let wire = lab.wire();
    a.close().ok().await?;
    b.read(1).eof().await?;
    b.close().ok().await?;
    a.kernel().reaches(State::TimeWait).await?;
    b.kernel().is_gone().await?;
    let last = wire.expect(pure_ack().from("a").ack(2).arrived(true)).await?;
    wire.never(&last, any()).for_(HALF).await?;

    let peer = lab.impersonate(&b)?;
    let said = match late {
        Late::Fin => peer.fin().seq(1).send().await?,
        Late::Ack => peer.pure_ack().seq(2).send().await?,
        Late::Data => peer.data("wait").seq(2).send().await?,
        Late::Reset => peer.rst().seq(2).send().await?,
    };

    let gone = a.kernel().runs_out_within(2 * timers::TIME_WAIT).await?;
    let (since, rule) = match late {
        Late::Reset => (last.at(), "TCP_TIMEWAIT_LEN, not started again"),
        _ => (said.at(), "TCP_TIMEWAIT_LEN, started again"),
    };
    let window = Window::wheel([timers::TIME_WAIT], rule);
    gone.judge("TIME_WAIT was over after", &window, since)?;
    let answers = match late {
        Late::Fin | Late::Data => vec![pure_ack().from("a").seq(2).ack(2)],
        Late::Ack | Late::Reset => vec![],
    };
    // Nobody is there any more for whom the answer would be.
    wire.exactly(&said, answers).among(any().from("a")).await?;
    Ok(())
}
