//! The ladder: a case told from top to bottom, hosts side by side, everything on one clock.

use std::time::Duration;

use super::flags::Flags;
use super::journal::Record;
use super::other::Kind;
use super::segment::Segment;
use super::story::{Call, Notice, Story, Topic};
use super::trace::Stray;
use crate::stamp::Stamp;

mod canvas;

use canvas::{Arrow, Canvas, Side};

/// A call that took less than this did not block, whatever happened meanwhile.
const QUICK: Duration = Duration::from_millis(1);

/// A pause at least this long gets a row of its own.
const SILENCE: Duration = Duration::from_millis(100);

/// The time column is as wide as the longest time, and at least this.
const TIME: usize = 10;

/// A journey at least this long is told; a path inside one kernel takes microseconds.
const SLOW: Duration = Duration::from_millis(1);

/// More rows than this are not read by anyone: in the middle of a longer ladder, segments that
/// only carry data or acknowledge it are counted instead of drawn.
const ROWS: usize = 400;

/// Draws the ladder of a case from the records of its journal, however it ended: two hosts as
/// lifelines with arrows between them and their calls on the outer sides, any other number as
/// a list. At most 110 columns, unless names are very long.
#[must_use]
pub fn ladder(records: &[Record]) -> String {
    draw(&Story::of(records))
}

/// Draws the ladder of a story.
#[must_use]
pub fn draw(story: &Story) -> String {
    let rows = rows(story);
    let [(zero, _), ..] = rows.as_slice() else { return "nothing was seen\n".to_owned() };
    let time = rows.last().map_or(0, |(last, _)| millis(last.since(*zero)).len()).max(TIME);
    let (mut page, hosts) = match story.hosts.as_slice() {
        [(left, _), (right, _)] => {
            let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
            let label = longest(&mut rows.iter().map(|(_, row)| row.label(story).chars().count()));
            let [gutter, other] = [left, right].map(|host| {
                longest(&mut rows.iter().filter_map(|(_, row)| row.call_length(story, host)))
            });
            let mut canvas = Canvas::new(time, label, gutter, other);
            canvas.heading(&title(story, left), &title(story, right));
            (Page::Beside(canvas), [left.as_str(), right.as_str()])
        }
        _ => (Page::List(String::new(), time), ["", ""]),
    };
    for line in legend(story) {
        page.text(&line);
    }
    let mut previous = *zero;
    let mut left_out = 0;
    for (i, (at, row)) in rows.iter().enumerate() {
        let middle = rows.len() > ROWS && (ROWS / 2..rows.len() - ROWS / 2).contains(&i);
        if middle && row.is_dull() {
            left_out += 1;
            previous = *at;
            continue;
        }
        if left_out > 0 {
            page.gap(&format!("{left_out} plain segments left out"));
            left_out = 0;
        }
        let pause = at.since(previous);
        if pause >= SILENCE {
            page.gap(&brief(pause));
        }
        page.row(story, hosts, &millis(at.since(*zero)), row);
        previous = *at;
    }
    page.finish()
}

/// What ladders are drawn on.
enum Page {
    Beside(Canvas),
    /// What is written, and the columns of the time.
    List(String, usize),
}

impl Page {
    fn text(&mut self, text: &str) {
        match self {
            Self::Beside(canvas) => canvas.text(text),
            Self::List(out, width) => *out += &format!("{:>width$}  {text}\n", ""),
        }
    }

    fn gap(&mut self, text: &str) {
        match self {
            Self::Beside(canvas) => canvas.gap(text),
            Self::List(out, width) => *out += &format!("{:>width$}  {text}\n", "⋮"),
        }
    }

    fn row(&mut self, story: &Story, hosts: [&str; 2], time: &str, row: &Row<'_>) {
        match self {
            Self::Beside(canvas) => match row {
                Row::Call(call, told) => {
                    canvas.aside(time, Side::of(&call.host, hosts[0]), &say(story, call, *told));
                }
                Row::Notice(notice) => canvas.across(time, &words(notice), rule(notice)),
                Row::Segment(_) | Row::Stray(_) => canvas.arrow(time, &row.arrow(story, hosts[0])),
            },
            Self::List(out, width) => {
                let line = row.line(story).replace(char::is_control, " ");
                *out += &format!("{time:>width$}  {line}\n");
            }
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Beside(canvas) => canvas.finish(),
            Self::List(out, _) => out,
        }
    }
}

/// One row of a ladder.
enum Row<'a> {
    Segment(&'a Segment),
    Stray(&'a Stray),
    Call(&'a Call, Told),
    Notice(&'a Notice),
}

/// How much of a call a row tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Whole,
    Beginning,
    End,
}

impl Row<'_> {
    /// What stands on the arrow, if it is one.
    fn label(&self, story: &Story) -> String {
        match self {
            Self::Segment(segment) if story.trace.connections() > 1 => {
                format!("#{} {}", segment.connection + 1, segment.headline())
            }
            Self::Segment(segment) => segment.headline(),
            Self::Stray(stray) => stray.what.text.clone(),
            _ => String::new(),
        }
    }

    /// Whether a reader of a long ladder can do without it.
    fn is_dull(&self) -> bool {
        let telling = Flags::SYN | Flags::FIN | Flags::RST;
        match self {
            Self::Segment(it) => it.marks().is_empty() && !it.flags.intersects(telling),
            _ => false,
        }
    }

    /// How long the words of a call on this host are, if the row is one.
    fn call_length(&self, story: &Story, host: &str) -> Option<usize> {
        match self {
            Self::Call(call, told) if call.host == host => {
                Some(say(story, call, *told).chars().count())
            }
            _ => None,
        }
    }

    fn arrow(&self, story: &Story, left: &str) -> Arrow {
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
    fn line(&self, story: &Story) -> String {
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
            Self::Call(call, told) => format!("{}: {}", call.host, say(story, call, *told)),
            Self::Notice(notice) => {
                let rule = rule(notice).to_string().repeat(3);
                format!("{rule} {} {rule}", words(notice))
            }
        }
    }
}

/// Everything that gets a row, in order of time.
fn rows(story: &Story) -> Vec<(Stamp, Row<'_>)> {
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
            rows.push((call.began, Row::Call(call, Told::Beginning)));
            continue;
        };
        let next = moments.partition_point(|at| *at <= call.began);
        let alone = moments.get(next).is_none_or(|at| at >= ended);
        // A result must not be told above the segment that it may have come from.
        let heard = arrivals
            .iter()
            .any(|(at, host)| call.began <= *at && at <= ended && *host == call.host);
        if alone || (ended.since(call.began) < QUICK && !heard) {
            rows.push((call.began, Row::Call(call, Told::Whole)));
        } else {
            rows.push((call.began, Row::Call(call, Told::Beginning)));
            rows.push((*ended, Row::Call(call, Told::End)));
        }
    }
    // At one moment a call comes before what it caused, and its end after.
    let rank = |row: &Row<'_>| match row {
        Row::Notice(_) => 0,
        Row::Call(_, Told::Whole | Told::Beginning) => 1,
        Row::Segment(_) | Row::Stray(_) => 2,
        Row::Call(_, Told::End) => 3,
    };
    rows.sort_by_key(|(at, row)| (*at, rank(row)));
    rows
}

/// When something reached a host, and which.
fn arrivals(story: &Story) -> Vec<(Stamp, &str)> {
    let segments = story.trace.segments().iter().map(|it| (it.arrived, it.to.as_str()));
    segments.filter_map(|(at, to)| Some((at?, to))).collect()
}

/// A host's name and address, with the port where there is only one connection.
fn title(story: &Story, host: &str) -> String {
    let of_segment = |segment: &Segment| {
        let end = if segment.from == host { segment.src } else { segment.dst };
        end.to_string()
    };
    let addresses = || {
        let known = story.hosts.iter().find(|(name, _)| name == host);
        let known = known.map(|(_, addresses)| addresses.as_slice()).unwrap_or_default();
        known.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let ends = match story.trace.segments() {
        [first, ..] if story.trace.connections() == 1 => of_segment(first),
        _ => addresses(),
    };
    format!("{host}  {ends}").trim_end().to_owned()
}

/// Which connection each number stands for, where there are several.
fn legend(story: &Story) -> Vec<String> {
    let count = story.trace.connections();
    if count < 2 {
        return Vec::new();
    }
    let segments = story.trace.segments();
    let first = |connection| segments.iter().find(|segment| segment.connection == connection);
    let line = |it: &Segment| {
        let (number, from, to) = (it.connection + 1, &it.from, &it.to);
        format!("#{number}  {from} {} → {to} {}", it.src, it.dst)
    };
    (0..count).filter_map(first).map(line).collect()
}

fn say(story: &Story, call: &Call, told: Told) -> String {
    let name = story.name_of(call);
    let Some((ended, result)) = &call.ended else { return format!("{name} (never returned)") };
    let took = ended.since(call.began);
    match told {
        Told::Beginning if took < QUICK => format!("{name} …"),
        Told::Beginning => format!("{name} … blocked"),
        Told::Whole | Told::End if took < QUICK => format!("{name} = {result}"),
        Told::Whole | Told::End => format!("{name} = {result} after {}", brief(took)),
    }
}

fn words(notice: &Notice) -> String {
    match notice.topic {
        Topic::FaultOn => format!("fault on: {}", notice.text),
        Topic::FaultOff => format!("fault off: {}", notice.text),
        Topic::Note => notice.text.clone(),
    }
}

fn rule(notice: &Notice) -> char {
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

/// Milliseconds with three places, as in the time column.
fn millis(time: Duration) -> String {
    let micros = time.as_micros();
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

/// A duration for people: "31 µs", "204.1 ms", "3.12 s".
fn brief(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..1000 => format!("{micros} µs"),
        micros @ 1000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        micros => format!("{:.2} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests;
