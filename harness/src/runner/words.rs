//! What the runner and the one on a virtual kernel say to each other: a manifest when it boots, and
//! words about its cases from then on. It is never told more: what it does depends on nothing that
//! happens outside.

use serde::{Deserialize, Serialize};

use super::events::Finished;
use super::needs::Unmet;
use crate::error::{Context, Result};
use crate::sys::codec;

/// What a virtual kernel is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The cases it is to run, by name, in the order in which they start.
    pub cases: Vec<String>,
    /// How many run side by side.
    pub jobs: usize,
    /// Whether cases that pass leave evidence, too.
    pub keep: bool,
}

/// What is said there. A case goes by its place in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FromVirtual {
    /// No case can run: why.
    Useless(String),
    /// A case begins.
    Started(usize),
    /// A case cannot run on this kernel.
    Ignored(usize, Unmet),
    /// More of the capture of a case that is about to be told of.
    Capture(usize, #[serde(with = "codec::bytes")] Vec<u8>),
    /// A case has come to its end.
    Finished(usize, Finished),
}

/// How much of a capture one word carries.
pub(super) const PIECE: usize = 256 * 1024;

impl Manifest {
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        codec::encode(self).context(|| "write down what a virtual kernel is to do".to_owned())
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        codec::decode(bytes).context(|| "read what this virtual kernel is to do".to_owned())
    }
}

impl FromVirtual {
    pub(super) fn encode(&self) -> Vec<u8> {
        codec::encode(self).expect("a word is plain data")
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let what = || format!("understand {} bytes that a virtual kernel said", bytes.len());
        codec::decode(bytes).context(what)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::runner::events::{CaseOutcome, Evidence, Place};

    fn finished() -> Finished {
        let elapsed = std::time::Duration::from_secs(7_925);
        let mut finished = Finished::bare(CaseOutcome::Failed("no".into()), Place::Host, elapsed);
        finished.evidence = Some(Evidence { ladder: "│".into(), ..Evidence::default() });
        finished
    }

    #[test]
    fn words_survive_the_trip() {
        let unmet = Unmet { need: "a".into(), reason: "b".into(), remedy: "c".into() };
        for word in [
            FromVirtual::Useless("why".into()),
            FromVirtual::Started(0),
            FromVirtual::Ignored(700, unmet),
            FromVirtual::Capture(3, vec![0; PIECE]),
            FromVirtual::Finished(4, finished()),
        ] {
            assert_eq!(FromVirtual::decode(&word.encode()).unwrap(), word);
        }
        let manifest = Manifest { cases: vec!["a::b".into()], jobs: 8, keep: true };
        assert_eq!(Manifest::decode(&manifest.encode().unwrap()).unwrap(), manifest);
    }

    proptest! {
        #[test]
        fn nonsense_is_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = FromVirtual::decode(&bytes);
            let _ = Manifest::decode(&bytes);
        }

        #[test]
        fn a_torn_word_is_refused(at: prop::sample::Index) {
            let bytes = FromVirtual::Finished(1, finished()).encode();
            prop_assert!(FromVirtual::decode(&bytes[..at.index(bytes.len())]).is_err());
        }
    }
}
