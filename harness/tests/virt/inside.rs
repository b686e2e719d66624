//! What is done in the virtual kernels of these tests: one line of the manifest after the other.

use std::{
    fs, thread,
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

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| error.to_string()).trim().to_owned()
}
