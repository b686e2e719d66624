//! The set-up of sockets: what every connection needs before it opens, in one line.

use super::super::story::{CallRecord, Story};
use super::rows::{Part, Row};
use super::wrap;
use lastack_sys::Stamp;

/// How many lines the set-up takes at most.
const LINES: usize = 4;

/// What each process did to its sockets before there was a connection.
#[derive(Default)]
pub(super) struct SetUp {
    callers: Vec<Caller>,
}

/// One process, or one host that has no other.
struct Caller {
    name: String,
    /// The socket that the latest call was about.
    socket: String,
    calls: Vec<String>,
}

/// Takes the set-up calls out of the rows.
pub(super) fn split<'a>(
    story: &Story,
    rows: Vec<(Stamp, Row<'a>)>,
) -> (SetUp, Vec<(Stamp, Row<'a>)>) {
    let opens = |row: &Row<'_>| match row {
        Row::Segment(_) => true,
        Row::Call(call, _) => call.text.starts_with("connect("),
        _ => false,
    };
    let other = |row: &Row<'_>| matches!(row, Row::Call(..)) && !is_set_up(row);
    let place = |it: &dyn Fn(&Row<'_>) -> bool| rows.iter().position(|(_, row)| it(row));
    let Some(before) = place(&opens).or_else(|| place(&other)) else {
        // A story of nothing but such calls is about them.
        return (SetUp::default(), rows);
    };
    let mut set_up = SetUp::default();
    let mut left = Vec::with_capacity(rows.len());
    for (i, (at, row)) in rows.into_iter().enumerate() {
        match row {
            Row::Call(call, part) if i < before && is_set_up(&row) => {
                if part != Part::End {
                    set_up.add(story, call);
                }
            }
            row => left.push((at, row)),
        }
    }
    (set_up, left)
}

/// Whether it is a call of the usual way to a connection, and succeeded. One that failed is worth
/// a row.
fn is_set_up(row: &Row<'_>) -> bool {
    const USUAL: [&str; 5] = ["socket", "setsockopt", "fcntl", "bind", "listen"];
    let Row::Call(call, _) = row else { return false };
    let name = call.text.split_once('(').map_or("", |(name, _)| name);
    USUAL.contains(&name) && call.text.ends_with(')') && call.ended.is_some() && !call.failed()
}

impl SetUp {
    fn add(&mut self, story: &Story, call: &CallRecord) {
        let name = match story.has_processes(&call.host) {
            true => format!("{}/{}", call.host, call.process),
            false => call.host.clone(),
        };
        let place = self.callers.iter().position(|caller| caller.name == name);
        let place = place.unwrap_or_else(|| {
            self.callers.push(Caller { name, socket: String::new(), calls: Vec::new() });
            self.callers.len() - 1
        });
        self.callers[place].add(call);
    }

    /// The lines: "b: socket 4, SO_REUSEADDR 1, bind 10.0.0.2:80, listen 128; a: socket 4".
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let callers = self.callers.iter();
        let told = callers.map(|it| format!("{}: {}", it.name, it.calls.join(", ")));
        let told: Vec<_> = told.collect();
        if told.is_empty() {
            return told;
        }
        let mut lines = wrap(&told.join("; "), width);
        if lines.len() > LINES {
            let calls: usize = self.callers.iter().map(|it| it.calls.len()).sum();
            lines.truncate(LINES - 1);
            lines.push(format!("    … {calls} calls in all"));
        }
        lines
    }
}

impl Caller {
    fn add(&mut self, call: &CallRecord) {
        let (name, arguments) = call.text.split_once('(').unwrap_or((&call.text, ""));
        let arguments = arguments.trim_end_matches(')');
        if name == "socket" {
            self.socket = call.ended.as_ref().map(|(_, fd)| fd.clone()).unwrap_or_default();
            let nonblocking = if arguments.contains("NONBLOCK") { " nonblocking" } else { "" };
            self.calls.push(format!("socket {}{nonblocking}", self.socket));
            return;
        }
        let (socket, rest) = arguments.split_once(", ").unwrap_or((arguments, ""));
        let what = match name {
            "bind" | "listen" => format!("{name} {rest}"),
            _ => rest.replacen(", ", " ", 1),
        };
        // Said only where it is not the one that was spoken of last.
        let of = if socket == self.socket { String::new() } else { format!(" on {socket}") };
        socket.clone_into(&mut self.socket);
        self.calls.push(format!("{what}{of}"));
    }
}
