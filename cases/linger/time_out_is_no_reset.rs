//! A lingering close() whose time runs out returns 0 and changes nothing else: no reset, nothing
//! discarded. The socket goes on as an orphan, retransmits at its own pace, and delivers
//! everything once the path heals. O_NONBLOCK does not shorten the wait.
//! Source: `net/ipv4/tcp.c` `__tcp_close` (`adjudge_to_death`); `net/ipv4/af_inet.c`
//! `inet_release`, which does not ask for O_NONBLOCK.

use lastack::prelude::*;

const LINGER: Linger = Linger::on(1);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-03"]).claims(["A5", "A12", "A13", "B36", "B37"]);
    rule.waits(Duration::from_secs(3)).source("tcp.c __tcp_close; stream.c sk_stream_wait_close");
    rule.case("linger_time_out_neither_resets_nor_discards")
        .across(Ip::BOTH, |scene, ip| times_out(scene, ip, false));
    rule.case("non_blocking_socket_lingers_as_long")
        .covers(["LI-04"])
        .claims(["B40", "B70"])
        .source("af_inet.c inet_release; tcp.c __tcp_close")
        .across(Ip::BOTH, |scene, ip| times_out(scene, ip, true));
}

async fn times_out(scene: Scene, ip: Ip, nonblocking: bool) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    a.set(option::LINGER, LINGER).ok().await?;
    a.nonblocking(nonblocking).ok().await?;
    let read = b.read_to_end().blocks().await?;

    let hole = lab.black_hole().open().await?;
    a.write_pattern(100).ok().await?;
    let close = a.close().await?.succeeds()?.took_within(&LINGER.used_up())?;
    // The kernel did not wait for l_linger to try again.
    let again = wire.expect(data().from("a").retransmitted(true)).await?;
    close.returned_after(&again)?;
    let orphan = a.kernel().is(State::FinWait1)?;
    same("descriptors of the closed socket", 0, orphan.inode)?;
    hole.lift().await?;

    read.done().await?.whole(100)?;
    b.kernel().is(State::CloseWait)?;
    wire.absent(Wire::start(), rst()).await
}
