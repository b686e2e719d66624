//! A SYN that finds the accept queue full is dropped without an answer: the client's kernel tries
//! again after a second, and gets through once the server has accepted somebody.
//! Source: `net/ipv4/tcp_input.c` `tcp_conn_request`; `include/net/sock.h` `sk_acceptq_is_full`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LQ-05"]).waits(Duration::from_secs(2));
    rule.source("tcp_input.c tcp_conn_request; sock.h sk_acceptq_is_full; listen(2)");
    rule.case("syn_to_a_full_accept_queue_is_dropped_and_tried_again")
        .across(Ip::BOTH, tried_again);
    rule.stock("connect_to_a_queue_that_stays_full_fails_after_two_minutes")
        .source("tcp_input.c tcp_conn_request; tcp_timer.c tcp_write_timeout")
        .waits(Duration::from_secs(135))
        .run(gives_up);
}

async fn tried_again(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let wire = lab.wire();
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = server.host().address(ip, PORT);
    let listener = server.listen_with_backlog(address, 1).await?;
    // A backlog of one has room for two.
    for _ in 0..2 {
        let early = client.connect(address).await?.local().ok().await?;
        SocketView::new(server.host(), address, early).reaches(State::Established).await?;
    }

    let full = wire.mark().await?;
    let late = client.socket(address).ok().await?;
    let connect = late.connect(address).start().await?;
    let first = wire.expect(syn().from("a").arrived(true)).after(full).await?;
    server.host().counts("ListenOverflows", 1).await?;
    let connect = connect.blocked().await?;
    listener.accept().ok().await?;
    let connect = connect.done().await?.succeeds()?;

    let seen = wire.exactly(full, [syn().from("a"), syn().from("a"), syn_ack().from("b")]);
    let seen = seen.among(any().flags(Flags::SYN)).await?;
    connect.returned_after(&seen[2])?;
    let window = Window::wheel([timers::SYN_RTO], "the first SYN's wait");
    window.judge("a SYN was sent again", seen[1].at().since(first.at()))
}

async fn gives_up(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = server.host().address(Ip::V4, PORT);
    let _listener = server.listen_with_backlog(address, 1).await?;
    for _ in 0..2 {
        let early = client.connect(address).await?.local().ok().await?;
        SocketView::new(server.host(), address, early).reaches(State::Established).await?;
    }

    let full = lab.wire().mark().await?;
    let late = client.socket(address).ok().await?;
    let failed = late.connect(address).errno(Errno::ETIMEDOUT).await?;
    // Linear time-outs came with Linux 6.5.
    let linear = client.host().sysctl("net.ipv4.tcp_syn_linear_timeouts").unwrap_or_default();
    let (sent, end) = timers::connect(6, linear.trim().parse().unwrap_or(0));
    let at = sent.iter().copied().chain([end]).collect::<Vec<_>>();
    let waits = at.windows(2).map(|pair| pair[1] - pair[0]);
    failed.took_within(&Window::wheel(waits, "tcp_syn_retries"))?;
    let all = vec![syn().from("a").arrived(true); sent.len()];
    lab.wire().exactly(full, all).await?;
    Ok(())
}
