//! A router that cannot deliver and says so: it answers a segment with an ICMP error that quotes
//! it, and does not forward it.

use std::fmt;

use super::forward::{Deed, ForwardBuilder};
use crate::lab::Lab;

/// What a router says of a segment that it cannot deliver (RFC 792, RFC 1812 5.2.7.1; RFC 4443).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IcmpError {
    /// It has no route: net unreachable; "no route to destination" over IPv6.
    NetUnreachable,
    /// Nobody answers on the last link: host unreachable; "address unreachable" over IPv6.
    HostUnreachable,
    /// Nobody takes the port.
    PortUnreachable,
    /// A rule forbids it: communication administratively prohibited.
    Prohibited,
    /// The time to live ran out on the way, as in a routing loop.
    TimeExceeded,
    /// Destination unreachable over IPv4, with this code; IPv6 is forwarded.
    V4(u8),
    /// Destination unreachable over IPv6, with this code; IPv4 is forwarded.
    V6(u8),
}

impl IcmpError {
    /// The codes of "destination unreachable", over IPv4 and over IPv6.
    fn codes(self) -> (Option<u8>, Option<u8>) {
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

impl ForwardBuilder {
    pub(crate) fn icmp_error(lab: &Lab, error: IcmpError) -> Self {
        let text = format!("answers \"{error}\"");
        if error == IcmpError::TimeExceeded {
            // No rule answers with it, but the router itself does, to a packet whose time is up
            // (`net/ipv4/ip_forward.c`, `ip_forward`; `net/ipv6/ip6_output.c`, `ip6_forward`).
            let statements = vec!["ip ttl set 1".to_owned(), "ip6 hoplimit set 1".to_owned()];
            let hook = "prerouting priority -300";
            return Self::new(lab, Deed { text, statements, hook, impossible: None });
        }
        let (v4, v6) = error.codes();
        let v4 = v4.map(|code| format!("meta nfproto ipv4 counter reject with icmp {code}"));
        let v6 = v6.map(|code| format!("meta nfproto ipv6 counter reject with icmpv6 {code}"));
        let statements = v4.into_iter().chain(v6).collect();
        let impossible = match error {
            IcmpError::V4(16..) | IcmpError::V6(8..) => Some(format!("there is no {error}")),
            _ => None,
        };
        Self::new(lab, Deed { text, statements, hook: "forward priority 0", impossible })
    }
}
