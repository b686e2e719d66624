//! A router that remembers connections, and forgets them: a stateful firewall, a load balancer, a
//! NAT. The kernel's own connection tracking does it (`net/netfilter/nf_conntrack_proto_tcp.c`).
//!
//! The fault is that it knows less than the two ends do: an entry that was idle for too long is
//! deleted, and neither end is told.

use std::time::Duration;

use super::{
    forward::load,
    guard::Guard,
    hits::{Aim, Hits},
    taken::{Place, Takes},
};
use crate::{
    error::{Context, Error, Result},
    lab::{Ip, Lab, Router, Tracks},
    stall::pace,
    stamp::Stamp,
    sys::probe::Trial,
    verdict::Window,
    wire::Segment,
};

/// Idle time after which an established connection is forgotten, where nothing else is said:
/// the kernel's own five days.
const STOCK_IDLE: u64 = 432_000;

/// What becomes of a segment of no known connection ("invalid"), which is also not translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strangers {
    /// It is forwarded as it is, as a router without a rule for it does.
    #[default]
    Pass,
    /// It is dropped.
    Drop,
    /// Its sender is answered with a reset, as load balancers do.
    Reset,
}

/// A tracking router in the making: it takes up connections in mid-stream, forwards whatever it
/// does not know, and remembers for days, unless said otherwise.
#[must_use = "a router tracks once it is turned on"]
pub struct TrackingBuilder {
    lab: Lab,
    hidden: Option<String>,
    loose: bool,
    liberal: bool,
    strangers: Strangers,
    idle: Option<Duration>,
    aim: Aim,
}

impl Lab {
    /// A router that keeps state of every connection: a firewall, a load balancer, or, where it
    /// is [`TrackingBuilder::masquerading`], a NAT.
    pub fn router_tracks(&self) -> TrackingBuilder {
        // It sees what the router drops, and drops itself only what it does not know.
        let (place, takes) = (Place::Tracking, Takes::Nothing);
        let aim = Aim { any_fate: true, place, takes, ..Aim::default() };
        let (hidden, idle) = (None, None);
        let (loose, liberal, strangers) = (true, false, Strangers::Pass);
        TrackingBuilder { lab: self.clone(), hidden, loose, liberal, strangers, idle, aim }
    }
}

impl TrackingBuilder {
    /// Hides this host behind the router's own address, as a NAT does. What arrives for that
    /// address and belongs to no connection is answered by the router itself, with a reset,
    /// unless strangers are dropped.
    pub fn masquerading(mut self, host: &str) -> Self {
        self.hidden = Some(host.to_owned());
        self
    }

    /// Knows only connections whose handshake it has seen (`nf_conntrack_tcp_loose` 0).
    pub fn strict(mut self) -> Self {
        self.loose = false;
        self
    }

    /// Takes a segment outside the window for one of its connection, but for resets
    /// (`nf_conntrack_tcp_be_liberal`). Otherwise it is of none.
    pub fn liberal(mut self) -> Self {
        self.liberal = true;
        self
    }

    /// What becomes of segments of no known connection.
    pub fn strangers(mut self, fate: Strangers) -> Self {
        self.strangers = fate;
        self
    }

    /// Forgets an established connection after this much silence, in whole seconds
    /// (`nf_conntrack_tcp_timeout_established`).
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle = Some(time);
        self
    }

    /// Says that the case is right also when no segment passes.
    pub fn that_may_miss(mut self) -> Self {
        self.aim.may_miss = true;
        self
    }

    /// Turns it on: from now on it tracks what it forwards.
    ///
    /// # Errors
    /// The lab has no router or no such host, the router tracks already, the idle time is not in
    /// whole seconds, the kernel has no connection tracking, or the program `nft` is missing.
    pub async fn turn_on(self) -> Result<Tracking> {
        let text = self.describe();
        let context = || format!("turn on \"{text}\"");
        let router = self.lab.router().context(context)?.clone();
        let tracks = router.claim_tracking().context(context)?;
        let idle = self.idle.map_or(Ok(STOCK_IDLE), whole_seconds).context(context)?;
        let chains = self.chains(&router).context(context)?;
        let hits = Hits::of(&self.lab, &text, self.aim.clone());
        // The settings come after the rules, which load what has them.
        let loaded = Trial::Conntrack.tried(load(&router, &chains, hits));
        let mut guard = loaded.context(context)?;
        let settings = [
            ("loose", u64::from(self.loose)),
            ("be_liberal", u64::from(self.liberal)),
            ("timeout_established", idle),
        ];
        for (name, value) in settings {
            let name = format!("net.netfilter.nf_conntrack_tcp_{name}");
            let set = router.set_sysctl(&name, &value.to_string());
            Trial::Conntrack.tried(set).context(context)?;
        }
        guard.on();
        Ok(Tracking { lab: self.lab, router, guard, _tracks: tracks })
    }

    fn chains(&self, router: &Router) -> Result<String> {
        let fate = match self.strangers {
            Strangers::Pass => "counter accept",
            Strangers::Drop => "counter drop",
            Strangers::Reset => "meta l4proto tcp counter reject with tcp reset",
        };
        // A rule about states makes the kernel track at all.
        let mut chains = format!(
            " chain strangers {{\n  type filter hook forward priority 0\n  \
             ct state invalid {fate}\n }}\n"
        );
        let Some(host) = &self.hidden else { return Ok(chains) };
        let port = &router.port(host)?.name;
        let host = self.lab.host(host)?;
        let (v4, v6) = (host.ip(Ip::V4), host.ip(Ip::V6));
        chains.push_str(&format!(
            " chain nat {{\n  type nat hook postrouting priority 100\n  \
             oifname != \"{port}\" ip saddr {v4} masquerade\n  \
             oifname != \"{port}\" ip6 saddr {v6} masquerade\n }}\n"
        ));
        if self.strangers == Strangers::Drop {
            // It serves nobody itself: TCP for its own address is for a connection it forgot.
            chains.push_str(
                " chain own {\n  type filter hook input priority 0\n  \
                 meta l4proto tcp counter drop\n }\n",
            );
        }
        Ok(chains)
    }

    fn describe(&self) -> String {
        let mut text = "router tracks connections".to_owned();
        if let Some(host) = &self.hidden {
            text = format!("router masquerades {host}");
        }
        if let Some(idle) = self.idle {
            text.push_str(&format!(", forgets after {idle:?}"));
        }
        if !self.loose {
            text.push_str(", strict");
        }
        if self.liberal {
            text.push_str(", liberal");
        }
        match self.strangers {
            Strangers::Pass => {}
            Strangers::Drop => text.push_str(", drops strangers"),
            Strangers::Reset => text.push_str(", resets strangers"),
        }
        text
    }
}

fn whole_seconds(time: Duration) -> Result<u64> {
    match (time.as_secs(), time.subsec_nanos()) {
        (0, _) | (_, 1..) => Err(Error::usage(format!(
            "a tracked connection's idle time is a whole number of seconds, not {time:?}"
        ))),
        (seconds, 0) => Ok(seconds),
    }
}

/// How often to look whether everything is forgotten. A look walks the whole table, which in
/// virtual time costs more than the wait does: a thousand will do for all of it, and nobody looks
/// more closely than that.
fn looks_every(limit: Duration) -> Duration {
    pace(Duration::from_millis(5), limit / 4)
}

/// A router that tracks. Lift it, or drop it.
#[must_use = "a router stops tracking when its guard is dropped"]
pub struct Tracking {
    lab: Lab,
    router: Router,
    guard: Guard,
    /// Given back when the guard is gone.
    _tracks: Tracks,
}

impl Tracking {
    /// The segments it has seen so far, whatever became of them.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn seen(&self) -> Result<Vec<Segment>> {
        self.guard.hits().settled().await
    }

    /// How many connections it knows.
    ///
    /// # Errors
    /// The kernel refuses the list.
    pub fn known(&self) -> Result<usize> {
        self.router.tracked()
    }

    /// Loses its state at once, as a router does that fails over or starts again.
    ///
    /// # Errors
    /// The kernel refuses, or there was nothing to lose.
    pub async fn forget(&self) -> Result {
        if self.known()? == 0 {
            let seen = "it knew of none";
            return Err(Error::mismatch("router", "forgets a connection", seen));
        }
        self.router.forget()?;
        self.lab.stage().note("the router has lost its state");
        Ok(())
    }

    /// Waits until it has forgotten every connection because nothing was sent, at most this long.
    ///
    /// # Errors
    /// It still knows of one then.
    pub async fn forgets_within(&self, limit: Duration) -> Result<Stamp> {
        let began = Stamp::now();
        loop {
            let known = self.known()?;
            // A look may take its time on a busy machine: it is forgotten by now, and perhaps not
            // when the look began.
            let looked = Stamp::now();
            if known == 0 {
                self.lab.stage().note("the router has forgotten the connection");
                return Ok(looked);
            }
            let waited = looked.since(began);
            if waited > limit {
                let expected = format!("forgets every connection within {limit:?}");
                return Err(Error::mismatch("router", expected, format!("still knows {known}")));
            }
            tokio::time::sleep(looks_every(limit)).await;
        }
    }

    /// How long a connection is known that is `idle` for longer than this, from its last segment
    /// to the look of [`Self::forgets_within`] this `limit` that does not find it.
    #[must_use]
    pub fn idle_window(&self, idle: Duration, limit: Duration) -> Window {
        Window::ticks(idle, looks_every(limit), "nf_conntrack_tcp_timeout_established")
    }

    /// Forwards everything again as a router that remembers nothing.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn lift(mut self) -> Result {
        self.guard.lift().await
    }
}
