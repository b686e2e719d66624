//! Virtual kernels that go on from where one was saved, and those that boot where there is none.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use lastack::virt::{MachineEnd, MachineEvent, template::Templates};
use tempfile::TempDir;

use crate::{
    common::{Checked, Named, Seen, children, command_line, life, until},
    machines,
};

pub const TESTS: [Named; 7] = [
    ("two_who_want_a_template_at_once_make_one_and_all_clones_are_the_same", are_the_same),
    ("what_is_left_of_a_template_by_one_that_was_killed_is_no_template", killed),
    ("a_template_that_was_cut_off_is_made_anew", cut_off),
    ("from_a_template_of_which_no_clone_comes_up_the_next_boots", comes_not_up),
    ("a_qemu_that_cannot_go_on_from_a_template_is_not_asked_again_and_again", is_no_use),
    ("without_room_for_a_template_a_virtual_kernel_boots", no_room),
    ("when_the_room_runs_out_while_it_is_saved_a_virtual_kernel_boots", runs_out),
];

/// What one is given to do: its clock says when what it said was taken off its port.
const WORK: &str = "sleep 7200\nclock\nlarge 30\nclock\nsleep 7200\nclock";

/// The other life: one virtual kernel with the templates of the first argument and the manifest
/// that is the second; with a third, something fills the folder as soon as a template is begun.
pub fn start_one() -> Checked {
    let [cache, manifest, then @ ..] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err("a folder and a manifest are wanted".into());
    };
    if let Some(full) = then.first() {
        let (cache, full) = (PathBuf::from(cache), PathBuf::from(full));
        thread::spawn(move || fill(&cache, &full));
    }
    let templates = Templates::within(cache);
    let mut started = templates.start(&machines::image()?, manifest.as_bytes())?;
    println!("{}", if started.cloned { "cloned" } else { "booted" });
    templates.notes().iter().for_each(|note| eprintln!("{note}"));
    loop {
        match started.machine.next_event()? {
            MachineEvent::Frame(frame) => println!("{}", String::from_utf8_lossy(&frame)),
            MachineEvent::Ended(MachineEnd::PoweredOff) => return Ok(()),
            MachineEvent::Ended(ending) => return Err(ending.to_string().into()),
        }
    }
}

/// Takes all the room there is as soon as a template is begun in the folder.
fn fill(cache: &Path, file: &Path) {
    if until(|| memory_begun(cache)).is_some()
        && let Ok(mut file) = File::create(file)
    {
        while file.write_all(&[1; 1 << 16]).is_ok() {}
    }
}

/// A folder for templates, which is there when it is first wanted.
fn cache() -> Checked<(TempDir, String)> {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let cache = home.path().join("cache").to_str().ok_or("no text")?.to_owned();
    Ok((home, cache))
}

fn starter(cache: &str) -> Command {
    life("starter", &[cache, WORK])
}

fn start(cache: &str) -> Checked<Seen> {
    crate::common::run(&mut starter(cache))
}

/// What is in the folder, by the first word of each name.
fn within(cache: &str) -> Vec<String> {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    let first = |entry: fs::DirEntry| {
        entry.file_name().to_string_lossy().split('-').next().map(str::to_owned)
    };
    entries.filter_map(first).collect()
}

/// The folder of the only template.
fn template(cache: &str) -> Checked<PathBuf> {
    match &within(cache)[..] {
        [only] if only == "template" => {}
        other => return Err(format!("in {cache} there is {other:?}").into()),
    }
    Ok(fs::read_dir(cache)?.next().ok_or("it is gone")??.path())
}

/// The memory of one that is being made.
fn memory_begun(cache: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(cache).ok()?.flatten().map(|entry| entry.path().join("memory"));
    entries.into_iter().find(|memory| memory.exists())
}

fn are_the_same() -> Checked {
    let (_home, cache) = cache()?;
    let both = thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| start(&cache)));
        both.map(|one| one.join().unwrap_or_else(|_| Err("it panicked".into())))
    });
    let [one, two] = both;
    let (one, two, three) = (one?, two?, start(&cache)?);
    for seen in [&one, &two, &three] {
        seen.ends(0)?.says("cloned\n")?.holds(seen.err.is_empty(), "no complaint")?;
        seen.holds(seen.out == one.out, &format!("the same as\n{}", one.out))?;
    }
    template(&cache).map(drop)
}

fn killed() -> Checked {
    let (_home, cache) = cache()?;
    let mut first = starter(&cache).stdout(Stdio::null()).spawn()?;
    let qemu = until(|| {
        memory_begun(Path::new(&cache))?;
        children(first.id()).into_iter().find(|child| command_line(child).contains("qemu-system"))
    });
    first.kill()?;
    first.wait()?;
    let qemu = qemu.ok_or("no template was begun")?;
    until(|| command_line(&qemu).is_empty().then_some(())).ok_or("QEMU goes on")?;
    if within(&cache) != ["making"] {
        return Err(format!("{:?}", within(&cache)).into());
    }
    start(&cache)?.ends(0)?.says("cloned\n")?;
    template(&cache).map(drop)
}

fn cut_off() -> Checked {
    let (_home, cache) = cache()?;
    start(&cache)?.ends(0)?.says("cloned\n")?;
    let state = template(&cache)?.join("state");
    let length = fs::metadata(&state)?.len();
    File::options().write(true).open(&state)?.set_len(length - 1)?;
    start(&cache)?.ends(0)?.says("cloned\n")?;
    let again = fs::metadata(template(&cache)?.join("state"))?.len();
    if again < length { Err(format!("{again} bytes are left").into()) } else { Ok(()) }
}

fn comes_not_up() -> Checked {
    let (_home, cache) = cache()?;
    let first = start(&cache)?;
    first.ends(0)?.says("cloned\n")?;
    // Nothing tells, but that nothing is left of it.
    let memory = File::options().write(true).open(template(&cache)?.join("memory"))?;
    let written = memory.metadata()?.modified()?;
    let length = memory.metadata()?.len();
    memory.set_len(0)?;
    memory.set_len(length)?;
    memory.set_modified(written)?;
    drop(memory);
    let seen = start(&cache)?;
    seen.ends(0)?.says("booted\n")?.complains("boots each time, as")?;
    seen.holds(within(&cache).is_empty(), "it to be thrown away").map(drop)
}

fn is_no_use() -> Checked {
    let (home, cache) = cache()?;
    start(&cache)?.ends(0)?.says("cloned\n")?;
    // Another QEMU, and so another template.
    let real = lastack::sys::program::find("qemu-system-x86_64").ok_or("there is no QEMU")?;
    let other = home.path().join("qemu-system-x86_64");
    let script = "#!/bin/sh\ncase \"$*\" in *-incoming*) exit 9;; *) exec REAL \"$@\";; esac\n";
    fs::write(&other, script.replace("REAL", &real.display().to_string()))?;
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755))?;
    let path = std::env::var("PATH")?;
    let path = format!("{}:{path}", home.path().display());
    let again = || crate::common::run(starter(&cache).env("PATH", &path));
    again()?.ends(0)?.says("booted\n")?.complains("QEMU exited with status 9")?;
    let useless = || {
        let folders = fs::read_dir(&cache).into_iter().flatten().flatten();
        folders
            .filter_map(|folder| fs::metadata(folder.path().join("useless")).ok()?.modified().ok())
    };
    let first = useless().collect::<Vec<_>>();
    let seen = again()?;
    seen.ends(0)?.says("booted\n")?.complains("QEMU exited with status 9")?;
    seen.holds(first.len() == 1 && useless().eq(first), "that nobody tried it again")?;
    start(&cache)?.ends(0)?.says("cloned\n").map(drop)
}

/// A life in a mount namespace of its own, with a file system of so many MiB where its templates
/// are.
fn crowded(mebibytes: u32, more: &[&str]) -> Checked<Seen> {
    let (_home, cache) = cache()?;
    fs::create_dir(&cache)?;
    let script = format!("mount -t tmpfs -o size={mebibytes}m none {cache} && exec \"$@\"");
    let own = std::env::current_exe()?;
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]).arg(own);
    command.args([&cache, WORK]).args(more.iter().map(|file| format!("{cache}/{file}")));
    command.env("LASTACK_LIFE", "starter");
    crate::common::run(crate::common::plain(&mut command))
}

fn no_room() -> Checked {
    let seen = crowded(50, &[])?;
    seen.ends(0)?.says("booted\n")?.complains("50 MiB are free, ")?;
    seen.complains(" are wanted; make room there").map(drop)
}

fn runs_out() -> Checked {
    let seen = crowded(400, &["filler"])?;
    seen.ends(0)?.says("booted\n")?.complains("QEMU killed by SIGBUS").map(drop)
}
