//! The case crate's build script over folders of our own, and the compiler over what it makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Checked, Seen, run};

/// The compiler, as cargo names it or as a shell finds it.
pub fn rustc() -> Option<PathBuf> {
    let beside = std::env::var_os("CARGO").map(|cargo| Path::new(&cargo).with_file_name("rustc"));
    let beside = beside.filter(|rustc| rustc.is_file());
    beside.or_else(|| lastack::sys::program::find("rustc"))
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

/// A case crate with one family and no file yet.
pub struct Folder {
    home: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Checked<Self> {
        let folder = Self { home: tempfile::tempdir()? };
        fs::create_dir(folder.path("linger"))?;
        fs::create_dir(folder.path("catalogue"))?;
        fs::write(folder.path("lib.rs"), STAND_IN)?;
        Ok(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn compile(&self, arguments: &[&str]) -> Checked<Seen> {
        let mut rustc = Command::new(rustc().ok_or("no compiler")?);
        run(rustc.args(["--edition", "2024"]).args(arguments).current_dir(self.home.path()))
    }

    /// What the script says.
    pub fn script(&self) -> Checked<Seen> {
        let mut script = Command::new(env!("LASTACK_BUILD_SCRIPT"));
        let home = self.home.path();
        script.env("CARGO_MANIFEST_DIR", home).env("OUT_DIR", home);
        // It also compiles programs that cases run; that is not the question here.
        run(script.env("RUSTC", "true").env("TARGET", "any"))
    }

    /// What the script says, and then the compiler.
    fn build(&self) -> Checked<(Seen, Seen)> {
        let said = self.script()?;
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
