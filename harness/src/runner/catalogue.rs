//! The catalogue that cases cover: rows of rules, each with an id of its own.

use std::collections::BTreeSet;

use super::case::Case;

/// A row of a catalogue: one rule, which any number of cases in any number of files may cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What cases name it by, such as "GC-02".
    pub id: &'static str,
    /// What happens and when, in one sentence.
    pub rule: &'static str,
    /// Where that is written down: a kernel function, a section of an RFC, a manual page.
    pub source: &'static str,
    /// Why no case covers it.
    pub absent: Option<&'static str>,
}

/// The row of this id, in capitals or not.
pub(super) fn find(rows: &'static [Row], id: &str) -> Option<&'static Row> {
    rows.iter().find(|row| row.id.eq_ignore_ascii_case(id))
}

/// The rows that no case covers.
pub(super) fn missing<'r>(rows: &'r [Row], cases: &'r [Case]) -> impl Iterator<Item = &'r Row> {
    let covered: BTreeSet<&str> =
        cases.iter().flat_map(|case| case.covers.iter().copied()).collect();
    rows.iter().filter(move |row| !covered.contains(row.id))
}

/// What is wrong with the rows themselves, and with what cases cover that is no row.
pub(super) fn check(rows: &[Row], cases: &[Case]) -> Vec<String> {
    let mut problems = Vec::new();
    for Row { id, rule, .. } in rows {
        if !well_formed(id) {
            problems.push(format!("the catalogue's {id:?} is no id such as \"GC-02\""));
        }
        if rule.is_empty() {
            problems.push(format!("the catalogue's {id} has no rule"));
        }
    }
    for pair in rows.windows(2).filter(|pair| pair[0].id >= pair[1].id) {
        let [one, other] = [pair[0].id, pair[1].id];
        problems.push(format!(
            "the catalogue's {other} comes after {one}: ids are in order, each of them once"
        ));
    }
    let known: BTreeSet<&str> = rows.iter().map(|row| row.id).collect();
    let mut told = BTreeSet::new();
    for case in cases {
        for id in case.covers.iter().filter(|id| !known.contains(*id)) {
            // One registration, one complaint, however many variants it has.
            let name = case.name.splitn(3, "::").take(2).collect::<Vec<_>>().join("::");
            if told.insert((case.file, name.clone(), *id)) {
                problems.push(format!(
                    "{}: {name} covers {id}, which is no row of the catalogue",
                    case.file
                ));
            }
        }
    }
    problems
}

/// Two capitals, a dash, two digits and perhaps a letter.
pub(crate) fn well_formed(id: &str) -> bool {
    let [a, b, b'-', c, d, rest @ ..] = id.as_bytes() else { return false };
    a.is_ascii_uppercase()
        && b.is_ascii_uppercase()
        && c.is_ascii_digit()
        && d.is_ascii_digit()
        && matches!(rest, [] | [b'a'..=b'z' | b'A'..=b'Z'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::registration::Family;
    use crate::runner::registry::{FamilySource, Registry};

    const fn row(id: &'static str) -> Row {
        Row { id, rule: "A FIN ends it.", source: "RFC 9293 3.6", absent: None }
    }

    static ROWS: [Row; 3] = [row("GC-01"), row("GC-02"), row("LI-01b")];

    fn cases(family: &mut Family) {
        let both = [("ipv4", ()), ("ipv6", ())];
        family.case("once").covers(["GC-02"]).across(both, |_, ()| async { Ok(()) });
        family.case("free").run(|_| async { Ok(()) });
    }

    fn typo(family: &mut Family) {
        let both = [("ipv4", ()), ("ipv6", ())];
        family.case("typo").covers(["GC-20", "GC-01"]).across(both, |_, ()| async { Ok(()) });
    }

    fn registry(cases: fn(&mut Family)) -> Registry {
        Registry::build(&[FamilySource { family: "close", file: "close/a.rs", cases }]).unwrap()
    }

    #[test]
    fn rows_are_found_by_their_ids_and_those_without_a_case_are_known() {
        let registry = registry(cases).catalogue(&ROWS).unwrap();
        assert_eq!(registry.row("gc-02"), Some(&ROWS[1]));
        assert_eq!(registry.row("LI-01b"), Some(&ROWS[2]));
        assert_eq!(registry.row("GC-03"), None);
        let missing: Vec<_> = registry.missing().map(|row| row.id).collect();
        assert_eq!(missing, ["GC-01", "LI-01b"]);
    }

    #[test]
    fn a_covered_id_that_is_no_row_is_told_once_with_its_file_and_case() {
        let problems = registry(typo).catalogue(&ROWS).unwrap_err().to_string();
        let told = "failed to gather the cases:\n  close/a.rs: close::typo covers GC-20, which is \
                    no row of the catalogue\n";
        assert_eq!(problems, told);
        // Where there is no catalogue, ids are whatever a project makes of them.
        assert!(registry(typo).row("GC-20").is_none());
    }

    #[test]
    fn rows_that_contradict_each_other_are_told() {
        static WRONG: [Row; 3] = [row("GC-02"), row("GC-02"), Row { rule: "", ..row("G-1") }];
        let problems = registry(cases).catalogue(&WRONG).unwrap_err().to_string();
        for told in [
            "\"G-1\" is no id such as \"GC-02\"",
            "G-1 has no rule",
            "GC-02 comes after GC-02: ids are in order, each of them once",
        ] {
            assert!(problems.contains(told), "{problems}");
        }
    }
}
