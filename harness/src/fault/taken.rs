//! Which fault took a segment: of several that were on, the first one on the segment's way.
//!
//! A fault that stands behind another one takes nothing of what that one swallows, and must not
//! count it: its case would go on passing if it did nothing at all.

use std::{cmp::Reverse, sync::Arc};

use super::Rule;

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
