//! The file system a virtual kernel starts from: this program as its init, what that needs, and
//! modules.
//!
//! It is made of archives, one behind the other, that the kernel unpacks into one tree. The one
//! with the modules is kept for the next time; the one with the programs is made in a moment and
//! would be stale with every build. Each machine gets one more, with its manifest.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{BufWriter, Write},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{
    archive::{Archive, is_whole},
    init, modules,
    program::{self, Stamps},
    programs::ProgramImage,
    store::Kernel,
};
use lastack_sys::error::{Context, Result};

/// What a virtual kernel is booted from: a kernel, and a file system with this program as its init.
#[derive(Debug)]
pub struct Image {
    kernel: Kernel,
    modules: Vec<u8>,
    /// A file without a name: ten times as much as the modules, and this program need not hold it.
    programs: File,
    programs_size: usize,
    stamp: u64,
    /// Programs that are too large for it, or more than one file.
    mounted: Option<Arc<ProgramImage>>,
}

impl Image {
    /// The kernel it is for.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// How large its file system is, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.modules.len() + self.programs_size
    }

    /// The same, with these programs to be mounted beside its own.
    #[must_use]
    pub fn with(self, mounted: Arc<ProgramImage>) -> Self {
        Self { mounted: Some(mounted), ..self }
    }

    /// The programs to be mounted.
    pub(super) fn mounted(&self) -> Option<&Arc<ProgramImage>> {
        self.mounted.as_ref()
    }

    /// What tells it from images of other contents, as far as the files say that it was built of.
    pub(super) fn stamp(&self) -> u64 {
        self.stamp
    }

    /// The file system of one machine: the image, and its manifest, or that it comes later.
    pub(super) fn write(&self, file: &mut File, manifest: Option<&[u8]>) -> std::io::Result<()> {
        file.write_all(&self.modules)?;
        // Opened anew: several read it at once, each from its own place. The kernel copies.
        let path = format!("/proc/self/fd/{}", self.programs.as_raw_fd());
        std::io::copy(&mut File::open(path)?, file)?;
        let mut own = Archive::to(file);
        match manifest {
            Some(manifest) => own.file(init::MANIFEST, manifest)?,
            None => own.file(init::LATER, &[])?,
        }
        own.finish().map(drop)
    }
}

/// Builds it, with these programs and all that they need. What takes long is kept in the folder
/// `cache` for the next time; where that cannot be written, it takes long again.
///
/// # Errors
/// A file cannot be read, or is not what it should be: which, and why.
pub fn build(kernel: &Kernel, programs: &[PathBuf], cache: &Path) -> Result<Image> {
    let modules = match kept(kernel, cache) {
        Some(archive) => archive,
        None => {
            let archive = of_modules(kernel)?;
            keep(kernel, cache, &archive);
            archive
        }
    };
    let (programs, programs_size, of_programs) = of_programs(programs)?;
    let stamp = stamp(&(of_kernel(kernel), of_programs));
    let kernel = kernel.clone();
    Ok(Image { kernel, modules, programs, programs_size, stamp, mounted: None })
}

fn of_modules(kernel: &Kernel) -> Result<Vec<u8>> {
    let context = || format!("build the image of kernel {}", kernel.release);
    let mut archive = Archive::to(Vec::new());
    for (number, module) in
        modules::collect(kernel.index(), &kernel.release)?.into_iter().enumerate()
    {
        let path = format!("{}/{number:02}-{}", init::MODULES, module.name);
        archive.file(&path, &module.bytes).context(context)?;
    }
    archive.finish().context(context).map(|(archive, _)| archive)
}

/// Small files of the machine that programs look things up in.
const TABLES: [&str; 2] = ["/etc/protocols", "/etc/services"];

fn of_programs(programs: &[PathBuf]) -> Result<(File, usize, u64)> {
    let mut stamps = Stamps::default();
    let context = || "build an image".to_owned();
    let file = memfd_create(c"lastack-image", MFdFlags::MFD_CLOEXEC).context(context)?;
    let mut archive = Archive::to(BufWriter::new(File::from(file)));
    for folder in ["/dev", "/proc", "/sys", "/tmp", "/run", "/mnt", "/etc"] {
        archive.folder(folder).context(context)?;
    }
    // The kernel opens it for init before anything can be mounted.
    archive.device("/dev/console", 5, 1).context(context)?;
    // By number: "self" would be the loader, when it is asked.
    let own = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    program::configure(&mut archive, init::PROGRAM, &own, &mut stamps)?;
    for file in programs {
        if let Some(path) = file.to_str() {
            program::configure(&mut archive, path, file, &mut stamps)?;
        }
    }
    let tables = TABLES.map(|table| fs::read(table).ok());
    for (table, content) in TABLES.into_iter().zip(&tables) {
        if let Some(content) = content {
            archive.file(table, content).context(context)?;
        }
    }
    let (file, size) = archive.finish().context(context)?;
    let file = file.into_inner().map_err(std::io::IntoInnerError::into_error).context(context)?;
    Ok((file, size, stamp(&(stamps.finish(), tables))))
}

fn stamp(of: &impl Hash) -> u64 {
    let mut hash = DefaultHasher::new();
    of.hash(&mut hash);
    hash.finish()
}

/// What tells this kernel, with the modules that are taken of it, from every other one.
fn of_kernel(kernel: &Kernel) -> u64 {
    let files = [kernel.vmlinuz(), kernel.modules(), &kernel.modules().join("modules.builtin")];
    let found = files.map(|path| {
        let found = fs::metadata(path).ok();
        (path.to_owned(), found.map(|found| (found.len(), found.mtime(), found.mtime_nsec())))
    });
    stamp(&(modules::wanted().collect::<Vec<_>>(), found))
}

/// Where the modules of this kernel are kept: another name for every other kernel, and for every
/// other choice of modules.
fn place(kernel: &Kernel, cache: &Path) -> PathBuf {
    cache.join(format!("{}-{:016x}.cpio", kernel.release, of_kernel(kernel)))
}

fn kept(kernel: &Kernel, cache: &Path) -> Option<Vec<u8>> {
    let archive = fs::read(place(kernel, cache)).ok()?;
    // One that a full disk or a dying machine cut off is as good as none.
    is_whole(&archive).then_some(archive)
}

fn keep(kernel: &Kernel, cache: &Path, archive: &[u8]) {
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(cache)?;
        // In one step, for who reads it at the same time.
        let mut file = tempfile::NamedTempFile::new_in(cache)?;
        file.write_all(archive)?;
        file.persist(place(kernel, cache)).map(drop).map_err(|error| error.error)
    };
    let _ = write();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{self, RELEASE};

    #[test]
    fn modules_are_unpacked_once_and_again_when_what_was_kept_is_not_whole() {
        let (root, cache) = (fakes::kernel(RELEASE, RELEASE), tempfile::tempdir().unwrap());
        let kernel = Kernel::at(root.path()).unwrap();
        let image = build(&kernel, &[], cache.path()).unwrap();
        let file = place(&kernel, cache.path());
        let archive = fs::read(&file).unwrap();
        assert_eq!(image.modules, archive);

        fs::remove_file(kernel.modules().join("kernel/sch_netem.ko")).unwrap();
        let again = build(&kernel, &[], cache.path()).unwrap();
        assert_eq!(again.modules, archive);

        let kernel = Kernel::at(root.path()).unwrap();
        fs::write(&file, &archive[..archive.len() - 512]).unwrap();
        let without = build(&kernel, &[], cache.path()).unwrap();
        assert!(without.modules.len() < archive.len());
    }

    #[test]
    fn an_image_needs_no_place_to_keep_anything() {
        let root = fakes::kernel(RELEASE, RELEASE);
        let kernel = Kernel::at(root.path()).unwrap();
        let image = build(&kernel, &[], Path::new("/proc/no-such-place")).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        image.write(&mut file, Some(b"what to do")).unwrap();
        image.write(&mut file, Some(b"and again")).unwrap();
        let length = file.metadata().unwrap().len() as usize;
        let file = {
            use std::os::unix::fs::FileExt;
            let mut whole = vec![0; length];
            file.read_exact_at(&mut whole, 0).unwrap();
            whole.split_off(length / 2)
        };
        assert!(file.len() > image.size() && is_whole(&file));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let root = fakes::kernel(RELEASE, RELEASE);
        let kernel = Kernel::at(root.path()).unwrap();
        let error = build(&kernel, &["/no/such/program".into()], root.path()).unwrap_err();
        assert!(error.to_string().contains("/no/such/program"), "{error}");
    }
}
