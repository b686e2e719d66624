//! Rows, cases that cover them, and what may be wrong between the two.

use std::fs;

use serde_json::Value;

use crate::arguments::{program, refuses};
use crate::build::Folder;
use crate::common::{Checked, life, run};

pub fn covered_id_that_is_no_row() -> Checked {
    let told = "close/typo.rs: close::typo covers ZZ-10, which is no row of the catalogue";
    let seen = run(&mut life("uncatalogued", &["list"]))?;
    seen.ends(2)?.complains(told)?;
    seen.holds(seen.err.matches("ZZ-10").count() == 1, "one registration, one complaint")?;
    Ok(())
}

pub fn rows_without_a_case() -> Checked {
    let seen = program(&["list", "--missing"])?;
    seen.ends(0)?.says("AB-25   A reset completes")?;
    seen.says("        no case: wants io_uring in the agent")?;
    seen.holds(!seen.out.contains("GC-02"), "no row that has a case")?;

    let seen = program(&["list", "--missing", "--json"])?;
    let rows: Vec<Value> = serde_json::from_str(&seen.ends(0)?.out)?;
    let said = |row: &Value, key: &str| row[key].as_str().is_some_and(|text| !text.is_empty());
    let whole = |row: &Value| ["id", "rule", "source", "reason"].iter().all(|key| said(row, key));
    let ids: Vec<_> = rows.iter().map(|row| row["id"].to_string()).collect();
    seen.holds(!rows.is_empty() && rows.iter().all(whole), "whole rows")?;
    seen.holds(ids.is_sorted(), "rows in order")?;

    let seen = program(&["show", "ab-25"])?;
    seen.ends(0)?.says("AB-25  A reset completes")?.says("source: io_uring/net.c")?;
    seen.says("no case: wants io_uring in the agent")?;
    refuses(&["run", "AB-25"], "no case covers AB-25: wants io_uring in the agent")?;
    refuses(&["show", "AB-99"], "AB-99")?;
    refuses(&["show", "GC-01::no_such_variant"], "no_such_variant")?;

    // A row with several cases is shown, and one of them is to be chosen.
    let seen = program(&["show", "GC-01"])?;
    seen.ends(2)?.says("GC-01  When an idle")?.says("source: RFC 9293 3.6")?;
    seen.complains("cases:\n  graceful_close::")?;
    Ok(())
}

pub fn case_of_no_row() -> Checked {
    let seen = run(&mut life("sound", &["list"]))?;
    seen.ends(0)?.says("sound::passes\n")?;
    let seen = run(&mut life("sound", &["list", "--json"]))?;
    let cases: Vec<Value> = serde_json::from_str(&seen.ends(0)?.out)?;
    let bare = |case: &Value| case["id"] == Value::Array(vec![]) && case["source"] == "";
    seen.holds(cases.len() == 3 && cases.iter().all(bare), "neither ids nor a source")?;
    let seen = run(&mut life("sound", &["list", "--missing"]))?;
    seen.ends(2)?.complains("have no catalogue")?;
    Ok(())
}

const ROW: &str = "[[row]]\nid = \"GC-01\"\nrule = \"A FIN ends it.\"\nsource = \"close(2)\"\n";

pub fn wrong_rows() -> Checked {
    let folder = Folder::new()?;
    let builds = |name: &str, text: &str| {
        fs::write(folder.path("catalogue").join(name), text)?;
        let seen = folder.script()?;
        seen.ends(0)?;
        fs::remove_file(folder.path("catalogue").join(name))?;
        Checked::Ok(seen)
    };
    let seen = builds("GC.toml", ROW)?;
    seen.holds(!seen.out.contains("cargo::error"), "no complaint")?;
    let table = fs::read_to_string(folder.path("catalogue.rs"))?;
    seen.holds(table.contains(r#"id: "GC-01", rule: "A FIN ends it.""#), "a table")?;

    let empty = ROW.replace("A FIN ends it.", " ");
    let unknown = format!("{ROW}reason = \"none\"\n");
    for (name, text, told) in [
        ("GC.toml", format!("{ROW}\n{ROW}"), "GC.toml:7: GC-01 is there twice"),
        ("GC.toml", empty, "GC.toml:3: GC-01: rule wants one line of words"),
        ("GC.toml", ROW.replace("it.", "it"), "GC.toml:3: GC-01: a rule is a sentence"),
        ("GC.toml", ROW.replace("close(2)", ""), "GC.toml:4: GC-01: source wants one line"),
        ("GC.toml", format!("{ROW}absent = \"\"\n"), "GC.toml:5: GC-01: absent wants one line"),
        ("LI.toml", ROW.to_owned(), "LI.toml:2: \"GC-01\" is no id of this file's, such as LI-01"),
        ("GC.toml", ROW.replace("-01", "-1"), "GC.toml:2: \"GC-1\" is no id of this file's"),
        ("GC.toml", ROW.replace("source", "sauce"), "GC.toml:4: unknown field `sauce`"),
        ("GC.toml", unknown, "GC.toml:5: unknown field `reason`"),
        (
            "GC.toml",
            ROW.replace("source = \"close(2)\"\n", ""),
            "GC.toml:1: missing field `source`",
        ),
        ("GC.toml", ROW.replace("\"GC", "GC"), "GC.toml:2: "),
    ] {
        builds(name, &text)?.says(&format!("cargo::error=catalogue/{told}"))?;
    }
    Ok(())
}
