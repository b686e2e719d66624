//! Cases on a virtual kernel: the choice of kernel, results, evidence, and kernels that die.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use lastack::error::Unmet;
use lastack::prelude::*;
use lastack::virt::Kernel;
use lastack::{FamilySource, Problems, Registry};
use libtest_mimic::Trial;

use crate::common::{self, Checked, Named, Seen, folder, or_ignored, run};

/// How a line begins that tells when something was sent or told, in nanoseconds.
const PROBED: &str = "after ";

/// Cases for virtual kernels. Some of them kill theirs.
pub fn registry() -> Result<Registry, Problems> {
    Registry::build(&[FamilySource { family: "control", file: "control/virtual.rs", cases }])
}

fn cases(family: &mut Family) {
    let id = ["ZZ-05"];
    family.case("passes").covers(id).source("here").run(pass);
    family
        .case("waits_for_hours")
        .covers(id)
        .source("here")
        .needs([Need::VirtualTime])
        .waits(Duration::from_secs(7_925))
        .run(waits_for_hours);
    family.case("fails_with_a_connection").covers(id).source("here").run(fails_with_a_connection);
    family
        .case("tells_when_it_is_probed")
        .covers(id)
        .source("here")
        .needs([Need::VirtualTime])
        .waits(Keepalive::STOCK.end())
        .run(tells_when_it_is_probed);
    family.case("lacks_on_the_host_what_it_uses").covers(id).source("here").run(|_| async {
        match lastack::sys::probe::virtual_time() {
            Ok(()) => Ok(()),
            Err(_) => {
                let (reason, remedy) = ("no netem here".into(), "load it".into());
                Err(Error::unmet(Unmet { need: "netem".into(), reason, remedy }))
            }
        }
    });
    let needing: [(_, &[Need]); 4] = [
        ("declares_a_program", &[Need::VirtualTime, Need::Program(FOREIGN)]),
        ("needs_an_older_kernel", &[Need::Before(6, 13)]),
        ("needs_a_newer_kernel", &[Need::Kernel(6, 13)]),
        (
            "needs_what_only_a_virtual_kernel_can_tell",
            &[Need::VirtualTime, Need::Sysctl("net.ipv4.no_such_knob")],
        ),
    ];
    for (name, needs) in needing {
        let needs = needs.iter().copied();
        family.case(name).covers(id).source("here").needs(needs).run(pass);
    }
    family
        .case("panics_its_kernel")
        .covers(id)
        .source("here")
        .needs([Need::VirtualTime])
        .run(panics_its_kernel);
}

/// A program that no machine has, but where a test makes one.
const FOREIGN: &str = "lastack-foreign-program";

async fn pass(_: Scene) -> Result {
    Ok(())
}

async fn waits_for_hours(_: Scene) -> Result {
    tokio::time::sleep(Duration::from_secs(7_925)).await;
    Ok(())
}

async fn fails_with_a_connection(scene: Scene) -> Result {
    let pair = scene.pair().connect().await?;
    println!("said on stdout");
    pair.b.read(1).eof().await.map(drop)
}

/// Fails, so that what it has said is shown.
async fn tells_when_it_is_probed(scene: Scene) -> Result {
    let Pair { lab, a, .. } = scene.pair().option_on_a(option::KEEPALIVE, 1).connect().await?;
    let heard = lab.wire().expect(syn_ack().from("b")).await?;
    let _dead = lab.power_off("b").now().await?;
    let told = a.read(1).await?.errno(Errno::ETIMEDOUT)?;
    lab.wire().expect(rst().from("a")).await?;
    for probe in lab.wire().segments().iter().filter(|segment| segment.at() > heard.at()) {
        println!("{PROBED}{}", probe.at().since(heard.at()).as_nanos());
    }
    println!("{PROBED}{}", told.ended().since(heard.at()).as_nanos());
    Err(Error::mismatch("this case", "nothing", "what it has printed"))
}

async fn panics_its_kernel(_: Scene) -> Result {
    let what = || "crash the kernel".to_owned();
    fs::write("/proc/sysrq-trigger", "c").context(what)?;
    Err(Error::system(what(), "it lives"))
}

pub fn tests() -> Vec<Trial> {
    let anywhere: [Named; 3] = [
        ("words_that_are_no_kernel_are_refused", wrong_words),
        ("a_kernel_that_is_not_there_is_told_with_the_way_to_get_it", no_such_kernel),
        ("hours_are_not_waited_for_on_the_host", not_on_the_host),
    ];
    let virtual_only: [Named; 9] = [
        ("hours_pass_on_a_virtual_kernel", hours),
        ("the_same_case_three_times_leaves_the_same_to_the_byte", repeats),
        ("evidence_is_brought_out_of_a_virtual_kernel", evidence),
        ("a_kernel_panic_fails_its_case_and_no_other", panic),
        ("what_a_virtual_kernel_cannot_run_is_ignored_with_its_reason", ignored_inside),
        ("a_program_for_another_machine_is_no_program_for_a_virtual_kernel", foreign),
        ("what_a_kernel_lacks_is_tried_on_the_next", tried_on_the_next),
        ("the_test_target_says_where_cases_ran", target),
        ("a_matrix_tells_kernels_apart", matrix),
    ];
    let lack = Kernel::find(None).err().map(|lack| lack.to_string());
    let virtual_only = virtual_only
        .into_iter()
        .map(|(name, test)| or_ignored(format!("virtual::{name}"), lack.as_deref(), test));
    common::trials(anywhere).into_iter().chain(virtual_only).collect()
}

fn life(life: &str, arguments: &[&str]) -> Command {
    common::life(life, arguments)
}

pub fn program(arguments: &[&str]) -> Checked<Seen> {
    run(&mut life("virtual_program", arguments))
}

fn wrong_words() -> Checked {
    for words in ["frob", "", "virtual=", "host=6.1", "Virtual"] {
        let kernel = format!("--kernel={words}");
        for arguments in [&["run", &kernel][..], &["list", &kernel], &["matrix", &kernel]] {
            let seen = program(arguments)?;
            seen.ends(2)?.holds(seen.out.is_empty(), "nothing on stdout")?;
        }
    }
    let complaint = "LASTACK_KERNEL: \"frob\" is no kernel: it should be host, virtual, or";
    for (name, arguments) in [("virtual_program", &["run"][..]), ("virtual_test", &[])] {
        let seen = run(life(name, arguments).env("LASTACK_KERNEL", "frob"))?;
        seen.ends(2)?.complains(complaint)?;
    }
    // What is on the command line counts.
    let heard =
        run(life("virtual_program", &["list", "--kernel", "host"]).env("LASTACK_KERNEL", "frob"))?;
    heard.ends(0)?;
    Ok(())
}

fn no_such_kernel() -> Checked {
    let nowhere = tempfile::tempdir()?;
    let path = format!("virtual={}", nowhere.path().display());
    for kernel in ["virtual=1.0", &path] {
        for command in ["run", "matrix"] {
            let seen = program(&[command, "control::passes", "--kernel", kernel])?;
            seen.ends(3)?.complains("this machine can run no case")?;
            seen.holds(seen.out.is_empty(), "nothing on stdout")?;
        }
        let target = run(life("virtual_test", &[]).env("LASTACK_KERNEL", kernel))?;
        target.ends(3)?.complains("this machine can run no case")?;
    }
    // Nor is there one without the program that runs it.
    let seen =
        run(life("virtual_program", &["run", "--kernel", "virtual"]).env("PATH", nowhere.path()))?;
    if lastack::sys::program::find("qemu-system-x86_64").is_none_or(|qemu| outside_sbin(&qemu)) {
        seen.ends(3)?.complains("qemu-system-x86_64")?.complains("scripts/setup")?;
    }
    Ok(())
}

/// What is in a system folder is found without PATH.
fn outside_sbin(program: &std::path::Path) -> bool {
    !program.parent().is_some_and(|folder| folder.ends_with("sbin"))
}

fn not_on_the_host() -> Checked {
    let reason = "it takes 2h12m05s of real time";
    let seen = program(&["run", "control::waits_for_hours", "--kernel", "host"])?;
    seen.ends(3)?.says(reason)?;
    let seen = run(life("virtual_test", &["waits_for_hours"]).env("LASTACK_KERNEL", "host"))?;
    seen.ends(0)?.says("1 ignored")?.complains(reason)?;
    Ok(())
}

fn hours() -> Checked {
    // Where a case runs, if nobody says it, is this machine before any other.
    let seen = program(&["run", "control::passes", "waits_for_hours"])?;
    seen.ends(0)?.says("ok (virtual 2h12m05s)  control::waits_for_hours")?;
    seen.says(" s  control::passes")?.says("1 on the virtual kernel ")?;
    let seen = program(&["run", "control::passes", "--kernel", "virtual"])?;
    seen.ends(0)?.says("ok (virtual 0.")?;
    Ok(())
}

fn repeats() -> Checked {
    let run = || -> Checked<(Vec<u64>, String, Vec<u8>)> {
        let seen = program(&["run", "tells_when_it_is_probed", "--kernel", "virtual"])?;
        seen.ends(1)?.says("expected: nothing")?.holds(seen.err.is_empty(), "no complaint")?;
        let told = seen.out.lines().filter_map(|line| line.trim().strip_prefix(PROBED));
        let times = told.map(str::parse).collect::<Result<_, _>>()?;
        let kept = seen.kept()?;
        let log = fs::read_to_string(kept.join("log.txt"))?;
        let log = log.replace(kept.to_str().ok_or("no text")?, "");
        let capture = fs::read(kept.join("wire.pcapng"))?;
        seen.clear().map(|()| (times, log, capture))
    };
    let (first, second, third) = (run()?, run()?, run()?);
    // The third segment of the handshake, nine probes, the reset, and what the reader was told.
    if first.0.len() != 12 || !first.1.contains("probe") {
        return Err(format!("{:?}\n{}", first.0, first.1).into());
    }
    for other in [second, third] {
        if other != first {
            let times = format!("once {:?}, then {:?}", first.0, other.0);
            return Err(format!("{times}\n{}\n{}", first.1, other.1).into());
        }
    }
    Ok(())
}

fn evidence() -> Checked {
    let seen = program(&["run", "fails_with_a_connection", "--kernel", "virtual"])?;
    seen.ends(1)?.says("FAILED (virtual ")?.says("on the virtual kernel ")?;
    seen.says("── SYN seq 0")?.says("ESTAB")?.says("said on stdout")?;
    let kept = seen.kept()?;
    seen.holds(fs::metadata(kept.join("wire.pcapng"))?.len() > 500, "a capture")?;
    seen.holds(fs::read_to_string(kept.join("log.txt"))?.contains("SYN seq 0"), "a log")?;
    seen.clear()
}

fn panic() -> Checked {
    // One at a time, the longest first: hours, the panic, and then a pass on another.
    let chosen = ["waits_for_hours", "panics_its_kernel", "control::passes"];
    let arguments = [&["run", "--kernel", "virtual", "--jobs", "1"], &chosen[..]].concat();
    let seen = program(&arguments)?;
    seen.ends(1)?.says("2 passed, 1 failed, 0 ignored")?;
    seen.says("its virtual kernel panicked: not syncing: sysrq triggered crash")?;
    seen.says("--- the virtual kernel's console")?;
    seen.clear()
}

fn ignored_inside() -> Checked {
    let name = "control::needs_what_only_a_virtual_kernel_can_tell";
    let reason = "has no sysctl net.ipv4.no_such_knob";
    program(&["run", name])?.ends(3)?.says("0 failed, 1 ignored")?.says(reason)?;
    let target = run(&mut life("virtual_test", &["--exact", name]))?;
    target.ends(0)?.says("1 ignored")?.says(reason)?;
    let denied = run(life("virtual_test", &["--exact", name]).env("LASTACK_DENY_SKIPS", "1"))?;
    denied.ends(101)?.says(reason)?;
    Ok(())
}

fn foreign() -> Checked {
    let name = "control::declares_a_program";
    program(&["run", name])?.ends(3)?.says("there is no program lastack-foreign-program")?;
    let folder = folder()?;
    let file = folder.path().join(FOREIGN);
    let mut elf = fs::read(std::env::current_exe()?)?;
    elf.truncate(4096);
    // `e_machine`: EM_AARCH64.
    elf[18] = 183;
    fs::write(&file, elf)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    for kernel in [&[][..], &["--kernel", "virtual"]] {
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH")?);
        let arguments = [&["run", name], kernel].concat();
        let seen = run(life("virtual_program", &arguments).env("PATH", path))?;
        seen.ends(3)?.says("it is for another machine, an AArch64")?;
    }
    Ok(())
}

fn tried_on_the_next() -> Checked {
    let name = "control::lacks_on_the_host_what_it_uses";
    program(&["run", name])?
        .ends(0)?
        .says("ok (virtual ")?
        .says("1 passed, 0 failed, 0 ignored")?;
    program(&["run", name, "--kernel", "host"])?
        .ends(3)?
        .says("1 ignored: no netem here; load it")?;
    let target = run(life("virtual_test", &["--exact", name]).env("LASTACK_DENY_SKIPS", "1"))?;
    target.ends(0)?.complains("lastack: 1 case ran on virtual ")?;
    Ok(())
}

fn target() -> Checked {
    let seen = run(life("virtual_test", &["waits_for_hours"]).env("LASTACK_KERNEL", "virtual"))?;
    seen.ends(0)?.says("1 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out")?;
    seen.complains("lastack: 1 case ran on virtual ")?.complains("the longest for 2h12m05s")?;
    // Whoever only asks for names waits for no boot.
    let listed = run(life("virtual_test", &["--list"]).env("LASTACK_KERNEL", "virtual"))?;
    listed.ends(0)?.says("control::waits_for_hours: test")?;
    listed.holds(listed.err.is_empty(), "nothing on stderr")?;
    Ok(())
}

fn matrix() -> Checked {
    let twins = ["needs_an_older_kernel", "needs_a_newer_kernel", "control::passes"];
    let oldest = Kernel::find(None).map_err(|lack| lack.to_string())?.release;
    let oldest = format!("virtual={oldest}");
    let two = ["matrix", "--kernel", "host", "--kernel", &oldest];
    let seen = program(&[&two, &twins[..]].concat())?;
    seen.ends(0)?.says("control::passes")?.says("[2] virtual ")?;
    // Either side of a version is met here or there, unless this machine is as old as the other.
    let ((major, minor), _) = lastack::sys::probe::kernel_version();
    if (major, minor) >= (6, 13) {
        seen.says("2 of 3 cases differ")?;
    }
    let json = program(&[&["matrix", "--json"], &twins[..]].concat())?;
    let matrix: serde_json::Value = serde_json::from_str(&json.out)?;
    let kernels = matrix["kernels"].as_array().map_or(0, Vec::len);
    json.ends(0)?.holds(kernels == 1 + Kernel::all().len(), "a column for each kernel")?;
    json.holds(matrix["cases"].as_array().is_some_and(|cases| cases.len() == 3), "three cases")?;
    Ok(())
}
