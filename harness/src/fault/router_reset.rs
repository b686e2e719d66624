//! A router that refuses with a TCP reset in the receiver's name: a firewall that wants the
//! sender to know.

use super::{
    forward::{Deed, ForwardBuilder},
    taken::Hook,
};
use crate::lab::Lab;

impl ForwardBuilder {
    pub(crate) fn router_reset(lab: &Lab) -> Self {
        let statements = vec!["counter reject with tcp reset".to_owned()];
        let (text, hook) = ("resets".to_owned(), Hook::Forward);
        Self::new(lab, Deed { text, statements, hook, impossible: None })
    }
}
