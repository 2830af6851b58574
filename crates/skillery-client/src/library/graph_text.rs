//! A graph of skills as a text: a tree for people, or a drawing for Mermaid and Graphviz.

use std::fmt::Write as _;
use std::str::FromStr;

use skillery_core::SkillId;

use crate::error::{Error, arrows};
use crate::library::graph::{Dependency, Graph, Node, State};

/// Levels of a tree that are drawn.
const MAX_DEPTH: usize = 64;

/// Which form a graph is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphFormat {
    /// A tree of lines.
    Text,
    /// A flowchart for Mermaid.
    Mermaid,
    /// A digraph for Graphviz.
    Dot,
}

impl FromStr for GraphFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "text" => Ok(Self::Text),
            "mermaid" => Ok(Self::Mermaid),
            "dot" => Ok(Self::Dot),
            other => Err(Error::invalid(
                "`format`",
                format!("`{}` is none of `text`, `mermaid`, `dot`", other.escape_debug()),
            )),
        }
    }
}

/// Something below a node of a tree.
struct Branch {
    /// What it says beside the node's own label, or instead of it.
    text: String,
    target: Option<usize>,
}

impl Graph {
    /// The graph in this form, each line with its end.
    pub fn write(&self, format: GraphFormat) -> String {
        match format {
            GraphFormat::Text => self.tree(),
            GraphFormat::Mermaid => self.mermaid(),
            GraphFormat::Dot => self.dot(),
        }
    }

    /// A tree of what each skill needs. What is written out above is marked with `(*)`.
    pub fn tree(&self) -> String {
        let mut tree = Tree { graph: self, text: String::new(), seen: vec![false; self.skills.len()] };
        let needed: Vec<usize> = self.edges.iter().flatten().flatten().copied().collect();
        let is_top = |place: &&usize| self.roots.len() == 1 || !needed.contains(place);
        for root in self.roots.iter().filter(is_top) {
            tree.begin(*root, &|place| self.branches(place));
        }
        // Of a circle that nothing leads to, no skill is the top.
        for root in &self.roots {
            if !tree.seen[*root] {
                tree.begin(*root, &|place| self.branches(place));
            }
        }
        for cycle in &self.cycles {
            let _ = writeln!(tree.text, "cycle: {}", arrows(cycle));
        }
        tree.text
    }

    /// A tree of the skills that need this one, and of those that need them.
    pub fn tree_of_dependents(&self, id: &SkillId) -> String {
        let mut tree = Tree { graph: self, text: String::new(), seen: vec![false; self.skills.len()] };
        for (place, node) in self.skills.iter().enumerate() {
            if node.id.key() == id.key() {
                tree.begin(place, &|place| self.branches_of_dependents(place));
            }
        }
        tree.text
    }

    fn branches(&self, place: usize) -> Vec<Branch> {
        let node = &self.skills[place];
        let branch = |(dependency, target): (&Dependency, &Option<usize>)| Branch {
            text: target.map_or_else(|| lacking(dependency), |_| requirement(dependency)),
            target: *target,
        };
        node.dependencies.iter().zip(&self.edges[place]).map(branch).collect()
    }

    fn branches_of_dependents(&self, target: usize) -> Vec<Branch> {
        let wanted = &self.skills[target];
        let mut branches = Vec::new();
        for (place, node) in self.skills.iter().enumerate() {
            for (dependency, edge) in node.dependencies.iter().zip(&self.edges[place]) {
                let lacks = matches!(
                    &dependency.state,
                    State::Unsatisfied { id, .. } if wanted.current && id.key() == wanted.id.key()
                );
                if *edge == Some(target) || lacks {
                    let mark = if lacks { " (not satisfied)" } else { "" };
                    branches.push(Branch {
                        text: format!(" needs {}{mark}", dependency.wanted),
                        target: Some(place),
                    });
                    break;
                }
            }
        }
        branches
    }

    fn mermaid(&self) -> String {
        let mut text = String::from("graph TD\n");
        for (place, node) in self.skills.iter().enumerate() {
            let _ = writeln!(text, "    n{place}[\"{}\"]", for_mermaid(&label(node)));
        }
        let mut missing = 0;
        for (place, node) in self.skills.iter().enumerate() {
            for (dependency, target) in node.dependencies.iter().zip(&self.edges[place]) {
                let label = match range(dependency) {
                    Some(range) => format!("|\"{}\"|", for_mermaid(range)),
                    None => String::new(),
                };
                if let Some(target) = target {
                    let _ = writeln!(text, "    n{place} -->{label} n{target}");
                } else {
                    let name = for_mermaid(&lacking(dependency));
                    let _ = writeln!(text, "    n{place} -.-> m{missing}[\"{name}\"]:::missing");
                    missing += 1;
                }
            }
        }
        if missing > 0 {
            text.push_str("    classDef missing stroke-dasharray: 4 4\n");
        }
        text
    }

    fn dot(&self) -> String {
        let mut text = String::from("digraph skills {\n    node [shape=box];\n");
        for (place, node) in self.skills.iter().enumerate() {
            let _ = writeln!(text, "    n{place} [label=\"{}\"];", for_dot(&label(node)));
        }
        let mut missing = 0;
        for (place, node) in self.skills.iter().enumerate() {
            for (dependency, target) in node.dependencies.iter().zip(&self.edges[place]) {
                if let Some(target) = target {
                    let label = range(dependency)
                        .map(|range| format!(" [label=\"{}\"]", for_dot(range)))
                        .unwrap_or_default();
                    let _ = writeln!(text, "    n{place} -> n{target}{label};");
                } else {
                    let name = for_dot(&lacking(dependency));
                    let _ = writeln!(text, "    m{missing} [label=\"{name}\", style=dashed];");
                    let _ = writeln!(text, "    n{place} -> m{missing} [style=dashed];");
                    missing += 1;
                }
            }
        }
        text.push_str("}\n");
        text
    }
}

/// A tree under way.
struct Tree<'a> {
    graph: &'a Graph,
    text: String,
    /// What was written out already.
    seen: Vec<bool>,
}

impl Tree<'_> {
    fn begin(&mut self, root: usize, branches: &dyn Fn(usize) -> Vec<Branch>) {
        self.text.push_str(&label(&self.graph.skills[root]));
        self.below(root, "", &mut vec![root], branches);
    }

    /// Ends the line of a node, and writes what stands below it.
    fn below(
        &mut self,
        place: usize,
        indent: &str,
        way: &mut Vec<usize>,
        branches: &dyn Fn(usize) -> Vec<Branch>,
    ) {
        let below = branches(place);
        if !below.is_empty() && (self.seen[place] || way.len() > MAX_DEPTH) {
            self.text.push_str(if self.seen[place] { " (*)\n" } else { " …\n" });
            return;
        }
        self.text.push('\n');
        self.seen[place] = true;
        let last = below.len().saturating_sub(1);
        for (number, branch) in below.iter().enumerate() {
            let (turn, more) = if number == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let _ = write!(self.text, "{indent}{turn}");
            let Some(target) = branch.target else {
                let _ = writeln!(self.text, "{}", branch.text);
                continue;
            };
            let _ = write!(self.text, "{}{}", label(&self.graph.skills[target]), branch.text);
            if way.contains(&target) {
                self.text.push_str(" (cycle)\n");
                continue;
            }
            way.push(target);
            self.below(target, &format!("{indent}{more}"), way, branches);
            way.pop();
        }
    }
}

fn label(node: &Node) -> String {
    match &node.problem {
        Some(problem) => format!("{} {} (cannot be read: {})", node.id, node.version, one_line(problem)),
        None => format!("{} {}", node.id, node.version),
    }
}

/// The range of `org/name@range`, without the script that may stand behind it.
fn range(dependency: &Dependency) -> Option<&str> {
    let (_, range) = dependency.wanted.split_once('@')?;
    Some(range.split_once('#').map_or(range, |(range, _)| range))
}

fn requirement(dependency: &Dependency) -> String {
    range(dependency).map(|range| format!(" ({range})")).unwrap_or_default()
}

/// What is said of something that the library does not have.
fn lacking(dependency: &Dependency) -> String {
    let listed = |names: Vec<String>| names.join(", ");
    let why = match &dependency.state {
        State::Resolved { .. } | State::Missing => "missing".to_owned(),
        State::Unsatisfied { present, .. } => {
            format!("not satisfied, there are {}", listed(present.iter().map(ToString::to_string).collect()))
        }
        State::Ambiguous { candidates } => {
            format!("any of {}", listed(candidates.iter().map(ToString::to_string).collect()))
        }
        State::Invalid { reason } => format!("not valid: {}", one_line(reason)),
    };
    format!("{} ({why})", one_line(&dependency.wanted))
}

/// A text that somebody else wrote, on one line.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// What stands in quotes in Mermaid; characters that it might take for its own are written as their numbers.
fn for_mermaid(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in one_line(text).chars() {
        if character.is_alphanumeric() || " .,:@^~=*/_-+()".contains(character) {
            written.push(character);
        } else {
            let _ = write!(written, "#{};", u32::from(character));
        }
    }
    written
}

/// What stands in quotes in Graphviz.
fn for_dot(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('"', "\\\"")
}
