//! Frames that are not TCP segments, in one line each, so that a ladder can show them.

use std::net::IpAddr;

use super::ip::{self, Ip};
use super::view::View;

/// What kind of frame it is that is not a TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Address resolution: ARP, or IPv6 neighbour solicitation and advertisement.
    Neighbour,
    /// An ICMP or ICMPv6 message.
    Icmp,
    /// What kernels say to themselves: router solicitations, multicast reports.
    Chatter,
    /// Any other IP packet, fragments and torn headers included.
    Ip,
    /// Not IP, or not whole.
    Foreign,
}

/// A frame that is not a TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// What kind it is.
    pub kind: Kind,
    /// The sender's address, where it has one.
    pub src: Option<IpAddr>,
    /// The receiver's address, where it has one.
    pub dst: Option<IpAddr>,
    /// What it says, in one line: "ICMP port unreachable, about 4000 > 80".
    pub text: String,
    /// What an ICMP error is about.
    pub quoted: Option<Quoted>,
}

/// The TCP segment that an ICMP error quotes (RFC 792, RFC 4443).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quoted {
    /// Port of the quoted segment's sender.
    pub src_port: u16,
    /// Port of the quoted segment's receiver.
    pub dst_port: u16,
    /// Sequence number of the quoted segment, as it stands in its header.
    pub seq: u32,
}

impl Other {
    pub(crate) fn unread(ethertype: Option<u16>, length: u32) -> Self {
        let text = match ethertype {
            Some(kind @ (0x0800 | 0x86dd)) => format!("malformed IP ({kind:#06x}), {length} bytes"),
            Some(kind) => format!("ethertype {kind:#06x}, {length} bytes"),
            None => format!("runt frame, {length} bytes"),
        };
        Self { kind: Kind::Foreign, src: None, dst: None, text, quoted: None }
    }

    pub(crate) fn arp(arp: View<'_>) -> Self {
        let addresses = arp.ipv4(14).zip(arp.ipv4(24)).map(|(from, to)| (from.into(), to.into()));
        let text = match (arp.u16(6), addresses) {
            (Some(1), Some((from, to))) if from == to => format!("ARP {from} announces itself"),
            (Some(1), Some((from, to))) => format!("ARP who has {to}? tell {from}"),
            (Some(2), Some((from, _))) => format!("ARP {from} is here"),
            _ => "ARP, malformed".to_owned(),
        };
        let (src, dst) = addresses.unzip();
        Self { kind: Kind::Neighbour, src, dst, text, quoted: None }
    }

    pub(crate) fn ip(ip: &Ip<'_>) -> Self {
        let (kind, text, quoted) = match ip.protocol {
            _ if ip.later_fragment => (Kind::Ip, "IP fragment".to_owned(), None),
            ip::ICMP => icmp(ip.payload),
            ip::ICMPV6 => icmpv6(ip.payload),
            ip::TCP => (Kind::Ip, "TCP, malformed or torn".to_owned(), None),
            17 => (Kind::Ip, format!("UDP, {} bytes", ip.length.saturating_sub(8)), None),
            2 => (Kind::Chatter, "IGMP".to_owned(), None),
            other => (Kind::Ip, format!("IP protocol {other}, {} bytes", ip.length), None),
        };
        Self { kind, src: Some(ip.src), dst: Some(ip.dst), text, quoted }
    }

    /// Whether `other` is the same frame, seen elsewhere on its way.
    pub(crate) fn same_frame(&self, other: &Self) -> bool {
        self == other
    }
}

type Summary = (Kind, String, Option<Quoted>);

/// An ICMP error carries the head of the packet it is about, after eight bytes of its own.
fn error<'a>(icmp: View<'a>, name: String, read: fn(View<'a>, usize) -> Option<Ip<'a>>) -> Summary {
    let quoted = icmp.from(8).and_then(|packet| read(packet, packet.0.len())).and_then(|ip| {
        let tcp = (ip.protocol == ip::TCP && !ip.later_fragment).then_some(ip.payload)?;
        Some(Quoted { src_port: tcp.u16(0)?, dst_port: tcp.u16(2)?, seq: tcp.u32(4)? })
    });
    let text = match quoted {
        Some(Quoted { src_port, dst_port, .. }) => format!("{name}, about {src_port} > {dst_port}"),
        None => name,
    };
    (Kind::Icmp, text, quoted)
}

fn icmp(icmp: View<'_>) -> Summary {
    let code = icmp.u8(1).unwrap_or(0);
    let Some(kind) = icmp.u8(0) else { return (Kind::Icmp, "ICMP, torn".to_owned(), None) };
    let name = match (kind, code) {
        (3, 0) => "network unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 4) => {
            let mtu = icmp.u16(6).unwrap_or(0);
            return error(icmp, format!("ICMP fragmentation needed, mtu {mtu}"), ip::read_v4);
        }
        (3, 9 | 10 | 13) => "administratively prohibited",
        (3, _) => return error(icmp, format!("ICMP unreachable, code {code}"), ip::read_v4),
        (4, _) => "source quench",
        (5, _) => "redirect",
        (11, _) => "time exceeded",
        (12, _) => "parameter problem",
        (0, _) => return (Kind::Icmp, "ICMP echo reply".to_owned(), None),
        (8, _) => return (Kind::Icmp, "ICMP echo request".to_owned(), None),
        _ => return (Kind::Icmp, format!("ICMP type {kind} code {code}"), None),
    };
    error(icmp, format!("ICMP {name}"), ip::read_v4)
}

fn icmpv6(icmp: View<'_>) -> Summary {
    let code = icmp.u8(1).unwrap_or(0);
    let Some(kind) = icmp.u8(0) else { return (Kind::Icmp, "ICMPv6, torn".to_owned(), None) };
    let plain = |kind, text: &str| (kind, text.to_owned(), None);
    let target = || icmp.ipv6(8).map(|target| target.to_string()).unwrap_or_default();
    let name = match (kind, code) {
        (1, 0) => "no route",
        (1, 1 | 5 | 6) => "administratively prohibited",
        (1, 3) => "address unreachable",
        (1, 4) => "port unreachable",
        (1, _) => return error(icmp, format!("ICMPv6 unreachable, code {code}"), ip::read_v6),
        (2, _) => {
            let mtu = icmp.u32(4).unwrap_or(0);
            return error(icmp, format!("ICMPv6 packet too big, mtu {mtu}"), ip::read_v6);
        }
        (3, _) => "time exceeded",
        (4, _) => "parameter problem",
        (128, _) => return plain(Kind::Icmp, "ICMPv6 echo request"),
        (129, _) => return plain(Kind::Icmp, "ICMPv6 echo reply"),
        (133 | 134, _) => return plain(Kind::Chatter, "ICMPv6 router discovery"),
        (130..=132 | 143, _) => return plain(Kind::Chatter, "ICMPv6 multicast listener"),
        (135, _) => return (Kind::Neighbour, format!("ND who has {}?", target()), None),
        (136, _) => return (Kind::Neighbour, format!("ND {} is here", target()), None),
        _ => return (Kind::Icmp, format!("ICMPv6 type {kind} code {code}"), None),
    };
    error(icmp, format!("ICMPv6 {name}"), ip::read_v6)
}

#[cfg(test)]
mod tests {
    use super::super::build::Build;
    use super::super::packet::Packet;
    use super::*;

    fn other(frame: &[u8]) -> Other {
        match Packet::read(frame, u32::try_from(frame.len()).expect("short")) {
            Packet::Other(other) => other,
            Packet::Tcp(headers) => panic!("TCP: {headers:?}"),
        }
    }

    /// An ICMP error about `about`, from the same sender as a TCP frame of the same family.
    fn error_about(carrier: &Build, protocol: u8, head: [u8; 8], about: &Build) -> Vec<u8> {
        let mut frame = carrier.frame();
        let v6 = carrier.headers().src.is_ipv6();
        let header = if v6 { 14 + 40 } else { 14 + 20 };
        frame.truncate(header);
        frame.extend(head);
        frame.extend(&about.frame()[14..]);
        let length = u16::try_from(frame.len() - 14).expect("short");
        if v6 {
            frame[18..20].copy_from_slice(&(length - 40).to_be_bytes());
            frame[20] = protocol;
        } else {
            frame[16..18].copy_from_slice(&length.to_be_bytes());
            frame[23] = protocol;
        }
        frame
    }

    #[test]
    fn an_icmp_error_names_the_segment_it_is_about() {
        let about = Build::v4().seq(17);
        let seen = other(&error_about(&Build::v4().back(), 1, [3, 3, 0, 0, 0, 0, 0, 0], &about));
        assert_eq!(seen.quoted, Some(Quoted { src_port: 4000, dst_port: 80, seq: 17 }));
        assert_eq!(seen.text, "ICMP port unreachable, about 4000 > 80");
        assert_eq!(seen.kind, Kind::Icmp);
    }

    #[test]
    fn an_icmpv6_error_names_the_segment_it_is_about() {
        let about = Build::v6().seq(17);
        let seen = other(&error_about(&Build::v6().back(), 58, [2, 0, 0, 0, 0, 0, 5, 0], &about));
        assert_eq!(seen.quoted, Some(Quoted { src_port: 4000, dst_port: 80, seq: 17 }));
        assert_eq!(seen.text, "ICMPv6 packet too big, mtu 1280, about 4000 > 80");
    }

    #[test]
    fn an_error_that_quotes_too_little_is_still_an_error() {
        let about = Build::v4();
        let frame = error_about(&Build::v4().back(), 1, [11, 0, 0, 0, 0, 0, 0, 0], &about);
        let seen = other(&frame[..14 + 20 + 8 + 20 + 7]);
        assert_eq!((seen.quoted, seen.text.as_str()), (None, "ICMP time exceeded"));
    }

    #[test]
    fn arp_is_told_as_a_question_and_an_answer() {
        let mut frame = vec![0xff; 12];
        frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
        frame.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
        assert_eq!(other(&frame).text, "ARP who has 10.0.0.2? tell 10.0.0.1");
        frame[21] = 2;
        assert_eq!(other(&frame).text, "ARP 10.0.0.1 is here");
        assert_eq!(other(&frame[..30]).text, "ARP, malformed");
    }

    #[test]
    fn what_is_not_ip_is_named_by_its_type() {
        let mut frame = vec![0; 60];
        frame[12..14].copy_from_slice(&[0x88, 0xcc]);
        assert_eq!(other(&frame).text, "ethertype 0x88cc, 60 bytes");
        assert_eq!(other(&[0; 5]).text, "runt frame, 5 bytes");
    }
}
