//! The program `lastack`: what a person types.
//!
//! Exit codes: 0 all passed; 1 a case failed; 2 wrong use; 3 the machine can run nothing.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;
use crate::runner::kernels::Allowed;
use crate::runner::registry::{Problems, Registry};
use crate::runner::roles;
use crate::runner::shard::Shard;

mod boots;
mod doctor;
mod list;
mod matrix;
mod new;
mod run;
mod show;

/// Watches real kernels close real TCP connections, in private networks of namespaces.
#[derive(Debug, Parser)]
#[command(name = "lastack", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run cases, all of them or those that the filters mean
    Run(RunArguments),
    /// List the cases, with what each covers and whether it can run here
    List {
        /// The rows of the catalogue that no case covers instead, and why
        #[arg(long, conflicts_with = "kernel")]
        missing: bool,
        /// As JSON, one object a case or row
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        kernel: KernelArgument,
    },
    /// Run one case and show what it saw, pass or fail; or show a row of the catalogue
    Show {
        /// Its name, a part of it that no other has, or a catalogue id, whose row comes first
        #[arg(value_name = "CASE", required = true)]
        filters: Vec<String>,
        #[command(flatten)]
        kernel: KernelArgument,
    },
    /// Run cases on several kernels, and say where these differ
    Matrix(MatrixArguments),
    /// Say what this machine can run, what is missing, and how to get it
    Doctor {
        /// Boot every virtual kernel, too, and say how long it takes or why it does not come up
        #[arg(long)]
        boot: bool,
        /// As JSON, one object a question
        #[arg(long)]
        json: bool,
    },
    /// Write a new case file that compiles and runs
    New(NewArguments),
}

#[derive(Debug, clap::Args)]
struct RunArguments {
    /// Part of a test name, a family, or a catalogue id such as GC-02
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Filters mean a whole name, family or id
    #[arg(long)]
    exact: bool,
    /// Also write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How many cases run side by side (64 a core if not said)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Keep the evidence of cases that pass, too
    #[arg(long)]
    keep: bool,
    /// Of the cases meant, only those that failed when they last ran, by `run`, `show` or
    /// `cargo test` of this build
    #[arg(long)]
    failed: bool,
    /// Say every reason for which cases are ignored, and not only what would help most of them
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    share: ShareArguments,
    #[command(flatten)]
    kernel: KernelArgument,
}

#[derive(Debug, clap::Args)]
struct ShareArguments {
    /// Of the cases meant, only those of shard N of M: every case is in one of 1/M to M/M.
    /// LASTACK_SHARD says the same. Names and declarations of all cases decide which, and the
    /// times of --times; not filters, nor what this machine has
    #[arg(long, value_name = "N/M")]
    shard: Option<Shard>,
    /// Deal shards out by the times in this copy of a target/lastack/last-run.json, the same on
    /// all machines, or cases are lost; may be said several times, later ones count. LASTACK_TIMES
    /// names such files with colons between. Without them declared waits decide
    #[arg(long, value_name = "FILE")]
    times: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct KernelArgument {
    /// Only this kernel: host, virtual, or virtual=WHICH, which is how a release begins (6.12) or
    /// a path to a vmlinuz or to a folder that holds one. LASTACK_KERNEL says the same; without
    /// either a case runs on the first kernel that meets its needs, this machine's before others
    #[arg(long, value_name = "KERNEL")]
    kernel: Option<Allowed>,
}

impl KernelArgument {
    /// What was said here, or else in the environment.
    fn allowed(self) -> Result<Allowed> {
        self.kernel.map_or_else(Allowed::asked, Ok)
    }
}

#[derive(Debug, clap::Args)]
struct MatrixArguments {
    /// Part of a test name, a family, or a catalogue id such as GC-02
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Filters mean a whole name, family or id
    #[arg(long)]
    exact: bool,
    /// On this kernel, in the words of `run`; may be said several times. Without it on this
    /// machine's and on every virtual one
    #[arg(long = "kernel", value_name = "KERNEL")]
    kernels: Vec<Allowed>,
    /// How many cases run side by side (64 a core if not said)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// As JSON: every case on every kernel, and whether these differ
    #[arg(long)]
    json: bool,
    /// As tables in Markdown: how many passed where, and where kernels differ
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

#[derive(Debug, clap::Args)]
struct NewArguments {
    /// The family: a folder of the case crate
    #[arg(value_name = "FAMILY")]
    family: String,
    /// The case, a sentence in snake_case: what should happen
    #[arg(value_name = "NAME")]
    name: String,
    /// The row of the catalogue that it covers, if it is about one
    #[arg(long, value_name = "ID")]
    covers: Option<String>,
    /// Begin a new family
    #[arg(long)]
    new_family: bool,
}

/// The whole `main` of a program over these cases, whose case crate is at `home` (for `new`).
pub fn program(gather: impl Fn() -> Result<Registry, Problems>, home: &Path) -> ExitCode {
    if let Some(code) = roles::dispatch(&gather) {
        return code;
    }
    let command = Arguments::parse().command;
    let registry = match gather() {
        Ok(registry) => registry,
        Err(problems) => {
            eprint!("lastack: {problems}");
            return Exit::WrongUse.into();
        }
    };
    let exit = match command {
        Command::Run(arguments) => run::run(&registry, arguments),
        Command::List { missing: true, json, .. } => list::missing(&registry, json),
        Command::List { missing: false, json, kernel } => list::list(&registry, json, kernel),
        Command::Show { filters, kernel } => show::show(&registry, &filters, kernel),
        Command::Matrix(arguments) => matrix::matrix(&registry, &arguments),
        Command::Doctor { boot, json } => doctor::doctor(&registry, boot, json),
        Command::New(arguments) => new::new(&registry, &arguments, home),
    };
    exit.unwrap_or_else(|error| {
        eprintln!("lastack: {error}");
        Exit::WrongUse
    })
    .into()
}

/// What the program says to the one who called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    AllWell = 0,
    CaseFailed = 1,
    WrongUse = 2,
    NothingCanRun = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Prints to standard output. Whoever closed it (`| head`) has seen enough.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn json(value: &impl serde::Serialize) {
    let text = serde_json::to_string_pretty(value).expect("strings and lists are always JSON");
    print(&format!("{text}\n"));
}

/// Says on standard error that no case can run here, and what to do.
fn nothing_can_run(why: &dyn std::fmt::Display) -> Exit {
    eprintln!("lastack: this machine can run no case: {why}");
    Exit::NothingCanRun
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}
