//! A FIN sent by shutdown() is retried as data is, by tcp_retries2: tcp_orphan_retries is for
//! sockets that no process holds. The process that holds this one is told of the end.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_timeout` (`SOCK_DEAD`); ip-sysctl.

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    family
        .case("half_closed_socket_is_no_orphan")
        .covers(["RT-10"])
        .source("tcp_timer.c tcp_write_timeout: SOCK_DEAD")
        .waits(Duration::from_secs(4))
        .across(Ip::BOTH, told);
}

async fn told(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", RETRIES);
    let pair = pair.sysctl("a", "net.ipv4.tcp_orphan_retries", 1);
    let Pair { lab, a, .. } = pair.connect().await?;
    let wire = lab.wire();
    let rto = a.info().ok().await?.rto();

    let _silence = lab.black_hole().open().await?;
    a.shut_wr().ok().await?;
    a.kernel().is(State::FinWait1)?;
    let asked = a.poll(Events::IN | Events::RDHUP, None).await?;

    let end = timers::give_up(RETRIES, rto, timers::RTO_MAX);
    let first = wire.expect(fin().from("a")).await?;
    end.judge(&wire.retries_of(&first).await?, asked.ended())?;
    asked.is(&(Events::IN | Events::ERR | Events::HUP | Events::RDHUP))?;
    a.read(100).errno(Errno::ETIMEDOUT).await?;
    a.read(100).eof().await?;
    wire.absent(Wire::start(), rst()).await
}
