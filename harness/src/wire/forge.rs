//! Frames that no stack has made: a TCP segment from values, ready for a cable.

use std::net::{IpAddr, SocketAddr};

use super::flags::Flags;
use super::seq::Seq;

const TCP: u8 = 6;

/// A TCP segment and all around it. Both ends are of one address family.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Hardware address it pretends to come from.
    pub(crate) src_mac: [u8; 6],
    /// Hardware address it goes to.
    pub(crate) dst_mac: [u8; 6],
    pub(crate) src: SocketAddr,
    pub(crate) dst: SocketAddr,
    /// IPv4's identification, unused in IPv6.
    pub(crate) id: u16,
    pub(crate) seq: Seq,
    pub(crate) ack: Seq,
    pub(crate) flags: Flags,
    /// The window field as it stands in the header.
    pub(crate) window: u16,
    /// Own time stamp and echo, where they are sent at all.
    pub(crate) stamps: Option<(u32, u32)>,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The Ethernet frame, with right lengths and checksums. `None` where the two ends are not of
    /// one family, or the payload does not fit one packet.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let mut tcp = self.tcp();
        let length = u16::try_from(tcp.len()).ok()?;
        let mut frame = [self.dst_mac, self.src_mac].concat();
        let addresses = match (self.src.ip(), self.dst.ip()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                // Version and header length, precedence, length; identification, do not fragment;
                // time to live, protocol, checksum (RFC 791).
                let total = length.checked_add(20)?.to_be_bytes();
                let id = self.id.to_be_bytes();
                let mut ip = vec![0x45, 0, total[0], total[1], id[0], id[1], 0x40, 0];
                ip.extend([64, TCP, 0, 0]);
                ip.extend(src.octets());
                ip.extend(dst.octets());
                let sum = checksum(&ip).to_be_bytes();
                ip[10..12].copy_from_slice(&sum);
                frame.extend([0x08, 0x00]);
                frame.extend(ip);
                [src.octets(), dst.octets()].concat()
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                // Version, traffic class and flow label; length, next header, hop limit (RFC 8200).
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                frame.extend(length.to_be_bytes());
                frame.extend([TCP, 64]);
                let addresses = [src.octets(), dst.octets()].concat();
                frame.extend(&addresses);
                addresses
            }
            _ => return None,
        };
        // The pseudo header (RFC 9293 section 3.1); padding zeros do not change a sum, so the one
        // of IPv6 serves both.
        let mut covered = addresses;
        covered.extend([0, 0, 0, TCP]);
        covered.extend(u32::from(length).to_be_bytes());
        covered.extend(&tcp);
        let sum = checksum(&covered).to_be_bytes();
        tcp[16..18].copy_from_slice(&sum);
        frame.extend(tcp);
        Some(frame)
    }

    /// The segment, its checksum still zero.
    fn tcp(&self) -> Vec<u8> {
        let mut options = Vec::new();
        if let Some((value, echo)) = self.stamps {
            // Two no-operations align it (RFC 7323 appendix A).
            options.extend([1, 1, 8, 10]);
            options.extend(value.to_be_bytes());
            options.extend(echo.to_be_bytes());
        }
        let words = if options.is_empty() { 5 } else { 8 };
        let mut tcp = Vec::new();
        tcp.extend(self.src.port().to_be_bytes());
        tcp.extend(self.dst.port().to_be_bytes());
        tcp.extend(self.seq.0.to_be_bytes());
        tcp.extend(self.ack.0.to_be_bytes());
        tcp.extend([words << 4, self.flags.0]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(options);
        tcp.extend(&self.payload);
        tcp
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u64 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::super::packet::Packet;
    use super::*;

    fn forged(src: &str, dst: &str) -> Frame {
        Frame {
            src_mac: [2, 0, 0, 0, 0, 1],
            dst_mac: [2, 0, 0, 0, 0, 2],
            src: src.parse().expect("an address"),
            dst: dst.parse().expect("an address"),
            id: 0xf001,
            seq: Seq(u32::MAX),
            ack: Seq(7),
            flags: Flags::PSH | Flags::ACK,
            window: 502,
            stamps: Some((11, 12)),
            payload: b"odd".to_vec(),
        }
    }

    #[test]
    fn what_is_forged_reads_as_it_was_meant() {
        for (src, dst) in [("10.0.0.1:4000", "10.0.0.2:80"), ("[fd00::1]:4000", "[fd00::2]:80")] {
            let frame = forged(src, dst);
            let bytes = frame.bytes().expect("of one family");
            let length = u32::try_from(bytes.len()).expect("short");
            let Packet::Tcp(read) = Packet::read(&bytes, length) else { panic!("not TCP") };
            assert_eq!((read.src, read.dst), (frame.src, frame.dst));
            assert_eq!((read.seq, read.ack, read.flags), (frame.seq, frame.ack, frame.flags));
            assert_eq!((read.window, read.payload), (502, 3));
            assert_eq!(read.options.timestamps, frame.stamps);
        }
    }

    #[test]
    fn checksums_are_as_in_the_rfc() {
        // RFC 1071 section 3, and what is summed with its checksum gives nothing.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        let bytes = forged("10.0.0.1:4000", "10.0.0.2:80").bytes().expect("of one family");
        assert_eq!(checksum(&bytes[14..34]), 0);
    }

    #[test]
    fn what_cannot_be_is_not_built() {
        assert!(forged("10.0.0.1:4000", "[fd00::2]:80").bytes().is_none());
        let payload = vec![0; 70_000];
        assert!(Frame { payload, ..forged("10.0.0.1:1", "10.0.0.2:2") }.bytes().is_none());
    }
}
