//! What `${…}` means: an input, a part of a step, the item of a `foreach`, a secret, or the run.

use serde_json::Value;

use super::Checker;
use crate::condition::Condition;
use crate::problems::{Problem, ProblemKind};
use crate::template::{Template, cut};

/// Inputs that a message names.
const MOST_NAMES: usize = 20;

/// What a `${...}` stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    pub(crate) source: Source,
    /// Keys and positions below the source.
    pub(crate) path: Vec<String>,
    /// As it was written.
    pub(crate) text: String,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    Input(String),
    Step(usize, Field),
    /// The item of a `foreach`.
    Item,
    /// Its position, from 0.
    Index,
    Secret(String),
    RunId,
}

/// A part of a step's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Output,
    Status,
    Error,
    Version,
    /// The outcome of each item of a `foreach`.
    Items,
}

impl Field {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "output" => Self::Output,
            "status" => Self::Status,
            "error" => Self::Error,
            "version" => Self::Version,
            "items" => Self::Items,
            _ => return None,
        })
    }

    /// Whether there is something to refer to only when the step succeeded.
    pub(super) fn needs_success(self) -> bool {
        self == Self::Output
    }
}

impl Checker<'_> {
    /// A value of a step with its references resolved; `None` where one has no meaning.
    pub(super) fn template(
        &mut self,
        at: usize,
        place: &[&str],
        value: &Value,
        in_item: bool,
    ) -> Option<Template<Reference>> {
        let mut messages = Vec::new();
        let template = Template::parse(value, &mut messages);
        let is_whole = messages.is_empty();
        for message in messages {
            self.step_problem(at, ProblemKind::BadReference, place, message);
        }
        let resolved = template.resolve(&mut |text| self.reference(Some(at), place, text, in_item));
        resolved.filter(|_| is_whole)
    }

    pub(super) fn condition(&mut self, at: usize, when: &Value) -> Option<Condition<Reference>> {
        let mut messages = Vec::new();
        let condition = Condition::parse(when, &mut messages);
        for message in messages {
            self.step_problem(at, ProblemKind::BadCondition, &["when"], message);
        }
        condition?.resolve(&mut |text| self.reference(Some(at), &["when"], text, false))
    }

    /// Puts a problem where it belongs: to a step, or to the workflow's outputs.
    fn refuse(&mut self, at: Option<usize>, place: &[&str], kind: ProblemKind, message: String) {
        match at {
            Some(at) => self.step_problem(at, kind, place, message),
            None => self.problems.push(Problem::new(kind, message).at(place)),
        }
    }

    /// The position of a step; a problem where there is none.
    pub(super) fn step_called(&mut self, at: usize, place: &[&str], name: &str) -> Option<usize> {
        let position = self.positions.get(name).copied();
        if position.is_none() {
            let message = format!("there is no step `{}`", cut(name));
            self.step_problem(at, ProblemKind::UnknownStep, place, message);
        }
        position
    }

    /// `step_output` and `step_key`: the step with the longest name that fits, and the rest.
    fn step_of_short_form<'t>(&self, text: &'t str) -> Option<(usize, &'t str)> {
        text.rmatch_indices('_').find_map(|(at, _)| {
            let rest = &text[at + 1..];
            let position = *self.positions.get(&text[..at])?;
            (!rest.is_empty()).then_some((position, rest))
        })
    }

    fn is_input(&self, name: &str) -> bool {
        self.names.as_ref().is_some_and(|names| names.contains(name))
    }

    /// Gives a reference its meaning. An input that the run has comes before a step whose name fits too.
    pub(super) fn reference(
        &mut self,
        at: Option<usize>,
        place: &[&str],
        text: String,
        in_item: bool,
    ) -> Option<Reference> {
        let mut path: Vec<String> = text.split('.').map(str::to_owned).collect();
        let first = path.remove(0);
        if in_item && (first == "item" || first == "index") {
            let source = if first == "item" { Source::Item } else { Source::Index };
            return Some(Reference { source, path, text });
        }
        let is_input = self.is_input(&first);
        let is_step = self.positions.contains_key(first.as_str());
        if !is_input && !is_step && !path.is_empty() {
            if first == "secrets" {
                return self.secret(at, place, path, text);
            }
            if first == "run" && path == ["id"] {
                return Some(Reference { source: Source::RunId, path: Vec::new(), text });
            }
        }
        if path.is_empty() {
            if !is_input && let Some((position, rest)) = self.step_of_short_form(&text) {
                // Where inputs are not known, `${email_input}` above a step `email` is most likely an input.
                let is_above = at.is_none_or(|at| position < at);
                if is_above || rest == "output" || self.names.is_some() {
                    let path = if rest == "output" { Vec::new() } else { vec![rest.to_owned()] };
                    return Some(self.step_reference(at, position, Field::Output, path, text));
                }
            }
        } else if is_step {
            if let Some(field) = Field::parse(&path[0]) {
                let position = self.positions[first.as_str()];
                path.remove(0);
                return Some(self.step_reference(at, position, field, path, text));
            }
            if !is_input {
                let message = format!(
                    "`${{{text}}}`: a step has `output`, `status`, `error`, `version` and `items`; \
                     write `${{{first}.output.{}}}`",
                    path.join(".")
                );
                self.refuse(at, place, ProblemKind::BadReference, message);
                return None;
            }
        }
        if !is_input
            && !path.is_empty()
            && let Some((position, "output")) = self.step_of_short_form(&first)
        {
            return Some(self.step_reference(at, position, Field::Output, path, text));
        }
        if is_input || self.names.is_none() {
            return Some(Reference { source: Source::Input(first), path, text });
        }
        if self.has_enough() {
            return None;
        }
        let message = self.unknown(&text, &first, !path.is_empty());
        let kind = if path.is_empty() { ProblemKind::UnknownInput } else { ProblemKind::UnknownStep };
        self.refuse(at, place, kind, message);
        None
    }

    fn step_reference(
        &mut self,
        at: Option<usize>,
        position: usize,
        field: Field,
        path: Vec<String>,
        text: String,
    ) -> Reference {
        if let Some(at) = at {
            self.edges[at].insert(position);
        }
        Reference { source: Source::Step(position, field), path, text }
    }

    fn secret(
        &mut self,
        at: Option<usize>,
        place: &[&str],
        path: Vec<String>,
        text: String,
    ) -> Option<Reference> {
        let name = path.join(".");
        if self.workflow.secrets.contains(&name) {
            return Some(Reference { source: Source::Secret(name), path: Vec::new(), text });
        }
        let message = format!("`${{{text}}}`: the workflow has no secret `{name}`; name it under `secrets`");
        self.refuse(at, place, ProblemKind::UnknownSecret, message);
        None
    }

    fn unknown(&self, text: &str, first: &str, is_long: bool) -> String {
        let all = self.names.iter().flatten();
        let mut names: Vec<String> =
            all.clone().take(MOST_NAMES).map(|name| format!("`{}`", cut(name))).collect();
        if all.count() > MOST_NAMES {
            names.push("…".to_owned());
        }
        let given = match (names.len(), &self.workflow.inputs) {
            (0, None) => "no inputs were given".to_owned(),
            (0, Some(_)) => "the workflow has no inputs".to_owned(),
            _ => format!("the inputs are {}", names.join(", ")),
        };
        if self.positions.contains_key(first) && !is_long {
            return format!(
                "`${{{text}}}` is no input; write `${{{text}_output}}` for what the step returns"
            );
        }
        format!("`${{{text}}}` is neither an input nor a part of a step: {given}")
    }
}
