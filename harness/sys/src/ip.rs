//! The two families of addresses that every lab has.

/// An Internet protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Ip {
    V4,
    V6,
}

impl Ip {
    /// Both, with the names test variants carry.
    pub const BOTH: [(&'static str, Self); 2] = [("ipv4", Self::V4), ("ipv6", Self::V6)];

    /// Both, where the names of other variants alone mean IPv4: `fin` and `fin_over_ipv6`.
    pub const OVER: [(&'static str, Self); 2] = [("", Self::V4), ("over_ipv6", Self::V6)];

    /// How many bits of their addresses all hosts of a lab have in common.
    #[must_use]
    pub fn prefix(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }
}
