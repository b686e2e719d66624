//! Frames put on a cable as they are, past every stack (`packet(7)`).
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::AsRawFd;

use super::packet::raw_socket;
use crate::error::{Context, Result};

/// Sends an Ethernet frame out of the interface `ifindex` of the calling thread's network
/// namespace.
///
/// # Errors
/// [`crate::ErrorKind::System`] where the kernel refuses: no `CAP_NET_RAW` in the namespace, no
/// such interface or a lowered one, a frame longer than its MTU.
pub fn transmit(ifindex: u32, frame: &[u8]) -> Result {
    let on = || format!("send a frame of {} bytes out of interface {ifindex}", frame.len());
    // Protocol 0: a socket that only sends.
    let socket = raw_socket(libc::AF_PACKET).context(on)?;
    // SAFETY: sockaddr_ll is integers; all zero is valid.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    // Says how the frame is to be read; a raw socket takes the hardware addresses from the frame.
    address.sll_protocol = match frame.get(12..14) {
        Some(kind) => u16::from_ne_bytes([kind[0], kind[1]]),
        None => 0,
    };
    address.sll_ifindex = i32::try_from(ifindex).context(on)?;
    // SAFETY: both pointers and lengths describe memory that outlives the call.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }.context(on)
}
