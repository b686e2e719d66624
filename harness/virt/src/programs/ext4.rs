//! An ext4 file system made of files of this machine, by an ordinary user.
//!
//! The files are copied into a folder, which `mkfs.ext4 -d` makes a file system of, with modes,
//! links and times. What an ordinary user's copies cannot have, owners, is written into it
//! afterwards by debugfs(8). It is for DAX, so its blocks are pages; it is never written to, so it
//! has no journal.

use std::{
    fs::{self, File, FileTimes, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use lastack_sys::{
    error::{Context, Error, Result},
    inside, program as programs,
};
use nix::{
    fcntl::AT_FDCWD,
    sys::{
        stat::{UtimensatFlags, utimensat},
        statvfs::statvfs,
        time::TimeSpec,
    },
    unistd::geteuid,
};

use super::contents::{Contents, Entry, Kind};
use crate::lack::Lack;

/// What makes the file system, and what changes owners in it.
const TOOLS: [&str; 2] = ["mkfs.ext4", "debugfs"];

const BLOCK: u64 = 4096;

/// An inode as mkfs.ext4 makes them (`mke2fs.conf(5)`, inode_size).
const INODE: u64 = 256;

/// Where an ext4 file system's own words are (the kernel's `Documentation/filesystems/ext4`,
/// "Super Block").
const SUPERBLOCK: u64 = 1024;
const BLOCKS: usize = 0x04;
const MAGIC: usize = 0x38;
const UUID: usize = 0x68;

/// As much of it as these are in.
const HEAD: usize = UUID + 16;

/// What names a file system.
pub(super) type Uuid = [u8; 16];

/// As mkfs.ext4 wants it: "00112233-4455-6677-8899-aabbccddeeff".
pub(super) fn words(uuid: &Uuid) -> String {
    let mut words = String::new();
    for (at, byte) in uuid.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            words.push('-');
        }
        words.push_str(&format!("{byte:02x}"));
    }
    words
}

/// The name and the length of the file system that begins a file or a device, if there is one.
pub(super) fn found(file: &impl std::os::unix::fs::FileExt) -> Option<(Uuid, u64)> {
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, SUPERBLOCK).ok()?;
    if head[MAGIC..][..2] != [0x53, 0xef] {
        return None;
    }
    let blocks = u32::from_le_bytes(head[BLOCKS..][..4].try_into().ok()?);
    Some((head[UUID..].try_into().ok()?, u64::from(blocks) * BLOCK))
}

/// Whether one can be made here.
///
/// # Errors
/// What it is made by is not installed.
pub(super) fn tools() -> Result<(), Lack> {
    match TOOLS.into_iter().find(|name| programs::find(name).is_none()) {
        None => Ok(()),
        Some(missing) => Err(Lack {
            reason: format!("there is no program {missing}"),
            remedy: "install e2fsprogs (scripts/setup)".to_owned(),
        }),
    }
}

/// Why a file system did not come out.
pub(super) enum Trouble {
    /// This file was changed or removed meanwhile.
    Changed(PathBuf),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// How many bytes the file system of these contents has.
pub(super) fn size(contents: &Contents) -> u64 {
    let of = |entry: &Entry| match &entry.kind {
        Kind::File => entry.size.next_multiple_of(BLOCK),
        // A folder of many files takes more, a long link takes one.
        Kind::Way | Kind::Folder => 2 * BLOCK,
        Kind::Link(_) | Kind::Made(_) => BLOCK,
    };
    let (files, count) = contents.iter().fold((0, 0), |(bytes, count), (path, entry)| {
        (bytes + of(entry) + path.as_os_str().len() as u64, count + 1)
    });
    // Bitmaps and descriptors take little, and a twentieth is more than enough for all of them.
    let whole = (files + inodes(count) * INODE) * 21 / 20 + (4 << 20);
    // The device is mapped by large pages.
    whole.next_multiple_of(2 << 20)
}

/// With the ten that a file system keeps for itself, and `lost+found`.
fn inodes(count: u64) -> u64 {
    (count + 32).next_multiple_of(16)
}

/// Makes a file system of these contents in `folder`, which is there and holds nothing: its file.
///
/// # Errors
/// A file changed meanwhile: which. Or there is no room, or the tools fail.
pub(super) fn build(contents: &Contents, uuid: &Uuid, folder: &Path) -> Result<PathBuf, Trouble> {
    let (root, image) = (folder.join("root"), folder.join("image"));
    let size = size(contents);
    room(folder, size)?;
    let context = || format!("copy programs into {}", folder.display());
    fs::create_dir(&root).context(context)?;
    for (path, entry) in contents.iter() {
        stage(&at(&root, path), path, entry)?;
    }
    // The last first: what is made in a folder changes its time.
    for (path, entry) in contents.iter().rev() {
        finish(&at(&root, path), entry).context(context)?;
    }
    let count = contents.iter().count() as u64;
    make(&root, &image, uuid, size, inodes(count))?;
    amend(contents, &image)?;
    fs::remove_dir_all(&root).context(context)?;
    Ok(image)
}

/// Where a path from the root is below another root.
fn at(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Whether there is room for the copies and the file system.
fn room(folder: &Path, size: u64) -> Result {
    let context = || format!("make an image of programs in {}", folder.display());
    let there = statvfs(folder).context(context)?;
    let free = there.blocks_available() as u64 * there.fragment_size() as u64;
    match free >= 2 * size {
        true => Ok(()),
        false => {
            let [wanted, free] = [2 * size, free].map(|bytes| bytes.div_ceil(1 << 20));
            Err(Error::system(context(), format!("it takes {wanted} MiB, and {free} are free"))
                .advise("make room there, or declare fewer programs"))
        }
    }
}

fn stage(copy: &Path, path: &Path, entry: &Entry) -> Result<(), Trouble> {
    let context = || format!("copy {} into an image", path.display());
    match &entry.kind {
        Kind::Way | Kind::Folder => fs::create_dir(copy).context(context)?,
        Kind::Link(target) | Kind::Made(target) => symlink(target, copy).context(context)?,
        Kind::File => match duplicate(path, copy, entry) {
            Ok(true) => {}
            Ok(false) => return Err(Trouble::Changed(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Trouble::Changed(path.to_owned()));
            }
            Err(error) => return Err(Err::<(), _>(error).context(context).unwrap_err().into()),
        },
    }
    Ok(())
}

/// Copies a file's content; whether it still was the file that was listed.
fn duplicate(path: &Path, copy: &Path, entry: &Entry) -> io::Result<bool> {
    let (mut from, mut to) = (File::open(path)?, File::create(copy)?);
    let copied = io::copy(&mut from, &mut to)?;
    let now = from.metadata()?;
    Ok((copied, (now.mtime(), now.mtime_nsec())) == (entry.size, entry.modified))
}

/// Gives a copy its owner, mode and time, as far as it can have them.
fn finish(copy: &Path, entry: &Entry) -> io::Result<()> {
    let (seconds, nanoseconds) = entry.modified;
    match &entry.kind {
        Kind::Link(_) | Kind::Made(_) => {
            let time = TimeSpec::new(seconds, nanoseconds);
            utimensat(AT_FDCWD, copy, &time, &time, UtimensatFlags::NoFollowSymlink)?;
        }
        Kind::Way | Kind::Folder | Kind::File => {
            fs::set_permissions(copy, Permissions::from_mode(staged(entry)))?;
            let since = Duration::new(seconds.max(0).unsigned_abs(), nanoseconds as u32);
            let time = SystemTime::UNIX_EPOCH + since;
            File::open(copy)?.set_times(FileTimes::new().set_accessed(time).set_modified(time))?;
        }
    }
    Ok(())
}

/// The mode of a copy, which its owner must be able to read and to remove again.
fn staged(entry: &Entry) -> u32 {
    entry.mode | if entry.kind == Kind::File { 0o400 } else { 0o700 }
}

fn make(root: &Path, image: &Path, uuid: &Uuid, size: u64, inodes: u64) -> Result {
    let uuid = words(uuid);
    let mut command = tool(TOOLS[0])?;
    command
        .args(["-q", "-F", "-b", &BLOCK.to_string(), "-I", &INODE.to_string(), "-m", "0"])
        .args(["-O", "^has_journal,^metadata_csum,^resize_inode"])
        .args(["-N", &inodes.to_string(), "-U", &uuid, "-E"])
        .arg(format!("root_owner=0:0,hash_seed={uuid},lazy_itable_init=0,nodiscard"))
        .arg("-d")
        .arg(root)
        .arg(image)
        .arg(format!("{}k", size / 1024));
    run(command, &[])
}

/// Writes into the file system what the copies could not have.
fn amend(contents: &Contents, image: &Path) -> Result {
    let own = (geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let mut script = Vec::new();
    for (path, entry) in contents.iter() {
        let mut set = |field: &str, value: String| {
            script.extend_from_slice(b"sif \"");
            // A quotation mark is written twice (ss(3), of which debugfs takes its command line).
            for byte in path.as_os_str().as_bytes() {
                script.extend(std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 }));
            }
            script.extend_from_slice(format!("\" {field} {value}\n").as_bytes());
        };
        if entry.uid != own.0 {
            set("uid", entry.uid.to_string());
        }
        if entry.gid != own.1 {
            set("gid", entry.gid.to_string());
        }
        let kind = match entry.kind {
            Kind::Way | Kind::Folder => 0o040_000,
            Kind::File => 0o100_000,
            Kind::Link(_) | Kind::Made(_) => continue,
        };
        if staged(entry) != entry.mode {
            set("mode", format!("0{:o}", kind | entry.mode));
        }
    }
    if script.is_empty() {
        return Ok(());
    }
    let mut command = tool(TOOLS[1])?;
    command.args(["-w", "-f", "-"]).arg(image);
    run(command, &script)
}

fn tool(name: &str) -> Result<Command> {
    let file = programs::find(name).ok_or_else(|| {
        let lack = tools().err();
        let remedy = lack.map_or_else(String::new, |lack| lack.remedy);
        Error::system("make an image of programs", format!("there is no program {name}"))
            .advise(remedy)
    })?;
    let mut command = Command::new(file);
    // Its words are looked at, in the language they are looked for.
    command.env("LC_ALL", "C");
    Ok(command)
}

/// Runs a tool with this as its standard input. Any complaint of debugfs, which exits with 0
/// whatever became of its commands, is a failure.
fn run(mut command: Command, input: &[u8]) -> Result {
    let name = command.get_program().to_string_lossy().into_owned();
    let context = || format!("make an image of programs by {name}");
    let mut said = tempfile::tempfile().context(context)?;
    said.write_all(input).context(context)?;
    io::Seek::rewind(&mut said).context(context)?;
    inside::end_with_this_thread(&mut command);
    command.stdin(said).stdout(Stdio::null()).stderr(Stdio::piped());
    let output =
        command.spawn().and_then(std::process::Child::wait_with_output).context(context)?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<_> =
        complaints.lines().filter(|line| !line.is_empty() && !is_greeting(line)).collect();
    match output.status.success() && complaints.is_empty() {
        true => Ok(()),
        false => {
            let last = complaints.last().map_or("it says nothing of it", |line| line.trim());
            Err(Error::system(context(), format!("{}: {last}", output.status)))
        }
    }
}

/// What both tools say before anything else: "debugfs 1.47.0 (5-Feb-2023)".
fn is_greeting(line: &str) -> bool {
    ["debugfs ", "mke2fs ", "mkfs.ext4 "].iter().any(|name| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}
