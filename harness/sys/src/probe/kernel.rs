//! The questions asked of the kernel by trying, each in a process in fresh namespaces: whatever
//! it makes is gone with it.

use rtnetlink::packet_route::tc::TcHandle;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send,
    socket,
};
use std::os::fd::AsRawFd;

use super::Answer;
use crate::{
    conntrack, nft,
    rtnl::{self, Rtnl},
    sysctl, tbf,
    tc::{Action, Key},
};

/// Message types and flags of rtnetlink(7) and sock_diag(7).
const RTM_NEWQDISC: u16 = 36;
const SOCK_DESTROY: u16 = 21;
const REQUEST_ACK: u16 = 0x1 | 0x4;
const CREATE: u16 = 0x400;
const LOOPBACK: i32 = 1;

/// Asks the kernel by one netlink message; the answer's errno, 0 for yes.
fn ask(protocol: SockProtocol, kind: u16, flags: u16, body: &[u8]) -> Answer<i32> {
    let trouble = |step: &str, answer| format!("netlink refused to {step}: {answer}");
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
        .map_err(|answer| trouble("open", answer))?;
    connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))
        .map_err(|answer| trouble("connect", answer))?;
    let length = 16 + body.len();
    let mut message = Vec::with_capacity(length);
    message.extend((length as u32).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend((REQUEST_ACK | flags).to_ne_bytes());
    message.extend([0; 8]); // sequence and port: there is one question and one asker
    message.extend(body);
    send(socket.as_raw_fd(), &message, MsgFlags::empty())
        .map_err(|answer| trouble("ask", answer))?;
    let mut reply = [0; 4096];
    let length = recv(socket.as_raw_fd(), &mut reply, MsgFlags::empty())
        .map_err(|answer| trouble("answer", answer))?;
    // An acknowledgement is a header and a negative errno.
    match reply[..length].get(16..20) {
        Some(errno) => Ok(-i32::from_ne_bytes(errno.try_into().expect("four bytes"))),
        None => Err("netlink answered less than a message".to_owned()),
    }
}

/// Asks for a qdisc on the loopback device of this network.
fn qdisc(kind: &str, parent: TcHandle, handle: TcHandle, options: &[u8]) -> Answer {
    let mut body = Vec::new();
    body.extend([0; 4]); // family and padding
    body.extend(LOOPBACK.to_ne_bytes());
    body.extend(u32::from(handle).to_ne_bytes());
    body.extend(u32::from(parent).to_ne_bytes());
    body.extend([0; 4]);
    const TCA_KIND: u16 = 1;
    const TCA_OPTIONS: u16 = 2;
    attribute(&mut body, TCA_KIND, &[kind.as_bytes(), b"\0"].concat());
    if !options.is_empty() {
        attribute(&mut body, TCA_OPTIONS, options);
    }
    match ask(SockProtocol::NetlinkRoute, RTM_NEWQDISC, CREATE, &body)? {
        0 => Ok(()),
        libc::ENOENT => Err(format!("this kernel has no {kind} qdisc")),
        errno => Err(format!("the kernel refuses a {kind} qdisc: {}", words(errno))),
    }
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend((4 + value.len() as u16).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

fn words(errno: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(errno)
}

/// The patch's wiring, tried on the loopback: clsact, u32 and mirred.
pub fn redirect() -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(|error| format!("no runtime for netlink: {error}"))?;
    let wire = async {
        let rtnl = Rtnl::start(rtnl::socket()?);
        rtnl.add_clsact(LOOPBACK as u32).await?;
        let fate = Action::Forward(vec![LOOPBACK as u32]);
        rtnl.add_filter(LOOPBACK as u32, 1, &[Key::ANY], &fate).await
    };
    runtime.block_on(wire).map_err(|error: crate::Error| error.to_string())
}

/// netem, with settings that change nothing.
pub fn netem() -> Answer {
    // tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter.
    let options: Vec<_> = [0u32, 1000, 0, 0, 0, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
    qdisc("netem", TcHandle::ROOT, TcHandle::UNSPEC, &options)
}

/// The program nft, and the parts of the kernel's netdev tables that packet rules are made of.
pub fn nft() -> Answer {
    let table = "table netdev lastack {\n counter hits { }\n\
                 chain fate {\n drop\n }\n\
                 chain probe {\n type filter hook ingress device \"lo\" priority 0;\n\
                 numgen inc mod 9 < 1 counter name hits goto fate\n fwd to \"lo\"\n }\n }\n";
    nft::load(table).map_err(|error| error.to_string())
}

/// A packet rule in the middle that answers, which Debian's kernels are built without
/// (CONFIG_NFT_REJECT_NETDEV).
pub fn reject() -> Answer {
    let table = "table netdev lastack {\n chain probe {\n \
                 type filter hook ingress device \"lo\" priority 0;\n \
                 reject with tcp reset\n }\n }\n";
    nft::load(table).map_err(|error| error.to_string())
}

/// A packet rule in the middle that holds: beyond the rule itself, the gate to hold it at.
pub fn hold() -> Answer {
    nft()?;
    let table = "table netdev lastack_hold {\n chain probe {\n \
                 type filter hook ingress device \"lo\" priority 1;\n \
                 dup to \"lo\"\n drop\n }\n }\n";
    nft::load(table).map_err(|error| error.to_string())?;
    qdisc(tbf::TBF, TcHandle::ROOT, TcHandle::UNSPEC, &tbf::gate(false))
}

/// A NAT as a lab's router has it: the rules, the settings, and forgetting it all.
pub fn conntrack() -> Answer {
    let table = "table inet lastack {\n chain probe {\n \
                 type nat hook postrouting priority 100\n masquerade\n }\n \
                 chain strangers {\n type filter hook forward priority 0\n \
                 ct state invalid counter drop\n }\n }\n";
    let all = || {
        nft::load(table)?;
        for (name, value) in [("loose", "0"), ("timeout_established", "2")] {
            sysctl::write(&format!("net.netfilter.nf_conntrack_tcp_{name}"), value)?;
        }
        conntrack::flush()
    };
    all().map_err(|error: crate::Error| error.to_string())
}

/// SOCK_DESTROY, asked for a socket that does not exist: a kernel that can says "no such
/// socket", one that cannot "not supported".
pub fn sock_destroy() -> Answer {
    let mut body = vec![libc::AF_INET as u8, libc::IPPROTO_TCP as u8, 0, 0];
    body.extend(u32::MAX.to_ne_bytes()); // any state
    // inet_diag_sockid: ports 9 and 9, no addresses, no interface, and no cookie.
    body.extend([0, 9, 0, 9]);
    body.extend([0; 36]);
    body.extend([0xff; 8]);
    match ask(SockProtocol::NetlinkSockDiag, SOCK_DESTROY, 0, &body)? {
        0 | libc::ENOENT => Ok(()),
        libc::EOPNOTSUPP | libc::EINVAL => {
            Err("this kernel was built without INET_DIAG_DESTROY".to_owned())
        }
        errno => Err(format!("the kernel refuses to destroy a socket: {}", words(errno))),
    }
}
