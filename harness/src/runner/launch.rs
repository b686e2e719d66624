//! One case, from its process's start to its end, whatever end that is.
//!
//! The process is this program again, in fresh namespaces, as their pid 1: when it dies, the
//! kernel takes everything it started along. What the kernel does not take at once is what
//! sockets pin, so every host's namespace is also held here, and a case that did not end its
//! own is torn down by the role `lastack:reap`.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::case::Case;
use super::door::{Door, Passage};
use super::events::{CaseOutcome, Finished, Place};
use super::evidence;
use super::needs::{self, Unmet};
use super::places::Places;
use super::protocol::{FromCase, Link, Received, Report, ToCase, Verdict};
use crate::error::{Context, Error, Result};
use crate::stall;
use crate::stamp::Stamp;
use crate::sys::child::{Child, End, readable};
use crate::sys::probe::{self, Trial};
use crate::sys::spawn::{Owner, Spawn};

/// For a last report once the time is up.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// For the teardown of its labs once a case has reported. It takes milliseconds.
const TEARDOWN: Duration = Duration::from_secs(5);

/// For making a process in namespaces of its own. It takes milliseconds, too.
const STARTED_BY: Duration = Duration::from_millis(200);

/// What a case may print or record before it is stopped (SIGXFSZ): both are held in memory.
const FILE_LIMIT: u64 = 1 << 30;

/// Runs cases, each in a process of its own. Any number of threads may.
#[derive(Debug)]
pub struct Launcher {
    places: Places,
    owner: Owner,
    keep: bool,
    door: Door,
    /// Keeps the kernel stamping frames for as long as cases run.
    _stamps: Option<OwnedFd>,
}

impl Launcher {
    /// A launcher that keeps evidence in `places` for cases that do not pass; with `keep`, for
    /// all.
    ///
    /// # Errors
    /// This machine can run no case at all: why, and what to do.
    pub fn new(places: Places, keep: bool) -> std::result::Result<Self, Unmet> {
        needs::machine()?;
        let owner = probe::namespaces().expect("the machine was just found able");
        // Without it the first frames of a lab might miss their stamp, which that lab notices.
        let _stamps = crate::sys::packet::hold_stamps().ok();
        Ok(Self { places, owner, keep, door: Door::new(), _stamps })
    }

    /// Runs one case on the calling thread. Waits first until nothing forbids it (a quiet case
    /// runs alone); says `started` when it begins.
    ///
    /// # Errors
    /// This kernel lacks what the case has used: it came to no verdict.
    pub fn run(&self, case: &Case, started: impl FnOnce()) -> std::result::Result<Finished, Unmet> {
        let _gate = self.places.gate(case.quiet);
        let passage = self.door.pass();
        started();
        let began = Began { instant: Instant::now(), stamp: Stamp::now() };
        self.attempt(case, began, passage).unwrap_or_else(|error| {
            let outcome = CaseOutcome::Failed(error.to_string());
            Ok(Finished::bare(outcome, Place::Host, began.instant.elapsed()))
        })
    }

    /// One process of the case, from start to end.
    fn attempt(
        &self,
        case: &Case,
        began: Began,
        passage: Passage,
    ) -> Result<std::result::Result<Finished, Unmet>> {
        let null = File::open("/dev/null").context(|| "open /dev/null".to_owned())?;
        let output = memory("lastack-output")?;
        // Two descriptors, many processes: each line goes to the end, none over another.
        fcntl(&output, FcntlArg::F_SETFL(OFlag::O_APPEND))
            .context(|| "make captured output append".to_owned())?;
        let journal = memory("lastack-journal")?;
        let (link, its_link) = Link::pair()?;
        let known: Vec<_> = probe::known().into_iter().map(Trial::name).collect();
        let states = if self.keep { "always" } else { "unless-passed" };
        let child = Spawn::again(["lastack:case", &case.name, &known.join(","), states])?
            .namespaces(self.owner)
            .descriptors([
                null.as_fd(),
                output.as_fd(),
                output.as_fd(),
                its_link.as_fd(),
                journal.as_fd(),
            ])
            .file_limit(FILE_LIMIT)
            .start()?;
        // Ours would keep the socket from closing when the case dies.
        drop(its_link);
        let mut watch = Watch::new(child, link, self.owner, passage)?;
        let limit = case.limit();
        // It takes milliseconds, on a machine that has time for it.
        stall::note(began.stamp.after(STARTED_BY), Stamp::now());
        let how = watch.until_end(began.instant + limit, limit)?;
        let elapsed = began.instant.elapsed();
        let teardown = match how {
            How::Ended(End::Exited(0)) if watch.report.is_some() => Ok(()),
            _ => watch.tear_down(self.owner, &output),
        };
        watch.close_taps();
        let report = watch.report.take();
        if let Some(report) = &report {
            let missing = match &report.verdict {
                Verdict::Unmet(unmet) => Some(unmet),
                _ => None,
            };
            let met = |trial: &&Trial| missing.is_none_or(|unmet| unmet.need != trial.name());
            report.used.iter().filter(met).copied().for_each(probe::learn);
            if let (Some(unmet), Ok(())) = (missing, &teardown) {
                return Ok(Err(unmet.clone()));
            }
        }
        let starved = report.as_ref().map_or(Duration::ZERO, |report| report.starved);
        let stalled = stall::sum_within(began.stamp, Stamp::now()).max(starved).min(elapsed);
        let excuse = Excuse { stalled, slack: limit.saturating_sub(case.waits) };
        let mut outcome = judge(report.as_ref(), &how, watch.nonsense.as_deref(), excuse);
        if let (Err(error), CaseOutcome::Failed(message)) = (teardown, &mut outcome) {
            message.push_str(&format!("\nits labs may outlive it: {error}"));
        }
        let mut finished = Finished {
            rss_kib: report.as_ref().map_or(0, |report| report.rss_kib),
            judged: report.as_ref().map(|report| report.judged.clone()).unwrap_or_default(),
            ..Finished::bare(outcome, Place::Host, elapsed)
        };
        if self.keep || !finished.outcome.passed() {
            let states = report.map(|report| report.states).unwrap_or_default();
            evidence::gather(&self.places, case, &mut finished, states, &journal, &output);
        }
        Ok(Ok(finished))
    }
}

/// When a case's process was started.
#[derive(Debug, Clone, Copy)]
struct Began {
    instant: Instant,
    stamp: Stamp,
}

/// What the machine has to do with a case that came to no end in time.
#[derive(Debug, Clone, Copy, Default)]
struct Excuse {
    /// How much time it took from the case.
    stalled: Duration,
    /// How much the case's limit leaves beside what its scenario takes.
    slack: Duration,
}

impl Excuse {
    /// Whether the machine is to blame: it took half of what there was to spare, or more.
    fn holds(self) -> bool {
        !self.stalled.is_zero() && self.stalled >= self.slack / 2
    }
}

fn memory(name: &str) -> Result<File> {
    memfd_create(name, MFdFlags::MFD_CLOEXEC)
        .context(|| format!("make a file in memory ({name})"))
        .map(File::from)
}

/// How a case's process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// By itself.
    Ended(End),
    /// Past its limit: told so, and killed if that did not end it.
    OutOfTime(Duration),
    /// After its verdict it did not end, and was killed.
    Lingered,
}

/// A case's process under observation.
struct Watch {
    child: Child,
    link: Link,
    /// The other end of the link is gone, or speaks nonsense.
    deaf: bool,
    nonsense: Option<String>,
    /// The hosts it has made, by name, with their networks.
    namespaces: Vec<(String, OwnedFd)>,
    /// Until it has built its first lab.
    passage: Option<Passage>,
    /// Its taps, which take long to close.
    taps: Vec<OwnedFd>,
    /// Its user namespace, without which its networks cannot be entered.
    user: Option<File>,
    report: Option<Report>,
}

impl Watch {
    fn new(child: Child, link: Link, owner: Owner, passage: Passage) -> Result<Self> {
        let user = match owner {
            Owner::Root => None,
            Owner::User => {
                let path = format!("/proc/{}/ns/user", child.pid());
                Some(File::open(&path).context(|| format!("open {path}"))?)
            }
        };
        let (namespaces, taps, report, nonsense) = (Vec::new(), Vec::new(), None, None);
        let passage = Some(passage);
        Ok(Self { child, link, deaf: false, nonsense, namespaces, passage, taps, user, report })
    }

    fn until_end(&mut self, deadline: Instant, limit: Duration) -> Result<How> {
        let mut deadline = deadline;
        let mut late = false;
        loop {
            let had_reported = self.report.is_some();
            let ready = match self.deaf {
                false => readable(&[self.child.as_fd(), self.link.as_fd()], Some(deadline))?,
                true => readable(&[self.child.as_fd()], Some(deadline))?,
            };
            stall::late_by(Instant::now().saturating_duration_since(deadline));
            self.listen();
            if ready[0] {
                let end = self.child.wait()?;
                return Ok(if late { How::OutOfTime(limit) } else { How::Ended(end) });
            }
            if self.report.is_some() && !had_reported {
                deadline = Instant::now() + TEARDOWN;
            } else if Instant::now() >= deadline {
                if self.report.is_none() && !late {
                    late = true;
                    deadline = Instant::now() + LAST_WORDS;
                    // Its death in this moment is seen by the next wait.
                    let _ = self.link.send(&ToCase::TimeUp, &[]);
                } else {
                    self.child.kill();
                    self.child.wait()?;
                    self.listen();
                    return Ok(if late { How::OutOfTime(limit) } else { How::Lingered });
                }
            }
        }
    }

    /// Takes in everything the case has said.
    fn listen(&mut self) {
        while !self.deaf {
            match self.link.receive(false) {
                Ok(Received::Message(FromCase::Namespace { host }, network)) => {
                    self.namespaces
                        .extend(network.into_iter().map(|network| (host.clone(), network)));
                }
                Ok(Received::Message(FromCase::Taps, taps)) => {
                    self.passage = None;
                    self.taps.extend(taps);
                }
                Ok(Received::Message(FromCase::NamespaceGone { host }, _)) => {
                    if let Some(first) = self.namespaces.iter().position(|(name, _)| *name == host)
                    {
                        self.namespaces.remove(first);
                    }
                }
                // The first verdict counts: what comes after it is not the case's to say.
                Ok(Received::Message(FromCase::Verdict(report), _)) => {
                    self.report.get_or_insert(report);
                }
                Ok(Received::Nothing) => return,
                Ok(Received::Closed) => self.deaf = true,
                Err(error) => {
                    self.deaf = true;
                    self.nonsense = Some(error.to_string());
                }
            }
        }
    }

    /// Closes the taps without waiting for it.
    fn close_taps(&mut self) {
        let taps = std::mem::take(&mut self.taps);
        if !taps.is_empty() {
            std::thread::spawn(move || drop(taps));
        }
    }

    /// Destroys what sockets still pin of a case that could not do it itself.
    fn tear_down(&mut self, owner: Owner, output: &File) -> Result {
        let namespaces = std::mem::take(&mut self.namespaces);
        if namespaces.is_empty() {
            return Ok(());
        }
        let null = File::open("/dev/null").context(|| "open /dev/null".to_owned())?;
        let user = self.user.as_ref().unwrap_or(&null);
        let descriptors = [null.as_fd(), output.as_fd(), output.as_fd(), user.as_fd()];
        let count = namespaces.len().to_string();
        let mut reaper = Spawn::again(["lastack:reap", &count, owner.word()])?
            .descriptors(
                descriptors
                    .into_iter()
                    .chain(namespaces.iter().map(|(_, network)| network.as_fd())),
            )
            .start()?;
        match reaper.wait_within(TEARDOWN)? {
            Some(End::Exited(0)) => Ok(()),
            Some(end) => Err(Error::system("tear them down", format!("the reaper {end}"))),
            None => Err(Error::system("tear them down", "the reaper did not end")),
        }
    }
}

/// What the runner makes of it: a pass is only a case that says so, in time, and ends well.
fn judge(
    report: Option<&Report>,
    how: &How,
    nonsense: Option<&str>,
    excuse: Excuse,
) -> CaseOutcome {
    let seconds = |time: &Duration| format!("{:.1} s", time.as_secs_f64());
    let said = report.map(|report| report.message.as_str()).filter(|text| !text.is_empty());
    let with = |first: String| match said {
        Some(said) => CaseOutcome::Failed(format!("{first}\n{said}")),
        None => CaseOutcome::Failed(first),
    };
    if let Some(nonsense) = nonsense {
        return with(format!("its process wrote on the runner's socket: {nonsense}"));
    }
    if let How::OutOfTime(limit) = how
        && excuse.holds()
    {
        let (limit, stalled) = (seconds(limit), seconds(&excuse.stalled));
        let mut why = format!("ran past its limit of {limit}, of which the machine took {stalled}");
        why.extend(said.map(|said| format!("\n{said}")));
        return CaseOutcome::TooSlow(why);
    }
    let Some(report) = report else {
        return CaseOutcome::Failed(match how {
            How::Ended(End::Exited(101)) => {
                "ended without a verdict: a panic (exited with status 101)".to_owned()
            }
            How::Ended(end) => format!("ended without a verdict: {end}"),
            How::OutOfTime(limit) => format!(
                "hung: ran past its limit of {}, gave no account of itself, and was killed",
                seconds(limit)
            ),
            How::Lingered => "ended without a verdict".to_owned(),
        });
    };
    match how {
        How::OutOfTime(limit) => with(format!("hung: ran past its limit of {}", seconds(limit))),
        How::Lingered if report.verdict == Verdict::Passed => CaseOutcome::Failed(format!(
            "passed, but its process did not end within {} of saying so, and was killed",
            seconds(&TEARDOWN)
        )),
        How::Ended(end) if report.verdict == Verdict::Passed && *end != End::Exited(0) => {
            CaseOutcome::Failed(
                format!("passed, but its process was then {end}")
                    .replace("was then exited", "then exited"),
            )
        }
        How::Ended(_) | How::Lingered => match &report.verdict {
            Verdict::Passed => CaseOutcome::Passed,
            // Of the two, that its labs may be left behind is the one to tell.
            Verdict::Failed | Verdict::Unmet(_) => {
                CaseOutcome::Failed(said.unwrap_or("failed without a word").to_owned())
            }
            Verdict::TooSlow => {
                CaseOutcome::TooSlow(said.unwrap_or("too slow to judge").to_owned())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: How = How::Ended(End::Exited(0));

    fn judged(report: Option<&Report>, how: &How, nonsense: Option<&str>) -> CaseOutcome {
        judge(report, how, nonsense, Excuse::default())
    }

    #[test]
    fn past_its_limit_on_a_machine_that_stalled_a_case_is_too_slow_and_not_hung() {
        let (report, late) = (said(Verdict::Failed, "read(5)"), How::OutOfTime(secs(11)));
        let of = |stalled| judge(Some(&report), &late, None, Excuse { stalled, slack: secs(10) });
        assert_eq!(
            of(secs(5)).message(),
            "ran past its limit of 11.0 s, of which the machine took 5.0 s\nread(5)"
        );
        assert!(matches!(of(secs(5)), CaseOutcome::TooSlow(_)));
        assert!(matches!(of(secs(4)), CaseOutcome::Failed(_)));
        // Without a word of the case, too.
        let excuse = Excuse { stalled: secs(11), slack: secs(10) };
        assert!(matches!(judge(None, &late, None, excuse), CaseOutcome::TooSlow(_)));
        // In time it was not kept from anything.
        assert!(matches!(judge(Some(&report), &CLEAN, None, excuse), CaseOutcome::Failed(_)));
    }

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn said(verdict: Verdict, message: &str) -> Report {
        Report::bare(verdict, message)
    }

    #[test]
    fn a_pass_is_a_verdict_and_a_clean_end() {
        let passed = said(Verdict::Passed, "");
        assert_eq!(judged(Some(&passed), &CLEAN, None), CaseOutcome::Passed);
        for how in [How::Ended(End::Exited(1)), How::Ended(End::Killed(11)), How::Lingered] {
            assert!(!judged(Some(&passed), &how, None).passed(), "{how:?}");
        }
        assert!(!judged(None, &CLEAN, None).passed());
        assert!(!judged(Some(&passed), &CLEAN, Some("failed to understand")).passed());
        assert!(!judged(Some(&passed), &How::OutOfTime(Duration::ZERO), None).passed());
    }

    #[test]
    fn a_death_is_told_by_its_signal() {
        let outcome = judged(None, &How::Ended(End::Killed(11)), None);
        assert_eq!(outcome.message(), "ended without a verdict: killed by SIGSEGV");
        let passed = said(Verdict::Passed, "");
        let outcome = judged(Some(&passed), &How::Ended(End::Killed(9)), None);
        assert_eq!(outcome.message(), "passed, but its process was then killed by SIGKILL");
        let outcome = judged(Some(&passed), &How::Ended(End::Exited(3)), None);
        assert_eq!(outcome.message(), "passed, but its process then exited with status 3");
    }

    #[test]
    fn what_a_late_case_says_is_kept() {
        let report = said(Verdict::Failed, "read(5) still blocked");
        let outcome = judged(Some(&report), &How::OutOfTime(Duration::from_millis(11_500)), None);
        assert_eq!(outcome.message(), "hung: ran past its limit of 11.5 s\nread(5) still blocked");
    }

    #[test]
    fn a_failure_stays_what_it_was_however_the_process_ends() {
        let failed = said(Verdict::Failed, "expected FIN");
        for how in [CLEAN, How::Ended(End::Killed(6)), How::Lingered] {
            assert_eq!(
                judged(Some(&failed), &how, None),
                CaseOutcome::Failed("expected FIN".into())
            );
        }
        let slow = said(Verdict::TooSlow, "stalled for 2 s");
        assert_eq!(
            judged(Some(&slow), &CLEAN, None),
            CaseOutcome::TooSlow("stalled for 2 s".into())
        );
    }
}
