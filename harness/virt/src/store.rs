//! The kernels there are: packages that were unpacked into folders, never installed.
//!
//! A folder holds a kernel as its package does, `boot/vmlinuz-<release>` beside
//! `lib/modules/<release>`, or as later packages do, `vmlinuz` right among its modules in
//! `usr/lib/modules/<release>`; or it holds such folders. `scripts/setup` fills [`FOLDER`];
//! `$LASTACK_KERNELS` names others, which come first.

use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{bzimage, lack::Lack, modules, modules::Index, qemu};

/// Where `scripts/setup` unpacks kernels.
pub const FOLDER: &str = "/var/cache/lastack/kernels";

/// Names other folders, with a colon between them.
pub const VARIABLE: &str = "LASTACK_KERNELS";

/// Where packages have a kernel's modules, under a folder of its release.
const MODULES: [&str; 2] = ["lib/modules", "usr/lib/modules"];

/// A kernel with its modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// What it calls itself: "6.1.0-56-cloud-amd64".
    pub release: String,
    vmlinuz: PathBuf,
    modules: PathBuf,
    index: Arc<Index>,
}

impl Kernel {
    /// The kernel asked for: by the beginning of its release ("6.12"), or by the path of its
    /// file or of a folder with it; unasked, the first of [`Kernel::all`].
    ///
    /// # Errors
    /// There is none, or it cannot be used: why, and what to do.
    pub fn find(asked: Option<&str>) -> Result<Self, Lack> {
        qemu::program()?;
        Self::find_in(&folders(), asked)
    }

    fn find_in(folders: &[PathBuf], asked: Option<&str>) -> Result<Self, Lack> {
        if let Some(path) = asked.filter(|word| word.contains('/')).map(Path::new) {
            return Self::at(path);
        }
        let (usable, mut broken) = sorted(folders);
        let mut wanted = usable.into_iter().filter(|kernel| kernel.is(asked));
        if let Some(kernel) = wanted.next() {
            return Ok(kernel);
        }
        // One that is there and of no use is the better answer, if it is not another's.
        broken.retain(|(file, _)| asked.is_none_or(|word| file.contains(word)));
        if let Some((_, lack)) = broken.into_iter().next() {
            return Err(lack);
        }
        let among: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        let what = asked.map_or("no kernel".to_owned(), |word| format!("no kernel {word}"));
        Err(Lack {
            reason: format!("there is {what} in {}", among.join(" or ")),
            remedy: format!("unpack one (scripts/setup, 300 MB), or name its folder in {VARIABLE}"),
        })
    }

    /// Every kernel that can be used: the oldest version first, the newest build of it first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        qemu::program().map_or(Vec::new(), |_| sorted(&folders()).0)
    }

    /// What is there and can not be used, and why not.
    #[must_use]
    pub fn useless() -> Vec<Lack> {
        sorted(&folders()).1.into_iter().map(|(_, lack)| lack).collect()
    }

    /// The kernel in this file, or the first in this folder.
    pub(super) fn at(path: &Path) -> Result<Self, Lack> {
        if !path.is_dir() {
            return Self::open(path);
        }
        let (usable, broken) = sorted(&[path.to_owned()]);
        usable.into_iter().next().map(Ok).unwrap_or_else(|| {
            Err(broken.into_iter().next().map_or_else(
                || Lack {
                    reason: format!("there is no kernel in {}", path.display()),
                    remedy: "name a folder with boot/vmlinuz-… and lib/modules/…, as in a \
                             kernel's package"
                        .to_owned(),
                },
                |(_, lack)| lack,
            ))
        })
    }

    /// The kernel in this file, with the modules that lie beside it.
    fn open(vmlinuz: &Path) -> Result<Self, Lack> {
        let named = vmlinuz.display();
        let remedy = "unpack the kernel's package anew (scripts/setup)".to_owned();
        let release = bzimage::release(vmlinuz)
            .map_err(|why| Lack { reason: format!("{named} is no kernel: {why}"), remedy })?;
        let modules = beside(vmlinuz, &release)?;
        let index = Arc::new(Index::read(&modules));
        if let Some(missing) = modules::ESSENTIAL.iter().find(|name| !index.has(name)) {
            return Err(Lack {
                reason: format!("kernel {release} in {named} has no module {missing}"),
                remedy: "take a distribution's kernel with all its modules".to_owned(),
            });
        }
        Ok(Self { release, vmlinuz: vmlinuz.to_owned(), modules, index })
    }

    /// Whether its release begins so: "6.1" is no beginning of 6.12.
    fn is(&self, asked: Option<&str>) -> bool {
        asked.is_none_or(|word| {
            let rest = self.release.strip_prefix(word);
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
        })
    }

    /// Its version's first two numbers.
    #[must_use]
    pub fn version(&self) -> (u32, u32) {
        let [major, minor, ..] = self.numbers()[..] else { return (0, 0) };
        (major, minor)
    }

    /// All the numbers its release begins with, to tell the older from the newer.
    fn numbers(&self) -> Vec<u32> {
        self.release.split(['.', '-', '+']).map_while(|number| number.parse().ok()).collect()
    }

    /// Whether it has what this module holds, as a module or built in.
    #[must_use]
    pub fn has_module(&self, name: &str) -> bool {
        self.index.has(name)
    }

    /// The kernel's own file.
    #[must_use]
    pub fn vmlinuz(&self) -> &Path {
        &self.vmlinuz
    }

    /// The folder of its modules.
    #[must_use]
    pub fn modules(&self) -> &Path {
        &self.modules
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }
}

fn folders() -> Vec<PathBuf> {
    let named = std::env::var_os(VARIABLE).unwrap_or_default();
    let named = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty());
    named.chain([PathBuf::from(FOLDER)]).collect()
}

/// The kernels of these folders, in the order of [`Kernel::all`] and each release once, and the
/// files that are of no use with the reason.
fn sorted(folders: &[PathBuf]) -> (Vec<Kernel>, Vec<(String, Lack)>) {
    let (mut usable, mut broken): (Vec<Kernel>, _) = (Vec::new(), Vec::new());
    for file in folders.iter().flat_map(|folder| files(folder)) {
        match Kernel::open(&file) {
            Ok(kernel) if usable.iter().any(|other| other.release == kernel.release) => {}
            Ok(kernel) => usable.push(kernel),
            Err(lack) => broken.push((file.display().to_string(), lack)),
        }
    }
    usable.sort_by_key(|kernel| (kernel.version(), Reverse(kernel.numbers())));
    (usable, broken)
}

/// The kernel files in a folder, and in the folders right in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let within = entries(folder).into_iter().filter(|path| path.is_dir());
    let roots = std::iter::once(folder.to_owned()).chain(within);
    let boots = roots.flat_map(|root| {
        let among = MODULES.map(|folder| entries(&root.join(folder)));
        let among = among.into_iter().flatten().map(|release| release.join("vmlinuz"));
        entries(&root.join("boot")).into_iter().chain(entries(&root)).chain(among)
    });
    let mut found: Vec<_> = boots
        .filter(|path| path.is_file())
        .filter(|path| {
            path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"vmlinuz"))
        })
        .collect();
    found.dedup();
    found
}

/// What is in a folder, in the order of names; nothing if it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The modules of this release that lie beside a kernel's file, as packages have them.
fn beside(vmlinuz: &Path, release: &str) -> Result<PathBuf, Lack> {
    let near = vmlinuz.ancestors().skip(1).take(2);
    let folders = MODULES.into_iter().chain(["modules", ""]);
    let places = near.flat_map(|root| folders.clone().map(|folder| root.join(folder)));
    let places: Vec<_> = places.collect();
    let found = places.iter().map(|place| place.join(release)).find(|place| modules::are_in(place));
    found.ok_or_else(|| {
        let others = places.iter().flat_map(|place| entries(place));
        let others: Vec<_> = others
            .filter(|place| modules::are_in(place))
            .filter_map(|place| Some(place.file_name()?.to_str()?.to_owned()))
            .collect();
        let there = match &others[..] {
            [] => String::new(),
            others => format!(", only those of {}", others.join(" and ")),
        };
        Lack {
            reason: format!(
                "kernel {release} in {} has no modules beside it{there}",
                vmlinuz.display()
            ),
            remedy: format!(
                "unpack its package whole: boot/ and lib/modules/{release} in one folder"
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{self, RELEASE};

    fn refused(path: &Path) -> String {
        Kernel::at(path).unwrap_err().to_string()
    }

    #[test]
    fn a_package_that_was_unpacked_is_a_kernel() {
        let root = fakes::kernel(RELEASE, RELEASE);
        let kernel = Kernel::at(root.path()).unwrap();
        assert_eq!((kernel.release.as_str(), kernel.version()), (RELEASE, (6, 1)));
        assert!(kernel.has_module("veth") && kernel.has_module("sch_netem"));
        assert!(!kernel.has_module("no_such_module"));
        assert_eq!(Kernel::at(kernel.vmlinuz()).unwrap(), kernel);
    }

    #[test]
    fn a_kernel_may_lie_among_its_modules() {
        let root = fakes::kernel(RELEASE, RELEASE);
        let boot = root.path().join("boot");
        let modules = root.path().join("usr/lib/modules").join(RELEASE);
        fs::create_dir(root.path().join("usr")).unwrap();
        fs::rename(root.path().join("lib"), root.path().join("usr/lib")).unwrap();
        fs::rename(boot.join(format!("vmlinuz-{RELEASE}")), modules.join("vmlinuz")).unwrap();
        fs::remove_dir(boot).unwrap();
        let kernel = Kernel::at(root.path()).unwrap();
        assert_eq!((kernel.vmlinuz(), kernel.modules()), (&*modules.join("vmlinuz"), &*modules));
        let folder = root.path().parent().unwrap();
        let found = files(folder);
        assert!(found.contains(&modules.join("vmlinuz")), "{found:?}");
    }

    #[test]
    fn the_beginning_of_a_release_ends_where_a_number_does() {
        let folder = tempfile::tempdir().unwrap();
        for release in ["6.12.5-cloud", "6.1.0-56-cloud", "6.1.0-9-cloud"] {
            fakes::unpack(&folder.path().join(release), release, release);
        }
        let find = |asked| Kernel::find_in(&[folder.path().to_owned()], asked);
        assert_eq!(find(None).unwrap().release, "6.1.0-56-cloud");
        assert_eq!(find(Some("6.1")).unwrap().release, "6.1.0-56-cloud");
        assert_eq!(find(Some("6.1.0-9")).unwrap().release, "6.1.0-9-cloud");
        assert_eq!(
            find(Some("6.1.0-5")).unwrap_err().reason.split(" in ").next(),
            Some("there is no kernel 6.1.0-5")
        );
        assert_eq!(find(Some("6.12")).unwrap().release, "6.12.5-cloud");
    }

    #[test]
    fn where_there_is_no_kernel_the_way_to_one_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let lack = Kernel::find_in(&[folder.path().to_owned()], None).unwrap_err();
        assert!(lack.reason.contains(folder.path().to_str().unwrap()), "{lack}");
        assert!(lack.remedy.contains("scripts/setup") && lack.remedy.contains(VARIABLE), "{lack}");
        assert!(refused(folder.path()).contains("there is no kernel in"));
        assert!(refused(&folder.path().join("vmlinuz-9")).contains("No such file"));
    }

    #[test]
    fn a_file_that_is_no_kernel_or_not_all_of_one_is_refused() {
        let root = fakes::kernel(RELEASE, RELEASE);
        let file = Kernel::at(root.path()).unwrap().vmlinuz().to_owned();
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        assert!(refused(&file).contains("it is cut off at"), "{}", refused(&file));
        fs::write(&file, &whole[..100]).unwrap();
        assert!(refused(&file).contains("shorter than a kernel's header"));
        fs::write(&file, vec![b'x'; whole.len()]).unwrap();
        assert!(refused(root.path()).contains("does not begin as a bzImage"));
    }

    #[test]
    fn a_kernel_without_its_own_modules_says_whose_are_there() {
        let root = fakes::kernel(RELEASE, "6.12.5-other");
        let said = refused(root.path());
        assert!(said.contains("no modules beside it, only those of 6.12.5-other"), "{said}");
    }

    #[test]
    fn a_kernel_without_cables_is_of_no_use_and_one_without_netem_is() {
        let root = fakes::kernel(RELEASE, RELEASE);
        let modules = root.path().join("lib/modules").join(RELEASE).join("kernel");
        fs::remove_file(modules.join("sch_netem.ko")).unwrap();
        assert!(!Kernel::at(root.path()).unwrap().has_module("sch_netem"));
        fs::remove_file(modules.join("veth.ko")).unwrap();
        assert!(refused(root.path()).contains("has no module veth"), "{}", refused(root.path()));
    }
}
