//! The states of a TCP socket.

/// The states, each once: its name here, its kernel number, and what tools call it.
macro_rules! states {
    ($($state:ident = $number:literal $word:literal)*) => {
        /// A TCP state by its kernel number (`include/net/tcp_states.h`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum State {
            $($state = $number),*
        }

        impl State {
            /// The state with this kernel number.
            #[must_use]
            pub fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$state),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for State {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self {
                    $(Self::$state => $word),*
                })
            }
        }
    };
}

states! {
    Established = 1 "ESTABLISHED"
    SynSent = 2 "SYN_SENT"
    SynRecv = 3 "SYN_RECV"
    FinWait1 = 4 "FIN_WAIT1"
    FinWait2 = 5 "FIN_WAIT2"
    TimeWait = 6 "TIME_WAIT"
    Close = 7 "CLOSE"
    CloseWait = 8 "CLOSE_WAIT"
    LastAck = 9 "LAST_ACK"
    Listen = 10 "LISTEN"
    Closing = 11 "CLOSING"
    NewSynRecv = 12 "SYN_RECV"
}
