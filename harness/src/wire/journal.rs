//! The journal: what happened in a case, written down at once, so that it survives the case.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use lastack_sys::Stamp;

/// One thing that happened, or that must be known to tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A host of the lab.
    Host {
        /// Its name.
        name: String,
        /// Its addresses.
        addresses: Vec<IpAddr>,
    },
    /// A tap on one end of a host's path.
    Tap {
        /// The number by which frames refer to it.
        tap: u8,
        /// The host whose traffic it sees.
        host: String,
        /// On the host's own interface (its egress frames are sent by the host), or on the
        /// port of the patch that faces the host (its ingress frames are).
        near: bool,
        /// The interface's name.
        name: String,
    },
    /// A frame that a tap saw.
    Frame {
        /// The tap's number.
        tap: u8,
        /// Leaving through the tapped interface, or entering by it.
        egress: bool,
        /// When.
        at: Stamp,
        /// Length on the wire, in bytes.
        length: u32,
        /// The head of the frame.
        bytes: Vec<u8>,
    },
    /// An application made a call.
    Call {
        /// A number that its return repeats.
        id: u64,
        /// The host it runs on.
        host: String,
        /// The process that called.
        process: String,
        /// The thread that called.
        thread: String,
        /// The call in words: "read(5, 64)".
        text: String,
        /// When it was made.
        began: Stamp,
    },
    /// A call came back.
    Return {
        /// The call's number.
        id: u64,
        /// When.
        ended: Stamp,
        /// What it gave, in words.
        result: String,
    },
    /// A fault was switched on or off.
    Fault {
        /// When.
        at: Stamp,
        /// On, or off.
        on: bool,
        /// The fault in words.
        text: String,
    },
    /// Something else worth telling.
    Note {
        /// When.
        at: Stamp,
        /// The words.
        text: String,
    },
    /// The journal is full: frames, calls and returns after this are not in it.
    Full {
        /// When.
        at: Stamp,
    },
}

impl Record {
    /// Whether a full journal has no room for it. What there are few of is kept.
    fn is_bulk(&self) -> bool {
        matches!(self, Self::Frame { .. } | Self::Call { .. } | Self::Return { .. })
    }
}

/// How many bytes of frames and calls a case may record, some hundred thousand of them. A case
/// that spins would otherwise fill the memory of the runner that reads them.
pub const LIMIT: u64 = 64 << 20;

/// Room after [`LIMIT`] for faults and notes.
const RESERVE: u64 = 1 << 20;

/// An append-only file of [`Record`]s, each postcard bytes after their length (`u32`, little
/// endian). Clones write to the same file.
///
/// Writing never fails the caller: the journal is evidence, and a case must not turn out
/// otherwise because its evidence could not be kept. The first failure is said on standard
/// error, and nothing is written after it, so that the file stays readable up to there. At
/// [`LIMIT`] bytes it is full, and says so with [`Record::Full`].
#[derive(Debug, Clone)]
pub struct Journal {
    open: Arc<Mutex<Option<Open>>>,
}

/// A journal that is being written.
#[derive(Debug)]
struct Open {
    file: File,
    /// How many bytes have been written.
    written: u64,
    /// Above this many, it takes no frames and calls.
    limit: u64,
    /// It has said that it is full.
    full: bool,
}

impl Open {
    /// Adds to `bytes` what there is room for.
    fn fill(&mut self, records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            let kept = bytes.len();
            append(record, &mut bytes);
            let length = self.written + bytes.len() as u64;
            let room = if record.is_bulk() { self.limit } else { self.limit + RESERVE };
            if length <= room && !(self.full && record.is_bulk()) {
                continue;
            }
            bytes.truncate(kept);
            if !self.full {
                self.full = true;
                append(&Record::Full { at: Stamp::now() }, &mut bytes);
            }
        }
        bytes
    }
}

/// Appends one record and, before it, its length.
fn append(record: &Record, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend([0; 4]);
    *bytes = postcard::to_extend(record, std::mem::take(bytes)).expect("a record is plain data");
    let length = u32::try_from(bytes.len() - start - 4).expect("a record is small");
    bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

impl Journal {
    /// A journal that appends to `file` at its present position.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self::limited(file, LIMIT)
    }

    fn limited(file: File, limit: u64) -> Self {
        let open = Open { file, written: 0, limit, full: false };
        Self { open: Arc::new(Mutex::new(Some(open))) }
    }

    /// Appends one record.
    pub fn write(&self, record: &Record) {
        self.write_all(std::slice::from_ref(record));
    }

    /// Appends records in one go: one system call however many there are.
    pub fn write_all(&self, records: &[Record]) {
        let mut slot = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = slot.as_mut() else { return };
        let bytes = open.fill(records);
        open.written += bytes.len() as u64;
        if let Err(error) = open.file.write_all(&bytes) {
            eprintln!("lastack: failed to write the journal: {error}; the ladder ends here");
            *slot = None;
        }
    }

    /// Ends the journal: what is written later, by any clone, is not in it.
    pub fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Reads the records of a journal's file from its start, without moving its position (which
    /// the writer may share), and no more than a journal may hold. A torn or damaged tail ends
    /// the story there.
    pub fn read(file: &File) -> impl Iterator<Item = Record> {
        let all = At { file, position: 0 }.take(LIMIT + 2 * RESERVE);
        Self::parse(BufReader::with_capacity(1 << 16, all))
    }

    /// Reads the records in the bytes of a journal's file.
    fn parse(mut bytes: impl Read) -> impl Iterator<Item = Record> {
        let mut body = Vec::new();
        std::iter::from_fn(move || {
            let mut length = [0; 4];
            bytes.read_exact(&mut length).ok()?;
            let length = u32::from_le_bytes(length);
            body.clear();
            bytes.by_ref().take(length.into()).read_to_end(&mut body).ok()?;
            match postcard::take_from_bytes(&body) {
                Ok((record, [])) if body.len() == length as usize => Some(record),
                _ => None,
            }
        })
        .fuse()
    }
}

/// A file read from a position of its own.
struct At<'f> {
    file: &'f File,
    position: u64,
}

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};

    use proptest::prelude::*;

    use super::*;

    fn a_record() -> impl Strategy<Value = Record> {
        let at = any::<i64>().prop_map(Stamp);
        prop_oneof![
            (".{0,8}", proptest::collection::vec(any::<IpAddr>(), 0..3))
                .prop_map(|(name, addresses)| Record::Host { name, addresses }),
            (any::<u8>(), any::<bool>(), at.clone(), any::<u32>(), any::<Vec<u8>>()).prop_map(
                |(tap, egress, at, length, bytes)| Record::Frame { tap, egress, at, length, bytes }
            ),
            (any::<u64>(), at.clone(), ".{0,8}").prop_map(|(id, ended, result)| Record::Return {
                id,
                ended,
                result
            }),
            (at, any::<bool>(), ".{0,20}").prop_map(|(at, on, text)| Record::Fault {
                at,
                on,
                text
            }),
        ]
    }

    fn bytes_of(records: &[Record]) -> Vec<u8> {
        let file = tempfile::tempfile().expect("a file");
        Journal::new(file.try_clone().expect("clone")).write_all(records);
        let mut bytes =
            vec![0; usize::try_from(file.metadata().expect("size").len()).expect("fits")];
        file.read_exact_at(&mut bytes, 0).expect("read");
        bytes
    }

    fn read(file: &File) -> Vec<Record> {
        Journal::read(file).collect()
    }

    fn parse(bytes: &[u8]) -> Vec<Record> {
        Journal::parse(bytes).collect()
    }

    #[test]
    fn reading_starts_at_the_beginning_and_leaves_the_writer_where_it_is() {
        let mut file = tempfile::tempfile().expect("a file");
        let journal = Journal::new(file.try_clone().expect("clone"));
        let note = |text: &str| Record::Note { at: Stamp(1), text: text.to_owned() };
        journal.write(&note("one"));
        let position = file.stream_position().expect("position");
        assert_eq!(read(&file), [note("one")]);
        assert_eq!(file.stream_position().expect("position"), position);
        journal.clone().write(&note("two"));
        file.seek(SeekFrom::End(0)).expect("seek");
        assert_eq!(read(&file), [note("one"), note("two")]);
    }

    #[test]
    fn a_journal_that_cannot_be_written_does_not_stop_its_case() {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full");
        let journal = Journal::new(full);
        for _ in 0..2 {
            journal.write(&Record::Note { at: Stamp(1), text: "unheard".to_owned() });
        }
    }

    #[test]
    fn a_full_journal_says_so_and_still_takes_faults() {
        let file = tempfile::tempfile().expect("a file");
        let journal = Journal::limited(file.try_clone().expect("clone"), 1000);
        let fault = Record::Fault { at: Stamp(2), on: true, text: "black hole".to_owned() };
        let returns = |id| Record::Return { id, ended: Stamp(1), result: "0".to_owned() };
        for round in 0..10 {
            journal.write_all(&(0..100).map(|i| returns(100 * round + i)).collect::<Vec<_>>());
        }
        journal.write(&fault);
        let kept = read(&file);
        let [calls @ .., Record::Full { .. }, last] = kept.as_slice() else { panic!("{kept:?}") };
        let first: Vec<_> = (0..calls.len() as u64).map(returns).collect();
        assert!(calls.len() > 50 && calls == first, "{kept:?}");
        assert_eq!(*last, fault);
        assert!(file.metadata().expect("size").len() < 1100);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(records in proptest::collection::vec(a_record(), 0..12)) {
            prop_assert_eq!(parse(&bytes_of(&records)), records);
        }

        #[test]
        fn a_torn_tail_costs_only_the_torn_record(
            records in proptest::collection::vec(a_record(), 1..8),
            cut: prop::sample::Index,
        ) {
            let whole = bytes_of(&records);
            let cut = cut.index(whole.len());
            let read = parse(&whole[..cut]);
            prop_assert!(records.starts_with(&read));
            let kept = bytes_of(&read).len();
            let next = bytes_of(&records[read.len()..=read.len()]).len();
            prop_assert!(kept <= cut && cut < kept + next);
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
