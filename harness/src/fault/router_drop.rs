//! A router that drops: a silent firewall, a hole for long packets.

use super::{
    forward::{Deed, ForwardBuilder},
    taken::Hook,
};
use crate::lab::Lab;

impl Lab {
    /// A router that forwards in silence nothing, or not all.
    pub fn router_drops(&self) -> ForwardBuilder {
        let statements = vec!["counter drop".to_owned()];
        let (text, hook) = ("drops".to_owned(), Hook::Forward);
        ForwardBuilder::new(self, Deed { text, statements, hook, impossible: None })
    }
}
