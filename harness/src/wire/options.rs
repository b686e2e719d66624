//! TCP options.

use super::seq::Seq;
use super::view::View;

/// The options of one segment (RFC 9293 section 3.2, RFC 7323, RFC 2018).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Options {
    /// Maximum segment size, in bytes.
    pub mss: Option<u16>,
    /// Window scale: how many bits later windows are shifted by.
    pub window_scale: Option<u8>,
    /// The sender understands selective acknowledgements.
    pub sack_permitted: bool,
    /// Blocks received beyond a hole: first number, and the one after the last.
    pub sack: Vec<(Seq, Seq)>,
    /// Time stamps: the sender's value and the echo of the peer's.
    pub timestamps: Option<(u32, u32)>,
    /// Kinds of the options that lastack does not read, in order of appearance.
    pub others: Vec<u8>,
}

impl Options {
    /// Reads options until they end, or make no sense, or the capture is over.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut options = Self::default();
        let mut rest = View(bytes);
        while let Some(kind) = rest.u8(0) {
            let size = match kind {
                0 => break,
                1 => 1,
                _ => match rest.u8(1) {
                    Some(size) if size >= 2 => usize::from(size),
                    _ => break,
                },
            };
            if rest.0.len() < size {
                break;
            }
            if kind != 1 {
                options.take(kind, View(&rest.0[2..size]));
            }
            rest = View(&rest.0[size..]);
        }
        options
    }

    fn take(&mut self, kind: u8, value: View<'_>) {
        let understood = match (kind, value.0.len()) {
            (2, 2) => {
                self.mss = value.u16(0);
                true
            }
            (3, 1) => {
                // RFC 7323 section 2.3: more than 14 counts as 14.
                self.window_scale = value.u8(0).map(|shift| shift.min(14));
                true
            }
            (4, 0) => {
                self.sack_permitted = true;
                true
            }
            (5, size) if size % 8 == 0 => {
                let edge = |at| value.u32(at).map(Seq);
                let blocks = (0..size).step_by(8).filter_map(|at| edge(at).zip(edge(at + 4)));
                self.sack.extend(blocks);
                true
            }
            (8, 8) => {
                self.timestamps = value.u32(0).zip(value.u32(4));
                true
            }
            _ => false,
        };
        if !understood {
            self.others.push(kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_options_of_a_linux_syn_are_read() {
        let syn =
            [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 3, 7, 254, 4, 0xf9, 0x89];
        let expected = Options {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps: Some((7, 9)),
            others: vec![254],
            ..Options::default()
        };
        assert_eq!(Options::read(&syn), expected);
    }

    #[test]
    fn sack_blocks_are_read_in_order() {
        let two = [1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 9];
        assert_eq!(Options::read(&two).sack, [(Seq(1), Seq(2)), (Seq(8), Seq(9))]);
    }

    #[test]
    fn what_follows_a_senseless_length_is_not_believed() {
        for bad in [&[2, 0, 2, 4][..], &[2, 1], &[3, 40, 7], &[8], &[0, 2, 4, 5, 6]] {
            assert_eq!(Options::read(bad), Options::default(), "{bad:?}");
        }
        assert_eq!(Options::read(&[2, 3, 9]).others, [2], "known kind, wrong length");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let options = Options::read(&bytes);
            prop_assert!(options.sack.len() * 8 <= bytes.len());
        }
    }
}
