//! A workflow as a picture: what waits for what.

use layout::backends::svg::SVGWriter;
use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::geometry::Point;
use layout::core::style::StyleAttr;
use layout::std_shapes::shapes::{Arrow, Element, LineEndKind, ShapeKind};
use layout::topo::layout::VisualGraph;

use crate::plan::{Plan, check};
use crate::problems::{Problem, ProblemKind, Problems};
use crate::workflow::{Step, Workflow};

/// Steps of a picture; what has more cannot be looked at, and takes minutes to lay out.
const MAX_STEPS: usize = 500;
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
        for (at, step) in plan.steps.iter().enumerate() {
            for before in &step.after {
                // What need only have ended is a dotted line.
                let arrow = if step.requires.contains_key(before) { "-->" } else { "-.->" };
                text.push_str(&format!("    s{before} {arrow} s{at}\n"));
            }
        }
        Ok(text)
    }

    /// The graph as an SVG picture. Needs a valid workflow.
    pub fn svg(&self) -> Result<String, Problems> {
        let plan = self.drawable()?;
        let mut graph = VisualGraph::new(Orientation::LeftToRight);
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
        for (at, step) in plan.steps.iter().enumerate() {
            for before in &step.after {
                let line = match step.requires.contains_key(before) {
                    true => layout::core::style::LineStyleKind::Normal,
                    false => layout::core::style::LineStyleKind::Dashed,
                };
                let arrow =
                    Arrow::new(LineEndKind::None, LineEndKind::Arrow, line, "", &edge_style(), &None, &None);
                graph.add_edge(arrow, nodes[*before], nodes[at]);
            }
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
                let problem = Problem::new(ProblemKind::StepCount, message).at(&["steps"]);
                Err(Problems { workflow: self.name.clone(), problems: vec![problem] })
            }
            _ => Ok(plan),
        }
    }
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
    lines
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
    fn svg_has_every_step_and_is_well_formed() {
        let workflow = Document::parse(FLOW).unwrap().workflow;
        let svg = workflow.svg().unwrap();
        for step in &workflow.steps {
            assert!(svg.contains(&step.name), "{svg}");
        }
        assert!(svg.contains("&amp;") && !svg.contains("\"more\".yaml<"), "{svg}");
    }
}
