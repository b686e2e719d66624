//! Two ways to imitate a dead machine: lose everything on the way to and from it, or take its
//! link down. Far from the survivor they are the same silence. Near it they are not: its own
//! carrier tells it something, and a lossy path never does.
//! Source: `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`, `tcp_write_err` (sk_err_soft);
//! `net/ipv4/route.c` `ipv4_link_failure`; `net/sched/sch_netem.c` `loss_event`.

use lastack::prelude::*;

const RETRIES: u32 = 2;
const KEEPALIVE: Keepalive = Keepalive::new(1, 1, 2);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IM-14"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_keepalive_timer; sch_netem.c loss_event");
    rule.case("keepalive_finds_the_same_silence_behind_a_loss_and_behind_a_dead_link")
        .across(Ip::BOTH, asks);
    rule.case("survivor_that_says_nothing_hears_nothing_of_either")
        .source("tcp_timer.c; RFC 9293 3.8.4")
        .waits(Duration::from_secs(2))
        .across(Ip::BOTH, is_silent);
    rule.case("own_carrier_tells_what_a_total_loss_does_not")
        .covers(["IM-15"])
        .claims(["A34"])
        .source("route.c ipv4_link_failure; tcp_timer.c tcp_write_err")
        .across(Ip::BOTH, near);
}

/// What stands between the survivor, `a`, and its peer.
#[derive(Clone, Copy)]
enum Silence {
    TotalLoss,
    LinkDown(&'static str),
}

/// Silences the path until what this gives is dropped.
async fn silence(lab: &Lab, by: Silence) -> Result<Box<dyn std::any::Any>> {
    Ok(match by {
        Silence::TotalLoss => {
            Box::new(lab.impair(Netem::new().loss(100.0)).that_may_miss().turn_on().await?)
        }
        Silence::LinkDown(host) => Box::new(lab.unplug(host).that_may_miss().now().await?),
    })
}

const FAR: [Silence; 2] = [Silence::TotalLoss, Silence::LinkDown("b")];

async fn asks(scene: Scene, ip: Ip) -> Result {
    let asked = async |by| {
        let Pair { lab, a, b, .. } =
            scene.pair().ip(ip).keepalive_on_a(KEEPALIVE).connect().await?;
        let last = lab.wire().expect(pure_ack().from("a")).await?;
        let read = a.read(1).blocks().await?;
        let start = lab.wire().mark().await?;
        let _silence = silence(&lab, by).await?;

        let read = read.done().await?.errno(Errno::ETIMEDOUT)?;
        let lasted = read.ended().since(last.at());
        KEEPALIVE.end_window().judge("given up after the handshake", lasted)?;
        b.kernel().is(State::Established)?;
        lab.wire().expect(rst().from("a")).after(start).await?;
        lab.wire().absent(start, any().arrived(true)).await?;
        let sent = lab.wire().segments().into_iter().skip_while(|it| it.index <= last.index);
        Ok(sent.map(|it| (it.from, it.flags, it.seq)).collect::<Vec<_>>())
    };
    let (lost, down) = try_join!(asked(FAR[0]), asked(FAR[1]))?;
    same("probes, and the reset that tells nobody", KEEPALIVE.probes as usize + 1, lost.len())?;
    same("what the survivor sends", lost, down)
}

async fn is_silent(scene: Scene, ip: Ip) -> Result {
    for by in FAR {
        let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
        let start = lab.wire().mark().await?;
        let read = a.read(1).blocks().await?;
        let _silence = silence(&lab, by).await?;
        // Not even of the FIN that a dying process leaves.
        b.process.kill().await?;
        let waiting = a.kernel().stays(State::Established, Duration::from_millis(500)).await?;
        same("a's timer", None, waiting.timer)?;
        let _read = read.blocked().await?;
        lab.wire().absent(start, any().arrived(true)).await?;
        lab.wire().absent(start, any().from("a")).await?;
    }
    Ok(())
}

async fn near(scene: Scene, ip: Ip) -> Result {
    let told = async |by, errno| {
        let pair = scene.pair().ip(ip).neighbours(Neighbours::Learned);
        let pair = pair.sysctl("a", "net.ipv4.tcp_retries2", RETRIES);
        let Pair { lab, a, b, .. } = pair.connect().await?;
        // A host asks three times before it gives up on a neighbour, one second apart unless told.
        let family = if ip == Ip::V4 { "ipv4" } else { "ipv6" };
        a.host().set_sysctl(&format!("net.{family}.neigh.eth0.retrans_time_ms"), "100")?;
        let start = lab.wire().mark().await?;
        let _silence = silence(&lab, by).await?;
        a.write("hello?").ok().await?;
        a.read(1).errno(errno).await?;
        a.read(1).eof().await?;
        b.kernel().is(State::Established)?;
        // What does not leave the host is no segment.
        lab.wire().count(start, any().from("a")).await
    };
    let (lost, down) = try_join!(
        told(Silence::TotalLoss, Errno::ETIMEDOUT),
        told(Silence::LinkDown("a"), Errno::EHOSTUNREACH)
    )?;
    same("segments without a carrier", 0, down)?;
    check("segments sent into the loss", lost, more_than(RETRIES as usize))
}
