//! Spans of time and sizes as a configuration writes them: a whole number and its unit, so that nobody has to know
//! whether `keep = 24` is hours.

use std::fmt;
use std::time::Duration;

/// Units of time, the smallest first, in milliseconds.
const TIME: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Units of size, the smallest first, in bytes.
const SIZE: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A span of time like `"500ms"`, `"20s"`, `"5m"`, `"24h"` or `"7d"`; `None` for anything else.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    parse(text, &TIME).map(Duration::from_millis)
}

/// A size like `"512KiB"`, `"256MiB"` or `"2GiB"`, in bytes; `None` for anything else.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    parse(text, &SIZE)
}

/// A span of time as it would be written in a configuration: in the largest unit that is exact.
pub(crate) struct ShownDuration(pub(crate) Duration);

/// A size as it would be written in a configuration: in the largest unit that is exact.
pub(crate) struct ShownSize(pub(crate) u64);

impl fmt::Display for ShownDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX), &TIME)
    }
}

impl fmt::Display for ShownSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.0, &SIZE)
    }
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(f: &mut fmt::Formatter<'_>, amount: u64, units: &[(&str, u64)]) -> fmt::Result {
    let exact = units.iter().rev().find(|(_, factor)| amount != 0 && amount.is_multiple_of(*factor));
    let (name, factor) = exact.unwrap_or(&units[0]);
    f.pad(&format!("{}{name}", amount / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_unit_are_read_and_written_alike() {
        for (text, millis) in [("1ms", 1), ("20s", 20_000), ("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000)] {
            let span = Duration::from_millis(millis);
            assert_eq!(parse_duration(text), Some(span));
            assert_eq!(parse_duration(&ShownDuration(span).to_string()), Some(span));
        }
        assert_eq!(ShownDuration(Duration::from_millis(90_000)).to_string(), "90s");
        assert_eq!(ShownDuration(Duration::ZERO).to_string(), "0ms");
        assert_eq!(parse_duration("20 s"), Some(Duration::from_secs(20)));
        assert_eq!(
            (parse_size("256MiB"), parse_size("1GiB"), parse_size("7B")),
            (Some(256 << 20), Some(1 << 30), Some(7))
        );
        assert_eq!(ShownSize(256 << 20).to_string(), "256MiB");
        assert_eq!(ShownSize((1 << 30) + 1024).to_string(), "1048577KiB");
    }

    #[test]
    fn what_leaves_the_unit_or_the_number_open_is_refused() {
        for bad in ["", "20", "s", "-1s", "+1s", "1.5s", "1h30m", "20 sec", "20S", " 20s", "20s ", "20  s", "١s"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
        for bad in ["256", "256MB", "256mib", "1e3B", "18446744073709551615GiB", "99999999999999999999B"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
