//! The ladder: a case told from top to bottom, hosts side by side, everything on one clock.
//!
//! It opens with the connection. What was done to the sockets before is one line at its head
//! (`setup`), and of a very long story the middle is counted instead of drawn (`fold`), so that
//! its length and the time it takes are bounded.

use std::time::Duration;

use super::segment::Segment;
use super::story::Story;
use lastack_sys::Stamp;

mod canvas;
mod fold;
mod rows;
mod setup;

use canvas::{Canvas, Side, WIDTH, clip};
use fold::Item;
use rows::Row;
use setup::SetUp;

/// A pause at least this long gets a row of its own.
const SILENCE: Duration = Duration::from_millis(100);

/// The time column is as wide as the longest time, and at least this.
const TIME: usize = 10;

/// How many connections the head of a ladder lists at each end, where there are many.
const LISTED: usize = 6;

/// Draws the ladder of a story, however it ended: two hosts as lifelines with arrows between them
/// and their calls on the outer sides, any other number as a list. At most 100 columns.
///
/// Times count in milliseconds from the first segment, as those in the messages of expectations
/// do; what came before has a minus sign.
#[must_use]
pub fn draw(story: &Story) -> String {
    let (set_up, rows) = setup::split(story, rows::rows(story));
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else {
        return "nothing was seen\n".to_owned();
    };
    let zero = story.trace.segments().first().map_or(*first, Segment::at);
    let time = [*first, *last].map(|at| clock(at, zero).len());
    let time = time.into_iter().fold(TIME, usize::max);
    let mut previous = *first;
    let items = fold::shorten(rows);
    let mut page = Page::new(story, time, &items);
    page.head(&set_up, &legend(story));
    for item in &items {
        match item {
            Item::Row(at, row) => {
                let pause = at.since(previous);
                if pause >= SILENCE {
                    page.gap(&brief(pause));
                }
                page.row(story, &clock(*at, zero), row);
                previous = *at;
            }
            Item::Folded(folded) => {
                page.gap(&folded.words());
                previous = folded.until().unwrap_or(previous);
            }
        }
    }
    page.finish()
}

/// What ladders are drawn on.
enum Page<'s> {
    /// Two hosts beside each other, and the left one's name.
    Beside(Canvas, &'s str),
    /// What is written, and the columns of the time.
    List(String, usize),
}

impl<'s> Page<'s> {
    /// A page on which these rows find room.
    fn new(story: &'s Story, time: usize, items: &[Item<'_>]) -> Self {
        let [(left, _), (right, _)] = story.hosts.as_slice() else {
            return Self::List(String::new(), time);
        };
        let rows = || items.iter().filter_map(Item::row);
        let label = rows().map(|row| row.label(story).chars().count()).max().unwrap_or(0);
        let [gutter, other] = [left, right]
            .map(|host| rows().filter_map(|row| row.call_length(story, host)).max().unwrap_or(0));
        let mut canvas = Canvas::new(time, label, gutter, other);
        canvas.heading(&title(story, left), &title(story, right));
        Self::Beside(canvas, left)
    }

    /// What stands above the rows.
    fn head(&mut self, set_up: &SetUp, legend: &[String]) {
        let width = WIDTH - self.time() - 2;
        for (i, line) in set_up.lines(width).iter().enumerate() {
            self.text(if i == 0 { "set up" } else { "" }, line);
        }
        for line in legend.iter().flat_map(|line| wrap(line, width)) {
            self.text("", &line);
        }
    }

    /// Columns of the time.
    fn time(&self) -> usize {
        match self {
            Self::Beside(canvas, _) => canvas.time(),
            Self::List(_, width) => *width,
        }
    }

    /// A line of text without lifelines, and what stands in the column of the time.
    fn text(&mut self, time: &str, text: &str) {
        match self {
            Self::Beside(canvas, _) => canvas.text(time, text),
            Self::List(out, width) => listed(out, *width, time, text),
        }
    }

    fn gap(&mut self, text: &str) {
        match self {
            Self::Beside(canvas, _) => canvas.gap(text),
            Self::List(out, width) => listed(out, *width, "⋮", text),
        }
    }

    fn row(&mut self, story: &Story, time: &str, row: &Row<'_>) {
        match self {
            Self::Beside(canvas, left) => match row {
                Row::Call(call, part) => {
                    canvas.aside(time, Side::of(&call.host, left), &part.of(story, call));
                }
                Row::Notice(notice) => canvas.across(time, &notice.words(), rows::rule(notice)),
                Row::Segment(_) | Row::Stray(_) => canvas.arrow(time, &row.arrow(story, left)),
            },
            Self::List(out, width) => listed(out, *width, time, &row.line(story)),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Beside(canvas, _) => canvas.finish(),
            Self::List(out, _) => out,
        }
    }
}

/// A line of a list.
fn listed(out: &mut String, width: usize, time: &str, text: &str) {
    let text = clip(text, WIDTH - width - 2).replace(char::is_control, " ");
    *out += &format!("{time:>width$}  {text}\n");
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
    // Where there are many, those in the middle are not listed.
    let hidden = if count > 2 * LISTED { LISTED..count - LISTED } else { 0..0 };
    let mut lines = vec![String::new(); count];
    for it in story.trace.segments() {
        let line = &mut lines[it.connection];
        if line.is_empty() && !hidden.contains(&it.connection) {
            let (number, from, to) = (it.connection + 1, &it.from, &it.to);
            *line = format!("#{number}  {from} {} → {to} {}", it.src, it.dst);
        }
    }
    if !hidden.is_empty() {
        lines[hidden.start] = format!("… {} more connections", thousands(hidden.len()));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A moment in milliseconds from `zero` on, with three places.
fn clock(at: Stamp, zero: Stamp) -> String {
    let (sign, time) = if at < zero { ("-", zero.since(at)) } else { ("", at.since(zero)) };
    let micros = time.as_micros();
    format!("{sign}{}.{:03}", micros / 1000, micros % 1000)
}

/// A duration for people: "31 µs", "204.1 ms", "3.12 s".
fn brief(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..1000 => format!("{micros} µs"),
        micros @ 1000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        micros => format!("{:.2} s", micros as f64 / 1e6),
    }
}

/// A number with its digits in groups: "1,996".
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let comma = |i: usize| i > 0 && (digits.len() - i).is_multiple_of(3);
    let chars = digits.chars().enumerate();
    chars.flat_map(|(i, digit)| comma(i).then_some(',').into_iter().chain([digit])).collect()
}

/// Lines of at most `width` columns, broken between words; those after the first are indented.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("    {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests;
