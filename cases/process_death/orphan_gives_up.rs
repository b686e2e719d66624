//! An orphan whose path stays dead is dropped after tcp_orphan_retries without a packet: no reset
//! is sent. The survivor stays ESTABLISHED, with no timer that would ever change that, until it
//! sends something itself.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_timeout`, `tcp_orphan_retries`,
//! `retransmits_timed_out`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-16"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_write_timeout, tcp_orphan_retries, retransmits_timed_out");
    rule.case("orphan_on_a_dead_path_is_dropped_in_silence")
        .claims(["A1", "A8", "A18", "A34"])
        .across(([("retries_1", 1), ("retries_2", 2)], Ip::BOTH), dropped);
    rule.stock("stock_orphan_on_a_dead_path_is_dropped_after_almost_two_minutes")
        .source("tcp_timer.c tcp_orphan_retries: 0 means 8; retransmits_timed_out")
        .waits(Duration::from_secs(110))
        .run(|scene| dropped(scene, (STOCK, Ip::V4)));
}

/// `tcp_orphan_retries` as it comes, which stands for [`timers::ORPHAN_RETRIES`].
const STOCK: u32 = 0;

async fn dropped(scene: Scene, (retries, ip): (u32, Ip)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("b", "net.ipv4.tcp_orphan_retries", retries);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let wire = lab.wire();
    let read = a.read(1).blocks().await?;
    let meant = if retries == STOCK { timers::ORPHAN_RETRIES } else { retries };
    let give_up = GiveUp::of(meant, b.rto().await?);
    let established = wire.mark().await?;

    let hole = lab.black_hole().open().await?;
    b.process.kill().await?;
    let gone = b.kernel().runs_out_within(2 * give_up.window().to).await?;
    let first = wire.expect(fin().from("b")).await?;
    give_up.judge_sighting(&wire.retries_of(&first).await?, &gone)?;
    wire.absent(established, any().from("b").without(Flags::FIN)).await?;
    hole.lift().await?;

    let read = read.blocked().await?;
    let survivor = a.kernel().is(State::Established)?;
    same("timer of the survivor", None, survivor.timer)?;
    a.write("anybody there?").on("writer").ok().await?;
    wire.expect(rst().from("b")).await?;
    read.done().await?.errno(Errno::ECONNRESET)?;
    Ok(())
}
