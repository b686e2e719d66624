//! How QEMU is called.
//!
//! What is deterministic on a virtual kernel, and what is not: its clock counts instructions, one a
//! nanosecond, and stands still for everything that goes on outside; the random numbers of its
//! processor come from a seed that is always the same, and so does the time of day it starts at;
//! nothing enters it once it runs, but a question whether it lives if it works for long without a
//! word (`watch`). A word on the port is taken off it by the processor's own thread
//! (`ioeventfd=off`), so its interrupt comes at the same instruction every time. What is left: of
//! more than the socket behind the port holds the rest waits until that is read, which only the
//! evidence of a case that has ended is; and a boot does not take the same number of instructions
//! twice. So clones of one template do the same to the nanosecond as long as they are given the
//! same; machines that boot end their timers within a tick of each other.

use std::{
    fs::File,
    hash::Hash,
    os::fd::{AsRawFd, OwnedFd},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

use super::{
    image::Image,
    lack::Lack,
    programs::{ProgramImage, mount},
};
use lastack_sys::{
    error::{Context, Error, Result},
    inside, program,
};

/// The program.
const PROGRAM: &str = "qemu-system-x86_64";

/// How much memory a virtual kernel has, in MiB, unless [`MEMORY_VARIABLE`] says otherwise. What it
/// does not touch costs nothing.
const MEMORY: u32 = 768;

/// Says how much memory virtual kernels have, in MiB.
pub const MEMORY_VARIABLE: &str = "LASTACK_VIRTUAL_MEMORY";

/// The machine: processor, clock and devices. The port is its standard output, which is a socket;
/// its console and QEMU's own complaints are its standard error.
const MACHINE: &[&str] = &[
    // Interpreted, one instruction a nanosecond; an idle clock goes at once to its next timer.
    // What it has translated may take a quarter of a gigabyte, not the whole one of the default.
    "-accel tcg,tb-size=256 -icount shift=0,sleep=off,align=off",
    // Without the vector registers, which every switch between processes would save.
    "-machine pc -cpu max,-xsave -smp 1",
    "-seed 1 -rtc base=2025-01-01T00:00:00,clock=vm",
    "-nodefaults -no-user-config -display none -no-reboot",
    "-chardev socket,id=port,fd=1",
    "-device virtio-serial-pci,ioeventfd=off -device virtserialport,chardev=port,name=lastack",
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
        remedy: "install qemu-system-x86 (scripts/setup, 300 MB)".to_owned(),
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

/// The port's name in [`MACHINE`], by which a virtual kernel finds it: its number depends on what
/// other devices there are.
pub(super) const PORT: &str = "lastack";

/// A pmem device: a file that is memory to a virtual kernel, which finds it by its size, or by what
/// is in it.
#[derive(Clone, Copy)]
pub(super) struct Pmem<'f> {
    pub(super) id: &'static str,
    pub(super) file: &'f File,
    /// In bytes.
    pub(super) size: u64,
    /// Whether the virtual kernel can only read it.
    pub(super) read_only: bool,
}

/// What every machine of a kind has in common, whatever it is started for.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) program: PathBuf,
    pub(super) vmlinuz: PathBuf,
    /// In MiB.
    pub(super) memory: u32,
    /// Programs to be mounted.
    pub(super) programs: Option<Arc<ProgramImage>>,
}

/// The memory of a machine that is saved, or goes on from where one was.
pub(super) struct Memory<'f> {
    pub(super) file: &'f File,
    /// Whether what the machine writes reaches the file.
    pub(super) shared: bool,
}

impl Call {
    /// The call that everyone gets here.
    ///
    /// # Errors
    /// QEMU is not there, or the environment says something of no use.
    pub(super) fn new(image: &Image) -> Result<Self> {
        let context = || "call QEMU".to_owned();
        let program =
            program().map_err(|lack| Error::system(context(), lack.reason).advise(lack.remedy))?;
        let memory = memory().context(context)?;
        let vmlinuz = image.kernel().vmlinuz().to_owned();
        Ok(Self { program, vmlinuz, memory, programs: image.mounted().cloned() })
    }

    /// What a machine depends on beside its files: another is not a machine that was saved.
    pub(super) fn arguments(&self) -> impl Hash + use<> {
        (MACHINE, SAVED, self.command_line(), self.memory)
    }

    fn command_line(&self) -> String {
        let programs = self.programs.as_ref();
        let programs = programs.map(|programs| format!("{}={}", mount::VARIABLE, programs.name()));
        let words = COMMAND_LINE.iter().copied().chain(programs.as_deref());
        format!("{} PATH={PATH}", words.collect::<Vec<_>>().join(" "))
    }

    /// The command that boots a virtual kernel from this file system.
    ///
    /// # Errors
    /// Too many files are open here.
    pub(super) fn boot(&self, image: OwnedFd) -> Result<Command> {
        let mut command = self.plain();
        let mut files = Files::default();
        self.with_memory(&mut command, &[], &mut files)?;
        files.hand_down(&mut command);
        command.args(INITRD).stdin(image);
        Ok(command)
    }

    /// The command that boots one which is to be saved: its memory is `memory`, and it has these
    /// devices. Its monitor is `monitor`.
    pub(super) fn boot_to_save(
        &self,
        image: OwnedFd,
        memory: &Memory<'_>,
        pmem: &[Pmem<'_>],
        monitor: OwnedFd,
    ) -> Result<Command> {
        let mut command = self.saved(memory, pmem, monitor)?;
        command.args(INITRD).stdin(image);
        Ok(command)
    }

    /// The command that goes on from where one was saved. No file system is needed any more.
    pub(super) fn resume(
        &self,
        memory: &Memory<'_>,
        pmem: &[Pmem<'_>],
        monitor: OwnedFd,
    ) -> Result<Command> {
        let mut command = self.saved(memory, pmem, monitor)?;
        command.args(["-incoming", "defer"]).stdin(Stdio::null());
        Ok(command)
    }

    fn plain(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(words(MACHINE))
            .arg("-kernel")
            .arg(&self.vmlinuz)
            .args(["-append", &self.command_line()])
            .stderr(Stdio::piped());
        inside::end_with_this_thread(&mut command);
        command
    }

    fn saved(&self, memory: &Memory<'_>, pmem: &[Pmem<'_>], monitor: OwnedFd) -> Result<Command> {
        let mut command = self.plain();
        let mut files = Files::default();
        let own = format!("id=ram,size={}M", self.memory);
        command.args(files.backend(memory.file, &own, memory.shared)?);
        command.args(words(SAVED));
        self.with_memory(&mut command, pmem, &mut files)?;
        command.args(["-chardev", &format!("socket,id=monitor,fd={}", monitor.as_raw_fd())]);
        files.0.push(monitor);
        files.hand_down(&mut command);
        Ok(command)
    }

    /// Says how much memory the machine has, and which devices are memory, too: these, and the
    /// programs. Those are shared, as all machines that map them read the same pages; and read
    /// only, as one that could write would keep its kernel waiting for a flush that comes late.
    fn with_memory(&self, command: &mut Command, pmem: &[Pmem<'_>], files: &mut Files) -> Result {
        let programs = self.programs.iter().map(|programs| Pmem {
            id: "programs",
            file: programs.file(),
            size: programs.size(),
            read_only: true,
        });
        let mut most = u64::from(self.memory) << 20;
        for Pmem { id, file, size, read_only } in programs.chain(pmem.iter().copied()) {
            let read_only = if read_only { ",readonly=on" } else { "" };
            command.args(files.backend(file, &format!("id={id},size={size}{read_only}"), true)?);
            command.args(["-device", &format!("virtio-pmem-pci,memdev={id}")]);
            // Where it is mapped, it begins at a round address.
            most += size + PMEM_ROUND;
        }
        let own = u64::from(self.memory) << 20;
        // Without such devices there is no more than its own, which QEMU wants to be not even said.
        let more = if most > own { format!(",slots=1,maxmem={most}B") } else { String::new() };
        command.args(["-m", &format!("{}M{more}", self.memory)]);
        Ok(())
    }
}

/// Files that QEMU gets beside its standard ones.
#[derive(Default)]
struct Files(Vec<OwnedFd>);

impl Files {
    /// The words that make this file memory of a machine, which is `what`.
    fn backend(&mut self, file: &File, what: &str, shared: bool) -> Result<[String; 2]> {
        let file = file.try_clone().context(|| "hand a file to QEMU".to_owned())?;
        let (path, share) = (path(&file), if shared { "on" } else { "off" });
        self.0.push(file.into());
        let object = format!("memory-backend-file,{what},mem-path={path},share={share}");
        Ok(["-object".to_owned(), object])
    }

    fn hand_down(self, command: &mut Command) {
        inside::hand_down(command, self.0);
    }
}

/// What a machine needs to be saved, or to go on.
const SAVED: &[&str] = &["-machine memory-backend=ram", "-mon chardev=monitor,mode=control"];

/// The initial file system is standard input.
const INITRD: [&str; 2] = ["-initrd", "/proc/self/fd/0"];

/// More than any alignment that QEMU gives a pmem device.
const PMEM_ROUND: u64 = 1 << 30;

fn words(lines: &'static [&str]) -> impl Iterator<Item = &'static str> {
    lines.iter().flat_map(|words| words.split(' '))
}

/// The file, for who has the same descriptor.
fn path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
