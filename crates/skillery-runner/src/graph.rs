//! A workflow as a picture: what waits for what. Lines that others imply are not drawn.

use std::collections::BTreeSet;

use layout::backends::svg::SVGWriter;
use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::geometry::Point;
use layout::core::style::{LineStyleKind, StyleAttr};
use layout::std_shapes::shapes::{Arrow, Element, LineEndKind, ShapeKind};
use layout::topo::layout::VisualGraph;

use crate::plan::{Plan, check};
use crate::problems::{Problem, ProblemKind, Problems};
use crate::workflow::{Step, Workflow};

/// Steps of a picture; what has more cannot be looked at, and takes minutes to lay out.
const MAX_STEPS: usize = 500;
/// What an SVG picture may take to lay out; this much takes up to two seconds.
const MAX_WORK: usize = 300_000;
/// Of a letter and a line in the font of the picture.
const LETTER: f64 = 9.0;
const LINE: f64 = 20.0;
const MARGIN: f64 = 24.0;

impl Workflow {
    /// The graph in the language of Mermaid. Needs a valid workflow.
    pub fn mermaid(&self) -> Result<String, Problems> {
        let plan = self.drawable()?;
        let mut text = "flowchart LR\n".to_owned();
        for (at, step) in self.steps.iter().enumerate() {
            let label = label(step).join("<br/>");
            let (open, close) = if step.workflow.is_some() { ("[[", "]]") } else { ("[", "]") };
            text.push_str(&format!("    s{at}{open}\"{}\"{close}\n", escaped(&label)));
        }
        for Line { before, at, is_solid } in lines(&plan) {
            // What need only have ended is a dotted line.
            let arrow = if is_solid { "-->" } else { "-.->" };
            text.push_str(&format!("    s{before} {arrow} s{at}\n"));
        }
        Ok(text)
    }

    /// The graph as an SVG picture. Needs a valid workflow.
    pub fn svg(&self) -> Result<String, Problems> {
        let plan = self.drawable()?;
        let mut drawn = lines(&plan);
        if work(&plan, &drawn) > MAX_WORK {
            let count = drawn.len();
            let message =
                format!("there are too many lines between the steps for a picture, {count}; use Mermaid");
            return Err(self.not_drawable(message));
        }
        let mut graph = VisualGraph::new(Orientation::LeftToRight);
        // To check for circles, of which there are none, takes time for every way through the graph.
        graph.dag.set_validate(false);
        let nodes: Vec<_> = self
            .steps
            .iter()
            .map(|step| {
                let lines = label(step);
                let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
                #[expect(clippy::cast_precision_loss, reason = "both are small")]
                let size = Point::new(widest as f64 * LETTER + MARGIN, lines.len() as f64 * LINE + MARGIN);
                let fill = if step.workflow.is_some() { "#e8e0f5" } else { "#e3eef9" };
                let style = StyleAttr::new(Color::fast("#33475b"), 1, Some(Color::fast(fill)), 8, 15);
                let shape = ShapeKind::new_box(&lines.join("\n"));
                graph.add_node(Element::create(shape, style, Orientation::LeftToRight, size))
            })
            .collect();
        // Each step's lines come before those that leave it: what the graph asks of every new line is then known at once.
        let places = places(&order(&plan));
        drawn.sort_by_key(|line| places[line.at]);
        for Line { before, at, is_solid } in drawn {
            let line = if is_solid { LineStyleKind::Normal } else { LineStyleKind::Dashed };
            let arrow =
                Arrow::new(LineEndKind::None, LineEndKind::Arrow, line, "", &edge_style(), &None, &None);
            graph.add_edge(arrow, nodes[before], nodes[at]);
        }
        let mut writer = SVGWriter::new();
        graph.do_it(false, false, false, &mut writer);
        Ok(writer.finalize())
    }

    fn drawable(&self) -> Result<Plan, Problems> {
        let plan = check(self, None)?;
        match plan.steps.len() {
            count if count > MAX_STEPS => {
                let message = format!("there are {count} steps, and a picture shows {MAX_STEPS} at most");
                Err(self.not_drawable(message))
            }
            _ => Ok(plan),
        }
    }

    fn not_drawable(&self, message: String) -> Problems {
        let problem = Problem::new(ProblemKind::StepCount, message).at(&["steps"]);
        Problems { workflow: self.name.clone(), problems: vec![problem] }
    }
}

/// That a step waits for another, for its success or only for its end.
struct Line {
    before: usize,
    at: usize,
    is_solid: bool,
}

/// The lines that no others imply: a solid one is implied by a way of solid lines alone, a dotted one by any.
fn lines(plan: &Plan) -> Vec<Line> {
    let order = order(plan);
    let places = places(&order);
    let by_end: Vec<BTreeSet<usize>> = plan.steps.iter().map(|step| step.after.clone()).collect();
    let by_success: Vec<BTreeSet<usize>> = (plan.steps.iter())
        .map(|step| step.after.iter().filter(|before| step.requires.contains_key(before)).copied().collect())
        .collect();
    let (dotted, solid) = (reduced(&by_end, &order, &places), reduced(&by_success, &order, &places));
    let mut lines = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        for &before in &step.after {
            let is_solid = by_success[at].contains(&before);
            let is_drawn = if is_solid { &solid[at] } else { &dotted[at] }.contains(&before);
            if is_drawn {
                lines.push(Line { before, at, is_solid });
            }
        }
    }
    lines
}

/// Every step after those that it waits for.
fn order(plan: &Plan) -> Vec<usize> {
    let mut waits: Vec<usize> = plan.steps.iter().map(|step| step.after.len()).collect();
    let mut followers = vec![Vec::new(); waits.len()];
    for (at, step) in plan.steps.iter().enumerate() {
        step.after.iter().for_each(|before| followers[*before].push(at));
    }
    let mut order: Vec<usize> = (0..waits.len()).filter(|at| waits[*at] == 0).collect();
    let mut next = 0;
    while let Some(&before) = order.get(next) {
        next += 1;
        for &at in &followers[before] {
            waits[at] -= 1;
            if waits[at] == 0 {
                order.push(at);
            }
        }
    }
    order
}

/// How much there is to lay out: for each two columns of the picture that are next to each other, the boxes in both,
/// those that lines run through included, times the lines between them. Lines are uncrossed by comparing all with all.
fn work(plan: &Plan, lines: &[Line]) -> usize {
    let mut columns = vec![0_usize; plan.steps.len()];
    for at in order(plan) {
        columns[at] = plan.steps[at].after.iter().map(|before| columns[*before] + 1).max().unwrap_or(0);
    }
    let count = columns.iter().max().map_or(0, |last| last + 1);
    let (mut boxes, mut between) = (vec![0_usize; count], vec![0_usize; count]);
    columns.iter().for_each(|column| boxes[*column] += 1);
    for line in lines {
        for column in columns[line.before]..columns[line.at] {
            between[column] += 1;
            if column > columns[line.before] {
                boxes[column] += 1;
            }
        }
    }
    boxes.windows(2).zip(&between).map(|(boxes, between)| boxes[0] * boxes[1] * between).sum()
}

/// Where in the order each step stands.
fn places(order: &[usize]) -> Vec<usize> {
    let mut places = vec![0; order.len()];
    order.iter().enumerate().for_each(|(place, at)| places[*at] = place);
    places
}

/// What each step waits for and does not reach by way of another that it waits for.
fn reduced(after: &[BTreeSet<usize>], order: &[usize], places: &[usize]) -> Vec<BTreeSet<usize>> {
    let mut reached = vec![vec![false; after.len()]; after.len()];
    let mut kept = vec![BTreeSet::new(); after.len()];
    for &at in order {
        let mut nearest_first: Vec<usize> = after[at].iter().copied().collect();
        nearest_first.sort_by_key(|before| std::cmp::Reverse(places[*before]));
        let mut mine = vec![false; after.len()];
        for before in nearest_first {
            if !mine[before] {
                kept[at].insert(before);
                mine[before] = true;
                mine.iter_mut().zip(&reached[before]).for_each(|(mine, theirs)| *mine |= theirs);
            }
        }
        reached[at] = mine;
    }
    kept
}

fn edge_style() -> StyleAttr {
    StyleAttr::new(Color::fast("#33475b"), 1, None, 0, 15)
}

/// What stands in the box of a step.
fn label(step: &Step) -> Vec<String> {
    let mut lines = vec![step.name.clone()];
    lines.extend(step.skill.clone().or_else(|| step.workflow.clone()));
    if step.foreach.is_some() {
        lines.push("for each item".to_owned());
    }
    if step.when.is_some() {
        lines.push("on a condition".to_owned());
    }
    lines.iter().map(|line| line.chars().map(shown).collect()).collect()
}

/// A name may hold what moves a terminal's cursor, ends a line, or stands in no XML.
fn shown(character: char) -> char {
    let is_shown = !character.is_control()
        && !matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}');
    if is_shown { character } else { '\u{fffd}' }
}

/// As Mermaid wants it in quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace("<br/>", "\u{0}")
        .replace('<', "&lt;")
        .replace('\u{0}', "<br/>")
}

#[cfg(test)]
mod tests {
    use crate::document::Document;

    const FLOW: &str = "\
name: report
steps:
  - {name: rows, skill: acme/rows}
  - {name: sum, skill: acme/sum, foreach: \"${rows_output}\", inputs: {row: \"${item}\"}}
  - {name: mail, workflow: \"mail & \\\"more\\\".yaml\", inputs: {sum: \"${sum_output}\"}}
  - {name: tell, skill: acme/tell, when: \"${sum.status} != 'success'\"}
  - {name: free, skill: acme/free}
";

    #[test]
    fn mermaid() {
        let workflow = Document::parse(FLOW).unwrap().workflow;
        insta::assert_snapshot!(workflow.mermaid().unwrap(), @r#"
        flowchart LR
            s0["rows<br/>acme/rows"]
            s1["sum<br/>acme/sum<br/>for each item"]
            s2[["mail<br/>mail &amp; &quot;more&quot;.yaml"]]
            s3["tell<br/>acme/tell<br/>on a condition"]
            s4["free<br/>acme/free"]
            s0 --> s1
            s1 --> s2
            s1 -.-> s3
        "#);
    }

    #[test]
    fn lines_that_others_imply_are_not_drawn() {
        let flow = "\
name: chain
steps:
  - {name: a, skill: acme/a}
  - {name: b, skill: acme/b, needs: [a]}
  - {name: c, skill: acme/c, needs: [a, b]}
  - {name: d, skill: acme/d, when: \"${c.status} != 'success'\"}
  - {name: e, skill: acme/e, needs: [c, d]}
  - {name: f, skill: acme/f, when: \"${a.status} != 'success'\", needs: [e]}
";
        let workflow = Document::parse(flow).unwrap().workflow;
        let text = workflow.mermaid().unwrap();
        let lines: Vec<&str> =
            text.lines().filter(|line| line.contains('>') && !line.contains('[')).map(str::trim).collect();
        // That `e` needs the success of `c` does not follow from `d`, which only waits for its end.
        assert_eq!(lines, ["s0 --> s1", "s1 --> s2", "s2 -.-> s3", "s2 --> s4", "s3 --> s4", "s4 --> s5"]);
    }

    #[test]
    fn steps_that_need_all_above_are_drawn() {
        let mut flow = "name: many\nsteps:\n".to_owned();
        for at in 0..60 {
            let needs: Vec<String> = (0..at).map(|before| format!("s{before}")).collect();
            flow.push_str(&format!("  - {{name: s{at}, skill: acme/a, needs: [{}]}}\n", needs.join(", ")));
        }
        let workflow = Document::parse(&flow).unwrap().workflow;
        assert_eq!(workflow.mermaid().unwrap().matches("-->").count(), 59);
        assert!(workflow.svg().unwrap().contains("s59"));
    }

    #[test]
    fn what_would_take_too_long_to_lay_out_is_refused_at_once() {
        let flow = |count: usize, needs: &dyn Fn(usize) -> Vec<usize>| {
            let mut flow = "name: many\nsteps:\n".to_owned();
            for at in 0..count {
                let needs: Vec<String> = needs(at).iter().map(|before| format!("s{before}")).collect();
                flow.push_str(&format!(
                    "  - {{name: s{at}, skill: acme/a, needs: [{}]}}\n",
                    needs.join(", ")
                ));
            }
            Document::parse(&flow).unwrap().workflow
        };
        // Every step of the second half needs all of the first.
        let dense = flow(200, &|at| if at < 100 { Vec::new() } else { (0..100).collect() });
        let problems = dense.svg().unwrap_err().to_string();
        assert!(
            problems.contains("too many lines between the steps for a picture, 10000; use Mermaid"),
            "{problems}"
        );
        assert_eq!(dense.mermaid().unwrap().matches("-->").count(), 10_000);
        // There are 5 to the power of 19 ways through this one, and it is small all the same.
        let layers = flow(100, &|at| {
            (at / 5 * 5).checked_sub(5).map_or(Vec::new(), |first| (first..first + 5).collect())
        });
        assert!(layers.svg().unwrap().contains("s99"));
    }

    #[test]
    fn no_control_character_gets_into_a_picture() {
        let flow = r#"{"name": "w", "steps": [{"name": "a", "workflow": "\u001b[2J\nx\u202e.yaml"}]}"#;
        let workflow = Document::parse(flow).unwrap().workflow;
        for text in [workflow.mermaid().unwrap(), workflow.svg().unwrap()] {
            assert!(text.contains("\u{fffd}[2J\u{fffd}x\u{fffd}.yaml"), "{text}");
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        }
    }

    #[test]
    fn svg_has_every_step_and_is_well_formed() {
        let workflow = Document::parse(FLOW).unwrap().workflow;
        let svg = workflow.svg().unwrap();
        for step in &workflow.steps {
            assert!(svg.contains(&step.name), "{svg}");
        }
        assert!(svg.contains("&amp;") && !svg.contains("\"more\".yaml<"), "{svg}");
    }
}
