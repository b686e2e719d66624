//! Virtual kernels that say and die as they are told to.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::runner::registry::{FamilySource, Registry};

/// What each virtual kernel says, one after the other; what each was to do.
#[derive(Default)]
struct Scripts {
    told: Mutex<VecDeque<Vec<MachineEvent>>>,
    manifests: Mutex<Vec<Vec<String>>>,
}

struct Script(VecDeque<MachineEvent>);

impl Scripts {
    fn of(machines: impl IntoIterator<Item = Vec<MachineEvent>>) -> Self {
        Self { told: Mutex::new(machines.into_iter().collect()), ..Self::default() }
    }
}

impl Boot for Scripts {
    fn boot(&self, manifest: &[u8]) -> Result<Box<dyn Running>> {
        self.manifests.lock().unwrap().push(Manifest::decode(manifest)?.cases);
        match self.told.lock().unwrap().pop_front() {
            Some(told) => Ok(Box::new(Script(told.into()))),
            None => Err(Error::system("boot a virtual kernel", "there is no QEMU")),
        }
    }
}

impl Running for Script {
    fn next(&mut self) -> Result<MachineEvent> {
        Ok(self.0.pop_front().unwrap_or(MachineEvent::Ended(MachineEnd::PoweredOff)))
    }
}

fn said(word: FromVirtual) -> MachineEvent {
    MachineEvent::Frame(word.encode())
}

fn started(index: usize) -> MachineEvent {
    said(FromVirtual::Started(index))
}

fn passed(index: usize) -> MachineEvent {
    let elapsed = Duration::from_secs(7_925);
    said(FromVirtual::Finished(index, Finished::bare(CaseOutcome::Passed, Place::Host, elapsed)))
}

fn panicked() -> MachineEvent {
    let console = "[ 1.0] Kernel panic - not syncing: sysrq triggered crash\n".to_owned();
    MachineEvent::Ended(MachineEnd::Panicked { console })
}

/// Three cases: `c::a`, `c::b`, `c::c`.
fn registry() -> Registry {
    let cases = |family: &mut crate::runner::registration::Family| {
        for name in ["a", "b", "c"] {
            family.case(name).covers(["GC-01"]).source("s").run(|_| async { Ok(()) });
        }
    };
    Registry::build(&[FamilySource { family: "c", file: "c.rs", cases }]).unwrap()
}

/// What becomes of the three, but for their starts, in the order in which it is told.
fn run(scripts: &Scripts) -> Vec<(String, Progress)> {
    let home = tempfile::tempdir().unwrap();
    let registry = registry();
    let cases: Vec<_> = registry.cases().iter().collect();
    let places = Places::under(home.path());
    let batch = Batch { boot: scripts, release: "6.1.0", places: &places, jobs: 2, keep: false };
    let told = RefCell::new(Vec::new());
    batch.run(&cases, &|case, news| {
        if news != Progress::Started {
            told.borrow_mut().push((case.name.clone(), news));
        }
    });
    told.into_inner()
}

/// The same in words: "pass", "ignored: why", or the message of a failure.
fn outcomes(scripts: &Scripts) -> Vec<(String, String)> {
    let words = |news| match news {
        Progress::Finished(finished) if finished.outcome.passed() => "pass".to_owned(),
        Progress::Finished(finished) => finished.outcome.message().to_owned(),
        Progress::Unmet(unmet) => format!("ignored: {}", unmet.reason),
        Progress::Started => unreachable!("left out"),
    };
    run(scripts).into_iter().map(|(name, news)| (name, words(news))).collect()
}

fn expect(scripts: &Scripts, expected: &[(&str, &str)]) {
    let seen = outcomes(scripts);
    let seen: Vec<_> = seen.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_case_ran_where_it_did_for_as_long_as_its_kernel_says() {
    let scripts = Scripts::of([vec![started(0), passed(0), passed(1), passed(2)]]);
    let all = run(&scripts);
    assert_eq!(all.len(), 3);
    let Progress::Finished(finished) = &all[0].1 else { panic!("it finished") };
    assert_eq!(finished.place, Place::Virtual { release: "6.1.0".into() });
    assert_eq!(finished.elapsed, Duration::from_secs(7_925));
}

#[test]
fn a_panic_fails_what_was_running_and_nothing_else() {
    let scripts = Scripts::of([
        vec![started(0), started(1), passed(0), panicked()],
        vec![started(0), passed(0)],
    ]);
    let why = "its virtual kernel panicked: not syncing: sysrq triggered crash";
    expect(&scripts, &[("c::a", "pass"), ("c::b", why), ("c::c", "pass")]);
    assert_eq!(scripts.manifests.into_inner().unwrap()[1], ["c::c"]);
}

#[test]
fn the_last_words_of_a_kernel_are_with_the_cases_it_was_running() {
    let all = run(&Scripts::of([vec![started(0), started(1), started(2), panicked()]]));
    for (name, news) in all {
        let Progress::Finished(finished) = news else { panic!("{name} finished") };
        assert!(finished.outcome.message().ends_with("(so did 2 more that ran beside it)"));
        let evidence = finished.evidence.unwrap();
        assert!(evidence.console.contains("Kernel panic"), "{name}");
        assert!(evidence.directory.is_some(), "{:?}", evidence.trouble);
    }
}

#[test]
fn virtual_kernels_that_die_without_coming_further_are_not_started_for_ever() {
    let died =
        || MachineEvent::Ended(MachineEnd::Died { how: "killed".into(), console: String::new() });
    let scripts = Scripts::of([vec![passed(0), died()], vec![died()], vec![passed(0)]]);
    let why = "its virtual kernel died: killed";
    expect(&scripts, &[("c::a", "pass"), ("c::b", why), ("c::c", why)]);
}

#[test]
fn a_virtual_kernel_that_leaves_cases_out_fails_them() {
    let why = "its virtual kernel powered off before it came to an end";
    expect(&Scripts::of([vec![]]), &[("c::a", why), ("c::b", why), ("c::c", why)]);
}

#[test]
fn a_virtual_kernel_that_never_comes_up_ignores_its_cases_with_the_reason() {
    let never = MachineEvent::Ended(MachineEnd::NeverBooted {
        why: "it has no module veth".into(),
        console: "one\ntwo\n\n".into(),
    });
    let why =
        "ignored: the virtual kernel did not come up: it has no module veth (its last words: two)";
    expect(&Scripts::of([vec![never]]), &[("c::a", why), ("c::b", why), ("c::c", why)]);
    let why = "ignored: failed to boot a virtual kernel: there is no QEMU";
    expect(&Scripts::of([]), &[("c::a", why), ("c::b", why), ("c::c", why)]);
    let why = "ignored: no namespaces";
    let useless = said(FromVirtual::Useless("no namespaces".into()));
    expect(&Scripts::of([vec![useless]]), &[("c::a", why), ("c::b", why), ("c::c", why)]);
}

#[test]
fn nonsense_is_a_death_like_others() {
    let scripts = Scripts::of([
        vec![started(0), MachineEvent::Frame(vec![0xff; 9])],
        vec![passed(0), passed(7)],
        vec![passed(0)],
    ]);
    let seen = outcomes(&scripts);
    assert!(
        seen[0].1.starts_with("failed to understand 9 bytes that a virtual kernel said"),
        "{seen:?}"
    );
    assert_eq!(seen[1], ("c::b".into(), "pass".into()));
    assert_eq!(seen[2], ("c::c".into(), "pass".into()));
}

#[test]
fn evidence_of_a_failure_is_brought_out() {
    let home = tempfile::tempdir().unwrap();
    let mut failed =
        Finished::bare(CaseOutcome::Failed("no FIN".into()), Place::Host, Duration::from_secs(1));
    failed.evidence = Some(Evidence { ladder: "the ladder".into(), ..Evidence::default() });
    let piece = |bytes: &[u8]| said(FromVirtual::Capture(0, bytes.to_vec()));
    let scripts = Scripts::of([vec![
        started(0),
        piece(b"first "),
        piece(b"second"),
        said(FromVirtual::Finished(0, failed)),
        passed(1),
        passed(2),
    ]]);
    let registry = registry();
    let cases: Vec<_> = registry.cases().iter().collect();
    let places = Places::under(home.path());
    let batch = Batch { boot: &scripts, release: "6.1.0", places: &places, jobs: 2, keep: false };
    let kept = RefCell::new(None);
    batch.run(&cases, &|_, news| {
        if let Progress::Finished(Finished { evidence: Some(evidence), .. }) = news {
            kept.replace(evidence.directory);
        }
    });
    let directory = kept.into_inner().expect("a directory");
    assert_eq!(std::fs::read(directory.join("wire.pcapng")).unwrap(), b"first second");
    let log = std::fs::read_to_string(directory.join("log.txt")).unwrap();
    for part in ["no FIN", "the ladder", "on the virtual kernel 6.1.0, for 1.000 s of its time"] {
        assert!(log.contains(part), "{log}");
    }
}

#[test]
fn a_virtual_kernel_with_nothing_to_do_is_a_trial_of_its_kernel() {
    let scripts = Scripts::of([vec![]]);
    assert_eq!(try_out(&scripts), Ok(()));
    assert_eq!(*scripts.manifests.lock().unwrap(), [Vec::<String>::new()]);
}

#[test]
fn a_trial_says_why_a_kernel_is_of_no_use() {
    let console = "[ 0.1] one\n[ 0.2] no working init\n".to_owned();
    let never = MachineEnd::NeverBooted { why: "it said nothing for 60 s".to_owned(), console };
    for (told, reason) in [
        (vec![said(FromVirtual::Useless("no namespaces".to_owned()))], "no namespaces"),
        (vec![started(0)], "it spoke of a case, and was given none"),
        (vec![panicked()], "its virtual kernel panicked: not syncing: sysrq triggered crash"),
        (
            vec![MachineEvent::Ended(never)],
            "the virtual kernel did not come up: it said nothing for 60 s (its last words: [ 0.2] no \
             working init)",
        ),
    ] {
        let unmet = try_out(&Scripts::of([told])).unwrap_err();
        assert!(unmet.reason.starts_with(reason), "{unmet}");
        assert!(unmet.remedy.contains("scripts/setup"), "{unmet}");
    }
    let unmet = try_out(&Scripts::default()).unwrap_err();
    assert!(unmet.reason.contains("there is no QEMU"), "{unmet}");
}
