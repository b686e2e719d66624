//! Frames for tests: built from values, so that what is read can be compared with what was meant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::flags::Flags;
use super::options::Options;
use super::packet::Headers;
use super::seq::Seq;

/// A TCP segment in the making: from 10.0.0.1:4000 to 10.0.0.2:80, or fd00::1 to fd00::2.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    src: SocketAddr,
    dst: SocketAddr,
    id: u16,
    seq: u32,
    ack: u32,
    flags: Flags,
    window: u16,
    payload: usize,
    window_scale: Option<u8>,
    timestamps: Option<(u32, u32)>,
    ip_options: usize,
    extensions: Vec<u8>,
}

impl Build {
    pub(crate) fn v4() -> Self {
        Self::between(Ipv4Addr::new(10, 0, 0, 1).into(), Ipv4Addr::new(10, 0, 0, 2).into())
    }

    pub(crate) fn v6() -> Self {
        let host = |n| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n).into();
        Self::between(host(1), host(2))
    }

    fn between(a: IpAddr, b: IpAddr) -> Self {
        Self {
            src: SocketAddr::new(a, 4000),
            dst: SocketAddr::new(b, 80),
            id: 7,
            seq: 1000,
            ack: 0,
            flags: Flags::ACK,
            window: 502,
            payload: 0,
            window_scale: None,
            timestamps: None,
            ip_options: 0,
            extensions: Vec::new(),
        }
    }

    /// The same connection from the other end.
    pub(crate) fn back(mut self) -> Self {
        std::mem::swap(&mut self.src, &mut self.dst);
        self
    }

    /// The same segment under another sender's address, as a translating router sends it on.
    pub(crate) fn source(mut self, src: SocketAddr) -> Self {
        self.src = src;
        self
    }

    /// The same segment to another receiver.
    pub(crate) fn destination(mut self, dst: SocketAddr) -> Self {
        self.dst = dst;
        self
    }

    pub(crate) fn ports(mut self, from: u16, to: u16) -> Self {
        self.src.set_port(from);
        self.dst.set_port(to);
        self
    }

    pub(crate) fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    pub(crate) fn seq(mut self, seq: u32) -> Self {
        self.seq = seq;
        self
    }

    pub(crate) fn ack(mut self, ack: u32) -> Self {
        self.ack = ack;
        self
    }

    pub(crate) fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    pub(crate) fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    pub(crate) fn payload(mut self, bytes: usize) -> Self {
        self.payload = bytes;
        self
    }

    pub(crate) fn window_scale(mut self, shift: u8) -> Self {
        self.window_scale = Some(shift);
        self
    }

    pub(crate) fn timestamps(mut self, value: u32, echo: u32) -> Self {
        self.timestamps = Some((value, echo));
        self
    }

    pub(crate) fn ip_options(mut self, bytes: usize) -> Self {
        self.ip_options = bytes;
        self
    }

    pub(crate) fn extensions(mut self, kinds: &[u8]) -> Self {
        self.extensions = kinds.to_vec();
        self
    }

    /// What reading the frame must give.
    pub(crate) fn headers(&self) -> Headers {
        Headers {
            src: self.src,
            dst: self.dst,
            id: self.src.is_ipv4().then_some(self.id),
            seq: Seq(self.seq),
            ack: Seq(self.ack),
            flags: self.flags,
            window: self.window,
            payload: u32::try_from(self.payload).expect("small"),
            options: Options {
                window_scale: self.window_scale,
                timestamps: self.timestamps,
                ..Options::default()
            },
        }
    }

    pub(crate) fn frame(&self) -> Vec<u8> {
        let tcp = self.tcp();
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        match (self.src.ip(), self.dst.ip()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let header = 20 + self.ip_options;
                let total = u16::try_from(header + tcp.len()).expect("fits");
                frame.extend([0x08, 0x00, 0x40 | u8::try_from(header / 4).expect("fits"), 0]);
                frame.extend(total.to_be_bytes());
                frame.extend(self.id.to_be_bytes());
                frame.extend([0x40, 0, 64, 6, 0, 0]);
                frame.extend(src.octets());
                frame.extend(dst.octets());
                frame.extend(std::iter::repeat_n(1, self.ip_options));
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let mut chain = Vec::new();
                let next = |i: usize| self.extensions.get(i).copied().unwrap_or(6);
                // Eight bytes each: length 0 says so in the units of every kind.
                for i in 0..self.extensions.len() {
                    chain.extend([next(i + 1), 0, 0, 0, 0, 0, 0, 0]);
                }
                let length = u16::try_from(chain.len() + tcp.len()).expect("fits");
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                frame.extend(length.to_be_bytes());
                frame.extend([next(0), 64]);
                frame.extend(src.octets());
                frame.extend(dst.octets());
                frame.extend(chain);
            }
            _ => unreachable!("both ends are of one family"),
        }
        frame.extend(tcp);
        frame
    }

    fn tcp(&self) -> Vec<u8> {
        let mut options = Vec::new();
        if let Some(shift) = self.window_scale {
            options.extend([1, 3, 3, shift]);
        }
        if let Some((value, echo)) = self.timestamps {
            options.extend([1, 1, 8, 10]);
            options.extend(value.to_be_bytes());
            options.extend(echo.to_be_bytes());
        }
        let words = u8::try_from(5 + options.len() / 4).expect("fits");
        let mut tcp = Vec::new();
        tcp.extend(self.src.port().to_be_bytes());
        tcp.extend(self.dst.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([words << 4, self.flags.0]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(options);
        tcp.extend(std::iter::repeat_n(b'x', self.payload));
        tcp
    }
}
