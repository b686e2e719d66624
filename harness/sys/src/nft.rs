//! Packet rules by the program `nft`, in the calling process's network namespace.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::program;
use crate::error::{Context, Error, Result};

/// Loads `rules` in one transaction, all or nothing (`nft(8)`, `-f`).
///
/// # Errors
/// The program is missing, or it or the kernel refuses the rules.
pub fn load(rules: &str) -> Result {
    run(&["-f", "-"], rules, "load packet rules with nft").map(drop)
}

/// The counters of a netdev table, in JSON (libnftables-json(5)).
///
/// # Errors
/// As [`load`].
pub fn counters(table: &str) -> Result<String> {
    let arguments = ["-j", "list", "counters", "table", "netdev", table];
    run(&arguments, "", "ask nft for its counters")
}

fn run(arguments: &[&str], input: &str, purpose: &str) -> Result<String> {
    let context = || "run nft".to_owned();
    let Some(nft) = program::find("nft") else {
        return Err(Error::system("run nft", "there is no such program")
            .advise("install nftables (scripts/setup)"));
    };
    let mut child = Command::new(nft)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(context)?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let written = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().context(context)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let answer = said.lines().next().unwrap_or("refused without a word").to_owned();
        return Err(Error::system(purpose, answer));
    }
    written.context(context)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
