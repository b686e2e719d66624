//! A client's container that goes without a FIN, because its network went before its process,
//! leaves the server in the middle of a COPY: it waits for the next row for ever, holding its
//! locks. Keepalive at the server, tuned to ten, five and three, ends that in 25 seconds.
//! Source: tempoxyz/tidx issue 14; PostgreSQL tcp_keepalives_idle, tcp_keepalives_interval,
//! tcp_keepalives_count; RFC 1122 4.2.3.6; `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`.

use lastack::prelude::*;

const TUNED: Keepalive = Keepalive::new(10, 5, 3);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IN-04"]).needs([Need::VirtualTime]).waits(timers::A_DAY);
    rule.source("tidx#14; RFC 1122 4.2.3.6 (keep-alives default to off)");
    rule.case("server_still_waits_for_the_next_row_of_a_vanished_client_a_day_later")
        .run(waits_for_ever);
    rule.case("tuned_keepalive_tells_the_server_of_a_vanished_client_after_25_seconds")
        .source("tidx#14; tcp_timer.c tcp_keepalive_timer; tcp(7) TCP_KEEPIDLE")
        .waits(TUNED.end())
        .run(told_by_keepalive);
}

/// Copies some rows, and loses the client in the middle of one. What came last of it.
async fn copies(lab: &Lab, client: &End, server: &End) -> Result<Segment> {
    client.write("1\tone\n2\tt").ok().await?;
    server.read(100).bytes(b"1\tone\n2\tt").await?;
    client.kernel().is_acknowledged().await?;
    let last = lab.wire().expect(data().from("a").arrived(true)).await?;

    client.host().lose_network().await?;
    client.process.kill().await?;
    Ok(last)
}

async fn waits_for_ever(scene: Scene) -> Result {
    let Pair { lab, a: client, b: server, .. } = scene.pair().connect().await?;
    let last = copies(&lab, &client, &server).await?;
    let idle = lab.wire().mark().await?;

    let row = server.read(100).on("reader").blocks().await?;
    let row = row.stays_blocked(timers::A_DAY).await?;
    let entry = server.kernel().is(State::Established)?;
    same("timer of the server", None, entry.timer)?;
    lab.wire().absent(idle, any()).await?;
    lab.wire().absent(&last, ending()).await?;
    drop(row);
    Ok(())
}

async fn told_by_keepalive(scene: Scene) -> Result {
    let pair = scene.pair().keepalive_on_listener(TUNED).connect().await?;
    let Pair { lab, a: client, b: server, .. } = pair;
    let last = copies(&lab, &client, &server).await?;
    let idle = lab.wire().mark().await?;

    let told = server.read(100).errno(Errno::ETIMEDOUT).await?;
    TUNED.end_window().judge("it was told after", told.ended().since(last.at()))?;
    let asked = std::iter::repeat_n(probe().from("b"), TUNED.probes as usize);
    let sent = lab.wire().exactly(idle, asked.chain([rst().from("b")])).await?;
    TUNED.judge(&last, &sent)?;
    server.kernel().is_gone().await?;
    Ok(())
}
