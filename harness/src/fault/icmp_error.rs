//! A router that cannot deliver and says so: it answers a segment with an ICMP error that quotes
//! it, and does not forward it.

use super::{
    IcmpError,
    forward::{Deed, ForwardBuilder},
    taken::Hook,
};
use crate::lab::Lab;

impl Lab {
    /// A router that answers what it should forward with an ICMP error.
    pub fn router_answers(&self, error: IcmpError) -> ForwardBuilder {
        let text = format!("answers \"{error}\"");
        if error == IcmpError::TimeExceeded {
            // No rule answers with it, but the router itself does, to a packet whose time is up
            // (`net/ipv4/ip_forward.c`, `ip_forward`; `net/ipv6/ip6_output.c`, `ip6_forward`).
            let statements = vec!["ip ttl set 1".to_owned(), "ip6 hoplimit set 1".to_owned()];
            let hook = Hook::Prerouting;
            return ForwardBuilder::new(self, Deed { text, statements, hook, impossible: None });
        }
        let (v4, v6) = error.codes();
        let v4 = v4.map(|code| format!("meta nfproto ipv4 counter reject with icmp {code}"));
        let v6 = v6.map(|code| format!("meta nfproto ipv6 counter reject with icmpv6 {code}"));
        let statements = v4.into_iter().chain(v6).collect();
        let impossible = (!error.exists()).then(|| format!("there is no {error}"));
        ForwardBuilder::new(self, Deed { text, statements, hook: Hook::Forward, impossible })
    }
}
