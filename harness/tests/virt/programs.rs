//! Programs with more than libraries, on virtual kernels: each as it is here.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

use lastack::{
    runner::places::Places,
    sys::program,
    virt::{Machine, MachineEnd, MachineEvent, ProgramImage, programs},
};

use crate::{
    common::{Checked, Named},
    inside, machines,
};

/// What every machine has that can run these tests at all: a shell, and a program with many
/// libraries and of many megabytes.
const USUAL: [&str; 2] = ["sh", "qemu-system-x86_64"];

pub const TESTS: [Named; 4] = [
    ("programs_are_on_a_virtual_kernel_as_they_are_here", are_here),
    ("files_of_an_image_can_be_written_and_are_the_same_for_the_next_kernel", are_written),
    ("what_is_read_twice_takes_the_same_time_and_is_in_memory_once", is_read_twice),
    ("a_kernel_without_memory_for_an_image_is_told_how_much_it_takes", is_too_large),
];

/// As above, of programs that nobody installs for these tests.
pub const OTHERS: [(&str, Named); 4] = [
    ("node", ("node_runs_on_a_virtual_kernel", node)),
    ("java", ("java_runs_on_a_virtual_kernel", java)),
    ("redis-server", ("redis_runs_on_a_virtual_kernel", redis)),
    ("nginx", ("idle_hours_beside_nginx_cost_next_to_nothing", idles)),
];

/// Why a virtual kernel cannot be given these.
pub fn obstacle(wanted: &[&str]) -> Option<String> {
    wanted.iter().find_map(|name| match program::find(name) {
        None => Some(format!("there is no program {name}")),
        Some(file) => programs::check(&file, None).err().map(|lack| lack.to_string()),
    })
}

/// Why they cannot be given what every machine has.
pub fn usual_obstacle() -> Option<String> {
    obstacle(&USUAL)
}

fn image(more: &[&str]) -> Checked<ProgramImage> {
    let names = USUAL.iter().chain(more);
    let files: BTreeSet<_> = names.filter_map(|name| program::find(name)).collect();
    Ok(programs::image(&files, &Places::find().images())?)
}

/// What a virtual kernel says that has these programs and does what its manifest says, and the
/// processor time that QEMU had had at each word.
fn timed(more: &[&str], manifest: &str) -> Checked<Vec<(String, Duration)>> {
    let image = machines::image()?.with(Arc::new(image(more)?));
    let mut machine = Machine::boot(&image, manifest.as_bytes())?;
    let mut said = Vec::new();
    loop {
        match machine.next_event()? {
            MachineEvent::Frame(frame) => {
                said.push((String::from_utf8(frame)?, work(machine.pid()).unwrap_or_default()));
            }
            MachineEvent::Ended(MachineEnd::PoweredOff) => return Ok(said),
            MachineEvent::Ended(ending) => return Err(format!("{ending} after {said:?}").into()),
        }
    }
}

fn done(more: &[&str], manifest: &str) -> Checked<Vec<String>> {
    Ok(timed(more, manifest)?.into_iter().map(|(word, _)| word).collect())
}

fn work(pid: i32) -> Option<Duration> {
    let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(pid)).ok()?;
    Some(nix::time::clock_gettime(clock).ok()?.into())
}

fn same<T: PartialEq + std::fmt::Debug>(seen: T, expected: T) -> Checked {
    if seen == expected { Ok(()) } else { Err(format!("{seen:?}, not {expected:?}").into()) }
}

fn are_here() -> Checked {
    let shell = program::find("sh").ok_or("no sh")?;
    let paths = ["/bin/sh", "/etc/passwd", "/etc/nsswitch.conf", "/lib64", shell.to_str().unwrap()];
    let paths = paths.into_iter().filter(|path| Path::new(path).exists());
    let paths: Vec<_> = paths.chain(["/usr/share"]).collect();
    let look: String = paths.iter().map(|path| format!("look {path}\n")).collect();
    let said = done(&[], &format!("{look}run qemu-system-x86_64 --version"))?;
    let here: Vec<_> = paths.iter().map(|path| inside::look(path)).collect();
    same(&said[..paths.len()], &here[..])?;
    let version = std::process::Command::new("qemu-system-x86_64").arg("--version").output()?;
    same(said[paths.len()].as_str(), String::from_utf8_lossy(&version.stdout).trim())
}

fn are_written() -> Checked {
    let change = "run echo mine >>/etc/passwd; echo new >/usr/share/new; read a </usr/share/new; \
                  echo $a";
    same(done(&[], change)?, vec!["new".to_owned()])?;
    let said = done(&[], "look /etc/passwd\nlook /usr/share/new")?;
    same(said[0].clone(), inside::look("/etc/passwd"))?;
    same(said[1].contains("No such file"), true)
}

fn is_read_twice() -> Checked {
    let file = program::find("qemu-system-x86_64").ok_or("no QEMU")?;
    let (path, size) = (file.display(), fs::metadata(&file)?.len());
    let read = format!("take {path}\n");
    // The first also reads where the file lies. An interrupt or two are in each.
    let said = done(&[], &[read.as_str(); 3].concat())?;
    let mut taken = Vec::new();
    for line in said {
        let words: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [bytes, time, cached] = words[..] else { return Err(line.into()) };
        same(bytes, size)?;
        // Some pages may be anything's; these would be thousands.
        if cached > size / 1024 / 20 {
            return Err(format!("{cached} kB more of page cache for {size} bytes").into());
        }
        taken.push(time);
    }
    let (second, third) = (taken[1], taken[2]);
    match second.abs_diff(third) * 10 <= second {
        true => Ok(()),
        false => Err(format!("{second} ns, then {third}").into()),
    }
}

fn is_too_large() -> Checked {
    // A machine that says so does it before it starts: in a process of its own, for its environment.
    let output = std::process::Command::new(std::env::current_exe()?)
        .env("LASTACK_LIFE", "cramped")
        .env("LASTACK_VIRTUAL_MEMORY", "200")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let told = said.contains("200 MiB of memory are too little") && said.contains("or more");
    if told && !output.status.success() { Ok(()) } else { Err(said.into_owned().into()) }
}

/// The life of a process that has too little memory for a virtual kernel with an image.
pub fn cramped() -> Checked {
    done(&[], "echo up").map(drop)
}

fn node() -> Checked {
    let said =
        done(&["node"], "run node -e 'console.log(6 * 7, require(\"http\").METHODS.length > 9)'")?;
    same(said, vec!["42 true".to_owned()])
}

fn java() -> Checked {
    let said = done(&["java"], "run java -Xint -XX:+UseSerialGC -Xshare:auto -version 2>&1")?;
    if said[0].contains("Runtime Environment") { Ok(()) } else { Err(said.concat().into()) }
}

fn redis() -> Checked {
    let start = "run redis-server --port 0 --unixsocket /tmp/redis --daemonize yes --save '' \
                 >/dev/null; until redis-cli -s /tmp/redis set key value; do :; done; redis-cli \
                 -s /tmp/redis get key";
    let said = done(&["redis-server", "redis-cli"], start)?;
    if said[0].ends_with("OK\nvalue") { Ok(()) } else { Err(said.concat().into()) }
}

fn idles() -> Checked {
    let configuration = "user www-data; events { } pid /tmp/pid; error_log /tmp/log; \
                         http { access_log off; server { listen unix:/tmp/socket; } }";
    let manifest = format!(
        "run echo '{configuration}' >/tmp/conf; nginx -e /tmp/log -c /tmp/conf\nsleep 7200\nrun \
         read pid </tmp/pid; kill -0 $pid && echo alive"
    );
    let said = timed(&["nginx"], &manifest)?;
    same((said[0].0.as_str(), said[2].0.as_str()), ("", "alive"))?;
    let worked = said[1].1.saturating_sub(said[0].1);
    match worked < Duration::from_secs(20) {
        true => Ok(()),
        false => Err(format!("two idle hours took {worked:?} of work").into()),
    }
}
