//! Data that nobody acknowledges: how the stories begin in which an end of a connection gives up.
//! And SYNs that nobody answers.

use std::time::Duration;

use nix::errno::Errno;

use super::Pair;
use crate::{
    error::{Error, Result},
    fault::BlackHole,
    lab::{Host, Lab},
    stamp::Stamp,
    verdict::{
        Outcome, Window, excuse, same, stalled,
        timers::{self, GiveUp},
    },
    wire::{
        Retries, Segment, Wire,
        pattern::{any, data, syn, syn_ack},
    },
};

/// What became of a lone write that nobody acknowledged.
#[derive(Debug, Clone)]
pub struct Unacknowledged {
    /// The read that heard of the end.
    pub told: Outcome<Vec<u8>>,
    /// What was sent again until then.
    pub retries: Retries,
    /// The retransmission timeout before the write.
    pub rto: Duration,
}

impl Unacknowledged {
    /// Says whether it was given up by this rule.
    ///
    /// # Errors
    /// As [`GiveUp::judge`].
    pub fn judge(&self, rule: &GiveUp) -> Result {
        rule.judge(&self.retries, self.told.ended())
    }
}

/// Data in flight that a black hole swallows, and that has met its first timeout. Nothing gets
/// through for as long as this is kept.
#[must_use = "what is in flight gets through when this is dropped"]
pub struct InFlight {
    /// What the first timeout sent.
    pub first_timeout: Segment,
    /// When it will be given up, by the limit it was put in flight with.
    pub end: GiveUp,
    _hole: BlackHole,
}

impl Pair {
    /// The error of a case that needs another retransmission timeout at `a` than this. It is the
    /// machine's fault if the handshake took so long that the timeout had to be this.
    ///
    /// # Errors
    /// The handshake was not seen.
    pub async fn unexpected_rto(&self, rto: Duration) -> Result<Error> {
        let asked = self.wire().expect(syn().from("a")).await?;
        let answered = self.wire().expect(syn_ack().from("b").arrived(true)).await?;
        let heard = answered.arrived.unwrap_or_else(|| answered.at());
        let error = Error::mismatch(
            "the retransmission timeout",
            "that of a handshake that takes no time",
            format!("{rto:?}"),
        );
        let floor = match self.a.host().sysctl("net.ipv4.tcp_rto_min_us") {
            Ok(set) => Duration::from_micros(set.trim().parse().unwrap_or_default()),
            Err(_) => timers::RTO_MIN,
        };
        let slow = heard.since(asked.at()).max(stalled(asked.at(), heard));
        Ok(excuse(error, slow, timers::least_round_trip(rto, floor)))
    }

    /// Lets `a` write where a fault keeps `b` or its answers away, until a read at `a` fails with
    /// this errno and nothing is left of the connection there.
    ///
    /// # Errors
    /// It ends otherwise, or without a retransmission timeout.
    pub async fn write_unacknowledged(&self, errno: Errno) -> Result<Unacknowledged> {
        let a = &self.a;
        let rto = a.rto().await?;
        a.write("is anybody there?").ok().await?;
        let told = a.read(100).errno(errno).await?;
        a.kernel().is_gone().await?;
        let first = self.wire().expect(data().from("a")).await?;
        Ok(Unacknowledged { told, retries: self.wire().retries_of(&first).await?, rto })
    }

    /// Lets `a` write what its own host has no way to send. It waits under the persist timer, never
    /// in flight, until a blocked read hears of the end: after `retries` (`tcp_retries2`) probes
    /// that never leave, and one more interval. Only IPv6 remembers `why` it could not send what it
    /// never sent; IPv4 keeps that for retransmissions (`tcp_timer.c`, `tcp_probe_timer`;
    /// `inet6_connection_sock.c`, `inet6_csk_xmit`).
    ///
    /// # Errors
    /// It ends otherwise, or at another time.
    pub async fn write_that_never_leaves(&self, retries: u32, why: Errno) -> Result {
        let a = &self.a;
        let rto = a.rto().await?;
        let reading = a.read(1).on("reader").blocks().await?;
        let began = Stamp::now();
        a.write("hello?").ok().await?;
        a.kernel().probes_the_window().await?;
        same("in flight", 0, a.info().ok().await?.unacked())?;

        let errno = if a.local_address().is_ipv6() { why } else { Errno::ETIMEDOUT };
        let failed = reading.done().await?.errno(errno)?;
        let waits = timers::nothing_leaves(retries, rto, timers::RTO_MAX);
        Window::wheel(waits, "tcp_retries2 probes that never leave, and one more interval")
            .judge_between("the end after the write", began, failed.ended())
    }

    /// Lets `a` write into a black hole and waits for its first timeout; `retries` is its host's
    /// `tcp_retries2`.
    ///
    /// # Errors
    /// The lab has no patch, or no timeout comes.
    pub async fn data_in_flight(&self, retries: u32) -> Result<InFlight> {
        let rto = self.a.rto().await?;
        let hole = self.lab.black_hole().open().await?;
        self.a.write("is anybody there?").ok().await?;
        // The tail loss probe comes first.
        let again = data().from("a").retransmitted(true).arrived(false);
        let within = Duration::from_secs(2);
        let sent = self.wire().in_order(Wire::start(), [again.clone(), again], within).await?;
        let [_, first_timeout] = &sent[..] else { unreachable!("two were asked for") };
        let end = GiveUp::of(retries, rto);
        Ok(InFlight { first_timeout: first_timeout.clone(), end, _hole: hole })
    }
}

impl Host {
    /// When the SYNs of a `connect` from here go out that nobody answers, and when it fails, by
    /// this host's `tcp_syn_retries` and, from Linux 6.5 on, its `tcp_syn_linear_timeouts`; see
    /// [`timers::connect`].
    ///
    /// # Errors
    /// There is no telling these values.
    pub fn unanswered_connect(&self) -> Result<(Vec<Duration>, Duration)> {
        let value = |name: &str| {
            let read = self.sysctl(name)?;
            read.trim().parse().map_err(|_| Error::mismatch(name, "a number", read))
        };
        let linear = "net.ipv4.tcp_syn_linear_timeouts";
        let linear = if self.has_sysctl(linear)? { value(linear)? } else { 0 };
        Ok(timers::connect(value("net.ipv4.tcp_syn_retries")?, linear))
    }
}

impl Lab {
    /// Says whether a `connect` from `a` that nobody answered sent a SYN at each of these times,
    /// and was told ETIMEDOUT at the `end` of them. Its SYNs, which are all that `a` sent.
    ///
    /// # Errors
    /// It was told otherwise, or there were other SYNs.
    pub async fn judge_unanswered_connect(
        &self,
        told: Outcome<()>,
        (times, end): &(Vec<Duration>, Duration),
    ) -> Result<Vec<Segment>> {
        let waits = times.iter().zip(times[1..].iter().chain([end]));
        let waits: Vec<_> = waits.map(|(one, next)| *next - *one).collect();
        let told = told.errno(Errno::ETIMEDOUT)?;
        told.took_within(&Window::wheel(waits.clone(), "every SYN's wait"))?;
        let syns = vec![syn().from("a"); times.len()];
        let sent = self.wire().exactly(Wire::start(), syns).among(any().from("a")).await?;
        for (pair, wait) in sent.windows(2).zip(waits) {
            let window = Window::wheel([wait], "as long as the last, or twice");
            window.judge_between("a SYN was sent again", pair[0].at(), pair[1].at())?;
        }
        Ok(sent)
    }
}
