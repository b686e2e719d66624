//! Virtual kernels, and what becomes of them.

use std::{path::Path, time::Duration};

use lastack::{
    runner::places::Places,
    virt::{Image, Kernel, Machine, MachineEnd, MachineEvent, image, trial},
};

use crate::common::{Checked, Named};

/// A stock keepalive's time until it first asks.
const TWO_HOURS: Duration = Duration::from_secs(7200);

/// One tick of a kernel of 250 Hz, as all of Debian's and Ubuntu's for clouds are.
const TICK: Duration = Duration::from_millis(4);

pub const TESTS: [Named; 10] = [
    ("a_virtual_kernel_with_nothing_to_do_is_a_trial_of_its_kernel", is_tried),
    ("a_virtual_kernel_does_what_its_manifest_says", echoes),
    ("an_idle_clock_jumps", jumps),
    ("the_same_kernel_twice_takes_the_same_time", repeats),
    ("a_large_frame_arrives_whole", is_large),
    ("a_virtual_kernel_has_what_its_kernel_has", is_configured),
    ("a_kernel_that_panics_is_told_with_its_last_words", crashes),
    ("an_init_that_exits_is_a_panic", exits),
    ("an_init_that_panics_is_told_with_its_words", panics),
    ("a_virtual_kernel_that_is_dropped_is_gone", is_dropped),
];

pub fn image() -> Checked<Image> {
    let kernel = Kernel::find(None).map_err(|lack| lack.to_string())?;
    Ok(image::build(&kernel, &[], &Places::find().images())?)
}

fn is_tried() -> Checked {
    // The newest: the other tests are of the oldest, and the doctor's boots all.
    let kernel = Kernel::all().pop().ok_or("there is no kernel")?;
    let boot = trial::boot(&kernel, &[], &Places::find().images())?;
    same((boot.image > 1 << 20, boot.boot > boot.build), (true, true))
}

/// A virtual kernel that is up, as its first word proves; `manifest` follows on that.
pub fn up(manifest: &str) -> Checked<Machine> {
    let mut machine = Machine::boot(&image()?, format!("echo up\n{manifest}").as_bytes())?;
    match machine.next_event()? {
        MachineEvent::Frame(frame) if frame == b"up" => Ok(machine),
        other => Err(format!("{other:?}").into()),
    }
}

/// What a virtual kernel with this manifest says, and how it ends.
fn run(manifest: &str) -> Checked<(Vec<String>, MachineEnd)> {
    let mut machine = up(manifest)?;
    let mut said = Vec::new();
    loop {
        match machine.next_event()? {
            MachineEvent::Frame(frame) => said.push(String::from_utf8(frame)?),
            MachineEvent::Ended(ending) => return Ok((said, ending)),
        }
    }
}

/// What one that comes to a good end says.
fn done(manifest: &str) -> Checked<Vec<String>> {
    match run(manifest)? {
        (said, MachineEnd::PoweredOff) => Ok(said),
        (said, ending) => Err(format!("{ending:?} after {said:?}").into()),
    }
}

fn ended(ending: &MachineEnd, as_expected: bool) -> Checked {
    if as_expected { Ok(()) } else { Err(format!("it ended otherwise: {ending:?}").into()) }
}

fn same<T: PartialEq + std::fmt::Debug>(seen: T, expected: T) -> Checked {
    if seen == expected { Ok(()) } else { Err(format!("{seen:?}, not {expected:?}").into()) }
}

fn echoes() -> Checked {
    same(done("echo hello\necho\necho world")?, ["hello", "", "world"].map(str::to_owned).to_vec())
}

fn jumps() -> Checked {
    let said = done(&format!("sleep {}", TWO_HOURS.as_secs()))?;
    let slept = Duration::from_nanos(said.concat().parse()?);
    let late = slept.checked_sub(TWO_HOURS).ok_or_else(|| format!("it slept {slept:?}"))?;
    if late < TICK { Ok(()) } else { Err(format!("it slept {late:?} too long").into()) }
}

fn repeats() -> Checked {
    let manifest = "sleep 7200\nclock\nsleep 75\nclock";
    let numbers = || -> Checked<Vec<Duration>> {
        let said = done(manifest)?;
        Ok(said.iter().map(|n| n.parse().map(Duration::from_nanos)).collect::<Result<_, _>>()?)
    };
    let (first, second) = (numbers()?, numbers()?);
    // Times slept, and times of day: every virtual kernel starts at the same one.
    let close = first.iter().zip(&second).all(|(a, b)| a.abs_diff(*b) < TICK);
    if close && first.len() == 4 { Ok(()) } else { Err(format!("{first:?} {second:?}").into()) }
}

fn is_large() -> Checked {
    let said = done("large 3000000\nlarge 1\necho end")?;
    same(said.iter().map(String::len).collect(), vec![3_000_000, 1, 3])
}

fn is_configured() -> Checked {
    let kernel = Kernel::find(None).map_err(|lack| lack.to_string())?;
    let said = done("read /proc/sys/kernel/osrelease\nread /proc/modules\nread /proc/1/comm")?;
    let [release, modules, init] = &said[..] else { return Err(format!("{said:?}").into()) };
    same((release.as_str(), init.as_str()), (kernel.release.as_str(), "init"))?;
    for name in ["veth", "tcp_diag", "sch_netem", "nf_tables", "nft_fwd_netdev", "act_mirred"] {
        let path = kernel.modules().join("modules.builtin");
        let built_in = std::fs::read_to_string(path)?.contains(&format!("/{name}.ko"));
        let loaded = modules.lines().any(|line| line.split(' ').next() == Some(name));
        if kernel.has_module(name) && !built_in && !loaded {
            return Err(format!("{name} is not among\n{modules}").into());
        }
    }
    Ok(())
}

fn crashes() -> Checked {
    let (_, ending) = run("crash")?;
    let said =
        |console: &str| console.contains("Kernel panic - not syncing: sysrq triggered crash");
    ended(&ending, matches!(&ending, MachineEnd::Panicked { console } if said(console)))
}

fn exits() -> Checked {
    let (_, ending) = run("exit")?;
    let said = |console: &str| console.contains("Attempted to kill init!");
    ended(&ending, matches!(&ending, MachineEnd::Panicked { console } if said(console)))
}

fn panics() -> Checked {
    let (said, ending) = run("echo before\npanic a word of its own\necho after")?;
    same(said.concat(), "before".to_owned())?;
    let MachineEnd::Died { how, console } = &ending else { return ended(&ending, false) };
    let own = "a word of its own";
    ended(&ending, how.ends_with(&format!("panicked: {own}")) && console.contains(own))
}

fn is_dropped() -> Checked {
    let machine = up("spin")?;
    let process = format!("/proc/{}", machine.pid());
    same(Path::new(&process).exists(), true)?;
    drop(machine);
    same(Path::new(&process).exists(), false)
}
