//! The tests.

use std::time::Duration;

use lastack::virt::{Ending, Guest, Image, Kernel, Told, image};
use libtest_mimic::Trial;

use crate::common::{Checked, Named, or_ignored};

pub fn tests() -> Vec<Trial> {
    let tests: [Named; 1] = [("a_guest_does_what_its_manifest_says", echoes)];
    let obstacle = Kernel::find(None).err().map(|lack| lack.to_string());
    let trials = tests.into_iter();
    trials.map(|(name, test)| or_ignored(name.to_owned(), obstacle.as_deref(), test)).collect()
}

fn image() -> Checked<Image> {
    let kernel = Kernel::find(None).map_err(|lack| lack.to_string())?;
    Ok(image::build(&kernel, &[], &cache())?)
}

fn cache() -> std::path::PathBuf {
    lastack::runner::places::Places::find().target().join("lastack-images")
}

/// What a guest with this manifest says, and how it ends.
fn run(manifest: &str) -> Checked<(Vec<String>, Ending)> {
    let began = std::time::Instant::now();
    let image = image()?;
    eprintln!("image {} bytes in {:?}", image.size(), began.elapsed());
    let mut guest = Guest::boot(&image, manifest.as_bytes())?;
    let mut said = Vec::new();
    loop {
        match guest.hear()? {
            Told::Frame(frame) => said.push(String::from_utf8(frame)?),
            Told::Ended(ending) => {
                eprintln!("{said:?} {ending:?} after {:?}", began.elapsed());
                return Ok((said, ending));
            }
        }
    }
}

fn echoes() -> Checked {
    let (said, ending) = run("echo hello\nsleep 7200\necho world\n")?;
    let [hello, slept, world] = &said[..] else { return Err(format!("{said:?}").into()) };
    let slept = Duration::from_nanos(slept.parse()?);
    if (hello.as_str(), world.as_str()) != ("hello", "world") || slept.as_secs() != 7200 {
        return Err(format!("{said:?}").into());
    }
    if ending != Ending::PoweredOff {
        return Err(format!("{ending:?}").into());
    }
    Ok(())
}

pub fn hold_one() -> Checked {
    Ok(())
}
