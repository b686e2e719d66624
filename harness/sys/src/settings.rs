//! The sysctls every host starts from.
//!
//! A new namespace gets the kernel's own constants for most of TCP, and copies from the machine
//! for the rest (`net/ipv4/tcp_ipv4.c`, `tcp_sk_init`; `devinet.c`, `devinet_init_net`). What it
//! copies, what follows from the size of its tables, and what the catalogue's time formulas rest
//! on is pinned, to the values of `Documentation/networking/ip-sysctl.rst`.

use crate::{error::Result, sysctl};

/// What every host calls its interface.
pub const INTERFACE: &str = "eth0";

/// Pinned on every host. A knob is a file, and opening thirty of them was a sixth of what a whole
/// lab costs, so constants that no case's outcome rests on are left alone.
const PINNED: &[(&str, &str)] = &[
    // Built into every kernel, and the only one that every namespace may always choose
    // (`net/ipv4/tcp_cong.c`, `tcp_set_default_congestion_control`).
    ("net.ipv4.tcp_congestion_control", "reno"),
    ("net.ipv4.tcp_rmem", "4096 131072 6291456"),
    ("net.ipv4.tcp_wmem", "4096 16384 4194304"),
    ("net.ipv4.tcp_max_syn_backlog", "1024"),
    ("net.ipv4.tcp_max_tw_buckets", "65536"),
    ("net.ipv4.tcp_keepalive_time", "7200"),
    ("net.ipv4.tcp_keepalive_intvl", "75"),
    ("net.ipv4.tcp_keepalive_probes", "9"),
    ("net.ipv4.tcp_retries2", "15"),
    ("net.ipv4.tcp_orphan_retries", "0"),
    ("net.ipv4.tcp_syn_retries", "6"),
    ("net.ipv4.tcp_synack_retries", "5"),
    ("net.ipv4.tcp_fin_timeout", "60"),
    ("net.ipv4.tcp_tw_reuse", "2"),
    ("net.ipv4.tcp_rfc1337", "0"),
    ("net.ipv4.tcp_timestamps", "1"),
    ("net.ipv4.tcp_ecn", "2"),
    // No connection starts with what another one of the same case has measured.
    ("net.ipv4.tcp_no_metrics_save", "1"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
];

/// IPv6 with little chatter: no link-local addresses, so no duplicate address detection and no
/// router solicitations between a case's own segments. What is left is a multicast listener report
/// when an address is given, which the wire keeps apart from segments.
const QUIET_IPV6: &[(&str, &str)] =
    &[("net.ipv6.conf.default.addr_gen_mode", "1"), ("net.ipv6.conf.default.accept_dad", "0")];

/// Keeps one interface quiet that was there before the defaults were set.
///
/// # Errors
/// A sysctl cannot be written.
pub fn quiet_ipv6(interface: &str) -> Result {
    QUIET_IPV6.iter().try_for_each(|(name, value)| {
        sysctl::write_if_known(&name.replace("default", interface), value)
    })
}

/// Keeps the calling thread's namespace from having a say of its own: it only holds the network
/// card of a guest kernel.
///
/// # Errors
/// A sysctl cannot be written.
pub fn prepare_shell() -> Result {
    sysctl::write_if_known("net.ipv6.conf.default.disable_ipv6", "1")
}

/// Pins the calling thread's namespace, before it has any interface, and then applies those of
/// `own` that are not about one.
///
/// # Errors
/// A sysctl cannot be written, or there is none of a name in `own`.
pub fn pin<'a>(own: impl Iterator<Item = (&'a str, &'a str)>) -> Result {
    // Pinning a knob that this kernel lacks is no loss; naming it in a case is an error.
    PINNED.iter().try_for_each(|(name, value)| sysctl::write_if_known(name, value))?;
    QUIET_IPV6.iter().try_for_each(|(name, value)| sysctl::write_if_known(name, value))?;
    let mut early = own.filter(|(name, _)| !is_of(name, INTERFACE));
    early.try_for_each(|(name, value)| sysctl::write(name, value))
}

/// Applies those of `own` that are about a host's interface, which is there now.
///
/// # Errors
/// A sysctl cannot be written, or there is none of its name.
pub fn pin_interface<'a>(own: impl Iterator<Item = (&'a str, &'a str)>) -> Result {
    let mut late = own.filter(|(name, _)| is_of(name, INTERFACE));
    late.try_for_each(|(name, value)| sysctl::write(name, value))
}

/// Whether this sysctl belongs to one interface, as `net.ipv4.conf.eth0.forwarding` and
/// `net.ipv6.neigh.eth0.gc_stale_time` do.
#[must_use]
pub fn is_of(name: &str, interface: &str) -> bool {
    name.split('.').nth(3) == Some(interface)
}

/// Prepares the calling thread's namespace to be the middle of labs, once for all of them.
///
/// # Errors
/// A sysctl cannot be written.
pub fn prepare_middle() -> Result {
    // The patch's own stack keeps out of the case: no IPv6 on its ports, no address, no answer.
    sysctl::write_if_known("net.ipv6.conf.default.disable_ipv6", "1")?;
    // Hosts made from here get socket tables of their own instead of a share in the machine's
    // (Linux 6.1). Those have a bucket for every few kilobytes of memory, and whoever lists
    // sockets or ends a namespace walks through all of them.
    sysctl::write_if_known("net.ipv4.tcp_child_ehash_entries", "512")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sysctls_of_an_interface_are_told_from_all_others() {
        for name in ["net.ipv4.conf.eth0.arp_announce", "net.ipv6.neigh.eth0.gc_stale_time"] {
            assert!(is_of(name, INTERFACE), "{name}");
        }
        for name in ["net.ipv4.conf.all.rp_filter", "net.ipv4.tcp_retries2", "net.ipv4.conf.lo.x"] {
            assert!(!is_of(name, INTERFACE), "{name}");
        }
    }
}
