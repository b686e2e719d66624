//! A socket without a connection has nothing to linger for: close() returns at once.
//! Source: `net/core/stream.c` `sk_stream_closing`; `net/ipv4/tcp.c` `__tcp_close` (LISTEN) and
//! `tcp_close_state`.

use lastack::prelude::*;

const LINGER: Linger = Linger::on(5);

#[derive(Clone, Copy)]
enum Kind {
    Fresh,
    Bound,
    Listening,
    Connecting,
}

pub fn cases(family: &mut Family) {
    let kinds = [
        ("fresh", Kind::Fresh),
        ("bound", Kind::Bound),
        ("listening", Kind::Listening),
        ("connecting", Kind::Connecting),
    ];
    let rule = family.rule(["LI-16"]).source("stream.c sk_stream_closing; tcp.c __tcp_close");
    rule.case("socket_without_a_connection_does_not_linger").across((kinds, Ip::BOTH), returns);
}

async fn returns(scene: Scene, (kind, ip): (Kind, Ip)) -> Result {
    let lab = scene.lab().build().await?;
    let host = lab.host("a")?;
    let (here, there) = (host.address(ip, PORT), lab.host("b")?.address(ip, PORT));
    let process = host.process().await?;
    let socket = process.socket(here).ok().await?;
    socket.set(option::LINGER, LINGER).ok().await?;
    if matches!(kind, Kind::Bound | Kind::Listening) {
        socket.bind(here).ok().await?;
    }
    if matches!(kind, Kind::Listening) {
        socket.listen(1).ok().await?;
    }
    // A SYN that nobody answers, so that a close that waited would wait to the end.
    let hole = lab.black_hole();
    let hole = if matches!(kind, Kind::Connecting) { hole } else { hole.that_may_miss() };
    let _hole = hole.open().await?;
    if matches!(kind, Kind::Connecting) {
        socket.nonblocking(true).ok().await?;
        socket.connect(there).errno(Errno::EINPROGRESS).await?;
    }
    let before = lab.wire().mark().await?;

    socket.close().await?.succeeds()?.took_within(&LINGER.cut_short())?;
    lab.wire().absent(before, any().without(Flags::SYN)).await
}
