//! Cases that never come to a verdict of their own, and those that leave something behind.

use std::net::TcpListener;
use std::process::Command;

use lastack::prelude::*;

/// In a list of processes: what a case leaked.
pub const LEAKED: &str = "1000.03125";

pub fn cases(family: &mut Family) {
    let id = ["ZZ-02"];
    let short = Duration::from_millis(1500);
    family.case("hangs_in_a_read").covers(id).source("here").limit(short).run(hangs);
    family.case("spins").covers(id).source("here").limit(short).run(spins);
    family.case("aborts").covers(id).source("here").run(|scene| ends(scene, std::process::abort));
    family
        .case("crashes")
        .covers(id)
        .source("here")
        .run(|scene| ends(scene, || lastack::sys::inside::crash()));
    family
        .case("exits_well")
        .covers(id)
        .source("here")
        .run(|scene| ends(scene, || std::process::exit(0)));
    family
        .case("panics")
        .covers(id)
        .source("here")
        .run(|scene| ends(scene, || panic!("on purpose")));
    family.case("leaks").covers(id).source("here").run(leaks);
    family.case("loses_an_agent").covers(id).source("here").run(loses_an_agent);
    family.case("loses_a_crashed_agent").covers(id).source("here").run(loses_a_crashed_agent);
    family.case("calls_the_dead").covers(id).source("here").run(calls_the_dead);
}

async fn hangs(scene: Scene) -> Result {
    let Pair { b, .. } = scene.pair().connect().await?;
    println!("about to read");
    b.read(1).eof().await?;
    Ok(())
}

async fn spins(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    a.write("before the spin").ok().await?;
    loop {
        std::hint::spin_loop();
    }
}

/// Ends the case's own process, with a call pending and an orphan with data in flight.
async fn ends(scene: Scene, end: fn() -> !) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let _hole = lab.black_hole().open().await?;
    a.write("never to arrive").ok().await?;
    a.close().ok().await?;
    let _pending = b.read(1).blocks().await?;
    // What the taps have caught and nobody has read yet dies with the process.
    lab.wire().settle().await?;
    end()
}

async fn leaks(scene: Scene) -> Result {
    let _pair = scene.pair().connect().await?;
    let trouble = |error| Error::system("leak", error);
    Command::new("sleep").arg(LEAKED).spawn().map_err(trouble)?;
    std::mem::forget(TcpListener::bind("0.0.0.0:4711").map_err(trouble)?);
    Ok(())
}

async fn loses_an_agent(scene: Scene) -> Result {
    let Pair { b, .. } = scene.pair().connect().await?;
    let pending = b.read(1).blocks().await?;
    b.process.signal(Signal::SIGKILL)?;
    pending.done().await?.eof()?;
    Ok(())
}

async fn loses_a_crashed_agent(scene: Scene) -> Result {
    let Pair { b, .. } = scene.pair().connect().await?;
    let pending = b.read(1).blocks().await?;
    b.process.signal(Signal::SIGSEGV)?;
    pending.done().await?.eof()?;
    Ok(())
}

async fn calls_the_dead(scene: Scene) -> Result {
    let Pair { b, .. } = scene.pair().connect().await?;
    b.process.kill().await?;
    b.read(1).eof().await?;
    Ok(())
}
