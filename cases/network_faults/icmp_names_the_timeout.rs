//! All other ICMP errors about established data are hints as well, the "hard" ones of RFC 1122
//! among them: the sender backs off and gives up as if nobody had answered, and only the errno is
//! the router's.
//! Source: RFC 1122 4.2.3.9; RFC 5927 4.1 (hard errors are soft); `net/ipv4/tcp_ipv4.c`
//! `tcp_v4_err`; `net/ipv4/tcp_timer.c` `tcp_write_err`; `net/ipv4/icmp.c` `icmp_err_convert`;
//! `net/ipv6/icmp.c` `icmpv6_err_convert`.

use lastack::prelude::*;

const RETRIES: u32 = 2;

pub fn cases(family: &mut Family) {
    use Errno::{EACCES, ECONNREFUSED, EHOSTUNREACH, ENOPROTOOPT};
    use IcmpError::{HostUnreachable, PortUnreachable, Prohibited, TimeExceeded, V4};
    let rule = family.rule(["NF-13"]).waits(Duration::from_secs(4));
    rule.source("RFC 5927 4.1; tcp_ipv4.c tcp_v4_err; tcp_timer.c tcp_write_err");
    rule.case("hard_icmp_error_only_names_the_timeout").across(
        [
            ("port_ipv4", (Ip::V4, PortUnreachable, ECONNREFUSED)),
            ("protocol_ipv4", (Ip::V4, V4(2), ENOPROTOOPT)),
            ("prohibited_ipv4", (Ip::V4, Prohibited, EHOSTUNREACH)),
            ("port_ipv6", (Ip::V6, PortUnreachable, ECONNREFUSED)),
            ("prohibited_ipv6", (Ip::V6, Prohibited, EACCES)),
            ("address_ipv6", (Ip::V6, HostUnreachable, EHOSTUNREACH)),
        ],
        |scene, answer| named(scene, answer, RETRIES),
    );
    rule.case("routing_loop_only_names_the_timeout")
        .covers(["NF-30"])
        .source("RFC 792 (type 11); tcp_ipv4.c tcp_v4_err; tcp_timer.c tcp_write_err")
        .across(Ip::BOTH, |scene, ip| named(scene, (ip, TimeExceeded, EHOSTUNREACH), RETRIES));
    rule.stock("hard_icmp_error_names_the_timeout_after_a_quarter_of_an_hour")
        .source("RFC 5927 4.1; tcp_timer.c tcp_write_err; ip-sysctl tcp_retries2")
        .run(|scene| named(scene, (Ip::V4, PortUnreachable, ECONNREFUSED), timers::STOCK_RETRIES));
    rule.stock("routing_loop_names_the_timeout_after_a_quarter_of_an_hour")
        .covers(["NF-30"])
        .source("RFC 792 (type 11); tcp_timer.c tcp_write_err; ip-sysctl tcp_retries2")
        .run(|scene| named(scene, (Ip::V4, TimeExceeded, EHOSTUNREACH), timers::STOCK_RETRIES));
}

async fn named(scene: Scene, (ip, error, errno): (Ip, IcmpError, Errno), retries: u32) -> Result {
    let pair = scene.pair().routed().ip(ip).sysctl("a", "net.ipv4.tcp_retries2", retries);
    let pair = pair.connect().await?;
    let _router = pair.lab.router_answers(error).from("a").turn_on().await?;

    let unacknowledged = pair.write_unacknowledged(errno).await?;
    pair.b.kernel().is(State::Established)?;
    unacknowledged.judge(&GiveUp::of(retries, unacknowledged.rto))
}
