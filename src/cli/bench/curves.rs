//! Curves over the number of nodes.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::Failure;
use super::super::chart::{Chart, ChartError, Line, line_chart};
use super::case::Case;
use super::metric::*;
use super::report::Result;

/// The curves there are: the metric, its title, and whether amounts are far apart.
const CURVES: [(Metric, &str, bool); 7] = [
    (MESSAGES, "Messages a second that arrive everywhere", true),
    (CPU, "Processor time of a delivery", false),
    (CPU_RATIO, "Processor time of a delivery, in strict verifications", false),
    (LATENCY_P50, "Latency, median", true),
    (LATENCY_P99, "Latency, 99th percentile", true),
    (WIRE, "Bytes on the wire for a delivery", true),
    (JOIN, "Time until all have joined", true),
];

/// Writes a file for each metric that was measured with more than one number of nodes. Says which.
pub(super) fn write(results: &[Result], folder: &Path) -> std::result::Result<Vec<PathBuf>, Failure> {
    let io = |path: &Path, error| Failure::said(format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| io(folder, error))?;
    let mut written = Vec::new();
    for (metric, title, y_log) in CURVES {
        let lines: Vec<Line> = Case::ALL.into_iter().filter_map(|case| line(results, case, metric)).collect();
        let chart = Chart {
            title: title.to_owned(),
            x_label: "nodes".to_owned(),
            y_label: metric.label.to_owned(),
            x_log: true,
            y_log,
            lines,
        };
        let svg = match line_chart(&chart) {
            Ok(svg) => svg,
            Err(ChartError::Empty(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let path = folder.join(format!("{}.svg", metric.key));
        fs::write(&path, svg).map_err(|error| io(&path, error))?;
        written.push(path);
    }
    Ok(written)
}

/// The curve of a case, if it has more than one point.
fn line(results: &[Result], case: Case, metric: Metric) -> Option<Line> {
    let of_case = results.iter().filter(|result| result.case == case);
    let mut points: Vec<_> =
        of_case.filter_map(|result| Some((result.nodes as f64, result.value(metric)?.median))).collect();
    points.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    (points.len() > 1).then(|| Line { name: case.name().to_owned(), points })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::round::Round;

    #[test]
    fn a_curve_has_a_point_for_each_number_of_nodes_in_their_order() {
        let result = |nodes: usize, cpu: f64| {
            let mut round = Round::default();
            round.set(CPU, cpu);
            Result::of(Case::FloodClosed, nodes, &[round])
        };
        let results = [result(32, 40.0), result(8, 30.0), result(16, 35.0)];
        let points = line(&results, Case::FloodClosed, CPU).unwrap().points;
        assert_eq!(points, [(8.0, 30.0), (16.0, 35.0), (32.0, 40.0)]);
        assert_eq!(line(&results, Case::Senders, CPU), None);
        assert_eq!(line(&results[..1], Case::FloodClosed, CPU), None);
    }
}
