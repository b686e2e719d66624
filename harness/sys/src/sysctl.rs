//! Per-namespace sysctls, by name, in the calling thread's network namespace.
//!
//! `/proc/sys/net` shows the namespace of the task that opens it (`net/sysctl_net.c`,
//! `net_ctl_header_lookup`), so a thread inside a host reads and writes that host's values.

use std::{
    fs::{OpenOptions, read_to_string},
    io::{ErrorKind, Write},
};

use nix::errno::Errno;

use crate::error::{Context, Error, Result};

/// Writes one sysctl. Only `net.` names are accepted: the others belong to the machine.
///
/// # Errors
/// The name is not under `net.`, does not exist, is not per-namespace, or refuses the value.
pub fn write(name: &str, value: &str) -> Result {
    let context = || format!("set sysctl {name} to {value}");
    let path = path(name)?;
    let answer = OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(value.as_bytes()));
    match answer {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(unknown(context()).advise("check the name, or declare it as a need of the case"))
        }
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            let refused = Err(error).context(context);
            refused.map_err(|error| error.advise("it may be one that all namespaces share"))
        }
        other => other.context(context),
    }
}

/// Reads one sysctl, without the trailing newline.
///
/// # Errors
/// The name is not under `net.`, or does not exist.
pub fn read(name: &str) -> Result<String> {
    let context = || format!("read sysctl {name}");
    match read_to_string(path(name)?) {
        Ok(value) => Ok(value.trim_end().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(unknown(context())),
        Err(error) => Err(error).context(context),
    }
}

fn unknown(context: String) -> Error {
    Error::system(context, "this kernel has no such sysctl").with_errno(Errno::ENOENT)
}

/// As [`write()`], for a sysctl that only some kernels have: its absence is no error.
///
/// # Errors
/// As [`write()`], but for the sysctl not being there.
pub fn write_if_known(name: &str, value: &str) -> Result {
    let context = || format!("set sysctl {name} to {value}");
    match OpenOptions::new().write(true).open(path(name)?) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(mut file) => file.write_all(value.as_bytes()).context(context),
        Err(error) => Err(error).context(context),
    }
}

fn path(name: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.starts_with("net.") || !name.chars().all(plain) || name.contains("..") {
        return Err(Error::usage(format!(
            "unknown sysctl {name}: a host has only those whose names start with \"net.\""
        )));
    }
    Ok(format!("/proc/sys/{}", name.replace('.', "/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_net_are_refused() {
        for name in ["kernel.panic", "net.../../kernel.panic", "net.ipv4/../x", ""] {
            assert_eq!(path(name).unwrap_err().kind(), crate::ErrorKind::Usage, "{name}");
        }
    }

    #[test]
    fn a_missing_sysctl_says_so() {
        let error = write("net.ipv4.no_such_knob", "1").unwrap_err().to_string();
        assert!(error.contains("net.ipv4.no_such_knob"), "{error}");
        assert!(error.contains("no such sysctl"), "{error}");
    }
}
