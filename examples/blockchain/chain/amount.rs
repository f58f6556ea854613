//! Money.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount of money in its smallest unit: whole numbers only, at most 2^53 − 1, which every language can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub(crate) struct Amount(u64);

impl Amount {
    pub(crate) const ZERO: Amount = Amount(0);
    pub(crate) const MAX: Amount = Amount((1 << 53) - 1);

    pub(crate) fn new(units: u64) -> Option<Self> {
        (units <= Self::MAX.0).then_some(Amount(units))
    }

    pub(crate) fn units(self) -> u64 {
        self.0
    }

    pub(crate) fn plus(self, other: Amount) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    pub(crate) fn minus(self, other: Amount) -> Option<Self> {
        self.0.checked_sub(other.0).map(Amount)
    }

    /// Halved `times` times.
    pub(crate) fn halved(self, times: u64) -> Self {
        Amount(u32::try_from(times).ok().and_then(|times| self.0.checked_shr(times)).unwrap_or(0))
    }
}

/// Sums saturate: what could come near [`Amount::MAX`] was never issued.
impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Self {
        amounts.fold(Amount::ZERO, |sum, amount| sum.plus(amount).unwrap_or(Amount::MAX))
    }
}

impl TryFrom<u64> for Amount {
    type Error = &'static str;

    fn try_from(units: u64) -> Result<Self, Self::Error> {
        Amount::new(units).ok_or("an amount is a whole number up to 2^53 - 1")
    }
}

impl From<Amount> for u64 {
    fn from(amount: Amount) -> u64 {
        amount.0
    }
}

impl FromStr for Amount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units: u64 = text.parse().map_err(|_| "an amount is a whole number, for example 250")?;
        Amount::try_from(units)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
