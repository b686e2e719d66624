//! What is in an image, and what cannot be. `tests/virt/images.rs` makes some.

use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

/// A folder that no virtual kernel hides, as it does all in `/tmp`.
fn folder() -> TempDir {
    let own = std::env::current_exe().unwrap();
    tempfile::tempdir_in(own.parent().unwrap()).unwrap()
}

/// A program of one line in a folder of its own.
fn script(folder: &Path, name: &str, line: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o750)).unwrap();
    file
}

#[test]
fn a_file_that_is_gone_or_another_when_it_is_copied_is_named() {
    let (folder, place) = (folder(), folder());
    let mut contents = Contents::default();
    let file = script(folder.path(), "one", "true");
    contents.add(&file).unwrap();
    let list = contents.list();
    assert_eq!(contents::changed(&list), None);
    let build = |name: &str| {
        let place = place.path().join(name);
        fs::create_dir(&place).unwrap();
        ext4::build(&contents, &[7; 16], &place).map_err(|trouble| match trouble {
            ext4::Trouble::Changed(path) => path,
            ext4::Trouble::Other(error) => panic!("{error}"),
        })
    };
    script(folder.path(), "one", "a longer line");
    assert_eq!(build("another"), Err(file.clone()));
    fs::remove_file(&file).unwrap();
    assert_eq!(build("gone"), Err(file.clone()));
    assert_eq!(contents::changed(&list), Some(file));
}

#[test]
fn a_tree_has_what_its_links_lead_to_and_not_all_of_a_machine() {
    let (folder, other) = (folder(), folder());
    let put = |path: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    };
    ["in/file", "in/deep/file", "in/test/file", "in/lib.a"].into_iter().for_each(put);
    fs::write(other.path().join("file"), "x").unwrap();
    symlink(other.path(), folder.path().join("in/out")).unwrap();
    symlink("/", folder.path().join("in/root")).unwrap();
    symlink("nowhere", folder.path().join("in/nowhere")).unwrap();
    symlink("circle", folder.path().join("in/circle")).unwrap();
    let mut contents = Contents::default();
    contents.tree(&folder.path().join("in"), &["test"]).unwrap();
    let has = |path: PathBuf| contents.iter().any(|(found, _)| found == path);
    for path in ["file", "deep/file", "out", "root", "nowhere", "circle"] {
        assert!(has(folder.path().join("in").join(path)), "{path}");
    }
    assert!(has(other.path().join("file")));
    assert!(!has(folder.path().join("in/test")) && !has(folder.path().join("in/lib.a")));
    assert!(!has("/etc".into()) && !has("/proc".into()));
}

#[test]
fn what_a_virtual_kernel_would_hide_is_refused() {
    let mut contents = Contents::default();
    for path in ["/proc/self/exe", "/tmp"] {
        let said = contents.add(Path::new(path)).unwrap_err().to_string();
        assert!(said.contains("the virtual kernel's own"), "{said}");
    }
    assert!(contents.add(Path::new("/no/such/file")).is_err());
}

#[test]
fn a_program_that_cannot_be_given_is_refused_with_its_reason() {
    let folder = folder();
    let file = folder.path().join("foreign");
    let mut elf = fs::read(std::env::current_exe().unwrap()).unwrap()[..64].to_vec();
    elf[18] = 183;
    fs::write(&file, elf).unwrap();
    let said = gather::check(&file).unwrap_err();
    assert!(said.contains("for another machine, an AArch64"), "{said}");
    let said = gather::check(Path::new("/no/such/program")).unwrap_err();
    assert!(said.contains("/no/such/program"), "{said}");
    assert_eq!(gather::check(&script(folder.path(), "fine", "true")), Ok(()));
}

#[test]
fn a_kernel_without_what_mounts_an_image_is_told() {
    let root = crate::fakes::kernel(crate::fakes::RELEASE, crate::fakes::RELEASE);
    let kernel = Kernel::at(root.path()).unwrap();
    let lack = check(Path::new("/bin/sh"), Some(&kernel)).unwrap_err();
    assert!(lack.reason.contains("has no module virtio_pmem"), "{lack}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let error = image(&BTreeSet::new(), Path::new("/proc/no-such-place")).unwrap_err();
    assert!(error.to_string().contains("/proc/no-such-place"), "{error}");
}

#[test]
fn what_was_not_used_for_long_or_is_too_much_is_removed() {
    let cache = folder();
    let (now, many) = (SystemTime::now(), MOST as u64 + 3);
    let put = |name: &str, age: Duration| {
        let file = File::create(cache.path().join(name)).unwrap();
        file.set_modified(now - age).unwrap();
    };
    for number in 0..many {
        put(&format!("programs-{number:02}.ext4"), Duration::from_secs(number));
    }
    put("programs-old.list", OLD + Duration::from_secs(1));
    put("programs-young.list", Duration::ZERO);
    put("another", OLD * 2);
    remove_old(cache.path());
    let names =
        named(cache.path(), "").into_iter().map(|path| path.file_name().unwrap().to_owned());
    let left: BTreeSet<_> = names.map(|name| name.into_string().unwrap()).collect();
    let images = (0..MOST).map(|number| format!("programs-{number:02}.ext4"));
    let others = ["another", "programs-young.list"].map(str::to_owned);
    assert_eq!(left, images.chain(others).collect());
}
