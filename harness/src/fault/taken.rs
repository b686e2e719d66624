//! Which fault took a segment: of several that were on, the first one on the segment's way.
//!
//! A fault that stands behind another one takes nothing of what that one swallows, and must not
//! count it: its case would go on passing if it did nothing at all.

use std::{
    cmp::Reverse,
    sync::{Arc, Mutex, Weak},
};

use super::{Rule, hits::Hits, packets::dropped};
use crate::wire::{Segment, Stray};

/// Where a segment meets a fault, in the order of its way from its sender to its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Place {
    /// Filters where it enters the patch, by their priority.
    Filter(u16),
    /// Packet rules behind all filters, by their priority.
    Rules(u16),
    /// The router's connection tracking, which sees what the router drops, too.
    Tracking,
    /// The router's rules, by hook and number. Of two chains at one hook with one priority the
    /// kernel tries the newer first (`net/netfilter/core.c`, `nf_hook_entries_grow`).
    Router(Hook, Reverse<u32>),
    /// The queue of the port by which it leaves the patch.
    Queue,
    /// The cable to its receiver.
    Cable,
    /// Its receiver.
    #[default]
    Receiver,
}

/// Where in a router a fault acts, in the order of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hook {
    /// Before it is routed.
    Prerouting,
    /// When it is forwarded.
    Forward,
}

/// What a fault keeps from those behind it.
#[derive(Debug, Clone, Default)]
pub(super) enum Takes {
    /// All that it is meant to hit and that did not arrive.
    #[default]
    Hits,
    /// Everything from and to this host, address resolution included.
    AllOf(String),
    /// What these rules drop or answer.
    Rules(Arc<[Rule]>),
    /// Nothing, or it cannot be told what: a path that loses some frames.
    Nothing,
}

/// The faults of this process, which runs one case: some may be of other labs.
static FAULTS: Mutex<Vec<Weak<Hits>>> = Mutex::new(Vec::new());

/// Keeps a fault, so that others can be asked who stands before them.
pub(super) fn keep(hits: &Arc<Hits>) {
    let mut faults = FAULTS.lock().expect("no holder of this lock panics");
    faults.retain(|fault| fault.strong_count() > 0);
    faults.push(Arc::downgrade(hits));
}

/// The faults that a segment meets before it meets this one.
pub(super) fn before(hits: &Hits) -> Vec<Arc<Hits>> {
    let faults = FAULTS.lock().expect("no holder of this lock panics");
    let all = faults.iter().filter_map(Weak::upgrade);
    all.filter(|fault| fault.in_lab_of(hits) && fault.place() < hits.place()).collect()
}

impl Hits {
    /// Which of all segments of the lab this fault took for certain.
    pub(super) fn took(&self, all: &[Segment]) -> Vec<bool> {
        let took = |segment: &Segment| segment.swallowed() && self.acted_at(segment.at());
        let each = |fits: &dyn Fn(&Segment) -> bool| {
            all.iter().map(|segment| took(segment) && fits(segment)).collect()
        };
        match self.takes() {
            Takes::Hits => each(&|segment| self.is_for(segment)),
            Takes::AllOf(host) => each(&|segment| segment.from == *host || segment.to == *host),
            Takes::Rules(rules) => dropped(rules, all, &took),
            Takes::Nothing => vec![false; all.len()],
        }
    }

    /// Whether it took this frame of address resolution.
    pub(super) fn took_stray(&self, stray: &Stray) -> bool {
        let fits = match self.takes() {
            Takes::Hits => self.is_for_stray(stray),
            Takes::AllOf(host) => stray.from == *host || stray.to == *host,
            Takes::Rules(_) | Takes::Nothing => false,
        };
        fits && stray.arrived.is_none() && self.acted_at(stray.at())
    }
}
