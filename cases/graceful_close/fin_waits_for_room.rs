//! A close whose data cannot leave yet makes FIN_WAIT1 of the connection at once, though the FIN
//! is only queued: it leaves after the data, when the peer's window or the network has room.
//! Source: `net/ipv4/tcp.c` `__tcp_close` (the comment on "RFC state"); RFC 5681 3.1 (initial
//! window).

use lastack::prelude::*;

/// More than the initial congestion window of ten segments, less than a send buffer takes.
const QUEUED: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let obstacles =
        [("peer_window", Obstacle::Window), ("congestion_window", Obstacle::Congestion)];
    let rule = family.rule(["GC-06"]).claims(["A2", "B9", "B12"]).waits(Duration::from_secs(2));
    rule.source("tcp.c __tcp_close; tcp_output.c tcp_send_fin; RFC 5681 3.1");
    rule.case("a_close_is_fin_wait1_while_the_fin_is_still_queued")
        .across((obstacles, Ip::BOTH), close_with_data_unsent);
}

#[derive(Clone, Copy)]
enum Obstacle {
    Window,
    Congestion,
}

async fn close_with_data_unsent(scene: Scene, (obstacle, ip): (Obstacle, Ip)) -> Result {
    // Room for all of it at the sender, so that the write does not wait.
    let pair = scene.pair().ip(ip).option_on_a(option::SNDBUF, 64 * 1024);
    let Pair { lab, a, b, .. } = match obstacle {
        Obstacle::Window => pair.small_window_at_b().connect().await?,
        Obstacle::Congestion => pair.connect().await?,
    };
    let wire = lab.wire();
    // Without acknowledgements the congestion window stays what it is.
    let silence = match obstacle {
        Obstacle::Window => None,
        Obstacle::Congestion => Some(lab.black_hole().from("b").open().await?),
    };

    a.write_pattern(QUEUED).await?.is(&(QUEUED as usize))?;
    let unsent = a.unsent().ok().await?;
    a.close().ok().await?;
    let closed = a.kernel().is(State::FinWait1)?;
    scene.note(format!("{unsent} bytes unsent, {} unacknowledged with the FIN", closed.send_queue));
    wire.absent(Wire::start(), fin()).await?;

    if let Some(silence) = silence {
        wire.expect(pure_ack().from("b").arrived(false)).await?;
        wire.absent(Wire::start(), fin()).await?;
        silence.lift().await?;
    }
    b.read_to_end().await?.whole(QUEUED.into())?;
    a.kernel().reaches(State::FinWait2).await?;
    let last = wire.expect(fin().from("a")).await?;
    wire.absent(&last, data().from("a").retransmitted(false)).await?;
    wire.absent(Wire::start(), rst()).await?;
    Ok(())
}
