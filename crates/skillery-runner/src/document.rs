//! A workflow as text, YAML or JSON, with the place of each part of it: for errors that name line and column.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_saphyr::{Location, Spanned};

use crate::problems::Problems;
use crate::workflow::Workflow;

/// Bytes of a document.
const MAX_DOCUMENT: usize = 16 * 1024 * 1024;
/// Values and keys of a document.
const MAX_NODES: usize = 5_000_000;

/// A workflow, and where in its text everything stands.
#[derive(Debug, Clone)]
pub struct Document {
    /// What it says.
    pub workflow: Workflow,
    root: Part,
}

/// The text is no workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct DocumentError {
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    /// What is wrong there.
    pub message: String,
}

impl Document {
    /// Reads a document. JSON is read as such where the text begins with a brace, as YAML is stricter about tabs.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        if text.len() > MAX_DOCUMENT {
            let message = format!("the workflow is {} bytes, and {MAX_DOCUMENT} is the most", text.len());
            return Err(DocumentError { line: 1, column: 1, message });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let is_json = text.trim_start().starts_with('{');
        let workflow = match (is_json, is_json.then(|| from_json(text))) {
            (true, Some(Ok(workflow))) => {
                // A key that stands twice is one too many there, too.
                refuse_duplicates(text)?;
                workflow
            }
            // Braces may also be YAML's.
            (true, Some(Err(error))) => from_yaml(text).map_err(|_| error)?,
            _ => from_yaml(text)?,
        };
        // What could be read once is read again, and without places the errors are the same but for those.
        let root = serde_saphyr::from_str_with_options::<Spanned<Below>>(text, options());
        let root = root.map(Part::of).unwrap_or_default();
        Ok(Self { workflow, root })
    }

    /// The text of a file, as far as a document may go and one byte more, which [`Document::parse`] then refuses. Anything
    /// but a file is refused: some never end.
    pub fn read_file(path: &Path) -> io::Result<String> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let mut text = String::new();
        file.take(MAX_DOCUMENT as u64 + 1).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Gives every problem the place in the text that it is about.
    pub fn locate(&self, problems: &mut Problems) {
        for problem in &mut problems.problems {
            // What is about another document is located in that.
            if problem.line.is_none() && problem.file.is_none() {
                let (line, column) = self.root.find(&problem.place);
                problem.line = line;
                problem.column = column;
            }
        }
    }
}

fn options() -> serde_saphyr::Options {
    // `yes` and `on` are texts, as in YAML 1.2. What is read is bounded already.
    serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: MAX_NODES,
            max_nodes: MAX_NODES,
        },
    }
}

fn from_yaml(text: &str) -> Result<Workflow, DocumentError> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| located(&error))
}

fn located(error: &serde_saphyr::Error) -> DocumentError {
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let message = error.without_snippet().to_string();
    // It ends with the place, which is told apart, and some with advice for programmers.
    let message = message.split(" at line ").next().unwrap_or(&message);
    let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or(message).to_owned();
    DocumentError { line: location.line().max(1), column: location.column().max(1), message }
}

fn refuse_duplicates(text: &str) -> Result<(), DocumentError> {
    match serde_saphyr::from_str_with_options::<Spanned<Below>>(text, options()) {
        Err(error) if error.without_snippet().to_string().contains("duplicate mapping key") => {
            Err(located(&error))
        }
        _ => Ok(()),
    }
}

fn from_json(text: &str) -> Result<Workflow, DocumentError> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
        DocumentError { line: error.line().max(1) as u64, column: error.column().max(1) as u64, message }
    })
}

/// A value of the text: where it stands, and what is in it.
#[derive(Debug, Clone, Default)]
struct Part {
    line: Option<u64>,
    column: Option<u64>,
    below: Below,
}

#[derive(Debug, Clone, Default)]
enum Below {
    #[default]
    Nothing,
    List(Vec<Part>),
    Map(Vec<(String, Part)>),
}

impl Part {
    fn of(spanned: Spanned<Below>) -> Self {
        let place = spanned.referenced;
        Self {
            line: Some(place.line()).filter(|line| *line > 0),
            column: Some(place.column()).filter(|column| *column > 0),
            below: spanned.value,
        }
    }

    /// The place of a path, or of as much of it as there is.
    fn find(&self, path: &[String]) -> (Option<u64>, Option<u64>) {
        let next = path.first().and_then(|key| match &self.below {
            Below::List(items) => key.parse::<usize>().ok().and_then(|at| items.get(at)),
            Below::Map(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, part)| part),
            Below::Nothing => None,
        });
        match next {
            Some(part) => part.find(&path[1..]),
            None => (self.line, self.column),
        }
    }
}

impl<'de> Deserialize<'de> for Below {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Below;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Below, E> {
                Ok(Below::Nothing)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Below, E> {
                Ok(Below::Nothing)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Below, E> {
                Ok(Below::Nothing)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Below, E> {
                Ok(Below::Nothing)
            }

            fn visit_str<E>(self, _: &str) -> Result<Below, E> {
                Ok(Below::Nothing)
            }

            fn visit_unit<E>(self) -> Result<Below, E> {
                Ok(Below::Nothing)
            }

            fn visit_none<E>(self) -> Result<Below, E> {
                Ok(Below::Nothing)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Below, D::Error> {
                Below::deserialize(deserializer)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Below, A::Error> {
                let mut parts = Vec::new();
                while let Some(item) = items.next_element::<Spanned<Below>>()? {
                    parts.push(Part::of(item));
                }
                Ok(Below::List(parts))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Below, A::Error> {
                let mut parts = Vec::new();
                while let Some(key) = map.next_key::<Key>()? {
                    let value = map.next_value::<Spanned<Below>>()?;
                    if let Key(Some(name)) = key {
                        parts.push((name, Part::of(value)));
                    }
                }
                Ok(Below::Map(parts))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// A key, where it is a text.
struct Key(Option<String>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Key;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                Ok(Key(Some(text.to_owned())))
            }

            fn visit_bool<E>(self, yes: bool) -> Result<Key, E> {
                Ok(Key(Some(yes.to_string())))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Key, E> {
                Ok(Key(Some(number.to_string())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Key, E> {
                Ok(Key(Some(number.to_string())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Key, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Key(None))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: &str = "\
# A comment.
name: report
inputs:
  rows: list
  title: {type: string, default: Sums}
steps:
  - name: sum
    skill: acme/sum
    inputs:
      rows: ${rows}
    retry: {limit: 2, jitter: 0}
  - name: show
    skill: acme/show
    when: ${sum.output} > 3
    inputs: {title: \"${title}\", sum: \"${smu_output}\"}
";

    #[test]
    fn yaml_and_json_are_read() {
        let yaml = Document::parse(FLOW).unwrap().workflow;
        assert_eq!(yaml.steps[0].retry.as_ref().map(|retry| retry.limit), Some(2));
        let json = serde_json::to_string(&yaml).unwrap();
        assert_eq!(Document::parse(&json).unwrap().workflow, yaml);
        assert_eq!(Document::parse(&json.replace("{\"name\"", "{\t\"name\"")).unwrap().workflow, yaml);
    }

    #[test]
    fn braces_may_be_yaml_and_keys_stand_once() {
        let flow = "{name: x, steps: [{name: one, skill: a}]}";
        assert_eq!(Document::parse(flow).unwrap().workflow.steps[0].name, "one");
        let twice = r#"{"name": "x", "steps": [{"name": "one", "skill": "a", "inputs": {"x": 1, "x": 2}}]}"#;
        let error = Document::parse(twice).unwrap_err().to_string();
        assert_eq!(error, "line 1, column 74: duplicate mapping key: x");
    }

    #[test]
    fn many_steps_are_read() {
        let steps: String = (0..10_000)
            .map(|at| format!("  - name: s{at}\n    skill: a\n    inputs: {{a: 1, b: 2, c: 3, d: [1, 2, 3]}}\n    needs: []\n"))
            .collect();
        let document = Document::parse(&format!("name: x\nsteps:\n{steps}")).unwrap();
        assert_eq!(document.workflow.steps.len(), 10_000);
    }

    #[test]
    fn problems_have_their_place() {
        let document = Document::parse(FLOW).unwrap();
        let mut problems = document.workflow.validate().unwrap_err();
        document.locate(&mut problems);
        let problem = &problems.problems[0];
        assert_eq!((problem.line, problem.column), (Some(15), Some(38)), "{problem}");
    }

    #[test]
    fn what_is_no_workflow_says_where() {
        let said = |text: &str| Document::parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(
            [
                said("name: x\nstages: []\n"),
                said("name: x\nsteps:\n  - name: one\n    skil: a\n"),
                said("name: x\nsteps:\n  - {name: one, retry: often}\n"),
                said("name: x\nname: y\n"),
                said("name: [x\n"),
                said("{\"name\": \"x\",\n \"stages\": []}"),
                said("{\"name\": "),
                said("steps: []\n"),
                said(""),
                said("name: x\nsteps:\n\t- name: one\n"),
                said("a: &x [*x, *x]\n"),
            ]
            .join("\n"),
            @r#"
        line 2, column 1: unknown field `stages`, expected one of name, description, inputs, secrets, steps, outputs
        line 4, column 5: unknown field `skil`, expected one of name, skill, workflow, inputs, needs, when, foreach, on_error, retry, timeout_seconds, parallel, idempotency_key
        line 3, column 17: invalid type: string "often", expected a number of retries, or `limit` and others by name
        line 2, column 1: duplicate mapping key: name
        line 1, column 7: expected string scalar
        line 2, column 9: unknown field `stages`, expected one of `name`, `description`, `inputs`, `secrets`, `steps`, `outputs`
        line 1, column 9: EOF while parsing a value
        line 1, column 1: missing field `name`
        line 1, column 1: unexpected end of input
        line 3, column 2: tabs disallowed within this context (block indentation)
        line 1, column 1: unknown field `a`, expected one of name, description, inputs, secrets, steps, outputs
        "#
        );
    }
}
