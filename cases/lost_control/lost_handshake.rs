//! Each of the handshake's three segments may be lost once: SYN and SYN+ACK are sent again after
//! a second, and the third needs no repetition if data follows it.
//! Source: RFC 6298 2.1; `net/ipv4/tcp_minisocks.c` `tcp_check_req`; `inet_connection_sock.c`
//! `reqsk_timer_handler`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LC-06"]).waits(Duration::from_secs(2));
    rule.source("RFC 6298 2.1; tcp_timer.c tcp_retransmit_timer; tcp.h TCP_TIMEOUT_INIT");
    rule.case("lost_syn_is_sent_again_after_a_second").covers(["LC-05"]).across(Ip::BOTH, first);
    rule.case("lost_syn_ack_is_repeated_by_timer_and_on_request")
        .source("inet_connection_sock.c reqsk_timer_handler; tcp_minisocks.c tcp_check_req")
        .across(([("by_timer", Side::Server)], Ip::BOTH), second)
        // Before 6.5 both ends double their waits in step: whose turn it was cannot be told apart.
        .more()
        .source("tcp_minisocks.c tcp_check_req; ip-sysctl tcp_syn_linear_timeouts (Linux 6.5)")
        .needs([Need::Kernel(6, 5)])
        .across(([("on_request", Side::Client)], Ip::BOTH), second);
    rule.case("data_makes_up_for_a_lost_third_segment")
        .covers(["LC-09"])
        .source("tcp_minisocks.c tcp_check_req")
        .across(Ip::BOTH, third);
}

async fn first(scene: Scene, ip: Ip) -> Result {
    let (lab, client, server, address) = unconnected(&scene, ip).await?;
    let _listener = server.listen(address).await?;
    let syns = packets().from("a").flags(Flags::SYN).first(1).are_dropped();
    let lost = lab.rules([syns]).turn_on().await?;

    let socket = client.socket(address).ok().await?;
    let second = Window::wheel([timers::SYN_RTO], "the first retransmission timeout");
    socket.connect(address).await?.took_within(&second)?.ok()?;
    let wire = lab.wire();
    let again = syn().from("a").retransmitted(true).arrived(true);
    wire.in_order(Wire::start(), [syn().from("a").arrived(false), again, syn_ack()], NOW).await?;
    same("SYNs lost", vec![1], lost.lift().await?)
}

/// Who tries again.
#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}

async fn second(scene: Scene, (again, ip): (Side, Ip)) -> Result {
    let (lab, client, server, address) = unconnected(&scene, ip).await?;
    let _listener = server.listen(address).await?;
    let wire = lab.wire();
    let answers = packets().from("b").flags(Flags::SYN);
    let rules = match again {
        // The first answer is lost, and so is every further question.
        Side::Server => {
            let questions = packets().from("a").flags(Flags::SYN);
            vec![answers.first(1).are_dropped(), questions.without(Flags::ACK).nth(2).are_dropped()]
        }
        Side::Client => vec![answers.are_dropped()],
    };
    let lost = lab.rules(rules).that_may_miss().turn_on().await?;
    let socket = client.socket(address).ok().await?;
    let connect = socket.connect(address).on("connector").blocks().await?;
    let source = socket.local().ok().await?;
    let request = SocketView::new(server.host(), address, source);
    request.reaches(State::SynRecv).await?;

    match again {
        Side::Server => {
            connect.done().await?.ok()?;
            let found = wire.expect(syn_ack().arrived(true)).await?;
            check_that("SYN+ACK", &found, "sent again", |it| it.retransmission)?;
            wire.absent(Wire::start(), syn().retransmitted(true).arrived(true)).await?;
            let asked = wire.expect(syn()).await?;
            let second = Window::wheel([timers::SYN_RTO], "the request's timer");
            second.judge("b answered again after", found.at().since(asked.at()))?;
        }
        Side::Client => {
            // Both timers run out together after a second; then a's does alone, after two.
            let patience = timers::SYN_RTO * 2;
            let asked = syn().from("a").retransmitted(true);
            let asked = wire.expect(asked).within(patience).await?;
            wire.expect(syn_ack().from("b").retransmitted(true).arrived(false))
                .after(&asked)
                .await?;
            lost.lift().await?;
            connect.done().await?.ok()?;
            let last = wire.expect(syn_ack().arrived(true)).await?;
            let asked = wire.expect(syn().from("a").retransmitted(true)).after(&asked).await?;
            check("b answered a's question, number", last.index, more_than(asked.index))?;
        }
    }
    request.reaches(State::Established).await?;
    Ok(())
}

async fn third(scene: Scene, ip: Ip) -> Result {
    let (lab, client, server, address) = unconnected(&scene, ip).await?;
    let listener = server.listen(address).await?;
    let acks = packets().from("a").pure_ack().first(1).are_dropped();
    let lost = lab.rules([acks]).turn_on().await?;
    let accept = listener.accept().blocks().await?;

    let socket = client.connect(address).await?;
    let source = socket.local().ok().await?;
    let wire = lab.wire();
    wire.expect(pure_ack().from("a").arrived(false)).await?;
    SocketView::new(server.host(), address, source).is(State::SynRecv)?;
    socket.write("hello").ok().await?;

    let accepted = accept.done().await?.ok()?;
    accepted.read(100).bytes(b"hello").await?;
    wire.absent(Wire::start(), syn_ack().retransmitted(true)).await?;
    same("acknowledgements lost", vec![1], lost.lift().await?)
}

/// For what has been seen already.
const NOW: Duration = Duration::ZERO;

async fn unconnected(
    scene: &Scene,
    ip: Ip,
) -> Result<(Lab, Process, Process, std::net::SocketAddr)> {
    let lab = scene.lab().build().await?;
    let (client, server) =
        try_join!(lab.host("a")?.process_named("client"), lab.host("b")?.process_named("server"))?;
    let address = lab.host("b")?.address(ip, PORT);
    Ok((lab, client, server, address))
}
