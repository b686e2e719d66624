//! Packet sockets: a tap on one interface that sees every frame, both ways, with the
//! kernel's time stamp.
//!
//! A plain packet socket, not a memory-mapped ring. `PACKET_RX_RING` waits for an RCU grace
//! period when the ring is made and twice more when it goes (`packet_set_ring`,
//! `packet_release` in `net/packet/af_packet.c`); measured on kernel 6.18: 8-16 ms to open
//! against 0.03 ms for a plain socket, which is several times what a whole lab costs. What the
//! ring is loved for is had in other ways: the filter truncates each frame in the kernel,
//! `recvmmsg` reads 64 of them in one call, and the buffer is made large enough for a burst.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::{c_int, c_void, socklen_t};

use crate::error::{Context, Result};
use crate::stamp::Stamp;

/// How much of each frame is kept. The longest header lastack reads is Ethernet (14), IPv6
/// (40), a few extension headers and TCP with full options (60), or an ICMPv6 error (8) that
/// quotes IPv6 and TCP; the rest of a frame is payload, whose length the IP header tells.
pub const SNAP: usize = 192;

/// Frames read per system call.
const BATCH: usize = 64;

/// Room for control messages: `SCM_TIMESTAMPING` (16 + 48) and `PACKET_AUXDATA` (16 + 20, padded).
const CONTROL: usize = 128;

/// Buffer asked of the kernel, in bytes, which doubles it and charges a frame for what it held
/// before it was truncated. Measured with nobody reading: 5,289 frames of a bulk transfer fit.
/// (Only 196 do where segmentation offload builds frames of 64 KiB; labs switch that off.)
const BUFFER: c_int = 4 << 20;

/// One frame as a tap saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When the kernel handed the frame to the tap.
    pub at: Stamp,
    /// False where the kernel gave no time stamp and `at` is the moment of reading instead;
    /// see [`hold_stamps`].
    pub stamped: bool,
    /// Leaving through the interface (true) or entering by it (false).
    pub egress: bool,
    /// Length on the wire, in bytes, Ethernet header included.
    pub length: u32,
    /// The captured head of the frame, at most [`SNAP`] bytes.
    pub bytes: &'a [u8],
}

/// A tap on one interface. It listens from the moment it is opened until it is dropped.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    room: Box<Room>,
    ifindex: u32,
}

/// What `recvmmsg` fills, kept between calls because 20 KiB is much to clear each time.
struct Room {
    bytes: [[u8; SNAP]; BATCH],
    names: [libc::sockaddr_ll; BATCH],
    control: [Control; BATCH],
}

impl Room {
    fn new() -> Box<Self> {
        // SAFETY: sockaddr_ll is integers; all zero is valid.
        let name = unsafe { zeroed() };
        let control = [const { Control([0; CONTROL]) }; BATCH];
        Box::new(Self { bytes: [[0; SNAP]; BATCH], names: [name; BATCH], control })
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Room")
    }
}

/// Control messages start with a `cmsghdr` and want its alignment.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

impl Tap {
    /// Opens a tap on the interface `ifindex` of the calling thread's network namespace: all
    /// protocols, both directions, listening when this returns. An interface that is down may
    /// be tapped; it is heard from the moment it comes up.
    ///
    /// # Errors
    /// [`crate::ErrorKind::System`] where the kernel refuses: no `CAP_NET_RAW` in the namespace, no
    /// such interface.
    pub fn open(ifindex: u32) -> Result<Self> {
        let on = || format!("tap interface {ifindex}");
        // Protocol 0: the socket hears nothing until it is bound, so no frame of another
        // interface can slip in between.
        let socket = raw_socket(libc::AF_PACKET).context(on)?;
        let fd = socket.as_raw_fd();
        truncate_to(fd, SNAP).context(on)?;
        stamp_in_software(fd).context(on)?;
        set(fd, libc::SOL_PACKET, libc::PACKET_AUXDATA, &1_i32).context(on)?;
        // Only root may pass net.core.rmem_max; others get what that allows, and drops are
        // counted and reported either way.
        if set(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &BUFFER).is_err() {
            set(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, &BUFFER).context(on)?;
        }
        bind(fd, ifindex).context(on)?;
        Ok(Self { socket, room: Room::new(), ifindex })
    }

    /// The interface's index, as given to [`Tap::open`].
    #[must_use]
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Hands every frame captured before the call to `each`, oldest first, and maybe some that
    /// arrived during it. Never blocks. An interface that went down is silence, not an error.
    ///
    /// # Errors
    /// [`crate::ErrorKind::System`] where reading the socket fails.
    pub fn drain(&mut self, mut each: impl FnMut(Frame<'_>)) -> Result {
        let began = Stamp::now();
        loop {
            let (count, mut headers) = match self.receive() {
                Ok(some) => some,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                // Reported once when the interface goes down or away; clears itself.
                Err(e) if e.raw_os_error() == Some(libc::ENETDOWN) => continue,
                Err(e) => return Err(e).context(|| format!("read tap {}", self.ifindex)),
            };
            let mut caught_up = count < BATCH;
            for (i, header) in headers.iter_mut().enumerate().take(count) {
                let notes = Notes::read(&header.msg_hdr);
                let kept = (header.msg_len as usize).min(SNAP);
                let at = notes.at.unwrap_or_else(Stamp::now);
                each(Frame {
                    at,
                    stamped: notes.at.is_some(),
                    egress: self.room.names[i].sll_pkttype == libc::PACKET_OUTGOING,
                    length: notes.length.unwrap_or(header.msg_len),
                    bytes: &self.room.bytes[i][..kept],
                });
                // The queue is in order of capture: one frame younger than the call means that
                // all older ones have been read. Without this a flood would never let go.
                caught_up |= at > began;
            }
            if caught_up {
                return Ok(());
            }
        }
    }

    /// How many frames the kernel had to drop since the last time this was asked, because
    /// nobody read them in time.
    ///
    /// # Errors
    /// [`crate::ErrorKind::System`] where the socket does not answer.
    pub fn drops(&self) -> Result<u32> {
        // SAFETY: tpacket_stats is two integers; all zero is valid.
        let mut stats: libc::tpacket_stats = unsafe { zeroed() };
        let mut length = size_of::<libc::tpacket_stats>() as socklen_t;
        // SAFETY: the pointer and the length describe `stats`, which outlives the call.
        let answer = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut length,
            )
        };
        check(answer).context(|| format!("ask tap {} for its drops", self.ifindex))?;
        Ok(stats.tp_drops)
    }

    fn receive(&mut self) -> io::Result<(usize, [libc::mmsghdr; BATCH])> {
        // SAFETY: mmsghdr and iovec are integers and pointers; all zero is valid.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut slices: [libc::iovec; BATCH] = unsafe { zeroed() };
        let room = &mut *self.room;
        for i in 0..BATCH {
            slices[i].iov_base = room.bytes[i].as_mut_ptr().cast();
            slices[i].iov_len = SNAP;
            let header = &mut headers[i].msg_hdr;
            header.msg_name = (&raw mut room.names[i]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_ll>() as socklen_t;
            header.msg_iov = &raw mut slices[i];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut room.control[i]).cast();
            header.msg_controllen = CONTROL;
        }
        // SAFETY: every header points to memory of the stated size in `room` or on this
        // stack, all of which outlives the call; `iovec`s are not used after it.
        let count = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        Ok((check(count)? as usize, headers))
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What the kernel says about a frame beside its bytes.
#[derive(Default)]
struct Notes {
    at: Option<Stamp>,
    length: Option<u32>,
}

impl Notes {
    fn read(header: &libc::msghdr) -> Self {
        let mut notes = Self::default();
        // SAFETY: the kernel has filled `msg_control` and set `msg_controllen` to what it used;
        // the CMSG functions stay within it, and the reads below are of types that the kernel
        // wrote there, unaligned reads because a cmsg's data need not be aligned for them.
        unsafe {
            let mut message = libc::CMSG_FIRSTHDR(header);
            while !message.is_null() {
                let data = libc::CMSG_DATA(message);
                match ((*message).cmsg_level, (*message).cmsg_type) {
                    (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                        // Three times: software, (unused), hardware.
                        let time = data.cast::<libc::timespec>().read_unaligned();
                        if time.tv_sec != 0 {
                            notes.at = Some(Stamp(time.tv_sec * 1_000_000_000 + time.tv_nsec));
                        }
                    }
                    (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                        let aux = data.cast::<libc::tpacket_auxdata>().read_unaligned();
                        notes.length = Some(aux.tp_len);
                    }
                    _ => {}
                }
                message = libc::CMSG_NXTHDR(header, message);
            }
        }
        notes
    }
}

/// Keeps the kernel's receive time stamping switched on for as long as the result lives.
///
/// The kernel stamps frames only while some socket asks for it, and switches that on from a
/// work queue, a moment after the first socket asked (`net_enable_timestamp`). Held by the
/// runner for a whole run, it is on long before any case opens a tap. A netlink socket, because
/// it needs no privilege and touches nothing.
///
/// # Errors
/// [`crate::ErrorKind::System`] where no socket can be made.
pub fn hold_stamps() -> Result<OwnedFd> {
    let on = || "switch on packet time stamps".to_owned();
    let socket = raw_socket(libc::AF_NETLINK).context(on)?;
    stamp_in_software(socket.as_raw_fd()).context(on)?;
    Ok(socket)
}

/// The index of the interface `name` in the calling thread's network namespace.
///
/// # Errors
/// [`crate::ErrorKind::System`] where there is none.
pub fn interface_index(name: &str) -> Result<u32> {
    nix::net::if_::if_nametoindex(name).context(|| format!("find interface {name}"))
}

pub(super) fn raw_socket(family: c_int) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes no pointer.
    let fd = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the kernel has just given this descriptor to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn stamp_in_software(fd: c_int) -> io::Result<()> {
    let flags = libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
    set(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, &flags)
}

/// Keeps the first `length` bytes of every frame: a filter of one instruction.
fn truncate_to(fd: c_int, length: usize) -> io::Result<()> {
    let code = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut keep = libc::sock_filter { code, jt: 0, jf: 0, k: length as u32 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut keep };
    set(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

fn bind(fd: c_int, ifindex: u32) -> io::Result<()> {
    // SAFETY: sockaddr_ll is integers; all zero is valid.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex =
        i32::try_from(ifindex).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    if ifindex == 0 {
        // Zero would mean every interface.
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    let length = size_of::<libc::sockaddr_ll>() as socklen_t;
    // SAFETY: the pointer and the length describe `address`, which outlives the call.
    check(unsafe { libc::bind(fd, (&raw const address).cast(), length) })?;
    Ok(())
}

fn set<T>(fd: c_int, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let value = std::ptr::from_ref(value).cast::<c_void>();
    // SAFETY: the pointer and the length describe a T, which outlives the call. The one T
    // that holds a pointer, sock_fprog, points to the caller's stack.
    let answer = unsafe { libc::setsockopt(fd, level, option, value, size_of::<T>() as socklen_t) };
    check(answer)?;
    Ok(())
}

fn check(answer: c_int) -> io::Result<c_int> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_cannot_exist_is_refused_before_it_means_all_of_them() {
        for ifindex in [0, u32::MAX] {
            let error = Tap::open(ifindex).expect_err("no such interface");
            assert_eq!(error.kind(), crate::ErrorKind::System, "{error}");
        }
    }

    #[test]
    fn holding_stamps_needs_no_privilege() {
        hold_stamps().expect("a netlink socket");
    }
}
