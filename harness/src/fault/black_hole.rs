//! A path that swallows segments: what a pulled cable, a dead switch or a silent firewall in the
//! middle looks like from either end.

use super::{
    guard::Guard,
    hits::{Aim, Hits},
    swallow::swallow,
};
use crate::{
    error::{Context, Result},
    lab::Lab,
    sys::tc::Key,
    wire::{Flags, Segment},
};

/// A black hole in the making: both ways and for every segment, unless narrowed.
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
        let matches = match self.aim.only {
            None => vec![vec![Key::ANY]],
            Some(flags) => flag_words(flags).to_vec(),
        };
        let hits = Hits::of(&self.lab, &text, self.aim);
        let what = ports
            .iter()
            .flat_map(|port| matches.iter().map(|words| (port.index, words.clone())))
            .collect::<Vec<_>>();
        let guard = swallow(&patch, hits, what).await.context(context)?;
        Ok(BlackHole { guard })
    }

    fn describe(&self) -> String {
        let what = self.aim.only.map_or(String::new(), |flags| format!(" for {flags}"));
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
