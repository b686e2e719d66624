//! The figures of one run, each beside its floor: printed, and written to `target/bench.json`.
//!
//! Not a test: machines differ and so do their moods. Ratios are what to compare.
//!
//! `cargo bench` measures everything once. Names of sections choose some of them only
//! (`cargo bench -- dying`), and `--runs` says how often `detection` runs each of its cases.

mod detection;
mod dying;
mod faults;
mod figures;
mod floor;
mod ladders;
mod loops;
mod nextest;
mod price;
mod suite;
mod virtual_kernel;

use std::{process::ExitCode, thread};

use figures::Figures;
use lastack::{
    Error, FamilySource, Problems, Registry, Result,
    error::Context,
    runner::{
        case::Case,
        kernels::{Allowed, Choice},
        launch::Launcher,
        places::Places,
        policy::Policy,
        pool::Means,
        roles,
    },
};
use serde::de::DeserializeOwned;

const GRACEFUL: &str = "graceful_close::end_of_file_answered_at_once_takes_three_segments::ipv4";

/// The families that are measured here and not in the catalogue.
const LOOPS: [FamilySource; 4] = [
    FamilySource { family: "loops", file: "benches/figures/loops.rs", cases: loops::cases },
    FamilySource { family: "faults", file: "benches/figures/faults.rs", cases: faults::cases },
    FamilySource { family: "dying", file: "benches/figures/dying.rs", cases: dying::cases },
    FamilySource { family: "price", file: "benches/figures/price.rs", cases: price::cases },
];

fn main() -> ExitCode {
    if let Some(code) = roles::dispatch(registry) {
        return code;
    }
    match Bench::new().and_then(Bench::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The catalogue and, beside it, the loops that are measured.
fn registry() -> std::result::Result<Registry, Problems> {
    let mut families = lastack_cases::families().to_vec();
    families.extend(LOOPS);
    Registry::build(&families)
}

/// What is measured together, by its name.
type Section = (&'static str, fn(&mut Bench) -> Result);

const SECTIONS: [Section; 10] = [
    ("labs", Bench::labs),
    ("price", price::measure),
    ("guests", Bench::guests),
    ("virtual", Bench::virtual_kernels),
    ("faults", Bench::faults),
    ("dying", Bench::dying),
    ("ladder", Bench::ladder),
    ("suite", Bench::suite),
    ("nextest", Bench::nextest),
    ("detection", Bench::detection),
];

/// How often each case of `detection` runs, unless said otherwise. Two hundred times take a
/// quarter of an hour.
const RUNS: usize = 5;

struct Bench {
    registry: Registry,
    places: Places,
    /// Keeps what a loop prints.
    telling: Launcher,
    /// Keeps nothing, on this machine's kernel.
    quiet: Means,
    sections: Vec<Section>,
    runs: usize,
    figures: Figures,
}

impl Bench {
    /// Reads what is asked for.
    fn new() -> Result<Self> {
        let (mut sections, mut runs) = (Vec::new(), RUNS);
        // Cargo itself says `--bench`.
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            if word == "--runs" {
                let count = words.next().and_then(|count| count.parse().ok());
                runs = count.filter(|count| *count > 0).ok_or_else(|| {
                    Error::usage("--runs is followed by how often, at least once")
                })?;
            } else if let Some(section) = SECTIONS.iter().find(|(name, _)| *name == word) {
                sections.push(*section);
            } else {
                let names = SECTIONS.map(|(name, _)| name).join(", ");
                return Err(Error::usage(format!("nothing to measure is called {word}: {names}")));
            }
        }
        if sections.is_empty() {
            sections = SECTIONS.to_vec();
        }
        let places = Places::find();
        let context = || "run cases on this machine".to_owned();
        let registry = registry().context(|| "gather the cases".to_owned())?;
        let telling = Launcher::new(places.clone(), true).context(context)?;
        let host = Choice::among(Allowed::Host);
        let quiet = Means::new(&registry, host, Policy::default(), places.clone(), false)
            .context(context)?;
        let figures = Figures::default();
        Ok(Self { registry, places, telling, quiet, sections, runs, figures })
    }

    fn run(mut self) -> Result {
        for (_, measure) in std::mem::take(&mut self.sections) {
            measure(&mut self)?;
        }
        self.figures.write(&self.places.target().join("bench.json"))
    }

    fn case(&self, name: &str) -> &Case {
        self.registry.find(name).expect("the case is in this program or in the catalogue")
    }

    /// What a loop tells that runs alone.
    fn told<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        loops::told(&self.telling.run(self.case(name), || ()).map_err(Error::unmet)?)
    }

    /// What loops tell that run beside each other.
    fn told_together<T: DeserializeOwned + Send>(&self, names: &[&str]) -> Result<Vec<T>> {
        thread::scope(|scope| {
            let runs = names.iter().map(|name| scope.spawn(move || self.told(name)));
            let runs: Vec<_> = runs.collect();
            runs.into_iter().map(|run| run.join().expect("a run returns its errors")).collect()
        })
    }

    fn labs(&mut self) -> Result {
        let labs: loops::Told = self.told(loops::LABS[0])?;
        let floors: loops::Told = self.told(loops::FLOORS[0])?;
        self.figures.set("lab_setup_ms", labs.median_ms);
        self.figures.set("lab_floor_ms", floors.median_ms);
        self.figures.set("lab_setup_ratio", labs.median_ms / floors.median_ms);

        let rate = |told: Vec<loops::Told>| told.iter().map(|told| told.per_second).sum::<f64>();
        let labs = rate(self.told_together(&loops::LABS)?);
        let floors = rate(self.told_together(&loops::FLOORS)?);
        self.figures.set("labs_per_s", labs);
        self.figures.set("labs_per_s_ratio", labs / floors);

        let graceful = self.case(GRACEFUL);
        let run = || self.quiet.on_host(graceful, || ()).map_err(Error::unmet);
        let elapsed: Result<Vec<_>> = (0..50).map(|_| Ok(run()?.elapsed)).collect();
        let elapsed = elapsed?;
        self.figures.set("graceful_close_ms", loops::median_ms(&elapsed));
        Ok(())
    }

    fn guests(&mut self) -> Result {
        let guests = self.registry.find(loops::GUESTS).expect("it is in this program");
        if self.figures.can("uml_boot_ms", guests) {
            let guests: loops::Told = self.told(loops::GUESTS)?;
            self.figures.set("uml_boot_ms", guests.median_ms);
        }
        Ok(())
    }

    fn virtual_kernels(&mut self) -> Result {
        virtual_kernel::measure(&self.registry, &self.places, &mut self.figures)
    }

    /// Of each fault the slower of the two: turning it on, or off.
    fn faults(&mut self) -> Result {
        for (key, name, processes) in [
            ("fault_link_ms", faults::LINK, 1),
            ("fault_netem_ms", faults::NETEM, 1),
            ("fault_rule_ms", faults::RULE, 25),
        ] {
            let case = self.registry.find(name).expect("it is in this program");
            if self.figures.can(key, case) {
                let told: Result<Vec<_>> = (0..processes).map(|_| self.told(name)).collect();
                let (on, off): (Vec<_>, Vec<_>) =
                    told?.iter().map(|it: &faults::Switched| (it.on_ms, it.off_ms)).unzip();
                self.figures.set(key, loops::median(&on).max(loops::median(&off)));
            }
        }
        Ok(())
    }

    /// The time to the last trace is taken where nothing else runs; the rest of the thousand
    /// deaths only has to be silent.
    fn dying(&mut self) -> Result {
        let names = dying::power_offs();
        let (alone, others) = names.split_first().expect("there are some");
        let case = self.registry.find(alone).expect("it is in this program");
        if !self.figures.can("silent_death_ms", case) {
            return Ok(());
        }
        let alone: dying::Silence = self.told(alone)?;
        let others: Vec<_> = others.iter().map(String::as_str).collect();
        let mut all: Vec<dying::Silence> = self.told_together(&others)?;
        self.figures.set("silent_death_ms", loops::median(&alone.gone_ms));
        self.figures.set("silent_death_guard_ms", loops::median(&alone.guard_ms));
        all.push(alone);
        let deaths: usize = all.iter().map(|silence| usize::from(silence.deaths)).sum();
        self.figures.set("silent_deaths", deaths as f64);
        let leaked: usize = all.iter().map(|silence| silence.leaked).sum();
        self.figures.set("leaked_segments", leaked as f64);
        let careless: dying::Silence = self.told(dying::CARELESS)?;
        self.figures.set("leaked_when_careless", careless.leaked as f64);
        if careless.leaked == 0 {
            let expected = "segments of a host that died by the wrong order";
            return Err(Error::mismatch("the loop of deaths", expected, "none: it is blind"));
        }
        Ok(())
    }

    fn detection(&mut self) -> Result {
        let found = detection::measure(&self.registry, &self.quiet, self.runs);
        self.figures.set("detection_runs", self.runs as f64);
        self.figures.set("detection_times", found.late.len() as f64);
        self.figures.set("detection_failed", found.failed as f64);
        self.figures.set("detection_median_fraction", loops::median(&found.late));
        let worst = found.late.last().copied().unwrap_or(0.0);
        self.figures.set("detection_worst_fraction", worst);
        self.figures.set("detection_out_of_bound", found.out_of_bound as f64);
        self.figures.set("detection_too_slow", found.too_slow as f64);
        Ok(())
    }

    fn ladder(&mut self) -> Result {
        self.figures.set("ladder_100k_ms", ladders::measure()?);
        Ok(())
    }

    fn suite(&mut self) -> Result {
        suite::measure(&self.quiet, &mut self.figures)
    }

    fn nextest(&mut self) -> Result {
        nextest::measure(&self.places, &mut self.figures)
    }
}
