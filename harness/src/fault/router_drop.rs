//! A router that drops: a silent firewall, a hole for long packets.

use super::{
    forward::{Deed, ForwardBuilder},
    taken::Hook,
};
use crate::lab::Lab;

impl ForwardBuilder {
    pub(crate) fn router_drop(lab: &Lab) -> Self {
        let statements = vec!["counter drop".to_owned()];
        let (text, hook) = ("drops".to_owned(), Hook::Forward);
        Self::new(lab, Deed { text, statements, hook, impossible: None })
    }
}
