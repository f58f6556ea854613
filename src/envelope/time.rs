//! Times and lifetimes as they stand in envelopes.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970 (UTC), from 0 to 2^53 − 1: exact in every language, floats included.
///
/// All arithmetic saturates at the ends of that range: a remote number can make a time "never", not an overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The latest time there is, in the year 2255.
    pub const MAX: Timestamp = Timestamp((1 << 53) - 1);

    /// The time `micros` µs after 1970; `None` at 2^53 and above.
    pub const fn from_micros(micros: u64) -> Option<Self> {
        if micros <= Self::MAX.0 { Some(Timestamp(micros)) } else { None }
    }

    /// The operating system's clock. The core never calls this: it is told the time.
    pub fn now() -> Self {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        Timestamp(u64::try_from(micros).unwrap_or(u64::MAX).min(Self::MAX.0))
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This time and `span` later, at most [`Timestamp::MAX`].
    pub fn plus(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_add(micros).min(Self::MAX.0))
    }

    /// This time and `span` earlier, at least 1970.
    pub fn minus(self, span: Duration) -> Self {
        Timestamp(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    /// As `2026-11-20T09:30:00.123456Z` (RFC 3339).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        f.pad(&format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"))
    }
}

/// Year, month and day of the day that is `days` after 1970-01-01 in the Gregorian calendar: counted in eras of 400
/// years that begin on 1 March, so that the leap day comes last.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    let shifted = days + 719_468; // days from 0000-03-01 to 1970-01-01
    let (era, day_of_era) = (shifted / DAYS_PER_ERA, shifted % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// How long an envelope is kept and offered to those who were away, in whole seconds (0 to 2^32 − 1).
///
/// Each node caps it by its own `keep`. Zero means live only: relayed and delivered now, never kept.
///
/// ```
/// use sealnet::envelope::Lifetime;
/// assert_eq!(Lifetime::hours(1).as_secs(), 3600);
/// assert!(Lifetime::LIVE_ONLY.is_live_only());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime(u32);

impl Lifetime {
    /// Relayed and delivered at once, never kept.
    pub const LIVE_ONLY: Lifetime = Lifetime(0);
    /// What a broadcast gets when its sender says nothing: a day.
    pub const DEFAULT: Lifetime = Lifetime::hours(24);

    /// `secs` seconds.
    pub const fn secs(secs: u32) -> Self {
        Lifetime(secs)
    }

    /// `hours` hours, at most about 136 years.
    pub const fn hours(hours: u32) -> Self {
        Lifetime(hours.saturating_mul(3600))
    }

    /// In seconds.
    pub const fn as_secs(self) -> u32 {
        self.0
    }

    /// Whether nothing of it is to be kept.
    pub const fn is_live_only(self) -> bool {
        self.0 == 0
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Lifetime::DEFAULT
    }
}

impl From<Lifetime> for Duration {
    fn from(lifetime: Lifetime) -> Duration {
        Duration::from_secs(lifetime.0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_says() {
        // Known answers of `date -u -d @SECONDS`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000007Z"),
            (951_782_399, "2000-02-28T23:59:59.000007Z"),
            (951_782_400, "2000-02-29T00:00:00.000007Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000007Z"),
            (1_709_251_200, "2024-03-01T00:00:00.000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000007Z"),
        ] {
            assert_eq!(Timestamp::from_micros(seconds * 1_000_000 + 7).unwrap().to_string(), text);
        }
    }

    #[test]
    fn arithmetic_with_remote_numbers_saturates() {
        assert_eq!(Timestamp::MAX.plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::default().minus(Duration::MAX), Timestamp::default());
        assert_eq!(Timestamp::default().since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::from_micros(1 << 53), None);
        assert_eq!(Lifetime::hours(u32::MAX).as_secs(), u32::MAX);
    }
}
