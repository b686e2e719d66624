//! A path that swallows everything is silence, whatever makes it silent: a firewall that drops, a
//! cable pulled out far away, a qdisc that loses all. A sender with data in flight gives up with
//! ETIMEDOUT at tcp_retries2, and cannot tell which it was.
//! Source: RFC 9293 3.8.3; `net/ipv4/tcp_timer.c` `tcp_write_timeout`, `retransmits_timed_out`,
//! `tcp_write_err`.

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-01"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_write_timeout, retransmits_timed_out");
    rule.case("black_hole_with_data_in_flight_times_out")
        .claims(["A34"])
        .across(Ip::BOTH, |scene, ip| times_out(scene, ip, RETRIES));
    rule.stock("black_hole_in_stock_is_silent_for_a_quarter_of_an_hour")
        .source("tcp_timer.c tcp_write_timeout; ip-sysctl tcp_retries2")
        .run(|scene| times_out(scene, Ip::V4, timers::STOCK_RETRIES));
    rule.case("cable_pulled_far_away_looks_like_a_black_hole").across(Ip::BOTH, pulled);
    rule.case("path_that_loses_everything_looks_like_a_pulled_cable")
        .source("sch_netem.c loss_event; tcp_timer.c tcp_write_timeout")
        .across(Ip::BOTH, lost);
}

/// What silences the path.
#[derive(Clone, Copy)]
enum Silence {
    BlackHole,
    Unplugged,
    TotalLoss,
}

/// What the survivor is left with.
#[derive(Debug, PartialEq)]
struct Left {
    read: Option<Errno>,
    then: Vec<u8>,
    poll: Option<Events>,
    /// What it sent unacknowledged: flags, sequence number, length.
    sent: Vec<(Flags, u32, u32)>,
}

async fn times_out(scene: Scene, ip: Ip, retries: u32) -> Result {
    let one = meets(&scene, ip, Silence::BlackHole, retries).await?;
    same("what the survivor is told", Some(Errno::ETIMEDOUT), one.read)
}

async fn pulled(scene: Scene, ip: Ip) -> Result {
    alike(&scene, ip, Silence::Unplugged, Silence::BlackHole).await
}

async fn lost(scene: Scene, ip: Ip) -> Result {
    alike(&scene, ip, Silence::TotalLoss, Silence::Unplugged).await
}

/// Both at once, each in a lab of its own.
async fn alike(scene: &Scene, ip: Ip, one: Silence, other: Silence) -> Result {
    let (one, other) = try_join!(meets(scene, ip, one, RETRIES), meets(scene, ip, other, RETRIES))?;
    same("what the survivor is told", Some(Errno::ETIMEDOUT), one.read)?;
    // How often it was sent again depends on the timeout, and that on how long the handshake took:
    // each number has been judged by its own. What is sent is alike.
    let shared = one.sent.len().min(other.sent.len());
    let cut = |one: Left| Left { sent: one.sent[..shared].to_vec(), ..one };
    same("what the survivor sees", cut(one), cut(other))
}

async fn meets(scene: &Scene, ip: Ip, silence: Silence, retries: u32) -> Result<Left> {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let give_up = GiveUp::of(retries, a.rto().await?);
    let start = lab.wire().mark().await?;
    let (_hole, _cable, _loss);
    match silence {
        Silence::BlackHole => _hole = lab.black_hole().open().await?,
        Silence::Unplugged => _cable = lab.unplug("b").now().await?,
        Silence::TotalLoss => _loss = lab.impair(Netem::new().loss(100.0)).turn_on().await?,
    }

    a.write("hello?").ok().await?;
    let failed = a.read(1).errno(Errno::ETIMEDOUT).await?;

    let wire = lab.wire();
    let first = wire.expect(data().from("a")).after(start).await?;
    give_up.judge(&wire.retries_of(&first).await?, failed.ended())?;
    wire.absent(start, any().arrived(true)).await?;
    b.kernel().is(State::Established)?;
    let all = wire.segments().into_iter().filter(|it| it.from == "a" && it.swallowed());
    Ok(Left {
        read: failed.answer().err(),
        then: a.read(1).ok().await?,
        poll: a.poll(Events::ALL, None).ok().await.ok(),
        sent: all.map(|it| (it.flags, it.seq, it.payload)).collect(),
    })
}
