//! A challenge is sent once in half a second at most. When it is lost, a client that wants its
//! old port again learns of the stale connection only from the challenge to its next SYN.
//! Source: RFC 5961 7; `net/ipv4/tcp_input.c` `tcp_send_challenge_ack`, `tcp_oow_rate_limited`,
//! `tcp_rcv_synsent_state_process`.

use lastack::prelude::*;

const LINEAR: &str = "net.ipv4.tcp_syn_linear_timeouts";
/// `tcp_syn_retries` as it comes.
const STOCK_RETRIES: u32 = 6;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LC-11"]).waits(Duration::from_millis(600));
    rule.source("ip-sysctl tcp_invalid_ratelimit; tcp_input.c __tcp_oow_rate_limited");
    rule.case("second_challenge_in_half_a_second_is_withheld").across(Ip::BOTH, withheld);
    rule.case("lost_challenge_costs_a_reconnecting_client_a_second")
        .source("tcp_input.c tcp_send_challenge_ack, tcp_rcv_synsent_state_process")
        .waits(Duration::from_secs(3))
        .across(Ip::BOTH, lost);
}

async fn withheld(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let limit = Duration::from_millis(500);
    let impostor = lab.impersonate(&a)?;

    let first = impostor.syn().seq(1).send().await?;
    let challenge = wire.expect(pure_ack().from("b").ack(1)).after(&first).await?;
    let second = impostor.syn().seq(1).send().await?;
    if second.at().since(challenge.at()) >= limit {
        return Err(Error::too_slow("the second SYN came after the limit"));
    }
    wire.never(&second, any()).for_(limit).await?;
    same("withheld", 1, b.host().counter("TCPACKSkippedChallenge")?)?;

    // Half a second after the first one another is due.
    let third = impostor.syn().seq(1).send().await?;
    wire.expect(pure_ack().from("b").ack(1)).after(&third).await?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn lost(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, listener } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    a.vanish().ok().await?;
    let again = a.process.socket(a.local_address()).ok().await?;
    again.set(option::REUSEADDR, 1).ok().await?;
    again.bind(a.local_address()).ok().await?;

    let acks = packets().from("b").pure_ack().first(1).are_dropped();
    let rules = lab.rules([acks]).turn_on().await?;
    let before = wire.mark().await?;
    let connect = again.connect(a.remote_address()).await?;
    let ended = connect.ended();
    connect.ok()?;
    let story = [
        syn().from("a").retransmitted(false),
        pure_ack().from("b").arrived(false),
        syn().from("a").retransmitted(true),
        pure_ack().from("b").arrived(true),
        rst().from("a"),
        syn().from("a").retransmitted(true),
        syn_ack().from("b"),
    ];
    let seen = wire.in_order(before, story, Duration::ZERO).await?;
    b.read(100).errno(Errno::ECONNRESET).await?;
    listener.accept().ok().await?;

    // Linear time-outs came with Linux 6.5: the second is due after two seconds, or after three.
    let linear = a.host().sysctl(LINEAR).unwrap_or_default().trim().parse().unwrap_or(0);
    let (sent, _) = timers::connect(STOCK_RETRIES, linear);
    let waits = [sent[1] - sent[0], sent[2] - sent[1]];
    let two = Window::wheel(waits, "two retransmissions of the SYN");
    two.judge("the client waited", ended.since(seen[0].at()))?;
    same("challenges lost", vec![1], rules.lift().await?)
}
