//! A picture of which skill needs which, as SVG that stands in a page: in layers from left to right, with links in it.

use std::fmt::Write as _;

use super::show::escaped;

/// A skill in the picture.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is called.
    pub label: String,
    /// What is said of it below that.
    pub note: String,
    /// Where it leads, if somewhere.
    pub href: Option<String>,
    /// Whether the picture is of this one.
    pub is_here: bool,
}

/// Layers of skills, and which of one layer needs which of the next.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// From what needs to what is needed.
    pub layers: Vec<Vec<Node>>,
    /// From and to: numbers of a layer, and of nodes in it and in the one to its right.
    pub edges: Vec<(usize, usize, usize)>,
}

const WIDTH: usize = 210;
const HEIGHT: usize = 46;
const BETWEEN: usize = 70;
const GAP: usize = 14;
const EDGE: usize = 4;
/// Characters of a label that have room.
const LABEL: usize = 22;

impl Graph {
    /// The picture; none where there is but one skill in it.
    pub fn svg(&self, title: &str) -> Option<String> {
        if self.layers.iter().map(Vec::len).sum::<usize>() < 2 {
            return None;
        }
        let layers: Vec<&Vec<Node>> = self.layers.iter().collect();
        let most = layers.iter().map(|layer| layer.len()).max().unwrap_or_default();
        let height = most * (HEIGHT + GAP) - GAP + 2 * EDGE;
        let width = layers.len() * (WIDTH + BETWEEN) - BETWEEN + 2 * EDGE;
        let left = |layer: usize| EDGE + layer * (WIDTH + BETWEEN);
        // Each layer stands in the middle.
        let top = |layer: usize, node: usize| {
            let own = layers[layer].len() * (HEIGHT + GAP) - GAP;
            EDGE + (height - 2 * EDGE - own) / 2 + node * (HEIGHT + GAP)
        };
        let mut svg = format!(
            "<svg class=\"graph\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"group\" aria-label=\"{}\">",
            escaped(title)
        );
        for (layer, from, to) in &self.edges {
            let (x1, y1) = (left(*layer) + WIDTH, top(*layer, *from) + HEIGHT / 2);
            let (x2, y2) = (left(layer + 1), top(layer + 1, *to) + HEIGHT / 2);
            let middle = (x1 + x2) / 2;
            let _ = write!(
                svg,
                "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {} {y2}\"/><path class=\"tip\" d=\"M{} {}l7 4l-7 4z\"/>",
                x2 - 7,
                x2 - 7,
                y2 - 4
            );
        }
        for (layer, nodes) in layers.iter().enumerate() {
            for (place, node) in nodes.iter().enumerate() {
                write_node(&mut svg, node, left(layer), top(layer, place));
            }
        }
        svg += "</svg>";
        Some(svg)
    }
}

fn write_node(svg: &mut String, node: &Node, x: usize, y: usize) {
    let (label, note) = (escaped(&shortened(&node.label)), escaped(&shortened(&node.note)));
    let class = if node.is_here { " class=\"here\"" } else { "" };
    let inside = format!(
        "<title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"8\"{class}/>\
         <text x=\"{}\" y=\"{}\">{label}</text><text class=\"note\" x=\"{}\" y=\"{}\">{note}</text>",
        escaped(&node.label),
        x + 12,
        y + if note.is_empty() { 28 } else { 20 },
        x + 12,
        y + 37
    );
    let _ = match &node.href {
        Some(href) => write!(svg, "<a href=\"{}\">{inside}</a>", escaped(href)),
        None => write!(svg, "<g>{inside}</g>"),
    };
}

/// The end says more than the beginning: there stands the name.
fn shortened(text: &str) -> String {
    let length = text.chars().count();
    match length > LABEL {
        true => format!("…{}", text.chars().skip(length - LABEL + 1).collect::<String>()),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(label: &str, is_here: bool) -> Node {
        Node { label: label.to_owned(), note: String::new(), href: Some(format!("/{label}")), is_here }
    }

    #[test]
    fn layers_stand_side_by_side() {
        let graph = Graph {
            layers: vec![vec![node("a/x", false), node("a/y", false)], vec![node("a/\"<b>", true)], vec![]],
            edges: vec![(0, 0, 0), (0, 1, 0)],
        };
        let svg = graph.svg("What \"it\" needs").unwrap();
        assert_eq!(svg.matches("<rect").count(), 3);
        assert_eq!(svg.matches("<path").count(), 4);
        assert!(!svg.contains("<b>") && svg.contains("a/&quot;&lt;b&gt;"), "{svg}");
        assert!(svg.contains("aria-label=\"What &quot;it&quot; needs\""), "{svg}");
        assert_eq!(Graph { layers: vec![vec![node("a/x", true)]], edges: Vec::new() }.svg("x"), None);
    }
}
