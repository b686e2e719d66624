//! A connection that the administrator destroys is reset: its owner is told ECONNABORTED, its
//! peer ECONNRESET. A TIME_WAIT goes without a word.
//! Source: `net/ipv4/tcp.c` `tcp_abort`; ss(8) `--kill`; sock_diag(7).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-17"]);
    rule.source("tcp.c tcp_abort; ss(8) --kill");
    rule.case("destroyed_connection_is_aborted_here_and_reset_there").across(Ip::BOTH, connection);
    rule.case("destroyed_time_wait_leaves_without_a_word")
        .source("tcp.c tcp_abort; inet_timewait_sock.c inet_twsk_deschedule_put")
        .across(Ip::BOTH, time_wait);
}

async fn connection(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let established = wire.mark().await?;

    let own = a.read(100).blocks().await?;
    let peers = b.read(100).blocks().await?;
    a.host().destroy(&a.kernel().is(State::Established)?)?;

    own.done().await?.errno(Errno::ECONNABORTED)?;
    a.read(100).eof().await?;
    peers.done().await?.errno(Errno::ECONNRESET)?;
    a.kernel().is_gone().await?;
    b.kernel().is_gone().await?;
    wire.exactly(established, [rst().flags(Flags::ACK).from("a").empty()]).await?;
    Ok(())
}

async fn time_wait(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();

    a.close().ok().await?;
    b.read(100).eof().await?;
    b.close().ok().await?;
    let waiting = a.kernel().reaches(State::TimeWait).await?;
    b.kernel().is_gone().await?;
    let agreed = wire.mark().await?;
    if let Some(entry) = waiting.entry {
        a.host().destroy(&entry)?;
    }

    a.kernel().is_gone().await?;
    wire.exactly(agreed, []).await?;
    Ok(())
}
