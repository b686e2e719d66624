//! An impostor in the middle: forged segments that a host takes for its peer's.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    error::{Context, Error, Result},
    lab::{Host, Lab},
    stage::Inspect,
    sys::transmit::transmit,
    wire::{Flags, Segment, Seq, forge::Frame, pattern},
};

/// The initial sequence number of a side that has sent nothing yet.
const INVENTED: Seq = Seq(1_000_000);
/// The window of a side that has advertised none.
const WINDOW: u16 = 64_240;

/// An impostor in the patch, which pretends to be one end of a connection. The host at the other
/// end cannot tell the forged segments from true ones; the wire can, and shows them as made in the
/// middle.
///
/// In a routed lab it sends from the pretended sender's own interface, so that the router forwards
/// the segments; there the wire cannot tell either.
pub struct Impostor {
    lab: Lab,
    from: SocketAddr,
    to: SocketAddr,
    victim: Host,
    book: Arc<Book>,
}

impl Lab {
    /// Somebody in the patch who speaks as `from` to `to`; see [`Impostor`].
    ///
    /// # Errors
    /// The lab has no patch, or nobody in it has the address `to`.
    pub fn impersonate_towards(&self, from: SocketAddr, to: SocketAddr) -> Result<Impostor> {
        Impostor::new(self, from, to)
    }
}

impl Impostor {
    fn new(lab: &Lab, from: SocketAddr, to: SocketAddr) -> Result<Self> {
        let text = format!("impostor of {from} towards {to}");
        if from.is_ipv4() != to.is_ipv4() {
            return Err(Error::usage(format!("{text}: the two are not of one address family")));
        }
        if lab.router().is_err() {
            lab.patch()?;
        } else if owner(lab, from.ip()).is_none() {
            return Err(Error::usage(format!("{text}: no host of this lab has {}", from.ip())));
        }
        let Some(victim) = owner(lab, to.ip()).cloned() else {
            return Err(Error::usage(format!("{text}: no host of this lab has {}", to.ip())));
        };
        let book = Arc::new(Book { text, sent: AtomicUsize::new(0) });
        lab.stage().keep_fault(book.clone());
        Ok(Self { lab: lab.clone(), from, to, victim, book })
    }

    /// How many segments it has sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.book.sent.load(Ordering::Relaxed)
    }

    /// A segment with exactly these flags. If nothing else is said it is the next one that the
    /// true sender would send: at the number after its last, acknowledging all that its peer has
    /// sent, with the window it advertised last, and time stamps if it uses them.
    pub fn segment(&self, flags: Flags) -> Forged<'_> {
        Forged { by: self, flags, seq: None, ack: None, window: None, payload: Vec::new() }
    }

    /// RST.
    pub fn rst(&self) -> Forged<'_> {
        self.segment(Flags::RST)
    }

    /// RST+ACK.
    pub fn rst_ack(&self) -> Forged<'_> {
        self.segment(Flags::RST | Flags::ACK)
    }

    /// SYN.
    pub fn syn(&self) -> Forged<'_> {
        self.segment(Flags::SYN)
    }

    /// SYN+ACK.
    pub fn syn_ack(&self) -> Forged<'_> {
        self.segment(Flags::SYN | Flags::ACK)
    }

    /// FIN+ACK.
    pub fn fin(&self) -> Forged<'_> {
        self.segment(Flags::FIN | Flags::ACK)
    }

    /// ACK, and nothing else.
    pub fn pure_ack(&self) -> Forged<'_> {
        self.segment(Flags::ACK)
    }

    /// Data, pushed.
    pub fn data(&self, bytes: impl AsRef<[u8]>) -> Forged<'_> {
        self.segment(Flags::PSH | Flags::ACK).carrying(bytes)
    }
}

/// A forged segment in the making.
#[must_use = "a forged segment does nothing until it is sent"]
pub struct Forged<'a> {
    by: &'a Impostor,
    flags: Flags,
    seq: Option<u32>,
    ack: Option<u32>,
    window: Option<u16>,
    payload: Vec<u8>,
}

impl Forged<'_> {
    /// With this sequence number, counted as on the wire: from the SYN of the true sender.
    pub fn seq(mut self, seq: u32) -> Self {
        self.seq = Some(seq);
        self
    }

    /// With this acknowledgement number, counted from the SYN of the receiver.
    pub fn ack(mut self, ack: u32) -> Self {
        self.ack = Some(ack);
        self
    }

    /// With this in the window field, not scaled.
    pub fn window(mut self, window: u16) -> Self {
        self.window = Some(window);
        self
    }

    /// With these bytes in it.
    pub fn carrying(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.payload = bytes.as_ref().to_vec();
        self
    }

    /// Sends it, and returns it as the wire saw it arrive.
    ///
    /// # Errors
    /// The victim's host is dead, it acknowledges what was never heard of, or it does not arrive
    /// within a second: a fault stands on that side of the patch, or it says word by word what a
    /// segment said that was swallowed, and counts as that one arriving late.
    pub async fn send(self) -> Result<Segment> {
        let Self { by, flags, seq, ack, window, payload } = self;
        let Impostor { lab, from, to, victim, book } = by;
        let wire = lab.wire();
        let context = || format!("send a forged {flags} as {}", book.text);
        victim.alive(|_| ()).context(context)?;
        let before = wire.mark().await?;
        let standing = wire.standing(*from, *to);
        let base = standing.and_then(|it| it.base);
        let next = standing.and_then(|it| it.next);
        let peer = standing.and_then(|it| it.peer_base.zip(it.peer_next));
        let ack = match (peer, ack) {
            _ if !flags.contains(Flags::ACK) => Seq(0),
            (Some((base, _)), Some(ack)) => base + ack,
            (Some((_, next)), None) => next,
            // Of a peer that has said nothing any number will do.
            (None, Some(ack)) => INVENTED + ack,
            (None, None) => {
                return Err(Error::usage(format!(
                    "{}: {to} has sent nothing that a forged {flags} could acknowledge",
                    book.text
                )));
            }
        };
        let number = book.sent.fetch_add(1, Ordering::Relaxed);
        let payload_length = payload.len();
        let speaker = lab.router().is_ok().then(|| owner(lab, from.ip())).flatten();
        let next_hop = match speaker {
            Some(speaker) => lab.router()?.mac(speaker.name())?,
            None => victim.mac(),
        };
        let frame = Frame {
            src_mac: owner(lab, from.ip()).map_or([2, 0, 0, 0, 0, 0xfe], Host::mac),
            dst_mac: next_hop,
            src: *from,
            dst: *to,
            id: 0xf000 | (number as u16 & 0xfff),
            seq: seq
                .map_or(next.or(base).unwrap_or(INVENTED), |seq| base.unwrap_or(INVENTED) + seq),
            ack,
            flags,
            window: window.or(standing.and_then(|it| it.window)).unwrap_or(WINDOW),
            stamps: standing.and_then(|it| it.stamps),
            payload,
        };
        let bytes = frame.bytes().ok_or_else(|| {
            Error::usage(format!("{}: {payload_length} bytes do not fit a packet", book.text))
        })?;
        let text = format!("{}: {flags}", book.text);
        lab.stage().note(text);
        if let Some(speaker) = speaker {
            let netns = speaker.shell().context(context)?;
            let index = speaker.shell_interface();
            netns.enter(|| transmit(index, &bytes))?.context(context)?;
        } else {
            for port in lab.patch()?.ports_from(Some(victim.name()))? {
                transmit(port.index, &bytes).context(context)?;
            }
        }
        let (src, dst) = (*from, *to);
        let same = move |it: &Segment| {
            (it.src, it.dst, it.flags, it.payload as usize) == (src, dst, flags, payload_length)
        };
        let forged = pattern::any().that(format!("forged {flags}"), same);
        let forged = if speaker.is_some() { forged } else { forged.from_middle() };
        wire.expect(forged).after(before).await
    }
}

fn owner(lab: &Lab, address: IpAddr) -> Option<&Host> {
    use crate::lab::Ip;
    lab.hosts().iter().find(|host| [Ip::V4, Ip::V6].iter().any(|ip| host.ip(*ip) == address))
}

/// What is kept of an impostor for the end of the case.
struct Book {
    text: String,
    sent: AtomicUsize,
}

impl Inspect for Book {
    fn inspect(&self) -> Result {
        match self.sent.load(Ordering::Relaxed) {
            0 => Err(Error::mismatch(self.text.clone(), "sends a segment", "sent nothing")),
            _ => Ok(()),
        }
    }
}
