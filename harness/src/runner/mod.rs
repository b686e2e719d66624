//! One process a case: what there is to run, what it needs, how it is run and judged.
//!
//! Reading order: [`registration`], [`case`], [`catalogue`] and [`registry`] say what there is,
//! [`needs`] and [`elsewhere`] what can run it, [`kernels`] where it is run; [`launch`] runs one
//! case from start to evidence, [`virtual_kernels`] run many, [`pool`] runs whatever was chosen and
//! tells it as [`events`], whose consumers are in [`report`](crate::report). [`policy`] says what
//! counts as what, [`shard`] which cases are this machine's; [`history`] keeps a [`record`]. [`roles`] is how this same program becomes the processes of a case.

pub mod artefacts;
mod batch;
pub mod case;
pub mod case_process;
pub mod catalogue;
pub mod choice;
mod door;
pub mod elsewhere;
pub mod events;
pub mod evidence;
pub mod history;
pub mod inside;
pub mod jobs;
mod keeper;
pub mod kernels;
pub mod launch;
pub mod needs;
pub mod places;
pub mod policy;
pub mod pool;
pub mod protocol;
pub mod record;
pub mod registration;
pub mod registry;
pub mod roles;
pub mod shard;
pub mod span;

pub mod variants;
pub mod virtual_kernels;
mod words;
