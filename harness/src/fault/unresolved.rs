//! Address resolution that nobody answers: ARP and IPv6 neighbour discovery are swallowed in the
//! patch, everything else passes.
//!
//! Both ways, because the hearer of a question learns from it as from an answer
//! (`net/ipv4/arp.c`, `arp_process`).

use super::{guard::Guard, hits::Aim, swallow::swallow};
use crate::{
    error::{Context, Result},
    lab::Lab,
    sys::tc::Key,
};

/// A patch that keeps hosts from finding each other. Lift it, or drop it.
#[must_use = "address resolution works again when the guard is dropped"]
pub struct Unresolved {
    guard: Guard,
}

impl Lab {
    /// Leaves all address resolution unanswered. It needs a patch, and hits only hosts that ask:
    /// those that learn their neighbours, or have been made to doubt them.
    ///
    /// # Errors
    /// There is no patch, or the kernel refuses the filter.
    pub async fn swallow_address_resolution(&self) -> Result<Unresolved> {
        let text = "address resolution unanswered";
        let patch = self.patch()?.clone();
        let aim = Aim { resolution: true, no_segments: true, ..Aim::default() };
        let ports = patch.ports().iter();
        let what: Vec<_> = ports.map(|port| (port.clone(), questions().to_vec())).collect();
        let guard = swallow(self, &patch, text, aim, &what).await;
        Ok(Unresolved { guard: guard.context(|| format!("leave {text}"))? })
    }
}

impl Unresolved {
    /// How many questions and answers it has swallowed so far.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn swallowed(&self) -> Result<usize> {
        self.guard.hits().unresolved_settled().await
    }

    /// Lets them through again.
    ///
    /// # Errors
    /// The kernel refuses, or the taps have lost frames.
    pub async fn lift(mut self) -> Result<usize> {
        self.guard.lift().await?;
        self.swallowed().await
    }
}

const IPV4: u32 = 0x0800;
const ARP: u32 = 0x0806;
const IPV6: u32 = 0x86dd;

fn word(offset: i32, mask: u32, value: u32) -> Key {
    Key { offset, mask, value }
}

/// The last two bytes of the Ethernet header lie just before the network header.
fn ethertype(value: u32) -> Key {
    word(-4, 0xffff, value)
}

/// ICMPv6 of a type that has these bits under the mask (RFC 4443, RFC 4861).
fn icmpv6(mask: u32, kind: u32) -> Vec<Key> {
    let next_header = word(4, 0x0000_ff00, 0x0000_3a00);
    vec![ethertype(IPV6), next_header, word(40, mask << 24, kind << 24)]
}

/// ARP; neighbour solicitations (135) and advertisements (136).
pub(super) fn questions() -> [Vec<Key>; 3] {
    [vec![ethertype(ARP)], icmpv6(0xff, 135), icmpv6(0xff, 136)]
}

/// Every IP packet but those. A filter cannot say "not", so there is one for each way to differ:
/// by one bit from ICMPv6's protocol number, and among ICMPv6 the errors (types under 128) and the
/// echo (128 and 129).
pub(super) fn all_but_questions() -> Vec<Vec<Key>> {
    let another_protocol = |bit: u32| {
        let mask = 0x100 << bit;
        vec![ethertype(IPV6), word(4, mask, !0x3a00 & mask)]
    };
    let mut all = vec![vec![ethertype(IPV4)]];
    all.extend((0..8).map(another_protocol));
    all.extend([icmpv6(0x80, 0), icmpv6(0xfe, 128)]);
    all
}
