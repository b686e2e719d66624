//! The floor under a lab: the same namespaces, links, addresses and redirects, made with raw
//! netlink messages by one thread, and nothing else.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use lastack::{Error, Result, error::Context};
use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket},
};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWNEIGH: u16 = 28;
const RTM_NEWQDISC: u16 = 36;
const RTM_NEWTFILTER: u16 = 44;
const REQUEST_ACK: u16 = 1 | 4;
const CREATE_EXCL: u16 = 0x400 | 0x200;

/// One netlink message in the making.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16, header: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((REQUEST_ACK | flags).to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(header);
        Self(bytes)
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.0.extend((4 + value.len() as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.0.len();
        self = self.attribute(kind, &[]);
        self = fill(self);
        let length = (self.0.len() - start) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

fn netlink() -> Result<OwnedFd> {
    let protocol = SockProtocol::NetlinkRoute;
    socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
        .context(|| "open a netlink socket".to_owned())
}

/// Sends all messages at once and waits for as many yeses.
fn ask(socket: &OwnedFd, messages: &[Vec<u8>]) -> Result {
    let all: Vec<u8> = messages
        .iter()
        .flat_map(|m| {
            let mut padded = m.clone();
            padded.resize(m.len().next_multiple_of(4), 0);
            padded
        })
        .collect();
    let context = || "talk to rtnetlink".to_owned();
    send(socket.as_raw_fd(), &all, MsgFlags::empty()).context(context)?;
    let mut buffer = [0u8; 8192];
    let mut answered = 0;
    while answered < messages.len() {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()).context(context)?;
        let mut rest = &buffer[..length];
        while rest.len() >= 20 {
            let step = u32::from_ne_bytes(rest[..4].try_into().expect("four bytes")) as usize;
            let code = i32::from_ne_bytes(rest[16..20].try_into().expect("four bytes"));
            if code != 0 {
                let errno = nix::errno::Errno::from_raw(-code);
                return Err(Error::system(format!("floor message {answered}"), errno));
            }
            answered += 1;
            rest = rest.get(step.next_multiple_of(4)..).unwrap_or(&[]);
        }
    }
    Ok(())
}

fn ifinfo(index: u32, up: bool) -> Vec<u8> {
    let flags = u32::from(up);
    [&[0u8; 4][..], &index.to_ne_bytes(), &flags.to_ne_bytes(), &flags.to_ne_bytes()].concat()
}

/// `IFLA_IFNAME`, `IFLA_MTU`, `IFLA_ADDRESS`, `IFLA_GSO_MAX_SEGS`, `IFLA_NET_NS_FD`.
fn end(message: Message, name: &str, mac: [u8; 6], netns: Option<i32>) -> Message {
    let name = [name.as_bytes(), &[0]].concat();
    let message = message
        .attribute(3, &name)
        .attribute(4, &1500u32.to_ne_bytes())
        .attribute(1, &mac)
        .attribute(40, &1u32.to_ne_bytes());
    match netns {
        Some(fd) => message.attribute(28, &fd.to_ne_bytes()),
        None => message,
    }
}

fn cable(port: u32, n: u8, netns: i32) -> Vec<u8> {
    let near = Message::new(RTM_NEWLINK, CREATE_EXCL, &ifinfo(port, true));
    end(near, &format!("to-{n}-{port}"), [2, 0, 0, 0, 1, n], None)
        .nested(18, |info| {
            info.attribute(1, b"veth").nested(2, |data| {
                data.nested(1, |peer| {
                    let peer = peer.raw(&ifinfo(1 + u32::from(n), false));
                    end(peer, "eth0", [2, 0, 0, 0, 0, n], Some(netns))
                })
            })
        })
        .finish()
}

fn clsact(port: u32) -> Vec<u8> {
    let header = [
        &[0u8; 4][..],
        &port.to_ne_bytes(),
        &0xffff_0000u32.to_ne_bytes(),
        &0xffff_fff1u32.to_ne_bytes(),
        &[0; 4],
    ]
    .concat();
    Message::new(RTM_NEWQDISC, CREATE_EXCL, &header).attribute(1, b"clsact\0").finish()
}

fn redirect(port: u32, to: u32) -> Vec<u8> {
    let info: u32 = (1000 << 16) | u32::from(3u16.to_be());
    let header = [
        &[0u8; 4][..],
        &port.to_ne_bytes(),
        &[0; 4],
        &0xffff_fff2u32.to_ne_bytes(),
        &info.to_ne_bytes(),
    ]
    .concat();
    // tc_u32_sel with one key that matches everything, flagged terminal.
    let mut selector = vec![0u8; 16 + 16];
    selector[0] = 1;
    selector[2] = 1;
    // tc_mirred: index, capab, action TC_ACT_STOLEN, refcnt, bindcnt, eaction redirect, ifindex.
    let mirred: Vec<u8> = [0, 0, 4, 0, 0, 1, to].into_iter().flat_map(u32::to_ne_bytes).collect();
    Message::new(RTM_NEWTFILTER, CREATE_EXCL, &header)
        .attribute(1, b"u32\0")
        .nested(2, |options| {
            options.attribute(5, &selector).nested(7, |actions| {
                actions.nested(1, |action| {
                    action.attribute(1, b"mirred\0").nested(2, |body| body.attribute(2, &mirred))
                })
            })
        })
        .finish()
}

fn address(index: u32, v6: bool, ip: &[u8]) -> Vec<u8> {
    let (family, prefix) = if v6 { (10u8, 64u8) } else { (2, 24) };
    let nodad = if v6 { 2u8 } else { 0 };
    let header = [&[family, prefix, nodad, 0][..], &index.to_ne_bytes()].concat();
    Message::new(RTM_NEWADDR, CREATE_EXCL, &header).attribute(2, ip).attribute(1, ip).finish()
}

fn neighbour(index: u32, v6: bool, ip: &[u8], mac: [u8; 6]) -> Vec<u8> {
    let family = if v6 { 10u8 } else { 2 };
    let header =
        [&[family, 0, 0, 0][..], &index.to_ne_bytes(), &0x80u16.to_ne_bytes(), &[0, 0]].concat();
    Message::new(RTM_NEWNEIGH, CREATE_EXCL, &header).attribute(1, ip).attribute(2, &mac).finish()
}

/// Everything that must stay open for a floor to stand.
pub struct Floor(#[allow(dead_code)] [OwnedFd; 2]);

/// Makes one on the calling thread, whose namespace is the middle; `ports` are two free interface
/// indexes.
///
/// # Errors
/// The kernel refuses a part of it.
pub fn build(ports: [u32; 2]) -> Result<Floor> {
    let open = || std::fs::File::open("/proc/thread-self/ns/net");
    let context = || "make the floor's namespaces".to_owned();
    let middle = open().context(context)?;
    let wires = netlink()?;
    let mut hosts = Vec::new();
    for n in [1u8, 2] {
        unshare(CloneFlags::CLONE_NEWNET).context(context)?;
        hosts.push((n, OwnedFd::from(open().context(context)?), netlink()?));
    }
    setns(middle.as_fd(), CloneFlags::CLONE_NEWNET).context(context)?;
    let cables: Vec<_> =
        hosts.iter().zip(ports).map(|((n, fd, _), port)| cable(port, *n, fd.as_raw_fd())).collect();
    ask(&wires, &cables)?;
    for (n, _, socket) in &hosts {
        let (index, other) = (1 + u32::from(*n), 3 - n);
        let v6 = |last: u8| [&[0xfd][..], &[0; 14], &[last]].concat();
        let up = |index| Message::new(RTM_NEWLINK, 0, &ifinfo(index, true)).finish();
        let mac = [2, 0, 0, 0, 0, other];
        ask(
            socket,
            &[
                up(1),
                up(index),
                address(index, false, &[10, 0, 0, *n]),
                address(index, true, &v6(*n)),
                neighbour(index, false, &[10, 0, 0, other], mac),
                neighbour(index, true, &v6(other), mac),
            ],
        )?;
    }
    let [a, b] = ports;
    ask(&wires, &[clsact(a), redirect(a, b), clsact(b), redirect(b, a)])?;
    let [first, second] = <[_; 2]>::try_from(hosts).expect("two hosts were made");
    Ok(Floor([first.1, second.1]))
}

/// Lays a link from the calling thread's namespace to that of its process, called `name` there,
/// with both ends down: it does nothing but go when the calling thread's namespace does.
///
/// # Errors
/// The kernel refuses.
pub fn canary(name: &str) -> Result {
    let home =
        std::fs::File::open("/proc/self/ns/net").context(|| "open a namespace".to_owned())?;
    let near = Message::new(RTM_NEWLINK, CREATE_EXCL, &ifinfo(0, false));
    let link = end(near, name, [2, 0, 0, 0, 2, 1], None).nested(18, |info| {
        info.attribute(1, b"veth").nested(2, |data| {
            data.nested(1, |peer| {
                let peer = peer.raw(&ifinfo(0, false));
                end(peer, name, [2, 0, 0, 0, 2, 2], Some(home.as_raw_fd()))
            })
        })
    });
    ask(&netlink()?, &[link.finish()])
}
