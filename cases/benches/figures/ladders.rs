//! How long the ladder of a case takes that made very many calls, from its journal to the text.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use lastack::{
    Result, Stamp,
    error::Context,
    runner::artefacts,
    wire::{Flags, Journal, Record},
};

use crate::loops::median_ms;

/// Three calls a round.
const CALLS: u32 = 100_000;

const RUNS: usize = 5;

/// The median time of a ladder of 100,000 calls and the 133,000 segments that they send, in
/// milliseconds.
///
/// # Errors
/// The journal cannot be written.
pub fn measure() -> Result<f64> {
    let file = tempfile::tempfile().context(|| "make a journal".to_owned())?;
    let journal = Journal::new(file.try_clone().context(|| "share a journal".to_owned())?);
    journal.write_all(&lab());
    for round in 0..CALLS.div_ceil(3) {
        journal.write_all(&connection(round));
    }
    let ladder = || {
        let began = Instant::now();
        let text = artefacts::ladder(&file);
        assert!(text.contains("like these") && !text.contains("is full"), "{text}");
        began.elapsed()
    };
    let elapsed: Vec<Duration> = (0..RUNS).map(|_| ladder()).collect();
    Ok(median_ms(&elapsed))
}

/// Two hosts, and a tap on the patch's port towards each.
fn lab() -> Vec<Record> {
    let host = |(tap, name): (u8, &str)| {
        let addresses = vec![IpAddr::V4(address(tap))];
        let (host, port) = (name.to_owned(), format!("to-{name}"));
        [
            Record::Host { name: host.clone(), addresses },
            Record::Tap { tap, host, near: false, name: port },
        ]
    };
    [(0, "a"), (1, "b")].into_iter().flat_map(host).collect()
}

/// One socket, connect and close, and what is on the wire meanwhile.
fn connection(round: u32) -> Vec<Record> {
    let start = i64::from(round) * 1_000_000;
    let at = |micros: i64| Stamp(1_700_000_000_000_000_000 + start + micros * 1_000);
    let port = 1_024 + u16::try_from(round).expect("there are as many ports");
    let mut records = Vec::new();
    let calls = [("socket(AF_INET, SOCK_STREAM)", "4"), ("connect(4, 10.0.0.2:80)", "0")];
    let calls = calls.into_iter().chain([("close(4)", "0")]).zip(0_u32..);
    for ((text, result), call) in calls {
        let (id, began) = (u64::from(round * 3 + call), i64::from(call) * 300);
        records.push(Record::Call {
            id,
            host: "a".to_owned(),
            process: "client".to_owned(),
            thread: "main".to_owned(),
            text: text.to_owned(),
            began: at(began),
        });
        records.push(Record::Return { id, ended: at(began + 200), result: result.to_owned() });
    }
    let segments = [
        (0, Flags::SYN, 0, 0, 310),
        (1, Flags::SYN | Flags::ACK, 0, 1, 320),
        (0, Flags::ACK, 1, 1, 330),
        (0, Flags::FIN | Flags::ACK, 1, 1, 610),
    ];
    for (from, flags, seq, ack, sent) in segments {
        let bytes = frame(from, port, flags, [seq + 7 * round, ack + 7 * round]);
        let length = u32::try_from(bytes.len()).expect("short");
        let seen = |tap, egress, micros, bytes| Record::Frame {
            tap,
            egress,
            at: at(micros),
            length,
            bytes,
        };
        records.push(seen(from, false, sent, bytes.clone()));
        records.push(seen(1 - from, true, sent + 2, bytes));
    }
    records
}

fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, host + 1)
}

/// A segment without data between `port` of host 0 and port 80 of host 1.
fn frame(from: u8, port: u16, flags: Flags, [seq, ack]: [u32; 2]) -> Vec<u8> {
    let ports = if from == 0 { [port, 80] } else { [80, port] };
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00];
    // IPv4: version and length, a total of 40 bytes, no fragment, TCP, no checksum.
    frame.extend([0x45, 0, 0, 40, 0, 7, 0x40, 0, 64, 6, 0, 0]);
    frame.extend(address(from).octets());
    frame.extend(address(1 - from).octets());
    frame.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
    frame.extend([seq, ack].iter().flat_map(|number| number.to_be_bytes()));
    // TCP: 20 bytes, the window, no checksum.
    frame.extend([5 << 4, flags.0, 0xff, 0xff, 0, 0, 0, 0]);
    frame
}
