//! What a fault has hit: the segments that left their sender while it was on and never arrived.
//!
//! Counted on the wire, by taps that know nothing of the fault, and not by the fault itself.
//! What another fault took before they came to this one does not count ([`super::taken`]).

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicBool, Ordering},
};

use super::{
    packets::dropped,
    taken::{Place, Takes},
};
use crate::{
    error::{Error, Result},
    lab::Lab,
    stage::Inspect,
    stamp::Stamp,
    wire::{Flags, Journal, Kind, Record, Segment, Stray, Wire},
};

/// Which segments a fault is meant to hit.
#[derive(Debug, Clone, Default)]
pub(super) struct Aim {
    /// Only those this host sends.
    pub from: Option<String>,
    /// Only those meant for this host.
    pub to: Option<String>,
    /// Those that arrived, too: nobody takes them in there.
    pub any_fate: bool,
    /// Only those with all of these flags.
    pub only: Option<Flags>,
    /// Only those in packets longer than this, in bytes with all headers from IP's on.
    pub over: Option<u32>,
    /// Copies, too, of what was sent once.
    pub copies: bool,
    /// Address resolution (ARP and IPv6 neighbour discovery), too.
    pub resolution: bool,
    /// No segments at all.
    pub no_segments: bool,
    /// Hitting nothing is right, too.
    pub may_miss: bool,
    /// Where on its way a segment meets the fault.
    pub place: Place,
    /// What it keeps from the faults behind it.
    pub takes: Takes,
}

/// The record of one fault, shared by its guard and the end of the case.
pub(super) struct Hits {
    text: String,
    aim: Aim,
    wire: Wire,
    journal: Journal,
    span: Mutex<Span>,
    /// Whether it was changed and lets some segments through now.
    leaks: AtomicBool,
}

/// When a fault was on.
#[derive(Clone, Copy)]
struct Span {
    /// Turning it on began.
    begun: Stamp,
    /// It was on. One that was refused has hit nothing, and does not have to.
    on: Option<Stamp>,
    /// It was lifted.
    off: Option<Stamp>,
}

/// What a fault would have hit.
struct Found {
    /// The segments it took itself.
    own: Vec<Segment>,
    /// The faults that took the others, by their names.
    takers: Vec<String>,
}

impl Hits {
    /// Begins the record of the fault that `text` names, before it acts.
    pub fn of(lab: &Lab, text: &str, aim: Aim) -> Arc<Self> {
        let (wire, journal) = (lab.wire().clone(), lab.stage().journal().clone());
        let span = Mutex::new(Span { begun: Stamp::now(), on: None, off: None });
        let (text, leaks) = (text.to_owned(), AtomicBool::new(false));
        let hits = Arc::new(Self { text, aim, wire, journal, span, leaks });
        keep(&hits);
        lab.stage().keep_fault(hits.clone());
        hits
    }

    /// The fault's name in words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Notes that the fault acts from now on.
    pub fn on(&self) {
        let at = Stamp::now();
        self.span.lock().expect("no holder of this lock panics").on = Some(at);
        self.journal.write(&Record::Fault { at, on: true, text: self.text.clone() });
    }

    /// Notes that it acts no more.
    pub fn off(&self) {
        let at = Stamp::now();
        {
            let mut span = self.span.lock().expect("no holder of this lock panics");
            if span.on.is_none() {
                return;
            }
            span.off = Some(at);
        }
        self.journal.write(&Record::Fault { at, on: false, text: self.text.clone() });
    }

    /// Notes that it does not hit everything any more.
    pub fn leaks(&self) {
        self.leaks.store(true, Ordering::Relaxed);
    }

    fn takes(&self) -> &Takes {
        if self.leaks.load(Ordering::Relaxed) { &Takes::Nothing } else { &self.aim.takes }
    }

    fn span(&self) -> Span {
        *self.span.lock().expect("no holder of this lock panics")
    }

    /// Whether it was certainly on then.
    fn acted_at(&self, at: Stamp) -> bool {
        let Span { on, off, .. } = self.span();
        on.is_some_and(|on| at >= on) && off.is_none_or(|off| at <= off)
    }

    /// Whether it may have been on then.
    fn may_have_acted_at(&self, at: Stamp) -> bool {
        let Span { begun, off, .. } = self.span();
        at >= begun && off.is_none_or(|off| at <= off)
    }

    /// Whether this is one of the segments it is meant to hit, whatever became of it.
    fn is_for(&self, segment: &Segment) -> bool {
        !self.aim.no_segments
            && self.aim.to.as_ref().is_none_or(|to| *to == segment.to)
            && self.aim.from.as_ref().is_none_or(|from| *from == segment.from)
            && self.aim.only.is_none_or(|flags| segment.flags.contains(flags))
            && self.aim.over.is_none_or(|bytes| packet_length(segment) > bytes)
    }

    /// The same of a frame that is no segment.
    fn is_for_stray(&self, stray: &Stray) -> bool {
        self.aim.resolution
            && stray.what.kind == Kind::Neighbour
            && self.aim.from.as_ref().is_none_or(|from| *from == stray.from)
    }

    /// Which of all segments of the lab this fault took for certain.
    fn took(&self, all: &[Segment]) -> Vec<bool> {
        let took = |segment: &Segment| segment.swallowed() && self.acted_at(segment.at());
        let each = |fits: &dyn Fn(&Segment) -> bool| {
            all.iter().map(|segment| took(segment) && fits(segment)).collect()
        };
        match self.takes() {
            Takes::Hits => each(&|segment| self.is_for(segment)),
            Takes::AllOf(host) => each(&|segment| segment.from == *host || segment.to == *host),
            Takes::Rules(rules) => dropped(rules, all, &took),
            Takes::Nothing => vec![false; all.len()],
        }
    }

    /// Whether it took this frame of address resolution.
    fn took_stray(&self, stray: &Stray) -> bool {
        let fits = match self.takes() {
            Takes::Hits => self.is_for_stray(stray),
            Takes::AllOf(host) => stray.from == *host || stray.to == *host,
            Takes::Rules(_) | Takes::Nothing => false,
        };
        fits && stray.arrived.is_none() && self.acted_at(stray.at())
    }

    /// The segments it has hit by now.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn settled(&self) -> Result<Vec<Segment>> {
        self.wire.settle().await?;
        Ok(self.found().own)
    }

    fn found(&self) -> Found {
        let all = self.wire.segments();
        let mut mine: Vec<bool> = all.iter().map(|segment| self.hits(segment)).collect();
        let mut takers = Vec::new();
        for other in before(self) {
            let mut took_any = false;
            for (mine, took) in mine.iter_mut().zip(other.took(&all)) {
                took_any |= *mine && took;
                *mine &= !took;
            }
            if took_any {
                takers.push(other.text.clone());
            }
        }
        let own = all.into_iter().zip(mine).filter_map(|(segment, mine)| mine.then_some(segment));
        Found { own: own.collect(), takers }
    }

    fn hits(&self, segment: &Segment) -> bool {
        let hit = match segment.sent {
            Some(_) => self.aim.any_fate || segment.swallowed(),
            None => self.aim.copies,
        };
        hit && self.may_have_acted_at(segment.at()) && self.is_for(segment)
    }

    /// How many frames of address resolution it has swallowed.
    fn unresolved(&self) -> usize {
        if !self.aim.resolution {
            return 0;
        }
        let before = before(self);
        let hit = |stray: &&Stray| {
            stray.arrived.is_none()
                && self.may_have_acted_at(stray.at())
                && self.is_for_stray(stray)
                && !before.iter().any(|other| other.took_stray(stray))
        };
        self.wire.strays().iter().filter(hit).count()
    }

    /// As [`Self::settled`], the frames of address resolution.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn unresolved_settled(&self) -> Result<usize> {
        self.wire.settle().await?;
        Ok(self.unresolved())
    }
}

/// The faults of this process, which runs one case: some may be of other labs.
static FAULTS: Mutex<Vec<Weak<Hits>>> = Mutex::new(Vec::new());

/// Keeps a fault, so that others can be asked who stands before them.
fn keep(hits: &Arc<Hits>) {
    let mut faults = FAULTS.lock().expect("no holder of this lock panics");
    faults.retain(|fault| fault.strong_count() > 0);
    faults.push(Arc::downgrade(hits));
}

/// The faults that a segment meets before it meets this one.
fn before(hits: &Hits) -> Vec<Arc<Hits>> {
    let faults = FAULTS.lock().expect("no holder of this lock panics");
    let all = faults.iter().filter_map(Weak::upgrade);
    all.filter(|fault| fault.wire.is(&hits.wire) && fault.aim.place < hits.aim.place).collect()
}

impl Inspect for Hits {
    fn inspect(&self) -> Result {
        if self.span().on.is_none() || self.aim.may_miss {
            return Ok(());
        }
        let Found { own, takers } = self.found();
        if !own.is_empty() || self.unresolved() > 0 {
            return Ok(());
        }
        let expected = "swallows at least one segment";
        let mut seen = "swallowed nothing".to_owned();
        if !takers.is_empty() {
            let takers = takers.join("\" and \"");
            seen.push_str(&format!(": all it would have swallowed was taken by \"{takers}\""));
        }
        Err(Error::mismatch(self.text.clone(), expected, seen))
    }
}

/// The length of a segment's packet as IP tells it. Options are padded to whole words, as Linux
/// does (`net/ipv4/tcp_output.c`, `tcp_options_write`).
fn packet_length(segment: &Segment) -> u32 {
    let ip = if segment.src.is_ipv4() { 20 } else { 40 };
    let options = &segment.options;
    let blocks = options.sack.len() as u32;
    let bytes = [
        (options.mss.is_some(), 4),
        (options.window_scale.is_some(), 3),
        (options.sack_permitted, 2),
        (options.timestamps.is_some(), 10),
        (blocks > 0, 2 + 8 * blocks),
    ];
    let bytes: u32 = bytes.into_iter().filter_map(|(is, bytes)| is.then_some(bytes)).sum();
    ip + 20 + bytes.next_multiple_of(4) + segment.payload
}
