//! All that an image is to hold, for programs: what they need and what belongs to them, whose
//! accounts they run under, and how they look up names.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use lastack_sys::error::{Context, Error, Result};

use super::{
    contents::Contents,
    needed::{self, Executable},
    rules,
};
use crate::{program, qemu};

/// Accounts, and how names are looked up. There is no `resolv.conf`: no name server is out there.
const TABLES: [&str; 8] = [
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/protocols",
    "/etc/services",
];

/// What the loader and the C library look for, and the libraries that `nsswitch.conf` names.
const LOADED: [&str; 1] = ["/etc/ld.so.cache"];
const SERVICES: [&str; 2] = ["libnss_files.so.2", "libnss_dns.so.2"];

/// What every program takes for granted: links of today's systems, and folders to put things in.
const USUAL: [&str; 14] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/root",
    "/opt",
    "/usr/share",
    "/usr/local/bin",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/run",
    "/var/spool",
    "/var/tmp",
];

/// What system(3) and popen(3) run.
const SHELL: &str = "/bin/sh";

/// Where the programs go whose folder a virtual kernel does not search.
const FOUND_IN: &str = "/usr/local/bin";

/// Scripts of scripts end somewhere.
const DEPTH: usize = 8;

/// Whether this program can be put into an image, as far as that is known before one is made.
///
/// # Errors
/// It cannot: why, in a few words.
pub(super) fn check(program: &Path) -> Result<(), String> {
    let mut contents = Contents::default();
    add(&mut contents, program, &mut BTreeSet::new(), DEPTH).map_err(|error| error.to_string())
}

/// Everything for these programs.
///
/// # Errors
/// One of them is not there, or not for this machine, or does not say what belongs to it.
pub(super) fn all(programs: &BTreeSet<PathBuf>) -> Result<Contents> {
    let mut contents = Contents::default();
    let mut found = BTreeSet::new();
    for program in programs {
        add(&mut contents, program, &mut found, DEPTH)?;
    }
    for program in &found {
        let real = rules::apply(&mut contents, program)?;
        if let Some(real) = real.filter(|_| is_script(program)) {
            add(&mut contents, &real, &mut BTreeSet::new(), DEPTH)?;
            // What only looks for the program, by ways that a virtual kernel may not have.
            let context = || format!("put {} into an image", program.display());
            contents.link(program, &real).context(context)?;
        }
    }
    for program in &found {
        find_again(&mut contents, program)?;
    }
    add(&mut contents, SHELL.as_ref(), &mut BTreeSet::new(), DEPTH)?;
    for path in TABLES.iter().chain(&LOADED).chain(&USUAL) {
        // What this machine does not have, its programs do without.
        let _ = contents.add(path.as_ref());
    }
    for path in std::env::split_paths(&std::env::var_os(super::VARIABLE).unwrap_or_default()) {
        let context = || format!("put {} into an image ({})", path.display(), super::VARIABLE);
        contents.tree(&path, &[]).context(context)?;
    }
    libraries(&mut contents);
    Ok(contents)
}

/// Adds a program with what it names itself, and says which programs were met on the way.
fn add(
    contents: &mut Contents,
    program: &Path,
    met: &mut BTreeSet<PathBuf>,
    depth: usize,
) -> Result {
    let context = || format!("put {} into an image", program.display());
    if !met.insert(program.to_owned()) {
        return Ok(());
    }
    let real = contents.add(program).context(context)?;
    match needed::look(&real).context(context)? {
        Executable::Machine => {
            for library in needed::libraries(&real, None)? {
                contents.add(&library).context(context)?;
            }
        }
        Executable::Script(interpreters) if depth > 0 => {
            for interpreter in interpreters {
                add(contents, &interpreter, met, depth - 1)?;
            }
        }
        Executable::Script(_) => {
            return Err(Error::system(context(), "it is a script of scripts of scripts"));
        }
        Executable::Other => {
            return Err(Error::system(context(), "it is neither a program nor a script"));
        }
    }
    Ok(())
}

fn is_script(program: &Path) -> bool {
    matches!(needed::look(program), Ok(Executable::Script(_)))
}

/// Sees to it that a program is found by its name.
fn find_again(contents: &mut Contents, program: &Path) -> Result {
    let Some((folder, name)) = program.parent().zip(program.file_name()) else { return Ok(()) };
    if qemu::PATH.split(':').any(|searched| Path::new(searched) == folder) {
        return Ok(());
    }
    let context = || format!("put {} into an image", program.display());
    contents.link(&Path::new(FOUND_IN).join(name), program).context(context)
}

/// Adds the libraries of whatever can be run or loaded, where they are found: a module whose
/// libraries are not installed cannot be loaded here either.
fn libraries(contents: &mut Contents) {
    let own = PathBuf::from("/proc/self/exe");
    let Some(loader) = program::loader_of(&own).ok().flatten() else { return };
    let folder = contents
        .files()
        .find(|(path, _)| path.file_name().is_some_and(|name| name == "libc.so.6"))
        .and_then(|(path, _)| path.parent().map(Path::to_owned));
    for service in SERVICES {
        if let Some(folder) = &folder {
            let _ = contents.add(&folder.join(service));
        }
    }
    let loadable = |path: &Path, mode: u32| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        mode & 0o111 != 0 || name.contains(".so") || name.ends_with(".node")
    };
    let files: Vec<_> = contents
        .files()
        .filter(|(path, entry)| loadable(path, entry.mode))
        .map(|(path, _)| path.to_owned())
        .collect();
    for file in files {
        if !matches!(needed::look(&file), Ok(Executable::Machine)) {
            continue;
        }
        for library in needed::libraries(&file, Some(&loader)).unwrap_or_default() {
            let _ = contents.add(&library);
        }
    }
}
