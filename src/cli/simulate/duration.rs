//! Times on the command line: a whole number and its unit.

use std::time::Duration;

/// Reads a time like `250ms`, `10s`, `5m` or `2h`, at most a year.
pub(in crate::cli) fn parse(text: &str) -> Result<Duration, String> {
    let error = || "write a whole number and its unit, like 250ms, 10s, 5m or 2h, at most a year".to_owned();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| error())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(error()),
    };
    let millis = number.checked_mul(millis).filter(|millis| *millis <= 365 * 24 * 3_600_000);
    millis.map(Duration::from_millis).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_number_and_a_unit() {
        for (text, millis) in [("0s", 0), ("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)));
        }
        for text in
            ["", "5", "s", "-5s", "1.5s", "5 s", "5d", "99999999999999999999s", "9000h", "18446744073709551615h"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
