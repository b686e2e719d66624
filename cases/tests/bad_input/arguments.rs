//! What a person may get wrong on the command line, or in a case file.

use std::fs;
use std::process::Command;

use crate::common::{self, Checked, Seen, life, run};

/// The program itself.
pub fn program(arguments: &[&str]) -> Checked<Seen> {
    run(common::plain(&mut Command::new(env!("CARGO_BIN_EXE_lastack"))).args(arguments))
}

/// It refused as wrong use, said why, and ran nothing.
pub fn refuses(arguments: &[&str], why: &str) -> Checked {
    let seen = program(arguments)?;
    seen.ends(2)?.complains(why)?;
    seen.holds(seen.out.is_empty(), "nothing on stdout")?;
    Ok(())
}

pub fn unknown_case_or_family() -> Checked {
    refuses(&["run", "no_such_thing_at_all"], "no_such_thing_at_all")?;
    refuses(&["run", "gracefull_close"], "graceful_close")?;
    refuses(&["run", "graceful_close", "GC-99"], "GC-99")?;
    refuses(&["run", "--exact", "graceful"], "graceful")?;
    refuses(&["show", "no_such_thing_at_all"], "no_such_thing_at_all")
}

pub fn two_where_one_is_allowed() -> Checked {
    refuses(&["show", "GC-01", "GC-02"], "two filters where one is allowed")?;
    // One filter that means many cases is no better.
    refuses(&["show", "graceful_close"], "cases:\n  graceful_close::")?;
    let target = run(&mut life("target", &["graceful_close", "linger"]))?;
    target.ends(2)?;
    Ok(())
}

pub fn unknown_words() -> Checked {
    refuses(&["run", "--frobnicate"], "unexpected argument '--frobnicate'")?;
    refuses(&["frobnicate"], "unrecognized subcommand 'frobnicate'")?;
    refuses(&["run", "--jobs", "many"], "invalid value 'many'")?;
    refuses(&["run", "--jobs", "-1"], "'-1'")?;
    refuses(&["list", "graceful_close"], "unexpected argument")?;
    refuses(&["list", "--missing", "--kernel", "host"], "cannot be used with")?;
    refuses(&["list", "--missing", "GC-02"], "unexpected argument")?;
    refuses(&["run", "GC-02", "--kernel", "6.12"], "\"6.12\" is no kernel")?;
    refuses(&["show", "GC-02::ipv4", "--kernel", "virtual="], "virtual=WHICH")?;
    refuses(&["matrix", "--kernel", "hots"], "it should be host, virtual, or")?;
    refuses(&["matrix", "no_such_thing_at_all"], "no_such_thing_at_all")?;
    refuses(&["matrix", "--json", "--markdown"], "cannot be used with")?;
    refuses(&["doctor", "--xml"], "unexpected argument")?;
    refuses(&["new", "graceful_close"], "NAME")?;
    refuses(&["new", "linger", "x", "--covers", "LI-99"], "LI-99 is no row of the catalogue")?;
    // A role played by hand, without the runner's descriptors.
    for role in ["lastack:case", "lastack:agent", "lastack:reap", "lastack:no_such_role"] {
        let seen = program(&[role])?;
        seen.ends(2)?.holds(!seen.err.is_empty(), "a word on stderr")?;
    }
    Ok(())
}

pub fn junit_that_cannot_be_written() -> Checked {
    let home = tempfile::tempdir()?;
    let directory = home.path().to_str().ok_or("not UTF-8")?;
    let file = format!("{directory}/file");
    fs::write(&file, "precious")?;
    refuses(&["run", "GC-02", "--junit", ""], "a value is required for '--junit <FILE>'")?;
    for path in [directory, "/dev/null/junit.xml", &format!("{file}/junit.xml")] {
        refuses(&["run", "GC-02", "--junit", path], &format!("failed to open {path}"))?;
    }
    // Wrong use beside it does not cost the old report.
    refuses(&["run", "no_such_thing", "--junit", &file], "no_such_thing")?;
    let kept = fs::read_to_string(&file)?;
    if kept == "precious" { Ok(()) } else { Err("an old report was lost".into()) }
}

pub fn wrong_registry() -> Checked {
    for life_and_arguments in
        [("broken", ["run"]), ("broken", ["list"]), ("broken_target", ["--list"])]
    {
        let (name, arguments) = life_and_arguments;
        let seen = run(&mut life(name, &arguments))?;
        seen.ends(2)?.complains("failed to gather the cases")?;
        for problem in [
            "broken/first.rs and broken/second.rs: two cases are named broken::once",
            "broken/empty.rs: registers no case",
            "broken/forgot.rs: case forgot was given no body",
        ] {
            seen.complains(problem)?;
        }
        seen.holds(seen.out.is_empty(), "nothing on stdout")?;
    }
    Ok(())
}
