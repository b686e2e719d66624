//! Questions about who is where on the wire that nobody answers: ARP and neighbour discovery are
//! swallowed in the patch, everything else passes.
//!
//! Both ways, because a question teaches its hearer as much as an answer does
//! (`net/ipv4/arp.c`, `arp_process`).

use super::{
    guard::Guard,
    hits::{Aim, Hits},
    swallow::swallow,
};
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
    /// Leaves every question about who is where on the wire unanswered. It needs a patch, and
    /// hits only what asks: hosts that learn their neighbours, or have been made to doubt them.
    ///
    /// # Errors
    /// There is no patch, or the kernel refuses the filter.
    pub async fn swallow_address_resolution(&self) -> Result<Unresolved> {
        let text = "address resolution unanswered";
        let patch = self.patch()?.clone();
        let hits = Hits::of(self, text, Aim { resolution: true, ..Aim::default() });
        let ports = patch.ports().iter().map(|port| port.index);
        let what = ports.flat_map(|port| questions().map(|words| (port, words)));
        let guard = swallow(&patch, hits, what.collect::<Vec<_>>()).await;
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

/// ARP by its ethertype; ICMPv6 of types 135 and 136, which differ in the last bits.
fn questions() -> [Vec<Key>; 3] {
    let word = |offset, mask, value| Key { offset, mask, value };
    // The last two bytes of the Ethernet header lie just before the network header.
    let ethertype = |value| word(-4, 0xffff, value);
    let icmpv6 = word(4, 0x0000_ff00, 0x0000_3a00);
    let discovery = |kind: u32| vec![ethertype(0x86dd), icmpv6, word(40, 0xff00_0000, kind << 24)];
    [vec![ethertype(0x0806)], discovery(135), discovery(136)]
}
