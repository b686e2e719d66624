//! Links and addresses of one namespace, through `rtnetlink`; [`super::neighbours`] and
//! [`super::routes`] go on with the rest.
#![allow(unsafe_code)]

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
};

use futures::{StreamExt, TryStreamExt};
use nix::errno::Errno;
use rtnetlink::{
    Handle, LinkUnspec, RouteMessageBuilder,
    packet_core::{
        ErrorMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage,
        NetlinkPayload,
    },
    packet_route::{
        RouteNetlinkMessage,
        address::{AddressAttribute, AddressHeaderFlags},
        link::{
            InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
        },
        route::RouteType,
    },
    sys::{TokioSocket, protocols::NETLINK_ROUTE},
};

pub use rtnetlink::sys::Socket;

use crate::error::{Context, Error, Result};

/// A conversation with the routing side of one network namespace.
#[derive(Debug, Clone)]
pub struct Rtnl {
    pub(super) handle: Handle,
}

/// One end of a cable to be made.
#[derive(Debug, Clone, Copy)]
pub struct LinkEnd<'a> {
    /// The namespace to put it in; `None` is the namespace of the conversation.
    pub netns: Option<RawFd>,
    /// Interface name.
    pub name: &'a str,
    /// Interface index, unique in its namespace.
    pub index: u32,
    /// Hardware address.
    pub mac: [u8; 6],
}

/// Opens the netlink socket of the calling thread's namespace, to be given to [`Rtnl::start`].
///
/// # Errors
/// The kernel refuses the socket.
pub fn socket() -> Result<Socket> {
    let open = || {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        // The kernel's own words with a refusal, and not our request repeated before them.
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        socket.set_non_blocking(true)?;
        std::io::Result::Ok(socket)
    };
    open().context(|| "open a netlink socket".to_owned())
}

/// The same for who passes messages on and waits for them.
///
/// # Errors
/// The kernel refuses the socket.
pub fn blocking_socket() -> Result<OwnedFd> {
    let socket = socket()?;
    socket.set_non_blocking(false).context(|| "let a netlink socket block".to_owned())?;
    Ok(descriptor(socket))
}

fn descriptor(socket: Socket) -> OwnedFd {
    // SAFETY: the descriptor comes straight from the socket that gives up owning it.
    unsafe { OwnedFd::from_raw_fd(Fd(socket).into_raw_fd()) }
}

impl Rtnl {
    /// Starts the conversation on the current tokio runtime.
    #[must_use]
    pub fn start(socket: Socket) -> Self {
        Self::over(descriptor(socket))
    }

    /// As [`Self::start`], over a netlink socket or what passes for one: it keeps messages whole,
    /// does not mind to whom they are addressed, and never ends.
    pub fn over(socket: OwnedFd) -> Self {
        // SAFETY: the descriptor comes straight from who gives up owning it.
        let socket = unsafe { TokioSocket::from_raw_fd(socket.into_raw_fd()) };
        let (connection, handle, _) = rtnetlink::from_socket(socket);
        tokio::spawn(connection);
        Self { handle }
    }

    /// Makes a cable with both ends in place. The near end is brought up when it stays in this
    /// namespace; the far end cannot be yet (`ENOTCONN`, `veth_open` before the peer exists).
    ///
    /// Generic segmentation offload is held to one segment a frame on both ends, so that what
    /// the taps see is what a wire would carry.
    ///
    /// # Errors
    /// The kernel has no veth, or refuses the link.
    pub async fn cable(&self, near: LinkEnd<'_>, far: LinkEnd<'_>, mtu: u32) -> Result {
        let mut message = link_end(near, mtu);
        let veth = InfoData::Veth(InfoVeth::Peer(link_end(far, mtu)));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(veth),
        ]));
        if near.netns.is_none() {
            message.header.flags |= LinkFlags::Up;
            message.header.change_mask |= LinkFlags::Up;
        }
        self.send(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL, || {
            format!("add the cable {} to {}", near.name, far.name)
        })
        .await
    }

    /// Brings an interface up or down.
    ///
    /// # Errors
    /// There is no such interface.
    pub async fn set_link(&self, index: u32, up: bool) -> Result {
        let link = LinkUnspec::new_with_index(index);
        let link = if up { link.up() } else { link.down() };
        let words = if up { "up" } else { "down" };
        self.handle
            .link()
            .set(link.build())
            .execute()
            .await
            .map_err(|error| refusal(error, || format!("set interface {index} {words}")))
    }

    /// Sets the largest packet an interface carries, in bytes.
    ///
    /// # Errors
    /// There is no such interface, or it cannot carry as little or as much.
    pub async fn set_mtu(&self, index: u32, mtu: u32) -> Result {
        let link = LinkUnspec::new_with_index(index).mtu(mtu);
        let set = self.handle.link().set(link.build()).execute().await;
        set.map_err(|error| refusal(error, || format!("set the MTU of interface {index} to {mtu}")))
    }

    /// The index of the interface of this name.
    ///
    /// # Errors
    /// There is none.
    pub async fn index_of(&self, name: &str) -> Result<u32> {
        let context = || format!("find interface {name}");
        let mut links = self.handle.link().get().match_name(name.to_owned()).execute();
        let link = links.try_next().await.map_err(|error| refusal(error, context))?;
        link.map(|link| link.header.index).ok_or_else(|| Error::system(context(), "there is none"))
    }

    /// Names an interface that is down, and holds it to one segment a frame as [`Self::cable`]
    /// does.
    ///
    /// # Errors
    /// There is no such interface, or the name is taken.
    pub async fn rename_for_single_segments(&self, index: u32, name: &str) -> Result {
        let link = LinkUnspec::new_with_index(index)
            .name(name)
            .append_extra_attribute(LinkAttribute::GsoMaxSegs(1));
        let set = self.handle.link().set(link.build()).execute().await;
        set.map_err(|error| refusal(error, || format!("name interface {index} {name}")))
    }

    /// Whether the kernel has seen an interface's carrier and lets it send.
    ///
    /// # Errors
    /// There is no such interface.
    pub async fn is_operational(&self, index: u32) -> Result<bool> {
        let link = self.link(index).await?;
        Ok(link.is_some_and(|link| link.attributes.contains(&LinkAttribute::OperState(State::Up))))
    }

    /// Whether an interface is up and nothing is known against its carrier, which is all that can
    /// be asked of a card whose driver says nothing of it (`net/core/dev.c`, `dev_get_flags`).
    ///
    /// # Errors
    /// There is no such interface.
    pub async fn is_running(&self, index: u32) -> Result<bool> {
        let link = self.link(index).await?;
        Ok(link.is_some_and(|link| link.header.flags.contains(LinkFlags::Running)))
    }

    async fn link(&self, index: u32) -> Result<Option<LinkMessage>> {
        let refused = |error| refusal(error, || format!("look at interface {index}"));
        let mut links = self.handle.link().get().match_index(index).execute();
        links.try_next().await.map_err(refused)
    }

    /// Moves an interface into another namespace, under this name and index; it arrives down,
    /// without addresses (`net/core/dev.c`, `__dev_change_net_namespace`).
    ///
    /// # Errors
    /// There is no such interface, or its name or index is taken there.
    pub async fn move_link(
        &self,
        index: u32,
        (name, new): (&str, u32),
        to: BorrowedFd<'_>,
    ) -> Result {
        let new = i32::try_from(new).map_err(|_| Error::usage(format!("index {new}")))?;
        let link = LinkUnspec::new_with_index(index)
            .name(name)
            .setns_by_fd(to.as_raw_fd())
            .append_extra_attribute(LinkAttribute::NewIfIndex(new));
        let moved = self.handle.link().set(link.build()).execute().await;
        moved.map_err(|error| refusal(error, || format!("move interface {index}")))
    }

    /// Takes an address from an interface.
    ///
    /// # Errors
    /// It does not have it.
    pub async fn delete_address(&self, index: u32, address: IpAddr, prefix: u8) -> Result {
        let message = self.handle.address().add(index, address, prefix).message_mut().clone();
        let deleted = self.handle.address().del(message).execute().await;
        deleted.map_err(|error| refusal(error, || format!("delete address {address}/{prefix}")))
    }

    /// Removes an interface, and with a cable's end the whole cable.
    ///
    /// # Errors
    /// There is no such interface.
    pub async fn delete_link(&self, index: u32) -> Result {
        let deleted = self.handle.link().del(index).execute().await;
        deleted.map_err(|error| refusal(error, || format!("delete interface {index}")))
    }

    /// Gives an interface an address, ready for use at once (no duplicate address detection);
    /// one that it has already stays.
    ///
    /// # Errors
    /// The interface is not there, or the kernel has no IPv6.
    pub async fn add_address(&self, index: u32, address: IpAddr, prefix: u8) -> Result {
        let mut request = self.handle.address().add(index, address, prefix).replace();
        if address.is_ipv6() {
            let message = request.message_mut();
            message.header.flags |= AddressHeaderFlags::Nodad;
            message.attributes.retain(|a| !matches!(a, AddressAttribute::Flags(_)));
        }
        let added = request.execute().await;
        added.map_err(|error| refusal(error, || format!("add address {address}/{prefix}")))
    }

    /// Whether the host takes what is sent to `address` for its own. An IPv6 address is there
    /// some time before that: its route is made by a work item (`net/ipv6/addrconf.c`,
    /// `addrconf_dad_work`), also where there is no duplicate to detect, and until then segments
    /// to it are lost without a trace.
    ///
    /// # Errors
    /// There is no way to the address at all.
    pub async fn is_local(&self, address: IpAddr) -> Result<bool> {
        let route = match address {
            IpAddr::V4(v4) => {
                RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(v4, 32).build()
            }
            IpAddr::V6(v6) => {
                RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(v6, 128).build()
            }
        };
        let refused = |error| refusal(error, || format!("look up the way to {address}"));
        let found = self.handle.route().get(route).execute().try_next().await.map_err(refused)?;
        Ok(found.is_some_and(|route| route.header.kind == RouteType::Local))
    }

    /// Sends one request and waits for the kernel's yes.
    pub(super) async fn send(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
        context: impl FnOnce() -> String,
    ) -> Result {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut handle = self.handle.clone();
        let mut answers = match handle.request(request) {
            Ok(answers) => answers,
            Err(error) => return Err(refusal(error, context)),
        };
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload
                && error.code.is_some()
            {
                return Err(refused(&error, context));
            }
        }
        Ok(())
    }
}

fn link_end(end: LinkEnd<'_>, mtu: u32) -> LinkMessage {
    let mut link = LinkUnspec::new_with_index(end.index)
        .name(end.name)
        .mtu(mtu)
        .address(end.mac.to_vec())
        // A veth has one for each processor otherwise, each with an object in sysfs, and nothing
        // here uses the others (`drivers/net/veth.c`, `veth_init_queues`).
        .append_extra_attribute(LinkAttribute::NumTxQueues(1))
        .append_extra_attribute(LinkAttribute::NumRxQueues(1))
        .append_extra_attribute(LinkAttribute::GsoMaxSegs(1));
    if let Some(netns) = end.netns {
        link = link.setns_by_fd(netns);
    }
    link.build()
}

pub(super) fn refusal(error: rtnetlink::Error, context: impl FnOnce() -> String) -> Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => refused(&message, context),
        other => Error::system(context(), other),
    }
}

fn refused(message: &ErrorMessage, context: impl FnOnce() -> String) -> Error {
    Error::system(context(), reason(message)).with_errno(errno(message))
}

fn errno(message: &ErrorMessage) -> Errno {
    Errno::from_raw(-message.code.map_or(0, i32::from))
}

/// The errno in words and, where the kernel sent one, its own sentence: the extended
/// acknowledgement, which the message types leave unparsed after the 16 bytes of the refused
/// header (`NLMSGERR_ATTR_MSG`, `netlink(7)`).
fn reason(message: &ErrorMessage) -> String {
    let errno = errno(message);
    match extended_ack(message.header.get(16..).unwrap_or(&[])) {
        Some(words) => format!("{errno} ({words})"),
        None => errno.to_string(),
    }
}

fn extended_ack(mut attributes: &[u8]) -> Option<String> {
    const MESSAGE: u16 = 1;
    loop {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
        let value = attributes.get(4..length)?;
        if kind == MESSAGE {
            let text = value.strip_suffix(&[0]).unwrap_or(value);
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

/// Lets a netlink socket give up its descriptor, which its own type does not offer.
struct Fd(Socket);

impl IntoRawFd for Fd {
    fn into_raw_fd(self) -> RawFd {
        let fd = self.0.as_raw_fd();
        std::mem::forget(self.0);
        fd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_own_words_are_found() {
        let text = b"Specified qdisc kind is unknown\0";
        let mut attribute = ((4 + text.len()) as u16).to_ne_bytes().to_vec();
        attribute.extend(1u16.to_ne_bytes());
        attribute.extend(text);
        assert_eq!(extended_ack(&attribute).unwrap(), "Specified qdisc kind is unknown");
        assert_eq!(extended_ack(&attribute[..9]), None);
        assert_eq!(extended_ack(&[0; 8]), None);
    }
}
