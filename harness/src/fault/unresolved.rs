//! Questions about who is where on the wire that nobody answers: ARP and neighbour discovery are
//! swallowed in the patch, everything else passes.
//!
//! Both ways, because a question teaches its hearer as much as an answer does
//! (`net/ipv4/arp.c`, `arp_process`).

use std::sync::Arc;

use super::{
    hits::{Aim, Hits},
    lift_aside,
};
use crate::{
    error::{Attempt, Result},
    lab::{Lab, Patch},
    sys::tc::{Fate, Word},
};

/// A patch that keeps hosts from finding each other. Lift it, or drop it.
#[must_use = "address resolution works again when the guard is dropped"]
pub struct Unresolved {
    patch: Patch,
    hits: Arc<Hits>,
    filters: Vec<(u32, u16)>,
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
        let mut unresolved = Unresolved { patch, hits, filters: Vec::new() };
        for port in unresolved.patch.ports().to_vec() {
            for words in questions() {
                let priority = unresolved.patch.priority();
                let rtnl = unresolved.patch.rtnl();
                let added = rtnl.add_filter(port.index, priority, &words, &Fate::Swallow).await;
                added.attempt(|| format!("leave {text}"))?;
                unresolved.filters.push((port.index, priority));
            }
        }
        unresolved.hits.on();
        Ok(unresolved)
    }
}

impl Unresolved {
    /// How many questions and answers it has swallowed so far.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn swallowed(&self) -> Result<usize> {
        self.hits.unresolved_settled().await
    }

    /// Lets them through again.
    ///
    /// # Errors
    /// The kernel refuses, or the taps have lost frames.
    pub async fn lift(mut self) -> Result<usize> {
        for (port, priority) in std::mem::take(&mut self.filters) {
            self.patch.rtnl().delete_filter(port, priority).await?;
        }
        self.hits.off();
        self.swallowed().await
    }
}

impl Drop for Unresolved {
    fn drop(&mut self) {
        let filters = std::mem::take(&mut self.filters);
        if filters.is_empty() {
            return;
        }
        lift_aside(async move |rtnl| {
            for (port, priority) in filters {
                rtnl.delete_filter(port, priority).await?;
            }
            Ok(())
        });
        self.hits.off();
    }
}

/// ARP by its ethertype; ICMPv6 of types 135 and 136, which differ in the last bits.
fn questions() -> [Vec<Word>; 3] {
    let word = |offset, mask, value| Word { offset, mask, value };
    // The last two bytes of the Ethernet header lie just before the network header.
    let ethertype = |value| word(-4, 0xffff, value);
    let icmpv6 = word(4, 0x0000_ff00, 0x0000_3a00);
    let discovery = |kind: u32| vec![ethertype(0x86dd), icmpv6, word(40, 0xff00_0000, kind << 24)];
    [vec![ethertype(0x0806)], discovery(135), discovery(136)]
}
