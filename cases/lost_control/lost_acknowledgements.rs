//! Who sent a FIN repeats it until it is acknowledged: the peer, which had long taken it in, says
//! so again, and the sender moves on late. In TIME_WAIT the answer comes from there.
//! Source: RFC 9293 3.10.7.4; `net/ipv4/tcp_input.c` `tcp_rcv_state_process`;
//! `tcp_minisocks.c` `tcp_timewait_state_process`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LC-02"]).waits(Duration::from_millis(300));
    rule.source("tcp_input.c tcp_rcv_state_process (TCP_FIN_WAIT1), tcp_send_dupack");
    rule.case("lost_acknowledgement_of_a_fin_keeps_the_closer_in_fin_wait1")
        .across(Ip::BOTH, first_fin);
    rule.case("lost_last_acknowledgement_keeps_the_passive_closer_in_last_ack")
        .covers(["LC-03"])
        .source("tcp_minisocks.c tcp_timewait_state_process; RFC 9293 3.6")
        .across(Ip::BOTH, second_fin);
}

async fn first_fin(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let acks = packets().from("b").pure_ack().first(1).are_dropped();
    let lost = lab.rules([acks]).turn_on().await?;

    a.shut_wr().ok().await?;
    let end = b.read(100).eof().await?;
    b.kernel().is(State::CloseWait)?;
    let unheard = wire.expect(pure_ack().from("b").ack(2).arrived(false)).await?;

    let again = fin().from("a").seq(1).retransmitted(true).arrived(true);
    let again = wire.expect(again).after(&unheard).await?;
    wire.expect(pure_ack().from("b").ack(2).arrived(true)).after(&again).await?;
    let moved = a.kernel().reaches(State::FinWait2).await?;
    check("when a moved on, later", moved.first, more_than(again.at()))?;
    check("when b knew, before", end.ended(), less_than(again.at()))?;
    same("acknowledgements lost", vec![1], lost.lift().await?)
}

async fn second_fin(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    a.close().ok().await?;
    b.read(100).eof().await?;
    a.kernel().reaches(State::FinWait2).await?;

    let acks = packets().from("a").pure_ack().first(1).are_dropped();
    let lost = lab.rules([acks]).turn_on().await?;
    b.close().ok().await?;
    let unheard = wire.expect(pure_ack().from("a").ack(2).arrived(false)).await?;
    a.kernel().is(State::TimeWait)?;

    let again = fin().from("b").seq(1).retransmitted(true).arrived(true);
    let again = wire.expect(again).after(&unheard).await?;
    wire.expect(pure_ack().from("a").ack(2).arrived(true)).after(&again).await?;
    let gone = b.kernel().is_gone().await?;
    check("when b was gone, later", gone.first, more_than(again.at()))?;
    a.kernel().is(State::TimeWait)?;
    same("acknowledgements lost", vec![1], lost.lift().await?)
}
