//! Charts as SVG within a page: without scripts, with a title and a description for who does not see them, and coloured by
//! classes of the page (`chart`, `chart-bar`, `chart-line`, `chart-area`, `chart-label`, `chart-axis`).

use std::fmt::Write as _;

/// Width and height of a chart, in units of its own; a page makes it as wide as there is room.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 160.0;
/// Room below for labels.
const BELOW: f64 = 22.0;
/// Room above for the largest figure.
const ABOVE: f64 = 14.0;
/// Of a sparkline.
const SMALL: (f64, f64) = (120.0, 24.0);
/// Points that one chart has at most. Of more, neighbours are added up.
const MOST: usize = 400;

/// A figure of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// How much.
    pub value: u64,
}

/// A bar for each.
pub fn bars(id: &str, title: &str, figures: &[Bar]) -> String {
    let figures = thinned(figures);
    let mut svg = begin(id, title, &figures, (WIDTH, HEIGHT), "chart chart-bars");
    let most = highest(&figures);
    let step = WIDTH / figures.len().max(1) as f64;
    for (at, figure) in figures.iter().enumerate() {
        let height = figure.value as f64 / most * (HEIGHT - BELOW - ABOVE);
        let (x, y) = (at as f64 * step + step * 0.1, HEIGHT - BELOW - height);
        let _ = write!(
            svg,
            "<rect class=\"chart-bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{}: {}</title></rect>",
            step * 0.8,
            escaped(&figure.label),
            figure.value,
        );
    }
    axis(&mut svg, &figures);
    svg + "</svg>"
}

/// A line through all.
pub fn line(id: &str, title: &str, figures: &[Bar]) -> String {
    let figures = thinned(figures);
    let mut svg = begin(id, title, &figures, (WIDTH, HEIGHT), "chart chart-lines");
    let bottom = HEIGHT - BELOW;
    let points = points(&figures, WIDTH, ABOVE, bottom);
    if !points.is_empty() {
        let _ = write!(
            svg,
            "<polygon class=\"chart-area\" points=\"0,{bottom:.1} {points} {WIDTH:.1},{bottom:.1}\"/>"
        );
        let _ = write!(svg, "<polyline class=\"chart-line\" fill=\"none\" points=\"{points}\"/>");
    }
    axis(&mut svg, &figures);
    svg + "</svg>"
}

/// A small line, for a row of a table.
pub fn sparkline(id: &str, title: &str, figures: &[Bar]) -> String {
    let figures = thinned(figures);
    let mut svg = begin(id, title, &figures, SMALL, "chart chart-spark");
    let points = points(&figures, SMALL.0, 2.0, SMALL.1 - 2.0);
    if !points.is_empty() {
        let _ = write!(svg, "<polyline class=\"chart-line\" fill=\"none\" points=\"{points}\"/>");
    }
    svg + "</svg>"
}

fn begin(id: &str, title: &str, figures: &[Bar], (width, height): (f64, f64), class: &str) -> String {
    // An id is put together of letters that need no escaping, whatever it is made from.
    let id: String =
        id.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    format!(
        "<svg class=\"{class}\" role=\"img\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{}</title><desc id=\"{id}-desc\">{}</desc>",
        escaped(title),
        escaped(&description(figures)),
    )
}

/// What a chart shows, in words.
fn description(figures: &[Bar]) -> String {
    let (Some(first), Some(last)) = (figures.first(), figures.last()) else {
        return "There is nothing yet.".to_owned();
    };
    let total: u64 = figures.iter().fold(0, |sum, figure| sum.saturating_add(figure.value));
    let most = figures.iter().rev().max_by_key(|figure| figure.value).unwrap_or(first);
    format!(
        "{total} in all from {} to {}; the most are {} ({}), the last are {}.",
        first.label, last.label, most.value, most.label, last.value
    )
}

/// The largest figure, and the first and last label.
fn axis(svg: &mut String, figures: &[Bar]) {
    let bottom = HEIGHT - BELOW;
    let _ = write!(
        svg,
        "<line class=\"chart-axis\" x1=\"0\" y1=\"{bottom:.1}\" x2=\"{WIDTH:.0}\" y2=\"{bottom:.1}\"/>"
    );
    let mut text = |x: f64, y: f64, anchor: &str, text: &str| {
        let text = escaped(text);
        let _ = write!(
            svg,
            "<text class=\"chart-label\" x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    };
    let Some(first) = figures.first() else { return };
    text(
        0.0,
        ABOVE - 4.0,
        "start",
        &figures.iter().map(|figure| figure.value).max().unwrap_or(0).to_string(),
    );
    text(0.0, HEIGHT - 6.0, "start", &first.label);
    if let Some(last) = figures.last().filter(|_| figures.len() > 1) {
        text(WIDTH, HEIGHT - 6.0, "end", &last.label);
    }
}

fn points(figures: &[Bar], width: f64, top: f64, bottom: f64) -> String {
    let most = highest(figures);
    let step = width / figures.len().saturating_sub(1).max(1) as f64;
    let mut heights: Vec<f64> = figures.iter().map(|figure| figure.value as f64 / most).collect();
    if let [only] = heights[..] {
        heights.push(only);
    }
    let point = |(at, height): (usize, &f64)| {
        format!("{:.1},{:.1}", at as f64 * step, bottom - height * (bottom - top))
    };
    heights.iter().enumerate().map(point).collect::<Vec<_>>().join(" ")
}

fn highest(figures: &[Bar]) -> f64 {
    figures.iter().map(|figure| figure.value).max().unwrap_or(0).max(1) as f64
}

fn thinned(figures: &[Bar]) -> Vec<Bar> {
    let group = figures.len().div_ceil(MOST).max(1);
    let sum = |figures: &[Bar]| Bar {
        label: figures[0].label.clone(),
        value: figures.iter().fold(0, |sum, figure| sum.saturating_add(figure.value)),
    };
    figures.chunks(group).map(sum).collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(values: &[u64]) -> Vec<Bar> {
        let bar = |(at, value): (usize, &u64)| Bar { label: format!("2026-01-{:02}", at + 1), value: *value };
        values.iter().enumerate().map(bar).collect()
    }

    #[test]
    fn charts_are_as_they_were() {
        let some = figures(&[3, 0, 12, 7]);
        let charts = [
            bars("installs", "Installs by day", &some),
            line("installs", "Installs by day", &some),
            sparkline("row 1", "Installs", &some),
            bars("none", "Nothing", &[]),
            line("none", "Nothing", &[]),
            line("one", "One", &figures(&[5])),
            sparkline("zero", "Zero", &figures(&[0, 0])),
        ];
        insta::assert_snapshot!(charts.join("\n"));
    }

    #[test]
    fn what_others_wrote_is_text() {
        let evil = "</title><script>alert('\"')</script>&\u{1b}";
        let figures =
            [Bar { label: evil.to_owned(), value: u64::MAX }, Bar { label: evil.to_owned(), value: 1 }];
        for chart in [bars(evil, evil, &figures), line(evil, evil, &figures), sparkline(evil, evil, &figures)]
        {
            assert!(
                !chart.contains("<script") && !chart.contains('\u{1b}') && !chart.contains("NaN"),
                "{chart}"
            );
            assert!(chart.starts_with("<svg ") && chart.ends_with("</svg>"));
        }
    }

    #[test]
    fn many_points_are_few() {
        let many = figures(&[1; 3_000]);
        let chart = bars("many", "Many", &many);
        assert!(chart.matches("<rect").count() <= MOST);
        assert!(chart.contains("3000 in all"));
    }
}
