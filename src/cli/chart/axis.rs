//! Where an axis begins and ends, and what is written at it.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

/// The most ticks an axis has.
const TICKS: usize = 9;

/// An axis. On a logarithmic one, places are logarithms of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    is_log: bool,
    /// The place where it begins.
    low: f64,
    /// The place where it ends, above `low`.
    high: f64,
    /// The values that are written at it.
    ticks: Vec<f64>,
}

/// Whether a value has a place on an axis.
pub(super) fn can_show(value: f64, is_log: bool) -> bool {
    value.is_finite() && (!is_log || value > 0.0)
}

impl Axis {
    /// The axis for what was chosen: numbers of nodes, times. Few different values are themselves the ticks. `None`
    /// without a value. All values can be shown.
    pub(super) fn of_places(values: impl Iterator<Item = f64>, is_log: bool) -> Option<Axis> {
        let mut values: Vec<f64> = values.collect();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        let axis = Axis::over(*values.first()?, *values.last()?, is_log);
        let is_few = values.len() <= TICKS;
        Some(if is_few && axis.is_apart(&values) { Axis { ticks: values, ..axis } } else { axis })
    }

    /// The axis for what was measured. A linear one begins at zero, so that heights can be compared. `None` without a
    /// value. All values can be shown.
    pub(super) fn of_amounts(values: impl Iterator<Item = f64>, is_log: bool) -> Option<Axis> {
        let (low, high) = values.fold(None, |ends: Option<(f64, f64)>, value| {
            Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
        })?;
        Some(if is_log { Axis::over(low, high, true) } else { Axis::over(low.min(0.0), high.max(0.0), false) })
    }

    /// An axis with a little room beyond the outermost values.
    fn over(low: f64, high: f64, is_log: bool) -> Axis {
        let place = |value: f64| if is_log { value.log10() } else { value };
        let (mut low, mut high) = (place(low), place(high));
        if high <= low {
            // One value only: it stands in the middle.
            let half = if is_log || low == 0.0 { 0.5 } else { low.abs() / 2.0 };
            (low, high) = (low - half, high + half);
        }
        let room = (high - low) * 0.04;
        let (begins_at_zero, ends_at_zero) = (!is_log && low == 0.0, !is_log && high == 0.0);
        let ticks = if is_log { powers(low, high) } else { steps(low, high) };
        let low = if begins_at_zero { low } else { low - room };
        let high = if ends_at_zero { high } else { high + room };
        Axis { is_log, low, high, ticks }
    }

    /// Where a value stands.
    fn place(&self, value: f64) -> f64 {
        if self.is_log { value.log10() } else { value }
    }

    /// Whether what is written at these values, in rising order, does not run into each other.
    fn is_apart(&self, values: &[f64]) -> bool {
        let least = (self.high - self.low) * 0.06;
        values.windows(2).all(|pair| self.place(pair[1]) - self.place(pair[0]) >= least)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.low..self.high).map(&self.place(*value), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        let value = |place: f64| if self.is_log { 10_f64.powf(place) } else { place };
        value(self.low)..value(self.high)
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        show(*value)
    }
}

/// Round values from `low` to `high`, at most [`TICKS`], equally far apart.
fn steps(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / (TICKS - 1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).ceil();
    (0..TICKS).map(|at| (first + at as f64) * step).take_while(|value| *value <= high + step * 1e-9).collect()
}

/// Powers of ten between the logarithms `low` and `high`; 2 and 5 times them too where few powers fit, and equal steps
/// where hardly any does.
fn powers(low: f64, high: f64) -> Vec<f64> {
    let digits: &[f64] = if high - low <= 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    let every = ((last - first) as usize / TICKS + 1).max(1);
    let candidates =
        (first..=last).step_by(every).flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)));
    let is_inside = |value: &f64| (low - 1e-9..=high + 1e-9).contains(&value.log10());
    let powers: Vec<f64> = candidates.filter(is_inside).collect();
    if powers.len() < 3 && high - low < 1.0 { steps(10_f64.powf(low), 10_f64.powf(high)) } else { powers }
}

/// A value as it is written at an axis.
fn show(value: f64) -> String {
    let size = value.abs();
    if size >= 1e7 || (size > 0.0 && size < 1e-3) {
        return format!("{value:e}")
            .chars()
            .count()
            .gt(&8)
            .then(|| format!("{value:.1e}"))
            .unwrap_or(format!("{value:e}"));
    }
    // Places are logarithms and come back with the error of that.
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, rest) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let mut shown = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if let Some(rest) = rest {
        shown.push('.');
        shown.push_str(rest);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_places_are_written_themselves_unless_they_would_run_into_each_other() {
        let nodes = Axis::of_places([64.0, 8.0, 16.0, 32.0, 8.0].into_iter(), true).unwrap();
        assert_eq!(nodes.ticks, [8.0, 16.0, 32.0, 64.0]);
        let close = Axis::of_places([1.0, 1.01, 100.0].into_iter(), true).unwrap();
        assert_eq!(close.ticks, [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(Axis::of_places([].into_iter(), true), None);
    }

    #[test]
    fn amounts_begin_at_zero_and_are_written_in_round_steps() {
        let axis = Axis::of_amounts([31.0, 36.5].into_iter(), false).unwrap();
        assert_eq!((axis.low, axis.ticks.as_slice()), (0.0, &[0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0][..]));
        assert!(axis.high > 36.5 && axis.high < 40.0);
        let axis = Axis::of_amounts([-3.0, 3.0].into_iter(), false).unwrap();
        assert_eq!(axis.ticks, [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn logarithmic_amounts_are_written_at_powers_of_ten() {
        let axis = Axis::of_amounts([3.0, 70_000.0].into_iter(), true).unwrap();
        assert_eq!(axis.ticks, [10.0, 100.0, 1000.0, 10_000.0]);
        let axis = Axis::of_amounts([30.0, 60.0].into_iter(), true).unwrap();
        assert_eq!(axis.ticks, [30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0]);
        assert!(Axis::of_amounts([1e-200, 1e200].into_iter(), true).unwrap().ticks.len() <= 2 * TICKS);
    }

    #[test]
    fn one_value_has_an_axis_too() {
        for (value, is_log) in [(0.0, false), (5.0, false), (-5.0, false), (5.0, true)] {
            for axis in [Axis::of_places([value].into_iter(), is_log), Axis::of_amounts([value].into_iter(), is_log)] {
                let axis = axis.unwrap();
                let place = axis.place(value);
                assert!(axis.low <= place && place <= axis.high && axis.low < axis.high, "{value} {axis:?}");
            }
        }
    }

    #[test]
    fn values_are_written_shortly() {
        let shown = [0.0, 0.5, 64.000_000_1, -1500.0, 1_234_567.0, 0.25, 3e7, 1e-5].map(show);
        assert_eq!(shown, ["0", "0.5", "64", "-1,500", "1,234,567", "0.25", "3e7", "1e-5"]);
    }
}
