//! What a trace makes of frames seen at two taps.

use proptest::prelude::*;

use super::super::build::Build;
use super::super::flags::Flags;
use super::*;

const SYN: Flags = Flags::SYN;
const ACK: Flags = Flags::ACK;

fn syn_ack() -> Flags {
    Flags::SYN | Flags::ACK
}

fn fin_ack() -> Flags {
    Flags::FIN | Flags::ACK
}

/// Two hosts, a and b, joined by a patch with a tap on each port.
struct Path {
    trace: Trace,
    now: i64,
}

impl Path {
    fn new() -> Self {
        let tap =
            |host: &str| TapInfo { host: host.into(), name: format!("to-{host}"), near: false };
        Self { trace: Trace::new(vec![tap("a"), tap("b")]), now: 0 }
    }

    fn see(&mut self, tap: usize, egress: bool, frame: &[u8]) -> usize {
        self.now += 10;
        let length = u32::try_from(frame.len()).expect("short");
        let packet = Packet::read(frame, length);
        match self.trace.see(Observation { tap, egress, at: Stamp(self.now), packet }) {
            Some(Seen::Segment(index) | Seen::Stray(index)) => index,
            None => panic!("tap {tap} is known"),
        }
    }

    /// Which tap faces the sender.
    fn end(build: &Build) -> usize {
        usize::from(build.headers().src.port() == 80)
    }

    fn sends(&mut self, build: &Build) -> Segment {
        let index = self.see(Self::end(build), false, &build.frame());
        self.trace.segments()[index].clone()
    }

    fn gets(&mut self, build: &Build) -> Segment {
        let index = self.see(1 - Self::end(build), true, &build.frame());
        self.trace.segments()[index].clone()
    }

    fn carries(&mut self, build: &Build) -> Segment {
        self.sends(build);
        self.gets(build)
    }

    /// A connection from a (ISN 1000) to b (ISN 5000).
    fn connected() -> Self {
        let mut path = Self::new();
        path.carries(&Build::v4().seq(1000).flags(SYN));
        path.carries(&Build::v4().back().seq(5000).ack(1001).flags(syn_ack()));
        path.carries(&Build::v4().seq(1001).ack(5001));
        path
    }
}

#[test]
fn departure_and_arrival_are_one_segment_with_two_times() {
    let mut path = Path::connected();
    let data = path.carries(&Build::v4().seq(1001).ack(5001).payload(5));
    assert_eq!((data.from.as_str(), data.to.as_str()), ("a", "b"));
    assert_eq!((data.seq, data.ack, data.payload, data.end()), (1, 1, 5, 6));
    assert_eq!(data.arrived.unwrap().0 - data.sent.unwrap().0, 10);
    let back = path.carries(&Build::v4().back().seq(5001).ack(1006));
    assert_eq!((back.from.as_str(), back.to.as_str(), back.seq, back.ack), ("b", "a", 1, 6));
    assert_eq!(path.trace.segments().len(), 5);
    assert_eq!(path.trace.connections(), 1);
}

#[test]
fn a_near_tap_sees_its_host_send_on_egress() {
    let tap = |host: &str, near| TapInfo { host: host.into(), name: "eth0".into(), near };
    assert!(tap("a", true).departs(true) && !tap("a", true).departs(false));
    assert!(tap("a", false).departs(false) && !tap("a", false).departs(true));
}

#[test]
fn what_departs_and_never_arrives_is_swallowed() {
    let mut path = Path::connected();
    let fin = path.sends(&Build::v4().seq(1001).ack(5001).flags(fin_ack()));
    assert!(fin.swallowed() && !fin.retransmission);
    let again = path.carries(&Build::v4().id(8).seq(1001).ack(5001).flags(fin_ack()));
    assert!(!again.swallowed() && again.retransmission);
    assert!(path.trace.segments()[fin.index].swallowed());
}

#[test]
fn what_arrives_and_was_never_sent_is_from_the_middle() {
    let mut path = Path::connected();
    let rst = path.gets(&Build::v4().back().seq(5001).flags(Flags::RST));
    assert!(rst.from_middle() && !rst.swallowed());
    assert_eq!((rst.from.as_str(), rst.to.as_str(), rst.seq), ("b", "a", 1));
}

/// The router's outer address, as b sees it.
fn outside(port: u16) -> SocketAddr {
    SocketAddr::new([10, 0, 2, 254].into(), port)
}

#[test]
fn a_translated_connection_is_one_connection() {
    let mut path = Path::new();
    let there = |path: &mut Path, build: Build| {
        path.sends(&build);
        path.gets(&build.source(outside(4000)))
    };
    let back = |path: &mut Path, build: Build| {
        path.sends(&build.clone().back().destination(outside(4000)));
        path.gets(&build.back())
    };
    let syn = there(&mut path, Build::v4().seq(1000).flags(SYN));
    assert!(!syn.swallowed() && !syn.from_middle());
    let answer = back(&mut path, Build::v4().seq(5000).ack(1001).flags(syn_ack()));
    assert_eq!((answer.from.as_str(), answer.dst), ("b", syn.src));
    let data = there(&mut path, Build::v4().seq(1001).ack(5001).payload(5));
    assert_eq!((data.seq, data.connection, data.swallowed()), (1, syn.connection, false));
    assert_eq!((path.trace.connections(), path.trace.segments().len()), (1, 3));
    // The router's own answer, once it has forgotten whom it stood for.
    let lost = path.sends(&Build::v4().back().destination(outside(4000)).seq(5001).ack(1006));
    let reset = Build::v4().source(outside(4000)).seq(1006).flags(Flags::RST);
    let reset = path.gets(&reset);
    assert!(path.trace.segments()[lost.index].swallowed() && reset.from_middle());
    assert_eq!((reset.from.as_str(), reset.to.as_str(), reset.seq), ("a", "b", 6));
}

#[test]
fn a_connection_to_a_name_of_the_router_s_is_one_connection() {
    let mut path = Path::new();
    let syn = Build::v4().seq(1000).flags(SYN);
    path.see(0, false, &syn.clone().destination(outside(80)).frame());
    let syn = path.gets(&syn);
    assert_eq!((syn.dst, syn.swallowed()), (outside(80), false));
    assert_eq!(path.trace.connections(), 1);
}

#[test]
fn what_the_middle_forges_in_a_host_s_name_is_no_translation() {
    let mut path = Path::connected();
    path.sends(&Build::v4().seq(1001).ack(5001).payload(5));
    let forged = Build::v4().seq(1001).ack(5001).payload(5);
    let forged = path.gets(&forged.ports(4001, 80));
    assert!(forged.from_middle());
    assert_eq!(path.trace.connections(), 2);
}

#[test]
fn of_equal_segments_the_one_with_the_usual_journey_arrives() {
    let mut path = Path::connected();
    let ack = Build::v6().seq(1).ack(1);
    path.carries(&ack.clone());
    let lost = path.sends(&ack);
    path.now += 1_000_000_000;
    let kept = path.sends(&ack);
    assert_eq!(path.gets(&ack).index, kept.index);
    assert!(path.trace.segments()[lost.index].swallowed());
}

#[test]
fn with_a_constant_delay_equal_segments_arrive_in_the_order_they_were_sent() {
    let mut path = Path::connected();
    let ack = Build::v6().seq(1).ack(1);
    path.sends(&ack);
    path.now += 990;
    path.gets(&ack);
    let first = path.sends(&ack);
    path.now += 490;
    let second = path.sends(&ack);
    path.now += 490;
    assert_eq!(path.gets(&ack).index, first.index);
    path.now += 490;
    assert_eq!(path.gets(&ack).index, second.index);
}

#[test]
fn a_pair_of_ends_used_again_is_another_connection_with_its_own_numbers() {
    let mut path = Path::connected();
    let syn = path.carries(&Build::v4().seq(70_000).flags(SYN));
    assert_eq!((syn.seq, syn.connection, syn.retransmission), (0, 1, false));
    let answer = path.carries(&Build::v4().back().seq(90_000).ack(70_001).flags(syn_ack()));
    assert_eq!((answer.seq, answer.ack, answer.connection), (0, 1, 1));
    let late = path.carries(&Build::v4().back().seq(5001).ack(1001));
    assert_eq!((late.seq, late.ack, late.connection), (1, 1, 0));
}

#[test]
fn an_injected_syn_does_not_disturb_the_numbers_of_the_connection() {
    let mut path = Path::connected();
    path.carries(&Build::v4().seq(77_777).flags(SYN));
    let challenge = path.carries(&Build::v4().back().seq(5001).ack(1001).flags(ACK));
    assert_eq!((challenge.seq, challenge.ack, challenge.connection), (1, 1, 0));
}

#[test]
fn a_syn_sent_again_is_the_same_connection() {
    let mut path = Path::new();
    let syn = Build::v4().seq(1000).flags(SYN);
    assert!(path.sends(&syn).swallowed());
    let again = path.carries(&syn.clone().id(8));
    assert!(again.retransmission);
    assert_eq!((again.connection, again.seq), (0, 0));
}

#[test]
fn a_refusal_counts_from_its_own_number() {
    let mut path = Path::new();
    path.carries(&Build::v4().seq(1000).flags(SYN));
    let refusal = path.carries(&Build::v4().back().seq(0).ack(1001).flags(Flags::RST | ACK));
    assert_eq!((refusal.seq, refusal.ack), (0, 1));
}

#[test]
fn without_a_syn_numbers_count_from_the_first_seen() {
    let mut path = Path::new();
    let data = path.carries(&Build::v4().seq(1500).ack(9000).payload(10));
    assert_eq!((data.seq, data.ack), (0, 0));
    let ack = path.carries(&Build::v4().back().seq(9000).ack(1510));
    assert_eq!((ack.seq, ack.ack), (0, 10));
}

#[test]
fn among_many_hosts_the_receiver_is_known_once_something_arrived() {
    let tap = |host: &str| TapInfo { host: host.into(), name: host.into(), near: true };
    let mut trace = Trace::new(vec![tap("a"), tap("b"), tap("c")]);
    let mut see = |tap, egress, build: &Build| {
        let packet = Packet::read(&build.frame(), 54);
        trace.see(Observation { tap, egress, at: Stamp(1), packet });
        trace.segments().last().unwrap().clone()
    };
    let syn = Build::v4().seq(1).flags(SYN);
    assert_eq!(see(0, true, &syn).to, "10.0.0.2");
    assert_eq!(see(2, false, &syn).to, "c");
    assert_eq!(see(0, true, &syn).to, "c");
}

#[test]
fn strays_are_merged_like_segments() {
    let mut path = Path::new();
    let mut echo = Build::v4().frame();
    echo[23] = 1;
    echo[34] = 8;
    path.see(0, false, &echo);
    path.see(1, true, &echo);
    path.see(1, true, &echo);
    let [first, second] = path.trace.strays() else { panic!("{:?}", path.trace.strays()) };
    assert!(first.sent.is_some() && first.arrived.is_some());
    assert!(second.sent.is_none(), "one more than was sent");
    assert_eq!(first.what.text, "ICMP echo request");
}

#[test]
fn an_unknown_tap_is_ignored() {
    let packet = Packet::read(&Build::v4().frame(), 54);
    let mut trace = Trace::new(Vec::new());
    assert_eq!(trace.see(Observation { tap: 3, egress: true, at: Stamp(1), packet }), None);
}

proptest! {
    #[test]
    fn every_observation_is_one_end_of_one_segment(
        observations in proptest::collection::vec(
            (0_u32..4, 0_u32..4, 0_u8..32, 0_usize..3, any::<bool>(), 0_usize..2, any::<bool>()),
            0..80,
        )
    ) {
        let mut path = Path::new();
        let (mut departures, mut arrivals) = (0, 0);
        for (seq, ack, flags, payload, back, tap, egress) in observations {
            // Numbers around the wrap, so few that equal segments are common.
            let [seq, ack] = [seq, ack].map(|n| n.wrapping_sub(2));
            let build = Build::v4().seq(seq).ack(ack).flags(Flags(flags)).payload(payload);
            path.see(tap, egress, &if back { build.back() } else { build }.frame());
            *if egress { &mut arrivals } else { &mut departures } += 1;
        }
        let segments = path.trace.segments();
        prop_assert_eq!(segments.iter().filter(|it| it.sent.is_some()).count(), departures);
        prop_assert_eq!(segments.iter().filter(|it| it.arrived.is_some()).count(), arrivals);
        prop_assert!(segments.is_sorted_by_key(Segment::at));
        for (index, it) in segments.iter().enumerate() {
            prop_assert_eq!(it.index, index);
            prop_assert!(it.sent.is_none() || it.arrived.is_none() || it.sent < it.arrived);
            prop_assert!(!(it.retransmission && it.probe));
        }
    }
}
