//! Kernels that nothing could boot, to be found, read and refused.

use std::{fs, path::Path};

use object::{Architecture, BinaryFormat, Endianness, SectionKind, write::Object};
use tempfile::TempDir;

pub(super) const RELEASE: &str = "6.1.0-1-fake";

/// A kernel of one release in a folder of its own, with modules in the folder of another.
pub(super) fn kernel(release: &str, modules: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    unpack(root.path(), release, modules);
    root
}

pub(super) fn unpack(root: &Path, release: &str, modules: &str) {
    let (boot, folder) = (root.join("boot"), root.join("lib/modules").join(modules));
    fs::create_dir_all(&boot).unwrap();
    fs::create_dir_all(folder.join("kernel")).unwrap();
    fs::write(boot.join(format!("vmlinuz-{release}")), vmlinuz(release)).unwrap();
    fs::write(folder.join("modules.builtin"), "kernel/drivers/virtio/virtio_pci.ko\n").unwrap();
    let all = [("virtio-console", ""), ("veth", ""), ("inet_diag", ""), ("tcp_diag", "inet_diag")];
    for (name, needs) in all.into_iter().chain([("sch_netem", "")]) {
        let file = folder.join("kernel").join(format!("{name}.ko"));
        fs::write(file, module(release, needs)).unwrap();
    }
}

/// The header of a bzImage, one sector of set-up, and 32 bytes of kernel.
fn vmlinuz(release: &str) -> Vec<u8> {
    let mut file = vec![0; 2 * 512 + 32];
    file[0x1f1] = 1;
    file[0x1f4] = 2;
    file[0x202..0x206].copy_from_slice(b"HdrS");
    file[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
    let text = format!("{release} (somebody) #1\0");
    file[0x300..0x300 + text.len()].copy_from_slice(text.as_bytes());
    file
}

/// A module that says for which kernel it is and what it needs, and is signed.
pub(super) fn module(release: &str, needs: &str) -> Vec<u8> {
    let mut file = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let section = file.add_section(Vec::new(), b".modinfo".to_vec(), SectionKind::ReadOnlyData);
    let said = format!("license=GPL\0depends={needs}\0vermagic={release} SMP preempt\0");
    file.append_section_data(section, said.as_bytes(), 1);
    let mut bytes = file.write().unwrap();
    bytes.extend([b"signature!", &[0; 8][..], &10u32.to_be_bytes()].concat());
    bytes.extend(b"~Module signature appended~\n");
    bytes
}
