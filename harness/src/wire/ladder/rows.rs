//! The rows of a ladder: what has one, in which order, and in which words.

use std::collections::HashMap;
use std::time::Duration;

use super::super::flags::Flags;
use super::super::other::Kind;
use super::super::segment::Segment;
use super::super::story::{CallRecord, Notice, Story, Topic};
use super::super::trace::Stray;
use super::brief;
use super::canvas::{Arrow, Side};
use lastack_sys::Stamp;

/// A call that took less than this did not block, whatever happened meanwhile.
const QUICK: Duration = Duration::from_millis(1);

/// A journey at least this long is told; a path inside one kernel takes microseconds.
const SLOW: Duration = Duration::from_millis(1);

/// One row of a ladder.
pub(super) enum Row<'a> {
    Segment(&'a Segment),
    Stray(&'a Stray),
    Call(&'a CallRecord, Part),
    Notice(&'a Notice),
}

/// Which part of a call a row tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Whole,
    Beginning,
    End,
}

impl Part {
    /// This part of the call in words.
    pub(super) fn of(self, story: &Story, call: &CallRecord) -> String {
        let name = story.name_of(call);
        let Some((ended, result)) = &call.ended else {
            return match story.full {
                None => format!("{name} (never returned)"),
                Some(_) => format!("{name} (no return in the journal)"),
            };
        };
        let took = ended.since(call.began);
        match self {
            Self::Beginning if took < QUICK => format!("{name} …"),
            Self::Beginning => format!("{name} … blocked"),
            Self::Whole | Self::End if took < QUICK => format!("{name} = {result}"),
            Self::Whole | Self::End => format!("{name} = {result} after {}", brief(took)),
        }
    }
}

impl CallRecord {
    /// Whether it came back with an error.
    pub(super) fn failed(&self) -> bool {
        self.ended.as_ref().is_some_and(|(_, result)| result.starts_with("-1"))
    }

    /// Whether it took long, or never came back.
    pub(super) fn blocked(&self) -> bool {
        self.ended.as_ref().is_none_or(|(ended, _)| ended.since(self.began) >= QUICK)
    }
}

impl Row<'_> {
    /// What stands on the arrow, if it is one.
    pub(super) fn label(&self, story: &Story) -> String {
        match self {
            Self::Segment(segment) if story.trace.connections() > 1 => {
                format!("#{} {}", segment.connection + 1, segment.headline())
            }
            Self::Segment(segment) => segment.headline(),
            Self::Stray(stray) => stray.what.text.clone(),
            _ => String::new(),
        }
    }

    /// Whether it says more than that everything goes on as before.
    pub(super) fn is_remarkable(&self) -> bool {
        let telling = Flags::SYN | Flags::FIN | Flags::RST;
        match self {
            Self::Segment(it) => !it.marks().is_empty() || it.flags.intersects(telling),
            Self::Call(call, _) => call.failed() || call.blocked(),
            Self::Stray(_) | Self::Notice(_) => true,
        }
    }

    /// How long the words of a call on this host are, if the row is one.
    pub(super) fn call_length(&self, story: &Story, host: &str) -> Option<usize> {
        match self {
            Self::Call(call, part) if call.host == host => {
                Some(part.of(story, call).chars().count())
            }
            _ => None,
        }
    }

    pub(super) fn arrow(&self, story: &Story, left: &str) -> Arrow {
        let (from, sent, arrived, mark) = match self {
            Self::Segment(it) if it.retransmission => {
                (&it.from, it.sent, it.arrived, "retransmission")
            }
            Self::Segment(it) if it.probe => (&it.from, it.sent, it.arrived, "probe"),
            Self::Segment(it) => (&it.from, it.sent, it.arrived, ""),
            Self::Stray(it) => (&it.from, it.sent, it.arrived, ""),
            _ => unreachable!("calls and notices are no arrows"),
        };
        let mark = if sent.is_none() { "from the middle" } else { mark };
        let from = Side::of(from, left);
        let arrival = journey(sent, arrived).unwrap_or_default();
        let (departs, arrives) = (sent.is_some(), arrived.is_some());
        Arrow { label: self.label(story), from, departs, arrives, mark, arrival }
    }

    /// The row where there are no columns.
    pub(super) fn line(&self, story: &Story) -> String {
        let tail = |marks: Vec<&str>, slow: Option<String>| {
            let marks: Vec<_> = marks.into_iter().map(str::to_owned).chain(slow).collect();
            if marks.is_empty() { String::new() } else { format!("  ({})", marks.join(", ")) }
        };
        match self {
            Self::Segment(it) => {
                let slow = it.arrived.and(journey(it.sent, it.arrived));
                let marks = tail(it.marks(), slow);
                format!("{} → {}  {}{marks}", it.from, it.to, self.label(story))
            }
            Self::Stray(it) => {
                let middle = it.sent.is_none().then_some("from the middle");
                let marks = tail(middle.into_iter().collect(), journey(it.sent, it.arrived));
                format!("{} → {}  {}{marks}", it.from, it.to, it.what.text)
            }
            Self::Call(call, part) => format!("{}: {}", call.host, part.of(story, call)),
            Self::Notice(notice) => {
                let rule = rule(notice).to_string().repeat(3);
                format!("{rule} {} {rule}", notice.words())
            }
        }
    }
}

/// Everything that gets a row, in order of time.
pub(super) fn rows(story: &Story) -> Vec<(Stamp, Row<'_>)> {
    let mut rows: Vec<(Stamp, Row<'_>)> = Vec::new();
    let segments = story.trace.segments().iter();
    rows.extend(segments.map(|segment| (segment.at(), Row::Segment(segment))));
    let strays = story.trace.strays().iter().filter(|it| it.what.kind != Kind::Chatter);
    rows.extend(strays.map(|stray| (stray.at(), Row::Stray(stray))));
    rows.extend(story.notices.iter().map(|notice| (notice.at, Row::Notice(notice))));
    let mut moments: Vec<Stamp> = rows.iter().map(|(at, _)| *at).collect();
    moments.extend(story.calls.iter().map(|call| call.began));
    moments.extend(story.calls.iter().filter_map(|call| Some(call.ended.as_ref()?.0)));
    moments.sort_unstable();
    let arrivals = arrivals(story);
    for call in &story.calls {
        let Some((ended, _)) = &call.ended else {
            rows.push((call.began, Row::Call(call, Part::Beginning)));
            continue;
        };
        let next = moments.partition_point(|at| *at <= call.began);
        let alone = moments.get(next).is_none_or(|at| at >= ended);
        // A result must not be told above the segment that it may have come from.
        let heard = arrivals.get(call.host.as_str()).is_some_and(|arrivals| {
            let next = arrivals.partition_point(|at| *at < call.began);
            arrivals.get(next).is_some_and(|at| at <= ended)
        });
        if alone || (!call.blocked() && !heard) {
            rows.push((call.began, Row::Call(call, Part::Whole)));
        } else {
            rows.push((call.began, Row::Call(call, Part::Beginning)));
            rows.push((*ended, Row::Call(call, Part::End)));
        }
    }
    // At one moment a call comes before what it caused, and its end after.
    let rank = |row: &Row<'_>| match row {
        Row::Notice(_) => 0,
        Row::Call(_, Part::Whole | Part::Beginning) => 1,
        Row::Segment(_) | Row::Stray(_) => 2,
        Row::Call(_, Part::End) => 3,
    };
    rows.sort_by_key(|(at, row)| (*at, rank(row)));
    rows
}

/// When segments reached each host, in order of time.
fn arrivals(story: &Story) -> HashMap<&str, Vec<Stamp>> {
    let mut arrivals: HashMap<&str, Vec<Stamp>> = HashMap::new();
    for segment in story.trace.segments() {
        if let Some(at) = segment.arrived {
            arrivals.entry(&segment.to).or_default().push(at);
        }
    }
    arrivals.values_mut().for_each(|at| at.sort_unstable());
    arrivals
}

impl Notice {
    /// What stands in its row.
    pub(super) fn words(&self) -> String {
        match self.topic {
            Topic::FaultOn => format!("fault on: {}", self.text),
            Topic::FaultOff => format!("fault off: {}", self.text),
            Topic::Note => self.text.clone(),
        }
    }
}

/// What the row of a notice is ruled with.
pub(super) fn rule(notice: &Notice) -> char {
    if notice.topic == Topic::Note { '┄' } else { '═' }
}

/// What is worth saying about how something travelled.
fn journey(sent: Option<Stamp>, arrived: Option<Stamp>) -> Option<String> {
    match (sent?, arrived) {
        (_, None) => Some("swallowed".to_owned()),
        (sent, Some(arrived)) => {
            let took = arrived.since(sent);
            (took >= SLOW).then(|| format!("{} later", brief(took)))
        }
    }
}
