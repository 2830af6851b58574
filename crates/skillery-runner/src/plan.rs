//! From the document to what can run: every name resolved, every edge known. Pure.

mod order;
mod references;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;

use crate::Values;
use crate::condition::Condition;
use crate::inputs::{self, Misfit};
use crate::problems::{Problem, ProblemKind, Problems};
use crate::repeat::{Foreach, MAX_ITEMS, Retry};
use crate::skill::SkillReference;
use crate::template::{Template, cut};
use crate::workflow::{OnError, Step, Workflow};

pub(crate) use self::references::{Field, Reference, Source};

/// Steps in a workflow.
pub(crate) const MAX_STEPS: usize = 10_000;
const MAX_NAME: usize = 128;
const MAX_TIMEOUT_SECONDS: f64 = 7.0 * 86_400.0;
/// More than this many problems help nobody.
pub(crate) const MAX_PROBLEMS: usize = 100;
/// The name of the input that a skill is given its idempotency key by.
pub(crate) const KEY_INPUT: &str = "idempotency_key";

/// Inputs of a step, or outputs of a workflow.
pub(crate) type Templates = Vec<(String, Template<Reference>)>;

/// A workflow that can run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// In the order of the document.
    pub(crate) steps: Vec<PlanStep>,
    /// What it returns to the workflow that it is a step of; none for what its steps return.
    pub(crate) outputs: Option<Templates>,
    /// What it was given, with the defaults of what it was not.
    pub(crate) inputs: Values,
}

/// A step with its names resolved to positions.
#[derive(Debug)]
pub(crate) struct PlanStep {
    pub(crate) name: String,
    pub(crate) inputs: Templates,
    pub(crate) when: Option<Condition<Reference>>,
    pub(crate) foreach: Option<PlanForeach>,
    pub(crate) key: Option<Template<Reference>>,
    /// Steps that must have ended before this one starts.
    pub(crate) after: BTreeSet<usize>,
    /// Those of them that must have succeeded, with the words why.
    pub(crate) requires: BTreeMap<usize, String>,
    pub(crate) on_error: OnError,
    pub(crate) retry: Retry,
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct PlanForeach {
    pub(crate) items: Template<Reference>,
    pub(crate) max_items: usize,
    pub(crate) max_parallel: Option<usize>,
}

/// Checks everything that can be known without the installed skills; without `inputs`, also what depends on those is
/// left open.
pub(crate) fn check(workflow: &Workflow, inputs: Option<&Values>) -> Result<Plan, Problems> {
    let mut checker = Checker {
        workflow,
        names: None,
        positions: HashMap::new(),
        edges: vec![BTreeSet::new(); workflow.steps.len().min(MAX_STEPS)],
        problems: Vec::new(),
    };
    let inputs = checker.inputs(inputs);
    let steps = checker.steps();
    let outputs = checker.outputs();
    if checker.problems.is_empty() {
        return Ok(Plan { steps, outputs, inputs });
    }
    checker.problems.truncate(MAX_PROBLEMS);
    Err(Problems { workflow: cut(&workflow.name), problems: checker.problems })
}

struct Checker<'a> {
    workflow: &'a Workflow,
    /// Names of inputs, where they are known.
    names: Option<BTreeSet<String>>,
    positions: HashMap<&'a str, usize>,
    /// What each step waits for, also where the rest of it has no meaning.
    edges: Vec<BTreeSet<usize>>,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    /// Whether more problems would help nobody.
    fn has_enough(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    fn problem(&mut self, kind: ProblemKind, place: &[&str], message: impl Into<String>) {
        if self.has_enough() {
            return;
        }
        self.problems.push(Problem::new(kind, message).at(place));
    }

    fn step_problem(&mut self, at: usize, kind: ProblemKind, place: &[&str], message: impl Into<String>) {
        if self.has_enough() {
            return;
        }
        let problem = Problem::new(kind, message).of_step(&self.workflow.steps[at].name);
        let position = at.to_string();
        self.problems.push(problem.at(&[&["steps", &position], place].concat()));
    }

    /// The inputs as the run has them, and their names.
    fn inputs(&mut self, given: Option<&Values>) -> Values {
        let declared = self.workflow.inputs.as_ref();
        if let Some(declared) = declared {
            for (name, message) in inputs::wrong(declared) {
                self.problem(ProblemKind::BadInput, &["inputs", name], message);
            }
        }
        for (at, name) in self.workflow.secrets.iter().enumerate() {
            let allowed = |character: char| character.is_ascii_alphanumeric() || character == '_';
            if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(allowed) {
                let message = format!("the secret `{}` is called by letters, digits and `_`", cut(name));
                self.problem(ProblemKind::BadName, &["secrets", &at.to_string()], message);
            }
        }
        let settled = given.map(|given| inputs::settle(declared, given));
        self.names = match (declared, given) {
            (Some(declared), _) => Some(declared.keys().cloned().collect()),
            (None, Some(given)) => Some(given.keys().cloned().collect()),
            (None, None) => None,
        };
        match settled {
            None => Values::new(),
            Some(Ok(values)) => values,
            Some(Err(misfits)) => {
                for misfit in misfits {
                    let (kind, message) = match misfit {
                        Misfit::Missing(message) => (ProblemKind::MissingInput, message),
                        Misfit::Unknown(message) => (ProblemKind::UnknownInput, message),
                        Misfit::Type(message) => (ProblemKind::BadInput, message),
                    };
                    self.problem(kind, &["inputs"], message);
                }
                Values::new()
            }
        }
    }

    fn steps(&mut self) -> Vec<PlanStep> {
        let workflow = self.workflow;
        if workflow.name.trim().is_empty() || workflow.name.chars().count() > MAX_NAME {
            self.problem(ProblemKind::BadName, &["name"], format!("the name has 1 to {MAX_NAME} characters"));
        }
        match workflow.steps.len() {
            0 => self.problem(ProblemKind::StepCount, &["steps"], "there are no steps"),
            count if count > MAX_STEPS => {
                let message = format!("there are {count} steps, and {MAX_STEPS} is the most");
                self.problem(ProblemKind::StepCount, &["steps"], message);
                return Vec::new();
            }
            _ => {}
        }
        for (at, step) in workflow.steps.iter().enumerate() {
            self.check_name(at, step);
        }
        let steps: Vec<_> =
            workflow.steps.iter().enumerate().map(|(at, step)| self.check_step(at, step)).collect();
        order::add_barriers(&mut self.edges, &workflow.steps);
        self.check_order();
        let edges = std::mem::take(&mut self.edges);
        steps
            .into_iter()
            .zip(edges)
            .filter_map(|(step, after)| step.map(|step| PlanStep { after, ..step }))
            .collect()
    }

    fn check_name(&mut self, at: usize, step: &'a Step) {
        let name = step.name.as_str();
        let position = at.to_string();
        let place = ["steps", &position, "name"];
        let allowed = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
        if name.is_empty() || name.chars().count() > MAX_NAME || !name.chars().all(allowed) {
            let message = format!(
                "the name of step {} is `{}`: use 1 to {MAX_NAME} letters, digits, `_` and `-`",
                at + 1,
                cut(name)
            );
            self.problem(ProblemKind::BadName, &place, message);
        } else if let Some(first) = self.positions.get(name) {
            let message = format!("steps {} and {} are both called `{name}`", first + 1, at + 1);
            self.problem(ProblemKind::DuplicateStep, &place, message);
        } else {
            self.positions.insert(name, at);
        }
    }

    /// Checks one step as far as it goes; `None` when a part of it has no meaning.
    fn check_step(&mut self, at: usize, step: &'a Step) -> Option<PlanStep> {
        self.check_work(at, step);
        self.check_numbers(at, step);
        let mut requires = BTreeMap::new();
        for (number, need) in step.needs.iter().enumerate() {
            if let Some(position) = self.step_called(at, &["needs", &number.to_string()], need) {
                self.edges[at].insert(position);
                requires.entry(position).or_insert_with(|| format!("it needs `{need}`"));
            }
        }
        let in_item = step.foreach.is_some();
        let mut inputs = Some(Vec::new());
        for (key, value) in &step.inputs {
            let template = self.template(at, &["inputs", key], value, in_item);
            match (&mut inputs, template) {
                (Some(inputs), Some(template)) => inputs.push((key.clone(), template)),
                _ => inputs = None,
            }
        }
        let key = step.idempotency_key.as_ref();
        let key = key.map(|key| self.template(at, &["idempotency_key"], &Value::from(key.as_str()), in_item));
        let foreach = step.foreach.as_ref().map(|foreach| self.foreach(at, foreach));
        let when = step.when.as_ref().map(|when| self.condition(at, when));
        let found = match (key, foreach, when) {
            (Some(None), _, _) | (_, Some(None), _) | (_, _, Some(None)) => None,
            (key, foreach, when) => Some((key.flatten(), foreach.flatten(), when.flatten())),
        };
        let ((key, foreach, when), inputs) = (found?, inputs?);
        let mut see = |reference: &Reference| {
            if let Source::Step(position, field) = reference.source
                && field.needs_success()
            {
                requires.entry(position).or_insert_with(|| format!("it refers to `${{{}}}`", reference.text));
            }
        };
        let whole = inputs.iter().map(|(_, template)| template).chain(&key);
        whole.chain(foreach.as_ref().map(|foreach| &foreach.items)).for_each(|template| {
            template.each_reference(&mut see);
        });
        when.iter().flat_map(Condition::references).for_each(&mut see);
        Some(PlanStep {
            name: step.name.clone(),
            inputs,
            when,
            foreach,
            key,
            after: BTreeSet::new(),
            requires,
            on_error: step.on_error,
            retry: step.effective_retry(),
            timeout: step.timeout_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        })
    }

    /// What the step runs: a skill, or a workflow.
    fn check_work(&mut self, at: usize, step: &Step) {
        match (&step.skill, &step.workflow) {
            (Some(skill), None) => {
                if let Err(why) = skill.parse::<SkillReference>() {
                    let message = format!("`{}` is not a skill: {why}", cut(skill));
                    self.step_problem(at, ProblemKind::BadSkill, &["skill"], message);
                }
            }
            (None, Some(_)) => {
                let set = [
                    ("retry", step.retry.is_some() || step.on_error == OnError::Retry),
                    ("timeout_seconds", step.timeout_seconds.is_some()),
                    ("idempotency_key", step.idempotency_key.is_some()),
                ];
                for (name, _) in set.iter().filter(|(_, is_set)| *is_set) {
                    let message = format!("`{name}` is for a skill; set it in the steps of the workflow");
                    self.step_problem(at, ProblemKind::BadStep, &[name], message);
                }
            }
            (None, None) => {
                self.step_problem(at, ProblemKind::BadStep, &[], "it has neither `skill` nor `workflow`");
            }
            (Some(_), Some(_)) => {
                let message = "it has `skill` and `workflow`, and can be only one of them";
                self.step_problem(at, ProblemKind::BadStep, &["workflow"], message);
            }
        }
        if step.idempotency_key.is_some() && step.inputs.contains_key(KEY_INPUT) {
            let message = format!("the input `{KEY_INPUT}` is what `idempotency_key` gives");
            self.step_problem(at, ProblemKind::BadStep, &["inputs", KEY_INPUT], message);
        }
    }

    fn check_numbers(&mut self, at: usize, step: &Step) {
        for message in step.retry.iter().flat_map(Retry::wrong) {
            self.step_problem(at, ProblemKind::BadNumber, &["retry"], message);
        }
        if let Some(seconds) = step.timeout_seconds
            && !(seconds > 0.0 && seconds <= MAX_TIMEOUT_SECONDS)
        {
            let message = format!("`timeout_seconds` is above 0 and at most {MAX_TIMEOUT_SECONDS}");
            self.step_problem(at, ProblemKind::BadNumber, &["timeout_seconds"], message);
        }
        if let Some(foreach) = &step.foreach
            && !(1..=MAX_ITEMS).contains(&foreach.max_items)
        {
            let message = format!("`foreach.max_items` is from 1 to {MAX_ITEMS}");
            self.step_problem(at, ProblemKind::BadNumber, &["foreach", "max_items"], message);
        }
    }

    fn foreach(&mut self, at: usize, foreach: &Foreach) -> Option<PlanForeach> {
        let template = self.template(at, &["foreach"], &foreach.items, false)?;
        let is_list = match &template {
            Template::Whole(_) | Template::List(_) => true,
            Template::Literal(value) => value.is_array(),
            Template::Text(_) | Template::Object(_) => false,
        };
        if !is_list {
            let message = "`foreach` is a list, or one reference to a list";
            self.step_problem(at, ProblemKind::BadStep, &["foreach"], message);
            return None;
        }
        Some(PlanForeach {
            items: template,
            max_items: foreach.max_items,
            max_parallel: foreach.max_parallel.map(std::num::NonZeroUsize::get),
        })
    }

    fn outputs(&mut self) -> Option<Templates> {
        let workflow = self.workflow;
        if workflow.outputs.is_empty() || workflow.steps.len() > MAX_STEPS {
            return None;
        }
        let mut outputs = Vec::new();
        for (key, value) in &workflow.outputs {
            let mut messages = Vec::new();
            let template = Template::parse(value, &mut messages);
            for message in messages {
                self.problem(ProblemKind::BadReference, &["outputs", key], message);
            }
            let place = ["outputs", key.as_str()];
            let resolved = template.resolve(&mut |text| self.reference(None, &place, text, false));
            outputs.extend(resolved.map(|template| (key.clone(), template)));
        }
        Some(outputs)
    }
}
