//! What a virtual kernel says on its port, as frames of [`codec`] whose tag is the kind; and what
//! it is asked there, by one byte.

use std::io::{self, Write};

use lastack_sys::codec;

/// Asks a virtual kernel whether it lives: init answers with [`Message::Alive`].
pub(super) const QUESTION: u8 = b'?';

/// One word of a virtual kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// It is up: its init begins.
    Up,
    /// A frame of what is done in it.
    Frame(&'a [u8]),
    /// It was all done.
    Done,
    /// It could not be done.
    Trouble(&'a str),
    /// It was asked, and its kernel and its init run.
    Alive,
    /// It waits for its manifest, and can be saved.
    Ready,
}

impl<'a> Message<'a> {
    fn parts(&self) -> (u32, &'a [u8]) {
        match self {
            Self::Up => (0, &[]),
            Self::Frame(bytes) => (1, bytes),
            Self::Done => (2, &[]),
            Self::Trouble(text) => (3, text.as_bytes()),
            Self::Alive => (4, &[]),
            Self::Ready => (5, &[]),
        }
    }

    fn from_parts(kind: u32, bytes: &'a [u8]) -> Option<Self> {
        Some(match kind {
            0 => Self::Up,
            1 => Self::Frame(bytes),
            2 => Self::Done,
            3 => Self::Trouble(str::from_utf8(bytes).ok()?),
            4 => Self::Alive,
            5 => Self::Ready,
            _ => return None,
        })
    }

    /// Writes it, in one piece if the port takes it so.
    pub(super) fn write(&self, port: &mut impl Write) -> io::Result<()> {
        let (kind, bytes) = self.parts();
        codec::write_frame(port, kind, bytes)
    }

    /// The first word of what has come so far, and how many bytes it takes; none if it is not
    /// there whole yet.
    ///
    /// # Errors
    /// What has come is no word at all.
    pub(super) fn first(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, String> {
        let frame = codec::first_frame(bytes).map_err(|error| error.to_string())?;
        let Some((kind, said, length)) = frame else { return Ok(None) };
        match Self::from_parts(kind, said) {
            Some(word) => Ok(Some((word, length))),
            None => Err(format!("it spoke of a thing numbered {kind}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_were_written_and_not_before_they_are_whole() {
        let words = [
            Message::Up,
            Message::Frame(b"frame"),
            Message::Frame(b""),
            Message::Trouble("oh"),
            Message::Alive,
            Message::Ready,
            Message::Done,
        ];
        let mut bytes = Vec::new();
        words.iter().for_each(|word| word.write(&mut bytes).unwrap());
        let mut rest = &bytes[..];
        for word in words {
            let (read, length) = Message::first(rest).unwrap().unwrap();
            assert_eq!(read, word);
            assert_eq!(Message::first(&rest[..length - 1]), Ok(None));
            rest = &rest[length..];
        }
        assert_eq!(rest, b"");
    }

    #[test]
    fn noise_is_not_waited_for() {
        assert!(Message::first(&[0xff; 8]).is_err());
        assert!(Message::first(&[0, 0, 0, 0, 9, 0, 0, 0]).is_err());
    }
}
