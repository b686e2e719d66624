//! A path that swallows packets: what a silent firewall or a router without a route in the middle
//! looks like from either end.
//!
//! Address resolution (ARP, IPv6 neighbour discovery) passes, as it is between a host and its next
//! hop, and the hole lies behind that: a sender goes on sending until its own timers give up. In a
//! dead switch nobody answers it either, and a host that has to ask is told `EHOSTUNREACH` first:
//! [`BlackHoleBuilder::with_address_resolution`].

use super::{guard::Guard, hits::Aim, swallow::swallow, unresolved};
use crate::{
    error::{Context, Result},
    lab::Lab,
    sys::tc::Key,
    wire::{Flags, Segment},
};

/// A black hole in the making: both ways and for every IP packet but those of address resolution,
/// unless said otherwise.
#[must_use = "a fault acts once it is on"]
pub struct BlackHoleBuilder {
    lab: Lab,
    aim: Aim,
}

impl Lab {
    /// A fault that swallows segments in the patch; see [`BlackHole`].
    pub fn black_hole(&self) -> BlackHoleBuilder {
        BlackHoleBuilder { lab: self.clone(), aim: Aim::default() }
    }
}

impl BlackHoleBuilder {
    /// One way: only what this host sends.
    pub fn from(mut self, host: &str) -> Self {
        self.aim.from = Some(host.to_owned());
        self
    }

    /// Only TCP segments that carry all of these flags. A write that fits one segment carries
    /// PSH, a bare FIN, RST or ACK does not (`net/ipv4/tcp_output.c`, `tcp_mark_push`).
    pub fn only(mut self, flags: Flags) -> Self {
        self.aim.only = Some(flags);
        self
    }

    /// Swallows address resolution, too: ARP, and IPv6 neighbour solicitations and advertisements.
    /// It matters where hosts [learn their neighbours](crate::lab::Neighbours::Learned), or have
    /// been made to doubt them.
    pub fn with_address_resolution(mut self) -> Self {
        self.aim.resolution = true;
        self
    }

    /// Says that the case is right also when nothing is swallowed.
    pub fn that_may_miss(mut self) -> Self {
        self.aim.may_miss = true;
        self
    }

    /// Opens it: when this returns, no matching segment gets through any more.
    ///
    /// # Errors
    /// The lab has no patch, no such host or a dead one, or the kernel refuses the filter.
    pub async fn open(self) -> Result<BlackHole> {
        let text = self.describe();
        let context = || format!("open the {text}");
        let patch = self.lab.patch().context(context)?.clone();
        if let Some(host) = &self.aim.from {
            self.lab.living(host).context(context)?;
        }
        let ports = patch.ports_from(self.aim.from.as_deref())?;
        let words = match (self.aim.only, self.aim.resolution) {
            (None, true) => vec![vec![Key::ANY]],
            (None, false) => unresolved::all_but_questions(),
            (Some(flags), false) => flag_words(flags).to_vec(),
            (Some(flags), true) => [&flag_words(flags)[..], &unresolved::questions()].concat(),
        };
        let what: Vec<_> = ports.into_iter().map(|port| (port, words.clone())).collect();
        let opened = swallow(&self.lab, &patch, &text, self.aim, &what).await;
        Ok(BlackHole { guard: opened.context(context)? })
    }

    fn describe(&self) -> String {
        let what = match (self.aim.only, self.aim.resolution) {
            (None, false) => String::new(),
            (None, true) => " with address resolution".to_owned(),
            (Some(flags), false) => format!(" for {flags}"),
            (Some(flags), true) => format!(" for {flags} with address resolution"),
        };
        match &self.aim.from {
            Some(host) => format!("black hole{what} from {host}"),
            None => format!("black hole{what} both ways"),
        }
    }
}

/// An open black hole. Lift it, or drop it.
#[must_use = "a black hole closes when its guard is dropped"]
pub struct BlackHole {
    guard: Guard,
}

impl BlackHole {
    /// The segments it has swallowed so far.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn swallowed(&self) -> Result<Vec<Segment>> {
        self.guard.hits().settled().await
    }

    /// Closes it: when this returns segments get through again. How many it swallowed.
    ///
    /// # Errors
    /// The kernel refuses, or the taps have lost frames.
    pub async fn lift(mut self) -> Result<usize> {
        self.guard.lift().await?;
        Ok(self.swallowed().await?.len())
    }
}

/// TCP segments with all of `flags`, over IPv4 without options and over IPv6 without extension
/// headers, which is all that TCP sends here.
fn flag_words(flags: Flags) -> [Vec<Key>; 2] {
    let word = |offset, mask, value| Key { offset, mask, value };
    let flags = u32::from(flags.0) << 16;
    [
        vec![
            word(0, 0xff00_0000, 0x4500_0000),
            word(8, 0x00ff_0000, 0x0006_0000),
            word(32, flags, flags),
        ],
        vec![
            word(0, 0xf000_0000, 0x6000_0000),
            word(4, 0x0000_ff00, 0x0000_0600),
            word(52, flags, flags),
        ],
    ]
}
