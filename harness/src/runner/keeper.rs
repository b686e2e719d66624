//! What the process of a case hands to its runner for keeping.

use std::os::fd::AsFd;

use super::protocol::{FromCase, Link};
use crate::{
    stage::Keeper,
    sys::{netns::Netns, packet::Tap, seqpacket},
};

// A runner that is gone has no use for any of it; its absence is noticed elsewhere.
impl Keeper for Link {
    fn keep_namespace(&self, host: &str, netns: &Netns) {
        let _ = self.send(&FromCase::Namespace { host: host.to_owned() }, &[netns.as_fd()]);
    }

    fn forget_namespace(&self, host: &str) {
        let _ = self.send(&FromCase::NamespaceGone { host: host.to_owned() }, &[]);
    }

    fn share_taps(&self, taps: &[&Tap]) {
        for some in taps.chunks(seqpacket::MAX_DESCRIPTORS) {
            let taps: Vec<_> = some.iter().map(AsFd::as_fd).collect();
            let _ = self.send(&FromCase::Taps, &taps);
        }
    }
}
