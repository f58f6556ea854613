//! The curves of a run: how long deliveries took, and how many copies came.

use std::fmt::Write;

use super::super::Failure;
use super::super::chart::{Chart, Line, line_chart};
use crate::sim::Report;

/// Both charts, one above the other, as the text of one SVG file.
pub(super) fn draw(report: &Report) -> Result<String, Failure> {
    let latency = report.latency_curve.iter().map(|(percent, took)| (took.as_secs_f64() * 1000.0, f64::from(*percent)));
    let redundancy = report.redundancy_curve.iter().map(|(second, redundancy)| (*second as f64, *redundancy));
    let charts = [
        Chart {
            title: format!("Latency: {} nodes, seed {}", report.nodes, report.seed),
            x_label: "ms from publication".into(),
            y_label: "% of deliveries".into(),
            lines: vec![Line { name: "delivered".into(), points: latency.collect() }],
            ..Chart::default()
        },
        Chart {
            title: "Redundancy: copies received / needed - 1".into(),
            x_label: "published at second".into(),
            y_label: "redundancy".into(),
            lines: vec![Line { name: "of messages".into(), points: redundancy.collect() }],
            ..Chart::default()
        },
    ];
    let drawn = charts.iter().map(line_chart).collect::<Result<Vec<String>, _>>()?;
    Ok(stack(&drawn))
}

/// Several SVG texts as one: each is a picture of its own inside.
fn stack(drawn: &[String]) -> String {
    let heights: Vec<u32> = drawn.iter().map(|svg| attribute(svg, "height")).collect();
    let width = drawn.iter().map(|svg| attribute(svg, "width")).max().unwrap_or(0);
    let height: u32 = heights.iter().sum();
    let mut whole = format!("<svg width=\"{width}\" height=\"{height}\" xmlns=\"http://www.w3.org/2000/svg\">\n");
    let mut top = 0;
    for (svg, height) in drawn.iter().zip(heights) {
        // Writing to a text cannot fail.
        let _ = writeln!(whole, "<g transform=\"translate(0 {top})\">\n{svg}</g>");
        top += height;
    }
    whole.push_str("</svg>\n");
    whole
}

/// The number in the first attribute of this name.
fn attribute(svg: &str, name: &str) -> u32 {
    let after = svg.split_once(&format!(" {name}=\"")).map_or("", |(_, after)| after);
    after.split_once('"').and_then(|(number, _)| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_stand_one_under_the_other() {
        let one = "<svg width=\"900\" height=\"480\" viewBox=\"0 0 900 480\">\n</svg>\n".to_owned();
        let both = stack(&[one.clone(), one]);
        assert!(both.starts_with("<svg width=\"900\" height=\"960\""));
        assert!(both.contains("translate(0 0)") && both.contains("translate(0 480)"));
        assert_eq!(both.matches("</svg>").count(), 3);
    }
}
