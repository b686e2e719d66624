//! Ethernet and IP: who sent a frame to whom, and what it carries.

use std::net::IpAddr;

use super::view::View;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const ICMPV6: u8 = 58;

const ETHERNET: usize = 14;

/// What the Ethernet header announces.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Carried<'a> {
    Ip(Ip<'a>),
    Arp(View<'a>),
    /// Not a whole header, or a protocol that lastack does not read.
    Unread {
        ethertype: Option<u16>,
    },
}

/// An IP packet: its addresses and the payload of its last header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ip<'a> {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    /// IPv4's identification; IPv6 has none.
    pub(crate) id: Option<u16>,
    /// A fragment other than the first: its payload starts in the middle of something.
    pub(crate) later_fragment: bool,
    /// Length of the payload as the IP header tells it, however much of it was captured.
    pub(crate) length: usize,
    /// What was captured of the payload, never more than `length`.
    pub(crate) payload: View<'a>,
}

/// Reads an Ethernet frame that was `on_wire` bytes long.
pub(crate) fn read_frame(frame: View<'_>, on_wire: usize) -> Carried<'_> {
    let ethertype = frame.u16(12);
    let unread = Carried::Unread { ethertype };
    let (Some(kind), Some(rest)) = (ethertype, frame.from(ETHERNET)) else { return unread };
    let on_wire = on_wire.saturating_sub(ETHERNET);
    match kind {
        0x0800 => read_v4(rest, on_wire).map_or(unread, Carried::Ip),
        0x86dd => read_v6(rest, on_wire).map_or(unread, Carried::Ip),
        0x0806 => Carried::Arp(rest),
        _ => unread,
    }
}

/// Reads an IPv4 packet; a quoted one where `on_wire` is no more than what it says itself.
pub(crate) fn read_v4(packet: View<'_>, on_wire: usize) -> Option<Ip<'_>> {
    let first = packet.u8(0)?;
    let header = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < 20 {
        return None;
    }
    let total = match usize::from(packet.u16(2)?) {
        // A packet beyond 64 KiB, as segmentation offload may build, says 0.
        0 => on_wire,
        total => total,
    };
    let length = total.checked_sub(header)?;
    Some(Ip {
        src: packet.ipv4(12)?.into(),
        dst: packet.ipv4(16)?.into(),
        protocol: packet.u8(9)?,
        id: Some(packet.u16(4)?),
        later_fragment: packet.u16(6)? & 0x1fff != 0,
        length,
        payload: packet.from(header)?.up_to(length),
    })
}

/// Reads an IPv6 packet and walks its extension headers (RFC 8200 section 4).
pub(crate) fn read_v6(packet: View<'_>, on_wire: usize) -> Option<Ip<'_>> {
    const HEADER: usize = 40;
    if packet.u8(0)? >> 4 != 6 {
        return None;
    }
    let mut length = match usize::from(packet.u16(4)?) {
        0 => on_wire.saturating_sub(HEADER),
        length => length,
    };
    let (src, dst) = (packet.ipv6(8)?.into(), packet.ipv6(24)?.into());
    let mut protocol = packet.u8(6)?;
    let mut rest = packet.from(HEADER)?;
    let mut later_fragment = false;
    // Each step consumes at least 8 captured bytes, so this ends.
    while !later_fragment {
        let size = match protocol {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6.
            0 | 43 | 60 | 135 | 139 | 140 => (usize::from(rest.u8(1)?) + 1) * 8,
            44 => {
                later_fragment = rest.u16(2)? & !0x7 != 0;
                8
            }
            // Authentication counts in units of four bytes.
            51 => (usize::from(rest.u8(1)?) + 2) * 4,
            _ => break,
        };
        protocol = rest.u8(0)?;
        length = length.checked_sub(size)?;
        rest = rest.from(size)?;
    }
    let payload = rest.up_to(length);
    Some(Ip { src, dst, protocol, id: None, later_fragment, length, payload })
}
