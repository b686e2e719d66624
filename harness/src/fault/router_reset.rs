//! A router that refuses with a TCP reset in the receiver's name: a firewall that wants the
//! sender to know.

use super::{
    forward::{Deed, ForwardBuilder},
    taken::Hook,
};
use crate::lab::Lab;

impl Lab {
    /// A router that answers what it should forward with a TCP reset in the receiver's name.
    pub fn router_resets(&self) -> ForwardBuilder {
        let statements = vec!["counter reject with tcp reset".to_owned()];
        let (text, hook) = ("resets".to_owned(), Hook::Forward);
        ForwardBuilder::new(self, Deed { text, statements, hook, impossible: None })
    }
}
