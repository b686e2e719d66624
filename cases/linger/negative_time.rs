//! A negative l_linger is no error and no zero: it is so large a time that close() waits for the
//! acknowledgement for as long as the connection lasts: for ever behind a closed window, and until
//! tcp_retries2 ends it where nobody answers.
//! Source: `net/core/sock.c` `sock_setsockopt` SO_LINGER, which takes the time as unsigned and
//! bounds it at MAX_SCHEDULE_TIMEOUT; `net/core/stream.c` `sk_stream_wait_close`;
//! `net/ipv4/tcp_timer.c` `tcp_write_timeout` (not yet an orphan: SOCK_DEAD comes after the wait).

use lastack::prelude::*;

/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;
/// Longer than any other reason would hold a close.
const LONG: Duration = Duration::from_millis(2500);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-15"]).waits(Duration::from_secs(4));
    rule.source("sock.c SO_LINGER; stream.c sk_stream_wait_close");
    rule.case("negative_linger_time_waits_for_ever").across(Ip::BOTH, waits);
    rule.stock("negative_linger_time_waits_a_day_for_a_reader_that_does_not_read")
        .source("sock.c SO_LINGER; stream.c sk_stream_wait_close; tcp_timer.c tcp_probe_timer")
        .waits(timers::A_DAY)
        .run(waits_behind_a_window);
    rule.stock("negative_linger_time_on_a_dead_path_ends_after_a_quarter_of_an_hour")
        .source("stream.c sk_stream_wait_close; tcp_timer.c tcp_write_timeout; ip-sysctl")
        .run(ends_with_the_connection);
}

async fn waits(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, Linger::on(-1)).ok().await?;
    let read = b.read_to_end().blocks().await?;

    let hole = lab.black_hole().open().await?;
    a.write_pattern(100).ok().await?;
    let close = a.close().blocks().await?.stays_blocked(LONG).await?;
    a.kernel().is(State::FinWait1)?;
    hole.lift().await?;

    read.done().await?.whole(100)?;
    close.done().await?.succeeds()?;
    a.kernel().is(State::FinWait2)?;
    lab.wire().absent(Wire::start(), rst()).await
}

async fn waits_behind_a_window(scene: Scene) -> Result {
    let pair = scene.pair().small_window_at_b().connect().await?;
    pair.close_window(MUCH).await?;
    let Pair { lab, a, b, .. } = pair;
    a.set(option::LINGER, Linger::on(-1)).ok().await?;

    let close = a.close().blocks().await?;
    let close = close.stays_blocked(timers::A_DAY).await?;
    a.kernel().is(State::FinWait1)?;
    lab.wire().absent(Wire::start(), ending()).await?;

    let read = b.read_to_end().start().await?;
    close.done().await?.succeeds()?;
    read.done().await?.whole(MUCH.into())?;
    a.kernel().is(State::FinWait2)?;
    lab.wire().absent(Wire::start(), rst()).await
}

async fn ends_with_the_connection(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    a.set(option::LINGER, Linger::on(-1)).ok().await?;
    let rto = a.rto().await?;

    let _hole = lab.black_hole().open().await?;
    let close = a.close().await?.succeeds()?;
    a.kernel().is_gone().await?;
    b.kernel().is(State::Established)?;
    // With its owner waiting it is no orphan, which would have lived for less than two minutes.
    let fin = lab.wire().expect(fin().from("a")).await?;
    let end = GiveUp::stock(rto);
    end.judge(&lab.wire().retries_of(&fin).await?, close.ended())?;
    lab.wire().absent(Wire::start(), rst()).await
}
