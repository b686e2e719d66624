//! A FIN sent by shutdown() is retried as data is, by tcp_retries2: tcp_orphan_retries is for
//! sockets that no process holds. The process that holds this one is told of the end.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_timeout` (`SOCK_DEAD`); ip-sysctl.

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["RT-10"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_write_timeout: SOCK_DEAD");
    rule.case("half_closed_socket_is_no_orphan")
        .across(Ip::BOTH, |scene, ip| path(scene, ip, RETRIES))
        .stock("stock_half_closed_socket_is_told_after_a_quarter_of_an_hour")
        .source("tcp_timer.c tcp_write_timeout: SOCK_DEAD; ip-sysctl tcp_retries2")
        .run(|scene| path(scene, Ip::V4, 15));
    rule.case("half_closed_socket_of_a_dead_machine_is_no_orphan")
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
}

async fn path(scene: Scene, ip: Ip, retries: u32) -> Result {
    let pair = impatient_with_orphans(scene.pair().ip(ip), retries);
    let Pair { lab, a, .. } = pair.connect().await?;
    let rto = a.rto().await?;
    let _silence = lab.black_hole().open().await?;
    told(lab.wire(), &a, retries, rto).await
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
    let pair = impatient_with_orphans(scene.pair().kind("b", kind).ip(ip), RETRIES);
    let Pair { lab, a, .. } = pair.connect().await?;
    let rto = a.rto().await?;
    let _dead = kill(&lab, "b").now().await?;
    told(lab.wire(), &a, RETRIES, rto).await
}

fn impatient_with_orphans(pair: lastack::PairBuilder, retries: u32) -> lastack::PairBuilder {
    let pair = pair.sysctl("a", "net.ipv4.tcp_retries2", retries);
    pair.sysctl("a", "net.ipv4.tcp_orphan_retries", 1)
}

async fn told(wire: &Wire, a: &End, retries: u32, rto: Duration) -> Result {
    a.shut_wr().ok().await?;
    a.kernel().is(State::FinWait1)?;
    let asked = a.poll(Events::IN | Events::RDHUP, None).await?;

    let end = GiveUp::of(retries, rto);
    let first = wire.expect(fin().from("a")).await?;
    end.judge(&wire.retries_of(&first).await?, asked.ended())?;
    asked.is(&(Events::IN | Events::ERR | Events::HUP | Events::RDHUP))?;
    a.read(100).errno(Errno::ETIMEDOUT).await?;
    a.read(100).eof().await?;
    wire.absent(Wire::start(), rst()).await
}
