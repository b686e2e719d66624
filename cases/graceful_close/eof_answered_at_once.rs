//! A reader that closes on end of file answers a FIN with one segment, not two: the delayed
//! acknowledgement of the FIN rides on the reader's own FIN.
//! Source: RFC 9293 3.6; RFC 1122 4.2.3.2 (delayed ACK); `net/ipv4/tcp_input.c` `tcp_fin`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["GC-02"]).source("RFC 9293 3.6; RFC 1122 4.2.3.2; tcp_input.c tcp_fin");
    rule.case("end_of_file_answered_at_once_takes_three_segments").claims(["B10"]).across(
        Ip::BOTH,
        |scene, ip| async move {
            three_segments(&scene, ip).await?;
            Ok(())
        },
    );
    rule.stock("end_of_file_answered_at_once_leaves_a_time_wait_of_a_minute_all_the_same")
        .source("tcp_input.c tcp_rcv_state_process, tcp_fin; tcp.h TCP_TIMEWAIT_LEN")
        .waits(timers::TIME_WAIT)
        .run(a_minute);
}

/// What is left of it, and the last segment.
async fn three_segments(scene: &Scene, ip: Ip) -> Result<(Pair, Segment)> {
    let pair = scene.pair().ip(ip).connect().await?;
    let Pair { lab, a, b, .. } = &pair;
    let wire = lab.wire();

    // Before its first data an end has no delay at all: the acknowledgement goes with the next
    // tick (tcp_output.c, tcp_send_delayed_ack). One request gives it the delay of an end in a
    // conversation (tcp_input.c, tcp_event_data_recv), and the FIN itself takes away the hurry
    // to acknowledge that the request began (tcp_fin).
    a.write("?").ok().await?;
    b.read(10).bytes(b"?").await?;
    a.kernel().is_acknowledged().await?;
    same("b's acknowledgement delay", timers::ATO_MIN, b.info().ok().await?.ato())?;
    let conversed = wire.mark().await?;

    // The close is ordered behind the read it waits for: nothing but the end of file, and no
    // message to the case, comes between the two.
    let read = b.read(1).blocks().await?;
    let (closed, _) = try_join!(b.close().queued().into_future(), a.close().into_future())?;
    read.done().await?.eof()?;

    a.kernel().reaches(State::TimeWait).await?;
    b.kernel().is_gone().await?;
    let end = wire.expect(fin().from("a").arrived(true)).await?;
    let arrived = end.arrived.unwrap_or(end.at());
    let late = closed.began().since(arrived);
    if late > timers::ATO_MIN - timers::JIFFY_AT_MOST {
        // No fault of the kernel's: b's thread did not get to run in time.
        let what = format!("b closed {late:.1?} after a's FIN, past its delayed acknowledgement");
        return Err(Error::too_slow(what));
    }
    let three =
        [fin().from("a").empty(), fin().flags(Flags::ACK).from("b").empty(), pure_ack().from("a")];
    let last = wire.exactly(conversed, three).await?.remove(2);
    Ok((pair, last))
}

async fn a_minute(scene: Scene) -> Result {
    let (Pair { lab, a, .. }, last) = three_segments(&scene, Ip::V4).await?;
    a.waits_out_its_minute(&last).await?;
    lab.wire().absent(&last, any()).await
}
