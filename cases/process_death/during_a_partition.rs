//! A process that dies while the path is down leaves an orphan, which goes on retransmitting its
//! FIN: a survivor behind a short partition gets its end of file when the path heals.
//! Source: `net/ipv4/tcp.c` `__tcp_close`; `net/ipv4/tcp_timer.c` `tcp_retransmit_timer`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    family
        .case("orphan_delivers_its_fin_when_the_path_heals")
        .covers(["PD-15"])
        .claims(["B14"])
        .source("tcp.c __tcp_close; tcp_timer.c tcp_retransmit_timer")
        .waits(Duration::from_secs(2))
        .across(Ip::BOTH, heals);
}

async fn heals(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let read = a.read(1).start().await?.blocked().await?;

    let hole = lab.black_hole().open().await?;
    b.process.kill().await?;
    // A tail loss probe and a retransmission timeout, both in vain.
    let again = || fin().from("b").retransmitted(true);
    wire.in_order(Wire::start(), [again(), again()], Duration::from_secs(2)).await?;
    let orphan = b.kernel().is(State::FinWait1)?;
    same("descriptors of the orphan", 0, orphan.inode)?;
    let read = read.blocked().await?;
    a.kernel().is(State::Established)?;
    hole.lift().await?;

    let heard = fin().from("b").arrived(true);
    let heard = wire.expect(heard).within(Duration::from_secs(2)).await?;
    read.done().await?.eof()?.returned_after(&heard)?;
    a.kernel().is(State::CloseWait)?;
    b.kernel().reaches(State::FinWait2).await?;
    wire.absent(Wire::start(), rst()).await
}
