//! From the document to what can run: every name resolved, every edge known. Pure.
//!
//! Steps refer only upwards, so the order of the document is always a valid one, and a cycle can only be written
//! with a reference downwards.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::Values;
use crate::problems::{Problem, ProblemKind, Problems};
use crate::skill::SkillReference;
use crate::template::{Template, cut};
use crate::workflow::{OnError, Step, Workflow};

/// Steps in a workflow.
pub(crate) const MAX_STEPS: usize = 10_000;
const MAX_NAME: usize = 128;
const MAX_RETRIES: u32 = 100;
const MAX_DELAY_SECONDS: f64 = 3_600.0;
const MAX_TIMEOUT_SECONDS: f64 = 7.0 * 86_400.0;
/// More than this many problems help nobody.
pub(crate) const MAX_PROBLEMS: usize = 100;

/// A workflow that can run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// In the order of the document.
    pub(crate) steps: Vec<PlanStep>,
}

/// A step with its names resolved to positions.
#[derive(Debug)]
pub(crate) struct PlanStep {
    pub(crate) name: String,
    pub(crate) inputs: Vec<(String, Template<Reference>)>,
    /// Steps that must have ended before this one starts.
    pub(crate) after: BTreeSet<usize>,
    /// Those of them that must have succeeded, with the words why.
    pub(crate) requires: BTreeMap<usize, String>,
    pub(crate) on_error: OnError,
    pub(crate) retries: u32,
    pub(crate) retry_delay: Duration,
    pub(crate) timeout: Option<Duration>,
    pub(crate) parallel: bool,
}

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
}

/// A part of a step's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Output,
    Status,
    Error,
    Version,
}

impl Field {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "output" => Self::Output,
            "status" => Self::Status,
            "error" => Self::Error,
            "version" => Self::Version,
            _ => return None,
        })
    }

    /// Whether there is something to refer to only when the step succeeded.
    fn needs_success(self) -> bool {
        self == Self::Output
    }
}

/// Checks everything that can be known without the installed skills; without `inputs`, names that no step explains
/// are taken for inputs.
pub(crate) fn check(workflow: &Workflow, inputs: Option<&Values>) -> Result<Plan, Problems> {
    let mut checker = Checker { workflow, inputs, positions: HashMap::new(), problems: Vec::new() };
    let steps = checker.run();
    if checker.problems.is_empty() {
        return Ok(Plan { steps });
    }
    checker.problems.truncate(MAX_PROBLEMS);
    Err(Problems { workflow: cut(&workflow.name), problems: checker.problems })
}

struct Checker<'a> {
    workflow: &'a Workflow,
    inputs: Option<&'a Values>,
    positions: HashMap<&'a str, usize>,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    fn run(&mut self) -> Vec<PlanStep> {
        let workflow = self.workflow;
        if workflow.name.trim().is_empty() || workflow.name.chars().count() > MAX_NAME {
            self.problem(None, ProblemKind::BadName, format!("the name has 1 to {MAX_NAME} characters"));
        }
        match workflow.steps.len() {
            0 => self.problem(None, ProblemKind::StepCount, "there are no steps".to_owned()),
            count if count > MAX_STEPS => {
                let message = format!("there are {count} steps, and {MAX_STEPS} is the most");
                self.problem(None, ProblemKind::StepCount, message);
                return Vec::new();
            }
            _ => {}
        }
        for (position, step) in workflow.steps.iter().enumerate() {
            self.check_name(position, step);
        }
        workflow.steps.iter().enumerate().filter_map(|(at, step)| self.check_step(at, step)).collect()
    }

    fn problem(&mut self, step: Option<&str>, kind: ProblemKind, message: String) {
        self.problems.push(Problem { step: step.map(cut), kind, message });
    }

    fn check_name(&mut self, position: usize, step: &'a Step) {
        let name = step.name.as_str();
        let allowed = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
        if name.is_empty() || name.chars().count() > MAX_NAME || !name.chars().all(allowed) {
            let message = format!(
                "the name of step {} is `{}`: use 1 to {MAX_NAME} letters, digits, `_` and `-`",
                position + 1,
                cut(name)
            );
            self.problem(None, ProblemKind::BadName, message);
        } else if let Some(first) = self.positions.get(name) {
            let message = format!("steps {} and {} are both called `{name}`", first + 1, position + 1);
            self.problem(None, ProblemKind::DuplicateStep, message);
        } else {
            self.positions.insert(name, position);
        }
    }

    /// Checks one step as far as it goes; `None` when a part of it has no meaning.
    fn check_step(&mut self, at: usize, step: &'a Step) -> Option<PlanStep> {
        self.check_numbers(step);
        if let Err(why) = step.skill.parse::<SkillReference>() {
            let message = format!("`{}` is not a skill: {why}", cut(&step.skill));
            self.problem(Some(&step.name), ProblemKind::BadSkill, message);
        }
        let mut after = BTreeSet::new();
        let mut requires = BTreeMap::new();
        for need in &step.needs {
            if let Some(position) = self.upper_step(at, need) {
                after.insert(position);
                requires.entry(position).or_insert_with(|| format!("it needs `{need}`"));
            }
        }
        let mut inputs = Vec::new();
        let mut complete = true;
        for (key, value) in &step.inputs {
            let mut messages = Vec::new();
            let template = Template::parse(value, &mut messages);
            complete &= messages.is_empty();
            for message in messages {
                self.problem(Some(&step.name), ProblemKind::BadReference, message);
            }
            match template.resolve(&mut |text| self.reference(at, text)) {
                Some(template) => inputs.push((key.clone(), template)),
                None => complete = false,
            }
        }
        for (_, template) in &inputs {
            template.each_reference(&mut |reference| {
                if let Source::Step(position, field) = reference.source {
                    after.insert(position);
                    if field.needs_success() {
                        requires
                            .entry(position)
                            .or_insert_with(|| format!("it refers to `${{{}}}`", reference.text));
                    }
                }
            });
        }
        complete.then(|| PlanStep {
            name: step.name.clone(),
            inputs,
            after,
            requires,
            on_error: step.on_error,
            retries: step.effective_retries(),
            retry_delay: step.retry_delay(),
            timeout: step.timeout(),
            parallel: step.parallel,
        })
    }

    fn check_numbers(&mut self, step: &Step) {
        let mut bad = |message: String| self.problem(Some(&step.name), ProblemKind::BadNumber, message);
        if step.effective_retries() > MAX_RETRIES {
            bad(format!("`retries` is at most {MAX_RETRIES}"));
        }
        if !(0.0..=MAX_DELAY_SECONDS).contains(&step.retry_delay_seconds) {
            bad(format!("`retry_delay_seconds` is from 0 to {MAX_DELAY_SECONDS}"));
        }
        if let Some(seconds) = step.timeout_seconds
            && !(seconds > 0.0 && seconds <= MAX_TIMEOUT_SECONDS)
        {
            bad(format!("`timeout_seconds` is above 0 and at most {MAX_TIMEOUT_SECONDS}"));
        }
    }

    /// The position of a step that stands above this one; a problem otherwise.
    fn upper_step(&mut self, at: usize, name: &str) -> Option<usize> {
        let step = &self.workflow.steps[at].name;
        let Some(&position) = self.positions.get(name) else {
            let message = format!("there is no step `{}`", cut(name));
            self.problem(Some(step), ProblemKind::UnknownStep, message);
            return None;
        };
        if position < at {
            return Some(position);
        }
        if position == at {
            self.problem(Some(step), ProblemKind::Cycle, "it waits for itself".to_owned());
            return None;
        }
        match self.way(position, at) {
            Some(way) => {
                let message = format!("steps wait for each other: {}", way.join(" -> "));
                self.problem(Some(step), ProblemKind::Cycle, message);
            }
            None => {
                let message = format!("`{name}` stands further down; move it above this step");
                self.problem(Some(step), ProblemKind::LaterStep, message);
            }
        }
        None
    }

    /// The shortest way from one step along what it waits for to another, as the cycle that an edge back closes.
    fn way(&self, from: usize, to: usize) -> Option<Vec<String>> {
        if self.problems.len() > MAX_PROBLEMS {
            return None;
        }
        let name = |position: usize| self.workflow.steps[position].name.clone();
        let mut came_from = HashMap::from([(from, from)]);
        let mut queue = VecDeque::from([from]);
        while let Some(here) = queue.pop_front() {
            if here == to {
                let mut way = vec![name(to)];
                let mut step = to;
                while step != from {
                    step = came_from[&step];
                    way.push(name(step));
                }
                way.push(name(to));
                way.reverse();
                // It began at `to`, since the edge that is being checked goes from there to `from`.
                return Some(way);
            }
            for next in self.written_edges(here) {
                if let std::collections::hash_map::Entry::Vacant(entry) = came_from.entry(next) {
                    entry.insert(here);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// The steps that a step waits for as far as it says so, in whatever direction.
    fn written_edges(&self, at: usize) -> Vec<usize> {
        let step = &self.workflow.steps[at];
        let mut edges: Vec<usize> =
            step.needs.iter().filter_map(|need| self.positions.get(need.as_str()).copied()).collect();
        for value in step.inputs.values() {
            Template::parse(value, &mut Vec::new()).each_reference(&mut |text: &String| {
                let step = match text.split_once('.') {
                    Some((first, _)) => self.positions.get(first).copied(),
                    None => self.step_of_short_form(text).map(|(position, _)| position),
                };
                edges.extend(step);
            });
        }
        edges
    }

    /// `step_output` and `step_key`: the step with the longest name that fits, and the rest.
    fn step_of_short_form<'t>(&self, text: &'t str) -> Option<(usize, &'t str)> {
        text.rmatch_indices('_').find_map(|(at, _)| {
            let rest = &text[at + 1..];
            let position = *self.positions.get(&text[..at])?;
            (!rest.is_empty()).then_some((position, rest))
        })
    }

    /// Gives a reference its meaning. An input that the run was given comes before a step whose name fits too.
    fn reference(&mut self, at: usize, text: String) -> Option<Reference> {
        let mut path: Vec<String> = text.split('.').map(str::to_owned).collect();
        let first = path.remove(0);
        let given = self.inputs.is_some_and(|inputs| inputs.contains_key(&first));
        if path.is_empty() {
            if !given && let Some((position, rest)) = self.step_of_short_form(&text) {
                let path = if rest == "output" { Vec::new() } else { vec![rest.to_owned()] };
                // Without inputs, `${email_input}` above a step `email` is most likely an input.
                if position < at || rest == "output" || self.inputs.is_some() {
                    let name = self.workflow.steps[position].name.clone();
                    let position = self.upper_step(at, &name)?;
                    return Some(Reference { source: Source::Step(position, Field::Output), path, text });
                }
            }
        } else if self.positions.contains_key(first.as_str()) {
            if let Some(field) = Field::parse(&path[0]) {
                let position = self.upper_step(at, &first)?;
                path.remove(0);
                return Some(Reference { source: Source::Step(position, field), path, text });
            }
            if !given {
                let message = format!(
                    "`${{{text}}}`: a step has `output`, `status`, `error` and `version`; write `${{{first}.output.{}}}`",
                    path.join(".")
                );
                self.problem(Some(&self.workflow.steps[at].name), ProblemKind::BadReference, message);
                return None;
            }
        }
        if given || self.inputs.is_none() {
            return Some(Reference { source: Source::Input(first), path, text });
        }
        let message = self.unknown(&text, &first, !path.is_empty());
        let kind = if path.is_empty() { ProblemKind::UnknownInput } else { ProblemKind::UnknownStep };
        self.problem(Some(&self.workflow.steps[at].name), kind, message);
        None
    }

    fn unknown(&self, text: &str, first: &str, long: bool) -> String {
        let inputs: Vec<String> = self
            .inputs
            .into_iter()
            .flat_map(|inputs| inputs.keys())
            .map(|key| format!("`{}`", cut(key)))
            .collect();
        let given = match inputs.len() {
            0 => "no inputs were given".to_owned(),
            _ => format!("the inputs are {}", inputs.join(", ")),
        };
        if self.positions.contains_key(first) && !long {
            return format!(
                "`${{{text}}}` is no input; write `${{{text}_output}}` for what the step returns"
            );
        }
        format!("`${{{text}}}` is neither an input nor a part of a step: {given}")
    }
}

impl<R> Template<R> {
    fn each_reference(&self, each: &mut impl FnMut(&R)) {
        match self {
            Self::Literal(_) => {}
            Self::Whole(reference) => each(reference),
            Self::Text(parts) => parts.iter().for_each(|part| {
                if let crate::template::Part::Reference(reference) = part {
                    each(reference);
                }
            }),
            Self::List(items) => items.iter().for_each(|item| item.each_reference(each)),
            Self::Object(fields) => fields.iter().for_each(|(_, item)| item.each_reference(each)),
        }
    }
}
