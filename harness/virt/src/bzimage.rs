//! What a kernel's file says of itself (the kernel's `Documentation/arch/x86/boot.rst`).

use std::{fs::File, io::Read, os::unix::fs::FileExt, path::Path};

/// Sectors of real-mode code, one byte; the rest counts from behind them.
const SETUP_SECTORS: usize = 0x1f1;

/// Size of the rest in 16-byte units.
const SYSTEM_SIZE: usize = 0x1f4;

/// `HdrS`.
const MAGIC: usize = 0x202;

/// Where the version's text is, less one sector.
const VERSION: usize = 0x20e;

/// As much of the file as these fields are in.
const HEADER: usize = 0x210;

const SECTOR: u64 = 512;

/// The release of the kernel in this file: the first word of the version's text.
///
/// # Errors
/// In a few words, why it is none, or not a whole one.
pub(super) fn release(file: &Path) -> Result<String, String> {
    let said = |error: std::io::Error| error.to_string();
    let mut file = File::open(file).map_err(said)?;
    let length = file.metadata().map_err(said)?.len();
    let mut header = [0; HEADER];
    file.read_exact(&mut header).map_err(|_| "it is shorter than a kernel's header".to_owned())?;
    if header[MAGIC..][..4] != *b"HdrS" {
        return Err("it does not begin as a bzImage does".to_owned());
    }
    let setup = match header[SETUP_SECTORS] {
        // An old way to say four.
        0 => 4,
        sectors => u64::from(sectors),
    };
    let size = u32::from_le_bytes(header[SYSTEM_SIZE..][..4].try_into().expect("four bytes"));
    let whole = (setup + 1) * SECTOR + u64::from(size) * 16;
    if length < whole {
        return Err(format!("it is cut off at {length} of {whole} bytes"));
    }
    let version = u16::from_le_bytes(header[VERSION..][..2].try_into().expect("two bytes"));
    let mut text = [0; 128];
    let read = file.read_at(&mut text, u64::from(version) + SECTOR).map_err(said)?;
    let text = text[..read].split(|byte| byte.is_ascii_whitespace() || *byte == 0).next();
    let text = text.and_then(|word| std::str::from_utf8(word).ok());
    text.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .map(str::to_owned)
        .ok_or_else(|| "it does not say its version".to_owned())
}
