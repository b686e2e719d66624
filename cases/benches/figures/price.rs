//! What a case costs, step by step: cases that each do one thing more than the one before, timed
//! by this machine's clock, by what their processes used of its processors, and by the clock of a
//! virtual kernel. That one counts instructions while the kernel is busy, and so says the same
//! however busy this machine is.

use std::time::Duration;

use lastack::{
    Result, Scene,
    error::Context,
    runner::{
        case::Case,
        kernels::{Allowed, Choice},
        policy::Policy,
        pool::Means,
        registration::Family,
    },
    virt::Kernel,
};

use crate::{Bench, GRACEFUL, loops, suite, virtual_kernel};

/// The steps, each with its case and its figures: the time, the CPU time, and the time on a
/// virtual kernel.
const STEPS: [(&str, [&str; 3]); 5] = [
    ("price::nothing", ["price_process_ms", "price_process_cpu_ms", "price_process_virtual_ms"]),
    ("price::lab", ["price_lab_ms", "price_lab_cpu_ms", "price_lab_virtual_ms"]),
    ("price::agents", ["price_agents_ms", "price_agents_cpu_ms", "price_agents_virtual_ms"]),
    ("price::pair", ["price_pair_ms", "price_pair_cpu_ms", "price_pair_virtual_ms"]),
    (GRACEFUL, ["price_close_ms", "price_close_cpu_ms", "price_close_virtual_ms"]),
];

/// How often each is run.
const ROUNDS: usize = 40;

pub fn cases(family: &mut Family) {
    let family = family.rule(["ZZ-09"]).source("this file");
    family.case("nothing").run(async |_| Ok(()));
    family.case("lab").run(async |scene: Scene| scene.lab().build().await.map(drop));
    family.case("agents").run(agents);
    family.case("pair").run(async |scene: Scene| scene.pair().connect().await.map(drop));
}

async fn agents(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    for host in lab.hosts() {
        host.process().await?;
    }
    Ok(())
}

/// Runs the steps in turn, so that all meet the machine in the same mood.
///
/// # Errors
/// A case is not there, or does not pass on a virtual kernel.
pub fn measure(bench: &mut Bench) -> Result {
    let mut spent = [const { (Vec::new(), Vec::new()) }; STEPS.len()];
    for _ in 0..ROUNDS {
        for ((name, _), (wall, cpu)) in STEPS.iter().zip(&mut spent) {
            let before = suite::cpu();
            let finished = bench.quiet.on_host(bench.case(name), || ());
            wall.push(finished.map_err(lastack::Error::unmet)?.elapsed);
            cpu.push(suite::cpu() - before);
        }
    }
    for ((_, [wall, cpu, _]), (walls, cpus)) in STEPS.iter().zip(&spent) {
        bench.figures.set(wall, loops::median_ms(walls));
        bench.figures.set(cpu, loops::median_ms(cpus));
    }
    on_a_virtual_kernel(bench)
}

fn on_a_virtual_kernel(bench: &mut Bench) -> Result {
    if let Err(lack) = Kernel::find(None) {
        let reason = format!("{}; {}", lack.reason, lack.remedy);
        STEPS.iter().for_each(|(_, [.., key])| bench.figures.lacks(key, reason.clone()));
        return Ok(());
    }
    let (choice, places) = (Choice::among(Allowed::Virtual(None)), bench.places.clone());
    let means = Means::new(&bench.registry, choice, Policy::default(), places, false)
        .context(|| "run cases on a virtual kernel".to_owned())?;
    let cases: Vec<&Case> = STEPS.iter().map(|(name, _)| bench.case(name)).collect();
    // One after the other: beside another they would be each other's delay.
    let elapsed: Vec<Duration> = virtual_kernel::one_by_one(&means, &cases)?;
    for ((_, [.., key]), elapsed) in STEPS.iter().zip(elapsed) {
        bench.figures.set(key, loops::median_ms(&[elapsed]));
    }
    Ok(())
}
