//! What a case file needs: `use lastack::prelude::*;`

pub use std::time::Duration;

pub use futures::try_join;
pub use libc;
pub use nix::{errno::Errno, sys::signal::Signal, sys::wait::WaitStatus};

pub use crate::error::{Context, Error, Result};
pub use crate::fault::{Death, IcmpError, Impairment, Kill, Misroute, Strangers, packets};
pub use crate::lab::{Host, HostKind, Ip, Lab, Neighbours, Router, SocketView};
pub use crate::process::option::{self, Linger};
pub use crate::process::{Events, Keepalive, Process, ProcessEnd, Socket};
pub use crate::runner::needs::Need;
pub use crate::runner::registration::Family;
pub use crate::runner::variants::Variants;
pub use crate::scene::{CloseKind, End, PORT, Pair, Scene, Unacknowledged};
pub use crate::stamp::Stamp;
pub use crate::sys::netem::{Distribution, GilbertElliott, Netem, Rate, Slot};
pub use crate::sys::signals::Disposition;
pub use crate::sys::sock_diag::{State, Timer};
pub use crate::verdict::{
    Drained, GiveUp, Outcome, Wheel, Window, at_least, at_most, check, check_that, excuse,
    less_than, more_than, refused, same, stalled, timers,
};
pub use crate::wire::{Flags, Mark, Segment, Wire, pattern::*};
