//! An ICMP error that answers a SYN ends connect(), with the errno of its code, whether RFC 1122
//! calls it soft or hard.
//! Source: `net/ipv4/tcp_ipv4.c` `tcp_v4_err` (TCP_SYN_SENT); `net/ipv4/icmp.c` `icmp_err_convert`;
//! `net/ipv6/icmp.c` `icmpv6_err_convert`; RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.1.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    use IcmpError::{TimeExceeded, V4, V6};
    let rule = family.rule(["NF-27"]).waits(Duration::from_millis(1300));
    rule.source("tcp_ipv4.c tcp_v4_err; icmp.c icmp_err_convert, icmpv6_err_convert");
    rule.case("icmp_error_ends_connect_with_the_errno_of_its_code").across(
        [
            ("net", (Ip::V4, V4(0), Errno::ENETUNREACH)),
            ("host", (Ip::V4, V4(1), Errno::EHOSTUNREACH)),
            ("protocol", (Ip::V4, V4(2), Errno::ENOPROTOOPT)),
            ("port", (Ip::V4, V4(3), Errno::ECONNREFUSED)),
            ("source_route", (Ip::V4, V4(5), Errno::EOPNOTSUPP)),
            ("net_unknown", (Ip::V4, V4(6), Errno::ENETUNREACH)),
            ("host_unknown", (Ip::V4, V4(7), Errno::EHOSTDOWN)),
            ("host_isolated", (Ip::V4, V4(8), Errno::ENONET)),
            ("net_prohibited", (Ip::V4, V4(9), Errno::ENETUNREACH)),
            ("host_prohibited", (Ip::V4, V4(10), Errno::EHOSTUNREACH)),
            ("net_for_this_service", (Ip::V4, V4(11), Errno::ENETUNREACH)),
            ("host_for_this_service", (Ip::V4, V4(12), Errno::EHOSTUNREACH)),
            ("filtered", (Ip::V4, V4(13), Errno::EHOSTUNREACH)),
            ("precedence_violation", (Ip::V4, V4(14), Errno::EHOSTUNREACH)),
            ("precedence_cutoff", (Ip::V4, V4(15), Errno::EHOSTUNREACH)),
            ("time_exceeded", (Ip::V4, TimeExceeded, Errno::EHOSTUNREACH)),
            ("no_route_ipv6", (Ip::V6, V6(0), Errno::ENETUNREACH)),
            ("prohibited_ipv6", (Ip::V6, V6(1), Errno::EACCES)),
            ("beyond_scope_ipv6", (Ip::V6, V6(2), Errno::EHOSTUNREACH)),
            ("address_ipv6", (Ip::V6, V6(3), Errno::EHOSTUNREACH)),
            ("port_ipv6", (Ip::V6, V6(4), Errno::ECONNREFUSED)),
            ("policy_ipv6", (Ip::V6, V6(5), Errno::EACCES)),
            ("reject_route_ipv6", (Ip::V6, V6(6), Errno::EACCES)),
            ("time_exceeded_ipv6", (Ip::V6, TimeExceeded, Errno::EHOSTUNREACH)),
        ],
        by_code,
    );
    rule.case("packet_too_long_does_not_end_connect")
        .source("tcp_ipv4.c tcp_v4_err (ICMP_FRAG_NEEDED is about the path, no error)")
        .waits(Duration::from_secs(3))
        .run(goes_on);
    rule.case("icmp_error_under_the_socket_s_lock_waits_for_the_next_syn")
        .covers(["NF-28"])
        .source("tcp_ipv4.c tcp_v4_err (sock_owned_by_user, LINUX_MIB_LOCKDROPPEDICMPS)")
        .across(Ip::BOTH, under_the_lock);
}

/// The first SYN is lost, so that the answer meets a socket that nobody is busy with.
async fn by_code(scene: Scene, (ip, error, errno): (Ip, IcmpError, Errno)) -> Result {
    let lab = scene.lab().routed().build().await?;
    let (a, b) = (lab.host("a")?.process().await?, lab.host("b")?.address(ip, PORT));
    let socket = a.socket(b).ok().await?;
    let lost = lab.router_drops().from("a").turn_on().await?;
    let connect = socket.connect(b).blocks().await?;
    lab.wire().expect(syn().from("a").arrived(false)).await?;

    let _answer = lab.router_answers(error).from("a").turn_on().await?;
    lost.lift().await?;
    let connect = connect.done().await?.errno(errno)?;
    lab.wire().settle().await?;
    let syns = lab.wire().segments();
    same("SYNs", 2, syns.len())?;
    connect.returned_after(&syns[1])?;
    same("errors met under a lock", 0, a.host().counter("LockDroppedIcmps")?)
}

/// Of the sixteen codes one asks for shorter packets, which a SYN cannot be.
async fn goes_on(scene: Scene) -> Result {
    let lab = scene.lab().routed().build().await?;
    let (a, b) = (lab.host("a")?.process().await?, lab.host("b")?);
    let address = b.address(Ip::V4, PORT);
    let _listener = b.process().await?.listen(address).await?;
    let socket = a.socket(address).ok().await?;
    let router = lab.router_answers(IcmpError::V4(4)).from("a").turn_on().await?;
    let connect = socket.connect(address).start().await?;
    let again = syn().from("a").retransmitted(true).arrived(false);
    lab.wire().expect(again).within(Duration::from_secs(3)).await?;
    let connect = connect.blocked().await?;
    router.lift().await?;
    connect.done().await?.ok()
}

/// On a path without delay the answer is there before connect() has let go of the socket.
async fn under_the_lock(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().routed().build().await?;
    let (a, b) = (lab.host("a")?.process().await?, lab.host("b")?.address(ip, PORT));
    let socket = a.socket(b).ok().await?;
    let router = lab.router_answers(IcmpError::HostUnreachable).from("a").turn_on().await?;

    let failed = socket.connect(b).errno(Errno::EHOSTUNREACH).await?;
    let met = a.host().counter("LockDroppedIcmps")? as usize;
    let syns = router.hit().await?;
    // On a busy machine the answer may be handled later, by another thread, and counts at once.
    same("SYNs before the error", 1 + met, syns.len())?;
    if met > 0 {
        let window = Window::wheel([timers::SYN_RTO], "the first retransmission of a SYN");
        window.judge("connect() took", failed.took())?;
    }
    Ok(())
}
