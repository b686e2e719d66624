//! The trace: observations of frames at the taps, merged into segments that were sent and arrived.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::connection::{Connection, Standing};
use super::other::Other;
use super::packet::{Headers, Identity, Packet};
use super::segment::Segment;
use lastack_sys::Stamp;

/// Of what may be one and the same (equal segments on their way, connections between the same two
/// ends) so many are looked at, the latest: few are ever current at once, and a trace of any length
/// must not take longer for each frame.
const LATEST: usize = 64;

/// Where a tap sits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapInfo {
    /// The host whose traffic the tap sees.
    pub host: String,
    /// The tapped interface's name.
    pub name: String,
    /// True: on the host's own interface. False: on the port of the patch that faces the host.
    pub near: bool,
}

impl TapInfo {
    /// Whether a frame seen here in this direction was sent by the tap's host; otherwise it
    /// goes to that host.
    #[must_use]
    pub fn departs(&self, egress: bool) -> bool {
        self.near == egress
    }
}

/// One frame as one tap saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Index of the tap.
    pub tap: usize,
    /// Leaving through the tapped interface, or entering by it.
    pub egress: bool,
    /// When.
    pub at: Stamp,
    /// What the frame says.
    pub packet: Packet,
}

/// Something other than a TCP segment on its way: ICMP, address resolution, noise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The host that sent it, or the middle where `sent` is `None`.
    pub from: String,
    /// The host it goes to, as far as that is known.
    pub to: String,
    /// When it left its sender.
    pub sent: Option<Stamp>,
    /// When it reached a receiver.
    pub arrived: Option<Stamp>,
    /// What it says.
    pub what: Other,
}

impl Stray {
    /// When it was first seen.
    #[must_use]
    pub fn at(&self) -> Stamp {
        self.sent.or(self.arrived).unwrap_or(Stamp(0))
    }
}

/// What an observation turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The segment of this index, departing or arriving.
    Segment(usize),
    /// The stray of this index.
    Stray(usize),
}

/// All that was seen, in order. Observations must be fed in order of time, departures before
/// arrivals; the same observations give the same trace, live or from a journal.
#[derive(Debug)]
pub struct Trace {
    taps: Vec<TapInfo>,
    segments: Vec<Segment>,
    strays: Vec<Stray>,
    /// Segments that have departed and not arrived, in order of departure. Swallowed ones stay.
    travelling: HashMap<Identity, Vec<usize>>,
    connections: Vec<Connection>,
    lives: HashMap<[SocketAddr; 2], Vec<usize>>,
    /// Which host has an address; true where it was learned from an arrival, which can be
    /// believed, as a source address may be a lie.
    owners: HashMap<IpAddr, (String, bool)>,
    /// What a translating router calls a connection on its far side, and what the side that
    /// opened it does: source and destination, both ways round.
    translations: HashMap<[SocketAddr; 2], [SocketAddr; 2]>,
}

impl Trace {
    /// An empty trace of what these taps see.
    #[must_use]
    pub fn new(taps: Vec<TapInfo>) -> Self {
        Self {
            taps,
            segments: Vec::new(),
            strays: Vec::new(),
            travelling: HashMap::new(),
            connections: Vec::new(),
            lives: HashMap::new(),
            owners: HashMap::new(),
            translations: HashMap::new(),
        }
    }

    /// The taps, in the order of their numbers.
    #[must_use]
    pub fn taps(&self) -> &[TapInfo] {
        &self.taps
    }

    /// All TCP segments so far, in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Everything else so far, in order.
    #[must_use]
    pub fn strays(&self) -> &[Stray] {
        &self.strays
    }

    /// How many connections the segments belong to.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Whether the connection of this number is between these two ends.
    pub(super) fn is_connection(&self, number: usize, src: SocketAddr, dst: SocketAddr) -> bool {
        let lives = self.lives.get(&pair(src, dst));
        lives.is_some_and(|lives| lives.binary_search(&number).is_ok())
    }

    /// Takes one observation. `None` where the tap is unknown.
    pub fn see(&mut self, observation: Observation) -> Option<Seen> {
        let tap = self.taps.get(observation.tap)?;
        let (departs, host) = (tap.departs(observation.egress), tap.host.clone());
        let at = observation.at;
        Some(match observation.packet {
            Packet::Tcp(mut headers) => {
                let address = if departs { headers.src } else { headers.dst }.ip();
                self.learn_owner(address, &host, !departs);
                self.translate(&mut headers, departs);
                Seen::Segment(if departs {
                    self.depart(headers, &host, at)
                } else {
                    self.arrive(headers, &host, at)
                })
            }
            Packet::Other(what) => Seen::Stray(self.stray(what, departs, &host, at)),
        })
    }

    /// Gives a segment the addresses it had, or would have had, on the side of the router where
    /// its connection was opened: one connection stays one, and its segments are recognised on
    /// both sides.
    ///
    /// Learned from the first arrival whose addresses were never seen before: if all else of a
    /// segment on its way is the same, it is that segment, under another name at one end. Only
    /// an address of no host is taken for such a name, so what the middle forges in a host's name
    /// is not mistaken for it.
    fn translate(&mut self, headers: &mut Headers, departs: bool) {
        let far = [headers.src, headers.dst];
        if let Some([src, dst]) = self.translations.get(&far) {
            (headers.src, headers.dst) = (*src, *dst);
            return;
        }
        let mut pair = far;
        pair.sort_unstable();
        if departs || self.lives.contains_key(&pair) {
            return;
        }
        let foreign = |address: SocketAddr| !self.owners.contains_key(&address.ip());
        let renamed = |near: &Segment| {
            (near.dst == headers.dst && foreign(headers.src))
                || (near.src == headers.src && foreign(near.dst))
        };
        let mut equal = self.equal_ones(&headers.identity()).iter();
        let near = equal.find_map(|index| {
            let near = &self.segments[*index];
            renamed(near).then_some([near.src, near.dst])
        });
        if let Some(near) = near {
            self.translations.insert(far, near);
            self.translations.insert([far[1], far[0]], [near[1], near[0]]);
            (headers.src, headers.dst) = (near[0], near[1]);
        }
    }

    fn depart(&mut self, headers: Headers, host: &str, at: Stamp) -> usize {
        let to = self.far_from(host, headers.dst.ip());
        let connection = self.connection_of(&headers);
        let life = &mut self.connections[connection];
        life.learn(&headers);
        let nature = life.departs(&headers);
        let index = self.push(&headers, connection, host.to_owned(), to);
        let segment = &mut self.segments[index];
        segment.sent = Some(at);
        segment.retransmission = nature.retransmission;
        segment.probe = nature.probe;
        self.travelling.entry(headers.identity()).or_default().push(index);
        index
    }

    fn arrive(&mut self, headers: Headers, host: &str, at: Stamp) -> usize {
        if let Some(connection) = self.life_of(&headers)
            && let Some(index) = self.departure_of(connection, &headers, at)
        {
            let segment = &mut self.segments[index];
            segment.arrived = Some(at);
            host.clone_into(&mut segment.to);
            self.connections[connection].arrives(&headers);
            return index;
        }
        // Nobody sent it: it was made on the way, and opens no connection beside one there is.
        let from = self.far_from(host, headers.src.ip());
        let connection = match self.nearest_life(&headers) {
            Some(connection) => connection,
            None => self.connection_of(&headers),
        };
        let life = &mut self.connections[connection];
        life.learn_from_middle(&headers);
        life.arrives(&headers);
        let index = self.push(&headers, connection, from, host.to_owned());
        self.segments[index].arrived = Some(at);
        index
    }

    /// The segment whose arrival this is, which travels no longer.
    ///
    /// Equal segments may travel at once: acknowledgements repeated word by word of which a black
    /// hole swallowed the first. The one is chosen whose journey would have taken most nearly as
    /// long as the latest journey on this side did, the earlier of two.
    fn departure_of(&mut self, connection: usize, headers: &Headers, at: Stamp) -> Option<usize> {
        let segments = &self.segments;
        let journey =
            |index: usize| segments[index].sent.map_or(0, |sent| at.0.saturating_sub(sent.0));
        let usual = self.connections[connection].side(headers.src).transit.unwrap_or(0);
        let identity = headers.identity();
        let own = |index: &&usize| {
            let segment = &segments[**index];
            segment.connection == connection && segment.src == headers.src
        };
        let own = self.equal_ones(&identity).iter().filter(own);
        let index = *own.min_by_key(|index| journey(**index).abs_diff(usual))?;
        let transit = journey(index);
        self.connections[connection].side(headers.src).transit = Some(transit);
        let equal = self.travelling.get_mut(&identity)?;
        equal.remove(equal.binary_search(&index).ok()?);
        if equal.is_empty() {
            self.travelling.remove(&identity);
        }
        Some(index)
    }

    /// The latest segments on their way that a segment with this identity may be.
    fn equal_ones(&self, identity: &Identity) -> &[usize] {
        let all = self.travelling.get(identity).map_or(&[][..], Vec::as_slice);
        &all[all.len().saturating_sub(LATEST)..]
    }

    fn push(&mut self, headers: &Headers, connection: usize, from: String, to: String) -> usize {
        let life = &self.connections[connection];
        let (seq, ack) = life.relative(headers);
        let index = self.segments.len();
        self.segments.push(Segment {
            index,
            connection,
            from,
            to,
            src: headers.src,
            dst: headers.dst,
            sent: None,
            arrived: None,
            seq,
            ack,
            flags: headers.flags,
            window: life.window(headers),
            payload: headers.payload,
            options: headers.options.clone(),
            sack: life.relative_sack(headers),
            retransmission: false,
            probe: false,
        });
        index
    }

    /// The connection a segment belongs to, made where there is none.
    fn connection_of(&mut self, headers: &Headers) -> usize {
        if let Some(found) = self.life_of(headers) {
            return found;
        }
        let new = self.connections.len();
        self.lives.entry(pair(headers.src, headers.dst)).or_default().push(new);
        self.connections.push(Connection::between(headers.src, headers.dst));
        new
    }

    /// The connection a segment that some host sent belongs to, if it is known.
    fn life_of(&self, headers: &Headers) -> Option<usize> {
        use super::flags::Flags;
        if headers.flags.contains(Flags::SYN) && !headers.flags.contains(Flags::ACK) {
            let lives = self.lives.get(&pair(headers.src, headers.dst))?;
            let takes = |life: &&usize| self.connections[**life].takes_syn(headers);
            return lives.iter().rev().take(LATEST).find(takes).copied();
        }
        self.nearest_life(headers)
    }

    /// The connection whose numbers are nearest to a segment's, the latest of several.
    fn nearest_life(&self, headers: &Headers) -> Option<usize> {
        let lives = self.lives.get(&pair(headers.src, headers.dst))?;
        let distance = |life: &&usize| self.connections[**life].distance(headers);
        lives.iter().rev().take(LATEST).min_by_key(distance).copied()
    }

    /// Where the side at `from` stands in the latest connection between the two.
    pub(crate) fn standing(&self, from: SocketAddr, to: SocketAddr) -> Option<Standing> {
        let latest = *self.lives.get(&pair(from, to))?.last()?;
        Some(self.connections[latest].standing(from))
    }

    fn stray(&mut self, what: Other, departs: bool, host: &str, at: Stamp) -> usize {
        let recent = self.strays.len().saturating_sub(LATEST);
        let far = if departs { what.dst } else { what.src };
        if !departs {
            let equal = |stray: &Stray| {
                stray.arrived.is_none() && stray.from != host && stray.what.same_frame(&what)
            };
            // Of equal ones the latest: a question is repeated when the one before was swallowed.
            if let Some(place) = self.strays[recent..].iter().rposition(equal) {
                let stray = &mut self.strays[recent + place];
                stray.arrived = Some(at);
                host.clone_into(&mut stray.to);
                return recent + place;
            }
        }
        let far = match far {
            Some(address) => self.far_from(host, address),
            None => self.other_host(host).unwrap_or("?").to_owned(),
        };
        let (from, to) = if departs { (host.to_owned(), far) } else { (far, host.to_owned()) };
        let (sent, arrived) = if departs { (Some(at), None) } else { (None, Some(at)) };
        self.strays.push(Stray { from, to, sent, arrived, what });
        self.strays.len() - 1
    }

    fn learn_owner(&mut self, address: IpAddr, host: &str, surely: bool) {
        match self.owners.get_mut(&address) {
            Some((_, true)) => {}
            Some((owner, sure)) if surely => {
                host.clone_into(owner);
                *sure = true;
            }
            Some(_) => {}
            None => {
                self.owners.insert(address, (host.to_owned(), surely));
            }
        }
    }

    /// The host at the far end of a path of `host`: the only other one, or the owner of the
    /// address, or in words the address.
    fn far_from(&self, host: &str, address: IpAddr) -> String {
        self.other_host(host)
            .or_else(|| self.owners.get(&address).map(|(owner, _)| owner.as_str()))
            .map_or_else(|| address.to_string(), str::to_owned)
    }

    /// The other host, where the lab has just two.
    fn other_host(&self, host: &str) -> Option<&str> {
        let mut others = self.taps.iter().map(|tap| tap.host.as_str()).filter(|it| *it != host);
        let other = others.next()?;
        others.all(|it| it == other).then_some(other)
    }
}

fn pair(one: SocketAddr, other: SocketAddr) -> [SocketAddr; 2] {
    let mut pair = [one, other];
    pair.sort_unstable();
    pair
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
