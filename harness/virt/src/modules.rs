//! A kernel's modules: which a virtual kernel gets, in which order they are loaded, and their
//! bytes.
//!
//! What depends on what is read from the modules themselves: a package that was only unpacked has
//! no `modules.dep`, which depmod(8) writes when it is installed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use object::{Object, ObjectSection};

use lastack_sys::error::{Context, Error, Result};

/// Without these a virtual kernel cannot talk, or has no cable to give a case, or cannot say what
/// its sockets do.
pub(super) const ESSENTIAL: [&str; 5] =
    ["virtio_pci", "virtio_console", "veth", "inet_diag", "tcp_diag"];

/// What cases use, where the kernel has it. One that lacks it runs fewer cases.
const USEFUL: &[&str] = &[
    // Devices, and what is asked of sockets.
    "dummy ifb tun packet_diag unix_diag",
    // Memory that a clone is told in what to do (`mailbox`).
    "virtio_pmem nd_pmem",
    // Impairments, and the patch between hosts.
    "sch_ingress sch_netem sch_tbf sch_fq sch_fq_codel sch_prio sch_plug cls_u32 cls_matchall",
    "cls_flower act_mirred act_gact act_police act_pedit act_csum",
    // Packet rules.
    "nf_tables nft_fwd_netdev nft_dup_netdev nft_reject nft_reject_inet nft_reject_ipv4",
    "nft_reject_ipv6 nft_reject_netdev nft_numgen nft_limit nft_quota nft_hash nft_objref nft_log",
    // Routers.
    "nf_conntrack nf_conntrack_netlink nf_nat nft_ct nft_chain_nat nft_nat nft_masq nft_redir",
    // Programs in memory of their own, and files over them.
    "virtio_pmem nd_pmem overlay",
];

/// Every module that a virtual kernel gets if its kernel has it, but for what these need.
pub(super) fn wanted() -> impl Iterator<Item = &'static str> {
    ESSENTIAL.into_iter().chain(USEFUL.iter().flat_map(|names| names.split(' ')))
}

/// What a module's file can end in, with how it is packed.
const ENDINGS: [(&str, Packing); 4] = [
    (".ko", Packing::None),
    (".ko.xz", Packing::Xz),
    (".ko.gz", Packing::Gzip),
    (".ko.zst", Packing::Zstandard),
];

#[derive(Debug, Clone, Copy)]
enum Packing {
    None,
    Xz,
    Gzip,
    Zstandard,
}

/// Whether a kernel's modules are in this folder.
pub(super) fn are_in(folder: &Path) -> bool {
    folder.join("kernel").is_dir()
}

/// What a kernel has, by the names of modules.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Index {
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
}

impl Index {
    /// Of the modules in this folder.
    pub(super) fn read(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.join("kernel")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                } else if let Some((name, _)) = name(&entry.path()) {
                    files.insert(name, entry.path());
                }
            }
        }
        let list = fs::read_to_string(folder.join("modules.builtin")).unwrap_or_default();
        let built_in = list.lines().filter_map(|line| Some(name(line.as_ref())?.0)).collect();
        Self { files, built_in }
    }

    /// Whether it has this one, in a file or built in.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name) || self.built_in.contains(name)
    }
}

/// A module's name and packing, by its file: a hyphen there is an underscore to the kernel.
fn name(file: &Path) -> Option<(String, Packing)> {
    let file = file.file_name()?.to_str()?;
    ENDINGS
        .into_iter()
        .find_map(|(ending, packing)| Some((file.strip_suffix(ending)?.replace('-', "_"), packing)))
}

/// A module as a virtual kernel loads it.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// What a virtual kernel of this release gets, each module behind all that it needs.
///
/// # Errors
/// One cannot be read, or is of another kernel.
pub(super) fn collect(index: &Index, release: &str) -> Result<Vec<Module>> {
    let mut order = Vec::new();
    let mut met = BTreeSet::new();
    for name in wanted() {
        add(index, release, name, &mut met, &mut order)?;
    }
    Ok(order)
}

fn add(
    index: &Index,
    release: &str,
    name: &str,
    met: &mut BTreeSet<String>,
    order: &mut Vec<Module>,
) -> Result {
    let Some(file) = index.files.get(name) else { return Ok(()) };
    if !met.insert(name.to_owned()) {
        return Ok(());
    }
    let context = || format!("take module {name} for kernel {release}");
    let mut bytes = unpack(file).context(|| format!("read module {}", file.display()))?;
    let said = Said::by(&bytes).context(context)?;
    if said.kernel != release {
        let other = format!("{} was built for kernel {}", file.display(), said.kernel);
        return Err(Error::system(context(), other)
            .advise("unpack the kernel's package anew (scripts/setup)"));
    }
    for needed in said.needs {
        if !index.has(&needed) {
            return Err(Error::system(context(), format!("the kernel lacks {needed}, its need"))
                .advise("unpack the kernel's package whole (scripts/setup)"));
        }
        add(index, release, &needed, met, order)?;
    }
    strip_signature(&mut bytes);
    order.push(Module { name: name.to_owned(), bytes });
    Ok(())
}

fn unpack(file: &Path) -> std::io::Result<Vec<u8>> {
    let odd = |error: String| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    let mut packed = BufReader::new(fs::File::open(file)?);
    let mut bytes = Vec::new();
    match name(file).map_or(Packing::None, |(_, packing)| packing) {
        Packing::None => packed.read_to_end(&mut bytes).map(drop)?,
        Packing::Xz => lzma_rs::xz_decompress(&mut packed, &mut bytes)
            .map_err(|error| odd(error.to_string()))?,
        Packing::Gzip => flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).map(drop)?,
        Packing::Zstandard => ruzstd::decoding::StreamingDecoder::new(packed)
            .map_err(|error| odd(error.to_string()))?
            .read_to_end(&mut bytes)
            .map(drop)?,
    }
    Ok(bytes)
}

/// What a module says of itself, in its section `.modinfo`.
struct Said {
    /// The release it was built for.
    kernel: String,
    /// The modules it needs.
    needs: Vec<String>,
}

impl Said {
    fn by(module: &[u8]) -> Result<Self, String> {
        let file = object::File::parse(module).map_err(|error| error.to_string())?;
        let section = file.section_by_name(".modinfo").ok_or("it says nothing of itself")?;
        let text = section.data().map_err(|error| error.to_string())?;
        let value = |key: &str| {
            let words = text.split(|byte| *byte == 0).filter_map(|word| str::from_utf8(word).ok());
            words.filter_map(|word| word.strip_prefix(key)?.strip_prefix('=')).next()
        };
        let kernel = value("vermagic").and_then(|magic| magic.split(' ').next());
        let kernel = kernel.ok_or("it does not say for which kernel it is")?.to_owned();
        let needs = value("depends").unwrap_or_default().split(',').filter(|name| !name.is_empty());
        Ok(Self { kernel, needs: needs.map(|name| name.replace('-', "_")).collect() })
    }
}

/// What stands behind a signature, and how long the block before it is
/// (`include/linux/module_signature.h`).
const SIGNED: &[u8] = b"~Module signature appended~\n";
const SIGNATURE_BLOCK: usize = 12;

/// Takes the signature off: the virtual kernel's interpreted processor would take longer to verify
/// it than for all else in loading the module, and nobody in there is to be kept out.
fn strip_signature(module: &mut Vec<u8>) {
    let Some(signed) = module.strip_suffix(SIGNED) else { return };
    let Some((signed, length)) = signed.split_last_chunk::<4>() else { return };
    let length = u32::from_be_bytes(*length) as usize + SIGNATURE_BLOCK - 4;
    if let Some(left) = signed.len().checked_sub(length) {
        module.truncate(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{self, RELEASE};

    /// The folder of modules in a kernel's package.
    fn folder(root: &Path) -> PathBuf {
        root.join("lib/modules").join(RELEASE)
    }

    #[test]
    fn modules_come_behind_what_they_need_and_without_signatures() {
        let root = fakes::kernel(RELEASE, RELEASE);
        let modules = collect(&Index::read(&folder(root.path())), RELEASE).unwrap();
        let names: Vec<_> = modules.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["virtio_console", "veth", "inet_diag", "tcp_diag", "sch_netem"]);
        assert!(modules.iter().all(|module| !module.bytes.ends_with(SIGNED)));
        let object = |module: &Module| Said::by(&module.bytes).is_ok();
        assert!(modules.iter().all(object));
    }

    #[test]
    fn a_module_of_another_kernel_is_refused() {
        let root = fakes::kernel(RELEASE, RELEASE);
        let folder = folder(root.path());
        let index = Index::read(&folder);
        let netem = folder.join("kernel/sch_netem.ko");
        fs::write(&netem, fakes::module("6.12.5-other", "")).unwrap();
        let error = collect(&index, RELEASE).err().unwrap().to_string();
        assert!(error.contains("sch_netem.ko was built for kernel 6.12.5-other"), "{error}");
        fs::write(&netem, fakes::module(RELEASE, "absent")).unwrap();
        let error = collect(&index, RELEASE).err().unwrap().to_string();
        assert!(error.contains("the kernel lacks absent"), "{error}");
        fs::write(&netem, b"not a module").unwrap();
        assert!(collect(&index, RELEASE).is_err());
    }

    #[test]
    fn a_module_is_the_same_however_it_is_packed() {
        let folder = tempfile::tempdir().unwrap();
        let plain = fakes::module(RELEASE, "");
        let mut packed = Vec::new();
        lzma_rs::xz_compress(&mut &plain[..], &mut packed).unwrap();
        let file = folder.path().join("sch_netem.ko.xz");
        fs::write(&file, &packed).unwrap();
        assert_eq!(unpack(&file).unwrap(), plain);
        fs::write(&file, &packed[..packed.len() / 2]).unwrap();
        assert!(unpack(&file).is_err());
        let file = folder.path().join("sch_netem.ko.gz");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &plain).unwrap();
        fs::write(&file, gzip.finish().unwrap()).unwrap();
        assert_eq!(unpack(&file).unwrap(), plain);
        let file = folder.path().join("sch_netem.ko.zst");
        let level = ruzstd::encoding::CompressionLevel::Uncompressed;
        fs::write(&file, ruzstd::encoding::compress_to_vec(&plain[..], level)).unwrap();
        assert_eq!(unpack(&file).unwrap(), plain);
    }
}
