//! When both ends close at once, neither FIN being heard before the other is sent, both keep the
//! connection for a minute: TIME_WAIT is on both sides.
//! Source: RFC 9293 3.6 (figure 13); `net/ipv4/tcp_input.c` `tcp_fin` (TCP_CLOSING),
//! `tcp_rcv_state_process`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ST-12"]).needs([Need::VirtualTime]).waits(timers::TIME_WAIT);
    rule.source("RFC 9293 3.6; tcp_input.c tcp_fin, tcp_rcv_state_process; tcp.h TCP_TIMEWAIT_LEN");
    rule.case("both_ends_that_close_at_once_wait_for_a_minute").across(Ip::BOTH, both_wait);
}

async fn both_wait(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let hole = lab.black_hole().open().await?;
    a.close().ok().await?;
    b.close().ok().await?;
    a.kernel().is(State::FinWait1)?;
    b.kernel().is(State::FinWait1)?;
    hole.lift().await?;

    let window = Window::wheel([timers::TIME_WAIT], "TCP_TIMEWAIT_LEN");
    let waits = async |end: &End| -> Result {
        let began = end.kernel().reaches(State::TimeWait).await?;
        let gone = end.kernel().runs_out_within(2 * timers::TIME_WAIT).await?;
        gone.judge("TIME_WAIT was over after", &window, began.before)
    };
    try_join!(waits(&a), waits(&b))?;
    lab.wire().absent(Wire::start(), rst()).await
}
