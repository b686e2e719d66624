//! When both ends have shut down their sending sides the connection is over, with both
//! descriptors still open: one side is in TIME_WAIT, the other gone, and both sockets read CLOSE.
//! Source: RFC 9293 3.6; `net/ipv4/tcp_minisocks.c` `tcp_time_wait`; `net/ipv4/tcp.c` `tcp_poll`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-17"]);
    rule.source("RFC 9293 3.6; tcp_minisocks.c tcp_time_wait; tcp.c tcp_poll");
    rule.case("two_half_closes_end_the_connection_under_open_descriptors")
        .across(Ip::BOTH, at_once);
    rule.stock("two_half_closes_leave_open_descriptors_nothing_after_a_minute_either")
        .source("tcp_minisocks.c tcp_time_wait; tcp.h TCP_TIMEWAIT_LEN; tcp.c tcp_poll")
        .waits(timers::TIME_WAIT)
        .run(a_minute_later);
}

async fn at_once(scene: Scene, ip: Ip) -> Result {
    are_left_with_nothing(&half_closed_twice(&scene, ip).await?).await
}

async fn a_minute_later(scene: Scene) -> Result {
    let pair = half_closed_twice(&scene, Ip::V4).await?;
    let last = pair.wire().expect(pure_ack().from("a").ack(2)).await?;
    pair.a.waits_out_its_minute(&last).await?;
    are_left_with_nothing(&pair).await?;
    pair.wire().absent(&last, any()).await
}

async fn half_closed_twice(scene: &Scene, ip: Ip) -> Result<Pair> {
    let pair = scene.pair().ip(ip).connect().await?;
    let Pair { a, b, .. } = &pair;
    a.shut_wr().ok().await?;
    b.read(1).eof().await?;
    b.kernel().is(State::CloseWait)?;
    a.kernel().reaches(State::FinWait2).await?;
    b.shut_wr().ok().await?;
    a.kernel().reaches(State::TimeWait).await?;
    b.kernel().is_gone().await?;
    Ok(pair)
}

async fn are_left_with_nothing(Pair { lab, a, b, .. }: &Pair) -> Result {
    let ended = Events::IN | Events::OUT | Events::HUP | Events::RDHUP;
    for end in [a, b] {
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
    lab.wire().absent(Wire::start(), rst()).await
}
