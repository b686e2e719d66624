//! When both ends have shut down their sending sides the connection is over, with both
//! descriptors still open: one side is in TIME_WAIT, the other gone, and both sockets read CLOSE.
//! Source: RFC 9293 3.6; `net/ipv4/tcp_minisocks.c` `tcp_time_wait`; `net/ipv4/tcp.c` `tcp_poll`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    family
        .case("two_half_closes_end_the_connection_under_open_descriptors")
        .covers(["HC-17"])
        .source("RFC 9293 3.6; tcp_minisocks.c tcp_time_wait; tcp.c tcp_poll")
        .across(Ip::BOTH, over);
}

async fn over(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.shut_wr().ok().await?;
    b.read(1).eof().await?;
    b.kernel().is(State::CloseWait)?;
    a.kernel().reaches(State::FinWait2).await?;
    b.shut_wr().ok().await?;
    a.kernel().reaches(State::TimeWait).await?;
    b.kernel().is_gone().await?;

    let ended = Events::IN | Events::OUT | Events::HUP | Events::RDHUP;
    for end in [&a, &b] {
        let state = end.info().ok().await?.state();
        same(&format!("{}: tcpi_state", end.host().name()), Some(State::Close), state)?;
        end.poll(Events::ALL, Some(Duration::ZERO)).await?.is(&ended)?;
        end.read(1).eof().await?;
        end.get(option::ERROR).await?.is(&0)?;
    }
    // What is left for the descriptors to do says nothing on the wire.
    let over = lab.wire().mark().await?;
    a.close().ok().await?;
    b.close().ok().await?;
    lab.wire().absent(over, any()).await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    Ok(())
}
