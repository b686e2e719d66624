//! A survivor that writes to a dead machine is answered by its own clock: the write succeeds, the
//! segment is sent again and again, and the connection ends with ETIMEDOUT at tcp_retries2; what
//! had arrived before can still be read.
//! Source: RFC 9293 3.8.3; `net/ipv4/tcp_timer.c` `tcp_write_timeout`, `retransmits_timed_out`;
//! `net/ipv4/tcp.c` `tcp_recvmsg_locked` (the receive queue comes before the error).

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["OP-02"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_write_timeout, retransmits_timed_out");
    rule.case("write_to_a_dead_machine_times_out")
        .claims(["A34"])
        .across_on_both_kinds(Death::BOTH, |scene, kind, kill| {
            times_out(scene, kind, kill, RETRIES)
        })
        .stock("write_to_a_dead_machine_times_out_after_a_quarter_of_an_hour")
        .source("tcp_timer.c tcp_write_timeout, retransmits_timed_out; ip-sysctl tcp_retries2")
        .run(|scene| times_out(scene, HostKind::Namespace, Lab::power_off, 15));
    rule.case("data_received_before_the_machine_died_is_read_first")
        .covers(["OP-12"])
        .source("tcp.c tcp_recvmsg_locked; tcp_timer.c tcp_write_err")
        .across_on_both_kinds(Death::BOTH, read_first);
}

async fn times_out(scene: Scene, kind: HostKind, kill: Kill, retries: u32) -> Result {
    let Pair { lab, a, .. } = scene
        .pair()
        .kind("b", kind)
        .sysctl("a", "net.ipv4.tcp_retries2", retries)
        .connect()
        .await?;
    let rto = a.rto().await?;
    let before = lab.wire().mark().await?;
    let dead = kill(&lab, "b").now().await?;

    a.write("hello?").ok().await?;
    let failed = a.read(1).errno(Errno::ETIMEDOUT).await?;

    check("sent in vain", dead.sent_unacknowledged().await?.len(), more_than(0))?;
    let first = lab.wire().expect(data().from("a")).after(before).await?;
    let end = GiveUp::of(retries, rto);
    end.judge(&lab.wire().retries_of(&first).await?, failed.ended())?;
    lab.wire().absent(before, any().from("b")).await
}

async fn read_first(scene: Scene, kind: HostKind, kill: Kill) -> Result {
    let Pair { lab, a, b, .. } = scene
        .pair()
        .kind("b", kind)
        .sysctl("a", "net.ipv4.tcp_retries2", RETRIES)
        .connect()
        .await?;
    b.write("last words").ok().await?;
    a.kernel().has_unread(10).await?;
    let _dead = kill(&lab, "b").now().await?;

    a.write("hello?").ok().await?;
    a.kernel().is_gone().await?;
    a.read(100).bytes(b"last words").await?;
    a.read(100).errno(Errno::ETIMEDOUT).await?;
    a.read(100).eof().await?;
    Ok(())
}
