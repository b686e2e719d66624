//! One process a case: what there is to run, what it needs, how it is run and judged.
//!
//! Reading order: [`registration`], [`case`] and [`registry`] say what there is, [`needs`] and [`elsewhere`] what
//! can run it, [`kernels`] where it is run; [`launch`] runs one case from start to evidence,
//! [`guests`] run many in virtual kernels, [`pool`] and [`libtest`] run whatever was chosen and
//! tell it as [`events`]. [`roles`] is how this same program becomes the processes of a case.

pub mod artefacts;
mod batch;
pub mod case;
pub mod choice;
mod door;
pub mod elsewhere;
pub mod events;
pub mod evidence;
pub mod guests;
pub mod inside;
pub mod jobs;
pub mod kernels;
pub mod launch;
pub mod libtest;
pub mod needs;
pub mod places;
pub mod pool;
pub mod protocol;
pub mod registration;
pub mod registry;
pub mod roles;
pub mod stage;
pub mod variants;
mod waiting;
mod words;
