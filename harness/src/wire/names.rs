//! What a pattern names must be there: of a host that the lab does not have no segment is ever
//! seen, so its absence would say nothing.

use std::net::SocketAddr;

use super::pattern::{Names, Pattern};
use super::trace::Trace;
use super::{Mark, Segment, Wire};
use lastack_sys::error::{Error, Result};

impl Wire {
    /// Whether all that is named can be on this wire.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind): what is not, and what there is.
    pub(super) fn knows<'p>(
        &self,
        start: Mark,
        patterns: impl IntoIterator<Item = &'p Pattern>,
    ) -> Result {
        let knowledge = self.observer.knowledge();
        let trace = &knowledge.trace;
        let there = trace.segments().len();
        if start.0 > there {
            let after = start.0;
            return Err(Error::usage(format!(
                "a position after {after} segments is not of this wire, which has seen {there}"
            )));
        }
        patterns.into_iter().try_for_each(|pattern| {
            check(trace, pattern.names())
                .map_err(|why| Error::usage(format!("the pattern \"{pattern}\": {why}")))
        })
    }

    /// Whether there is such a host on this wire.
    pub(super) fn knows_host(&self, host: &str) -> Result {
        let names = Names { hosts: vec![host.to_owned()], ..Names::default() };
        check(&self.observer.knowledge().trace, &names).map_err(Error::usage)
    }

    /// Whether the connection of this segment is on this wire.
    pub(super) fn knows_connection(&self, of: &Segment) -> Result {
        let connections = vec![(of.connection, of.src, of.dst)];
        let names = Names { connections, ..Names::default() };
        check(&self.observer.knowledge().trace, &names).map_err(Error::usage)
    }
}

/// What is named and not there, in words.
fn check(trace: &Trace, names: &Names) -> Result<(), String> {
    let taps = trace.taps();
    let has = |host: &String| taps.iter().any(|tap| tap.host == *host);
    if let Some(host) = names.hosts.iter().find(|host| !has(host)) {
        let mut hosts: Vec<_> = taps.iter().map(|tap| tap.host.as_str()).collect();
        hosts.dedup();
        return Err(format!("no host {host} on this wire; it has {}", hosts.join(", ")));
    }
    if names.middle && !taps.is_empty() && taps.iter().all(|tap| tap.near) {
        return Err("there is no middle on this wire; a cable joins its hosts".to_owned());
    }
    let known = |(number, src, dst): &&(usize, SocketAddr, SocketAddr)| {
        trace.is_connection(*number, *src, *dst)
    };
    match names.connections.iter().find(|it| !known(it)) {
        Some((_, src, dst)) => Err(format!(
            "no connection {src} <> {dst} on this wire; the segment that names it is another's"
        )),
        None => Ok(()),
    }
}
