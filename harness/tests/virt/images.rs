//! Images of programs: made once, kept, made again, and nothing left of one that was not finished.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use lastack::{sys::program, virt::programs};

use crate::common::{self, Checked, Named, folder};

pub const TESTS: [Named; 5] = [
    ("an_image_is_made_once_and_again_when_something_has_changed", is_made_again),
    ("an_image_that_was_cut_off_is_made_again", is_mended),
    ("an_image_keeps_links_modes_owners_and_times", keeps),
    ("what_a_killed_maker_leaves_the_next_one_removes", is_killed),
    ("a_program_that_is_recorded_ends_with_who_records_it", is_killed_while_it_records),
];

/// Names the folder in which the life of a maker makes its image.
const CACHE: &str = "LASTACK_TEST_CACHE";

/// Names the program that a maker puts into it, if not a large one.
const PROGRAM: &str = "LASTACK_TEST_PROGRAM";

/// A program of one line.
fn script(folder: &Path, name: &str, line: &str) -> Checked<PathBuf> {
    let file = folder.join(name);
    fs::write(&file, format!("#!/bin/sh\n{line}\n"))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o750))?;
    Ok(file)
}

fn image(program: &Path, cache: &Path) -> Checked<PathBuf> {
    programs::image(&BTreeSet::from([program.to_owned()]), cache)?;
    let kept = names(cache)?.into_iter().filter(|name| name.ends_with(".ext4"));
    match &kept.collect::<Vec<_>>()[..] {
        [name] => Ok(cache.join(name)),
        other => Err(format!("not one image: {other:?}").into()),
    }
}

fn names(folder: &Path) -> Checked<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string().unwrap()));
    names.collect()
}

fn holds(truth: bool, what: &str) -> Checked {
    if truth { Ok(()) } else { Err(format!("not so: {what}").into()) }
}

fn is_made_again() -> Checked {
    let (folder, cache) = (folder()?, folder()?);
    let program = script(folder.path(), "one", "true")?;
    let first = image(&program, cache.path())?;
    let made = |path: &Path| fs::metadata(path).and_then(|found| found.created());
    let when = made(&first)?;
    holds(made(&image(&program, cache.path())?)? == when, "what is current is not made again")?;
    script(folder.path(), "one", "false")?;
    let second = image(&program, cache.path())?;
    holds(second != first && !first.exists(), "another program, another image, and only that")
}

fn is_mended() -> Checked {
    let (folder, cache) = (folder()?, folder()?);
    let program = script(folder.path(), "one", "true")?;
    let file = image(&program, cache.path())?;
    let size = fs::metadata(&file)?.len();
    File::options().write(true).open(&file)?.set_len(size / 2)?;
    image(&program, cache.path())?;
    holds(fs::metadata(&file)?.len() == size, "the image is whole again")
}

/// What debugfs says of a path in an image.
fn stat(image: &Path, path: &Path) -> Checked<String> {
    let debugfs = program::find("debugfs").ok_or("no debugfs")?;
    // It takes a quotation mark as two.
    let quoted = path.to_str().unwrap().replace('"', "\"\"");
    let request = format!("stat \"{quoted}\"");
    Ok(String::from_utf8(Command::new(debugfs).arg("-R").arg(request).arg(image).output()?.stdout)?)
}

fn keeps() -> Checked {
    let (folder, cache) = (folder()?, folder()?);
    let name = "a \"quoted\" name";
    let file = script(folder.path(), name, "true")?;
    File::open(&file)?.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890))?;
    let link = folder.path().join("link");
    symlink(name, &link)?;
    let made = image(&link, cache.path())?;
    let owner = format!("User: {:>5}", nix::unistd::geteuid().as_raw());
    let expected: [(&Path, &[&str]); 4] = [
        (&link, &["Fast link dest: \"a \"quoted\" name\"", &owner]),
        (&file, &["Mode:  0750", "mtime: 0x499602d2", &owner]),
        ("/etc/passwd".as_ref(), &["Mode:  0644", "User:     0   Group:     0"]),
        ("/etc".as_ref(), &["Type: directory", "Mode:  0755", "User:     0   Group:     0"]),
    ];
    for (path, parts) in expected {
        let said = stat(&made, path)?;
        for part in parts {
            holds(said.contains(part), &format!("{part} in {said}"))?;
        }
    }
    Ok(())
}

/// The life of a process that makes an image of more than a moment's work.
pub fn make_one() -> Checked {
    let cache = PathBuf::from(std::env::var(CACHE)?);
    let asked = std::env::var_os(PROGRAM).map(PathBuf::from);
    let large = || program::find("qemu-system-x86_64").or_else(|| program::find("sh"));
    image(&asked.or_else(large).ok_or("no program")?, &cache).map(drop)
}

fn is_killed() -> Checked {
    let cache = folder()?;
    let unfinished = || {
        let names = names(cache.path()).unwrap_or_default();
        names.into_iter().find(|name| name.starts_with(".programs-"))
    };
    let mut maker = common::life("maker", &[]).env(CACHE, cache.path()).spawn()?;
    let seen = common::until(unfinished);
    maker.kill()?;
    maker.wait()?;
    holds(seen.is_some(), "an image was seen while it was made")?;
    holds(unfinished().is_some(), "it was killed before it was done")?;
    let program = script(cache.path(), "one", "true")?;
    image(&program, cache.path())?;
    holds(unfinished().is_none(), "nothing is left")
}

/// What is recorded is run, and must not outlive who recorded it.
fn is_killed_while_it_records() -> Checked {
    let cache = folder()?;
    let begun = cache.path().join("begun");
    let line = format!("echo $$ >{0}.new; mv {0}.new {0}; exec sleep 1000", begun.display());
    // A name that there is a rule for: others are not run.
    let program = script(cache.path(), "curl", &line)?;
    let mut maker = common::life("maker", &[]);
    let mut maker = maker.env(CACHE, cache.path()).env(PROGRAM, program).spawn()?;
    let runs = common::until(|| fs::read_to_string(&begun).ok());
    maker.kill()?;
    maker.wait()?;
    let pid = runs.ok_or("the program was not run")?;
    let place = Path::new("/proc").join(pid.trim());
    let gone = common::until(|| (!place.exists()).then_some(()));
    holds(gone.is_some(), "the program has ended with who recorded it")
}
