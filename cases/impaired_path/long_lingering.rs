//! What a lingering close() waits for is the acknowledgement of its FIN, and so the whole way
//! there and back. That the peer has all the data, has read it and has seen the end does not end
//! the wait, and that the data is acknowledged already does not shorten it.
//! Source: `net/core/stream.c` `sk_stream_wait_close`, `sk_stream_closing`; socket(7) says only
//! that all queued messages have been "successfully sent".

use lastack::prelude::*;

const LINGER: Linger = Linger::on(5);
/// Both ways together; more than what an acknowledgement may be held back.
const ROUND_TRIP: Duration = Duration::from_millis(400);

/// Where the time is lost.
#[derive(Clone, Copy)]
enum Slow {
    Forth,
    Back,
    Both,
}

pub fn cases(family: &mut Family) {
    let (forth, both) = (("slow_forth", Slow::Forth), ("slow_both_ways", Slow::Both));
    let ways = [forth, ("slow_back", Slow::Back), both];
    let rule = family.rule(["IM-07"]).claims(["A11", "B38"]);
    rule.waits(Duration::from_secs(3));
    rule.source("stream.c sk_stream_wait_close, sk_stream_closing; socket(7) SO_LINGER");
    rule.case("lingering_close_waits_for_the_way_there_and_back")
        .across((ways, Ip::BOTH).but(["slow_forth_ipv6"]), there_and_back);
    rule.case("acknowledged_data_does_not_shorten_the_lingering")
        .across((ways, Ip::BOTH).but(["slow_forth_ipv6"]), acknowledged_before);
    rule.case("close_that_does_not_linger_is_back_before_anything_arrives")
        .claims([])
        .source("tcp.c __tcp_close")
        .across(([forth, both], Ip::BOTH).but(["slow_forth_ipv6"]), without_lingering);
    rule.case("lingering_shorter_than_the_way_runs_out_and_loses_nothing")
        .covers(["IM-08"])
        .claims(["A12", "B36"])
        .source("tcp.c __tcp_close; stream.c sk_stream_wait_close")
        .across(Ip::BOTH, too_short);
}

/// A connection over a path that was slow before it, so that nothing is sent twice.
async fn connected(scene: &Scene, (slow, ip): (Slow, Ip)) -> Result<(Pair, Impairment)> {
    let lab = scene.lab().build().await?;
    let by = |delay| lab.impair(Netem::new().delay(delay));
    let path = match slow {
        Slow::Forth => by(ROUND_TRIP).from("a").turn_on().await?,
        Slow::Back => by(ROUND_TRIP).from("b").turn_on().await?,
        Slow::Both => by(ROUND_TRIP / 2).turn_on().await?,
    };
    Ok((scene.pair().ip(ip).connect_in(&lab).await?, path))
}

/// One round trip, and what the peer may hold its acknowledgement back.
fn one_round_trip() -> Window {
    let least = Window::wheel([ROUND_TRIP], "the way there and back");
    least.until(&Window::wheel([ROUND_TRIP, timers::DELAYED_ACK], "a delayed acknowledgement"))
}

async fn there_and_back(scene: Scene, way: (Slow, Ip)) -> Result {
    let (Pair { lab, a, b, .. }, _path) = connected(&scene, way).await?;
    a.set(option::LINGER, LINGER).ok().await?;
    let read = b.read_to_end().start().await?;
    a.write_pattern(1000).ok().await?;

    let close = a.close().await?.succeeds()?;
    a.kernel().is(State::FinWait2)?;
    let end = lab.wire().expect(fin().from("a")).await?;
    let answer = lab.wire().expect(pure_ack().from("b").ack(end.end())).await?;
    let close = close.returned_after(&answer)?.took_within(&one_round_trip())?;
    // Whoever had to know knew it before.
    let read = read.done().await?.whole(1000)?;
    check("when the reader met the end, before close", read.ended(), less_than(close.ended()))?;
    lab.wire().absent(Wire::start(), any().retransmitted(true)).await
}

async fn acknowledged_before(scene: Scene, way: (Slow, Ip)) -> Result {
    let (Pair { lab, a, b, .. }, _path) = connected(&scene, way).await?;
    a.set(option::LINGER, LINGER).ok().await?;
    a.write_pattern(1000).ok().await?;
    b.read_until(1000).await?.whole(1000)?;
    a.kernel().is_acknowledged().await?;

    let close = a.close().await?.succeeds()?.took_within(&one_round_trip())?;
    let end = lab.wire().expect(fin().from("a").empty()).await?;
    let answer = lab.wire().expect(pure_ack().from("b").ack(end.end())).await?;
    close.returned_after(&answer)?;
    Ok(())
}

async fn without_lingering(scene: Scene, way: (Slow, Ip)) -> Result {
    let (Pair { lab, a, b, .. }, _path) = connected(&scene, way).await?;
    a.write_pattern(1000).ok().await?;
    let close = a.close().await?.succeeds()?;
    a.kernel().is(State::FinWait1)?;
    b.read_to_end().await?.whole(1000)?;
    let first = lab.wire().expect(data().from("a").arrived(true)).await?;
    let arrived = first.arrived.unwrap_or(close.ended());
    check("when close was back, before the data arrived", close.ended(), less_than(arrived))
}

async fn too_short(scene: Scene, ip: Ip) -> Result {
    const SHORT: Linger = Linger::on(1);
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, SHORT).ok().await?;
    let read = b.read_to_end().blocks().await?;
    let one_way = Duration::from_millis(700);
    let _path = lab.impair(Netem::new().delay(one_way)).turn_on().await?;

    a.write_pattern(1000).ok().await?;
    a.close().await?.succeeds()?.took_within(&SHORT.used_up())?;
    // The peer has had all of it for a while: it is the acknowledgement that is under way.
    read.done().await?.whole(1000)?;
    a.kernel().reaches(State::FinWait2).await?;
    lab.wire().absent(Wire::start(), rst()).await
}
