//! What belongs to programs that have more than libraries: by rule, by what they say of
//! themselves, and by what a recorded run of them opens.

use std::path::{Path, PathBuf};

use lastack_sys::error::Result;

use super::{contents::Contents, record};

/// What belongs to a program.
struct Rule {
    /// Its file's name; versions may follow, as in `python3.11`.
    name: &'static str,
    /// Folders with all that is in them.
    trees: &'static [&'static str],
    /// Folders that it writes to: with the folders in them, without the files.
    folders: &'static [&'static str],
    /// A run that does no harm, ends by itself and opens what the program always opens.
    run: &'static [&'static str],
    /// A run of which it prints, a line each, the folders that belong to it.
    asks: Option<Asks>,
}

/// A question to the program.
struct Asks {
    run: &'static [&'static str],
    /// What stands before each answer.
    mark: &'static str,
    /// Names of folders in the answers that no run needs.
    without: &'static [&'static str],
}

/// Where Python is, and its standard library: not what was installed beside it, which may be
/// gigabytes. What is in `lib-dynload` is in the same folder.
const PYTHON: &str = "import sys, sysconfig
print('file', sys.executable)
print('tree', sysconfig.get_path('stdlib'))
print('tree', sysconfig.get_path('platstdlib'))
print('tree', sys.prefix + '/pyvenv.cfg')";

const RULES: [Rule; 8] = [
    Rule {
        name: "python",
        trees: &[],
        folders: &[],
        run: &["-I", "-c", "import encodings.idna, socket, ssl, http.server, asyncio"],
        asks: Some(Asks {
            run: &["-I", "-c", PYTHON],
            mark: "",
            without: &[
                "site-packages",
                "dist-packages",
                "test",
                "tests",
                "idle_test",
                "idlelib",
                "turtledemo",
                "ensurepip",
            ],
        }),
    },
    Rule {
        name: "node",
        // Debian's has parts of itself there.
        trees: &[
            "/usr/share/nodejs/undici",
            "/usr/share/nodejs/cjs-module-lexer",
            "/usr/share/nodejs/acorn",
        ],
        folders: &[],
        run: &["-e", "require('http'); require('tls')"],
        asks: None,
    },
    Rule {
        name: "java",
        trees: &[],
        folders: &[],
        run: &["-version"],
        asks: Some(Asks {
            run: &["-XshowSettings:properties", "-version"],
            mark: "java.home = ",
            without: &["jmods", "man", "demo", "include"],
        }),
    },
    Rule {
        name: "nginx",
        trees: &["/etc/nginx", "/usr/share/nginx", "/usr/lib/nginx"],
        folders: &["/var/lib/nginx", "/var/log/nginx"],
        run: &["-v"],
        asks: None,
    },
    Rule {
        name: "redis-server",
        trees: &["/etc/redis"],
        folders: &["/var/lib/redis", "/var/log/redis"],
        run: &["--version"],
        asks: None,
    },
    Rule { name: "redis-cli", trees: &[], folders: &[], run: &["--version"], asks: None },
    Rule {
        name: "haproxy",
        trees: &["/etc/haproxy"],
        folders: &["/var/lib/haproxy"],
        run: &["-v"],
        asks: None,
    },
    Rule {
        name: "curl",
        trees: &["/etc/ssl/certs"],
        folders: &[],
        run: &["-q", "-s", "file:///dev/null"],
        asks: None,
    },
];

fn rule(program: &Path) -> Option<&'static Rule> {
    let name = program.file_name()?.to_str()?;
    let plain = name.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.');
    RULES.iter().find(|rule| rule.name == name || rule.name == plain)
}

/// Adds what belongs to the program at `path`, beyond what it names itself: the program that it
/// is in truth, where that at `path` only looks for it.
///
/// # Errors
/// It cannot be run to be asked.
pub(super) fn apply(contents: &mut Contents, path: &Path) -> Result<Option<PathBuf>> {
    let Some(rule) = rule(path) else { return Ok(None) };
    let mut real = None;
    if let Some(asks) = &rule.asks {
        for line in record::answer(path, asks.run)?.lines() {
            match line.trim().strip_prefix(asks.mark) {
                Some(said) if asks.mark.is_empty() => match said.split_once(' ') {
                    Some(("file", file)) => real = Some(PathBuf::from(file)),
                    Some(("tree", folder)) => {
                        optional(contents.tree(folder.as_ref(), asks.without))
                    }
                    _ => {}
                },
                Some(folder) => optional(contents.tree(folder.as_ref(), asks.without)),
                None => {}
            }
        }
    }
    rule.trees.iter().for_each(|tree| optional(contents.tree(tree.as_ref(), &[])));
    rule.folders.iter().for_each(|folder| optional(contents.folders(folder.as_ref())));
    for opened in record::opened(real.as_deref().unwrap_or(path), rule.run)? {
        optional(contents.add(&opened).map(drop));
    }
    Ok(real.filter(|real| real != path))
}

/// What this machine does not have, the program does without here, too.
fn optional(_: std::io::Result<()>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_found_by_name_with_or_without_a_version() {
        let name = |path: &str| rule(Path::new(path)).map(|rule| rule.name);
        assert_eq!(name("/usr/bin/python3.11"), Some("python"));
        assert_eq!(name("/opt/x/python3"), Some("python"));
        assert_eq!(name("/usr/sbin/nginx"), Some("nginx"));
        assert_eq!(name("/usr/bin/pythonic"), None);
        assert_eq!(name("/"), None);
    }
}
