//! A writer that finds no room for a while cannot tell a slow reader from a dead one, and a server
//! that gives up then cuts off a download that was going well. What can tell them is the part of
//! the queue that is not sent yet: as long as it shrinks somebody acknowledges.
//! Source: `net/core/stream.c` `sk_stream_write_space`; tcp(7) SIOCOUTQNSD; Cloudflare, "The
//! curious case of slow downloads".

use lastack::prelude::*;

/// Bytes a second.
const RATE: u64 = 50_000;
/// The kernel doubles it, and calls a third of that room enough to write on.
const ROOM: i32 = 60_000;
/// How long a server waits for room before it gives up: too short, as it turns out.
const IMPATIENCE: Duration = Duration::from_millis(300);

pub fn cases(family: &mut Family) {
    let servers = [("gives_up", true), ("looks_at_its_queue", false)];
    let rule = family.rule(["IN-10"]).waits(Duration::from_secs(4));
    rule.source("stream.c sk_stream_write_space; tcp(7) SIOCOUTQNSD");
    rule.case("server_that_waits_for_room_cuts_off_a_slow_download")
        .across((servers, Ip::BOTH), serve);
}

async fn serve(scene: Scene, (gives_up, ip): (bool, Ip)) -> Result {
    let pair = scene.pair().ip(ip).option_on_listener(option::SNDBUF, ROOM);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let read = a.read_to_end().blocks().await?;
    let _slow = lab.impair(Netem::new().rate(Rate::bytes(RATE))).from("b").turn_on().await?;
    b.nonblocking(true).ok().await?;
    let mut written = 0;
    while let Ok(taken) = b.write_pattern_from(written, 4096).await?.answer() {
        written += *taken as u64;
    }

    let before = b.unsent().ok().await?;
    b.poll(Events::OUT, Some(IMPATIENCE)).await?.is(&Events::NONE)?;
    let after = b.unsent().ok().await?;
    check("what is left for the reader", after, less_than(before))?;
    if gives_up {
        b.reset().await?;
        let read = CloseKind::LingerZero.leaves(read.done().await?, written)?;
        let bytes = read.answer().map_or(0, |all| all.bytes);
        return check("bytes of a download cut off", bytes, less_than(written));
    }
    // Once more patience, and there is room again.
    b.poll(Events::OUT, Some(Duration::from_secs(5))).await?.is(&Events::OUT)?;
    b.close().ok().await?;
    read.done().await?.whole(written)?;
    Ok(())
}
