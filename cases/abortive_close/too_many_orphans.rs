//! A machine keeps no more closed connections alive than tcp_max_orphans allows: beyond that,
//! close sends its FIN and a reset right behind it, and forgets the connection; so does the next
//! timeout of an orphan that is one too many. The number is the whole machine's, so the machine is
//! one of its own.
//! Source: `net/ipv4/tcp.c` `__tcp_close`, `tcp_check_oom`, `tcp_too_many_orphans`,
//! `tcp_orphan_update`; `net/ipv4/tcp_timer.c` `tcp_out_of_resources`;
//! `Documentation/networking/ip-sysctl.rst` tcp_max_orphans.

use lastack::prelude::*;

const MOST: &str = "net.ipv4.tcp_max_orphans";
/// `TCP_ORPHAN_TIMER_PERIOD`.
const COUNTED_EVERY: Duration = Duration::from_millis(100);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-23"]).waits(Duration::from_secs(5));
    rule.source("tcp.c __tcp_close, tcp_check_oom; ip-sysctl tcp_max_orphans");
    rule.case("close_beyond_tcp_max_orphans_resets_what_it_has_just_finished")
        .across(Ip::BOTH, one_too_many);
}

async fn one_too_many(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).guest("a").sysctl("a", MOST, 0).connect().await?;
    let Pair { lab, a, b, listener } = pair;
    let wire = lab.wire();
    let second = a.process.connect(a.remote_address()).await?;
    let accepted = listener.accept().ok().await?;
    let aborted = a.host().counter("TCPAbortOnMemory")?;

    // The first closes in peace, and stays as an orphan while nobody confirms what it sent. Its
    // next timeout is far enough off for it to be counted, and for the second to close.
    let _unheard = lab.black_hole().from("b").open().await?;
    a.write("x").ok().await?;
    let copies = vec![data().from("a"); 5];
    let sent = wire.in_order(Wire::start(), copies, Duration::from_secs(5)).await?;
    a.close().ok().await?;
    a.kernel().stays(State::FinWait1, 2 * COUNTED_EVERY).await?;
    wire.absent(Wire::start(), rst()).await?;

    second.close().ok().await?;
    let end = fin().from("a").that("of the second", {
        let first = sent[0].connection;
        move |it| it.connection != first
    });
    let end = wire.expect(end.arrived(true)).after(&sent[4]).await?;
    let reset = wire.expect(rst().from("a").of_connection_of(&end)).after(&end).await?;
    same("the reset comes right behind the FIN", end.end(), reset.seq)?;

    // The peer is at the end of file before it meets the reset.
    accepted.read(100).eof().await?;
    accepted.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;

    // The first goes the same way when its next timeout finds it one too many.
    let reset = rst().from("a").of_connection_of(&sent[0]);
    wire.expect(reset).after(&sent[4]).within(Duration::from_secs(5)).await?;
    a.kernel().is_gone().await?;
    b.read(1).bytes(b"x").await?;
    same("aborted for want of memory", aborted + 2, a.host().counter("TCPAbortOnMemory")?)
}
