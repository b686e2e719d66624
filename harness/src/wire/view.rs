//! A cautious look at captured bytes: whatever is asked beyond their end is `None`.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes of a frame, from some header on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a>(pub(crate) &'a [u8]);

impl<'a> View<'a> {
    pub(crate) fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    pub(crate) fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub(crate) fn ipv4(self, at: usize) -> Option<Ipv4Addr> {
        self.array::<4>(at).map(Ipv4Addr::from)
    }

    pub(crate) fn ipv6(self, at: usize) -> Option<Ipv6Addr> {
        self.array::<16>(at).map(Ipv6Addr::from)
    }

    /// What follows the first `at` bytes.
    pub(crate) fn from(self, at: usize) -> Option<Self> {
        self.0.get(at..).map(Self)
    }

    /// At most the first `length` bytes: fewer where the capture ends before.
    pub(crate) fn up_to(self, length: usize) -> Self {
        Self(&self.0[..length.min(self.0.len())])
    }

    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        let end = at.checked_add(N)?;
        self.0.get(at..end)?.try_into().ok()
    }
}
