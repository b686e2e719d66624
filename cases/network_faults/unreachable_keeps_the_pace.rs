//! A router that says "unreachable" of established data ends nothing: the sender takes back the
//! doubling of its timeout, because the path answers, retransmits at a constant pace, and ends at
//! tcp_retries2 with the error that the router named.
//! Source: RFC 6069; RFC 1122 4.2.3.9; `net/ipv4/tcp_ipv4.c` `tcp_v4_err`, `tcp_ld_RTO_revert`;
//! `net/ipv6/tcp_ipv6.c` `tcp_v6_err` (only "no route").

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    use IcmpError::{HostUnreachable, NetUnreachable};
    family
        .case("unreachable_established_data_is_sent_again_at_a_constant_pace")
        .covers(["NF-12"])
        .source("RFC 6069; tcp_ipv4.c tcp_v4_err, tcp_ld_RTO_revert; tcp_ipv6.c tcp_v6_err")
        .needs([Need::Nft])
        .waits(Duration::from_secs(3))
        .across(
            [
                ("net_ipv4", (Ip::V4, NetUnreachable, Errno::ENETUNREACH)),
                ("host_ipv4", (Ip::V4, HostUnreachable, Errno::EHOSTUNREACH)),
                ("no_route_ipv6", (Ip::V6, NetUnreachable, Errno::ENETUNREACH)),
            ],
            constant_pace,
        );
}

async fn constant_pace(scene: Scene, (ip, error, errno): (Ip, IcmpError, Errno)) -> Result {
    let pair = scene.pair().routed().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", RETRIES);
    let pair = pair.connect().await?;
    let _router = pair.lab.router_answers(error).from("a").turn_on().await?;

    let InVain { told, retries, rto } = pair.write_in_vain(errno).await?;
    pair.b.kernel().is(State::Established)?;
    let limit = timers::give_up(RETRIES, rto, timers::RTO_MAX);
    let (backing_off, count) = (*limit.retransmissions.end() as usize, retries.timeouts.len());
    if count <= backing_off {
        let expected = format!("more than the {backing_off} of a sender that backs off");
        return Err(Error::mismatch("retransmissions", expected, count.to_string()));
    }
    let pace = Window::timer(rto, "the retransmission timeout, not doubled");
    for two in retries.timeouts.windows(2) {
        pace.judge("between retransmissions", two[1].at().since(two[0].at()))?;
    }
    let end = Window::timer(limit.limit + rto, "the timeout after tcp_retries2's limit");
    let end = Window { from: limit.window().from, ..end };
    let lived = told.ended().since(retries.first_timeout().at());
    end.judge("the error after the first timeout", lived)
}
