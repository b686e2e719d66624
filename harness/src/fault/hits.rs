//! What a fault has hit: the segments that left their sender while it was on and never arrived.
//!
//! Counted on the wire, by taps that know nothing of the fault, and not by the fault itself.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use super::Inspect;
use crate::{
    error::{Error, Result},
    lab::Lab,
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
    /// Those that arrived, too: somewhere nobody takes them in.
    pub any_fate: bool,
    /// Only those with all of these flags.
    pub only: Option<Flags>,
    /// Copies, too, of what was sent once.
    pub copies: bool,
    /// Questions and answers about who is where on the wire, too.
    pub resolution: bool,
    /// Hitting nothing is right, too.
    pub may_miss: bool,
}

/// The book kept of one fault, shared by its guard and the end of the case.
pub(super) struct Hits {
    text: String,
    aim: Aim,
    wire: Wire,
    journal: Journal,
    span: Mutex<(Stamp, Option<Stamp>)>,
    /// Whether it ever acted: one that was refused on the way proves nothing, and need not.
    acted: AtomicBool,
}

impl Hits {
    /// Opens the book of the fault that `text` names, before it begins to act.
    pub fn of(lab: &Lab, text: &str, aim: Aim) -> Arc<Self> {
        let (wire, journal) = (lab.wire().clone(), lab.stage().journal().clone());
        let span = Mutex::new((Stamp::now(), None));
        let (text, acted) = (text.to_owned(), AtomicBool::new(false));
        let hits = Arc::new(Self { text, aim, wire, journal, span, acted });
        lab.stage().keep_fault(hits.clone());
        hits
    }

    /// The fault's name in words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Notes that the fault acts from now on.
    pub fn on(&self) {
        self.acted.store(true, Ordering::Relaxed);
        let text = self.text.clone();
        self.journal.write(&Record::Fault { at: Stamp::now(), on: true, text });
    }

    /// Notes that it acts no more.
    pub fn off(&self) {
        if !self.acted.load(Ordering::Relaxed) {
            return;
        }
        let at = Stamp::now();
        self.span.lock().expect("no holder of this lock panics").1 = Some(at);
        self.journal.write(&Record::Fault { at, on: false, text: self.text.clone() });
    }

    /// The segments it has hit by now.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn settled(&self) -> Result<Vec<Segment>> {
        self.wire.settle().await?;
        Ok(self.so_far())
    }

    fn so_far(&self) -> Vec<Segment> {
        let (on, off) = *self.span.lock().expect("no holder of this lock panics");
        let inside = |at: Stamp| at >= on && off.is_none_or(|off| at <= off);
        let mut segments = self.wire.segments();
        segments.retain(|segment| {
            let hit = match segment.sent {
                Some(_) => self.aim.any_fate || segment.swallowed(),
                None => self.aim.copies,
            };
            hit && inside(segment.at())
                && self.aim.to.as_ref().is_none_or(|to| *to == segment.to)
                && self.aim.from.as_ref().is_none_or(|from| *from == segment.from)
                && self.aim.only.is_none_or(|flags| segment.flags.contains(flags))
        });
        segments
    }

    /// How many frames about who is where on the wire it has swallowed.
    fn unresolved(&self) -> usize {
        let (on, off) = *self.span.lock().expect("no holder of this lock panics");
        let hit = |stray: &Stray| {
            stray.what.kind == Kind::Neighbour
                && stray.arrived.is_none()
                && stray.at() >= on
                && off.is_none_or(|off| stray.at() <= off)
                && self.aim.from.as_ref().is_none_or(|from| *from == stray.from)
        };
        if self.aim.resolution { self.wire.strays().iter().filter(|it| hit(it)).count() } else { 0 }
    }

    /// As [`Self::settled`], the questions and answers about who is where.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn unresolved_settled(&self) -> Result<usize> {
        self.wire.settle().await?;
        Ok(self.unresolved())
    }
}

impl Inspect for Hits {
    fn inspect(&self) -> Result {
        let acted = self.acted.load(Ordering::Relaxed);
        if !acted || self.aim.may_miss || !self.so_far().is_empty() || self.unresolved() > 0 {
            return Ok(());
        }
        let (expected, seen) = ("swallows at least one segment", "swallowed nothing");
        Err(Error::mismatch(self.text.clone(), expected, seen))
    }
}
