//! What calls answer, and how a ladder writes it.

use std::net::SocketAddr;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::events::Events;
use crate::sys::codec::Bytes;

/// An answer as a person reads it.
pub trait Show {
    /// The value, as a ladder writes it behind the call: "5 \"hello\"".
    fn show(&self) -> String;
}

/// What `select(2)` says: whether the descriptor is readable, writable, exceptional.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready(pub (bool, bool, bool));

/// What reading on to the end brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadToEnd {
    /// How many bytes.
    pub bytes: u64,
    /// Whether they were the bulk pattern from its start.
    pub intact: bool,
    /// The errno that ended it, if it was not the end of file or the limit.
    pub error: Option<i32>,
}

impl Show for () {
    fn show(&self) -> String {
        "0".to_owned()
    }
}

impl Show for i32 {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for usize {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for SocketAddr {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for Bytes {
    fn show(&self) -> String {
        let Self(bytes) = self;
        match std::str::from_utf8(bytes) {
            _ if bytes.is_empty() => "0 (end of file)".to_owned(),
            Ok(text) if text.len() <= 24 && !text.contains(|c: char| c.is_control()) => {
                format!("{} {text:?}", bytes.len())
            }
            _ => format!("{} bytes", bytes.len()),
        }
    }
}

impl Show for Events {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for Vec<(i32, Events)> {
    fn show(&self) -> String {
        let ready: Vec<_> = self.iter().map(|(fd, events)| format!("{fd}: {events}")).collect();
        if ready.is_empty() { "nothing".to_owned() } else { ready.join(", ") }
    }
}

impl Show for Ready {
    fn show(&self) -> String {
        let Self((read, write, except)) = *self;
        let set = [(read, "readable"), (write, "writable"), (except, "exceptional")];
        let set: Vec<_> = set.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
        if set.is_empty() { "nothing ready".to_owned() } else { set.join("+") }
    }
}

impl Show for ReadToEnd {
    fn show(&self) -> String {
        let Self { bytes, intact, error } = self;
        let end = error.map_or("end of file".to_owned(), |e| format!("{:?}", Errno::from_raw(e)));
        let torn = if *intact { "" } else { ", not the bytes that were sent" };
        format!("{bytes} bytes, then {end}{torn}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_read_like_strace() {
        assert_eq!(().show(), "0");
        assert_eq!(Bytes(b"hello".to_vec()).show(), "5 \"hello\"");
        assert_eq!(Bytes::default().show(), "0 (end of file)");
        assert_eq!(Bytes(b"\n".repeat(3)).show(), "3 bytes");
        assert_eq!(vec![(5, Events::IN | Events::HUP)].show(), "5: IN|HUP");
        assert_eq!(Vec::<(i32, Events)>::new().show(), "nothing");
        assert_eq!(Ready((true, false, true)).show(), "readable+exceptional");
        let torn = ReadToEnd { bytes: 3, intact: false, error: Some(libc::ECONNRESET) };
        assert_eq!(torn.show(), "3 bytes, then ECONNRESET, not the bytes that were sent");
    }
}
