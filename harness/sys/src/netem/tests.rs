//! What is said to the kernel, byte by byte, and what is refused before it gets that far.

use super::*;
use crate::error::ErrorKind;

const MS: Duration = Duration::from_millis(1);

/// The struct's six words and the attributes behind it.
fn parts(netem: &Netem) -> ([u32; 6], Vec<(u16, Vec<u8>)>) {
    let bytes = netem.encode();
    let (head, tail) = bytes.split_at(24);
    let head: Vec<_> = numbers(head);
    (head.try_into().unwrap(), attributes(tail))
}

fn attributes(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = usize::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
        found.push((u16::from_ne_bytes([bytes[2], bytes[3]]), bytes[4..length].to_vec()));
        bytes = &bytes[length.next_multiple_of(4)..];
    }
    found
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect()
}

fn attribute(netem: &Netem, kind: u16) -> Vec<u8> {
    let found = parts(netem).1.into_iter().find(|(it, _)| *it == kind);
    found.unwrap_or_else(|| panic!("no attribute {kind} in {netem}")).1
}

#[test]
fn the_struct_holds_what_old_kernels_know() {
    let netem = Netem::new().delay(64 * MS).jitter(32 * MS).loss(100.0).duplicate(50.0).limit(7);
    // Ticks of 64 ns; shares of 2^32 - 1.
    assert_eq!(parts(&netem).0, [1_000_000, 7, u32::MAX, 0, 0x8000_0000, 500_000]);
    assert_eq!(parts(&Netem::new().loss(1.0)).0, [0, 1000, 42_949_673, 0, 0, 0]);
}

#[test]
fn times_are_told_in_nanoseconds_too() {
    let netem = Netem::new().delay(20 * MS).jitter(5 * MS);
    assert_eq!(attribute(&netem, 10), 20_000_000_i64.to_ne_bytes());
    assert_eq!(attribute(&netem, 11), 5_000_000_i64.to_ne_bytes());
    // More than 32 bits of ticks hold: the struct says as much as it can.
    assert_eq!(parts(&Netem::new().delay(Duration::from_secs(1000))).0[0], u32::MAX);
}

#[test]
fn correlations_stand_together() {
    let netem = Netem::new().delay(MS).jitter(MS).loss(10.0).duplicate(10.0);
    let netem = netem.delay_correlation(25.0).loss_correlation(50.0).duplicate_correlation(100.0);
    assert_eq!(numbers(&attribute(&netem, 1)), [0x4000_0000, 0x8000_0000, u32::MAX]);
}

#[test]
fn reordering_has_a_gap_of_one_unless_said() {
    let netem = Netem::new().delay(MS).reorder(25.0).reorder_correlation(50.0);
    assert_eq!(parts(&netem).0[3], 1);
    assert_eq!(numbers(&attribute(&netem, 3)), [0x4000_0000, 0x8000_0000]);
    assert_eq!(parts(&netem.reorder_gap(5)).0[3], 5);
    assert_eq!(parts(&Netem::new().delay(MS)).0[3], 0);
}

#[test]
fn corruption_and_its_correlation() {
    let netem = Netem::new().corrupt(0.1).corrupt_correlation(100.0);
    assert_eq!(numbers(&attribute(&netem, 4)), [4_294_967, u32::MAX]);
}

#[test]
fn bursts_are_a_nested_model_with_what_gets_through_the_bad_state() {
    let model =
        GilbertElliott { to_bad: 50.0, to_good: 100.0, lost_in_bad: 75.0, lost_in_good: 0.0 };
    let netem = Netem::new().loss_in_bursts(model);
    assert_eq!(parts(&netem).0[2], 0, "no random loss beside it");
    let nested = attributes(&attribute(&netem, 5));
    assert_eq!(nested.len(), 1);
    assert_eq!(nested[0].0, 2);
    assert_eq!(numbers(&nested[0].1), [0x8000_0000, u32::MAX, 0x4000_0000, 0]);
}

#[test]
fn a_rate_beyond_32_bits_has_an_attribute_of_its_own() {
    let rate = Rate { bytes: 1_000_000, overhead: -4, cell: 53, cell_overhead: 5 };
    let slow = Netem::new().rate(rate);
    assert_eq!(numbers(&attribute(&slow, 6)), [1_000_000, u32::MAX - 3, 53, 5]);
    assert!(parts(&slow).1.iter().all(|(kind, _)| *kind != 8));
    let fast = Netem::new().rate(Rate::bytes(1 << 33));
    assert_eq!(numbers(&attribute(&fast, 6))[0], u32::MAX);
    assert_eq!(attribute(&fast, 8), (1_u64 << 33).to_ne_bytes());
}

#[test]
fn a_slot_is_forty_bytes() {
    let slot = Slot { packets: 3, bytes: 4, ..Slot::between(MS, 2 * MS) };
    let slot = attribute(&Netem::new().slot(slot), 12);
    let mut expected = [1_500_000_i64; 2].map(i64::to_ne_bytes).concat();
    expected.extend([3_u32, 4].map(u32::to_ne_bytes).concat());
    expected.extend([1_500_000_i64, 500_000].map(i64::to_ne_bytes).concat());
    assert_eq!(slot, expected);
    assert_eq!(slot.len(), 40);
}

#[test]
fn a_slot_that_varies_brings_its_own_table() {
    let spread = |distribution| Slot { jitter: MS, distribution, ..Slot::every(3 * MS) };
    let uniform = attribute(&Netem::new().slot(spread(Distribution::Uniform)), 13);
    let netem = Netem::new().slot(spread(Distribution::Pareto)).delay(MS).jitter(MS);
    let pareto = attribute(&netem, 13);
    assert_eq!((uniform.len(), pareto.len()), (2 * 4096, 2 * 4096));
    assert_ne!(uniform, pareto);
    assert_eq!(uniform, attribute(&netem, 2), "the delay has its own beside it");
    assert!(netem.encode().len() < usize::from(u16::MAX), "both fit one attribute");
    let even = parts(&Netem::new().slot(Slot::every(MS))).1;
    assert!(even.iter().all(|(kind, _)| *kind != 13));
}

#[test]
fn no_slot_is_told_as_one_that_is_always_open() {
    assert_eq!(attribute(&Netem::new().loss(1.0), 12), [0; 40]);
}

#[test]
fn slots_between_two_times_are_spread_around_their_middle() {
    let slot = Slot::between(2 * MS, 6 * MS);
    assert_eq!((slot.every, slot.jitter), (4 * MS, 2 * MS));
    assert_eq!(slot, Slot::between(6 * MS, 2 * MS));
    assert_eq!(Slot::between(MS, MS), Slot::every(MS));
    assert_eq!(Netem::new().slot(slot).longest_delay(), 6 * MS);
    let bell = Slot { distribution: Distribution::Normal, ..slot };
    assert_eq!(Netem::new().slot(bell).delay(MS).longest_delay(), 13 * MS);
}

#[test]
fn a_seed_is_64_bits() {
    assert_eq!(attribute(&Netem::new().loss(1.0).seed(u64::MAX), 14), [0xff; 8]);
}

#[test]
fn a_jitter_brings_its_table() {
    let netem = Netem::new().delay(MS).jitter_of(MS, Distribution::Normal);
    let table = attribute(&netem, 2);
    assert_eq!(table.len(), 2 * 4096);
    let bytes = netem.encode();
    assert!(bytes.len() < usize::from(u16::MAX), "it fits one attribute");
}

#[test]
fn a_change_says_everything_so_that_nothing_old_stays() {
    let kinds: Vec<_> = parts(&Netem::new().loss(5.0)).1.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [1, 3, 4, 6, 10, 11, 12]);
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let model =
        GilbertElliott { to_bad: 1.0, to_good: 101.0, lost_in_bad: 100.0, lost_in_good: 0.0 };
    let good = GilbertElliott { to_good: 10.0, ..model };
    let wild = Slot { jitter: 2148 * MS, ..Slot::every(3000 * MS) };
    let packets = Slot { packets: u32::MAX, ..Slot::every(MS) };
    let cells = Rate { bytes: 1, overhead: 0, cell: 0, cell_overhead: 5 };
    let heavy = Rate { bytes: 1, overhead: -15, cell: 0, cell_overhead: 0 };
    for (impossible, words) in [
        (Netem::new().loss(-1.0), "loss of -1 %"),
        (Netem::new().loss(100.1), "loss of 100.1 %"),
        (Netem::new().loss(f64::NAN), "loss of NaN %"),
        (Netem::new().duplicate(f64::INFINITY), "duplicate of inf %"),
        (Netem::new().corrupt(-0.5), "corrupt of -0.5 %"),
        (Netem::new().delay(MS).reorder(200.0), "reorder of 200 %"),
        (Netem::new().delay(MS).jitter(MS).delay_correlation(101.0), "delay correlation of 101 %"),
        (Netem::new().loss_in_bursts(model), "change to good of 101 %"),
        (Netem::new().reorder(10.0), "reorder without delay"),
        (Netem::new().delay(MS).reorder_gap(3), "a reorder gap without reorder"),
        (Netem::new().delay(MS).reorder(1.0).reorder_gap(0), "or of 0 frames"),
        (Netem::new().loss(1.0).loss_in_bursts(good), "on its own and in bursts"),
        (Netem::new().loss_in_bursts(good).loss(1.0), "on its own and in bursts"),
        (Netem::new().delay(MS).delay_correlation(5.0), "correlation of delay without any jitter"),
        (Netem::new().delay(MS).loss_correlation(5.0), "correlation of loss without any loss"),
        (Netem::new().delay(MS).jitter(2148 * MS), "the most is 2.147 s"),
        (Netem::new().delay(Duration::MAX), "delay of"),
        (Netem::new().limit(0), "limit of 0"),
        (Netem::new().rate(Rate::bytes(0)), "rate of 0"),
        (Netem::new().rate(cells), "without cells"),
        (Netem::new().rate(heavy), "overhead of -15"),
        (Netem::new().slot(Slot::every(Duration::ZERO)), "a slot every 0 s"),
        (Netem::new().slot(Slot::every(Duration::MAX)), "a slot beyond what the kernel can count"),
        (Netem::new().slot(packets), "a slot beyond what the kernel can count"),
        (Netem::new().slot(wild), "a slot's jitter of 2.148s, the most is 2.147 s"),
        (Netem::new(), "impair nothing"),
        (Netem::new().seed(1), "impair nothing"),
    ] {
        let error = impossible.check().expect_err(words);
        assert_eq!(error.kind(), ErrorKind::Usage);
        let text = error.to_string();
        assert!(text.starts_with("impossible impairment: ") && text.contains(words), "{text}");
    }
}

#[test]
fn what_can_be_is_taken() {
    let good = GilbertElliott { to_bad: 1.0, to_good: 10.0, lost_in_bad: 70.0, lost_in_good: 0.1 };
    for possible in [
        Netem::new().loss(0.0).delay(MS),
        Netem::new().loss(100.0),
        Netem::new().loss_in_bursts(good),
        Netem::new().delay(10 * MS).jitter_of(20 * MS, Distribution::Pareto),
        Netem::new().delay(MS).reorder(100.0).reorder_gap(4),
        Netem::new().limit(1),
        Netem::new().rate(Rate::bytes(u64::MAX)),
        Netem::new().slot(Slot { packets: 1, ..Slot::every(MS) }),
        // Of two times the kernel itself takes no more than 2.1 s between them.
        Netem::new().slot(Slot::between(MS, 4000 * MS)),
        Netem::new().duplicate(10.0).corrupt(1.0).seed(7),
    ] {
        assert!(possible.check().is_ok(), "{possible}");
    }
}

#[test]
fn it_reads_as_words() {
    let netem = Netem::new().delay(20 * MS).jitter_of(MS, Distribution::Normal).loss(2.5);
    assert_eq!(netem.to_string(), "delay 20ms, jitter 1ms normal, loss 2.5 %");
    let slot = Slot { packets: 2, bytes: 3000, ..Slot::between(MS, 3 * MS) };
    let words = "slot every 2ms with jitter 1ms uniform for 2 frames or 3000 bytes";
    assert_eq!(Netem::new().slot(slot).to_string(), words);
}
