//! Expectations of the wire: this segment, these in order, none of those.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use super::Wire;
use super::pattern::{Answer, Pattern};
use super::segment::Segment;
use lastack_sys::Stamp;
use lastack_sys::error::{Error, Result};
use lastack_sys::pending;

/// How long an expectation waits if nothing else is said.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// How many segments a failure lists at most; the rest is counted.
const LISTED: usize = 24;

/// A position between segments, from which an expectation looks forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub(super) usize);

/// The position just after the segment.
impl From<&Segment> for Mark {
    fn from(segment: &Segment) -> Self {
        Self(segment.index + 1)
    }
}

impl From<&Mark> for Mark {
    fn from(mark: &Mark) -> Self {
        *mark
    }
}

type Waiting<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// That a segment is seen. Await it: the first segment that fits fulfils it, whether it was seen
/// before or is still to come.
#[derive(Debug)]
#[must_use = "an expectation is checked only when it is awaited"]
pub struct Expectation {
    wire: Wire,
    pattern: Pattern,
    start: Mark,
    within: Duration,
}

impl Expectation {
    pub(super) fn new(wire: Wire, pattern: Pattern) -> Self {
        Self { wire, pattern, start: Mark(0), within: DEFAULT_WAIT }
    }

    /// Only segments after this one, or after this mark, count. Otherwise all do.
    pub fn after(mut self, start: impl Into<Mark>) -> Self {
        self.start = start.into();
        self
    }

    /// How long to wait for a segment that has not been seen yet; 1 s where not said. What
    /// counts is the kernel's time stamp, so a case that is slow to look misses nothing.
    pub fn within(mut self, wait: Duration) -> Self {
        self.within = wait;
        self
    }
}

impl IntoFuture for Expectation {
    type Output = Result<Segment>;
    type IntoFuture = Waiting<Segment>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { wire, pattern, start, within } = self;
            let mut found = in_order(&wire, start, std::slice::from_ref(&pattern), within).await?;
            Ok(found.remove(0))
        })
    }
}

/// That no segment of a kind is seen for a while.
#[derive(Debug)]
#[must_use = "say for how long, and await it"]
pub struct Never {
    pub(super) wire: Wire,
    pub(super) start: Mark,
    pub(super) pattern: Pattern,
}

impl Never {
    /// From the start until this long after now. Fails at once when such a segment is seen.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind) with the segment;
    /// [`ErrorKind::System`](crate::ErrorKind) where the wire was not all seen;
    /// [`ErrorKind::Usage`](crate::ErrorKind) where the pattern names what is not on this wire.
    pub async fn for_(self, wait: Duration) -> Result {
        let Self { wire, start, pattern } = self;
        wire.knows(start, [&pattern])?;
        let deadline = Stamp::now().after(wait);
        let patterns = std::slice::from_ref(&pattern);
        match first_fit(&wire, start, patterns, deadline).await? {
            Err(_) => Ok(()),
            Ok(found) => Err(intruder(&wire, &pattern, &found[0], Some(wait))),
        }
    }
}

/// That segments, and no others, are seen. Await it.
#[derive(Debug)]
#[must_use = "an expectation is checked only when it is awaited"]
pub struct Exactly {
    wire: Wire,
    start: Mark,
    patterns: Vec<Pattern>,
    among: Option<Pattern>,
    within: Duration,
}

impl Exactly {
    pub(super) fn new(wire: Wire, start: Mark, patterns: Vec<Pattern>) -> Self {
        Self { wire, start, patterns, among: None, within: DEFAULT_WAIT }
    }

    /// Looks only at segments of this kind; all others are free to come and go.
    pub fn among(mut self, filter: Pattern) -> Self {
        self.among = Some(filter);
        self
    }

    /// How long to wait for those not seen yet; 1 s where not said. What a timer sends may come by
    /// later than the call that the same timer ends: the segment is handed from softirq to
    /// softirq while the caller is woken on another processor.
    pub fn within(mut self, wait: Duration) -> Self {
        self.within = wait;
        self
    }
}

impl IntoFuture for Exactly {
    type Output = Result<Vec<Segment>>;
    type IntoFuture = Waiting<Vec<Segment>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { wire, start, patterns, among, within } = self;
            wire.knows(start, patterns.iter().chain(&among))?;
            // Whether they came is judged below, together with what else did.
            let _ = first_fit(&wire, start, &patterns, Stamp::now().after(within)).await?;
            let asking = patterns.iter().chain(&among).any(Pattern::asks_for_arrival);
            decide(&wire, start, asking).await?;
            let mut segments = wire.since(start);
            segments.retain(|segment| among.as_ref().is_none_or(|filter| filter.matches(segment)));
            let fit = segments.len() == patterns.len()
                && segments
                    .iter()
                    .zip(&patterns)
                    .all(|(segment, pattern)| pattern.matches(segment));
            if fit {
                return Ok(segments);
            }
            let what = match among {
                Some(filter) => format!("exactly these segments among {filter}"),
                None => "exactly these segments".to_owned(),
            };
            let fits = |i: usize| match (segments.get(i), patterns.get(i)) {
                (Some(segment), Some(pattern)) => pattern.matches(segment),
                _ => false,
            };
            // The first difference is in view, however many segments there are.
            let all = 0..segments.len().max(patterns.len());
            let first = all.clone().find(|i| !fits(*i)).unwrap_or(0);
            let from = (first + 1).saturating_sub(LISTED / 2);
            let expected = numbered(patterns.len(), from, |i| patterns[i].to_string());
            let seen = numbered(segments.len(), from, |i| {
                let mark = if fits(i) { "" } else { "   <- does not fit" };
                format!("{}{mark}", wire.line(&segments[i]))
            });
            Err(Error::mismatch(what, expected, seen))
        })
    }
}

/// These segments in this order, others between allowed.
pub(super) async fn in_order(
    wire: &Wire,
    start: Mark,
    patterns: &[Pattern],
    within: Duration,
) -> Result<Vec<Segment>> {
    wire.knows(start, patterns)?;
    let deadline = Stamp::now().after(within);
    match first_fit(wire, start, patterns, deadline).await? {
        Ok(found) => Ok(found),
        Err(found) => {
            let missing = &patterns[found.len()];
            let what = match patterns.len() {
                1 => format!("a segment on the wire within {within:?}"),
                n => format!("{n} segments in order on the wire within {within:?}"),
            };
            let expected = match (found.last(), patterns.len()) {
                (_, 1) => missing.to_string(),
                (None, n) => format!("first of {n}: {missing}"),
                (Some(last), n) => {
                    format!(
                        "number {} of {n}: {missing}, after {}",
                        found.len() + 1,
                        wire.line(last)
                    )
                }
            };
            let from = found.last().map_or(start, Mark::from);
            Err(Error::mismatch(what, expected, listing(wire, &wire.since(from))))
        }
    }
}

/// How many segments fit, up to now.
pub(super) async fn count(wire: &Wire, start: Mark, pattern: &Pattern) -> Result<usize> {
    wire.knows(start, [pattern])?;
    decide(wire, start, pattern.asks_for_arrival()).await?;
    wire.look(start, |segments| segments.iter().filter(|it| pattern.matches(it)).count())
}

/// That no segment fits, up to now.
pub(super) async fn absent(wire: &Wire, start: Mark, pattern: &Pattern) -> Result {
    wire.knows(start, [pattern])?;
    decide(wire, start, pattern.asks_for_arrival()).await?;
    let found =
        wire.look(start, |segments| segments.iter().find(|it| pattern.matches(it)).cloned())?;
    match found {
        None => Ok(()),
        Some(found) => Err(intruder(wire, pattern, &found, None)),
    }
}

/// Settles, and where arrival matters waits until every segment has had the time to arrive.
async fn decide(wire: &Wire, start: Mark, arrival_matters: bool) -> Result {
    wire.settle().await?;
    if !arrival_matters {
        return Ok(());
    }
    let any = super::pattern::any().arrived(true);
    let mut news = wire.news();
    loop {
        let (now, patience) = (Stamp::now(), wire.patience());
        let wait = |segment: &Segment| match any.answer(segment, now, patience) {
            Answer::NotBefore(then) => Some(then),
            _ => None,
        };
        match wire.look(start, |segments| segments.iter().filter_map(wait).max())? {
            None => return wire.settle().await,
            Some(then) => wait_for_news(&mut news, then).await,
        }
    }
}

/// The first segments that fit the patterns in order, each after the one before, seen by the
/// deadline; else those that were found until one was missing.
async fn first_fit(
    wire: &Wire,
    start: Mark,
    patterns: &[Pattern],
    deadline: Stamp,
) -> Result<Result<Vec<Segment>, Vec<Segment>>> {
    let mut news = wire.news();
    let mut last_look = false;
    let mut waiting = None;
    loop {
        news.mark_unchanged();
        let (now, patience) = (Stamp::now(), wire.patience());
        let (found, wait) =
            wire.look(start, |segments| fit(segments, patterns, (now, deadline), patience))?;
        if found.len() == patterns.len() {
            return Ok(Ok(found));
        }
        let missing = &patterns[found.len()];
        waiting.get_or_insert_with(|| pending::wait(format!("on the wire: {missing}")));
        match wait {
            // Whether the next one fits will be known then, if not before.
            Some(then) => {
                wait_for_news(&mut news, then).await;
                last_look = false;
            }
            None if last_look => return Ok(Err(found)),
            None if now >= deadline => {
                // Time is up; what was captured in time still counts, though read late.
                wire.settle().await?;
                last_look = true;
            }
            None => wait_for_news(&mut news, deadline).await,
        }
    }
}

fn fit(
    segments: &[Segment],
    patterns: &[Pattern],
    (now, deadline): (Stamp, Stamp),
    patience: Duration,
) -> (Vec<Segment>, Option<Stamp>) {
    let mut found: Vec<Segment> = Vec::new();
    for segment in segments.iter().take_while(|segment| segment.at() <= deadline) {
        let Some(pattern) = patterns.get(found.len()) else { break };
        match pattern.answer(segment, now, patience) {
            Answer::Yes => found.push(segment.clone()),
            Answer::No => {}
            Answer::NotBefore(then) => return (found, Some(then)),
        }
    }
    (found, None)
}

async fn wait_for_news(news: &mut tokio::sync::watch::Receiver<u64>, until: Stamp) {
    let wait = until.since(Stamp::now());
    // Late or early does not matter: the caller looks again.
    let _ = tokio::time::timeout(wait, news.changed()).await;
}

fn intruder(wire: &Wire, pattern: &Pattern, found: &Segment, wait: Option<Duration>) -> Error {
    let what = match wait {
        Some(wait) => format!("absence on the wire for {wait:?}"),
        None => "absence on the wire".to_owned(),
    };
    Error::mismatch(what, pattern.absence(), wire.line(found).trim_start())
}

fn listing(wire: &Wire, segments: &[Segment]) -> String {
    if segments.is_empty() {
        return "no segment at all".to_owned();
    }
    let hidden = segments.len().saturating_sub(LISTED);
    let mut lines: Vec<String> = Vec::new();
    if hidden > 0 {
        lines.push(format!("{hidden} earlier segments and"));
    }
    lines.extend(segments[hidden..].iter().map(|segment| wire.line(segment)));
    lines.join(INDENT)
}

/// One line each, numbered; of many only some from `from` on.
fn numbered(count: usize, from: usize, line: impl Fn(usize) -> String) -> String {
    if count == 0 {
        return "no segment at all".to_owned();
    }
    let shown = from.min(count)..count.min(from.saturating_add(LISTED));
    let mut lines: Vec<String> = Vec::new();
    if shown.start > 0 {
        lines.push(format!("{} before and", shown.start));
    }
    lines.extend(shown.clone().map(|i| format!("{:2}. {}", i + 1, line(i))));
    if shown.end < count {
        lines.push(format!("and {} more", count - shown.end));
    }
    lines.join(INDENT)
}

/// Lines of a list stand below each other behind "expected: " and "seen: ".
const INDENT: &str = "\n              ";

#[cfg(test)]
#[path = "expect_tests.rs"]
mod tests;
