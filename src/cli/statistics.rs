//! Statistics of what was measured.

use serde::Serialize;

pub(super) use crate::sim::statistics::figures::percentile;

/// What several measurements of the same thing came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    /// The middle one; of an even number, the mean of the two in the middle.
    pub(super) median: f64,
    /// The least.
    pub(super) min: f64,
    /// The most.
    pub(super) max: f64,
}

impl Spread {
    /// The spread of these values; `None` without any.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let upper = values.get(values.len() / 2)?;
        let lower = values.get((values.len() - 1) / 2)?;
        Some(Spread { median: f64::midpoint(*lower, *upper), min, max })
    }
}

/// `part` for each of `whole`; zero where there is nothing to divide by.
pub(super) fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let ten: Vec<u32> = (1..=10).collect();
        assert_eq!([0, 1, 10, 11, 50, 90, 99, 100].map(|p| percentile(&ten, p)), [1, 1, 1, 2, 5, 9, 10, 10].map(Some));
        // Of 200 values the 99th percentile is the 198th.
        let many: Vec<u32> = (1..=200).collect();
        assert_eq!([50, 99, 100].map(|p| percentile(&many, p)), [100, 198, 200].map(Some));
        assert_eq!(percentile(&[7], 50), Some(7));
        assert_eq!(percentile::<u32>(&[], 50), None);
    }

    #[test]
    fn a_spread_is_the_middle_and_the_ends_whatever_the_order() {
        assert_eq!(Spread::of([3.0, 1.0, 10.0]), Some(Spread { median: 3.0, min: 1.0, max: 10.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 8.0]), Some(Spread { median: 3.0, min: 1.0, max: 8.0 }));
        assert_eq!(Spread::of([5.0]), Some(Spread { median: 5.0, min: 5.0, max: 5.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn nothing_divided_by_nothing_is_nothing() {
        assert_eq!([ratio(6.0, 4.0), ratio(0.0, 4.0), ratio(1.0, 0.0)], [1.5, 0.0, 0.0]);
    }
}
