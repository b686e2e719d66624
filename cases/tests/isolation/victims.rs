//! Cases that are caught in mid-flight: each leaves what a kernel would hold on to for minutes.

use std::process::Command;

use lastack::prelude::*;
use lastack::{FamilySource, Problems, Registry};

/// In a list of processes it says that a victim has got to where it is to be caught.
pub const MARK: &str = "1000.0625";

pub fn registry() -> Result<Registry, Problems> {
    Registry::build(&[FamilySource { family: "victim", file: "victim/caught.rs", cases: caught }])
}

fn caught(family: &mut Family) {
    let case = |family: &mut Family, name, ip| {
        let registration = family.case(name).covers(["ZZ-01"]).source("here");
        // Nobody waits for it: it is killed.
        registration.waits(Duration::from_secs(20)).run(move |scene| in_flight(scene, ip));
    };
    case(family, "one", Ip::V4);
    case(family, "two", Ip::V6);
    case(family, "three", Ip::V4);
    case(family, "four", Ip::V6);
}

/// A black hole between two hosts: on `a` an orphan retransmits data and FIN into it, which its
/// kernel does for 100 s if nobody ends it; on `b` a process waits in a read.
async fn in_flight(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).connect().await?;
    let (a, b) = (&pair.a, &pair.b);
    let _hole = pair.lab.black_hole().open().await?;
    a.write("into the hole").ok().await?;
    a.close().ok().await?;
    a.kernel().reaches(State::FinWait1).await?;
    let pending = b.read(1).blocks().await?;
    let mut mark = Command::new("sleep");
    mark.arg(MARK);
    let _mark = a.host().spawn(mark)?;
    pending.done().await?.eof()?;
    Ok(())
}
