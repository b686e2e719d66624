//! `struct tcp_info` of any kernel's length.

use std::time::Duration;

use super::tcp_state::State;

/// `TCP_INFO` as one kernel gave it. The structure grows with the kernel, so a field that this
/// kernel does not know is `None` (`include/uapi/linux/tcp.h`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpInfo(Vec<u8>);

impl TcpInfo {
    /// As many bytes as the kernel gave.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    fn byte(&self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    fn word(&self, at: usize) -> Option<u32> {
        let bytes = self.0.get(at..at + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().expect("four bytes")))
    }

    fn micros(&self, at: usize) -> Duration {
        Duration::from_micros(u64::from(self.word(at).unwrap_or(0)))
    }

    /// `tcpi_state`. A socket whose connection went on to TIME_WAIT reads CLOSE here.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        State::from_number(self.byte(0))
    }

    /// `tcpi_retransmits`: retransmission timeouts in a row without progress.
    #[must_use]
    pub fn retransmits(&self) -> u8 {
        self.byte(2)
    }

    /// `tcpi_probes`: keepalive or zero-window probes without an answer.
    #[must_use]
    pub fn probes(&self) -> u8 {
        self.byte(3)
    }

    /// `tcpi_backoff`.
    #[must_use]
    pub fn backoff(&self) -> u8 {
        self.byte(4)
    }

    /// `tcpi_rto`: the present retransmission timeout, what every time window starts from.
    #[must_use]
    pub fn rto(&self) -> Duration {
        self.micros(8)
    }

    /// `tcpi_ato`: the delayed-acknowledgement timeout.
    #[must_use]
    pub fn ato(&self) -> Duration {
        self.micros(12)
    }

    /// `tcpi_snd_mss` in bytes.
    #[must_use]
    pub fn snd_mss(&self) -> u32 {
        self.word(16).unwrap_or(0)
    }

    /// `tcpi_unacked`: segments sent and not acknowledged.
    #[must_use]
    pub fn unacked(&self) -> u32 {
        self.word(24).unwrap_or(0)
    }

    /// `tcpi_sacked`.
    #[must_use]
    pub fn sacked(&self) -> u32 {
        self.word(28).unwrap_or(0)
    }

    /// `tcpi_rtt`: the smoothed round trip.
    #[must_use]
    pub fn rtt(&self) -> Duration {
        self.micros(68)
    }

    /// `tcpi_snd_cwnd` in segments.
    #[must_use]
    pub fn snd_cwnd(&self) -> u32 {
        self.word(80).unwrap_or(0)
    }

    /// `tcpi_total_retrans`.
    #[must_use]
    pub fn total_retrans(&self) -> u32 {
        self.word(100).unwrap_or(0)
    }

    /// `tcpi_notsent_bytes`: queued and never sent (Linux 4.6).
    #[must_use]
    pub fn notsent_bytes(&self) -> Option<u32> {
        self.word(144)
    }

    /// `tcpi_snd_wnd`: the peer's last advertised window, scaled (Linux 5.4... 6.2).
    #[must_use]
    pub fn snd_wnd(&self) -> Option<u32> {
        self.word(228)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_answer_of_an_old_kernel_is_no_panic() {
        let info = TcpInfo::from_bytes(&[1, 0, 3]);
        assert_eq!(info.state(), Some(State::Established));
        assert_eq!(info.retransmits(), 3);
        assert_eq!(info.rto(), Duration::ZERO);
        assert_eq!(info.notsent_bytes(), None);
    }
}
