//! Very long ladders: what repeats itself in their middle is counted instead of drawn.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::rows::{Part, Row};
use super::thousands;
use lastack_sys::Stamp;

/// Nobody reads more rows than this: of a longer ladder the first and the last half of them are
/// drawn, and between them only what is new.
const ROWS: usize = 400;

/// How many rows may be drawn between the two halves: faults and notes, and everything else.
const BETWEEN: [usize; 2] = [100, 200];

/// How often a row of one kind may be drawn before more of its kind, in the middle, are counted:
/// one that says nothing new, and a remarkable one.
const ALIKE: [u32; 2] = [1, 20];

/// What is drawn one below the other.
pub(super) enum Item<'a> {
    Row(Stamp, Row<'a>),
    Folded(Folded),
}

/// How much stands folded in one place, by what it is.
#[derive(Default)]
pub(super) struct Folded {
    calls: usize,
    segments: usize,
    others: usize,
    notices: usize,
    /// Among it are rows of a kind that was not drawn before.
    new: bool,
    /// When the last of it was.
    until: Option<Stamp>,
}

/// The rows themselves, where there are not too many; else without the middle.
pub(super) fn shorten<'a>(rows: Vec<(Stamp, Row<'a>)>) -> Vec<Item<'a>> {
    if rows.len() <= ROWS {
        return rows.into_iter().map(|(at, row)| Item::Row(at, row)).collect();
    }
    let middle = ROWS / 2..rows.len() - ROWS / 2;
    let mut drawn: HashMap<u64, u32> = HashMap::new();
    let mut room = BETWEEN;
    let mut items: Vec<Item<'a>> = Vec::new();
    for (i, (at, row)) in rows.into_iter().enumerate() {
        let alike = drawn.entry(kind(&row)).or_default();
        if middle.contains(&i) {
            let room = &mut room[usize::from(!matches!(row, Row::Notice(_)))];
            if *alike >= ALIKE[usize::from(row.is_remarkable())] || *room == 0 {
                fold(&mut items, at, &row, *alike == 0);
                continue;
            }
            *room -= 1;
        }
        *alike += 1;
        items.push(Item::Row(at, row));
    }
    items
}

fn fold(items: &mut Vec<Item<'_>>, at: Stamp, row: &Row<'_>, new: bool) {
    if !matches!(items.last(), Some(Item::Folded(_))) {
        items.push(Item::Folded(Folded::default()));
    }
    let Some(Item::Folded(folded)) = items.last_mut() else { return };
    folded.new |= new;
    folded.until = Some(at);
    match row {
        Row::Segment(_) => folded.segments += 1,
        Row::Stray(_) => folded.others += 1,
        Row::Notice(_) => folded.notices += 1,
        // A call is counted once, though its end has a row of its own.
        Row::Call(_, Part::End) => {}
        Row::Call(..) => folded.calls += 1,
    }
}

/// A number for all rows that differ only in their numbers: descriptors, ports, sequence numbers.
fn kind(row: &Row<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match row {
        Row::Segment(it) => {
            (0, &it.from, &it.to, it.flags, it.marks()).hash(&mut hasher);
            (it.payload == 0, it.window == 0).hash(&mut hasher);
        }
        Row::Stray(it) => {
            (1, &it.from, &it.to, it.sent.is_some(), it.arrived.is_some()).hash(&mut hasher);
            without_numbers(&it.what.text, &mut hasher);
        }
        Row::Call(call, part) => {
            (2, &call.host, &call.process, part, call.blocked()).hash(&mut hasher);
            without_numbers(&call.text, &mut hasher);
            if let Some((_, result)) = &call.ended {
                without_numbers(result, &mut hasher);
            }
        }
        Row::Notice(it) => {
            3.hash(&mut hasher);
            without_numbers(&it.words(), &mut hasher);
        }
    }
    hasher.finish()
}

/// Text up to its first quotation mark, with one sign for each number.
fn without_numbers(text: &str, hasher: &mut DefaultHasher) {
    let mut number = false;
    for byte in text.bytes().take_while(|byte| *byte != b'"') {
        if !byte.is_ascii_digit() {
            hasher.write_u8(byte);
        } else if !number {
            hasher.write_u8(b'#');
        }
        number = byte.is_ascii_digit();
    }
    hasher.write_u8(0xff);
}

impl<'a> Item<'a> {
    /// The row, if it is drawn.
    pub(super) fn row(&self) -> Option<&Row<'a>> {
        match self {
            Self::Row(_, row) => Some(row),
            Self::Folded(_) => None,
        }
    }
}

impl Folded {
    /// When the last of it was.
    pub(super) fn until(&self) -> Option<Stamp> {
        self.until
    }

    /// How much it is: "1,996 calls and 12 segments like these".
    pub(super) fn words(&self) -> String {
        let all = [
            (self.calls, "call"),
            (self.segments, "segment"),
            (self.others, "other frame"),
            (self.notices, "note"),
        ];
        let some: Vec<_> = all.into_iter().filter(|(count, _)| *count > 0).collect();
        let counted = some.iter().map(|(count, what)| {
            let plural = if *count == 1 { "" } else { "s" };
            format!("{} {what}{plural}", thousands(*count))
        });
        let counted: Vec<_> = counted.collect();
        let all = match counted.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        };
        format!("{all} {}", if self.new { "left out" } else { "like these" })
    }
}
