//! A FIN follows everything that was written, however shortly before the close: on a segment of
//! its own when all has been sent, else on the last one with data.
//! Source: RFC 9293 3.10.4; `net/ipv4/tcp_output.c` `tcp_send_fin`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let ways =
        [("all_sent", Sending::AtOnce), ("corked", Sending::Corked), ("nagle", Sending::Nagle)];
    let rule = family.rule(["GC-03"]).claims(["A2", "B9"]);
    rule.source("RFC 9293 3.10.4; tcp_output.c tcp_send_fin");
    rule.case("a_close_right_after_writes_delivers_them_before_the_end")
        .across((ways, Ip::BOTH).but(["nagle_ipv6"]), delivers);
}

/// What has left by the time of the close.
#[derive(Clone, Copy)]
enum Sending {
    /// Every write, at once.
    AtOnce,
    /// Nothing: less than a full segment waits for more.
    Corked,
    /// The first write; the second waits for its acknowledgement.
    Nagle,
}

async fn delivers(scene: Scene, (sending, ip): (Sending, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    match sending {
        Sending::AtOnce => a.set(option::NODELAY, 1).ok().await?,
        Sending::Corked => a.set(option::CORK, 1).ok().await?,
        Sending::Nagle => {}
    }

    a.write_pattern(300).ok().await?;
    a.write_pattern_from(300, 200).ok().await?;
    a.close().ok().await?;

    b.read_to_end().await?.whole(500)?;
    let end = wire.expect(fin().from("a")).await?;
    match sending {
        Sending::AtOnce => {
            let segments = [data().seq(1).payload(300), data().seq(301).payload(200)];
            wire.in_order(Wire::start(), segments, Duration::from_secs(1)).await?;
            wire.exactly(Wire::start(), [fin().empty().seq(501)])
                .among(fin().from("a").retransmitted(false))
                .await?;
        }
        Sending::Corked => {
            wire.exactly(Wire::start(), [fin().seq(1).payload(500)])
                .among(data().from("a").retransmitted(false))
                .await?;
        }
        // Where the acknowledgement is fast the FIN stands alone, else the data carries it.
        Sending::Nagle => {
            wire.absent(&end, data().from("a")).await?;
        }
    }
    wire.absent(Wire::start(), rst()).await?;
    Ok(())
}
