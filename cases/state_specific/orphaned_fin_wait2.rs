//! A socket that was closed and whose peer never closes waits a minute for it, in FIN_WAIT2 and
//! owned by nobody. Then it is gone without a packet, and the peer finds out by speaking.
//! Source: `net/ipv4/tcp.c` `__tcp_close` (tcp_time_wait, TCP_FIN_WAIT2); ip-sysctl
//! tcp_fin_timeout; `net/ipv4/tcp_input.c` `tcp_reset` (EPIPE in CLOSE_WAIT).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ST-01"]).needs([Need::VirtualTime]).waits(Duration::from_secs(60));
    rule.source("tcp.c __tcp_close; tcp_minisocks.c tcp_time_wait; ip-sysctl tcp_fin_timeout (60)");
    rule.case("stock_orphan_in_fin_wait2_is_gone_after_a_minute").across(Ip::BOTH, gone_in_silence);
}

async fn gone_in_silence(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let rto = a.rto().await?;
    let stock = Duration::from_secs(60);

    a.close().ok().await?;
    b.read(1).eof().await?;
    a.kernel().reaches(State::FinWait2).await?;
    let acknowledged = lab.wire().expect(pure_ack().from("b").ack(2).arrived(true)).await?;

    let gone = a.kernel().runs_out_within(2 * stock).await?;
    let window = Window::wheel([timers::fin_wait2(stock, rto)], "tcp_fin_timeout");
    gone.judge("the orphan was gone after", &window, acknowledged.at())?;
    lab.wire().absent(&acknowledged, any()).await?;

    let survivor = b.kernel().is(State::CloseWait)?;
    same("timer of the survivor", None, survivor.timer)?;
    b.write("still there?").ok().await?;
    lab.wire().expect(rst().from("a")).await?;
    b.kernel().is_gone().await?;
    b.write("no").await?.errno(Errno::EPIPE)?.with_sigpipe()?;
    Ok(())
}
