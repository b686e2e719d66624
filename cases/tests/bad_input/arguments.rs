//! What a person may get wrong on the command line, or in a case file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{self, Checked, Seen, life, run};

/// The program itself.
pub fn program(arguments: &[&str]) -> Checked<Seen> {
    run(common::plain(&mut Command::new(env!("CARGO_BIN_EXE_lastack"))).args(arguments))
}

/// It refused as wrong use, said why, and ran nothing.
fn refuses(arguments: &[&str], why: &str) -> Checked {
    let seen = program(arguments)?;
    seen.ends(2)?.complains(why)?;
    seen.holds(seen.out.is_empty(), "nothing on stdout")?;
    Ok(())
}

pub fn unknown_case_or_family() -> Checked {
    refuses(&["run", "no_such_thing_at_all"], "no_such_thing_at_all")?;
    refuses(&["run", "gracefull_close"], "graceful_close")?;
    refuses(&["run", "graceful_close", "GC-99"], "GC-99")?;
    refuses(&["run", "--exact", "graceful"], "graceful")?;
    refuses(&["show", "no_such_thing_at_all"], "no_such_thing_at_all")
}

pub fn two_where_one_is_allowed() -> Checked {
    refuses(&["show", "GC-01", "GC-02"], "two filters where one is allowed")?;
    // One filter that means many cases is no better.
    refuses(&["show", "graceful_close"], "cases:\n  graceful_close::")?;
    let target = run(&mut life("target", &["graceful_close", "linger"]))?;
    target.ends(2)?;
    Ok(())
}

pub fn unknown_words() -> Checked {
    refuses(&["run", "--frobnicate"], "unexpected argument '--frobnicate'")?;
    refuses(&["frobnicate"], "unrecognized subcommand 'frobnicate'")?;
    refuses(&["run", "--jobs", "many"], "invalid value 'many'")?;
    refuses(&["run", "--jobs", "-1"], "'-1'")?;
    refuses(&["list", "graceful_close"], "unexpected argument")?;
    refuses(&["run", "GC-02", "--kernel", "6.12"], "\"6.12\" is no kernel")?;
    refuses(&["show", "GC-02::ipv4", "--kernel", "virtual="], "virtual=WHICH")?;
    refuses(&["matrix", "--kernel", "hots"], "it should be host, virtual, or")?;
    refuses(&["matrix", "no_such_thing_at_all"], "no_such_thing_at_all")?;
    refuses(&["doctor", "--xml"], "unexpected argument")?;
    refuses(&["new", "graceful_close"], "NAME")?;
    // A role played by hand, without the runner's descriptors.
    for role in ["lastack:case", "lastack:agent", "lastack:reap", "lastack:no_such_role"] {
        let seen = program(&[role])?;
        seen.ends(2)?.holds(!seen.err.is_empty(), "a word on stderr")?;
    }
    Ok(())
}

pub fn junit_that_cannot_be_written() -> Checked {
    let home = tempfile::tempdir()?;
    let directory = home.path().to_str().ok_or("not UTF-8")?;
    let file = format!("{directory}/file");
    fs::write(&file, "precious")?;
    refuses(&["run", "GC-02", "--junit", ""], "a value is required for '--junit <FILE>'")?;
    for path in [directory, "/dev/null/junit.xml", &format!("{file}/junit.xml")] {
        refuses(&["run", "GC-02", "--junit", path], &format!("failed to open {path}"))?;
    }
    // Wrong use beside it does not cost the old report.
    refuses(&["run", "no_such_thing", "--junit", &file], "no_such_thing")?;
    let kept = fs::read_to_string(&file)?;
    if kept == "precious" { Ok(()) } else { Err("an old report was lost".into()) }
}

pub fn wrong_registry() -> Checked {
    for life_and_arguments in
        [("broken", ["run"]), ("broken", ["list"]), ("broken_target", ["--list"])]
    {
        let (name, arguments) = life_and_arguments;
        let seen = run(&mut life(name, &arguments))?;
        seen.ends(2)?.complains("failed to gather the cases")?;
        for problem in [
            "broken/first.rs and broken/second.rs: two cases are named broken::once",
            "broken/first.rs and broken/second.rs: both cover ZZ-01",
            "broken/empty.rs: registers no case",
            "broken/forgot.rs: case forgot was given no body",
        ] {
            seen.complains(problem)?;
        }
        seen.holds(seen.out.is_empty(), "nothing on stdout")?;
    }
    Ok(())
}

/// The compiler, as cargo names it or as a shell finds it.
pub fn rustc() -> Option<PathBuf> {
    let beside = std::env::var_os("CARGO").map(|cargo| Path::new(&cargo).with_file_name("rustc"));
    let beside = beside.filter(|rustc| rustc.is_file());
    beside.or_else(|| lastack::sys::probe::program("rustc"))
}

const STAND_IN: &str = r#"
pub struct Family;
pub struct FamilySource {
    pub family: &'static str,
    pub file: &'static str,
    pub cases: fn(&mut Family),
}
#[path = "families.rs"]
mod families;
include!("table.rs");
"#;

/// The build script over case files of our own, and the compiler over what it makes of them.
struct Folder {
    home: tempfile::TempDir,
    rustc: PathBuf,
}

impl Folder {
    fn new() -> Checked<Self> {
        let rustc = rustc().ok_or("no compiler")?;
        let folder = Self { home: tempfile::tempdir()?, rustc };
        fs::create_dir(folder.path("linger"))?;
        fs::write(folder.path("lib.rs"), STAND_IN)?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/build.rs");
        folder.compile(&[script, "-o", "script"])?.ends(0)?;
        Ok(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn compile(&self, arguments: &[&str]) -> Checked<Seen> {
        let mut rustc = Command::new(&self.rustc);
        run(rustc.args(["--edition", "2024"]).args(arguments).current_dir(self.home.path()))
    }

    /// What the script says, and then the compiler.
    fn build(&self) -> Checked<(Seen, Seen)> {
        let mut script = Command::new(self.path("script"));
        let home = self.home.path();
        script.env("CARGO_MANIFEST_DIR", home).env("OUT_DIR", home);
        // It also compiles programs that cases run; that is not the question here.
        let said = run(script.env("RUSTC", "true").env("TARGET", "any"))?;
        let arguments = ["lib.rs", "--crate-type", "lib", "--emit", "metadata", "--color", "never"];
        Ok((said, self.compile(&arguments)?))
    }
}

pub fn file_that_registers_nothing() -> Checked {
    let folder = Folder::new()?;
    let good = "//! The rule.\npub fn cases(_: &mut crate::Family) {}\n";
    fs::write(folder.path("linger/good.rs"), good)?;
    let (script, compiler) = folder.build()?;
    script.ends(0)?.holds(!script.out.contains("cargo::error"), "no complaint")?;
    compiler.ends(0)?;
    let list = fs::read_to_string(folder.path("families.rs"))?;
    script.holds(list.ends_with("\npub mod linger {\n    pub mod good;\n}\n"), "a list of it")?;

    fs::write(folder.path("linger/forgot.rs"), "//! The rule.\n")?;
    let (_, compiler) = folder.build()?;
    compiler.ends(1)?.complains("cannot find")?.complains("linger::forgot::cases")?;
    fs::write(
        folder.path("linger/forgot.rs"),
        "//! The rule.\nfn cases(_: &mut crate::Family) {}\n",
    )?;
    let (_, compiler) = folder.build()?;
    compiler.ends(1)?.complains("function `cases` is private")?;

    fs::write(folder.path("linger/forgot.rs"), "pub fn cases(_: &mut crate::Family) {}\n")?;
    let (script, _) = folder.build()?;
    script.says("cargo::error=linger/forgot.rs: a case file opens with the rule it tests")?;
    fs::rename(folder.path("linger/forgot.rs"), folder.path("linger/Shouting-file.rs"))?;
    let (script, _) = folder.build()?;
    script.says("cargo::error=linger/Shouting-file.rs: the name of a family or a case file")?;
    Ok(())
}
