//! What one captured frame says: TCP headers, or a summary of something else.

use std::net::{IpAddr, SocketAddr};

use super::flags::Flags;
use super::ip::{self, Carried, Ip};
use super::options::Options;
use super::other::Other;
use super::seq::Seq;
use super::view::View;

/// A captured frame, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// A TCP segment whose fixed header was captured whole.
    Tcp(Headers),
    /// Anything else: ARP, ICMP, fragments, foreign or malformed frames.
    Other(Other),
}

/// The headers of a TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// Address and port it claims to come from.
    pub src: SocketAddr,
    /// Address and port it goes to.
    pub dst: SocketAddr,
    /// IPv4's identification; `None` for IPv6.
    pub id: Option<u16>,
    /// Sequence number of the first byte, or of SYN or FIN.
    pub seq: Seq,
    /// The next byte expected from the peer; valid only with [`Flags::ACK`].
    pub ack: Seq,
    /// Control bits.
    pub flags: Flags,
    /// The window field as it stands in the header, not scaled.
    pub window: u16,
    /// Bytes of data, told by the IP header, however little of them was captured.
    pub payload: u32,
    /// TCP options, as far as they were captured.
    pub options: Options,
}

impl Headers {
    /// How much of the sequence space the segment takes: its data, SYN and FIN.
    #[must_use]
    pub fn space(&self) -> u32 {
        let bit = |flag| u32::from(self.flags.contains(flag));
        self.payload.saturating_add(bit(Flags::SYN) + bit(Flags::FIN))
    }

    /// What is the same wherever the segment is seen. Addresses are not part of it, since a router
    /// may translate them; nor are time to live, window and checksums, which may change on the way.
    pub(crate) fn identity(&self) -> Identity {
        let Self { id, seq, ack, flags, payload, .. } = *self;
        Identity { id, seq, ack, flags, payload, timestamps: self.options.timestamps }
    }
}

/// By what a segment is recognised on its way, its addresses apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    id: Option<u16>,
    seq: Seq,
    ack: Seq,
    flags: Flags,
    payload: u32,
    timestamps: Option<(u32, u32)>,
}

impl Packet {
    /// Reads the captured head of an Ethernet frame that was `length` bytes long on the wire.
    /// Takes anything: what cannot be read becomes [`Packet::Other`].
    #[must_use]
    pub fn read(bytes: &[u8], length: u32) -> Self {
        match ip::read_frame(View(bytes), length as usize) {
            Carried::Ip(ip) if ip.protocol == ip::TCP && !ip.later_fragment => {
                match read_tcp(&ip) {
                    Some(headers) => Self::Tcp(headers),
                    None => Self::Other(Other::ip(&ip)),
                }
            }
            Carried::Ip(ip) => Self::Other(Other::ip(&ip)),
            Carried::Arp(arp) => Self::Other(Other::arp(arp)),
            Carried::Unread { ethertype } => Self::Other(Other::unread(ethertype, length)),
        }
    }
}

fn read_tcp(ip: &Ip<'_>) -> Option<Headers> {
    const FIXED: usize = 20;
    let tcp = ip.payload;
    let header = usize::from(tcp.u8(12)? >> 4) * 4;
    if header < FIXED {
        return None;
    }
    let payload = ip.length.checked_sub(header)?;
    let end = |address: IpAddr, port| SocketAddr::new(address, port);
    // The urgent pointer is the last fixed field: where it is missing, the header is torn.
    tcp.u16(18)?;
    Some(Headers {
        src: end(ip.src, tcp.u16(0)?),
        dst: end(ip.dst, tcp.u16(2)?),
        id: ip.id,
        seq: Seq(tcp.u32(4)?),
        ack: Seq(tcp.u32(8)?),
        flags: Flags(tcp.u8(13)?),
        window: tcp.u16(14)?,
        payload: u32::try_from(payload).ok()?,
        options: Options::read(tcp.up_to(header).from(FIXED)?.0),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::build::Build;
    use super::*;

    fn read(frame: &[u8]) -> Packet {
        Packet::read(frame, u32::try_from(frame.len()).expect("short"))
    }

    fn tcp(frame: &[u8]) -> Headers {
        match read(frame) {
            Packet::Tcp(headers) => headers,
            Packet::Other(other) => panic!("not TCP: {other:?}"),
        }
    }

    #[test]
    fn payload_is_told_by_ip_not_by_the_capture() {
        let frame = Build::v4().payload(1000).frame();
        let Packet::Tcp(headers) = Packet::read(&frame[..96], 1054) else { panic!("TCP") };
        assert_eq!(headers.payload, 1000);
        // Ethernet pads short frames to 60 bytes; padding is not data.
        let mut padded = Build::v4().frame();
        padded.resize(60, 0);
        assert_eq!(tcp(&padded).payload, 0);
    }

    #[test]
    fn ip_options_and_extension_headers_are_stepped_over() {
        let plain = tcp(&Build::v4().payload(3).frame());
        assert_eq!(tcp(&Build::v4().ip_options(12).payload(3).frame()), plain);
        let plain = tcp(&Build::v6().payload(3).frame());
        for kinds in [&[0_u8][..], &[60, 43], &[0, 44, 60], &[51]] {
            assert_eq!(tcp(&Build::v6().extensions(kinds).payload(3).frame()), plain, "{kinds:?}");
        }
    }

    #[test]
    fn lengths_that_contradict_each_other_are_not_tcp() {
        let mut frame = Build::v4().frame();
        frame[17] = 30; // shorter than IP and TCP headers together
        assert!(matches!(read(&frame), Packet::Other(_)));
        let mut frame = Build::v4().frame();
        frame[14 + 20 + 12] = 0x40; // a TCP header of 16 bytes
        assert!(matches!(read(&frame), Packet::Other(_)));
        let mut frame = Build::v4().frame();
        frame[14] = 0x44; // an IP header of 16 bytes
        assert!(matches!(read(&frame), Packet::Other(_)));
    }

    #[test]
    fn a_later_fragment_is_not_mistaken_for_a_header() {
        let mut frame = Build::v4().frame();
        frame[21] = 1;
        assert!(matches!(read(&frame), Packet::Other(_)));
    }

    #[test]
    fn a_packet_too_big_for_its_length_field_is_measured_on_the_wire() {
        let mut frame = Build::v4().frame();
        frame[16..18].fill(0);
        let Packet::Tcp(headers) = Packet::read(&frame, 14 + 40 + 100_000) else { panic!("TCP") };
        assert_eq!(headers.payload, 100_000);
    }

    fn a_frame() -> impl Strategy<Value = (Build, Vec<u8>)> {
        let numbers = (any::<u32>(), any::<u32>(), any::<u8>(), any::<u16>());
        let shape = (any::<bool>(), 0_usize..60, any::<u16>(), any::<u16>(), any::<bool>());
        (numbers, shape).prop_map(|((seq, ack, flags, window), (v6, payload, from, to, times))| {
            let build = if v6 { Build::v6() } else { Build::v4() };
            let mut build = build.ports(from, to).seq(seq).ack(ack).flags(Flags(flags));
            build = build.window(window).payload(payload);
            if times {
                build = build.timestamps(seq ^ 1, ack ^ 1);
            }
            let frame = build.frame();
            (build, frame)
        })
    }

    proptest! {
        #[test]
        fn what_is_built_is_read_back((build, frame) in a_frame()) {
            prop_assert_eq!(tcp(&frame), build.headers());
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, length: u32) {
            let _ = Packet::read(&bytes, length);
        }

        #[test]
        fn any_bytes_behind_a_known_ethertype_are_survived(
            mut bytes in proptest::collection::vec(any::<u8>(), 14..160),
            kind in prop_oneof![Just(0x0800_u16), Just(0x86dd), Just(0x0806)],
            protocol in prop_oneof![Just(1_u8), Just(6), Just(58), Just(44), Just(0)],
        ) {
            bytes[12..14].copy_from_slice(&kind.to_be_bytes());
            if let Some(version) = bytes.get_mut(14) {
                *version = if kind == 0x0800 { 0x45 } else { 0x60 };
            }
            for at in [20, 23] {
                if let Some(next) = bytes.get_mut(at) {
                    *next = protocol;
                }
            }
            let _ = read(&bytes);
        }

        #[test]
        fn mutations_and_truncations_are_survived(
            (_, frame) in a_frame(),
            at: prop::sample::Index,
            to: u8,
            cut: prop::sample::Index,
        ) {
            let mut frame = frame;
            let at = at.index(frame.len());
            frame[at] = to;
            let kept = &frame[..cut.index(frame.len() + 1)];
            let _ = Packet::read(kept, u32::try_from(frame.len()).expect("short"));
        }

        #[test]
        fn a_torn_fixed_header_is_never_called_tcp((build, frame) in a_frame(), cut: prop::sample::Index) {
            let whole = frame.len() - build.headers().payload as usize;
            let kept = &frame[..cut.index(frame.len() + 1)];
            match Packet::read(kept, u32::try_from(frame.len()).expect("short")) {
                Packet::Tcp(headers) => {
                    prop_assert_eq!(headers.payload, build.headers().payload);
                    prop_assert_eq!(headers.seq, build.headers().seq);
                }
                Packet::Other(_) => prop_assert!(kept.len() < whole),
            }
        }
    }
}
