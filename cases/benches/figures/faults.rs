//! What it costs to turn a fault on and off again.

use std::time::{Duration, Instant};

use lastack::prelude::*;
use serde::{Deserialize, Serialize};

use crate::loops::{median_ms, tell};

/// A cable pulled and plugged in again.
pub const LINK: &str = "faults::link";
/// The qdisc netem on both ports.
pub const NETEM: &str = "faults::netem";
/// A packet rule.
pub const RULE: &str = "faults::rule";

const ROUNDS: u32 = 50;

pub fn cases(family: &mut Family) {
    family.case("link").covers(["ZZ-04"]).source("this file").run(link);
    let netem_cases = family.case("netem").covers(["ZZ-05"]).source("this file");
    netem_cases.needs([Need::Netem]).run(netem);
    let rule_cases = family.case("rule").covers(["ZZ-06"]).source("this file");
    rule_cases.needs([Need::Nft]).run(rule);
}

/// The medians of one fault.
#[derive(Debug, Serialize, Deserialize)]
pub struct Switched {
    /// From the call to the guard.
    pub on_ms: f64,
    /// From the guard's end to the path as it was.
    pub off_ms: f64,
}

#[derive(Default)]
struct Times {
    on: Vec<Duration>,
    off: Vec<Duration>,
}

impl Times {
    fn tell(self) {
        tell(&Switched { on_ms: median_ms(&self.on), off_ms: median_ms(&self.off) });
    }
}

async fn timed<T>(times: &mut Vec<Duration>, act: impl Future<Output = Result<T>>) -> Result<T> {
    let start = Instant::now();
    let done = act.await?;
    times.push(start.elapsed());
    Ok(done)
}

async fn link(scene: Scene) -> Result {
    let (lab, mut times) = (scene.lab().build().await?, Times::default());
    for _ in 0..ROUNDS {
        let out = timed(&mut times.on, lab.unplug("b").that_may_miss().now()).await?;
        timed(&mut times.off, out.plug_in()).await?;
    }
    times.tell();
    Ok(())
}

async fn netem(scene: Scene) -> Result {
    let (lab, mut times) = (scene.lab().build().await?, Times::default());
    for _ in 0..ROUNDS {
        let slow = Netem::new().delay(Duration::from_millis(10));
        let on = timed(&mut times.on, lab.impair(slow).that_may_miss().turn_on()).await?;
        timed(&mut times.off, on.lift()).await?;
    }
    times.tell();
    Ok(())
}

/// Once a process: a patch that had rules before has the old ones to delete as well, and `nft`
/// reads all that a namespace has.
async fn rule(scene: Scene) -> Result {
    let (lab, mut times) = (scene.lab().build().await?, Times::default());
    let first_fin = packets().from("a").flags(Flags::FIN).first(1).are_dropped();
    let on = timed(&mut times.on, lab.rules([first_fin]).that_may_miss().turn_on()).await?;
    timed(&mut times.off, on.lift()).await?;
    times.tell();
    Ok(())
}
