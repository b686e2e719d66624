//! The control bits of a TCP header.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of control bits (RFC 9293 section 3.1). Shown in words: `SYN+ACK`, `PSH+FIN+ACK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// No bit at all.
    pub const NONE: Self = Self(0);
    /// The sender has finished sending.
    pub const FIN: Self = Self(0x01);
    /// Opens a connection.
    pub const SYN: Self = Self(0x02);
    /// Aborts a connection.
    pub const RST: Self = Self(0x04);
    /// Hand the data to the application now.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number is valid.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer is valid.
    pub const URG: Self = Self(0x20);
    /// Congestion echo (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// The order of the words: what the segment is for comes first.
    const WORDS: [(Self, &'static str); 8] = [
        (Self::SYN, "SYN"),
        (Self::RST, "RST"),
        (Self::PSH, "PSH"),
        (Self::FIN, "FIN"),
        (Self::ACK, "ACK"),
        (Self::URG, "URG"),
        (Self::ECE, "ECE"),
        (Self::CWR, "CWR"),
    ];

    /// Whether every bit of `other` is set here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any bit of `other` is set here.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These bits less those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.pad("no flags");
        }
        let set = Self::WORDS.iter().filter(|(bit, _)| self.contains(*bit));
        f.pad(&set.map(|(_, word)| *word).collect::<Vec<_>>().join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_read_as_words() {
        assert_eq!((Flags::ACK | Flags::FIN).to_string(), "FIN+ACK");
        assert_eq!((Flags::SYN | Flags::ACK).to_string(), "SYN+ACK");
        assert_eq!((Flags::PSH | Flags::FIN | Flags::ACK).to_string(), "PSH+FIN+ACK");
        assert_eq!(Flags::RST.to_string(), "RST");
        assert_eq!(Flags::NONE.to_string(), "no flags");
        assert_eq!(Flags(0xff).to_string(), "SYN+RST+PSH+FIN+ACK+URG+ECE+CWR");
    }

    #[test]
    fn sets_behave_as_sets() {
        let both = Flags::SYN | Flags::ACK;
        assert!(both.contains(Flags::SYN) && !both.contains(Flags::SYN | Flags::FIN));
        assert!(both.intersects(Flags::SYN | Flags::FIN) && !both.intersects(Flags::RST));
        assert_eq!(both.without(Flags::SYN), Flags::ACK);
    }
}
