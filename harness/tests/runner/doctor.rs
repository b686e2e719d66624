//! The doctor on virtual kernels: those that boot, and those that are broken.

use std::fs;

use lastack::virt::Kernel;
use libtest_mimic::Trial;

use crate::common::{Checked, Named, life, or_ignored, run};
use crate::elsewhere::program;

pub fn tests() -> Vec<Trial> {
    let all: [Named; 2] = [
        ("doctor_says_how_long_each_kernel_takes_to_boot", boots),
        ("doctor_names_kernels_that_are_broken", broken_kernels),
    ];
    let lack = Kernel::find(None).err().map(|lack| lack.to_string());
    let test = |(name, test): Named| or_ignored(format!("virtual::{name}"), lack.as_deref(), test);
    all.into_iter().map(test).collect()
}

fn boots() -> Checked {
    let seen = program(&["doctor", "--boot", "--json"])?;
    let examined: serde_json::Value = serde_json::from_str(&seen.out)?;
    let kernels = examined["kernels"].as_array().ok_or("no kernels")?;
    let took = |kernel: &serde_json::Value| kernel["boot"]["seconds"].as_f64();
    // A kernel that unpacks itself and an image has not done so in a tenth of a second.
    let all = kernels.iter().all(|kernel| took(kernel).is_some_and(|seconds| seconds > 0.1));
    seen.ends(0)?.holds(all && kernels.len() == Kernel::all().len(), "a time for each")?;
    // Nobody is made to wait who has not asked for it.
    let unasked = program(&["doctor"])?;
    unasked.ends(0)?.holds(!unasked.out.contains("boots in"), "no boot")?;
    Ok(())
}

/// A kernel in the place of the first one: what it says of itself, its modules, and of the rest
/// what `spoil` makes of it.
fn spoilt(spoil: fn(&mut Vec<u8>)) -> Checked<(tempfile::TempDir, String)> {
    let kernel = Kernel::find(None).map_err(|lack| lack.to_string())?;
    let folder = tempfile::tempdir()?;
    let modules = folder.path().join("lib/modules");
    fs::create_dir_all(&modules)?;
    std::os::unix::fs::symlink(kernel.modules(), modules.join(&kernel.release))?;
    let mut file = fs::read(kernel.vmlinuz())?;
    spoil(&mut file);
    fs::create_dir(folder.path().join("boot"))?;
    fs::write(folder.path().join("boot/vmlinuz"), file)?;
    Ok((folder, kernel.release))
}

fn broken_kernels() -> Checked {
    let doctor = |folder: &tempfile::TempDir, arguments: &[&str]| {
        let mut command = life("virtual_program", &[&["doctor"], arguments].concat());
        run(command.env("LASTACK_KERNELS", folder.path()))
    };
    // Of the cases here, all but the one for newer kernels and the one whose program nobody has.
    let of_all = crate::elsewhere::registry()?.cases().len() - 2;
    // One that was not fetched whole shows it before any boot, and the whole one takes its place.
    let (folder, release) = spoilt(|file| file.truncate(file.len() / 2))?;
    let named = folder.path().join("boot/vmlinuz");
    let seen = doctor(&folder, &[])?;
    let why = format!("no use as one: {} is no kernel: it is cut off at ", named.display());
    seen.ends(0)?.says(&why)?.says("scripts/setup")?;
    let usable = |file: &str| format!("virtual kernel {release}, for {of_all}: {file}");
    seen.says(&usable("/"))?;
    // One whose set-up is whole and whose rest is none: no processor has such an instruction.
    let (folder, _) = spoilt(|file| {
        let code = (usize::from(file[0x1f1]) + 1) * 512;
        file[code..].fill(0xff);
    })?;
    let named = folder.path().join("boot/vmlinuz");
    doctor(&folder, &[])?.ends(0)?.says(&usable(named.to_str().ok_or("not UTF-8")?))?;
    let seen = doctor(&folder, &["--boot"])?;
    let broken = format!("virtual kernel {release}, for 0, DOES NOT BOOT: {}\n", named.display());
    seen.ends(0)?.says(&broken)?;
    seen.says("the virtual kernel did not come up: ")?
        .says("scripts/setup fetches kernels anew")?;
    // What would have run on it does not, and says for want of what.
    seen.says(&format!("NO   virtual {release} does not boot ("))?;
    let runs = run(life("virtual_program", &["run", "--kernel", "virtual", "control::passes"])
        .env("LASTACK_KERNELS", folder.path()))?;
    runs.ends(3)?
        .says("the virtual kernel did not come up")?
        .says("lastack doctor --boot")
        .map(drop)
}
