//! A handshake whose last acknowledgement never comes is forgotten after tcp_synack_retries
//! SYN-ACKs, with doubling waits, whatever the listener's keepalive and user timeout say. The
//! client is left with a connection that only it knows of.
//! Source: `net/ipv4/inet_connection_sock.c` `reqsk_timer_handler`; ip-sysctl tcp_synack_retries.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["RT-14"]).waits(Duration::from_secs(3));
    rule.source("inet_connection_sock.c reqsk_timer_handler; ip-sysctl tcp_synack_retries");
    rule.case("unfinished_handshake_is_forgotten_after_tcp_synack_retries")
        .across(([("none", 0), ("one", 1)], Ip::OVER), forgotten)
        .stock("stock_unfinished_handshake_is_forgotten_after_a_minute")
        .source("inet_connection_sock.c reqsk_timer_handler; ip-sysctl tcp_synack_retries (5)")
        .waits(Duration::from_secs(64))
        .across(Ip::BOTH, |scene, ip| forgotten(scene, (5, ip)));
    rule.case("handshake_of_a_machine_that_died_after_its_syn_is_forgotten")
        .across_on_both_kinds(Death::BOTH.paired(Ip::OVER), dead);
}

async fn forgotten(scene: Scene, (retries, ip): (u32, Ip)) -> Result {
    let lab = scene.lab().sysctl("b", "net.ipv4.tcp_synack_retries", retries).build().await?;
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = server.host().address(ip, PORT);
    let listener = server.listen(address).await?;
    let keepalive = [option::KEEPALIVE, option::KEEPIDLE, option::KEEPINTVL, option::KEEPCNT];
    for option in keepalive {
        listener.set(option, 1).ok().await?;
    }
    listener.set(option::USER_TIMEOUT, 500).ok().await?;

    // The SYN passes, what acknowledges the answer does not.
    let hole = lab.black_hole().from("a").only(Flags::ACK).open().await?;
    let socket = client.connect(address).await?;
    let source = socket.local().ok().await?;
    let request = SocketView::new(server.host(), address, source);
    is_forgotten(&lab, &request, retries).await?;

    hole.lift().await?;
    SocketView::new(client.host(), source, address).is(State::Established)?;
    socket.write("hello?").ok().await?;
    socket.read(100).errno(Errno::ECONNRESET).await?;
    Ok(())
}

async fn dead(scene: Scene, kind: HostKind, (kill, ip): (Kill, Ip)) -> Result {
    let lab = scene.lab().kind("a", kind).sysctl("b", "net.ipv4.tcp_synack_retries", 1);
    let lab = lab.build().await?;
    let server = lab.host("b")?.process().await?;
    let address = server.host().address(ip, PORT);
    server.listen(address).await?;

    // Nobody dies between two segments of one system call: its last word is put in its mouth.
    let _dead = kill(&lab, "a").now().await?;
    let source = lab.host("a")?.address(ip, 4000);
    lab.impersonate_towards(source, address)?.syn().send().await?;
    is_forgotten(&lab, &SocketView::new(server.host(), address, source), 1).await
}

/// So many SYN-ACKs, doubling, and the end of the request.
async fn is_forgotten(lab: &Lab, request: &SocketView, retries: u32) -> Result {
    request.is(State::SynRecv)?;
    let (expected, end) = timers::syn_ack(retries);
    let gone = request.runs_out_within(2 * end + Duration::from_secs(5)).await?;

    let patterns = expected.iter().map(|_| syn_ack().from("b"));
    let sent = lab.wire().exactly(Wire::start(), patterns).among(any().from("b")).await?;
    let waits = (0..).map(|n| timers::SYN_RTO * (1 << n));
    for (pair, wait) in sent.windows(2).zip(waits) {
        let window = Window::wheel([wait], "doubling from a second");
        window.judge("a SYN-ACK was sent again", pair[1].at().since(pair[0].at()))?;
    }
    let last = sent.len() - 1;
    let window = Window::wheel([end - expected[last]], "the last SYN-ACK's wait");
    gone.judge("the request was gone", &window, sent[last].at())
}
