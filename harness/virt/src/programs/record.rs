//! Runs of programs on this machine, to see what they say or what they open.
//!
//! strace(1) sees every file that is opened or looked for, needs no rights over a program that it
//! starts itself, and follows what that starts. (fanotify(7) wants root. `/proc/PID/map_files` shows
//! only what is mapped, and a loader that is asked, `LD_DEBUG`, only libraries.) It traces from a
//! process of its own (`-D`): the program itself is the child of this one, and ends with it.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Read,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lastack_sys::{
    child::{Child, End, readable},
    error::{Context, Error, Result},
    inside, program as programs,
};
use nix::{
    fcntl::OFlag,
    sys::signal::{Signal, killpg},
    unistd::{Pid, pipe2},
};

use crate::lack::Lack;

/// A run that is to end by itself and does not, ends then.
const PATIENCE: Duration = Duration::from_secs(20);

/// What sees which files are opened.
pub(super) const STRACE: &str = "strace";

/// Whether runs can be recorded here.
pub(super) fn strace() -> Result<PathBuf, Lack> {
    programs::find(STRACE).ok_or_else(|| Lack {
        reason: format!("there is no program {STRACE}"),
        remedy: "install strace (scripts/setup)".to_owned(),
    })
}

/// What a program says on both its outputs.
///
/// # Errors
/// It does not start, does not end, or fails.
pub(super) fn answer(file: &Path, arguments: &[&str]) -> Result<String> {
    let context = || format!("ask {} what belongs to it", file.display());
    let mut command = Command::new(file);
    command.args(arguments);
    let (end, said) = run(command).context(context)?;
    match end {
        End::Exited(0) => Ok(said),
        end => Err(Error::system(context(), format!("it {end}: {}", said.trim()))),
    }
}

/// The files that a program and what it starts have opened or executed, or only looked whether they
/// are there (Python reads the one file where it sees the other), by the paths it had for them. How
/// it ends is not looked at: what it opened, it opened.
///
/// # Errors
/// It cannot be recorded, or does not end.
pub(super) fn opened(file: &Path, arguments: &[&str]) -> Result<BTreeSet<PathBuf>> {
    let context = || format!("record what {} opens", file.display());
    let strace =
        strace().map_err(|lack| Error::system(context(), lack.reason).advise(lack.remedy))?;
    // A file without a name, for whoever is killed in the middle of it.
    let mut log = tempfile::tempfile().context(context)?;
    let mut command = Command::new(strace);
    command
        .args(["-D", "-f", "-qq", "-s", "4096", "-e", "trace=%file"])
        .args(["-e", "signal=none", "-e", "status=successful", "-y", "-o"])
        .arg(format!("/proc/{}/fd/{}", std::process::id(), log.as_raw_fd()))
        .arg("--")
        .arg(file)
        .args(arguments);
    let (end, said) = run(command).context(context)?;
    let mut lines = Vec::new();
    log.read_to_end(&mut lines).context(context)?;
    let opened = paths(&String::from_utf8_lossy(&lines));
    // strace itself may be refused: then not even the program was executed.
    if opened.is_empty() {
        return Err(Error::system(context(), format!("{STRACE} {end}: {}", said.trim()))
            .advise("allow it to trace what it starts (ptrace(2))"));
    }
    Ok(opened)
}

/// The paths in what strace writes: `7 openat(AT_FDCWD</home>, "file", O_RDONLY) = 3</home/file>`.
fn paths(log: &str) -> BTreeSet<PathBuf> {
    let path = |line: &str| {
        let (_, arguments) = line.split_once('(')?;
        let (before, quoted) = arguments.split_once('"')?;
        let (name, _) = quoted.split_once('"')?;
        // What is in it that is no letter would have to be unquoted; nobody's files are.
        if name.contains('\\') {
            return None;
        }
        let folder = before.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        match (Path::new(name).is_absolute(), folder) {
            (true, _) => Some(PathBuf::from(name)),
            (false, Some((folder, _))) => Some(Path::new(folder).join(name)),
            (false, None) => None,
        }
    };
    log.lines().filter_map(path).collect()
}

/// Runs it without input and out of a terminal's reach, until nobody is left that could write to
/// its output: how it ended, and what it said.
fn run(mut command: Command) -> Result<(End, String)> {
    let name = command.get_program().to_string_lossy().into_owned();
    let context = || format!("run {name}");
    let (said, output) = pipe2(OFlag::O_CLOEXEC).context(context)?;
    command.current_dir("/").stdin(Stdio::null());
    command.stdout(output.try_clone().context(context)?).stderr(output);
    // In a process group of its own, with all that it starts.
    inside::end_with_this_thread(&mut command);
    let mut child = Child::adopt(command.spawn().context(context)?).context(context)?;
    // It has copies of the output.
    drop(command);
    let deadline = Instant::now() + PATIENCE;
    let mut text = Vec::new();
    let ended = everything(said, &mut text, deadline).context(context)?;
    let left = deadline.saturating_duration_since(Instant::now());
    match child.wait_within(left)?.filter(|_| ended) {
        Some(end) => Ok((end, String::from_utf8_lossy(&text).into_owned())),
        None => {
            let _ = killpg(Pid::from_raw(child.pid()), Signal::SIGKILL);
            let why = format!("it had not ended after {} s", PATIENCE.as_secs());
            Err(Error::system(context(), why))
        }
    }
}

/// Reads to the end; whether that came before the deadline.
fn everything(from: OwnedFd, text: &mut Vec<u8>, deadline: Instant) -> Result<bool> {
    let mut from = File::from(from);
    let mut buffer = [0; 4096];
    while readable(&[from.as_fd()], Some(deadline))?[0] {
        match from.read(&mut buffer).context(|| "read its output".to_owned())? {
            0 => return Ok(true),
            length => text.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_is_read_out_of_the_log() {
        let log = "7 execve(\"/bin/a\", [\"a\"], 0x7 /* 3 vars */) = 0\n\
                   12  openat(AT_FDCWD</home>, \"lib/x y\", O_RDONLY) = 3</home/lib/x y>\n\
                   12 newfstatat(4</etc>, \"../opt/z\", {st_mode=S_IFREG|0644}, 0) = 0\n\
                   12 openat(AT_FDCWD</>, \"/etc/q\\\"uote\", O_RDONLY) = 5</etc/q\"uote>\n\
                   12 chdir(\"here\") = 0\n\
                   12 +++ exited with 0 +++\n";
        let expected = ["/bin/a", "/home/lib/x y", "/etc/../opt/z"].map(PathBuf::from);
        assert_eq!(paths(log), expected.into());
    }

    #[test]
    fn a_run_is_recorded_with_what_it_starts() {
        let script = ["-c", "cat /etc/services >/dev/null; cat /no/such/file"];
        let opened = match opened(Path::new("/bin/sh"), &script) {
            Err(error) if strace().is_err() => {
                assert!(error.to_string().contains("scripts/setup"), "{error}");
                return;
            }
            opened => opened.unwrap(),
        };
        assert!(opened.contains(Path::new("/etc/services")), "{opened:?}");
        assert!(opened.iter().any(|path| path.ends_with("cat")), "{opened:?}");
        assert!(!opened.contains(Path::new("/no/such/file")), "{opened:?}");
    }

    #[test]
    fn a_program_that_fails_answers_with_what_it_said() {
        let error = answer(Path::new("/bin/sh"), &["-c", "echo oh no >&2; exit 3"]).unwrap_err();
        assert!(error.to_string().contains("oh no"), "{error}");
    }
}
