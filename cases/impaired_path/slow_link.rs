//! On a slow link most of what was written still lies in the send queue when its writer leaves.
//! After a FIN the kernel delivers it all, however long that takes and whether anybody lingers; a
//! reset throws it away, and stands in line behind what has left.
//! Source: `net/ipv4/tcp.c` `__tcp_close`, `tcp_disconnect`; `net/core/stream.c`
//! `sk_stream_wait_close`; `net/sched/sch_netem.c` `packet_time_ns`.

use lastack::prelude::*;

/// Bytes a second.
const RATE: u64 = 100_000;
/// Several times what may be on its way, and less than the send buffer takes.
const WRITTEN: u32 = 80_000;
const ROOM: i32 = 200_000;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IM-12"]).waits(Duration::from_secs(3));
    rule.source("tcp.c __tcp_close, tcp_disconnect; sch_netem.c packet_time_ns");
    rule.case("full_send_queue_on_a_slow_link_is_delivered_or_thrown_away")
        .covers(["IM-11"])
        .across((CloseKind::ALL, Ip::BOTH), part_with_a_full_queue);
    rule.case("lingering_close_takes_as_long_as_the_send_queue")
        .claims(["A11"])
        .source("stream.c sk_stream_wait_close")
        .across(Ip::BOTH, linger_long_enough);
    rule.case("lingering_too_short_for_the_send_queue_still_delivers_it")
        .claims(["A12", "B36"])
        .source("stream.c sk_stream_wait_close; tcp.c __tcp_close")
        .across(Ip::BOTH, linger_too_short);
}

/// A connection over a link of this rate, its sender's queue full.
async fn with_full_queue(
    scene: &Scene,
    ip: Ip,
    kind: Option<CloseKind>,
    (rate, written): (u64, u32),
) -> Result<(Pair, Impairment, Stamp)> {
    let pair = scene.pair().ip(ip).option_on_a(option::SNDBUF, ROOM).connect().await?;
    if let Some(kind) = kind {
        kind.prepare(&pair.a, &pair.b).await?;
    }
    let slow = pair.lab.impair(Netem::new().rate(Rate::bytes(rate))).from("a").turn_on().await?;
    let began = Stamp::now();
    pair.a.write_pattern(written).await?.is(&(written as usize))?;
    check("bytes not sent yet", pair.a.unsent().ok().await?, more_than(0))?;
    Ok((pair, slow, began))
}

/// The time that so many bytes take, headers not counted.
fn on_the_link(bytes: u64, rate: u64) -> Window {
    let micros = bytes * 1_000_000 / rate;
    Window::at_least(Duration::from_micros(micros), format!("{bytes} bytes at {rate} a second"))
}

async fn part_with_a_full_queue(scene: Scene, (kind, ip): (CloseKind, Ip)) -> Result {
    let (Pair { lab, a, b, .. }, slow, began) =
        with_full_queue(&scene, ip, Some(kind), (RATE, WRITTEN)).await?;
    a.close_by(kind).await?;

    let read = kind.leaves(b.read_to_end().await?, WRITTEN.into())?;
    let bytes = read.answer().map_or(0, |all| all.bytes);
    // A reset is no faster than the data before it.
    on_the_link(bytes, RATE).judge("reading all of it", read.ended().since(began))?;
    if !kind.is_graceful() {
        check("bytes that had left before", bytes, more_than(0))?;
        check("bytes not thrown away", bytes, less_than(WRITTEN.into()))?;
        let reset = lab.wire().expect(rst().from("a")).await?;
        lab.wire().absent(&reset, data().from("a")).await?;
    }
    check("bytes on the slow link", slow.counted().await?.bytes, at_least(bytes))?;
    slow.lift().await?;
    kind.settles(&a, &b).await
}

async fn linger_long_enough(scene: Scene, ip: Ip) -> Result {
    const LINGER: Linger = Linger::on(5);
    let (Pair { lab, a, b, .. }, _slow, _) =
        with_full_queue(&scene, ip, None, (RATE, WRITTEN)).await?;
    a.set(option::LINGER, LINGER).ok().await?;
    let read = b.read_to_end().start().await?;
    let unsent = a.unsent().ok().await? as u64;

    let close = a.close().await?.succeeds()?;
    a.kernel().is(State::FinWait2)?;
    read.done().await?.whole(WRITTEN.into())?;
    let end = lab.wire().expect(fin().from("a")).await?;
    let answer = lab.wire().expect(pure_ack().from("b").ack(end.end())).await?;
    let close = close.returned_after(&answer)?.took_within(&LINGER.cut_short())?;
    close.took_within(&on_the_link(unsent, RATE))?;
    Ok(())
}

async fn linger_too_short(scene: Scene, ip: Ip) -> Result {
    const LINGER: Linger = Linger::on(1);
    /// Twice as long as the lingering.
    const SLOWER: u64 = WRITTEN as u64 / 2;
    let (Pair { lab, a, b, .. }, _slow, _) =
        with_full_queue(&scene, ip, None, (SLOWER, WRITTEN)).await?;
    a.set(option::LINGER, LINGER).ok().await?;
    let read = b.read_to_end().start().await?;

    a.close().await?.succeeds()?.took_within(&LINGER.used_up())?;
    a.kernel().is(State::FinWait1)?;
    read.blocked().await?.done().await?.whole(WRITTEN.into())?;
    a.kernel().reaches(State::FinWait2).await?;
    lab.wire().absent(Wire::start(), rst()).await
}
