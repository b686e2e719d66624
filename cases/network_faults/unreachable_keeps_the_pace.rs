//! A router that says "unreachable" of established data ends nothing: the sender takes back the
//! doubling of its timeout, because the path answers, retransmits at a constant pace, and ends at
//! tcp_retries2 with the error that the router named. In a quarter of an hour the pace slackens all
//! the same: every 256th timeout overflows the count of them, and its doubling stays; and so does
//! each that a router in stock, which says no more than an error a second, has left unanswered.
//! Source: RFC 6069; RFC 1122 4.2.3.9; `net/ipv4/tcp_ipv4.c` `tcp_v4_err`, `tcp_ld_RTO_revert`
//! (`icsk_retransmits` must not be 0); `include/net/inet_connection_sock.h` (and is a byte);
//! `net/ipv6/tcp_ipv6.c` `tcp_v6_err` (only "no route").

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    use IcmpError::{HostUnreachable, NetUnreachable};
    let rule = family.rule(["NF-12"]).waits(Duration::from_secs(3));
    rule.source("RFC 6069; tcp_ipv4.c tcp_v4_err, tcp_ld_RTO_revert; tcp_ipv6.c tcp_v6_err");
    rule.case("unreachable_established_data_is_sent_again_at_a_constant_pace")
        .across(
            [
                ("net_ipv4", (Ip::V4, NetUnreachable, Errno::ENETUNREACH)),
                ("host_ipv4", (Ip::V4, HostUnreachable, Errno::EHOSTUNREACH)),
                ("no_route_ipv6", (Ip::V6, NetUnreachable, Errno::ENETUNREACH)),
            ],
            |scene, answer| keeps_the_pace(scene, answer, RETRIES, UNLIMITED),
        )
        .stock("stock_unreachable_data_is_sent_again_for_a_quarter_of_an_hour_ever_more_slowly")
        .source("RFC 6069; tcp_ipv4.c tcp_ld_RTO_revert (icsk_retransmits); ip-sysctl tcp_retries2")
        .waits(Duration::from_secs(930))
        .across([("every_error_sent", UNLIMITED), ("stock_router", 1000)], |scene, limit| {
            let answer = (Ip::V4, HostUnreachable, Errno::EHOSTUNREACH);
            keeps_the_pace(scene, answer, timers::STOCK_RETRIES, limit)
        });
}

/// `icmp_ratelimit` of a router that answers every segment, as those of labs do.
const UNLIMITED: u32 = 0;
/// How many timeouts pass for none: `icsk_retransmits` is a byte.
const OVERFLOW: u32 = 1 << 8;

async fn keeps_the_pace(
    scene: Scene,
    (ip, error, errno): (Ip, IcmpError, Errno),
    retries2: u32,
    icmp_limit: u32,
) -> Result {
    let pair = scene.pair().routed().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries2);
    let pair = pair.connect().await?;
    pair.lab.router()?.set_sysctl("net.ipv4.icmp_ratelimit", &icmp_limit.to_string())?;
    let _router = pair.lab.router_answers(error).from("a").turn_on().await?;

    let Unacknowledged { told, retries, rto } = pair.write_unacknowledged(errno).await?;
    pair.b.kernel().is(State::Established)?;
    let limit = GiveUp::of(retries2, rto);
    let (backing_off, count) = (*limit.retransmissions.end() as usize, retries.timeouts.len());
    if count <= backing_off {
        let expected = format!("more than the {backing_off} of a sender that backs off");
        return Err(Error::mismatch("retransmissions", expected, count.to_string()));
    }
    let answers = pair.wire().strays().into_iter().filter(|it| it.what.quoted.is_some());
    let answers: Vec<_> = answers.filter_map(|it| it.arrived).collect();
    let answered = |from: Stamp, to: Stamp| answers.iter().any(|it| (from..to).contains(it));
    let (mut doublings, mut unanswered) = (0, 0);
    let mut wait = Duration::ZERO;
    let ends = retries.timeouts[1..].iter().map(Segment::at).chain([told.ended()]);
    for ((n, timeout), next) in (1..).zip(&retries.timeouts).zip(ends) {
        let heard = answered(timeout.at(), next);
        unanswered += u32::from(!heard);
        doublings += u32::from(!heard || n % OVERFLOW == 0);
        wait = timers::rto_gap(doublings, rto, timers::RTO_MAX);
        let window = Window::wheel([wait], format!("doubled {doublings} times for good"));
        window.judge(&format!("the wait after timeout {n}"), next.since(timeout.at()))?;
    }
    same("every timeout answered", icmp_limit == UNLIMITED, unanswered == 0)?;
    let rule = "the timeout after tcp_retries2's limit";
    let from = limit.limit.saturating_sub(Wheel::here().tick());
    let end = Window::new(from, limit.limit + Window::wheel([wait], "").to, rule);
    let lived = told.ended().since(retries.first_timeout().at());
    end.judge("the error after the first timeout", lived)
}
