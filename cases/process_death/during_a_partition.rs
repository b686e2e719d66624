//! A process that dies while the path is down leaves an orphan, which goes on retransmitting its
//! FIN: a survivor behind a short partition gets its end of file when the path heals. But waits
//! double, so that the last FIN goes out in the middle of the orphan's life of a hundred seconds: a
//! path that heals in the second half heals for nobody.
//! Source: `net/ipv4/tcp.c` `__tcp_close`; `net/ipv4/tcp_timer.c` `tcp_retransmit_timer`,
//! `tcp_write_timeout`, `tcp_orphan_retries`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-15"]).waits(Duration::from_secs(2));
    rule.source("tcp.c __tcp_close; tcp_timer.c tcp_retransmit_timer");
    rule.case("orphan_delivers_its_fin_when_the_path_heals")
        .claims(["B14"])
        .across(Ip::BOTH, heals);
    rule.stock("process_that_dies_late_in_a_partition_of_a_minute_and_a_half_is_heard_of")
        .source("tcp_timer.c tcp_retransmit_timer, tcp_orphan_retries: 0 means 8")
        .waits(Duration::from_secs(110))
        .run(dies_late);
    rule.stock("process_that_dies_early_in_a_partition_of_a_minute_and_a_half_is_never_heard_of")
        .source("tcp_timer.c tcp_write_timeout, tcp_orphan_retries: 0 means 8")
        .waits(timers::A_DAY)
        .run(dies_early);
}

/// Shorter than an orphan's life ([`timers::ORPHAN_RETRIES`]), longer than half of it.
const PARTITION: Duration = Duration::from_secs(90);

async fn heals(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let read = a.read(1).blocks().await?;

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

async fn dies_late(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let rto = b.rto().await?;
    let read = a.read(1).blocks().await?;

    let hole = lab.black_hole().open().await?;
    let read = read.stays_blocked(PARTITION / 2).await?;
    b.process.kill().await?;
    let read = read.stays_blocked(PARTITION / 2).await?;
    hole.lift().await?;

    read.done().await?.eof()?;
    let first = lab.wire().expect(fin().from("b")).await?;
    let heard = lab.wire().expect(fin().from("b").arrived(true)).await?;
    let retries = lab.wire().retries_of(&first).await?.timeouts;
    let waits = (1..retries.len() as u32).map(|n| timers::rto_gap(n, rto, timers::RTO_MAX));
    let last = Window::wheel(waits, "the next time that the FIN is due");
    last.judge("the end of file after the first timeout", heard.at().since(retries[0].at()))?;
    b.kernel().reaches(State::FinWait2).await?;
    lab.wire().absent(Wire::start(), rst()).await
}

async fn dies_early(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let rto = b.rto().await?;
    let read = a.read(1).on("reader").blocks().await?;

    let hole = lab.black_hole().open().await?;
    b.process.kill().await?;
    let read = read.stays_blocked(PARTITION).await?;
    b.kernel().is(State::FinWait1)?;
    hole.lift().await?;

    let gone = b.kernel().runs_out_within(PARTITION).await?;
    let retries = lab.wire().retries_of(&lab.wire().expect(fin().from("b")).await?).await?;
    let end = GiveUp::of(timers::ORPHAN_RETRIES, rto);
    end.judge_sighting(&retries, &gone)?;
    let read = read.stays_blocked(timers::A_DAY).await?;
    same("timer of the survivor", None, a.kernel().is(State::Established)?.timer)?;
    lab.wire().absent(Wire::start(), fin().arrived(true)).await?;

    a.write("anybody there?").ok().await?;
    lab.wire().expect(rst().from("b")).await?;
    read.done().await?.errno(Errno::ECONNRESET)?;
    Ok(())
}
