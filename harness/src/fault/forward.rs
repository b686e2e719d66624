//! What a router does with segments instead of forwarding them: the part that its faults share.
//!
//! Each fault is a table of its own in the router's packet filter, loaded and deleted in one
//! transaction, so that several may be on at once.

use std::{
    cmp::Reverse,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    guard::Guard,
    hits::{Aim, Hits},
    taken::{Hook, Place},
};
use crate::{
    error::{Context, Error, Result},
    lab::{Lab, Router},
    sys::probe::Trial,
    wire::{Flags, Segment},
};

/// Loads chains into a table in the router that no other fault uses; the guard deletes it.
///
/// # Errors
/// The program `nft` is missing, or the kernel refuses the rules.
pub(super) fn load(router: &Router, chains: &str, hits: Arc<Hits>) -> Result<Guard> {
    let name = format!("lastack{}", number());
    router.load(&format!("table inet {name} {{\n{chains}}}\n"))?;
    let own = router.clone();
    let unload = async move |_| own.load(&format!("delete table inet {name}\n"));
    Ok(Guard::in_middle(router.rtnl(), hits, unload))
}

/// A number that no fault had before.
fn number() -> u32 {
    static NUMBERS: AtomicU32 = AtomicU32::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// What is done to a segment: the words of the fault, and of its rules.
pub(super) struct Deed {
    /// As in "router drops".
    pub(super) text: String,
    /// Statements, each a rule of its own, that come after what selects the segments.
    pub(super) statements: Vec<String>,
    /// Where the rules hook in.
    pub(super) hook: Hook,
    /// Why it cannot be done.
    pub(super) impossible: Option<String>,
}

/// A fault of a router in the making: for TCP segments both ways, unless narrowed.
#[must_use = "a fault acts once it is on"]
pub struct ForwardBuilder {
    lab: Lab,
    deed: Deed,
    aim: Aim,
}

impl ForwardBuilder {
    pub(super) fn new(lab: &Lab, deed: Deed) -> Self {
        Self { lab: lab.clone(), deed, aim: Aim::default() }
    }

    /// One way: only what this host sends.
    pub fn from(mut self, host: &str) -> Self {
        self.aim.from = Some(host.to_owned());
        self
    }

    /// Only segments that carry all of these flags.
    pub fn only(mut self, flags: Flags) -> Self {
        self.aim.only = Some(flags);
        self
    }

    /// Only packets longer than this, in bytes with all headers from IP's on.
    pub fn longer_than(mut self, bytes: u32) -> Self {
        self.aim.over = Some(bytes);
        self
    }

    /// Says that the case is right also when nothing is hit.
    pub fn that_may_miss(mut self) -> Self {
        self.aim.may_miss = true;
        self
    }

    /// Turns it on: when this returns, no matching segment gets through any more.
    ///
    /// # Errors
    /// The lab has no router or no such host, the selection is impossible, the program `nft` is
    /// missing, or the kernel refuses the rules.
    pub async fn turn_on(self) -> Result<Forward> {
        let text = self.describe();
        let context = || format!("turn on \"{text}\"");
        let router = self.lab.router().context(context)?;
        if let Some(reason) = &self.deed.impossible {
            return Err(Error::usage(reason.clone())).context(context);
        }
        if let Some(host) = &self.aim.from {
            self.lab.living(host).context(context)?;
        }
        let selection = self.selection(router).context(context)?;
        let hook = match self.deed.hook {
            Hook::Prerouting => "prerouting priority -300",
            Hook::Forward => "forward priority 0",
        };
        let mut chain = format!(" chain deed {{\n  type filter hook {hook}\n");
        for statement in &self.deed.statements {
            chain.push_str(&format!("  {selection} {statement}\n"));
        }
        chain.push_str(" }\n");
        let place = Place::Router(self.deed.hook, Reverse(number()));
        let hits = Hits::of(&self.lab, &text, Aim { place, ..self.aim });
        let mut guard = Trial::Nft.tried(load(router, &chain, hits)).context(context)?;
        guard.on();
        Ok(Forward { guard })
    }

    fn selection(&self, router: &Router) -> Result<String> {
        let mut selection = String::new();
        if let Some(host) = &self.aim.from {
            selection.push_str(&format!("iifname \"{}\" ", router.port(host)?.name));
        }
        if let Some(bytes) = self.aim.over {
            if bytes >= 65535 {
                return Err(Error::usage(format!("no packet is longer than {bytes} bytes")));
            }
            selection.push_str(&format!("meta length > {bytes} "));
        }
        match self.aim.only {
            Some(Flags(0)) => return Err(Error::usage("every segment has no flags at all")),
            Some(Flags(flags)) => {
                selection.push_str(&format!("tcp flags & {flags:#x} == {flags:#x}"));
            }
            None => selection.push_str("meta l4proto tcp"),
        }
        Ok(selection)
    }

    fn describe(&self) -> String {
        let mut text = format!("router {}", self.deed.text);
        if let Some(flags) = self.aim.only {
            text.push_str(&format!(", {flags}"));
        }
        if let Some(bytes) = self.aim.over {
            text.push_str(&format!(", over {bytes} bytes"));
        }
        match &self.aim.from {
            Some(host) => text.push_str(&format!(", from {host}")),
            None => text.push_str(", both ways"),
        }
        text
    }
}

/// A router's fault that is on. Lift it, or drop it.
#[must_use = "a fault is lifted when its guard is dropped"]
pub struct Forward {
    guard: Guard,
}

impl Forward {
    /// The segments it has hit so far.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn hit(&self) -> Result<Vec<Segment>> {
        self.guard.hits().settled().await
    }

    /// Lets everything through again. How many segments it hit.
    ///
    /// # Errors
    /// The kernel refuses, or the taps have lost frames.
    pub async fn lift(mut self) -> Result<usize> {
        self.guard.lift().await?;
        Ok(self.hit().await?.len())
    }
}
