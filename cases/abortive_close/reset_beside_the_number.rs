//! A reset in the window that is not at exactly the next expected number is not believed but
//! asked about, and one outside the window is not even that: guessing a number in the window is
//! not enough to end somebody else's connection.
//! Source: RFC 5961 3.2; `net/ipv4/tcp_input.c` `tcp_sequence`, `tcp_validate_incoming`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let places = [("next_but_one", Place::NextButOne), ("right_edge", Place::RightEdge)];
    let rule = family.rule(["AB-11"]);
    rule.source("RFC 5961 3.2; tcp_input.c tcp_validate_incoming, tcp_send_challenge_ack");
    rule.case("reset_in_the_window_is_asked_about").across((places, Ip::BOTH), asked_about);
    rule.case("reset_outside_the_window_is_ignored")
        .covers(["AB-12"])
        .source("RFC 5961 3.2; tcp_input.c tcp_sequence")
        .across(([("left", Place::Left), ("right", Place::Right)], Ip::BOTH), ignored);
}

#[derive(Clone, Copy)]
enum Place {
    Left,
    NextButOne,
    RightEdge,
    Right,
}

/// Lets somebody reset `a` in `b`'s name after ten bytes, at this place.
async fn reset(scene: Scene, ip: Ip, place: Place) -> Result<(Pair, Segment)> {
    let pair = scene.pair().ip(ip).connect().await?;
    let Pair { lab, a, b, .. } = &pair;
    b.write("ten bytes.").ok().await?;
    a.read(100).bytes(b"ten bytes.").await?;
    let next = 11;
    let window = lab.wire().expect(pure_ack().from("a").ack(next)).await?.window;
    let number = match place {
        Place::Left => next - 1,
        Place::NextButOne => next + 1,
        Place::RightEdge => next + window,
        Place::Right => next + window + 1,
    };
    let forged = lab.impersonate(b)?.rst().seq(number).send().await?;
    Ok((pair, forged))
}

async fn survives(Pair { a, b, .. }: Pair) -> Result {
    a.write("still").ok().await?;
    b.read(100).bytes(b"still").await?;
    b.write("here").ok().await?;
    a.read(100).bytes(b"here").await?;
    Ok(())
}

async fn asked_about(scene: Scene, (place, ip): (Place, Ip)) -> Result {
    let (pair, forged) = reset(scene, ip, place).await?;
    // To the true peer, who sees nothing in it.
    pair.wire().expect(pure_ack().from("a").seq(1).ack(11).arrived(true)).after(&forged).await?;
    same("challenges", 1, pair.a.host().counter("TCPChallengeACK")?)?;
    pair.wire().absent(&forged, any().from("b")).await?;
    survives(pair).await
}

async fn ignored(scene: Scene, (place, ip): (Place, Ip)) -> Result {
    let (pair, forged) = reset(scene, ip, place).await?;
    pair.wire().never(&forged, any()).for_(Duration::from_millis(100)).await?;
    same("challenges", 0, pair.a.host().counter("TCPChallengeACK")?)?;
    survives(pair).await
}
