//! How a fault ends: when it is told to, or else when its guard is dropped, and once.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::hits::Hits;
use crate::{
    error::{Context, Result},
    lab::{Card, Host},
    sys::rtnl::{self, Rtnl},
};

type Undo<T> = Box<dyn FnOnce(T) -> BoxFuture<'static, Result> + Send>;

/// What undoes a fault, and the netlink conversation it takes.
enum Means {
    /// With the middle of the lab.
    Middle(Rtnl, Undo<Rtnl>),
    /// With a host about its network card, while it lives.
    Host(Host, Undo<Card>),
}

/// The part that the guards of all faults share: the record of its hits, and what undoes it.
pub(super) struct Guard {
    hits: Arc<Hits>,
    means: Option<Means>,
    on: bool,
}

impl Guard {
    /// Keeps what undoes a fault in the middle of the lab, from before it begins to act: one that
    /// has begun and fails half-way is undone as well.
    pub(super) fn in_middle<F: Future<Output = Result> + Send + 'static>(
        middle: &Rtnl,
        hits: Arc<Hits>,
        undo: impl FnOnce(Rtnl) -> F + Send + 'static,
    ) -> Self {
        let undo: Undo<Rtnl> = Box::new(|rtnl| Box::pin(undo(rtnl)));
        Self { hits, means: Some(Means::Middle(middle.clone(), undo)), on: false }
    }

    /// The same of a fault on a host.
    pub(super) fn on_host<F: Future<Output = Result> + Send + 'static>(
        host: &Host,
        hits: Arc<Hits>,
        undo: impl FnOnce(Card) -> F + Send + 'static,
    ) -> Self {
        let undo: Undo<Card> = Box::new(|card| Box::pin(undo(card)));
        Self { hits, means: Some(Means::Host(host.clone(), undo)), on: false }
    }

    /// Notes that the fault acts from now on.
    pub(super) fn on(&mut self) {
        self.on = true;
        self.hits.on();
    }

    pub(super) fn hits(&self) -> &Hits {
        &self.hits
    }

    /// Undoes the fault. It acts no more from then on, also where that fails.
    ///
    /// # Errors
    /// Its host has died meanwhile, or the kernel refuses.
    pub(super) async fn lift(&mut self) -> Result {
        let undone = match self.means.take() {
            None => return Ok(()),
            Some(Means::Middle(rtnl, undo)) => undo(rtnl).await,
            Some(Means::Host(host, undo)) => match host.card() {
                Ok(card) => undo(card).await,
                Err(dead) => Err(dead),
            },
        };
        self.off();
        undone.context(|| format!("lift the fault ({})", self.hits.text()))
    }

    fn off(&mut self) {
        if std::mem::take(&mut self.on) {
            self.hits.off();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A case that panics is ending, and its evidence should show what it panicked over, not
        // what gets through afterwards.
        if std::thread::panicking() {
            return;
        }
        match self.means.take() {
            None => return,
            Some(Means::Middle(_, undo)) => lift_aside(undo),
            // A dead host has nothing to be set right.
            Some(Means::Host(host, _)) if host.alive(|_| ()).is_err() => return,
            Some(Means::Host(host, undo)) => lift_aside_on(&host, undo),
        }
        self.off();
    }
}

/// Lifts a fault in a `drop`, which cannot wait for the runtime it happens on: a thread with a
/// runtime of its own does it, in a netlink conversation of its own about the patch.
fn lift_aside<F: Future<Output = Result>>(lift: impl FnOnce(Rtnl) -> F + Send + 'static) {
    aside(async move || lift(Rtnl::start(rtnl::socket()?)).await);
}

/// As [`lift_aside`], the conversation being about a host's network card.
fn lift_aside_on<F: Future<Output = Result>>(
    host: &Host,
    lift: impl FnOnce(Card) -> F + Send + 'static,
) {
    let host = host.clone();
    aside(async move || lift(host.card_aside()?).await);
}

fn aside(act: impl AsyncFnOnce() -> Result + Send + 'static) {
    let aside = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(act()).ok()
    };
    // A case that is ending anyway may fail here and loses nothing.
    let _ = std::thread::spawn(aside).join();
}
