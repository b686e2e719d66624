//! One virtual kernel that was saved while it waits, as two files in a folder: making them, and
//! going on from them.
//!
//! Its memory is a file that QEMU had mapped, so that saving writes nothing of it, and that each
//! clone maps for itself (`MAP_PRIVATE`): what clones do not write they have in common. The rest of
//! the machine, a third of a megabyte, is what QEMU migrates. A third file, written last, says
//! what the two were when they were whole.

use std::{
    fs::{self, File, OpenOptions},
    hash::{DefaultHasher, Hasher},
    io::{Read, Write},
    net::Shutdown,
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{
    image::Image,
    machine::{Machine, MachineEnd, MachineEvent, Told, file_system},
    mailbox,
    qemu::{Call, Memory, Pmem},
    qmp::{self, Monitor},
};
use lastack_sys::error::{Context, Error, Result};

/// How much work a clone may do until it has read what it is to do, or for how long do none. It
/// takes a hundredth of that.
const UP_WITHIN: Duration = Duration::from_secs(10);

const MEMORY: &str = "memory";
const STATE: &str = "state";
const SEAL: &str = "seal";

/// Which boot of this machine this is: what was still on its way to a disk when it lost its power
/// is not there after the next.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// A virtual kernel that was saved, held open: it stays readable though its files be removed.
#[derive(Debug)]
pub(super) struct Saved {
    memory: File,
    state: Vec<u8>,
}

/// Boots a virtual kernel, and saves it in this folder when it waits for its manifest: how long the
/// saving took.
///
/// # Errors
/// It does not boot, cannot be saved, or there is no room: what was left in the folder is of no use.
pub(super) fn make(call: &Call, image: &Image, folder: &Path) -> Result<Duration> {
    let context = || format!("save a virtual kernel in {}", folder.display());
    let size = u64::from(call.memory) << 20;
    let memory = create(&folder.join(MEMORY)).context(context)?;
    memory.set_len(size).context(context)?;
    let mailbox = mailbox::empty().context(context)?;
    let (monitor, its_monitor) = UnixStream::pair().context(context)?;
    let command = call.boot_to_save(
        file_system(call, image, None)?,
        &Memory { file: &memory, shared: true },
        &[pmem(&mailbox)],
        its_monitor.into(),
    )?;
    let mut machine = Machine::start(command, None)?;
    waiting(&mut machine).context(context)?;
    let began = Instant::now();
    let state = save(machine, monitor).context(context)?;
    let mut file = create(&folder.join(STATE)).context(context)?;
    file.write_all(&state).context(context)?;
    let seal = seal(&memory, &state).context(context)?;
    let mut file = create(&folder.join(SEAL)).context(context)?;
    file.write_all(seal.as_bytes()).context(context)?;
    Ok(began.elapsed())
}

/// What is migrated of a machine, which is ended: nothing writes to its memory any more.
fn save(mut machine: Machine, monitor: UnixStream) -> Result<Vec<u8>> {
    let context = || "read what QEMU saves".to_owned();
    let (mut state, its_state) = UnixStream::pair().context(context)?;
    state.set_read_timeout(Some(qmp::PATIENCE)).context(context)?;
    thread::scope(move |scope| {
        let all = scope.spawn(move || {
            let mut all = Vec::new();
            // QEMU closes it when it has written everything.
            state.read_to_end(&mut all).map(|_| all)
        });
        let saved = Monitor::greet(monitor).and_then(|mut monitor| monitor.save(its_state));
        saved.map_err(|error| explained(&mut machine, error))?;
        all.join().expect("reading does not panic").context(context)
    })
}

/// Waits until it says that it can be saved.
fn waiting(machine: &mut Machine) -> Result {
    loop {
        match machine.hear()? {
            Told::Ready => return Ok(()),
            Told::Up | Told::Event(MachineEvent::Frame(_)) => {}
            Told::Event(MachineEvent::Ended(end)) => return Err(ended(&end)),
        }
    }
}

/// The error of a monitor; or if the machine has ended, how.
fn explained(machine: &mut Machine, error: Error) -> Error {
    machine.ended_by_now().map_or(error, |end| ended(&end))
}

fn ended(end: &MachineEnd) -> Error {
    Error::system("hear from a virtual kernel", end.to_string())
}

impl Saved {
    /// What was saved in this folder, if it is whole.
    ///
    /// # Errors
    /// It is not, or cannot be read.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let context = || format!("take the virtual kernel saved in {}", folder.display());
        let memory = OpenOptions::new().read(true).write(true).open(folder.join(MEMORY));
        let memory = memory.context(context)?;
        let state = fs::read(folder.join(STATE)).context(context)?;
        let said = fs::read_to_string(folder.join(SEAL)).context(context)?;
        if said != seal(&memory, &state).context(context)? {
            return Err(Error::system(context(), "it is not what was saved"));
        }
        Ok(Self { memory, state })
    }

    /// One that goes on from there, with this manifest, and is up.
    ///
    /// # Errors
    /// It does not come up.
    pub(super) fn clone(&self, call: &Call, manifest: &[u8]) -> Result<Machine> {
        let context = || "go on from a saved virtual kernel".to_owned();
        let mailbox = mailbox::full(manifest).context(context)?;
        let (monitor, its_monitor) = UnixStream::pair().context(context)?;
        let (mut state, its_state) = UnixStream::pair().context(context)?;
        let command = call.resume(
            &Memory { file: &self.memory, shared: false },
            &[pmem(&mailbox)],
            its_monitor.into(),
        )?;
        let mut machine = Machine::start(command, Some(UP_WITHIN)).context(context)?;
        thread::scope(move |scope| {
            scope.spawn(move || {
                // One that takes no more of it says why itself.
                let _ = state.write_all(&self.state);
                let _ = state.shutdown(Shutdown::Write);
            });
            let resumed = Monitor::greet(monitor).and_then(|mut monitor| {
                monitor.resume(its_state)?;
                Ok(monitor)
            });
            // Dropped with an error, it is ended, and with it whoever writes to it.
            let monitor = resumed.map_err(|error| explained(&mut machine, error))?;
            match machine.hear()? {
                Told::Event(MachineEvent::Ended(end)) => Err(ended(&end)),
                _ => {
                    machine.keep_monitor(monitor);
                    Ok(machine)
                }
            }
        })
        .context(context)
    }
}

/// The devices of a machine that is saved: the mailbox.
fn pmem(mailbox: &File) -> Pmem<'_> {
    Pmem { id: "mailbox", file: mailbox, size: mailbox::SIZE, read_only: false }
}

/// What the files are: another boot of this machine, length, time of writing, or other bytes of
/// state are not what was saved.
fn seal(memory: &File, state: &[u8]) -> std::io::Result<String> {
    let boot = fs::read_to_string(BOOT)?;
    let of = memory.metadata()?;
    let mut hash = DefaultHasher::new();
    hash.write(state);
    Ok(format!(
        "boot {}\nmemory {} {} {}.{:09}\nstate {} {:016x}\n",
        boot.trim(),
        of.ino(),
        of.len(),
        of.mtime(),
        of.mtime_nsec(),
        state.len(),
        hash.finish()
    ))
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
}
