//! Where things stand on a ladder of two hosts: two lifelines, a lane between them for arrows,
//! a gutter on each outer side for calls.

/// Columns of a whole line.
pub(super) const WIDTH: usize = 100;

/// The narrowest and the widest lane.
const LANE: (usize, usize) = (40, 54);

/// The narrowest gutter: it must hold "from the middle".
const GUTTER: usize = 15;

/// What a gutter may ask for at most; one very long call must not starve the other side.
const LONG: usize = 40;

/// One of the two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

impl Side {
    pub(super) fn of(host: &str, left: &str) -> Self {
        if host == left { Self::Left } else { Self::Right }
    }
}

/// Something on its way from one host to the other.
pub(super) struct Arrow {
    pub(super) label: String,
    pub(super) from: Side,
    /// Starts at its sender; otherwise in the middle.
    pub(super) departs: bool,
    /// Reaches its receiver; otherwise it ends in a cross.
    pub(super) arrives: bool,
    /// What stands beside its start.
    pub(super) mark: &'static str,
    /// What stands beside its end.
    pub(super) arrival: String,
}

/// A ladder being drawn.
pub(super) struct Canvas {
    out: String,
    /// Columns of the time, right-aligned.
    time: usize,
    lane: usize,
    /// Columns of the left gutter; the right one has what is left of the line.
    gutter: usize,
}

impl Canvas {
    /// A canvas for times of `time` characters, whose lane fits labels of up to `label`, and whose
    /// gutters fit calls of as many as `left` and `right`, as far as there is room.
    pub(super) fn new(time: usize, label: usize, left: usize, right: usize) -> Self {
        // After the time two blanks; between gutters and lane two lifelines, each with a blank on
        // its outer side.
        let room = WIDTH - (time + 2) - 4 - 2 * GUTTER;
        // The label, two blanks, three strokes before it, two and a tip behind.
        let lane = (label + 8).clamp(LANE.0, LANE.1.min(room));
        let spare = room - lane;
        let wish = |length: usize| length.min(LONG).saturating_sub(GUTTER);
        let (left, right) = (wish(left), wish(right));
        let share = match spare.checked_sub(left + right) {
            Some(rest) => left + rest / 2,
            None => spare * left / (left + right),
        };
        Self { out: String::new(), time, lane, gutter: GUTTER + share }
    }

    /// Columns of the time.
    pub(super) fn time(&self) -> usize {
        self.time
    }

    /// Where the left gutter begins.
    fn left(&self) -> usize {
        self.time + 2
    }

    fn left_line(&self) -> usize {
        self.left() + self.gutter + 1
    }

    fn right_line(&self) -> usize {
        self.left_line() + self.lane + 1
    }

    /// The names of the hosts, each centred on its lifeline as far as there is room, and below
    /// each other where they are too long.
    pub(super) fn heading(&mut self, left: &str, right: &str) {
        let mut row = Line::new();
        row.put_right(self.time, "ms");
        let room = WIDTH - self.left();
        let [left, right] = [left, right].map(|name| clip(name, room));
        let [left_length, right_length] = [&left, &right].map(|name| name.chars().count());
        let beside = left_length + 2 + right_length <= room;
        let last =
            if beside { WIDTH - right_length - 2 - left_length } else { WIDTH - left_length };
        let at = self.left_line().saturating_sub(left_length / 2);
        row.put(at.clamp(self.left(), last), &left);
        if !beside {
            self.push(&row);
            row = Line::new();
        }
        let least = if beside { row.end() + 2 } else { self.left() };
        let at = self.right_line().saturating_sub(right_length / 2);
        row.put(at.clamp(least, WIDTH - right_length), &right);
        self.push(&row);
    }

    /// A line of text without lifelines, and what stands in the column of the time.
    pub(super) fn text(&mut self, time: &str, text: &str) {
        let mut row = Line::new();
        row.put_right(self.time, time);
        row.put(self.left(), &clip(text, WIDTH - self.left()));
        self.push(&row);
    }

    /// A row in which time passes and nothing happens.
    pub(super) fn gap(&mut self, text: &str) {
        let mut row = self.lifelines('⋮');
        let length = text.chars().count();
        row.put(self.left_line() + 1 + (self.lane.saturating_sub(length) / 2).max(1), text);
        self.push(&row);
    }

    /// Something that a host does by itself. Long words run into the lane, which is free.
    pub(super) fn aside(&mut self, time: &str, side: Side, text: &str) {
        let mut row = self.lifelines('│');
        row.put_right(self.time, time);
        let length = text.chars().count();
        match side {
            Side::Left => row.put(self.left(), &clip(text, self.right_line() - 1 - self.left())),
            Side::Right => {
                let earliest = self.left_line() + 2;
                let at = (self.right_line() + 2).min(WIDTH.saturating_sub(length)).max(earliest);
                row.put(at, &clip(text, WIDTH - at));
            }
        }
        self.push(&row);
    }

    /// Something that concerns everyone, ruled across the lifelines.
    pub(super) fn across(&mut self, time: &str, text: &str, rule: char) {
        let mut row = Line::new();
        row.put_right(self.time, time);
        let text = clip(text, WIDTH - self.left() - 6);
        let mut ruled = format!("{rule}{rule} {text} ");
        let length = ruled.chars().count();
        ruled.extend(std::iter::repeat_n(rule, WIDTH - self.left() - length));
        row.put(self.left(), &ruled);
        self.push(&row);
    }

    pub(super) fn arrow(&mut self, time: &str, arrow: &Arrow) {
        let mut row = self.lifelines('│');
        row.put_right(self.time, time);
        row.put(self.left_line() + 1, &self.shaft(arrow));
        let (at_left, at_right) = match arrow.from {
            Side::Left => (arrow.mark, arrow.arrival.as_str()),
            Side::Right => (arrow.arrival.as_str(), arrow.mark),
        };
        row.put_right(self.left_line() - 1, at_left);
        row.put(self.right_line() + 2, at_right);
        self.push(&row);
    }

    /// The arrow itself, as wide as the lane.
    fn shaft(&self, arrow: &Arrow) -> String {
        let rightward = arrow.from == Side::Left;
        let label = clip(&arrow.label, self.lane - 8);
        let least = label.chars().count() + 8;
        let whole = arrow.departs && arrow.arrives;
        let length = if whole { self.lane } else { least.max(self.lane * 4 / 5) };
        let tip = match (arrow.arrives, rightward) {
            (false, _) => '╳',
            (true, true) => '▶',
            (true, false) => '◀',
        };
        let tail = if arrow.departs { '─' } else { '○' };
        let dashes = "─".repeat(length - least + 2);
        let blank = " ".repeat(self.lane - length);
        let (near, far) = if arrow.departs { ("", blank.as_str()) } else { (blank.as_str(), "") };
        if rightward {
            format!("{near}{tail}── {label} {dashes}{tip}{far}")
        } else {
            format!("{far}{tip}{dashes} {label} ──{tail}{near}")
        }
    }

    fn lifelines(&self, stroke: char) -> Line {
        let mut row = Line::new();
        let stroke = stroke.to_string();
        row.put(self.left_line(), &stroke);
        row.put(self.right_line(), &stroke);
        row
    }

    fn push(&mut self, row: &Line) {
        self.out.extend(&row.0);
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// One line: characters at columns.
struct Line(Vec<char>);

impl Line {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn end(&self) -> usize {
        self.0.len()
    }

    /// Writes over what is there, from a column on.
    fn put(&mut self, at: usize, text: &str) {
        for (i, char) in text.chars().enumerate() {
            if self.0.len() <= at + i {
                self.0.resize(at + i + 1, ' ');
            }
            // A line break in somebody's words must not break the ladder.
            self.0[at + i] = if char.is_control() { ' ' } else { char };
        }
    }

    /// Writes text that ends before a column.
    fn put_right(&mut self, end: usize, text: &str) {
        self.put(end.saturating_sub(text.chars().count()), text);
    }
}

/// At most `length` characters of the text; an ellipsis says that it was longer.
pub(super) fn clip(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}
