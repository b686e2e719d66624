//! One process a case: what there is to run, what it needs, how it is run and judged.
//!
//! Reading order: [`case`] and [`registry`] say what there is, [`needs`] whether it can run
//! here, [`launch`] runs one case from start to evidence, [`pool`] and [`libtest`] run many and
//! tell it as [`events`]. [`roles`] is how this same program becomes the processes of a case.

pub mod artefacts;
pub mod case;
pub mod choice;
mod door;
pub mod events;
pub mod evidence;
pub mod jobs;
pub mod launch;
pub mod libtest;
pub mod needs;
pub mod places;
pub mod pool;
pub mod protocol;
pub mod registry;
pub mod roles;
pub mod stage;
