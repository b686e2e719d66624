//! The patch's wiring: traffic control on its ports.
//!
//! A frame that enters one port is redirected to the others inside the kernel: a `clsact` qdisc
//! with a `u32` classifier and the `mirred` action (`net/sched/cls_u32.c`, `act_mirred.c`), which
//! every distribution kernel has. A bridge would do the same and cost some 20 ms of
//! machine-wide lock whenever a lab is torn down.

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    tc::{
        TcAction, TcActionAttribute, TcActionGeneric, TcActionMirror, TcActionMirrorOption,
        TcActionOption, TcActionType, TcAttribute, TcFilterU32, TcFilterU32Option, TcHandle,
        TcMessage, TcMirror, TcMirrorActionType, TcOption, TcU32Key, TcU32Selector,
        TcU32SelectorFlags,
    },
};

use super::rtnl::Rtnl;
use crate::error::Result;

const CLSACT: &str = "clsact";
/// `TC_H_CLSACT` and the ingress hook under it, `TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)`.
const CLSACT_PARENT: u32 = 0xffff_fff1;
const INGRESS: u32 = 0xffff_fff2;
const ETH_P_ALL: u16 = 3;
/// The loopback's index, the same in every namespace (`LOOPBACK_IFINDEX`).
pub const LOOPBACK: u32 = 1;

/// Where in a frame to look, counted from the network header: a 32-bit word under a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Offset in bytes from the network header; the Ethernet header is before it.
    pub offset: i32,
    /// Which bits count.
    pub mask: u32,
    /// What they must be.
    pub value: u32,
}

impl Key {
    /// Matches every frame.
    pub const ANY: Self = Self { offset: 0, mask: 0, value: 0 };

    /// Matches frames for the hardware address `mac`.
    #[must_use]
    pub fn destination(mac: [u8; 6]) -> [Self; 2] {
        let [a, b, c, d, e, f] = mac;
        [
            Self { offset: -16, mask: 0xffff, value: u32::from_be_bytes([0, 0, a, b]) },
            Self { offset: -12, mask: 0xffff_ffff, value: u32::from_be_bytes([c, d, e, f]) },
        ]
    }

    /// Matches frames for everybody: broadcast and multicast, by the group bit of the address.
    pub const GROUP: Self = Self { offset: -16, mask: 0x100, value: 0x100 };
}

/// What happens to the frames a filter matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Out of each of these ports.
    Forward(Vec<u32>),
    /// Nowhere: round the loopback into the patch's own stack, which is not the frame's
    /// destination (`PACKET_OTHERHOST`, `net/ipv4/ip_input.c ip_rcv`), so it ends there. This works
    /// on kernels without the `gact` drop action too, and where packet rules wait behind the
    /// filter, which would forward what it let be. The loopback must be up.
    Swallow,
}

impl Rtnl {
    /// Makes a port ready for filters.
    ///
    /// # Errors
    /// The kernel has no `clsact` qdisc.
    pub async fn add_clsact(&self, port: u32) -> Result {
        let mut message = TcMessage::with_index(port as i32);
        message.header.parent = TcHandle::from(CLSACT_PARENT);
        message.header.handle = TcHandle { major: 0xffff, minor: 0 };
        message.attributes.push(TcAttribute::Kind(CLSACT.to_owned()));
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.send(RouteNetlinkMessage::NewQueueDiscipline(message), flags, || {
            format!("add clsact on patch port {port}")
        })
        .await
        .map_err(|error| error.advise("the kernel needs CONFIG_NET_SCH_INGRESS"))
    }

    /// Adds a filter to what enters `port`. Filters are tried by rising `priority`, those of one
    /// priority in the order of their coming.
    ///
    /// # Errors
    /// The kernel lacks `u32` or `mirred`.
    pub async fn add_filter(
        &self,
        port: u32,
        priority: u16,
        words: &[Key],
        fate: &Action,
    ) -> Result {
        let mut selector = TcU32Selector::default();
        selector.flags = TcU32SelectorFlags::Terminal;
        selector.nkeys = words.len() as u8;
        selector.keys = words.iter().map(key).collect();
        let mut options = vec![TcOption::U32(TcFilterU32Option::Selector(selector))];
        let ports = match fate {
            Action::Forward(ports) => ports.as_slice(),
            Action::Swallow => &[LOOPBACK],
        };
        let last = ports.len().saturating_sub(1);
        let actions = ports.iter().enumerate().map(|(n, to)| mirred(n, *to, n == last));
        options.push(TcOption::U32(TcFilterU32Option::Action(actions.collect())));
        let mut message = ingress(port, priority);
        message.attributes.push(TcAttribute::Kind(TcFilterU32::KIND.to_owned()));
        message.attributes.push(TcAttribute::Options(options));
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.send(RouteNetlinkMessage::NewTrafficFilter(message), flags, || {
            format!("add filter {priority} on patch port {port}")
        })
        .await
        .map_err(|error| {
            error.advise("the kernel needs CONFIG_NET_CLS_U32 and CONFIG_NET_ACT_MIRRED")
        })
    }

    /// Takes all filters of this priority away.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_filter(&self, port: u32, priority: u16) -> Result {
        let message = RouteNetlinkMessage::DelTrafficFilter(ingress(port, priority));
        self.send(message, 0, || format!("delete filter {priority} on patch port {port}")).await
    }
}

fn ingress(port: u32, priority: u16) -> TcMessage {
    let mut message = TcMessage::with_index(port as i32);
    message.header.parent = TcHandle::from(INGRESS);
    message.header.info = (u32::from(priority) << 16) | u32::from(ETH_P_ALL.to_be());
    message
}

fn key(word: &Key) -> TcU32Key {
    let mut key = TcU32Key::default();
    key.mask = word.mask;
    key.val = word.value;
    key.off = word.offset;
    key
}

/// The `n`-th action of a filter: the last takes the frame, those before it take copies.
fn mirred(n: usize, to: u32, last: bool) -> TcAction {
    let (action, fate) = if last {
        (TcMirrorActionType::EgressRedir, TcActionType::Stolen)
    } else {
        (TcMirrorActionType::EgressMirror, TcActionType::Pipe)
    };
    let mut parameters = TcMirror::default();
    parameters.generic = TcActionGeneric::default();
    parameters.generic.action = fate;
    parameters.eaction = action;
    parameters.ifindex = to;
    let mut mirred = TcAction::default();
    mirred.tab = n as u16 + 1;
    mirred.attributes = vec![
        TcActionAttribute::Kind(TcActionMirror::KIND.to_owned()),
        TcActionAttribute::Options(vec![TcActionOption::Mirror(TcActionMirrorOption::Parms(
            parameters,
        ))]),
    ];
    mirred
}
