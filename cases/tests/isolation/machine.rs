//! A fingerprint of the machine: everything that a case could leave behind, but nothing that
//! changes by itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use rtnetlink::packet_route::{
    AddressFamily, address::AddressAttribute, link::LinkAttribute, neighbour::NeighbourState,
    route::RouteAttribute, route::RouteMessage,
};
use rtnetlink::{Handle, IpVersion};

use crate::common::{Checked, processes};

/// What there is, by what kind of thing it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<String, String>);

impl Fingerprint {
    /// Takes it. `own` are directories that nobody else uses.
    pub fn take(own: &[&Path]) -> Checked<Self> {
        let mut all = network()?;
        tree(Path::new("/proc/sys/net"), &mut all);
        for (number, line) in fs::read_to_string("/proc/self/mountinfo")?.lines().enumerate() {
            all.insert(format!("mount {number:04}"), line.to_owned());
        }
        for directory in own.iter().copied().chain([Path::new("/run/netns"), "/dev/shm".as_ref()]) {
            all.insert(format!("files in {}", directory.display()), names(directory));
        }
        Ok(Self(all))
    }

    /// What is different in `later`.
    pub fn compare(&self, later: &Self) -> Vec<String> {
        let keys = self.0.keys().chain(later.0.keys().filter(|key| !self.0.contains_key(*key)));
        let changed = keys.filter(|key| self.0.get(*key) != later.0.get(*key));
        changed
            .map(|key| format!("{key}: {:?}, then {:?}", self.0.get(key), later.0.get(key)))
            .collect()
    }
}

fn names(directory: &Path) -> String {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    names.sort();
    format!("{names:?}")
}

/// Every readable file below `path`, but counters that run by themselves.
fn tree(path: &Path, all: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            tree(&path, all);
        } else if !path.ends_with("nf_conntrack_count") {
            let value = fs::read_to_string(&path).unwrap_or_default();
            all.insert(path.display().to_string(), value.trim_end().to_owned());
        }
    }
}

fn network() -> Checked<BTreeMap<String, String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        let conversation = tokio::spawn(connection);
        let mut all = BTreeMap::new();
        links(&handle, &mut all).await?;
        routing(&handle, &mut all).await?;
        conversation.abort();
        Ok(all)
    })
}

async fn links(handle: &Handle, all: &mut BTreeMap<String, String>) -> Checked {
    for link in handle.link().get().execute().try_collect::<Vec<_>>().await? {
        let kept = link.attributes.iter().filter(|attribute| {
            use LinkAttribute::{Address, IfName, Mtu, Qdisc};
            matches!(attribute, IfName(_) | Mtu(_) | Address(_) | Qdisc(_))
        });
        let what = format!("{:?} {:?}", link.header.flags, kept.collect::<Vec<_>>());
        all.insert(format!("link {}", link.header.index), what);
    }
    for mut address in handle.address().get().execute().try_collect::<Vec<_>>().await? {
        // Leases are renewed.
        address.attributes.retain(|kept| !matches!(kept, AddressAttribute::CacheInfo(_)));
        all.insert(format!("address {address:?}"), String::new());
    }
    for qdisc in handle.qdisc().get().execute().try_collect::<Vec<_>>().await? {
        let header = &qdisc.header;
        all.insert(format!("qdisc {} {:?}", header.index, header.parent), format!("{header:?}"));
    }
    Ok(())
}

async fn routing(handle: &Handle, all: &mut BTreeMap<String, String>) -> Checked {
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut like = RouteMessage::default();
        like.header.address_family = family;
        for mut route in handle.route().get(like).execute().try_collect::<Vec<_>>().await? {
            route.attributes.retain(|kept| !matches!(kept, RouteAttribute::CacheInfo(_)));
            all.insert(format!("route {route:?}"), String::new());
        }
    }
    for version in [IpVersion::V4, IpVersion::V6] {
        for rule in handle.rule().get(version).execute().try_collect::<Vec<_>>().await? {
            all.insert(format!("rule {rule:?}"), String::new());
        }
    }
    for neighbour in handle.neighbours().get().execute().try_collect::<Vec<_>>().await? {
        // Others come and go with the machine's own traffic; lastack makes permanent ones.
        if neighbour.header.state == NeighbourState::Permanent {
            let key =
                format!("neighbour {:?} {:?}", neighbour.header, neighbour.attributes.first());
            all.insert(key, String::new());
        }
    }
    Ok(())
}

/// The processes, of any namespace below ours, that were started with this setting.
pub fn started_with(setting: &str) -> Vec<PathBuf> {
    let environment = |process: &Path| fs::read(process.join("environ")).unwrap_or_default();
    let ours = |process: &PathBuf| {
        environment(process).split(|byte| *byte == 0).any(|entry| entry == setting.as_bytes())
    };
    processes().into_iter().filter(ours).collect()
}
