//! Whether a guest kernel runs here: the program, and a machine that lets it.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use super::Answer;
use crate::{
    private_tmpfs::{self, MOUNTPOINT},
    program,
};

/// Debian's name for user-mode Linux.
pub const PROGRAM: &str = "linux.uml";

/// The last of what it tries of the machine before it boots, after ptrace(2)
/// (`arch/um/os-Linux/start_up.c`, `os_early_checks`; `mem.c`, `check_tmpexec`).
const LAST_CHECK: &str = "Checking PROT_EXEC mmap";

/// Lets the kernel begin, and ends it when it has tried what it needs of the machine.
pub(super) fn guest() -> Answer {
    let kernel = program::find(PROGRAM).ok_or_else(|| format!("there is no program {PROGRAM}"))?;
    private_tmpfs::make().map_err(|error| error.to_string())?;
    let mut child = Command::new(&kernel)
        .args(["mem=64M", "con=null", "ssl=null", &format!("uml_dir={MOUNTPOINT}/")])
        .env_clear()
        .envs([("TMPDIR", MOUNTPOINT), ("HOME", MOUNTPOINT), ("PATH", "/usr/bin:/bin")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} does not start: {error}", kernel.display()))?;
    let mut last = String::new();
    let words = child.stderr.take().map(|output| BufReader::new(output).lines());
    for line in words.into_iter().flatten().map_while(Result::ok) {
        if line.starts_with(LAST_CHECK) && line.ends_with("OK") {
            return Ok(());
        }
        if !line.trim().is_empty() {
            last = line;
        }
    }
    Err(format!("{PROGRAM} ended before it booted; its last words: {}", last.trim()))
}
