//! What `ss` shows, straight from the kernel: `sock_diag(7)` for TCP.
//!
//! Written by hand because the states this project is about are the ones other decoders drop:
//! TIME_WAIT and FIN_WAIT2 mini-sockets with their remaining time, keepalive's retry count
//! (`net/ipv4/inet_diag.c`, `inet_sk_diag_fill`, `inet_twsk_diag_fill`).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use super::tcp_info::TcpInfo;
use crate::error::{Context, Error, Result};

pub use super::tcp_state::State;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
const INET_DIAG_INFO: u16 = 2;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const ANY_STATE: u32 = u32::MAX;
/// Length of `struct inet_diag_msg`, and where its socket identity starts and ends.
const MESSAGE: usize = 72;
const IDENTITY: std::ops::Range<usize> = 4..52;

/// The timer a socket is running (`idiag_timer`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// Retransmission, early retransmission or tail loss probe.
    Retransmit,
    /// Keepalive; also the orphan's and the SYN-ACK's timer.
    Keepalive,
    /// The remaining life of a TIME_WAIT or orphaned FIN_WAIT2 mini-socket.
    TimeWait,
    /// Zero-window (persist) probing.
    Persist,
}

/// One TCP socket as the kernel holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketEntry {
    /// Its state.
    pub state: State,
    /// Its own address.
    pub local: SocketAddr,
    /// The peer's address; unspecified for a listener.
    pub remote: SocketAddr,
    /// The running timer with the time until it fires and its count of attempts so far.
    pub timer: Option<(Timer, Duration, u8)>,
    /// Recv-Q: bytes not yet read, the peer's FIN counting as one; a listener's accept queue.
    pub receive_queue: u32,
    /// Send-Q: bytes not yet acknowledged, our FIN counting as one; a listener's backlog.
    pub send_queue: u32,
    /// The inode of the descriptor; zero once no process holds one (an orphan).
    pub inode: u32,
    /// `TCP_INFO`, where the kernel gives it (not for mini-sockets).
    pub info: Option<TcpInfo>,
    identity: [u8; 48],
}

impl std::fmt::Display for SocketEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { state, local, remote, receive_queue, send_queue, .. } = self;
        write!(f, "{state:<11} {receive_queue:>6} {send_queue:>6}  {local} > {remote}")?;
        if let Some((timer, left, count)) = &self.timer {
            let name = match timer {
                Timer::Retransmit => "retransmit",
                Timer::Keepalive => "keepalive",
                Timer::TimeWait => "timewait",
                Timer::Persist => "persist",
            };
            write!(f, "  timer {name} {left:.3?} ({count})")?;
        }
        if self.inode == 0 && !matches!(state, State::TimeWait | State::Listen) {
            write!(f, "  orphan")?;
        }
        Ok(())
    }
}

/// A diagnosis socket in one network namespace.
#[derive(Debug)]
pub struct Diag(OwnedFd);

impl Diag {
    /// Opens one in the calling thread's namespace; it stays with that namespace for good.
    ///
    /// # Errors
    /// The kernel has no `NETLINK_SOCK_DIAG`.
    pub fn open() -> Result<Self> {
        socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkSockDiag,
        )
        .map(Self)
        .map_err(|answer| {
            Error::system("open a sock_diag socket", answer)
                .advise("the kernel needs CONFIG_INET_DIAG")
        })
    }

    /// Every TCP socket of the namespace, IPv4 then IPv6.
    ///
    /// # Errors
    /// The kernel refuses the dump.
    pub fn sockets(&self) -> Result<Vec<SocketEntry>> {
        self.dump(ANY_STATE)
    }

    /// As [`Self::sockets`], each as the kernel tells of it, for [`SocketEntry::parse`].
    ///
    /// # Errors
    /// The kernel refuses the dump.
    pub fn raw_sockets(&self) -> Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        self.dump_each(ANY_STATE, |body| found.push(body.to_vec()))?;
        Ok(found)
    }

    /// The sockets that keep their namespace alive: whole sockets with a connection. Listeners
    /// end with their processes, and mini-sockets (TIME_WAIT, an orphan's FIN_WAIT2) with the
    /// namespace (`net/ipv4/tcp_ipv4.c`, `tcp_sk_exit_batch`). Much cheaper to list than all: the
    /// kernel need not walk through the listeners of every namespace.
    ///
    /// # Errors
    /// The kernel refuses the dump.
    pub fn pinning(&self) -> Result<Vec<SocketEntry>> {
        let mini =
            [State::TimeWait, State::Listen, State::SynRecv, State::NewSynRecv, State::Close];
        let states = mini.iter().fold(ANY_STATE, |mask, state| mask & !(1 << *state as u32));
        let mut sockets = self.dump(states)?;
        sockets.retain(|socket| socket.state != State::FinWait2 || socket.info.is_some());
        Ok(sockets)
    }

    fn dump(&self, states: u32) -> Result<Vec<SocketEntry>> {
        let mut found = Vec::new();
        self.dump_each(states, |body| found.extend(SocketEntry::parse(body)))?;
        Ok(found)
    }

    fn dump_each(&self, states: u32, mut each: impl FnMut(&[u8])) -> Result {
        for family in [libc::AF_INET, libc::AF_INET6] {
            let request =
                request(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, family, states, &[0; 48]);
            self.converse(&request, &mut each)
                .context(|| "list a host's TCP sockets".to_owned())?;
        }
        Ok(())
    }

    /// The socket with exactly these addresses, if there is one that is not a listener.
    ///
    /// # Errors
    /// The kernel refuses to look.
    pub fn socket(&self, local: SocketAddr, remote: SocketAddr) -> Result<Option<SocketEntry>> {
        self.raw_socket(local, remote).map(|raw| raw.and_then(|raw| SocketEntry::parse(&raw)))
    }

    /// As [`Self::socket`], as the kernel tells of it, for [`SocketEntry::parse`].
    ///
    /// # Errors
    /// The kernel refuses to look.
    pub fn raw_socket(&self, local: SocketAddr, remote: SocketAddr) -> Result<Option<Vec<u8>>> {
        let mut identity = [0; 48];
        identity[0..2].copy_from_slice(&local.port().to_be_bytes());
        identity[2..4].copy_from_slice(&remote.port().to_be_bytes());
        put_address(&mut identity[4..20], local.ip());
        put_address(&mut identity[20..36], remote.ip());
        identity[40..48].fill(0xff); // any cookie
        let request =
            request(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, family(local), ANY_STATE, &identity);
        let mut found = None;
        match self.converse(&request, |body| found = Some(body.to_vec())) {
            // Where no connection matches, the kernel answers with the listener, if any.
            Ok(()) => Ok(found
                .filter(|raw| SocketEntry::parse(raw).is_some_and(|entry| entry.remote == remote))),
            Err(Errno::ENOENT) => Ok(None),
            Err(answer) => {
                Err(Error::system(format!("look up the socket {local} > {remote}"), answer))
            }
        }
    }

    /// Makes the kernel abort one socket (`SOCK_DESTROY`, `tcp_abort`): an RST to the peer where
    /// the state calls for one, `ECONNABORTED` to its owner.
    ///
    /// # Errors
    /// `EOPNOTSUPP` without `CONFIG_INET_DIAG_DESTROY`; `ENOENT` if it is gone already.
    pub fn destroy(&self, entry: &SocketEntry) -> nix::Result<()> {
        let flags = NLM_F_REQUEST | NLM_F_ACK;
        let request = request(SOCK_DESTROY, flags, family(entry.local), ANY_STATE, &entry.identity);
        self.converse(&request, |_| ())
    }

    fn converse(&self, request: &[u8], mut each: impl FnMut(&[u8])) -> nix::Result<()> {
        let fd = self.0.as_raw_fd();
        let dump = request[6..8] == (NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes();
        send(fd, request, MsgFlags::empty())?;
        // The kernel fills no more than this before it knows how much is asked for at a time
        // (`NLMSG_GOODSIZE`, `netlink_dump` in `net/netlink/af_netlink.c`).
        let mut buffer = [0; 8 * 1024];
        loop {
            let length = recv(fd, &mut buffer, MsgFlags::empty())?;
            let mut rest = &buffer[..length];
            while let Some((kind, body, after)) = next_message(rest) {
                match kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => {
                        let code = body.get(..4).map_or(0, |b| i32_at(b, 0));
                        return if code == 0 { Ok(()) } else { Err(Errno::from_raw(-code)) };
                    }
                    _ => each(body),
                }
                if !dump {
                    return Ok(());
                }
                rest = after;
            }
        }
    }
}

fn family(address: SocketAddr) -> i32 {
    if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

fn put_address(field: &mut [u8], address: IpAddr) {
    match address {
        IpAddr::V4(v4) => field[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => field.copy_from_slice(&v6.octets()),
    }
}

fn next_message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32_at(bytes.get(..4)?, 0)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(16..length)?;
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    Some((kind, body, after))
}

fn request(kind: u16, flags: u16, family: i32, states: u32, identity: &[u8; 48]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(72);
    bytes.extend(72u32.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]); // sequence and port: one conversation at a time needs neither
    bytes.push(u8::try_from(family).expect("address families are small"));
    bytes.push(u8::try_from(libc::IPPROTO_TCP).expect("protocol numbers are small"));
    bytes.push(1 << (INET_DIAG_INFO - 1));
    bytes.push(0);
    bytes.extend(states.to_ne_bytes());
    bytes.extend(identity);
    bytes
}

impl SocketEntry {
    /// Decodes one `struct inet_diag_msg` with its attributes; nothing if it is none.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        parse(body)
    }
}

fn parse(body: &[u8]) -> Option<SocketEntry> {
    let fixed = body.get(..MESSAGE)?;
    let v6 = i32::from(fixed[0]) == libc::AF_INET6;
    let port = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    let address = |at: usize| -> IpAddr {
        let octets: [u8; 16] = fixed[at..at + 16].try_into().expect("sixteen bytes");
        if v6 {
            Ipv6Addr::from(octets).into()
        } else {
            Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]).into()
        }
    };
    let expires = Duration::from_millis(u64::from(u32_at(fixed, 52)));
    let timer = match fixed[2] {
        1 => Some(Timer::Retransmit),
        2 => Some(Timer::Keepalive),
        3 => Some(Timer::TimeWait),
        4 => Some(Timer::Persist),
        _ => None,
    };
    Some(SocketEntry {
        state: State::from_number(fixed[1])?,
        local: SocketAddr::new(address(8), port(4)),
        remote: SocketAddr::new(address(24), port(6)),
        timer: timer.map(|timer| (timer, expires, fixed[3])),
        receive_queue: u32_at(fixed, 56),
        send_queue: u32_at(fixed, 60),
        inode: u32_at(fixed, 68),
        info: attribute(&body[MESSAGE..], INET_DIAG_INFO).map(TcpInfo::from_bytes),
        identity: fixed[IDENTITY].try_into().expect("the range has the identity's length"),
    })
}

fn attribute(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hostile_answers_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
            let mut rest = &bytes[..];
            while let Some((_, _, after)) = next_message(rest) {
                prop_assert!(after.len() < rest.len());
                rest = after;
            }
        }
    }

    #[test]
    fn this_thread_s_listener_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sockets = Diag::open().unwrap().sockets().unwrap();
        let entry = sockets.iter().find(|entry| entry.local == address).unwrap();
        assert_eq!(entry.state, State::Listen);
        assert_ne!(entry.inode, 0);
    }
}
