//! How the processes of one run talk: the one place that encodes and frames their messages.
//!
//! A message is any serializable value, encoded with postcard. There are two ways to carry one:
//!
//! - over a Unix socket that keeps messages whole ([`seqpacket`]): [`send`] and [`receive`].
//!   Descriptors may come with it. A message that is too long for a packet is put into a
//!   file in memory, and the packet carries that file's descriptor: a message of any length is
//!   sent in one piece, and sending it never waits for the receiver to read it.
//! - over a stream of bytes, such as a serial line: [`write_frame`] and [`read_frame`], or
//!   [`first_frame`] for who reads without blocking. A frame is a length, a tag and the message;
//!   what the tag means is the user's to say.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
};

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    error::{Context, Error, Result},
    seqpacket,
};

/// No message is longer, in bytes. A length beyond it is noise.
pub const LONGEST: usize = 1 << 30;

/// The longest message that a packet carries itself. Whoever receives keeps room for one, and
/// clears it first: every page of it is a page fault in every process of every case. Nearly all
/// messages have less than a hundred bytes.
const IN_PACKET: usize = 8 * 1024;

/// The first byte of a packet: the message follows.
const HERE: u8 = 0;
/// The first byte of a packet: the message is in the file whose descriptor comes first.
const IN_FILE: u8 = 1;

/// A frame's length and tag, each a `u32` in little-endian order.
const HEAD: usize = 8;

/// The bytes of a message.
///
/// # Errors
/// The value is of a kind that postcard does not know, or longer than [`LONGEST`].
pub fn encode<T: Serialize + ?Sized>(message: &T) -> Result<Vec<u8>> {
    let bytes = postcard::to_stdvec(message).context(|| "encode a message".to_owned())?;
    bounded(bytes.len()).context(|| "encode a message".to_owned())?;
    Ok(bytes)
}

/// The message that these bytes are.
///
/// # Errors
/// They are not a message of this type.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).context(|| format!("understand a message of {} bytes", bytes.len()))
}

/// Bytes that are encoded in one piece. A plain `Vec<u8>` is encoded byte by byte, which for
/// megabytes takes long.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bytes(#[serde(with = "bytes")] pub Vec<u8>);

/// For `#[serde(with = "…")]` on a field of bytes: see [`Bytes`].
pub mod bytes {
    use std::fmt;

    use serde::{Deserializer, Serializer, de};

    /// Encodes them.
    ///
    /// # Errors
    /// The encoder's own.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    /// Decodes them.
    ///
    /// # Errors
    /// The decoder's own.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_byte_buf(Visitor)
    }

    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }
    }
}

/// What came over a socket.
#[derive(Debug)]
pub enum Received<T> {
    /// A message, with the descriptors that came with it.
    Message(T, Vec<OwnedFd>),
    /// Nothing is waiting.
    Nothing,
    /// The other end is closed.
    Closed,
}

/// Sends a message with these descriptors; waits while the other end's queue is full.
///
/// # Errors
/// The other end is closed, or the system has no memory or descriptor left.
pub fn send<T: Serialize>(
    socket: BorrowedFd<'_>,
    message: &T,
    descriptors: &[BorrowedFd<'_>],
) -> Result {
    send_bytes(socket, &encode(message)?, descriptors)
}

/// As [`send`], with a message that is encoded already.
///
/// # Errors
/// As [`send`].
pub fn send_bytes(
    socket: BorrowedFd<'_>,
    message: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result {
    if message.len() <= IN_PACKET {
        return seqpacket::send(socket, &[&[HERE], message], descriptors);
    }
    let file = file_of(message).context(|| format!("send {} bytes", message.len()))?;
    let descriptors: Vec<_> = [file.as_fd()].iter().chain(descriptors).copied().collect();
    seqpacket::send(socket, &[&[IN_FILE]], &descriptors)
}

/// Takes the next message, and waits for one if `block`. `buffer` is room to work in.
///
/// # Errors
/// What came is not a message of this type, or the system refuses.
pub fn receive<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
    buffer: &mut Vec<u8>,
    block: bool,
) -> Result<Received<T>> {
    Ok(match receive_bytes(socket, buffer, block)? {
        Received::Message(bytes, descriptors) => Received::Message(decode(bytes)?, descriptors),
        Received::Nothing => Received::Nothing,
        Received::Closed => Received::Closed,
    })
}

/// As [`receive`], with the message left encoded.
///
/// # Errors
/// What came is no packet of ours, or the system refuses.
pub fn receive_bytes<'b>(
    socket: BorrowedFd<'_>,
    buffer: &'b mut Vec<u8>,
    block: bool,
) -> Result<Received<&'b [u8]>> {
    // A long message before this one has left more room than the next is likely to need.
    buffer.resize(1 + IN_PACKET, 0);
    buffer.shrink_to(1 + IN_PACKET);
    let (length, mut descriptors) = match seqpacket::receive(socket, buffer, block)? {
        None => return Ok(Received::Nothing),
        Some((0, _)) => return Ok(Received::Closed),
        Some(received) => received,
    };
    let what = || format!("understand a packet of {length} bytes");
    match buffer.first() {
        Some(&HERE) => Ok(Received::Message(&buffer[1..length], descriptors)),
        Some(&IN_FILE) if !descriptors.is_empty() => {
            let file = File::from(descriptors.remove(0));
            let length = read_whole(&file, buffer).context(what)?;
            Ok(Received::Message(&buffer[..length], descriptors))
        }
        _ => Err(Error::system(what(), "it is none of ours")),
    }
}

/// A file in memory that holds these bytes.
fn file_of(bytes: &[u8]) -> io::Result<File> {
    let file = File::from(memfd_create(c"lastack message", MFdFlags::MFD_CLOEXEC)?);
    (&file).write_all(bytes)?;
    Ok(file)
}

/// Reads a file from its start, wherever its offset is: how many bytes it has.
fn read_whole(file: &File, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    bounded(length)?;
    buffer.resize(buffer.len().max(length), 0);
    file.read_exact_at(&mut buffer[..length], 0)?;
    Ok(length)
}

fn bounded(length: usize) -> io::Result<()> {
    if length <= LONGEST {
        return Ok(());
    }
    Err(io::Error::other(format!("{length} bytes are too many, no message has over {LONGEST}")))
}

/// Writes one frame, in one piece if the stream takes it so.
///
/// # Errors
/// The stream is closed, or the message is longer than [`LONGEST`].
pub fn write_frame(stream: &mut impl Write, tag: u32, message: &[u8]) -> io::Result<()> {
    bounded(message.len())?;
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(HEAD + message.len());
    frame.extend(length.to_le_bytes());
    frame.extend(tag.to_le_bytes());
    frame.extend(message);
    stream.write_all(&frame)
}

/// Reads one frame: its tag and its message.
///
/// # Errors
/// The stream is closed, or what comes is no frame.
pub fn read_frame(stream: &mut impl Read) -> io::Result<(u32, Vec<u8>)> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head)?;
    let (tag, length) = parse_head(head)?;
    // Memory is taken as the bytes come, and not because a length was named.
    let mut message = Vec::new();
    stream.take(length as u64).read_to_end(&mut message)?;
    if message.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((tag, message))
}

/// The first frame of what has come so far: its tag, its message, and how many bytes it takes in
/// all; none if it is not there whole yet.
///
/// # Errors
/// What has come is no frame.
pub fn first_frame(bytes: &[u8]) -> io::Result<Option<(u32, &[u8], usize)>> {
    let Some((head, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let (tag, length) = parse_head(*head)?;
    Ok(rest.get(..length).map(|message| (tag, message, HEAD + length)))
}

fn parse_head([l0, l1, l2, l3, tag @ ..]: [u8; HEAD]) -> io::Result<(u32, usize)> {
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    bounded(length)?;
    Ok((u32::from_le_bytes(tag), length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trip(message: &[u8], carried: &[BorrowedFd<'_>]) -> (Vec<u8>, Vec<OwnedFd>) {
        let (near, far) = seqpacket::pair().unwrap();
        send_bytes(near.as_fd(), message, carried).unwrap();
        let mut buffer = Vec::new();
        let received = receive_bytes(far.as_fd(), &mut buffer, false).unwrap();
        let Received::Message(bytes, descriptors) = received else { panic!("{received:?}") };
        (bytes.to_vec(), descriptors)
    }

    #[test]
    fn a_message_of_any_length_comes_through_with_its_descriptors() {
        for length in [0, 1, IN_PACKET - 1, IN_PACKET, IN_PACKET + 1, 170_000, 20_000_000] {
            let message: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
            let (kept, passed) = seqpacket::pair().unwrap();
            let (bytes, descriptors) =
                trip(&message, &[passed.as_fd(); seqpacket::MAX_DESCRIPTORS]);
            assert!(bytes == message, "{length} bytes came through changed");
            assert_eq!(descriptors.len(), seqpacket::MAX_DESCRIPTORS);
            drop(passed);
            send(descriptors[0].as_fd(), &7u8, &[]).unwrap();
            let received = receive::<u8>(kept.as_fd(), &mut Vec::new(), false).unwrap();
            assert!(matches!(received, Received::Message(7, _)));
        }
    }

    #[test]
    fn bytes_are_encoded_as_those_of_a_list_are() {
        for bytes in [vec![], vec![1, 2, 3], vec![7; 1000]] {
            let encoded = encode(&Bytes(bytes.clone())).unwrap();
            assert_eq!(encoded, encode(&bytes).unwrap());
            assert_eq!(decode::<Bytes>(&encoded).unwrap(), Bytes(bytes));
        }
    }

    #[test]
    fn sending_a_long_message_does_not_wait_for_its_reader() {
        let (near, far) = seqpacket::pair().unwrap();
        let long = vec![1; 1_000_000];
        (0..20).for_each(|_| send_bytes(near.as_fd(), &long, &[]).unwrap());
        drop(near);
        let mut buffer = Vec::new();
        for _ in 0..20 {
            let received = receive_bytes(far.as_fd(), &mut buffer, true).unwrap();
            assert!(matches!(received, Received::Message(bytes, _) if bytes == long));
        }
        assert!(matches!(receive_bytes(far.as_fd(), &mut buffer, true).unwrap(), Received::Closed));
    }

    #[test]
    fn a_packet_that_is_none_of_ours_is_refused() {
        for packet in [&[IN_FILE][..], &[9, 9, 9], &[HERE, 0xff]] {
            let (near, far) = seqpacket::pair().unwrap();
            seqpacket::send(near.as_fd(), &[packet], &[]).unwrap();
            let refused = receive::<String>(far.as_fd(), &mut Vec::new(), false);
            assert!(refused.is_err(), "{packet:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_from_the_end() {
        let (near, far) = seqpacket::pair().unwrap();
        let mut buffer = Vec::new();
        let mut hear = || receive::<u8>(far.as_fd(), &mut buffer, false).unwrap();
        assert!(matches!(hear(), Received::Nothing));
        drop(near);
        assert!(matches!(hear(), Received::Closed));
    }

    #[test]
    fn frames_are_read_as_they_were_written_and_not_before_they_are_whole() {
        let frames = [(0, &b""[..]), (7, b"frame"), (u32::MAX, b"")];
        let mut bytes = Vec::new();
        frames.iter().for_each(|(tag, it)| write_frame(&mut bytes, *tag, it).unwrap());
        let (mut rest, mut line) = (&bytes[..], &bytes[..]);
        for (tag, message) in frames {
            assert_eq!(read_frame(&mut line).unwrap(), (tag, message.to_vec()));
            let (found, read, length) = first_frame(rest).unwrap().unwrap();
            assert_eq!((found, read), (tag, message));
            assert_eq!(first_frame(&rest[..length - 1]).unwrap(), None);
            rest = &rest[length..];
        }
        assert_eq!(rest, b"");
        assert!(read_frame(&mut line).is_err());
    }

    #[test]
    fn a_length_beyond_all_messages_is_not_waited_for() {
        assert!(first_frame(&[0xff; HEAD]).is_err());
        assert!(read_frame(&mut &[0xff; HEAD][..]).is_err());
        let torn = [&100u32.to_le_bytes()[..], &[0; 10]].concat();
        assert!(read_frame(&mut &torn[..]).is_err());
    }

    proptest! {
        #[test]
        fn noise_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode::<(u64, String, Vec<String>)>(&bytes);
            let _ = decode::<Bytes>(&bytes);
            let _ = read_frame(&mut &bytes[..]);
            let _ = first_frame(&bytes);
        }
    }
}
