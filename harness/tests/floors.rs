//! The rooms of the harness stand on floors, and a room may name only itself and what stands
//! below it. Between crates the compiler sees to that; inside this one, this test does.
//!
//! It reads tokens and not syntax trees, so that what stands inside a macro counts too. Comments
//! are no tokens: the links in them may point anywhere.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};

/// From the ground up. Rooms on one line do not know each other.
const FLOORS: &[&[&str]] = &[
    &["sys"],
    &["virt"],
    &["wire"],
    &["verdict"],
    &["stage"],
    &["process", "program"],
    &["guest"],
    &["lab"],
    &["fault"],
    &["scene"],
    &["runner"],
    &["report"],
    &["cli"],
    &["prelude"],
];

/// Imports that still climb, each with what will end it. An entry that nothing needs any more
/// fails the test, so this list can only get shorter.
const CLIMBS: &[(&str, &str, &str)] = &[];

/// One room named in a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Import {
    line: usize,
    room: String,
}

#[test]
fn imports_go_down_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let root = fs::read_to_string(source.join("lib.rs")).expect("the crate has a root");
    let aliases = aliases(&root);
    let mut needed = Vec::new();
    let mut wrong = Vec::new();
    for file in files(&source) {
        let name = file.strip_prefix(&source).expect("it was found there").display().to_string();
        let path = modules(&name);
        let Some(room) = path.first() else { continue };
        if floor(room).is_none() {
            wrong.push(format!("{name}: the room {room} stands on no floor of this test"));
        }
        let text = fs::read_to_string(&file).expect("a source file is text");
        for import in imports(&text, &path, &aliases) {
            if may_import(room, &import.room) {
                continue;
            }
            match CLIMBS.iter().find(|(file, to, _)| (*file, *to) == (&name, &import.room)) {
                Some(climb) => needed.push(climb),
                None => wrong.push(format!(
                    "harness/src/{name}:{}: {room} may not import {}",
                    import.line, import.room
                )),
            }
        }
    }
    let idle = CLIMBS.iter().filter(|climb| !needed.contains(climb));
    wrong.extend(idle.map(|(file, to, _)| {
        format!("{file} does not import {to} any more: take it off the list of this test")
    }));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn only_the_ground_floor_may_be_unsafe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace above");
    let read = |path: &str| fs::read_to_string(root.join(path)).expect(path);
    let workspace = read("Cargo.toml");
    assert!(workspace.contains("unsafe_code = \"forbid\""), "the workspace's lints forbid it");
    let members = workspace.lines().find_map(|line| line.strip_prefix("members = ["));
    let members = members.expect("members on one line").trim_end_matches(']');
    for member in members.split(", ").map(|member| member.trim_matches('"')) {
        if member == "harness/sys" {
            continue;
        }
        let manifest = read(&format!("{member}/Cargo.toml"));
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{member} has the workspace's lints"
        );
        for target in ["src/lib.rs", "src/main.rs"].map(|target| format!("{member}/{target}")) {
            assert!(
                !root.join(&target).exists()
                    || read(&target).contains("\n#![forbid(unsafe_code)]\n"),
                "{target} does not forbid unsafe code"
            );
        }
    }
}

#[test]
fn a_climb_is_seen_wherever_it_stands() {
    let aliases = aliases("pub use lab::{Lab, Host as Machine}; pub use lastack_sys::error;");
    let seen = |file: &str, text: &str| {
        let rooms = imports(text, &modules(file), &aliases).into_iter().map(|it| it.room);
        rooms.collect::<Vec<_>>()
    };
    assert_eq!(seen("wire/seq.rs", "use crate::lab::Host;"), ["lab"]);
    assert_eq!(seen("wire/seq.rs", "use crate::{error::Error, fault::{A, B}};"), ["sys", "fault"]);
    assert_eq!(seen("wire/seq.rs", "fn x() -> crate::Lab { m!(crate::Machine) }"), ["lab", "lab"]);
    assert_eq!(seen("wire/ladder/canvas.rs", "use super::super::super::lab::Host;"), ["lab"]);
    assert_eq!(seen("wire/mod.rs", "mod tests { use super::super::lab::Host; }"), ["lab"]);
    assert_eq!(seen("wire/seq.rs", "pub(super) use super::{Seq, flags}; use self::x;"), [""; 0]);
    assert_eq!(seen("wire/seq.rs", "/// See [`crate::lab`].\npub(super) struct Seq;"), [""; 0]);
    let import = Import { line: 2, room: "lab".to_owned() };
    assert_eq!(imports("\nuse crate::lab;", &modules("wire/seq.rs"), &aliases), [import]);
    assert!(!may_import("wire", "lab") && may_import("lab", "wire") && may_import("lab", "lab"));
    assert!(!may_import("program", "process"));
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn may_import(room: &str, other: &str) -> bool {
    room == other || floor(other).is_some_and(|below| floor(room).is_some_and(|it| below < it))
}

/// Every source file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources").flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}

/// The module that a file is, from the crate's root, for which this is empty.
fn modules(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    // What `#[path]` takes from beside the module that it tests.
    let path = path.replace("_tests", "/tests");
    path.split('/').filter(|name| *name != "lib").map(str::to_owned).collect()
}

/// What the crate's root calls by a name of its own, and the room or crate it is from.
fn aliases(root: &str) -> BTreeMap<String, String> {
    let tokens: Vec<_> = tokens(root);
    let mut aliases = BTreeMap::new();
    for (n, token) in tokens.iter().enumerate() {
        if !is_word(token, "use") {
            continue;
        }
        let first = tokens[n + 1].to_string();
        let path = tokens[n + 1..].iter().take_while(|token| !is_mark(token, ';'));
        for name in leaves(path.cloned().collect()) {
            aliases.insert(name, first.trim_start_matches("lastack_").to_owned());
        }
    }
    aliases
}

/// The names that a path in a `use` brings in: the last word of each of its branches.
fn leaves(path: Vec<TokenTree>) -> Vec<String> {
    let branches = path.split(|token| is_mark(token, ','));
    branches
        .filter_map(|branch| branch.last())
        .flat_map(|last| match last {
            TokenTree::Group(group) => leaves(group.stream().into_iter().collect()),
            other => vec![other.to_string()],
        })
        .collect()
}

/// The rooms that a file names, the file being this module.
fn imports(text: &str, path: &[String], aliases: &BTreeMap<String, String>) -> Vec<Import> {
    let mut found = Vec::new();
    scan(&tokens(text), path, &mut found);
    for import in &mut found {
        while floor(&import.room).is_none()
            && let Some(room) = aliases.get(&import.room)
        {
            import.room.clone_from(room);
        }
    }
    found
}

fn scan(tokens: &[TokenTree], path: &[String], found: &mut Vec<Import>) {
    for (n, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            let mut path = path.to_vec();
            // The braces of `mod name { … }` are a module of their own.
            if n >= 2 && is_word(&tokens[n - 2], "mod") {
                path.push(tokens[n - 1].to_string());
            }
            scan(&group.stream().into_iter().collect::<Vec<_>>(), &path, found);
        }
        // A path is followed from its beginning.
        if n == 0 || !is_mark(&tokens[n - 1], ':') {
            found.extend(from_the_root(&tokens[n..], path.len()));
        }
    }
}

/// What a path names first that begins at the crate's root, or climbs to it from this depth.
fn from_the_root(tokens: &[TokenTree], depth: usize) -> Vec<Import> {
    let supers = tokens.iter().step_by(3).take_while(|token| is_word(token, "super")).count();
    let words = if is_word(&tokens[0], "crate") { 1 } else { supers };
    if words == 0 || supers > 0 && supers < depth {
        return Vec::new();
    }
    // Words have two colons between them.
    let Some([one, two, named, ..]) = tokens.get(3 * words - 2..) else { return Vec::new() };
    if !is_mark(one, ':') || !is_mark(two, ':') {
        return Vec::new();
    }
    let names = match named {
        TokenTree::Group(group) => {
            let inner: Vec<_> = group.stream().into_iter().collect();
            let branches = inner.split(|token| is_mark(token, ','));
            branches.filter_map(|branch| branch.first().cloned()).collect()
        }
        other => vec![other.clone()],
    };
    let import =
        |name: TokenTree| Import { line: name.span().start().line, room: name.to_string() };
    names.into_iter().map(import).collect()
}

fn tokens(text: &str) -> Vec<TokenTree> {
    text.parse::<TokenStream>().expect("it compiles").into_iter().collect()
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}
