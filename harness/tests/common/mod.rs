//! What the self-tests share: this program in another of its lives, what it said, and a look at
//! the processes of the machine.

// Every target uses a part of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Completion, Failed, Trial};
use tempfile::TempDir;

pub type Checked<T = ()> = Result<T, Failed>;
pub type Named = (&'static str, fn() -> Checked);

pub fn trials(tests: impl IntoIterator<Item = Named>) -> Vec<Trial> {
    tests.into_iter().map(|(name, test)| Trial::test(name, test)).collect()
}

/// A test that cannot be made where `obstacle` says why: ignored then, or failed where skips are
/// denied.
pub fn or_ignored(
    name: String,
    obstacle: Option<&str>,
    test: impl FnOnce() -> Checked + Send + 'static,
) -> Trial {
    let Some(why) = obstacle.map(str::to_owned) else { return Trial::test(name, test) };
    if lastack::runner::policy::Policy::asked().denies_skips() {
        return Trial::test(name, || Err(why.into()));
    }
    Trial::ignorable_test(name, || Ok(Completion::ignored_with(why)))
}

/// The end of a life that is a check in itself.
pub fn told(result: Checked) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{}", why.message().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

/// This program in the life that `LASTACK_LIFE` names, with nothing of our own caller's settings.
pub fn life(life: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("tests have a file"));
    command.env("LASTACK_LIFE", life).args(arguments);
    plain(&mut command);
    command
}

/// Takes our own caller's settings away.
pub fn plain(command: &mut Command) -> &mut Command {
    for name in [
        "RUST_TEST_THREADS",
        "LASTACK_DENY_SKIPS",
        "LASTACK_ALLOW_SKIPS",
        "LASTACK_KERNEL",
        "LASTACK_SHARD",
        "LASTACK_TIMES",
        "NEXTEST",
        "RUST_BACKTRACE",
    ] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null())
}

/// Which life this is, if not that of the test itself.
pub fn this_life() -> Option<String> {
    std::env::var("LASTACK_LIFE").ok()
}

/// How a program ended and what it said.
pub struct Seen {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub fn run(command: &mut Command) -> Checked<Seen> {
    command.output()?.try_into()
}

impl TryFrom<Output> for Seen {
    type Error = Failed;

    fn try_from(Output { status, stdout, stderr }: Output) -> Checked<Self> {
        Ok(Self {
            code: status.code(),
            out: String::from_utf8(stdout)?,
            err: String::from_utf8(stderr)?,
        })
    }
}

impl Seen {
    pub fn ends(&self, code: i32) -> Checked<&Self> {
        self.holds(self.code == Some(code), &format!("exit code {code}"))
    }

    pub fn says(&self, part: &str) -> Checked<&Self> {
        self.holds(self.out.contains(part), &format!("{part:?} on stdout"))
    }

    pub fn complains(&self, part: &str) -> Checked<&Self> {
        self.holds(self.err.contains(part), &format!("{part:?} on stderr"))
    }

    pub fn holds(&self, truth: bool, what: &str) -> Checked<&Self> {
        let Self { code, out, err } = self;
        match truth {
            true => Ok(self),
            false => Err(format!("expected {what}\n{code:?}\n{out}\n{err}").into()),
        }
    }

    /// The directory that the account says the rest is in.
    pub fn kept(&self) -> Checked<PathBuf> {
        let (_, kept) = self.out.split_once("kept in ").ok_or("nothing was kept")?;
        Ok(PathBuf::from(kept.split(['\n', ')']).next().unwrap_or_default()))
    }

    /// Removes what an expected failure left.
    pub fn clear(&self) -> Checked {
        Ok(std::fs::remove_dir_all(self.kept()?)?)
    }
}

/// A folder of its own that no virtual kernel hides, as it does all in `/tmp`, where this project
/// may be, too.
pub fn folder() -> Checked<TempDir> {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let hidden = ["/tmp", "/run", "/mnt"].iter().any(|place| built.starts_with(place));
    Ok(tempfile::tempdir_in(if hidden { Path::new("/var/tmp") } else { built })?)
}

/// Asks until there is an answer, for at most ten seconds.
pub fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() > deadline {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Every process that this one can see.
pub fn processes() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered =
        entries.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    numbered.map(|entry| entry.path()).collect()
}

/// The words of its command line, a NUL byte between them.
pub fn command_line(process: &Path) -> String {
    std::fs::read_to_string(process.join("cmdline")).unwrap_or_default()
}

/// Those whose command line holds this mark.
pub fn running(mark: &str) -> Vec<PathBuf> {
    processes().into_iter().filter(|process| command_line(process).contains(mark)).collect()
}

/// Those whose parent is `parent`.
pub fn children(parent: u32) -> Vec<PathBuf> {
    let line = format!("PPid:\t{parent}");
    let status =
        |process: &Path| std::fs::read_to_string(process.join("status")).unwrap_or_default();
    let child = |process: &PathBuf| status(process).lines().any(|found| found == line);
    processes().into_iter().filter(child).collect()
}
