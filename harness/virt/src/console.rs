//! What a virtual kernel's kernel prints, as far as it is worth keeping.

use std::collections::VecDeque;

/// As much as a panic takes, with its registers and its call trace.
const LINES: usize = 60;

/// Longer than any line of a kernel's.
const LINE: usize = 400;

/// The words of `panic` (`kernel/panic.c`).
const PANIC: &str = "Kernel panic - not syncing";

/// What a kernel, and QEMU itself, say where memory does not suffice.
const MEMORY: [&str; 4] =
    ["Initramfs unpacking failed", "Out of memory", "Cannot allocate memory", "No usable memory"];

/// The last lines of a console.
#[derive(Debug, Default)]
pub(super) struct Console {
    lines: VecDeque<String>,
    begun: Vec<u8>,
    panic: Option<String>,
    wants_memory: bool,
}

impl Console {
    /// Takes what has come.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                b'\r' => {}
                byte if self.begun.len() < LINE => self.begun.push(byte),
                _ => {}
            }
        }
    }

    fn end_line(&mut self) {
        let line = plain(&std::mem::take(&mut self.begun));
        if line.is_empty() {
            return;
        }
        if let Some(at) = line.find(PANIC) {
            // The first says why; others may follow from it.
            self.panic
                .get_or_insert_with(|| line[at + PANIC.len()..].trim_start_matches(": ").into());
        }
        self.wants_memory |= MEMORY.iter().any(|words| line.contains(words));
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The last lines.
    pub(super) fn text(&self) -> String {
        let begun = plain(&self.begun);
        let begun = (!begun.is_empty()).then_some(&begun);
        self.lines.iter().chain(begun).map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Why the kernel panicked, if it did.
    pub(super) fn panic(&self) -> Option<&str> {
        self.panic.as_deref()
    }

    /// Whether it ever said that memory did not suffice.
    pub(super) fn wants_memory(&self) -> bool {
        self.wants_memory
    }
}

/// A line without what would move a terminal's cursor.
fn plain(line: &[u8]) -> String {
    String::from_utf8_lossy(line)
        .chars()
        .filter(|c| !c.is_control())
        .collect::<String>()
        .trim_end()
        .into()
}
