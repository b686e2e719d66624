//! As long as its kernel answers, a peer is alive: an idle connection is asked for ever, whatever
//! the number of probes, and so is one whose application hangs. Each end asks for itself.
//! Source: `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`; `net/ipv4/tcp_input.c` `tcp_ack`,
//! `tcp_validate_incoming`; RFC 9293 3.8.4.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["KA-02"]).waits(Duration::from_secs(4));
    rule.source("tcp_timer.c tcp_keepalive_timer; tcp_input.c tcp_ack; RFC 9293 3.8.4");
    rule.case("live_peer_is_asked_once_a_period_and_never_given_up").across(
        [
            ("ipv4", (Ip::V4, Keepalive::new(1, 1, 1))),
            ("ipv6", (Ip::V6, Keepalive::new(1, 1, 1))),
            // The period is the longer of the two times.
            ("idle_time_longer", (Ip::V4, Keepalive::new(2, 1, 1))),
            ("interval_longer", (Ip::V4, Keepalive::new(1, 2, 1))),
        ],
        |scene, (ip, keepalive)| asked(scene, ip, keepalive, false),
    );
    rule.case("hung_peer_looks_alive")
        .covers(["KA-07"])
        .claims(["A28"])
        .across(Ip::BOTH, |scene, ip| asked(scene, ip, Keepalive::new(1, 1, 1), true));
    rule.stock("stock_keepalive_asks_a_live_peer_every_two_hours")
        .waits(3 * Keepalive::STOCK.idle())
        .run(|scene| asked(scene, Ip::V4, Keepalive::STOCK, false));
    rule.stock("hung_peer_looks_alive_for_hours")
        .covers(["KA-07"])
        .waits(3 * Keepalive::STOCK.idle())
        .run(|scene| asked(scene, Ip::V4, Keepalive::STOCK, true));
    rule.case("being_asked_is_no_sign_of_life")
        .source("tcp_input.c tcp_validate_incoming; tcp.h keepalive_time_elapsed")
        .across(Ip::BOTH, both_ask);
}

async fn asked(scene: Scene, ip: Ip, keepalive: Keepalive, hung: bool) -> Result {
    let pair = scene.pair().ip(ip).keepalive_on_a(keepalive).connect().await?;
    let Pair { lab, a, b, .. } = pair;
    let wire = lab.wire();
    let start = wire.mark().await?;
    if hung {
        b.process.stop().await?;
    }

    let question = probe().from("a").seq(0).payload(0).arrived(true);
    let answer = pure_ack().from("b").seq(1).ack(1).arrived(true);
    let rounds = vec![[question, answer]; 3].concat();
    let (idle, interval) = (keepalive.idle(), keepalive.interval());
    let period = timers::keepalive_period(idle, interval);
    let patience = (idle + 2 * idle.max(interval)) * 2;
    let said = wire.in_order(start, rounds.clone(), patience).await?;

    keepalive.judge(&wire.expect(syn_ack()).await?, &said[..1])?;
    let window = Window::wheel(period, "the longer of idle time and interval");
    for pair in said.chunks(2).collect::<Vec<_>>().windows(2) {
        let gap = pair[1][0].at().since(pair[0][0].at());
        window.judge("the time from one probe to the next was", gap)?;
    }
    a.kernel().has_unanswered_probes(0).await?;
    wire.exactly(start, rounds).await?;
    if hung {
        b.process.resume()?;
    }
    a.kernel().is(State::Established)?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn both_ask(scene: Scene, ip: Ip) -> Result {
    let (often, seldom) = (Keepalive::new(1, 1, 3), Keepalive::new(2, 1, 3));
    let pair = scene.pair().ip(ip).keepalive_on_a(often).connect().await?;
    let Pair { lab, b, .. } = pair;
    let wire = lab.wire();
    b.keep_alive(seldom).await?;

    // b hears a's question every second, and still asks when its own two are over.
    let handshake = wire.expect(pure_ack().from("a").seq(1).ack(1)).await?;
    let own = wire.expect(probe().from("b")).within(2 * seldom.idle()).await?;
    seldom.judge(&handshake, std::slice::from_ref(&own))?;
    wire.expect(pure_ack().from("a").arrived(true)).after(&own).await?;
    let heard = wire.count(Wire::start(), probe().from("a").arrived(true)).await?;
    check("times that b was asked before", heard, more_than(0))
}
