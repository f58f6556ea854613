//! Curves over the number of nodes, a line for each system, as SVG files.

use std::fs;
use std::path::{Path, PathBuf};

use plotters::prelude::*;

use super::{Measured, Report};
use crate::case::Case;
use crate::failure::{Failure, Outcome, said};
use crate::metric::*;
use crate::systems::Subject;

/// The metrics that are drawn.
const CURVES: [Metric; 7] = [MESSAGES, CPU, CPU_RATIO, LATENCY_P50, LATENCY_P99, WIRE, MEMORY];

const SIZE: (u32, u32) = (900, 480);
/// Colours that people who see few colours tell apart too (Okabe and Ito), dark enough on white.
const COLOURS: [RGBColor; 5] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167), RGBColor(40, 40, 40)];

type Line = (Subject, Vec<(f64, f64)>);

/// Writes a file for each case and metric that was measured with more than one number of nodes. Says which.
pub(crate) fn write(report: &Report, folder: &Path) -> Outcome<Vec<PathBuf>> {
    fs::create_dir_all(folder).map_err(|error| said(format!("cannot make {}: {error}", folder.display())))?;
    let mut written = Vec::new();
    for case in Case::ALL {
        for metric in CURVES {
            let lines: Vec<Line> =
                Subject::ALL.into_iter().filter_map(|subject| line(&report.results, subject, case, metric)).collect();
            if lines.is_empty() {
                continue;
            }
            let path = folder.join(format!("{}-{}.svg", case.name().replace(' ', "-"), metric.key));
            draw(case, metric, &lines, &path).map_err(|why| said(format!("cannot write {}: {why}", path.display())))?;
            written.push(path);
        }
    }
    Ok(written)
}

/// The curve of a system in a case, if it has more than one point.
fn line(results: &[Measured], subject: Subject, case: Case, metric: Metric) -> Option<Line> {
    let of_system = results.iter().filter(|measured| (measured.system, measured.case) == (subject, case));
    let mut points: Vec<(f64, f64)> =
        of_system.filter_map(|measured| Some((measured.nodes as f64, measured.value(metric)?.median))).collect();
    points.retain(|(_, value)| *value > 0.0);
    points.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    (points.len() > 1).then_some((subject, points))
}

fn draw(case: Case, metric: Metric, lines: &[Line], path: &Path) -> Result<(), Failure> {
    let all = || lines.iter().flat_map(|(_, points)| points);
    let mut sizes: Vec<f64> = all().map(|point| point.0).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    sizes.dedup();
    let (least, most) =
        all().fold((f64::MAX, f64::MIN), |(least, most), point| (least.min(point.1), most.max(point.1)));
    let (first, last) = (sizes.first().copied().unwrap_or(1.0), sizes.last().copied().unwrap_or(2.0));
    // Room for the names beside the lines, not over them.
    let end = last * (last / first).powf(0.4);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(format!("{}: {}", case, metric.label), ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(46)
            .y_label_area_size(86)
            .build_cartesian_2d(
                (first * 0.95..end).log_scale().with_key_points(sizes),
                (least * 0.7..most * 1.4).log_scale(),
            )?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("nodes")
            .y_desc(metric.label)
            .x_label_formatter(&|nodes| format!("{nodes:.0}"))
            .y_label_formatter(&|value| if *value < 1.0 { format!("{value:.2}") } else { format!("{value:.0}") })
            .draw()?;
        for (subject, points) in lines {
            let colour = COLOURS[*subject as usize % COLOURS.len()];
            chart
                .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
                .label(subject.name())
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], colour.stroke_width(2)));
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.4)).draw()?;
        area.present()?;
    }
    fs::write(path, svg)?;
    Ok(())
}
