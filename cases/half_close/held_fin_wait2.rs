//! FIN_WAIT2 has no time limit while a process holds the socket; `tcp_fin_timeout` is for
//! orphans.
//! Source: ip-sysctl.rst `tcp_fin_timeout`; `net/ipv4/tcp_input.c` `tcp_rcv_state_process`
//! (SOCK_DEAD); `net/ipv4/tcp.c` `__tcp_close`.

use lastack::prelude::*;

/// `tcp_fin_timeout` of a's host.
const FIN_TIMEOUT: Duration = Duration::from_secs(1);

pub fn cases(family: &mut Family) {
    family
        .case("fin_wait2_lasts_as_long_as_its_descriptor")
        .covers(["HC-09"])
        .source("ip-sysctl.rst tcp_fin_timeout; tcp_input.c tcp_rcv_state_process")
        .waits(3 * FIN_TIMEOUT)
        .across(Ip::BOTH, outlasts_the_timeout);
}

async fn outlasts_the_timeout(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_fin_timeout", FIN_TIMEOUT.as_secs());
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let rto = a.info().ok().await?.rto();
    let timeout = Window::timer(timers::fin_wait2(FIN_TIMEOUT, rto), "tcp_fin_timeout");

    a.shut_wr().ok().await?;
    a.kernel().reaches(State::FinWait2).await?;
    let socket = a.kernel().stays(State::FinWait2, timeout.to).await?;
    same("a's timer", None, socket.timer)?;
    b.write("anyone there?").ok().await?;
    a.read(100).bytes(b"anyone there?").await?;

    // The same socket, held by nobody, ends when the timeout says.
    b.kernel().is_acknowledged().await?;
    let closed = a.close().await?;
    let gone = a.kernel().is_gone().await?;
    timeout.judge("the orphan lived", gone.first.since(closed.began()))?;
    b.kernel().is(State::CloseWait)?;
    lab.wire().absent(Wire::start(), rst()).await?;
    Ok(())
}
