//! What a process is told to write: bytes, or the description of bytes.

use serde::{Deserialize, Serialize};

use crate::sys::codec::bytes;

/// The longest unit that is looked for in bytes that repeat themselves.
const LONGEST_UNIT: usize = 1024;

/// Fewer bytes are sent as they are.
const WORTH_DESCRIBING: usize = 4 * LONGEST_UNIT;

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Data {
    /// These bytes.
    Bytes(#[serde(with = "bytes")] Vec<u8>),
    /// This many bytes of the running pattern, from this place in it: see `pattern`.
    Pattern {
        /// Where in the pattern to begin.
        from: u64,
        /// How many bytes.
        length: u32,
    },
    /// A unit, again and again, to this length; the last may be cut.
    Repeated {
        /// The unit; not empty.
        #[serde(with = "bytes")]
        unit: Vec<u8>,
        /// How many bytes in all.
        length: usize,
    },
}

impl Data {
    /// These bytes, described where they repeat themselves, as those of a bulk transfer in a test
    /// mostly do.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        match unit_of(bytes) {
            Some(unit) => Self::Repeated { unit: unit.to_vec(), length: bytes.len() },
            None => Self::Bytes(bytes.to_vec()),
        }
    }

    /// The bytes themselves; none if there is no memory for so many.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(self.len()).ok()?;
        match self {
            Self::Bytes(given) => bytes.extend_from_slice(given),
            Self::Pattern { from, length } => {
                let places = (0..u64::from(*length)).map(|place| from.wrapping_add(place));
                bytes.extend(places.map(pattern));
            }
            Self::Repeated { unit, length } => bytes.extend(unit.iter().cycle().take(*length)),
        }
        Some(bytes)
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Pattern { length, .. } => *length as usize,
            Self::Repeated { length, .. } => *length,
        }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes have to be sent to the process for it to write these.
    #[must_use]
    pub fn shipped(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Pattern { .. } => 0,
            Self::Repeated { unit, .. } => unit.len(),
        }
    }
}

/// The shortest unit, of up to [`LONGEST_UNIT`] bytes, that these many bytes repeat. It is looked
/// for in their head, and the one found there compared with the whole: two looks at each byte.
fn unit_of(bytes: &[u8]) -> Option<&[u8]> {
    let head = bytes.get(..WORTH_DESCRIBING)?;
    let repeats = |bytes: &[u8], period: usize| bytes[period..] == bytes[..bytes.len() - period];
    let period = (1..=LONGEST_UNIT).find(|period| repeats(head, *period))?;
    repeats(bytes, period).then(|| &bytes[..period])
}

/// The byte at one place of the endless pattern that bulk transfers send, so that the reader can
/// tell a gap, a repetition or an exchange from the right bytes. Its period, 251, is prime.
#[must_use]
pub fn pattern(place: u64) -> u8 {
    (place % 251) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_pattern_tells_places_apart() {
        let data = Data::Pattern { from: 250, length: 3 };
        assert_eq!(data.bytes().unwrap(), [250, 0, 1]);
        assert_eq!(Data::Pattern { from: u64::MAX, length: 2 }.bytes().unwrap().len(), 2);
    }

    #[test]
    fn what_repeats_itself_is_described() {
        let patterned: Vec<u8> = (0..20_000_000).map(pattern).collect();
        for bytes in [vec![7; 170_000], patterned, b"line\n".repeat(10_001)] {
            let data = Data::of(&bytes);
            assert!(data.shipped() < 300, "{} bytes are shipped", data.shipped());
            assert!(data.bytes().unwrap() == bytes);
        }
        let mut odd = vec![0; 100_000];
        odd[99_999] = 1;
        assert_eq!(Data::of(&odd), Data::Bytes(odd));
    }

    proptest! {
        #[test]
        fn data_is_the_bytes_it_was_made_of(
            unit in proptest::collection::vec(any::<u8>(), 0..2000), length in 0..10_000_usize,
        ) {
            let bytes: Vec<u8> = unit.iter().copied().cycle().take(length).collect();
            let data = Data::of(&bytes);
            prop_assert_eq!(data.len(), bytes.len());
            prop_assert_eq!(data.bytes().unwrap(), bytes);
        }
    }
}
