//! When a container's network goes in one stroke, what counts is whether the FIN was out before
//! it. If it was not, the survivor stays half-open: the dead process leaves an orphan that keeps
//! its namespace alive and retransmits into nothing until it is dropped without a packet. Nothing
//! resets the connection, neither the end of the process nor that of the network.
//! Source: `net/ipv4/tcp.c` `__tcp_close`; `net/ipv4/tcp_timer.c` `tcp_write_timeout`,
//! `tcp_probe_timer`; `net/core/sock.c` `__sk_free`, until which a socket holds its namespace, so
//! that `check_net` never fails for a user's socket.

use lastack::prelude::*;

/// What happens to host `b`, in this order.
#[derive(Clone, Copy)]
enum Order {
    NetworkThenProcess,
    FinLostThenNetwork,
}

pub fn cases(family: &mut Family) {
    let orders =
        [("network_first", Order::NetworkThenProcess), ("fin_lost", Order::FinLostThenNetwork)];
    let rule = family.rule(["PD-19"]).claims(["A1", "A18", "A23"]);
    rule.source(
        "tcp.c __tcp_close; tcp_timer.c tcp_write_timeout, tcp_probe_timer; sock.c __sk_free",
    );
    rule.case("process_that_ends_without_its_network_leaves_the_peer_half_open")
        .waits(Duration::from_secs(3))
        .across((orders, Ip::BOTH), half_open);
    rule.case("process_that_ends_before_its_network_says_goodbye")
        .claims(["A22"])
        .source("tcp.c __tcp_close; exit.c do_exit")
        .across(Ip::BOTH, goodbye);
}

async fn half_open(scene: Scene, (order, ip): (Order, Ip)) -> Result {
    let pair = scene.pair().ip(ip).sysctl("b", "net.ipv4.tcp_orphan_retries", 2);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let wire = lab.wire();
    let read = a.read(1).blocks().await?;
    let _hole = match order {
        Order::NetworkThenProcess => {
            b.host().lose_network().await?;
            b.process.kill().await?;
            None
        }
        Order::FinLostThenNetwork => {
            let hole = lab.black_hole().from("b").open().await?;
            b.process.kill().await?;
            wire.expect(fin().from("b").arrived(false)).await?;
            b.host().lose_network().await?;
            Some(hole)
        }
    };
    let removed = wire.mark().await?;

    let orphan = b.kernel().is(State::FinWait1)?;
    same("descriptors of the orphan", 0, orphan.inode)?;
    b.kernel().is_gone_within(Duration::from_secs(12)).await?;
    wire.exactly(removed, []).await?;
    let survivor = a.kernel().is(State::Established)?;
    same("timer of the survivor", None, survivor.timer)?;
    let _ = read.blocked().await?;
    Ok(())
}

async fn goodbye(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    b.process.kill().await?;
    lab.wire().expect(fin().from("b").arrived(true)).await?;
    b.host().lose_network().await?;

    a.read(1).eof().await?;
    a.kernel().is(State::CloseWait)?;
    lab.wire().absent(Wire::start(), rst()).await
}
