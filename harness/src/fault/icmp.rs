//! What is said of a segment that cannot be delivered.

use std::fmt;

/// An ICMP error, as a router answers a segment with it (RFC 792, RFC 1812 5.2.7.1; RFC 4443).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IcmpError {
    /// There is no route: net unreachable; "no route to destination" over IPv6.
    NetUnreachable,
    /// Nobody answers on the last link: host unreachable; "address unreachable" over IPv6.
    HostUnreachable,
    /// Nobody takes the port.
    PortUnreachable,
    /// A rule forbids it: communication administratively prohibited.
    Prohibited,
    /// The time to live ran out on the way, as in a routing loop.
    TimeExceeded,
    /// Destination unreachable over IPv4, with this code; IPv6 passes.
    V4(u8),
    /// Destination unreachable over IPv6, with this code; IPv4 passes.
    V6(u8),
}

impl IcmpError {
    /// The codes of "destination unreachable", over IPv4 and over IPv6.
    pub(super) fn codes(self) -> (Option<u8>, Option<u8>) {
        match self {
            Self::NetUnreachable => (Some(0), Some(0)),
            Self::HostUnreachable => (Some(1), Some(3)),
            Self::PortUnreachable => (Some(3), Some(4)),
            Self::Prohibited => (Some(13), Some(1)),
            Self::V4(code) => (Some(code), None),
            Self::V6(code) => (None, Some(code)),
            Self::TimeExceeded => (None, None),
        }
    }

    /// Whether RFC 792 and RFC 4443 know it.
    pub(super) fn exists(self) -> bool {
        !matches!(self, Self::V4(16..) | Self::V6(8..))
    }
}

impl fmt::Display for IcmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetUnreachable => f.write_str("net unreachable"),
            Self::HostUnreachable => f.write_str("host unreachable"),
            Self::PortUnreachable => f.write_str("port unreachable"),
            Self::Prohibited => f.write_str("prohibited"),
            Self::TimeExceeded => f.write_str("time exceeded"),
            Self::V4(code) => write!(f, "ICMP unreachable code {code}"),
            Self::V6(code) => write!(f, "ICMPv6 unreachable code {code}"),
        }
    }
}
