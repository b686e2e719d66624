//! The loops that are measured, as cases: each runs in a process of its own, like any other.

use std::time::{Duration, Instant};

use lastack::{
    Error, Result, Scene,
    error::Context,
    runner::{events::Finished, needs::Need, registration::Family},
};
use nix::net::if_::if_nameindex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::floor;

/// Labs built and taken down, by one process and by another beside it.
pub const LABS: [&str; 2] = ["loops::labs::one", "loops::labs::two"];
/// The same for bare floors.
pub const FLOORS: [&str; 2] = ["loops::floors::one", "loops::floors::two"];

/// Labs with a guest kernel in them.
pub const GUESTS: &str = "loops::guests";

const ROUNDS: u32 = 150;
const BOOTS: u32 = 7;

pub fn cases(family: &mut Family) {
    let variants = [("one", ()), ("two", ())];
    family.case("labs").covers(["ZZ-01"]).source("this file").across(variants, labs);
    family.case("floors").covers(["ZZ-02"]).source("this file").across(variants, floors);
    family
        .case("guests")
        .covers(["ZZ-03"])
        .source("this file")
        .needs([Need::Guest])
        .waits(Duration::from_secs(15))
        .run(guests);
}

/// What a loop tells of itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    /// Median time of one set-up.
    pub median_ms: f64,
    /// Set-ups, taken down again and gone, per second.
    pub per_second: f64,
}

async fn labs(scene: Scene, _: ()) -> Result {
    let (mut setups, began) = (Vec::new(), Instant::now());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let lab = scene.lab().build().await?;
        setups.push(start.elapsed());
        lab.take_down();
        // What the lab's conversations have left to do, they do now.
        tokio::task::yield_now().await;
    }
    all_gone().await?;
    tell_setups(&setups, began);
    Ok(())
}

/// A lab with a guest takes as long as the guest does to boot.
async fn guests(scene: Scene) -> Result {
    let (mut setups, began) = (Vec::new(), Instant::now());
    for _ in 0..BOOTS {
        let start = Instant::now();
        let lab = scene.lab().guest("b").build().await?;
        setups.push(start.elapsed());
        lab.take_down();
    }
    tell_setups(&setups, began);
    Ok(())
}

async fn floors(_: Scene, _: ()) -> Result {
    let (mut setups, began) = (Vec::new(), Instant::now());
    for round in 0..ROUNDS {
        let ports = [1000 + 2 * round, 1001 + 2 * round];
        let start = Instant::now();
        let floor = floor::build(ports)?;
        setups.push(start.elapsed());
        drop(floor);
    }
    all_gone().await?;
    tell_setups(&setups, began);
    Ok(())
}

/// Waits until the kernel has destroyed every namespace that was cabled to this process's own: it
/// does so in its own time, and how far it has come when the last is let go differs from run to
/// run (`net/core/net_namespace.c` `cleanup_net`).
async fn all_gone() -> Result {
    let context = || "list the ends of cables that are left".to_owned();
    let deadline = Instant::now() + Duration::from_secs(30);
    while if_nameindex().context(context)?.iter().count() > 1 {
        if Instant::now() > deadline {
            return Err(Error::system("see all labs go", "some were still there after 30 s"));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

fn tell_setups(setups: &[Duration], began: Instant) {
    let per_second = setups.len() as f64 / began.elapsed().as_secs_f64();
    tell(&Told { median_ms: median_ms(setups), per_second });
}

/// Prints what a loop has to tell, for [`told`].
pub fn tell<T: Serialize>(all: &T) {
    println!("{}", serde_json::to_string(all).expect("numbers and names"));
}

/// What the loop that has finished has told.
///
/// # Errors
/// It failed.
pub fn told<T: DeserializeOwned>(finished: &Finished) -> Result<T> {
    let evidence = finished.evidence.as_ref().filter(|_| finished.outcome.passed());
    let Some(evidence) = evidence else {
        return Err(Error::system("run a loop", finished.outcome.message()));
    };
    let told = serde_json::from_str(evidence.output.trim());
    if let Some(directory) = &evidence.directory {
        let _ = std::fs::remove_dir_all(directory);
    }
    told.context(|| "read what a loop has told".to_owned())
}

/// The median of some times, in milliseconds.
pub fn median_ms(times: &[Duration]) -> f64 {
    let times: Vec<_> = times.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    median(&times)
}

/// The one in the middle; of none, zero.
pub fn median(numbers: &[f64]) -> f64 {
    let mut numbers = numbers.to_vec();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(0.0)
}
