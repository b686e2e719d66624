//! A pcapng file of everything the taps saw: one interface a tap, nanoseconds, and what lastack
//! knows about each packet as a comment (draft-ietf-opsawg-pcapng).

use std::io::{self, Write};

use super::story::{CapturedFrame, Story, Topic};
use super::trace::{Seen, TapInfo};
use lastack_sys::packet::SNAP;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_RESOLUTION: u16 = 9;
const PACKET_FLAGS: u16 = 2;

/// Writes the frames of a story. Faults and notes are comments on the packet that follows them, or
/// on the last one where none does.
///
/// # Errors
/// What `out` answers.
pub fn save(story: &Story, mut out: impl Write) -> io::Result<()> {
    out.write_all(&section())?;
    for tap in story.trace.taps() {
        out.write_all(&interface(tap))?;
    }
    let mut notices = story.notices.iter().peekable();
    for (i, frame) in story.frames.iter().enumerate() {
        let last = i + 1 == story.frames.len();
        let mut comments = Vec::new();
        while let Some(notice) = notices.next_if(|notice| last || notice.at <= frame.at) {
            let after = if notice.at > frame.at { "after this packet, " } else { "" };
            let topic = match notice.topic {
                Topic::FaultOn => "fault on: ",
                Topic::FaultOff => "fault off: ",
                Topic::Note => "",
            };
            comments.push(format!("{after}{topic}{}", notice.text));
        }
        comments.extend(remarks(story, frame));
        out.write_all(&packet(frame, &comments))?;
    }
    out.flush()
}

/// What the trace knows about a frame.
fn remarks(story: &Story, frame: &CapturedFrame) -> Option<String> {
    let Some(Seen::Segment(index)) = frame.seen else { return None };
    let segment = story.trace.segments().get(index)?;
    let marks = segment.marks();
    (!marks.is_empty()).then(|| format!("{} → {}: {}", segment.from, segment.to, marks.join(", ")))
}

fn section() -> Vec<u8> {
    let mut body = Vec::new();
    // Byte order, version 1.0, length of the section unknown.
    body.extend(0x1a2b_3c4d_u32.to_le_bytes());
    body.extend(1_u16.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    body.extend(u64::MAX.to_le_bytes());
    option(&mut body, APPLICATION, concat!("lastack ", env!("CARGO_PKG_VERSION")).as_bytes());
    let hint = "Every segment is here once for each tap that saw it. To follow a connection as \
                one host saw it, filter by interface, e.g. frame.interface_id == 0.";
    option(&mut body, COMMENT, hint.as_bytes());
    end_of_options(&mut body);
    block(SECTION, &body)
}

fn interface(tap: &TapInfo) -> Vec<u8> {
    let mut body = Vec::new();
    // Link type Ethernet, reserved, and how much of a frame is kept.
    body.extend(1_u16.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    body.extend(u32::try_from(SNAP).unwrap_or(0).to_le_bytes());
    option(&mut body, IF_NAME, format!("{}:{}", tap.host, tap.name).as_bytes());
    let place = if tap.near { "interface of host" } else { "port of the patch that faces host" };
    option(&mut body, IF_DESCRIPTION, format!("{place} {}", tap.host).as_bytes());
    // Time stamps count units of 10^-9 s.
    option(&mut body, IF_RESOLUTION, &[9]);
    end_of_options(&mut body);
    block(INTERFACE, &body)
}

fn packet(frame: &CapturedFrame, comments: &[String]) -> Vec<u8> {
    let mut body = Vec::new();
    let interface = u32::try_from(frame.tap).unwrap_or(u32::MAX);
    let kept = u32::try_from(frame.bytes.len()).unwrap_or(0);
    let nanos = u64::try_from(frame.at.0).unwrap_or(0);
    let (high, low) = ((nanos >> 32) as u32, nanos as u32);
    for number in [interface, high, low, kept, frame.length.max(kept)] {
        body.extend(number.to_le_bytes());
    }
    body.extend(&frame.bytes);
    pad(&mut body);
    for comment in comments {
        option(&mut body, COMMENT, comment.as_bytes());
    }
    let direction: u32 = if frame.egress { 2 } else { 1 };
    option(&mut body, PACKET_FLAGS, &direction.to_le_bytes());
    end_of_options(&mut body);
    block(ENHANCED_PACKET, &body)
}

/// A block carries its length before and after its body.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX);
    let mut block = Vec::with_capacity(body.len() + 12);
    block.extend(kind.to_le_bytes());
    block.extend(length.to_le_bytes());
    block.extend(body);
    block.extend(length.to_le_bytes());
    block
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    // An option's length has 16 bits; a longer comment is cut, between characters.
    let mut value = &value[..value.len().min(usize::from(u16::MAX))];
    while let Err(error) = std::str::from_utf8(value)
        && error.error_len().is_none()
    {
        value = &value[..error.valid_up_to()];
    }
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::super::build::Build;
    use super::super::flags::Flags;
    use super::super::journal::Record;
    use super::super::story::tests::{goes, lab, us};
    use super::*;

    /// The blocks of a file: kind and body.
    fn blocks(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let number = |at: &[u8]| u32::from_le_bytes(at[..4].try_into().unwrap());
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let (kind, length) = (number(bytes), number(&bytes[4..]) as usize);
            assert_eq!(length % 4, 0);
            assert_eq!(number(&bytes[length - 4..]) as usize, length, "the length is repeated");
            all.push((kind, bytes[8..length - 4].to_vec()));
            bytes = &bytes[length..];
        }
        all
    }

    fn file(records: &[Record]) -> Vec<(u32, Vec<u8>)> {
        let mut bytes = Vec::new();
        save(&Story::of(records.to_vec()), &mut bytes).expect("memory");
        blocks(&bytes)
    }

    fn says(block: &(u32, Vec<u8>), text: &str) -> bool {
        block.1.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn there_is_an_interface_for_every_tap_and_a_packet_for_every_frame() {
        let fin = Build::v4().seq(1).payload(100).flags(Flags::FIN | Flags::ACK);
        let mut records = lab();
        records.push(Record::Fault { at: us(1), on: true, text: "black hole".into() });
        records.extend(goes(&fin, Some(5), None));
        records.extend(goes(&fin, Some(900), Some(910)));
        records.push(Record::Fault { at: us(2000), on: false, text: "black hole".into() });
        let blocks = file(&records);
        let kinds: Vec<_> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [SECTION, INTERFACE, INTERFACE, 6, 6, 6]);
        assert!(says(&blocks[1], "a:to-a") && says(&blocks[2], "b:to-b"));
        assert!(says(&blocks[3], "fault on: black hole") && says(&blocks[3], "swallowed"));
        assert!(says(&blocks[4], "retransmission") && !says(&blocks[4], "fault"));
        assert!(says(&blocks[5], "after this packet, fault off: black hole"));
        let nanos = u64::try_from(us(5).0).unwrap();
        let mut start = 0_u32.to_le_bytes().to_vec();
        start.extend(((nanos >> 32) as u32).to_le_bytes());
        start.extend((nanos as u32).to_le_bytes());
        assert!(blocks[3].1.starts_with(&start), "nanoseconds in two halves");
    }

    #[test]
    fn a_journal_without_frames_is_still_a_file() {
        assert_eq!(file(&lab()).len(), 3);
        assert_eq!(file(&[]).len(), 1);
    }

    #[test]
    fn a_very_long_comment_is_cut_between_characters() {
        let mut body = Vec::new();
        option(&mut body, COMMENT, "ä".repeat(40_000).as_bytes());
        assert_eq!(u16::from_le_bytes([body[2], body[3]]), u16::MAX - 1);
    }
}
