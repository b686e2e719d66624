//! Socket options by name. Adding one is one line: its level, its number, its C name.

use std::time::Duration;

use crate::verdict::Window;

/// One socket option with values of type `T`.
#[derive(Debug)]
pub struct SocketOption<T: OptionValue> {
    pub(super) level: i32,
    pub(super) number: i32,
    name: &'static str,
    kind: std::marker::PhantomData<fn(T) -> T>,
}

impl<T: OptionValue> SocketOption<T> {
    /// An option that this module does not have yet.
    #[must_use]
    pub const fn new(level: i32, number: i32, name: &'static str) -> Self {
        Self { level, number, name, kind: std::marker::PhantomData }
    }

    /// Its C name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name.trim_start_matches("libc::")
    }
}

impl<T: OptionValue> Clone for SocketOption<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: OptionValue> Copy for SocketOption<T> {}

/// What an option's bytes mean.
pub trait OptionValue: Sized + std::fmt::Debug + Send + 'static {
    /// The most bytes a kernel fills.
    const ROOM: u32;
    /// As the kernel wants them.
    fn to_bytes(&self) -> Vec<u8>;
    /// From what the kernel gave, if that is enough.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl OptionValue for i32 {
    const ROOM: u32 = 4;

    fn to_bytes(&self) -> Vec<u8> {
        self.to_ne_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_ne_bytes(bytes.get(..4)?.try_into().ok()?))
    }
}

/// `struct linger` (`socket(7)`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Linger {
    /// `l_onoff`.
    pub on: bool,
    /// `l_linger`, in seconds.
    pub seconds: i32,
}

impl Linger {
    /// Off, the default.
    pub const OFF: Self = Self { on: false, seconds: 0 };
    /// On with time zero: close resets the connection.
    pub const RESET: Self = Self::on(0);

    /// On, with this time in seconds.
    #[must_use]
    pub const fn on(seconds: i32) -> Self {
        Self { on: true, seconds }
    }

    /// The wait of a close that gives up, because its FIN is not acknowledged: this long.
    #[must_use]
    pub fn used_up(self) -> Window {
        Window::wheel([self.time()], "l_linger")
    }

    /// The wait of a close that has what it waited for: anything less than [`Self::used_up`].
    #[must_use]
    pub fn cut_short(self) -> Window {
        Window::new(Duration::ZERO, self.used_up().from, "less than l_linger")
    }

    fn time(self) -> Duration {
        Duration::from_secs(u64::try_from(self.seconds).unwrap_or(0))
    }
}

impl std::fmt::Debug for Linger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{}, {}}}", i32::from(self.on), self.seconds)
    }
}

impl OptionValue for Linger {
    const ROOM: u32 = 8;

    fn to_bytes(&self) -> Vec<u8> {
        [i32::from(self.on).to_ne_bytes(), self.seconds.to_ne_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let on = i32::from_bytes(bytes)? != 0;
        Some(Self { on, seconds: i32::from_bytes(bytes.get(4..)?)? })
    }
}

/// A `struct timeval`.
impl OptionValue for Duration {
    const ROOM: u32 = 16;

    fn to_bytes(&self) -> Vec<u8> {
        let seconds = i64::try_from(self.as_secs()).unwrap_or(i64::MAX);
        [seconds.to_ne_bytes(), i64::from(self.subsec_micros()).to_ne_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let word = i64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
            u64::try_from(word).ok()
        };
        Some(Self::from_secs(word(0)?) + Self::from_micros(word(8)?))
    }
}

impl OptionValue for crate::sys::tcp_info::TcpInfo {
    const ROOM: u32 = 512;

    fn to_bytes(&self) -> Vec<u8> {
        Vec::new() // the kernel takes none: TCP_INFO cannot be set
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes))
    }
}

/// Not in the `libc` crate yet (`include/uapi/linux/tcp.h`).
const TCP_RTO_MAX_MS: i32 = 44;

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $level:ident, $number:path;)*) => {$(
        $(#[$doc])*
        pub const $name: SocketOption<$kind> =
            SocketOption::new(libc::$level, $number, stringify!($number));
    )*};
}

options! {
    /// `SO_LINGER`, `socket(7)`.
    LINGER: Linger = SOL_SOCKET, libc::SO_LINGER;
    /// `SO_KEEPALIVE`, `socket(7)`.
    KEEPALIVE: i32 = SOL_SOCKET, libc::SO_KEEPALIVE;
    /// `SO_ERROR`, read-only: the pending error, taken away by reading it.
    ERROR: i32 = SOL_SOCKET, libc::SO_ERROR;
    /// `SO_RCVBUF` in bytes; the kernel doubles it.
    RCVBUF: i32 = SOL_SOCKET, libc::SO_RCVBUF;
    /// `SO_SNDBUF` in bytes; the kernel doubles it.
    SNDBUF: i32 = SOL_SOCKET, libc::SO_SNDBUF;
    /// `SO_RCVLOWAT` in bytes.
    RCVLOWAT: i32 = SOL_SOCKET, libc::SO_RCVLOWAT;
    /// `SO_RCVTIMEO`.
    RCVTIMEO: Duration = SOL_SOCKET, libc::SO_RCVTIMEO;
    /// `SO_SNDTIMEO`.
    SNDTIMEO: Duration = SOL_SOCKET, libc::SO_SNDTIMEO;
    /// `SO_REUSEADDR`.
    REUSEADDR: i32 = SOL_SOCKET, libc::SO_REUSEADDR;
    /// `SO_REUSEPORT`.
    REUSEPORT: i32 = SOL_SOCKET, libc::SO_REUSEPORT;
    /// `SO_MARK`.
    MARK: i32 = SOL_SOCKET, libc::SO_MARK;
    /// `TCP_NODELAY`, `tcp(7)`.
    NODELAY: i32 = IPPROTO_TCP, libc::TCP_NODELAY;
    /// `TCP_CORK`.
    CORK: i32 = IPPROTO_TCP, libc::TCP_CORK;
    /// `TCP_MAXSEG` in bytes.
    MAXSEG: i32 = IPPROTO_TCP, libc::TCP_MAXSEG;
    /// `TCP_KEEPIDLE` in seconds.
    KEEPIDLE: i32 = IPPROTO_TCP, libc::TCP_KEEPIDLE;
    /// `TCP_KEEPINTVL` in seconds.
    KEEPINTVL: i32 = IPPROTO_TCP, libc::TCP_KEEPINTVL;
    /// `TCP_KEEPCNT`, probes.
    KEEPCNT: i32 = IPPROTO_TCP, libc::TCP_KEEPCNT;
    /// `TCP_USER_TIMEOUT` in milliseconds.
    USER_TIMEOUT: i32 = IPPROTO_TCP, libc::TCP_USER_TIMEOUT;
    /// `TCP_LINGER2` in seconds: how long an orphaned FIN_WAIT2 lives.
    LINGER2: i32 = IPPROTO_TCP, libc::TCP_LINGER2;
    /// `TCP_SYNCNT`, SYN retransmissions.
    SYNCNT: i32 = IPPROTO_TCP, libc::TCP_SYNCNT;
    /// `TCP_THIN_LINEAR_TIMEOUTS`: the first timeouts of a thin stream do not back off.
    THIN_LINEAR_TIMEOUTS: i32 = IPPROTO_TCP, libc::TCP_THIN_LINEAR_TIMEOUTS;
    /// `TCP_RTO_MAX_MS` in milliseconds (Linux 6.15).
    RTO_MAX_MS: i32 = IPPROTO_TCP, TCP_RTO_MAX_MS;
    /// `TCP_DEFER_ACCEPT` in seconds.
    DEFER_ACCEPT: i32 = IPPROTO_TCP, libc::TCP_DEFER_ACCEPT;
    /// `TCP_QUICKACK`.
    QUICKACK: i32 = IPPROTO_TCP, libc::TCP_QUICKACK;
    /// `TCP_REPAIR`: the socket's state may be read and written, and closing it sends nothing.
    REPAIR: i32 = IPPROTO_TCP, libc::TCP_REPAIR;
    /// `TCP_INFO`, read-only.
    INFO: crate::sys::tcp_info::TcpInfo = IPPROTO_TCP, libc::TCP_INFO;
    /// `IP_RECVERR`.
    RECVERR: i32 = IPPROTO_IP, libc::IP_RECVERR;
    /// `IPV6_RECVERR`.
    RECVERR6: i32 = IPPROTO_IPV6, libc::IPV6_RECVERR;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_kernel_form() {
        for linger in [Linger::OFF, Linger::RESET, Linger::on(-1)] {
            assert_eq!(Linger::from_bytes(&linger.to_bytes()), Some(linger));
        }
        let time = Duration::from_micros(2_500_001);
        assert_eq!(Duration::from_bytes(&time.to_bytes()), Some(time));
        assert_eq!(<i32 as OptionValue>::from_bytes(&[1, 2]), None);
    }
}
