//! What must not happen, and what is said when it does.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    thread,
    time::Duration,
};

use lastack::virt::{Machine, MachineEnd, MachineEvent};
use nix::{
    sys::signal::{Signal, kill},
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

use crate::{
    common::{Checked, Named, life, run, until},
    machines,
};

pub const TESTS: [Named; 8] = [
    ("a_virtual_kernel_that_is_killed_is_told_as_that", killed_from_outside),
    ("a_virtual_kernel_that_says_nothing_is_ended", hangs),
    ("a_virtual_kernel_that_is_busy_is_not_ended", is_busy),
    ("a_virtual_kernel_that_stands_still_is_ended", stands_still),
    ("a_virtual_kernel_dies_with_the_program_that_holds_it", dies_with_its_holder),
    ("too_little_memory_is_said_before_the_boot", needs_memory),
    ("settings_that_are_no_numbers_are_refused", refuses_words),
    ("without_qemu_the_package_is_named", wants_qemu),
];

/// The other life: a virtual kernel with the manifest that the first argument is, told on stdout.
pub fn hold_one() -> Checked {
    let manifest = std::env::args().nth(1).unwrap_or_default();
    let mut machine = Machine::boot(&machines::image()?, manifest.as_bytes())?;
    println!("{}", machine.pid());
    loop {
        match machine.next_event()? {
            MachineEvent::Frame(frame) => println!("{}", String::from_utf8_lossy(&frame)),
            MachineEvent::Ended(ending) => {
                println!("{ending:?}");
                return Ok(());
            }
        }
    }
}

fn killed_from_outside() -> Checked {
    let mut machine = machines::up("spin")?;
    kill(Pid::from_raw(machine.pid()), Signal::SIGKILL)?;
    match machine.next_event()? {
        MachineEvent::Ended(MachineEnd::Died { how, .. }) if how == "QEMU killed by SIGKILL" => {
            Ok(())
        }
        other => Err(format!("{other:?}").into()),
    }
}

fn hangs() -> Checked {
    // Three times the work of a boot.
    let mut command = life("holder", &["echo up\nstick"]);
    let seen = run(command.env("LASTACK_VIRTUAL_SILENCE", "15"))?;
    seen.ends(0)?.says("\nup\n")?.says("Hung")?.says("silent_for: 15s, answered: false").map(drop)
}

fn is_busy() -> Checked {
    const LIMIT: Duration = Duration::from_secs(15);
    let mut command = life("holder", &["echo up\nspin"]);
    let command = command.env("LASTACK_VIRTUAL_SILENCE", LIMIT.as_secs().to_string());
    let mut holder = command.stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(holder.stdout.take().ok_or("no stdout")?).lines();
    let pid = lines.next().ok_or("it says nothing")??;
    lines.next().ok_or("it says no more")??;
    let clock = clock_getcpuclockid(Pid::from_raw(pid.parse()?))?;
    let worked = || clock_gettime(clock).map(Duration::from);
    let until = worked()? + LIMIT + Duration::from_secs(2);
    // One that is ended has no clock.
    let lives = loop {
        match worked() {
            Ok(work) if work > until => break true,
            Ok(_) => thread::sleep(Duration::from_millis(100)),
            Err(_) => break false,
        }
    };
    holder.kill()?;
    holder.wait()?;
    if lives { Ok(()) } else { Err("it was ended while it worked".into()) }
}

fn stands_still() -> Checked {
    let mut command = life("holder", &["echo up\nspin"]);
    let command = command.env("LASTACK_VIRTUAL_SILENCE", "15").stdout(Stdio::piped());
    let mut holder = command.spawn()?;
    let mut lines = BufReader::new(holder.stdout.take().ok_or("no stdout")?).lines();
    let pid = lines.next().ok_or("it says nothing")??;
    lines.next().ok_or("it says no more")??;
    kill(Pid::from_raw(pid.parse()?), Signal::SIGSTOP)?;
    let ended = lines.next().ok_or("it says no more")??;
    holder.wait()?;
    if ended.starts_with("Hung") { Ok(()) } else { Err(ended.into()) }
}

fn dies_with_its_holder() -> Checked {
    let mut holder = life("holder", &["echo up\nspin"]).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(holder.stdout.take().ok_or("no stdout")?).lines();
    let pid = lines.next().ok_or("it says nothing")??;
    let up = lines.next().ok_or("it says no more")??;
    let process = Path::new("/proc").join(&pid);
    let there = fs::read(process.join("cmdline"))?.starts_with(b"/usr/bin/qemu-system");
    // What a holder does not outlive may not be waited for by it.
    holder.kill()?;
    holder.wait()?;
    let gone = until(|| state(&process).is_none_or(|state| state == 'Z').then_some(()));
    match (up.as_str(), there, gone) {
        ("up", true, Some(())) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn state(process: &Path) -> Option<char> {
    fs::read_to_string(process.join("stat")).ok()?.rsplit_once(") ")?.1.chars().next()
}

fn needs_memory() -> Checked {
    let mut command = life("holder", &[""]);
    let seen = run(command.env("LASTACK_VIRTUAL_MEMORY", "64"))?;
    seen.ends(1)?.complains("64 MiB of memory are too little; give it")?;
    seen.complains("(LASTACK_VIRTUAL_MEMORY)").map(drop)
}

fn refuses_words() -> Checked {
    for name in ["LASTACK_VIRTUAL_MEMORY", "LASTACK_VIRTUAL_SILENCE"] {
        let seen = run(life("holder", &[""]).env(name, "plenty"))?;
        seen.ends(1)?.complains(&format!("{name}=plenty is no number"))?;
    }
    Ok(())
}

fn wants_qemu() -> Checked {
    let seen = run(life("holder", &[""]).env("PATH", "/nonexistent"))?;
    seen.ends(1)?.complains("there is no program qemu-system-x86_64")?;
    seen.complains("install qemu-system-x86 (scripts/setup").map(drop)
}
