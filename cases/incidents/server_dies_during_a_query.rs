//! A client that has sent its query and waits for the answer learns nothing when the server's
//! machine dies: its query was acknowledged, so its own kernel has nothing to repeat, and a read
//! without keepalive lasts for ever. Stock keepalive ends it after two hours and eleven minutes.
//! Source: psycopg2 issues 561, 1017; node-postgres issue 1075; RFC 1122 4.2.3.6;
//! `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`; tcp(7) tcp_keepalive_time.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IN-02"]).needs([Need::VirtualTime]).waits(timers::A_DAY);
    rule.source("psycopg2#1017; RFC 1122 4.2.3.6 (keep-alives default to off)");
    rule.case("client_of_a_machine_that_died_during_its_query_still_waits_a_day_later")
        .across(Death::BOTH, waits_for_ever);
    rule.case("stock_keepalive_ends_a_query_to_a_dead_machine_after_two_hours_and_eleven_minutes")
        .source("psycopg2#561; tcp_timer.c tcp_keepalive_timer; tcp(7) tcp_keepalive_time")
        .waits(Keepalive::STOCK.end())
        .across(Death::BOTH, told_by_keepalive);
}

const QUERY: &[u8] = b"SELECT pg_sleep(600)";

/// Sends the query, and tells when the client last heard of the server: its acknowledgement.
async fn query(lab: &Lab, client: &End, server: &End) -> Result<Segment> {
    client.write(QUERY).ok().await?;
    server.read(100).bytes(QUERY).await?;
    client.kernel().is_acknowledged().await?;
    let end = 1 + QUERY.len() as u32;
    lab.wire().expect(pure_ack().from("b").ack(end).arrived(true)).await
}

async fn waits_for_ever(scene: Scene, kill: Kill) -> Result {
    let Pair { lab, a: client, b: server, .. } = scene.pair().connect().await?;
    let heard = query(&lab, &client, &server).await?;
    let answer = client.read(100).on("reader").blocks().await?;

    let _dead = kill(&lab, "b").that_may_miss().now().await?;
    let answer = answer.stays_blocked(timers::A_DAY).await?;
    let entry = client.kernel().is(State::Established)?;
    same("timer of the client", None, entry.timer)?;
    lab.wire().absent(&heard, any()).await?;
    drop(answer);
    Ok(())
}

async fn told_by_keepalive(scene: Scene, kill: Kill) -> Result {
    let stock = Keepalive::STOCK;
    let pair = scene.pair().option_on_a(option::KEEPALIVE, 1).connect().await?;
    let Pair { lab, a: client, b: server, .. } = pair;
    let heard = query(&lab, &client, &server).await?;
    let answer = client.read(100).on("reader").blocks().await?;

    let _dead = kill(&lab, "b").now().await?;
    let told = answer.done().await?.errno(Errno::ETIMEDOUT)?;
    stock.end_window().judge("it was told after", told.ended().since(heard.at()))?;
    let asked = std::iter::repeat_n(probe().from("a"), stock.probes as usize);
    let sent = lab.wire().exactly(&heard, asked.chain([rst().from("a")])).await?;
    stock.judge(&heard, &sent)?;
    client.read(100).eof().await?;
    Ok(())
}
