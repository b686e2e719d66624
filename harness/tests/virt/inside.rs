//! What is done in the virtual kernels of these tests: one line of the manifest after the other.

use std::{
    fs,
    io::Read,
    os::unix::fs::MetadataExt,
    process::{Command, Output},
    thread,
    time::{Duration, Instant, SystemTime},
};

pub fn inside(manifest: &[u8], say: &(dyn Fn(&[u8]) + Sync)) {
    for line in String::from_utf8_lossy(manifest).lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "echo" => say(rest.as_bytes()),
            "large" => say(&vec![b'x'; rest.parse().expect("a number")]),
            "sleep" => {
                let began = Instant::now();
                thread::sleep(Duration::from_secs(rest.parse().expect("seconds")));
                say(began.elapsed().as_nanos().to_string().as_bytes());
            }
            "clock" => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later");
                say(now.as_nanos().to_string().as_bytes());
            }
            "read" => say(read(rest).as_bytes()),
            "look" => say(look(rest).as_bytes()),
            "take" => say(take(rest).as_bytes()),
            "run" => say(shell(rest).as_bytes()),
            "crash" => fs::write("/proc/sysrq-trigger", "c").expect("sysrq"),
            // A kernel that panics and does not reboot: it goes on working, and nothing in it runs.
            "stick" => {
                fs::write("/proc/sys/kernel/panic", "0").expect("a sysctl");
                fs::write("/proc/sysrq-trigger", "c").expect("sysrq");
            }
            "spin" => loop {
                std::hint::spin_loop();
            },
            "panic" => panic!("{rest}"),
            "exit" => std::process::exit(3),
            other => say(format!("what is {other}?").as_bytes()),
        }
    }
}

/// What a shell's command says, on both outputs.
fn shell(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output();
    output.map_or_else(
        |error| error.to_string(),
        |Output { status, stdout, stderr }| {
            let words = [stdout, stderr].concat();
            let failed = if status.success() { String::new() } else { format!(" ({status})") };
            format!("{}{failed}", String::from_utf8_lossy(&words).trim_end())
        },
    )
}

/// What a path is: its mode, owners, time in seconds, length, and where a link leads.
pub fn look(path: &str) -> String {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) => return error.to_string(),
    };
    let target = fs::read_link(path).unwrap_or_default();
    // A folder is as long as its file system says.
    let length = if found.is_dir() { 0 } else { found.len() };
    let (mode, uid, gid, time) = (found.mode(), found.uid(), found.gid(), found.mtime());
    format!("{path} {mode:o} {uid} {gid} {time} {length} {}", target.display())
}

/// Reads a file to its end: how many bytes, how long that took in nanoseconds, and how many
/// kilobytes more there are in the page cache.
fn take(path: &str) -> String {
    let cached = || -> u64 {
        let memory = read("/proc/meminfo");
        let line = memory.lines().find_map(|line| line.strip_prefix("Cached:")).unwrap_or("");
        line.trim().trim_end_matches(" kB").parse().expect("kilobytes")
    };
    let before = cached();
    let mut file = fs::File::open(path).expect("a file");
    let (mut buffer, mut length, began) = (vec![0; 1 << 20], 0, Instant::now());
    loop {
        match file.read(&mut buffer).expect("a file") {
            0 => break,
            read => length += read,
        }
    }
    format!("{length} {} {}", began.elapsed().as_nanos(), cached().saturating_sub(before))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| error.to_string()).trim().to_owned()
}
