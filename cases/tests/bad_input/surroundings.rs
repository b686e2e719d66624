//! What may be wrong with the machine. Each happens in a user namespace of its own, where it
//! can be arranged without touching the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use lastack::runner::kernels::VARIABLE;
use lastack::runner::places::Places;
use lastack::virt::Kernel;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::arguments::program;
use crate::common::{Checked, Seen, life, plain, run};
use crate::world::{self, As, limit};

/// What is wrong, who runs lastack then, and what it says and does.
pub type Scenario = (&'static str, As, fn() -> Checked);

pub const ALL: [Scenario; 8] = [
    ("user_namespaces_refused", As::User, user_namespaces_refused),
    ("network_namespaces_used_up", As::Root, network_namespaces_used_up),
    ("no_right_to_configure_the_network", As::Root, no_net_admin),
    ("no_right_but_user_namespaces", As::Root, no_right_but_user_namespaces),
    ("a_full_disk", As::Root, full_disk),
    ("a_disk_out_of_inodes", As::Root, out_of_inodes),
    ("a_disk_that_is_read_only", As::Root, read_only_disk),
    ("a_junit_file_without_permission", As::User, junit_without_permission),
];

/// The life in which this program is such a place. Whatever happened there, nothing is left.
pub fn live(name: &str) -> Checked {
    let (_, who, scenario) =
        ALL.iter().find(|(known, ..)| *known == name).ok_or("no such scenario")?;
    world::enter(*who)?;
    scenario()?;
    world::empties()
}

/// Every way to run cases says that none can run, why, and what to do; the others still work.
/// `program` is kept to this machine's kernel: a virtual one needs nothing that is missing here.
fn nothing_can_run(mut program: impl FnMut(&[&str]) -> Checked<Seen>, why: &[&str]) -> Checked {
    for arguments in [&["run"][..], &["run", "GC-02"], &["show", "three_segments::ipv4"]] {
        let seen = program(arguments)?;
        seen.ends(3)?.complains("this machine can run no case")?;
        why.iter().try_for_each(|part| seen.complains(part).map(drop))?;
        seen.holds(seen.out.is_empty(), "nothing on stdout")?;
    }
    program(&["list"])?.ends(0)?.says("graceful_close::")?;
    let listed = program(&["list", "--json"])?;
    let listed: serde_json::Value = serde_json::from_str(&listed.out)?;
    let ignored =
        listed.as_array().is_some_and(|all| all.iter().all(|it| it["ignored"].is_string()));
    let doctor = program(&["doctor"])?;
    doctor.holds(ignored, "each case ignored in the list")?;
    doctor.says(why[0])?;
    program(&["run", "no_such_thing"])?.ends(2)?;
    Ok(())
}

/// The program, on this machine's kernel or none.
fn on_host(arguments: &[&str]) -> Checked<Seen> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastack"));
    run(plain(&mut command).env(VARIABLE, "host").args(arguments))
}

fn user_namespaces_refused() -> Checked {
    limit("user", 0)?;
    let remedy = "sudo sysctl -w user.max_user_namespaces=10000";
    nothing_can_run(on_host, &["a limit of user.max_*_namespaces is reached", remedy])?;
    let target = run(life("target", &[]).env(VARIABLE, "host"))?;
    target.ends(3)?.complains("this machine can run no case")?.complains(remedy)?;
    run(&mut life("target", &["--list"]))?.ends(0)?.says(": test")?;
    // Nobody said that it must be this machine's kernel: a virtual one runs all the same.
    let seen = program(&["run", "GC-02::ipv4"])?;
    match Kernel::find(None) {
        Ok(_) => seen.ends(0)?.says("ok (virtual 0.")?,
        Err(lack) => seen.ends(3)?.complains(remedy)?.complains(&lack.remedy)?,
    };
    Ok(())
}

fn network_namespaces_used_up() -> Checked {
    limit("net", 0)?;
    let remedy = "sudo sysctl -w user.max_net_namespaces=10000";
    nothing_can_run(on_host, &["a limit of user.max_*_namespaces is reached", remedy])?;
    // A few are not enough for a large lab: its case says so and fails.
    world::empties()?;
    world::KINDS.iter().try_for_each(|kind| limit(kind, 1000))?;
    limit("net", 4)?;
    let seen = run(&mut life("sound", &["run", "large::crowd"]))?;
    seen.ends(1)?.says("failed to create a network namespace: the limit")?;
    seen.says("user.max_net_namespaces is reached")?;
    seen.clear()
}

/// The program without CAP_NET_ADMIN: `root` of a container that was not given it.
fn without_net_admin(arguments: &[&str]) -> Checked<Seen> {
    let setpriv = lastack::sys::program::find("setpriv").ok_or("there is no setpriv")?;
    let mut command = Command::new(setpriv);
    command.arg("--bounding-set=-net_admin").arg(env!("CARGO_BIN_EXE_lastack")).args(arguments);
    run(plain(&mut command).env(VARIABLE, "host"))
}

fn no_net_admin() -> Checked {
    limit("user", 0)?;
    let remedy = "or run as root";
    nothing_can_run(without_net_admin, &["configure its network (CAP_NET_ADMIN)", remedy])
}

/// In a user namespace of its own lastack has every right.
fn no_right_but_user_namespaces() -> Checked {
    let seen = without_net_admin(&["run", "GC-02"])?;
    seen.holds(matches!(seen.code, Some(0 | 1)), "a run")?.says("graceful_close")?;
    Ok(())
}

/// Does something with a file system of ours where evidence is kept, as only the children of
/// this thread see it.
fn evidence_on(options: &str, flags: MsFlags, work: fn(&Path) -> Checked) -> Checked {
    let evidence = Places::find().evidence();
    fs::create_dir_all(&evidence)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    let apart = || -> Checked {
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
        mount(Some("tmpfs"), &evidence, Some("tmpfs"), flags, Some(options))?;
        work(&evidence)
    };
    std::thread::scope(|scope| scope.spawn(apart).join()).map_err(|_| "it panicked")?
}

/// A case fails as it does anywhere, with its story; only the directory is missing.
fn fails_all_the_same(trouble: &str) -> Checked {
    for filter in ["sound::fails", "sound"] {
        let seen = run(&mut life("sound", &["run", filter]))?;
        seen.ends(1)?.says("seen: -1 ECONNRESET\n")?;
        seen.says("a: (no TCP socket)")?
            .says("RST")?
            .says("not all could be kept: failed to ")?
            .says(trouble)?;
    }
    run(&mut life("sound", &["run", "sound::passes"]))?.ends(0)?;
    let target = run(&mut life("sound_target", &[]))?;
    target.ends(101)?.says("2 passed; 1 failed")?.says(trouble)?;
    Ok(())
}

fn full_disk() -> Checked {
    evidence_on("size=4k", MsFlags::empty(), |evidence| {
        fs::write(evidence.join("filler"), [0; 4096])?;
        fails_all_the_same("log.txt: No space left on device")?;
        // A report is part of the result: green without it would be a lie.
        let junit = evidence.join("junit.xml");
        let junit = junit.to_str().ok_or("not UTF-8")?;
        let passing = run(&mut life("sound", &["run", "sound::passes", "--junit", junit]))?;
        passing.ends(2)?.complains("junit.xml")?.complains("No space left on device")?;
        let failing = run(&mut life("sound", &["run", "sound::fails", "--junit", junit]))?;
        failing.ends(1)?.complains("No space left on device")?;
        Ok(())
    })
}

fn out_of_inodes() -> Checked {
    evidence_on("nr_inodes=1", MsFlags::empty(), |evidence| {
        let place = format!("make a directory for evidence in {}", evidence.display());
        fails_all_the_same(&place)?;
        fails_all_the_same("No space left on device")
    })
}

fn read_only_disk() -> Checked {
    evidence_on("size=4k", MsFlags::MS_RDONLY, |_| fails_all_the_same("Read-only file system"))
}

fn junit_without_permission() -> Checked {
    let home = tempfile::tempdir()?;
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o500))?;
    let inside = home.path().join("junit.xml");
    let unreadable = tempfile::NamedTempFile::new()?;
    fs::set_permissions(unreadable.path(), fs::Permissions::from_mode(0o000))?;
    for path in [&*inside, unreadable.path()] {
        let path = path.to_str().ok_or("not UTF-8")?;
        let seen = program(&["run", "GC-02", "--junit", path])?;
        seen.ends(2)?
            .complains(&format!("failed to open {path} for the JUnit report: Permission denied"))?;
        seen.holds(seen.out.is_empty(), "nothing on stdout")?;
    }
    Ok(())
}
