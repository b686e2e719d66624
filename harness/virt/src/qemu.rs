//! How QEMU is called.
//!
//! What is deterministic on a virtual kernel, and what is not: its clock counts instructions, one a
//! nanosecond, and stands still for everything that goes on outside; the random numbers of its
//! processor come from a seed that is always the same, and so does the time of day it starts at;
//! nothing enters it once it runs. So timers of the same case end within a tick of each other from
//! run to run. What does depend on the machine outside is when exactly a word on the port has been
//! taken off it: an interrupt on the virtual kernel that comes a little sooner or later, and can
//! turn the order of two processes that were ready at the same time.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    lack::Lack,
    programs::{ProgramImage, mount},
};
use lastack_sys::{inside, program};

/// The program.
const PROGRAM: &str = "qemu-system-x86_64";

/// How much memory a virtual kernel has, in MiB, unless [`MEMORY_VARIABLE`] says otherwise. What it
/// does not touch costs nothing.
const MEMORY: u32 = 768;

/// Says how much memory virtual kernels have, in MiB.
pub const MEMORY_VARIABLE: &str = "LASTACK_VIRTUAL_MEMORY";

/// The machine: processor, clock and devices. The initial file system is its standard input, the
/// port its standard output, its console and QEMU's own complaints its standard error.
const MACHINE: &[&str] = &[
    // Interpreted, one instruction a nanosecond; an idle clock goes at once to its next timer.
    // What it has translated may take a quarter of a gigabyte, not the whole one of the default.
    "-accel tcg,tb-size=256 -icount shift=0,sleep=off,align=off",
    // Without the vector registers, which every switch between processes would save.
    "-machine pc -cpu max,-xsave -smp 1",
    "-seed 1 -rtc base=2025-01-01T00:00:00,clock=vm",
    "-nodefaults -no-user-config -display none -no-reboot",
    "-initrd /proc/self/fd/0",
    "-chardev file,id=port,path=/proc/self/fd/1",
    "-device virtio-serial-pci -device virtserialport,chardev=port",
    "-chardev file,id=console,path=/proc/self/fd/2 -serial chardev:console",
];

/// The kernel's command line. What it does not know itself it gives to init.
const COMMAND_LINE: &[&str] = &[
    "console=ttyS0 quiet panic=-1",
    // The same addresses and the same numbers in every boot.
    // Programs, too, are at the same addresses, so that what QEMU has translated of one is good
    // for all the processes that run it.
    "nokaslr norandmaps random.trust_cpu=on",
    // Clocks that count instructions need no measuring. Measuring them against each other took an
    // interpreted processor half of a boot; and since nobody can tell the kernel the rate of its
    // local timer, that gives way to the HPET.
    "tsc=reliable tsc_early_khz=1000000 nolapic_timer no_timer_check",
    // Checks of a kernel that has been checked.
    "cryptomgr.notests initcall_blacklist=load_system_certificate_list mitigations=off",
    "init_on_alloc=0",
    // What wakes an idle kernel: with it five idle days take minutes, without it seconds.
    "nowatchdog psi=0 cgroup_disable=memory",
    // `probe::VIRTUAL`
    "LASTACK_VIRTUAL=1",
];

/// Where programs are looked for on a virtual kernel.
pub(super) const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// Where QEMU is.
///
/// # Errors
/// It is not installed, or no kernel it runs could run this program.
pub(super) fn program() -> Result<PathBuf, Lack> {
    if std::env::consts::ARCH != "x86_64" {
        let reason =
            format!("virtual kernels are for x86_64, and this is {}", std::env::consts::ARCH);
        return Err(Lack { reason, remedy: "run it on such a machine".to_owned() });
    }
    program::find(PROGRAM).ok_or_else(|| Lack {
        reason: format!("there is no program {PROGRAM}"),
        remedy: "install qemu-system-x86 (scripts/setup)".to_owned(),
    })
}

/// How much memory a virtual kernel gets, in MiB.
///
/// # Errors
/// The environment says it in no number.
pub(super) fn memory() -> Result<u32, String> {
    match std::env::var(MEMORY_VARIABLE) {
        Ok(text) => {
            text.parse().map_err(|_| format!("{MEMORY_VARIABLE}={text} is no number of MiB"))
        }
        Err(_) => Ok(MEMORY),
    }
}

/// The command that runs a virtual kernel.
pub(super) fn command(
    program: &Path,
    vmlinuz: &Path,
    memory: u32,
    image: OwnedFd,
    programs: Option<&ProgramImage>,
) -> Command {
    let mut command = Command::new(program);
    let mut words = format!("{} PATH={PATH}", COMMAND_LINE.join(" "));
    let mut devices = Vec::new();
    let mut more = String::new();
    if let Some(programs) = programs {
        words.push_str(&format!(" {}={}", mount::VARIABLE, programs.name()));
        devices.extend(programs_device(programs));
        more =
            format!(",slots=1,maxmem={}M", u64::from(memory) + programs.size().div_ceil(1 << 20));
    }
    command
        .args(MACHINE.iter().flat_map(|words| words.split(' ')))
        .args(["-m", &format!("{memory}M{more}")])
        .args(devices)
        .arg("-kernel")
        .arg(vmlinuz)
        .args(["-append", &words])
        .stdin(image)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    inside::end_with_this_thread(&mut command);
    command
}

/// An image of programs as memory that is there even without power. Shared, as all machines that
/// map it read the same pages; read-only, as one that could write would keep its kernel waiting for
/// a flush that comes late.
fn programs_device(programs: &ProgramImage) -> [String; 4] {
    let (path, size) = (programs.path(), programs.size());
    let backend = format!(
        "memory-backend-file,id=programs,mem-path={},size={size},share=on,readonly=on",
        path.display()
    );
    let device = "virtio-pmem-pci,memdev=programs".to_owned();
    ["-object".to_owned(), backend, "-device".to_owned(), device]
}
