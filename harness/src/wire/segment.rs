//! A segment as the wire saw it: what it said, who sent it, whether it arrived.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::flags::Flags;
use super::options::Options;
use lastack_sys::Stamp;

/// How long an unarrived segment may still be on its way before it counts as swallowed.
///
/// A path inside one kernel takes microseconds, but frames wait where a softirq is put off, a
/// few ticks of 4 ms on a loaded machine. From when on a fault delays, its delay is added
/// ([`crate::fault::Impairment`]).
pub const PATIENCE: Duration = Duration::from_millis(50);

/// One TCP segment on its way between two hosts.
///
/// Numbers are relative: each side of a connection counts from 0 at its SYN, so the first byte
/// of data is 1. Where no SYN was seen, it counts from the first number seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its place among all segments of the lab, in order of time.
    pub index: usize,
    /// Which connection it belongs to, counted from 0. A pair of ends used again is another one.
    pub connection: usize,
    /// The host that sent it. Of a segment made in the middle: the host it pretends to be from.
    pub from: String,
    /// The host it goes to; its address where no host is known to have it.
    pub to: String,
    /// Sender's address and port; behind a router that translates, on the side where the
    /// connection was opened. The capture has what stood in each frame.
    pub src: SocketAddr,
    /// Receiver's address and port, likewise.
    pub dst: SocketAddr,
    /// When it left its sender; `None` where it did not, but was made in the middle.
    pub sent: Option<Stamp>,
    /// When it reached its receiver; `None` where it has not.
    pub arrived: Option<Stamp>,
    /// Relative sequence number.
    pub seq: u32,
    /// Relative acknowledgement number; 0 where [`Flags::ACK`] is not set.
    pub ack: u32,
    /// Control bits.
    pub flags: Flags,
    /// Advertised window in bytes, scaled where the handshake was seen.
    pub window: u32,
    /// Bytes of data.
    pub payload: u32,
    /// TCP options as they stood in the header.
    pub options: Options,
    /// Selectively acknowledged blocks in relative numbers.
    pub sack: Vec<(u32, u32)>,
    /// Data, SYN or FIN that the sender had sent before. Pure acknowledgements never are.
    pub retransmission: bool,
    /// A keepalive or zero-window probe: empty, one number before what the peer expects.
    pub probe: bool,
}

impl Segment {
    /// When it was first seen: leaving its sender, or arriving where it came from the middle.
    #[must_use]
    pub fn at(&self) -> Stamp {
        self.sent.or(self.arrived).unwrap_or(Stamp(0))
    }

    /// Sent, and not arrived: what a fault did. Meaningful once the segment had the time to
    /// arrive, see [`PATIENCE`].
    #[must_use]
    pub fn swallowed(&self) -> bool {
        self.sent.is_some() && self.arrived.is_none()
    }

    /// Arrived, and never sent by any host: made by a middle box, or a duplicate made there.
    #[must_use]
    pub fn from_middle(&self) -> bool {
        self.sent.is_none()
    }

    /// The relative number after its last: where the next segment of its sender starts.
    #[must_use]
    pub fn end(&self) -> u32 {
        let bits = [Flags::SYN, Flags::FIN].into_iter().filter(|bit| self.flags.contains(*bit));
        let bits = u32::try_from(bits.count()).unwrap_or(0);
        self.seq.wrapping_add(self.payload).wrapping_add(bits)
    }

    /// What it says, without who says it: "FIN+ACK seq 1 ack 1 win 64256".
    #[must_use]
    pub fn headline(&self) -> String {
        use fmt::Write;
        let mut line = format!("{} seq {}", self.flags, self.seq);
        if self.flags.contains(Flags::ACK) {
            let _ = write!(line, " ack {}", self.ack);
        }
        if self.payload > 0 {
            let _ = write!(line, " len {}", self.payload);
        }
        for (from, to) in &self.sack {
            let _ = write!(line, " sack {from}:{to}");
        }
        // A reset's window means nothing.
        if !self.flags.contains(Flags::RST) {
            let _ = write!(line, " win {}", self.window);
        }
        line
    }

    /// What the wire found out about it, in words: "retransmission", "swallowed".
    #[must_use]
    pub fn marks(&self) -> Vec<&'static str> {
        let all = [
            (self.retransmission, "retransmission"),
            (self.probe, "probe"),
            (self.swallowed(), "swallowed"),
            (self.from_middle(), "from the middle"),
        ];
        all.into_iter().filter_map(|(applies, mark)| applies.then_some(mark)).collect()
    }
}

/// One line, in tcpdump's manner: "a > b FIN+ACK seq 1 ack 1 win 64256 (retransmission)".
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {} {}", self.from, self.to, self.headline())?;
        match self.marks().as_slice() {
            [] => Ok(()),
            marks => write!(f, " ({})", marks.join(", ")),
        }
    }
}
