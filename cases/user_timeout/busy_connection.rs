//! TCP_USER_TIMEOUT bounds how long data may go unacknowledged, counted from its first
//! retransmission timeout and so never less than that. The connection then ends with ETIMEDOUT
//! and without a word to the peer, whatever tcp_retries2 says.
//! Source: `net/ipv4/tcp_timer.c` `retransmits_timed_out`, `tcp_clamp_rto_to_user_timeout`,
//! `tcp_write_err`; tcp(7); RFC 5482.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UT-01"]).waits(Duration::from_secs(2));
    rule.source("tcp_timer.c retransmits_timed_out, tcp_clamp_rto_to_user_timeout; tcp(7)");
    rule.case("unacknowledged_data_ends_the_connection_a_user_timeout_after_the_first_rto").across(
        [
            ("ipv4", (Ip::V4, 1000, None)),
            ("ipv6", (Ip::V6, 1000, None)),
            ("shorter_than_a_retransmission_timeout", (Ip::V4, 50, None)),
            ("keepalive_shorter", (Ip::V4, 2500, Some(Keepalive::new(1, 1, 1)))),
            ("keepalive_longer", (Ip::V4, 1000, Some(Keepalive::new(1, 1, 9)))),
        ],
        |scene, (ip, timeout, keepalive)| given_up(scene, ip, timeout, keepalive),
    );
    rule.case("data_for_a_dead_machine_ends_the_connection_a_user_timeout_after_the_first_rto")
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
    rule.case("peer_back_before_the_last_retransmission_keeps_the_connection")
        .source("tcp_timer.c tcp_clamp_rto_to_user_timeout, tcp_write_timeout")
        .waits(Duration::from_secs(5))
        .across(Ip::BOTH, before);
    rule.case("peer_back_after_the_last_retransmission_is_given_up_without_a_word")
        .source("tcp_timer.c tcp_clamp_rto_to_user_timeout, tcp_write_timeout")
        .waits(Duration::from_secs(5))
        .across(Ip::BOTH, after);
}

fn judge(timeout: Duration, first_timeout: &Segment, end: &Outcome<Vec<u8>>) -> Result {
    let window = Window::wheel([timers::user_timeout(timeout)], "TCP_USER_TIMEOUT");
    let lasted = end.ended().since(first_timeout.at());
    window.judge("the time from the first timeout to the end was", lasted)
}

async fn given_up(scene: Scene, ip: Ip, milliseconds: i32, keepalive: Option<Keepalive>) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::USER_TIMEOUT, milliseconds).ok().await?;

    let _hole = lab.black_hole().open().await?;
    if let Some(keepalive) = keepalive {
        a.keep_alive(keepalive).await?;
    }
    writes(lab.wire(), &a, Duration::from_millis(milliseconds as u64)).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
    let timeout = Duration::from_secs(1);
    let builder = scene.pair().kind("b", kind).ip(ip);
    let builder = builder.option_on_a(option::USER_TIMEOUT, timeout.as_millis() as i32);
    let Pair { lab, a, .. } = builder.connect().await?;

    let _dead = kill(&lab, "b").now().await?;
    writes(lab.wire(), &a, timeout).await
}

/// What comes of a write that nobody acknowledges: the data again and again, and not a word else.
async fn writes(wire: &Wire, a: &End, timeout: Duration) -> Result {
    let start = wire.mark().await?;
    a.write("x").ok().await?;
    let read = a.read(1).await?.errno(Errno::ETIMEDOUT)?;

    judge(timeout, &wire.first_timeout("a", start).await?, &read)?;
    wire.exactly(start, []).among(any().empty()).await?;
    a.kernel().is_gone().await?;
    Ok(())
}

/// A user timeout between the fourth retransmission and the fifth, however far apart these are
/// here: counted from the first they come after 0, 2, 6, 14 and 30 retransmission timeouts.
async fn between_retransmissions(a: &End) -> Result<Duration> {
    let timeout = a.rto().await? * 22;
    a.set(option::USER_TIMEOUT, timeout.as_millis() as i32).ok().await?;
    Ok(timeout)
}

async fn before(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let (wire, lost) = (lab.wire(), data().from("a").arrived(false));
    let timeout = between_retransmissions(&a).await?;

    let hole = lab.black_hole().open().await?;
    a.write("x").ok().await?;
    // The write, its tail loss probe, and three of the four.
    wire.in_order(Wire::start(), vec![lost; 5], timeout).await?;
    hole.lift().await?;

    b.read(1).bytes(b"x").await?;
    a.kernel().is_acknowledged().await?;
    wire.absent(Wire::start(), rst()).await
}

async fn after(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let (wire, lost) = (lab.wire(), data().from("a").arrived(false));
    let timeout = between_retransmissions(&a).await?;
    let read = a.read(1).blocks().await?;

    let hole = lab.black_hole().open().await?;
    a.write("x").on("writer").ok().await?;
    let sent = wire.in_order(Wire::start(), vec![lost; 6], timeout).await?;
    hole.lift().await?;
    // The path is whole, the peer is there, and nothing is sent any more.
    a.kernel().is(State::Established)?;

    let read = read.done().await?.errno(Errno::ETIMEDOUT)?;
    judge(timeout, &sent[2], &read)?;
    wire.absent(&sent[5], any()).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}
