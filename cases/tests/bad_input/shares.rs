//! Runs of a part: shards, and what failed last. What a person may get wrong, and that nothing is
//! lost between them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use lastack::runner::places::Places;
use tempfile::TempDir;

use crate::arguments::refuses;
use crate::common::{self, Checked, Seen, life, run};

pub fn wrong_shards() -> Checked {
    for (shard, why) in [
        ("0/3", "they are counted from 1"),
        ("4/3", "there are only 3"),
        ("1/0", "there are none to choose from"),
        ("x", "it is not two whole numbers"),
        ("", "it is not two whole numbers"),
    ] {
        let why = format!("{shard:?} is no shard: {why}");
        refuses(&["run", "GC-02", &format!("--shard={shard}")], &why)?;
        for (name, arguments) in [("target", &["--list"][..]), ("sound", &["run"])] {
            // An empty variable is none.
            if !shard.is_empty() {
                let seen = run(life(name, arguments).env("LASTACK_SHARD", shard))?;
                seen.ends(2)?.complains(&format!("LASTACK_SHARD: {why}"))?;
                seen.holds(seen.out.is_empty(), "nothing on stdout")?;
            }
        }
    }
    Ok(())
}

/// A machine that dealt without the times that others have would lose cases.
pub fn wrong_times() -> Checked {
    let home = tempfile::tempdir()?;
    let file = home.path().join("times.json");
    let named = file.to_str().ok_or("not UTF-8")?;
    refuses(&["run", "--times", named], "--times says how to deal out shards; none is asked for")?;
    let arguments = ["run", "GC-02", "--shard", "1/2", "--times", named];
    refuses(&arguments, &format!("failed to read the times in {named}: there is no such file"))?;
    let seen = run(life("target", &["--list"])
        .env("LASTACK_SHARD", "1/2")
        .env("LASTACK_TIMES", format!(":{named}")))?;
    seen.ends(2)?.complains("there is no such file")?;
    for damaged in ["", "{\"version\":1", "{\"version\":9,\"cases\":{}}"] {
        fs::write(&file, damaged)?;
        refuses(&arguments, &format!("{named} is no record of runs, or a damaged one"))?;
    }
    refuses(&["run", "--shard", "1/2", "--times", "/"], "failed to read the record of runs /")
}

/// The names that the test target lists, of a shard or of all.
fn listed(shard: Option<&str>, times: Option<&str>, filter: &str) -> Checked<BTreeSet<String>> {
    let mut target = life("target", &["--list", "--format", "terse", filter]);
    for (name, value) in [("LASTACK_SHARD", shard), ("LASTACK_TIMES", times)] {
        value.map(|value| target.env(name, value));
    }
    let seen = run(&mut target)?;
    seen.ends(0)?.holds(seen.err.is_empty(), "nothing on stderr")?;
    Ok(seen.out.lines().map(str::to_owned).collect())
}

pub fn every_case_in_one_shard() -> Checked {
    let home = tempfile::tempdir()?;
    let times = home.path().join("times.json");
    let last = |name: &str| {
        let name = name.trim_end_matches(": test");
        format!("{name:?}:{{\"verdict\":\"passed\",\"ms\":{},\"kernel\":\"host\"}}", name.len())
    };
    let all = listed(None, None, "linger")?;
    let known: Vec<_> = all.iter().map(|name| last(name)).collect();
    fs::write(&times, format!("{{\"version\":1,\"cases\":{{{}}}}}", known.join(",")))?;
    for times in [None, times.to_str()] {
        for filter in ["", "linger"] {
            let all = listed(None, None, filter)?;
            let mut together = Vec::new();
            for shard in ["1/3", "2/3", "3/3"] {
                let mine = listed(Some(shard), times, filter)?;
                if mine.len() * 6 < all.len() || mine.len() * 2 > all.len() {
                    return Err(format!("{shard} has {} of {}", mine.len(), all.len()).into());
                }
                together.extend(mine);
            }
            let (count, together) = (together.len(), BTreeSet::from_iter(together));
            if count != all.len() || together != all {
                return Err(format!("{count} of {} in shards of {filter:?}", all.len()).into());
            }
        }
    }
    Ok(())
}

/// This program in a target directory of its own, and so with a record of its own.
struct Build(TempDir);

impl Build {
    fn new() -> Checked<Self> {
        let home = tempfile::tempdir_in(Places::find().target())?;
        fs::write(home.path().join("CACHEDIR.TAG"), "")?;
        fs::hard_link(std::env::current_exe()?, home.path().join("program"))?;
        Ok(Self(home))
    }

    fn life(&self, life: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.0.path().join("program"));
        common::plain(command.env("LASTACK_LIFE", life).args(arguments));
        command
    }

    fn run(&self, arguments: &[&str]) -> Checked<Seen> {
        run(&mut self.life("sound", arguments))
    }

    fn record(&self) -> std::path::PathBuf {
        self.0.path().join("lastack/last-run.json")
    }
}

pub fn failed_again() -> Checked {
    let build = Build::new()?;
    let again = &["run", "--failed", "--kernel", "host"][..];
    let why = "failed to find what failed last: there is no record of runs";
    build.run(again)?.ends(2)?.complains(why)?;

    build.run(&["run", "--kernel", "host"])?.ends(1)?.says("2 passed, 1 failed, 0 ignored")?;
    build.run(again)?.ends(1)?.says("0 passed, 1 failed, 0 ignored")?.says("sound::fails")?;
    // A run of others leaves what is known of this one.
    build.run(&["run", "passes"])?.ends(0)?;
    build.run(again)?.ends(1)?.says("0 passed, 1 failed, 0 ignored")?;
    let none = build.run(&["run", "--failed", "passes"])?;
    none.ends(0)?.complains("none of these cases failed when it last ran")?;

    fs::write(build.record(), "{")?;
    build.run(again)?.ends(2)?.complains("is no record of runs, or a damaged one")?;
    // The test target records, too, and replaces what is damaged.
    run(&mut build.life("sound_target", &[]))?.ends(101)?;
    build.run(again)?.ends(1)?.says("0 passed, 1 failed, 0 ignored")?;

    fs::remove_file(build.record())?;
    fs::create_dir(build.record())?;
    build.run(again)?.ends(2)?.complains("failed to read the record of runs")?;
    let seen = build.run(&["run", "passes", "--kernel", "host"])?;
    seen.ends(0)?.complains("--failed will not know of this run: failed to record this run in")?;
    Ok(())
}

/// Between them, shards run every case once, whether a flag or the variable says which.
pub fn shards_of_a_run() -> Checked {
    let build = Build::new()?;
    let mut names = Vec::new();
    for shard in ["1/2", "2/2"] {
        let flag = build.run(&["run", "--kernel", "host", "--shard", shard])?;
        flag.complains(&format!("lastack: shard {shard} of division "))?;
        let variable =
            run(build.life("sound", &["run", "--kernel", "host"]).env("LASTACK_SHARD", shard))?;
        let target = run(build.life("sound_target", &[]).env("LASTACK_SHARD", shard))?;
        target.complains(&format!("lastack: shard {shard} of division "))?;
        let ran = |seen: &Seen| {
            let all = ["sound::passes", "sound::fails", "large::crowd"];
            all.into_iter().filter(|name| seen.out.contains(name)).collect::<Vec<_>>()
        };
        flag.holds(ran(&flag) == ran(&variable), "what the variable chose, too")?;
        flag.holds(ran(&flag) == ran(&target), "what the target chose, too")?;
        names.extend(ran(&flag));
    }
    names.sort_unstable();
    match names[..] {
        ["large::crowd", "sound::fails", "sound::passes"] => Ok(()),
        _ => Err(format!("the shards ran {names:?}").into()),
    }
}
