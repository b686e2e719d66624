//! Cases that show each way in which a case can come out.

use std::process::Command;

use lastack::error::Unmet;
use lastack::prelude::*;
use lastack::{FamilySource, Problems, Registry};

pub fn registry() -> Result<Registry, Problems> {
    let source = |family, file, cases| FamilySource { family, file, cases };
    Registry::build(&[
        source("control", "control/plain.rs", plain),
        source("control", "control/deadly.rs", deadly),
        source("control", "control/refused.rs", refused),
        source("control", "control/refused_by_use.rs", refused_by_use),
    ])
}

fn plain(family: &mut Family) {
    let id = ["ZZ-01"];
    family.case("passes").covers(id).source("here").run(|_| async { Ok(()) });
    family.case("runs_alone").covers(id).source("here").quiet().run(|_| async { Ok(()) });
    family.case("misses").covers(["ZZ-02"]).claims(["B1"]).source("here").run(misses);
    family.case("prints").covers(id).source("here").run(prints);
    family.case("leaks").covers(id).source("here").run(leaks);
    family.case("is_pid_one_with_nothing_but_lo").covers(id).source("here").run(surroundings);
}

fn deadly(family: &mut Family) {
    let id = ["ZZ-03"];
    family.case("panics").covers(id).source("here").run(|_| async { panic!("on purpose") });
    family.case("hangs").covers(id).source("here").limit(Duration::from_millis(1500)).run(
        |_| async {
            println!("before the long wait");
            std::future::pending().await
        },
    );
    family.case("hangs_in_a_call").covers(id).source("here").limit(Duration::from_secs(4)).run(
        |scene| async move {
            let pair = scene.pair().connect().await?;
            pair.b.read(5).await.map(drop)
        },
    );
    family.case("exits").covers(id).source("here").run(|_| async { std::process::exit(3) });
    family.case("aborts").covers(id).source("here").run(|_| async { std::process::abort() });
}

fn refused(family: &mut Family) {
    let id = ["ZZ-04"];
    family
        .case("needs_what_nobody_has")
        .covers(id)
        .source("here")
        .needs([Need::Program("no-such-program")])
        .run(|_| async { Ok(()) });
    family
        .case("is_too_slow")
        .covers(id)
        .source("here")
        .run(|_| async { Err(Error::too_slow("stalled for 2 s")) });
}

fn refused_by_use(family: &mut Family) {
    let id = ["ZZ-05"];
    family.case("lacks_what_it_uses").covers(id).source("here").run(|_| async {
        let (reason, remedy) = ("there is no program linux.uml".into(), "install it".into());
        Err(Error::unmet(Unmet { need: "guest".into(), reason, remedy }))
    });
    family.case("is_too_slow_once").covers(id).source("here").run(too_slow_once);
}

/// Where it leaves a mark, so that it knows in another process that it was here before.
pub const MARK: &str = "LASTACK_TEST_MARK";

async fn too_slow_once(_: Scene) -> Result {
    let Some(mark) = std::env::var_os(MARK) else { return Ok(()) };
    match std::fs::exists(&mark) {
        Ok(true) => Ok(()),
        _ => {
            std::fs::write(&mark, "").context(|| "leave a mark".to_owned())?;
            Err(Error::too_slow("stalled for 3 s"))
        }
    }
}

async fn misses(_: Scene) -> Result {
    Err(Error::mismatch("b: read(5, 64)", "EOF", "ECONNRESET"))
}

async fn prints(_: Scene) -> Result {
    println!("said on stdout");
    eprintln!("said on stderr");
    Err(Error::mismatch("what", "quiet", "noise"))
}

/// Its mark in a list of processes.
pub const LEAKED: &str = "1000.125";

async fn leaks(_: Scene) -> Result {
    let child = Command::new("sleep").arg(LEAKED).spawn();
    child.map(drop).map_err(|error| Error::system("spawn sleep", error))
}

async fn surroundings(_: Scene) -> Result {
    let trouble = |error| Error::system("look around", error);
    let processes = std::fs::read_dir("/proc").map_err(trouble)?.flatten();
    let processes = processes.filter(|entry| {
        entry.file_name().to_string_lossy().chars().all(|letter| letter.is_ascii_digit())
    });
    let devices = std::fs::read_to_string("/proc/net/dev").map_err(trouble)?;
    let ignored = std::fs::read_to_string("/proc/self/status").map_err(trouble)?;
    let ignored = ignored.lines().find(|line| line.starts_with("SigBlk")).unwrap_or_default();
    let seen = format!(
        "pid {}, {} in /proc, {} device, {ignored}",
        std::process::id(),
        processes.count(),
        devices.lines().count() - 2,
    );
    // The other process is the one that forks agents.
    let expected = "pid 1, 2 in /proc, 1 device, SigBlk:\t0000000000000000";
    match seen == expected {
        true => Ok(()),
        false => Err(Error::mismatch("surroundings", expected, seen)),
    }
}
