//! Line charts as SVG texts: curves of what was measured.

mod axis;

use std::fmt;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use axis::Axis;

/// Width and height of a chart in pixels, of which the legend takes a column at the right.
const SIZE: (u32, u32) = (900, 480);
const LEGEND_WIDTH: i32 = 230;
const LEGEND_LINE: i32 = 22;

/// Colours that people who see few colours tell apart too (Okabe and Ito), dark enough on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(176, 120, 0),
    RGBColor(40, 40, 40),
];

/// What a chart shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Chart {
    /// Stands above it.
    pub(crate) title: String,
    /// What goes to the right, with its unit.
    pub(crate) x_label: String,
    /// What goes up, with its unit.
    pub(crate) y_label: String,
    /// Whether equal steps to the right are equal factors; only values above zero can be shown then.
    pub(crate) x_log: bool,
    /// Whether equal steps up are equal factors; only values above zero can be shown then.
    pub(crate) y_log: bool,
    /// The curves, in the order of the legend.
    pub(crate) lines: Vec<Line>,
}

/// One curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Line {
    /// What the legend says.
    pub(crate) name: String,
    /// Its points, in the order in which they are joined.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Why there is no chart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChartError {
    /// There is nothing to draw.
    #[error("the chart \"{0}\" would be empty: no line has a point that its axes can show")]
    Empty(String),
    /// The drawing library failed.
    #[error("the chart \"{title}\" could not be drawn: {why}")]
    Drawing {
        /// The chart's title.
        title: String,
        /// What the library said.
        why: String,
    },
}

/// Draws the chart as the text of an SVG file. Points that an axis cannot show (no numbers, or not above zero on a
/// logarithmic axis) are left out.
///
/// # Errors
/// See [`ChartError`].
pub(crate) fn line_chart(chart: &Chart) -> Result<String, ChartError> {
    let is_shown = |(x, y): &(f64, f64)| axis::can_show(*x, chart.x_log) && axis::can_show(*y, chart.y_log);
    let lines: Vec<Line> = chart
        .lines
        .iter()
        .map(|line| Line { name: line.name.clone(), points: line.points.iter().copied().filter(is_shown).collect() })
        .collect();
    let all = || lines.iter().flat_map(|line| &line.points);
    let (Some(x), Some(y)) = (
        Axis::of_places(all().map(|point| point.0), chart.x_log),
        Axis::of_amounts(all().map(|point| point.1), chart.y_log),
    ) else {
        return Err(ChartError::Empty(chart.title.clone()));
    };
    let mut svg = String::new();
    draw(chart, &lines, &x, &y, &mut svg)
        .map_err(|why| ChartError::Drawing { title: chart.title.clone(), why: why.to_string() })?;
    Ok(svg)
}

/// The library's errors are as many types as it has back ends.
struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Failed(error.to_string())
    }
}

fn draw(chart: &Chart, lines: &[Line], x: &Axis, y: &Axis, svg: &mut String) -> Result<(), Failed> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (plot, legend) = area.split_horizontally(SIZE.0 as i32 - LEGEND_WIDTH);
    let mut context = ChartBuilder::on(&plot)
        .caption(&chart.title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(46)
        .y_label_area_size(76)
        .build_cartesian_2d(x.clone(), y.clone())?;
    context
        .configure_mesh()
        .bold_line_style(BLACK.mix(0.12))
        .light_line_style(TRANSPARENT)
        .axis_style(BLACK.mix(0.7))
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 16))
        .x_desc(&chart.x_label)
        .y_desc(&chart.y_label)
        .draw()?;
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        context.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?;
        context.draw_series(line.points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
    }
    for (line, (at, colour)) in lines.iter().zip((0..).zip(COLOURS.iter().cycle())) {
        let height = 60 + at * LEGEND_LINE;
        legend.draw(&PathElement::new(vec![(4, height), (26, height)], colour.stroke_width(2)))?;
        legend.draw(&Circle::new((15, height), 3, colour.filled()))?;
        let style = ("sans-serif", 15).into_text_style(&legend).pos(Pos::new(HPos::Left, VPos::Center));
        legend.draw(&Text::new(line.name.clone(), (34, height), style))?;
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(lines: &[(&str, &[(f64, f64)])]) -> Chart {
        let line = |(name, points): &(&str, &[(f64, f64)])| Line { name: (*name).to_owned(), points: points.to_vec() };
        Chart {
            title: "Cost <of> a delivery".to_owned(),
            x_label: "nodes".to_owned(),
            y_label: "µs".to_owned(),
            x_log: true,
            y_log: false,
            lines: lines.iter().map(line).collect(),
        }
    }

    /// The texts of an SVG in their order.
    fn texts(svg: &str) -> Vec<&str> {
        svg.split("<text")
            .skip(1)
            .filter_map(|part| part.split_once('>')?.1.split("</text>").next())
            .map(str::trim)
            .collect()
    }

    #[test]
    fn a_chart_is_one_svg_with_title_axes_legend_and_every_point() {
        let svg = line_chart(&chart(&[
            ("small flood", &[(8.0, 30.5), (16.0, 31.0), (64.0, 40.0)]),
            ("many senders", &[(8.0, 35.0), (16.0, 36.0)]),
        ]))
        .unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
        assert_eq!(svg.matches("<svg").count(), 1);
        let texts = texts(&svg);
        for said in ["Cost &lt;of&gt; a delivery", "nodes", "µs", "small flood", "many senders", "8", "16", "64"] {
            assert!(texts.contains(&said), "{said:?} is not among {texts:?}");
        }
        // One mark a point, and one a line in the legend.
        assert_eq!(svg.matches("<circle").count(), 5 + 2);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn points_that_an_axis_cannot_show_are_left_out_and_an_empty_chart_is_an_error() {
        let wild = [(0.0, 1.0), (-3.0, 1.0), (f64::NAN, 1.0), (8.0, f64::INFINITY), (8.0, 2.0)];
        let svg = line_chart(&chart(&[("wild", &wild)])).unwrap();
        assert_eq!(svg.matches("<circle").count(), 1 + 1);
        for lines in [&[][..], &[("nothing", &[][..])], &[("nowhere", &wild[..4])]] {
            assert_eq!(line_chart(&chart(lines)), Err(ChartError::Empty("Cost <of> a delivery".to_owned())));
        }
    }

    #[test]
    fn extreme_values_are_drawn_too() {
        for y_log in [false, true] {
            let points = [(1.0, 1e-12), (10.0, 1e12), (1e9, 5.0)];
            let chart = Chart { y_log, ..chart(&[("wide", &points)]) };
            assert_eq!(line_chart(&chart).unwrap().matches("<circle").count(), 3 + 1);
            let chart = Chart { x_log: false, ..chart };
            assert_eq!(line_chart(&chart).unwrap().matches("<circle").count(), 3 + 1);
        }
    }
}
