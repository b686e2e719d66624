//! What a person, cargo or a CI system sees of each control.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::{self, Checked, Named, Seen, children, command_line, run, running, until};
use crate::controls::{LEAKED, MARK};

pub fn tests() -> Vec<Trial> {
    let tests: [Named; 22] = [
        ("a_list_is_names_and_nothing_else", list),
        ("a_pass_passes_and_leaves_nothing", pass),
        ("a_missed_expectation_is_told_and_kept", miss),
        ("what_a_case_prints_is_in_its_account", prints),
        ("a_panic_is_told_with_its_words", panic),
        ("a_hung_case_is_ended_at_its_limit", hang),
        ("a_process_that_ends_early_is_told_by_its_status", exits),
        ("a_process_that_aborts_is_told_by_its_signal", aborts),
        ("a_leaked_process_dies_with_its_case", leak),
        ("a_case_lives_in_a_world_of_its_own", surroundings),
        ("a_quiet_case_runs_too", quiet),
        ("an_unmet_need_is_ignored_with_its_reason", need),
        ("what_a_case_lacks_when_it_runs_ignores_it_with_the_reason", unmet_by_use),
        ("a_machine_too_slow_to_judge_is_no_failure", slow),
        ("a_case_that_was_too_slow_once_is_judged_by_its_second_run", slow_once),
        ("a_case_that_hangs_names_what_it_waited_for", hang_in_a_call),
        ("past_its_limit_while_the_machine_stalled_a_case_is_not_hung", stalled),
        ("wrong_use_of_the_test_target_is_told", wrong_target),
        ("the_program_tells_wrong_use", wrong_program),
        ("the_program_runs_and_reports", program_runs),
        ("the_program_lists_and_examines", program_lists),
        ("a_killed_runner_takes_its_cases_along", killed),
    ];
    common::trials(tests)
}

/// This program over the control cases: as a test target, or as the program.
fn control(life: &str, arguments: &[&str]) -> Command {
    common::life(life, arguments)
}

/// The named control, as the test target runs it.
fn tested(name: &str) -> Result<Seen, Failed> {
    run(&mut control("test", &["--exact", &format!("control::{name}")]))
}

fn program(arguments: &[&str]) -> Result<Seen, Failed> {
    run(&mut control("program", arguments))
}

fn list() -> Checked {
    let seen = run(&mut control("test", &["--list", "--format", "terse"]))?;
    seen.ends(0)?.holds(seen.err.is_empty(), "nothing on stderr")?;
    let lines = seen.out.lines().filter(|line| line.ends_with(": test")).count();
    seen.holds(lines == 15 && seen.out.lines().count() == lines, "15 names")?;
    let ignored = run(&mut control("test", &["--list", "--format", "terse", "--ignored"]))?;
    ignored.holds(ignored.out == "control::needs_what_nobody_has: test\n", "the ignored one")?;
    Ok(())
}

fn pass() -> Checked {
    let seen = tested("passes")?;
    seen.ends(0)?.says("1 passed; 0 failed; 0 ignored; 0 measured; 14 filtered out")?;
    seen.holds(seen.err.is_empty(), "nothing on stderr")?;
    Ok(())
}

fn miss() -> Checked {
    let first = tested("misses")?;
    first.ends(101)?.says("control::misses  [ZZ-02]")?;
    first.says("b: read(5, 64)\n    expected: EOF\n        seen: ECONNRESET")?;
    let (one, two) = (first.kept()?, tested("misses")?.kept()?);
    first.holds(one != two, "a directory of its own for each attempt")?;
    let log = std::fs::read_to_string(one.join("log.txt"))?;
    first.holds(log.contains("seen: ECONNRESET"), "the same in the log")?;
    first.holds(one.join("wire.pcapng").is_file(), "a capture")?;
    for directory in [one, two] {
        std::fs::remove_dir_all(directory)?;
    }
    Ok(())
}

fn prints() -> Checked {
    let seen = tested("prints")?;
    seen.ends(101)?.says("--- output\nsaid on stdout\nsaid on stderr\n")?;
    seen.clear()
}

fn panic() -> Checked {
    let seen = tested("panics")?;
    seen.ends(101)?.says("panicked")?.says("on purpose")?;
    seen.clear()
}

fn hang() -> Checked {
    let seen = tested("hangs")?;
    seen.ends(101)?.says("hung: ran past its limit of 1.5 s")?.says("before the long wait")?;
    seen.clear()
}

fn exits() -> Checked {
    let seen = tested("exits")?;
    seen.ends(101)?.says("ended without a verdict: exited with status 3")?;
    seen.clear()
}

fn aborts() -> Checked {
    // Which signal depends on the C library: the init of a namespace ignores its own SIGABRT,
    // and abort(3) then finds another way.
    let seen = tested("aborts")?;
    seen.ends(101)?.says("ended without a verdict: killed by SIG")?;
    seen.clear()
}

fn leak() -> Checked {
    let seen = tested("leaks")?;
    seen.ends(101)?.says("what the case leaves behind")?.says("(sleep)")?;
    seen.clear()?;
    let left = running(LEAKED);
    if left.is_empty() { Ok(()) } else { Err(format!("left running: {left:?}").into()) }
}

fn surroundings() -> Checked {
    tested("is_pid_one_with_nothing_but_lo")?.ends(0)?;
    Ok(())
}

fn quiet() -> Checked {
    tested("runs_alone")?.ends(0)?.says("1 passed")?;
    Ok(())
}

const REASON: &str = "there is no program no-such-program; install no-such-program";

fn need() -> Checked {
    let name = "control::needs_what_nobody_has";
    let seen = tested("needs_what_nobody_has")?;
    seen.ends(0)?.says("1 ignored")?.complains(&format!("lastack: 1 case is ignored: {REASON}"))?;
    let asked_for = run(&mut control("test", &["--exact", name, "--ignored"]))?;
    asked_for.ends(101)?.says(&format!("cannot run here: {REASON}"))?;
    let denied = run(control("test", &["--exact", name]).env("LASTACK_DENY_SKIPS", "1"))?;
    denied.ends(101)?.says(REASON)?;
    program(&["run", name])?.ends(3)?.says(REASON)?;
    let denied = run(control("program", &["run", name]).env("LASTACK_DENY_SKIPS", "1"))?;
    denied.ends(1)?.says(REASON)?;
    Ok(())
}

fn slow() -> Checked {
    let name = "control::is_too_slow";
    let ignored = tested("is_too_slow")?;
    ignored.ends(0)?.says("1 ignored")?.says("stalled for 2 s")?;
    ignored.clear()?;
    let denied = run(control("test", &["--exact", name]).env("LASTACK_DENY_SKIPS", "1"))?;
    denied.ends(101)?.says("too slow to judge: stalled for 2 s")?;
    denied.clear()?;
    let warning = "warning: 1 case stays inconclusive, the machine was twice too slow: ";
    let told = format!("{warning}{name}\n");
    let seen = program(&["run", name])?;
    seen.ends(0)?.holds(seen.out.ends_with(&told), "a warning in the last line")?;
    // An ignored case shows no place.
    let denied = run(control("program", &["run", name]).env("LASTACK_DENY_SKIPS", "1"))?;
    denied.ends(1)?.holds(denied.out.ends_with(&told), "it in the last line")?;
    denied.clear()
}

fn unmet_by_use() -> Checked {
    let (name, reason) =
        ("control::lacks_what_it_uses", "there is no program linux.uml; install it");
    // The pretty lines show no reason, so that standard error does.
    let told = format!("lastack: 1 case is ignored: {reason}");
    tested("lacks_what_it_uses")?.ends(0)?.says("1 ignored")?.complains(&told)?;
    program(&["run", name])?.ends(3)?.says("0 failed, 1 ignored")?.says(reason)?;
    let strict = |life, arguments: &[&str], allowed| {
        let mut command = control(life, arguments);
        run(command.env("LASTACK_DENY_SKIPS", "1").env("LASTACK_ALLOW_SKIPS", allowed))
    };
    strict("test", &["--exact", name], "netem")?.ends(101)?.says(reason)?;
    strict("test", &["--exact", name], "guest")?.ends(0)?.says("1 ignored")?;
    strict("program", &["run", name], "")?.ends(1)?.says(reason)?;
    Ok(())
}

fn slow_once() -> Checked {
    let home = tempfile::tempdir()?;
    let name = "control::is_too_slow_once";
    for (life, arguments) in [("test", vec!["--exact", name]), ("program", vec!["run", name])] {
        let mark = home.path().join(life);
        let seen = run(control(life, &arguments).env(MARK, &mark).env("LASTACK_DENY_SKIPS", "1"))?;
        seen.ends(0)?.says("1 passed")?;
        let told = format!("{}{}", seen.out, seen.err);
        seen.holds(told.contains("stalled for 3 s"), "what was too slow the first time")?;
        seen.holds(!told.contains("inconclusive"), "a verdict")?;
    }
    Ok(())
}

fn hang_in_a_call() -> Checked {
    let seen = tested("hangs_in_a_call")?;
    seen.ends(101)?.says("hung: ran past its limit of 4.0 s")?;
    seen.says("none: the case was still waiting for\n              b/server: read(5, 5), for ")?;
    seen.clear()
}

fn stalled() -> Checked {
    let mut command = control("program", &["run", "control::hangs"]);
    let mut runner = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = Pid::from_raw(runner.id() as i32);
    let begun = || {
        let begun = |process: &PathBuf| command_line(process).contains("lastack:case");
        children(runner.id()).into_iter().find(begun)
    };
    if until(begun).is_none() {
        runner.kill()?;
        return Err("no case began".into());
    }
    // To who is stopped, a machine that does nothing for three seconds looks the same.
    kill(pid, Signal::SIGSTOP)?;
    std::thread::sleep(Duration::from_secs(3));
    kill(pid, Signal::SIGCONT)?;
    let seen: Seen = runner.wait_with_output()?.try_into()?;
    seen.says("again               control::hangs\n    ran past its limit of 1.5 s, of which")?;
    // Where nothing stalls it is what it is.
    seen.ends(1)?.says("hung: ran past its limit of 1.5 s")?;
    seen.clear()
}

fn wrong_target() -> Checked {
    run(&mut control("test", &["one", "two"]))?.ends(2)?;
    run(&mut control("test", &["--test-threads", "0"]))?.ends(2)?.complains("positive number")?;
    let seen = run(control("test", &[]).env("RUST_TEST_THREADS", "many"))?;
    seen.ends(2)?.complains("RUST_TEST_THREADS is \"many\"")?;
    run(&mut control("test", &["no_such_case"]))?.ends(0)?.says("15 filtered out")?;
    run(&mut control("test", &["lastack:case"]))?.ends(2)?;
    Ok(())
}

fn wrong_program() -> Checked {
    let nearest = "the nearest are control::passes";
    program(&["run", "pases"])?.ends(2)?.complains(nearest)?;
    program(&["run", "--jobs", "0"])?.ends(2)?;
    program(&["run", "--junit", "/no/such/dir/junit.xml"])?
        .ends(2)?
        .complains("failed to open /no/such/dir/junit.xml")?;
    program(&["show", "a", "b"])?.ends(2)?.complains("two filters where one is allowed")?;
    program(&["show", "ZZ-01"])?.ends(2)?.complains("control::leaks")?;
    program(&["show", "nonsense"])?.ends(2)?;
    program(&["new", "no_such_family", "x"])?.ends(2)?.complains("--new-family")?;
    program(&["dance"])?.ends(2)?;
    program(&[])?.ends(2)?;
    Ok(())
}

fn program_runs() -> Checked {
    let home = tempfile::tempdir()?;
    let junit = home.path().join("junit.xml");
    let path = junit.to_str().expect("UTF-8");
    let seen = program(&["run", "control::passes", "zz-02", "--junit", path])?;
    seen.ends(1)?.says("1 passed, 1 failed, 0 ignored")?.says("seen: ECONNRESET")?;
    seen.clear()?;
    let report = std::fs::read_to_string(&junit)?;
    seen.holds(report.contains(r#"tests="2" skipped="0" failures="1""#), "both in JUnit")?;
    program(&["run", "control::passes"])?.ends(0)?.says("control  ")?;
    let shown = program(&["show", "control::passes"])?;
    shown.ends(0)?.says("\npassed\n")?;
    shown.clear()
}

fn program_lists() -> Checked {
    let seen = program(&["list", "--json"])?;
    let listed: serde_json::Value = serde_json::from_str(&seen.out)?;
    let named = |name: &str| {
        let cases = listed.as_array().expect("a list").iter();
        cases.clone().find(|case| case["name"] == name).cloned().expect("it is listed")
    };
    let expected = serde_json::json!({
        "id": ["ZZ-02"],
        "name": "control::misses",
        "family": "control",
        "title": "misses",
        "claims": ["B1"],
        "needs": [],
        "kernel": "host",
        "ignored": null,
        "source": "here",
        "file": "control/plain.rs",
    });
    seen.ends(0)?.holds(named("control::misses") == expected, &expected.to_string())?;
    let refused = named("control::needs_what_nobody_has");
    seen.holds(refused["needs"][0] == "program no-such-program", "the need")?;
    seen.holds(refused["ignored"].as_str().is_some_and(|why| why.contains(REASON)), REASON)?;

    program(&["doctor"])?.ends(0)?.says("program no-such-program  NO")?.says("1 cannot")?;
    let examined: serde_json::Value = serde_json::from_str(&program(&["doctor", "--json"])?.out)?;
    seen.holds(examined["ignored"] == 1 && examined["runnable"] == 14, "14 of 15 can run")?;
    Ok(())
}

fn killed() -> Checked {
    let name = "control::hangs";
    let mark = "lastack:case\0control::hangs";
    let mut runner =
        control("test", &["--exact", name]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    // The other test of this control may be running it too: only this runner's child counts.
    let parent = runner.id();
    let case =
        until(|| children(parent).into_iter().find(|child| command_line(child).contains(mark)));
    runner.kill()?;
    runner.wait()?;
    let case = case.ok_or("the case never started")?;
    match until(|| (!command_line(&case).contains(mark)).then_some(())) {
        Some(()) => Ok(()),
        None => Err("the case outlives its runner".into()),
    }
}
