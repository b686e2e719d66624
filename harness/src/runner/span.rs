//! A span of time as a person says it.

use std::time::Duration;

/// "2h12m05s", "15m24s", "3.512 s".
#[must_use]
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) => format!("{:.3} s", time.as_secs_f64()),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes:02}m{seconds:02}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_spans_are_told_in_hours_and_minutes() {
        let spans = [3_512, 59_999, 60_000, 924_600, 7_925_400, 432_000_000]
            .map(|millis| span(Duration::from_millis(millis)));
        assert_eq!(spans, ["3.512 s", "59.999 s", "1m00s", "15m24s", "2h12m05s", "120h00m00s"]);
    }
}
