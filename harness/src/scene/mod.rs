//! What a case is given: the means to build labs, and stories to begin with.
//!
//! [`Scene`] is where a case starts. A [`Pair`] is a connection between two processes; its [`End`]s
//! leave it by a [`CloseKind`], or write data that stays [`Unacknowledged`].

use std::sync::Arc;

use crate::{
    error::Result,
    lab::{Host, LabBuilder, Labs},
    stage::{Keeper, Stage},
    wire::Journal,
};

mod close_kind;
mod pair;
mod unacknowledged;

pub use close_kind::CloseKind;
pub use pair::{End, PORT, Pair, PairBuilder};
pub use unacknowledged::{InFlight, Unacknowledged};

/// What one case is given. Clones are the same one.
#[derive(Clone)]
pub struct Scene(Labs);

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scene")
    }
}

impl Scene {
    pub(crate) fn new(journal: Journal, keeper: Arc<dyn Keeper>) -> Self {
        Self(Labs::new(Stage::new(journal, keeper)))
    }

    /// A lab of its own: two hosts `a` and `b` joined through a patch, unless said otherwise.
    pub fn lab(&self) -> LabBuilder {
        self.0.build()
    }

    /// A lab with an established connection from a process on host `a` to one on host `b`.
    pub fn pair(&self) -> PairBuilder {
        PairBuilder::new(self)
    }

    /// Writes a line into the story, where the ladder will show it.
    pub fn note(&self, text: impl Into<String>) {
        self.0.stage().note(text);
    }

    pub(crate) fn hosts(&self) -> Vec<Host> {
        self.0.hosts()
    }

    /// Asks every wire whether it saw everything, and every fault whether it acted.
    pub(crate) async fn inspect(&self) -> Result {
        for wire in self.0.wires() {
            wire.settle().await?;
        }
        self.0.stage().inspect()
    }

    /// Ends the story: all that was on the wires by now is in it, and nothing that comes later,
    /// such as the resets of teardown.
    pub(crate) fn close_book(&self) {
        for wire in self.0.wires() {
            // A wire that has lost frames has said so where it mattered.
            let _ = futures::executor::block_on(wire.settle());
        }
        self.note("the case ended");
        self.0.stage().journal().close();
    }

    /// The sockets of every host, as text.
    pub(crate) fn states(&self) -> String {
        self.hosts().iter().map(Host::states).collect()
    }
}
