//! One run dealt out to several machines: which cases are whose.
//!
//! The machines do not know of each other, so all of them must deal alike: by the names and
//! declarations of all cases, and by records that are named to all. What a machine has, which
//! kernels, what it ran last, which filters it was given, decides nothing. [`Division::mark`] is
//! there to compare.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::case::Case;
use super::needs::Need;
use super::record::{Last, Record};
use crate::error::{Error, Result};

/// Where a shard is named when none is on the command line: "2/3".
pub const VARIABLE: &str = "LASTACK_SHARD";

/// Where records are named when none is on the command line, divided by colons.
pub const TIMES: &str = "LASTACK_TIMES";

/// What a case costs one core in any case, in microseconds; found by dividing the processor time
/// of a whole run by its cases.
const ON_HOST: u64 = 100_000;
const ON_VIRTUAL: u64 = 300_000;

/// What a virtual kernel costs that boots.
const BOOT: u64 = 4_000_000;

/// While a case waits, so many others run.
const BESIDE_ON_HOST: u64 = 64;
const BESIDE_ON_VIRTUAL: u64 = 24;

/// One of so many shares of all cases; counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u16,
    of: u16,
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(words: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::usage(format!(
                "{words:?} is no shard: {why}; it should be one of several, such as 2/3, the \
                 second of three"
            ))
        };
        let number = |digits: &str| match digits.bytes().all(|digit| digit.is_ascii_digit()) {
            true => digits.parse::<u16>().ok(),
            false => None,
        };
        let numbers = words.split_once('/').map(|(index, of)| (number(index), number(of)));
        match numbers {
            Some((Some(_), Some(0))) => Err(wrong("there are none to choose from")),
            Some((Some(0), Some(_))) => Err(wrong("they are counted from 1")),
            Some((Some(index), Some(of))) if index > of => {
                Err(wrong(&format!("there are only {of}")))
            }
            Some((Some(index), Some(of))) => Ok(Self { index, of }),
            _ => Err(wrong("it is not two whole numbers up to 65535 with a slash between them")),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// A shard, and what is known of the times that cases take, on all machines alike.
#[derive(Debug)]
pub struct Share {
    shard: Shard,
    times: Record,
}

impl Share {
    /// What was said on the command line, or else in the environment (`LASTACK_SHARD`,
    /// `LASTACK_TIMES`); none, if no shard was.
    ///
    /// # Errors
    /// It is no shard; a record cannot be read, without which this machine would deal otherwise
    /// than others; or records are named on the command line for no shard.
    pub fn asked(shard: Option<Shard>, times: &[PathBuf]) -> Result<Option<Self>> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let in_environment = || {
            let words = variable(VARIABLE)?;
            let shard = words.to_string_lossy().parse();
            Some(shard.map_err(|error| Error::usage(format!("{VARIABLE}: {error}"))))
        };
        let Some(shard) = shard.map(Ok).or_else(in_environment).transpose()? else {
            return match times {
                [] => Ok(None),
                _ => Err(Error::usage("--times says how to deal out shards; none is asked for")),
            };
        };
        let named = variable(TIMES).unwrap_or_default();
        let named = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty());
        let files = if times.is_empty() { named.collect() } else { times.to_vec() };
        let mut times = Record::default();
        for file in files {
            let record = Record::read(&file)?.ok_or_else(|| {
                let file = file.display();
                Error::usage(format!("failed to read the times in {file}: there is no such file"))
            })?;
            times.merge(record);
        }
        Ok(Some(Self { shard, times }))
    }

    /// Those of `chosen` that are in this shard of `all` cases; and what to say of that.
    #[must_use]
    pub fn of<'c>(&self, all: &[Case], chosen: Vec<&'c Case>) -> (Vec<&'c Case>, String) {
        let division = Division::new(all, self.shard.of, &self.times);
        let before = chosen.len();
        let mine = |case: &&Case| division.shard_of(case) == Some(self.shard.index);
        let mine: Vec<_> = chosen.into_iter().filter(mine).collect();
        let (shard, mark) = (self.shard, division.mark());
        let words = format!("shard {shard} of division {mark}: {} of {before} cases", mine.len());
        (mine, words)
    }
}

/// All cases, dealt out: every case is in one shard.
#[derive(Debug)]
pub struct Division<'c> {
    shards: BTreeMap<&'c str, u16>,
}

impl<'c> Division<'c> {
    /// Deals them out to so many shards, at least one, by these times and, where a case has none,
    /// by what it declares. Those on one virtual kernel go to as few shards as will do.
    #[must_use]
    pub fn new(cases: &'c [Case], of: u16, times: &'c Record) -> Self {
        let mut loads = vec![0; usize::from(of.max(1))];
        let mut shards = BTreeMap::new();
        let priced = cases.iter().map(|case| Priced::new(case, times.get(&case.name)));
        let (elsewhere, mut here): (Vec<_>, Vec<_>) =
            priced.partition(|case| case.kernel.is_some());
        cut(pieces(elsewhere), &mut loads, &mut shards);

        // The dearest first, to whoever has least, evens out what the kernels left uneven.
        here.sort_by_key(|case| (Reverse(case.price), case.name));
        for case in here {
            let least = (0..loads.len()).min_by_key(|&shard| loads[shard]).unwrap_or(0);
            loads[least] += case.price;
            shards.insert(case.name, least);
        }
        let counted = |(name, shard): (_, usize)| (name, u16::try_from(shard + 1).unwrap_or(of));
        Self { shards: shards.into_iter().map(counted).collect() }
    }

    /// The shard of a case, counted from one; none if it was not dealt out.
    #[must_use]
    pub fn shard_of(&self, case: &Case) -> Option<u16> {
        self.shards.get(case.name.as_str()).copied()
    }

    /// Eight letters that are the same on all machines that deal alike.
    #[must_use]
    pub fn mark(&self) -> String {
        let each = self.shards.iter().map(|(name, shard)| format!("{name} {shard}\n"));
        format!("{:08x}", hash(&each.collect::<String>()) >> 32)
    }
}

/// A case and what it costs.
struct Priced<'c> {
    name: &'c str,
    /// The virtual kernel it is thought to run on.
    kernel: Option<Kernel<'c>>,
    /// In microseconds of one core.
    price: u64,
}

/// A virtual kernel, in the order in which they are cut.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kernel<'c> {
    /// Where a case ran by the record.
    Release(&'c str),
    /// The oldest that a case may run on: virtual kernels are tried from the oldest on.
    Since(u32, u32),
}

impl<'c> Priced<'c> {
    fn new(case: &'c Case, last: Option<&'c Last>) -> Self {
        let kernel = match last {
            Some(last) => last.release().map(Kernel::Release),
            None => declared(case),
        };
        let declared = || if kernel.is_some() { 0 } else { micros(case.waits.as_millis()) };
        let time = last.map_or_else(declared, |last| micros(u128::from(last.millis)));
        let price = match kernel {
            Some(_) => ON_VIRTUAL + time / BESIDE_ON_VIRTUAL,
            None if case.quiet => ON_HOST + time,
            None => ON_HOST + time / BESIDE_ON_HOST,
        };
        Self { name: &case.name, kernel, price }
    }
}

/// What the case says itself: what needs virtual time or an older kernel is thought to be on a
/// virtual one, whatever this machine could do.
fn declared<'c>(case: &Case) -> Option<Kernel<'c>> {
    let elsewhere = |need: &Need| matches!(need, Need::VirtualTime | Need::Before(..));
    let since = |need: &Need| match *need {
        Need::Kernel(major, minor) => Some((major, minor)),
        _ => None,
    };
    let (major, minor) = case.needs.iter().filter_map(since).max().unwrap_or((0, 0));
    case.needs.iter().any(elsewhere).then_some(Kernel::Since(major, minor))
}

/// No record says more than a day of a case that the runner ends after a minute.
fn micros(millis: u128) -> u64 {
    u64::try_from(millis).unwrap_or(u64::MAX).min(86_400_000) * 1000
}

/// Cases that stay together.
struct Piece<'c> {
    kernel: Kernel<'c>,
    names: Vec<&'c str>,
    price: u64,
}

/// Cases on virtual kernels in the order in which they are cut: kernel after kernel. What is worth
/// less than a boot stays in one piece. Within a kernel families are mixed, so that every shard
/// has a part of what a filter means.
fn pieces(mut cases: Vec<Priced<'_>>) -> Vec<Piece<'_>> {
    cases.sort_by_key(|case| (case.kernel, hash(case.name), case.name));
    let mut pieces = Vec::new();
    for group in cases.chunk_by(|one, other| one.kernel == other.kernel) {
        let piece = |cases: &[Priced<'_>]| cases.iter().map(|case| case.price).sum();
        let step = if piece(group) <= BOOT { group.len() } else { 1 };
        pieces.extend(group.chunks(step).map(|cases| Piece {
            kernel: cases[0].kernel.expect("they were chosen by it"),
            names: cases.iter().map(|case| case.name).collect(),
            price: piece(cases),
        }));
    }
    pieces
}

/// Lays the pieces in a line and cuts it into as many lengths as there are shards.
fn cut<'c>(pieces: Vec<Piece<'c>>, loads: &mut [u64], shards: &mut BTreeMap<&'c str, usize>) {
    let total: u64 = pieces.iter().map(|piece| piece.price).sum();
    let (mut begin, mut boots) = (0, BTreeSet::new());
    for piece in &pieces {
        // Where its middle is decides: as long as no piece is longer than a length, none is empty.
        let middle = u128::from(2 * begin + piece.price) * loads.len() as u128;
        let shard = usize::try_from(middle / u128::from(2 * total)).unwrap_or(usize::MAX);
        let shard = shard.min(loads.len() - 1);
        begin += piece.price;
        loads[shard] += piece.price;
        if boots.insert((piece.kernel, shard)) {
            loads[shard] += BOOT;
        }
        shards.extend(piece.names.iter().map(|&name| (name, shard)));
    }
}

/// FNV-1a, which is the same in every build; the standard library's need not be.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
