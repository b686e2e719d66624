//! The calls that take the agent more than one system call to make.

use std::{fmt, os::fd::RawFd};

use nix::errno::Errno;

use super::{
    answer::ReadToEnd,
    data::{Data, pattern},
};
use crate::sys::{calls, codec::Bytes};

/// How much one read of [`drain`] asks for.
const STEP: usize = 64 * 1024;

/// Linux moves no more in one call (`include/linux/fs.h`, `MAX_RW_COUNT`).
const MAX_RW_COUNT: usize = 0x7fff_f000;

/// Why a call has no value to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// The kernel answered with this errno.
    Errno(Errno),
    /// The call was not made, and nothing has happened: why.
    NotMade(String),
}

impl From<Errno> for Failed {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl Failed {
    fn not_made(what: &str, errno: impl fmt::Display) -> Self {
        Self::NotMade(format!("{what}: {errno}"))
    }
}

/// The bytes that are to be written.
pub fn held(data: &Data) -> Result<Vec<u8>, Failed> {
    data.bytes().ok_or_else(|| no_memory(data.len()))
}

fn no_memory(bytes: usize) -> Failed {
    Failed::NotMade(format!("the process has no memory for {bytes} bytes"))
}

/// What a call brings that fills at most `max` bytes of room.
pub fn received(
    max: u32,
    call: impl FnOnce(&mut [u8]) -> calls::Answer<usize>,
) -> Result<Bytes, Failed> {
    let max = (max as usize).min(MAX_RW_COUNT);
    let mut bytes = calls::room(max).ok_or_else(|| no_memory(max))?;
    let length = call(&mut bytes)?;
    bytes.truncate(length);
    Ok(Bytes(bytes))
}

/// Sends from a file in memory.
pub fn sendfile(fd: RawFd, bytes: &[u8]) -> Result<usize, Failed> {
    let file = calls::scratch_file(bytes)
        .map_err(|errno| Failed::not_made("hold the bytes in a file", errno))?;
    let sent = calls::sendfile(fd, file, bytes.len());
    let _ = calls::close(file);
    Ok(sent?)
}

/// Moves from a socket into a fresh pipe.
pub fn splice_in(fd: RawFd, max: usize) -> Result<usize, Failed> {
    let (reader, writer) = calls::pipe().map_err(|errno| Failed::not_made("make a pipe", errno))?;
    let moved = calls::splice(fd, writer, max);
    let _ = calls::close(reader);
    let _ = calls::close(writer);
    Ok(moved?)
}

/// Moves from a fresh pipe that holds these bytes into a socket.
pub fn splice_out(fd: RawFd, bytes: &[u8]) -> Result<usize, Failed> {
    let (reader, writer) = calls::filled_pipe(bytes).map_err(|errno| {
        let what = format!("hold {} bytes in a pipe (fs.pipe-max-size)", bytes.len());
        Failed::not_made(&what, errno)
    })?;
    let moved = calls::splice(reader, fd, bytes.len());
    let _ = calls::close(reader);
    let _ = calls::close(writer);
    Ok(moved?)
}

/// Reads until end of file, an error or `limit` bytes, checking the bulk pattern on the way.
pub fn drain(fd: RawFd, limit: u64) -> Result<ReadToEnd, Failed> {
    let (mut bytes, mut intact) = (0u64, true);
    let mut room = vec![0; STEP];
    let error = loop {
        let most = STEP.min(usize::try_from(limit - bytes).unwrap_or(STEP));
        if most == 0 {
            break None;
        }
        match calls::read(fd, &mut room[..most]) {
            Ok(0) => break None,
            Ok(got) => {
                let got = &room[..got];
                intact &= got.iter().zip(bytes..).all(|(byte, place)| *byte == pattern(place));
                bytes += got.len() as u64;
            }
            Err(errno) => break Some(errno as i32),
        }
    };
    Ok(ReadToEnd { bytes, intact, error })
}

/// Makes a connection disappear without a packet: a socket under `TCP_REPAIR` is dropped as if
/// it never was (`net/ipv4/tcp.c`, `__tcp_close`).
pub fn vanish(fd: RawFd) -> Result<(), Failed> {
    calls::set_option(fd, libc::IPPROTO_TCP, libc::TCP_REPAIR, &1i32.to_ne_bytes())?;
    Ok(calls::close(fd)?)
}

/// Receives one descriptor.
pub fn receive_fd(over: RawFd) -> Result<RawFd, Failed> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    let mut byte = [0u8; 1];
    let mut parts = [std::io::IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!(RawFd);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(over, &mut parts, Some(&mut space), flags)?;
    let received = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    Ok(received.ok_or(Errno::ENOMSG)?)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
        os::fd::AsRawFd,
    };

    use super::*;

    #[test]
    fn a_drain_tells_whole_from_torn() {
        for (bytes, intact) in [(vec![0, 1, 2], true), (vec![0, 2], false)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (far, _) = listener.accept().unwrap();
            near.write_all(&bytes).unwrap();
            drop(near);
            let drained = drain(far.as_raw_fd(), u64::MAX);
            let expected = ReadToEnd { bytes: bytes.len() as u64, intact, error: None };
            assert_eq!(drained, Ok(expected));
        }
    }

    #[test]
    fn what_memory_cannot_hold_is_not_tried() {
        let beyond = Data::Repeated { unit: vec![0], length: usize::MAX };
        assert_eq!(held(&beyond), Err(no_memory(usize::MAX)));
    }
}
