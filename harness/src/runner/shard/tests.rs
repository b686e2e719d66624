use std::time::Duration;

use super::*;
use crate::runner::record::Verdict;
use crate::runner::registration::Family;
use crate::runner::registry::{FamilySource, Registry};

/// Two families, in either order: a hundred cases on a host, some of which wait, and eighty on
/// virtual kernels, of two sorts.
fn registry(forward: bool) -> Registry {
    const NAMES: [&str; 20] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
        "s", "t",
    ];
    fn fill(family: &mut Family) {
        let variants = || NAMES.map(|name| (name, ()));
        for name in ["one", "two"] {
            family.case(name).across(variants(), |_, ()| async { Ok(()) });
        }
        family.case("waits").waits(Duration::from_secs(12)).across(
            NAMES[..10].iter().map(|&name| (name, ())).collect::<Vec<_>>(),
            |_, ()| async { Ok(()) },
        );
        let old = family.case("stock").needs([Need::VirtualTime]).waits(Duration::from_secs(7_200));
        old.across(variants(), |_, ()| async { Ok(()) });
        let new = family.case("newer").needs([Need::VirtualTime, Need::Kernel(6, 5)]);
        new.across(variants(), |_, ()| async { Ok(()) });
    }
    let source = |family, file| FamilySource { family, file, cases: fill };
    let mut sources = [source("close", "close/a.rs"), source("linger", "linger/a.rs")];
    if !forward {
        sources.reverse();
    }
    Registry::build(&sources).unwrap()
}

fn price(case: &Case, times: &Record) -> u64 {
    Priced::new(case, times.get(&case.name)).price
}

/// Each shard's cases.
fn dealt<'c>(cases: &'c [Case], of: u16, times: &Record) -> Vec<Vec<&'c Case>> {
    let division = Division::new(cases, of, times);
    let mut shards = vec![Vec::new(); usize::from(of)];
    for case in cases {
        let shard = division.shard_of(case).expect("every case is in a shard");
        shards[usize::from(shard) - 1].push(case);
    }
    shards
}

/// How many virtual kernels boot for these, if they all are where they are thought to be.
fn boots(cases: &[&Case], times: &Record) -> usize {
    let kernels = cases.iter().filter_map(|case| Priced::new(case, times.get(&case.name)).kernel);
    kernels.collect::<BTreeSet<_>>().len()
}

#[test]
fn every_case_is_in_one_shard_and_shards_cost_alike() {
    let registry = registry(true);
    let cases = registry.cases();
    let none = Record::default();
    for of in 1..=9 {
        // `dealt` gives every case to one shard; none has it twice.
        let shards = dealt(cases, of, &none);
        assert_eq!(shards.iter().map(Vec::len).sum::<usize>(), cases.len());
        let boot = |cases: &[&Case]| BOOT * boots(cases, &none) as u64;
        let load = |cases: &Vec<&Case>| {
            boot(cases) + cases.iter().map(|case| price(case, &none)).sum::<u64>()
        };
        let loads: Vec<_> = shards.iter().map(load).collect();
        let (least, most) = (*loads.iter().min().unwrap(), *loads.iter().max().unwrap());
        // Boots are all that the hosts' cases can fail to make up for.
        assert!(most - least <= 2 * BOOT, "{of}: {loads:?}");
        // Cutting a line in n makes at most n - 1 more.
        let boots: usize = shards.iter().map(|cases| boots(cases, &none)).sum();
        assert!(boots < 2 + usize::from(of), "{of}: {boots} boots");
    }
}

#[test]
fn the_order_in_which_cases_are_registered_decides_nothing() {
    let (forward, backward) = (registry(true), registry(false));
    let none = Record::default();
    let division = Division::new(forward.cases(), 3, &none);
    let mut cases: Vec<_> = backward.cases().to_vec();
    cases.reverse();
    let other = Division::new(&cases, 3, &none);
    assert_eq!(division.shards, other.shards);
    assert_eq!(division.mark(), other.mark());
    assert_ne!(division.mark(), Division::new(&cases, 4, &none).mark());
    // What one build said another must say, too.
    assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
}

#[test]
fn recorded_times_and_kernels_come_before_declared_ones() {
    let registry = registry(true);
    let cases = registry.cases();
    let mut times = Record::default();
    let last = |seconds, release| Last::new(Verdict::Passed, Duration::from_secs(seconds), release);
    // All of them wait, one for as long as all others; those for virtual kernels were on one.
    for case in cases {
        let release = declared(case).map(|_| "6.12.1");
        let seconds = if case.name == "close::one::a" { 10_000 } else { 50 };
        times.note(&case.name, last(seconds, release));
    }
    let shards = dealt(cases, 2, &times);
    assert_eq!(shards.iter().map(|cases| boots(cases, &times)).sum::<usize>(), 2);
    let lonely = shards.iter().find(|cases| cases.iter().any(|case| case.name == "close::one::a"));
    let others = lonely.unwrap().iter().filter(|case| declared(case).is_none()).count();
    assert_eq!(others, 1, "it is as dear as all others together");
}

#[test]
fn cases_that_are_worth_no_second_boot_stay_together() {
    let registry = Registry::build(&[FamilySource {
        family: "close",
        file: "close/a.rs",
        cases: |family| {
            let all = ["a", "b", "c", "d", "e", "f"].map(|name| (name, ()));
            let case = family.case("stock").needs([Need::VirtualTime]);
            case.across(all, |_, ()| async { Ok(()) });
        },
    }])
    .unwrap();
    let shards = dealt(registry.cases(), 3, &Record::default());
    let lengths: Vec<_> = shards.iter().map(Vec::len).collect();
    assert_eq!(lengths.iter().filter(|&&length| length == 6).count(), 1, "{lengths:?}");
}

#[test]
fn filters_choose_among_the_cases_of_a_shard() {
    let registry = registry(true);
    let cases = registry.cases();
    let chosen: Vec<_> = cases.iter().filter(|case| case.name.contains("stock")).collect();
    let mut all = Vec::new();
    for index in 1..=3 {
        let share = Share { shard: Shard { index, of: 3 }, times: Record::default() };
        let (mine, words) = share.of(cases, chosen.clone());
        let (whole, _) = share.of(cases, cases.iter().collect());
        assert!(mine.iter().all(|case| whole.iter().any(|other| other.name == case.name)));
        let mark = Division::new(cases, 3, &Record::default()).mark();
        assert_eq!(
            words,
            format!("shard {index}/3 of division {mark}: {} of 40 cases", mine.len())
        );
        all.extend(mine.into_iter().map(|case| case.name.clone()));
    }
    all.sort();
    assert_eq!(all, chosen.iter().map(|case| case.name.clone()).collect::<Vec<_>>());
}

#[test]
fn no_case_and_more_shards_than_cases_are_no_trouble() {
    assert!(dealt(&[], 3, &Record::default()).iter().all(Vec::is_empty));
    let registry = registry(true);
    let shards = dealt(registry.cases(), 1000, &Record::default());
    assert_eq!(shards.iter().map(Vec::len).sum::<usize>(), registry.cases().len());
}

#[test]
fn a_shard_is_one_of_several() {
    for words in ["1/1", "2/3", "3/3", "65535/65535"] {
        assert_eq!(words.parse::<Shard>().unwrap().to_string(), words);
    }
    for (words, why) in [
        ("0/3", "they are counted from 1"),
        ("4/3", "there are only 3"),
        ("1/0", "there are none to choose from"),
        ("0/0", "there are none to choose from"),
        ("x", "it is not two whole numbers"),
        ("", "it is not two whole numbers"),
        ("2", "it is not two whole numbers"),
        ("-1/3", "it is not two whole numbers"),
        ("+1/3", "it is not two whole numbers"),
        ("1/2/3", "it is not two whole numbers"),
        ("1 / 3", "it is not two whole numbers"),
        ("1/65536", "it is not two whole numbers"),
    ] {
        let error = words.parse::<Shard>().unwrap_err().to_string();
        assert!(error.contains(&format!("{words:?} is no shard: {why}")), "{error}");
    }
}
