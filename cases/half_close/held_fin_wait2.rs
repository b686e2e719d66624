//! FIN_WAIT2 has no time limit while a process holds the socket; `tcp_fin_timeout` is for
//! orphans.
//! Source: ip-sysctl.rst `tcp_fin_timeout`; `net/ipv4/tcp_input.c` `tcp_rcv_state_process`
//! (SOCK_DEAD); `net/ipv4/tcp.c` `__tcp_close`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-09"]).waits(Duration::from_secs(3));
    rule.source("ip-sysctl.rst tcp_fin_timeout; tcp_input.c tcp_rcv_state_process");
    rule.case("fin_wait2_lasts_as_long_as_its_descriptor")
        .across(Ip::BOTH, |scene, ip| held(scene, ip, Duration::from_secs(1), None))
        .stock("fin_wait2_with_a_descriptor_is_still_there_after_a_day")
        .source("ip-sysctl.rst tcp_fin_timeout (60); tcp_input.c tcp_rcv_state_process")
        .waits(timers::A_DAY)
        .run(|scene| held(scene, Ip::V4, Duration::from_secs(60), Some(timers::A_DAY)));
}

/// Held for this long, and where that is not said just longer than an orphan would last.
async fn held(scene: Scene, ip: Ip, fin_timeout: Duration, time: Option<Duration>) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_fin_timeout", fin_timeout.as_secs());
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let rto = a.rto().await?;
    let timeout = Window::wheel([timers::fin_wait2(fin_timeout, rto)], "tcp_fin_timeout");

    a.shut_wr().ok().await?;
    a.kernel().reaches(State::FinWait2).await?;
    let half_closed = lab.wire().mark().await?;
    let read = a.read(100).on("reader").blocks().await?;
    let read = read.stays_blocked(time.unwrap_or(timeout.to)).await?;
    same("a's timer", None, a.kernel().is(State::FinWait2)?.timer)?;
    lab.wire().absent(half_closed, any()).await?;
    b.write("anyone there?").ok().await?;
    read.done().await?.bytes(b"anyone there?")?;

    // The same socket, held by nobody, ends when the timeout says.
    b.kernel().is_acknowledged().await?;
    let closed = a.close().await?;
    let gone = a.kernel().runs_out_within(2 * timeout.to).await?;
    gone.judge("the orphan was gone after", &timeout, closed.began())?;
    b.kernel().is(State::CloseWait)?;
    lab.wire().absent(Wire::start(), rst()).await
}
