//! Which cases a person means.

use super::case::Case;
use super::places::Places;
use super::record::Record;
use super::registry::Registry;
use crate::error::{Context, Error, Result};

/// How many names are suggested to someone who mistyped one.
const SUGGESTIONS: usize = 3;

/// The cases that any of the filters means, all without one. A filter means a part of a test
/// name, a family, or a catalogue id, in either case; `exact`, all of one of these.
///
/// # Errors
/// A filter means nothing there is; the message names the nearest there is.
pub fn choose<'r>(
    registry: &'r Registry,
    filters: &[String],
    exact: bool,
) -> Result<Vec<&'r Case>> {
    for filter in filters {
        if !registry.cases().iter().any(|case| means(filter, exact, case)) {
            return Err(unknown(registry, filter));
        }
    }
    let meant = |case: &&Case| {
        filters.is_empty() || filters.iter().any(|filter| means(filter, exact, case))
    };
    Ok(registry.cases().iter().filter(meant).collect())
}

/// Of the cases chosen, those that failed when they last ran in this build.
///
/// # Errors
/// Nothing is recorded, or the record is damaged: what to do.
pub fn failed<'r>(chosen: Vec<&'r Case>, places: &Places) -> Result<Vec<&'r Case>> {
    let again = "a run without --failed makes one";
    let record = Record::of(places).context(|| format!("find what failed last ({again})"))?;
    let record = record.ok_or_else(|| {
        let file = places.record();
        let why = format!("there is no record of runs, {}; {again}", file.display());
        Error::usage(format!("failed to find what failed last: {why}"))
    })?;
    Ok(chosen.into_iter().filter(|case| record.failed(&case.name)).collect())
}

/// The one case that a filter means: the one of exactly that name, or the only one it matches.
///
/// # Errors
/// There is none, or there are several; the message names them.
pub fn choose_one<'r>(registry: &'r Registry, filter: &str) -> Result<&'r Case> {
    if let Some(case) = registry.find(filter) {
        return Ok(case);
    }
    match choose(registry, &[filter.to_owned()], false)?[..] {
        [case] => Ok(case),
        ref several => {
            let names: String = several.iter().map(|case| format!("\n  {}", case.name)).collect();
            Err(Error::usage(format!("{filter:?} means {} cases:{names}", several.len())))
        }
    }
}

fn means(filter: &str, exact: bool, case: &Case) -> bool {
    let name = match exact {
        true => case.name == filter || case.family == filter,
        false => parts_of(&case.name, &filter.to_ascii_lowercase()),
    };
    // "GC-02" means all its cases, "GC-02::ipv4" those of one variant.
    let (id, variant) = filter.split_once("::").unwrap_or((filter, ""));
    let of_variant = || variant.is_empty() || case.name.ends_with(&format!("::{variant}"));
    name || (case.covers.iter().any(|known| known.eq_ignore_ascii_case(id)) && of_variant())
}

/// Whether the filter is a part of the name; or each of its parts, where `::` divides it, a part of
/// one of the name's, in their order: "last_port::ipv4" is what begins so and is that variant.
fn parts_of(name: &str, filter: &str) -> bool {
    let mut parts = name.split("::");
    name.contains(filter) || filter.split("::").all(|word| parts.any(|part| part.contains(word)))
}

fn unknown(registry: &Registry, filter: &str) -> Error {
    if let Some(row) = registry.row(filter) {
        let why = row.absent.unwrap_or("no reason is given");
        return Error::usage(format!("no case covers {}: {why}", row.id));
    }
    let lower = filter.to_ascii_lowercase();
    let mut near: Vec<_> = registry
        .cases()
        .iter()
        .flat_map(|case| {
            let known = case.covers.iter().copied().chain([case.family, case.name.as_str()]);
            known.map(|name| (distance(&lower, &name.to_ascii_lowercase()), name))
        })
        .filter(|&(distance, _)| distance <= 1 + filter.chars().count() / 3)
        .collect();
    near.sort_by_key(|&(distance, name)| (distance, name.len(), name));
    near.dedup();
    let names: Vec<_> = near.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect();
    let advice = match names.is_empty() {
        true => "`lastack list` shows what there is".to_owned(),
        false => format!("the nearest are {}", names.join(", ")),
    };
    Error::usage(format!("no case, family or catalogue id matches {filter:?}; {advice}"))
}

/// How many letters of `word` must be changed for it to be a part of `text` (Sellers 1980):
/// names are long sentences, and what is mistyped is one word of them.
fn distance(word: &str, text: &str) -> usize {
    let text: Vec<char> = text.chars().collect();
    let mut row = vec![0; text.len() + 1];
    for (i, letter) in word.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in text.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.into_iter().min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::registry::FamilySource;

    fn registry() -> Registry {
        let source = |family, file, cases| FamilySource { family, file, cases };
        Registry::build(&[
            source("linger", "linger/a.rs", |family| {
                family
                    .case("zero_sends_rst")
                    .covers(["LI-01"])
                    .source("s")
                    .across([("ipv4", ()), ("ipv6", ())], |_, ()| async { Ok(()) });
            }),
            source("graceful_close", "graceful_close/a.rs", |family| {
                family
                    .case("three_segments")
                    .covers(["GC-02"])
                    .source("s")
                    .run(|_| async { Ok(()) });
            }),
        ])
        .unwrap()
    }

    fn chosen(filters: &[&str], exact: bool) -> Vec<String> {
        let filters: Vec<_> = filters.iter().map(ToString::to_string).collect();
        let registry = registry();
        let cases = choose(&registry, &filters, exact).unwrap();
        cases.into_iter().map(|case| case.name.clone()).collect()
    }

    const V4: &str = "linger::zero_sends_rst::ipv4";
    const V6: &str = "linger::zero_sends_rst::ipv6";
    const THREE: &str = "graceful_close::three_segments";

    #[test]
    fn a_filter_is_a_part_of_a_name_a_family_or_an_id() {
        assert_eq!(chosen(&[], false), [THREE, V4, V6]);
        assert_eq!(chosen(&["ipv6"], false), [V6]);
        assert_eq!(chosen(&["linger"], false), [V4, V6]);
        assert_eq!(chosen(&["gc-02"], false), [THREE]);
        assert_eq!(chosen(&["GC-02", "ipv4"], false), [THREE, V4]);
    }

    #[test]
    fn a_part_of_a_name_and_a_variant_make_a_filter() {
        assert_eq!(chosen(&["zero_sends::ipv4"], false), [V4]);
        assert_eq!(chosen(&["linger::ipv6"], false), [V6]);
        assert_eq!(chosen(&["ling::rst::v6"], false), [V6]);
        for nothing in ["ipv4::zero_sends", "zero_sends::ipv5", "zero_sends::rst"] {
            assert!(choose(&registry(), &[nothing.to_owned()], false).is_err(), "{nothing}");
        }
    }

    #[test]
    fn an_exact_filter_is_all_of_one() {
        assert_eq!(chosen(&["linger"], true), [V4, V6]);
        assert_eq!(chosen(&[V4], true), [V4]);
        assert!(choose(&registry(), &["linge".to_owned()], true).is_err());
    }

    #[test]
    fn a_mistyped_filter_is_answered_with_the_nearest() {
        for (wrong, right) in [("three_segmnets", THREE), ("LI-02", "LI-01"), ("linegr", "linger")]
        {
            let error = choose(&registry(), &[wrong.to_owned()], false).unwrap_err().to_string();
            assert!(error.contains(right), "{error}");
        }
        let error = choose(&registry(), &["qqqqqqqq".to_owned()], false).unwrap_err().to_string();
        assert!(error.ends_with("`lastack list` shows what there is"), "{error}");
    }

    #[test]
    fn one_case_is_meant_by_its_name_or_by_a_part_that_only_it_has() {
        let registry = registry();
        assert_eq!(choose_one(&registry, V4).unwrap().name, V4);
        assert_eq!(choose_one(&registry, "three").unwrap().name, THREE);
        let error = choose_one(&registry, "zero").unwrap_err().to_string();
        assert_eq!(error, format!("\"zero\" means 2 cases:\n  {V4}\n  {V6}"));
    }

    #[test]
    fn distance_counts_changes_to_reach_a_part() {
        assert_eq!(distance("fin", "a_fin_is_lost"), 0);
        assert_eq!(distance("fim", "a_fin_is_lost"), 1);
        assert_eq!(distance("", "x"), 0);
        assert_eq!(distance("abc", ""), 3);
    }
}
