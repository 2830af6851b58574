//! Everything that a run needs, found and checked before anything runs: plans, skills in one version each, workflows
//! that are steps, secrets.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::Values;
use crate::callable::Callable;
use crate::history::{Pin, Record};
use crate::inputs::InputSpec;
use crate::loader::LoadedWorkflow;
use crate::options::RunOptions;
use crate::pins::Pins;
use crate::plan::{MAX_PROBLEMS, MAX_STEPS, Plan, check};
use crate::problems::{Problem, ProblemKind, Problems};
use crate::redact::{MIN_LENGTH, Secrets};
use crate::skill::{Pinned, Resolver, SkillReference};
use crate::workflow::Workflow;

/// How deep workflows may lie in each other.
const MAX_DEPTH: usize = 8;
/// What stands between the names of workflows that lie in each other.
const WITHIN: &str = " > ";

/// A workflow with everything that its steps run.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) name: String,
    pub(crate) plan: Plan,
    /// The declared inputs of a workflow that is a step; they are checked when it begins.
    pub(crate) declared: Option<BTreeMap<String, InputSpec>>,
    /// What each step runs, in the order of the plan.
    pub(crate) work: Vec<Work>,
}

/// What a step runs.
#[derive(Debug)]
pub(crate) enum Work {
    Skill(Arc<Pinned>),
    Workflow(Box<Prepared>),
}

/// All that was found.
#[derive(Debug)]
pub(crate) struct Preparation {
    pub(crate) prepared: Prepared,
    pub(crate) callable: Callable,
    pub(crate) pins: BTreeMap<String, Pin>,
    pub(crate) workflows: BTreeMap<String, Workflow>,
    pub(crate) secrets: Secrets,
}

/// Checks a workflow and finds what it runs; all problems are told together. With a record, what is found must be what the
/// run began with.
pub(crate) fn prepare(
    workflow: &Workflow,
    inputs: &Values,
    resolve: &Resolver<'_>,
    options: &RunOptions,
    record: Option<&Record>,
) -> Result<Preparation, Problems> {
    let mut preparer = Preparer {
        options,
        record,
        pins: Pins::new(resolve, options.limits.code_bytes, record.map(|record| &record.pins)),
        callable: Callable::default(),
        workflows: BTreeMap::new(),
        secret_names: BTreeSet::new(),
        steps: workflow.steps.len(),
        problems: Vec::new(),
    };
    preparer.check_size(inputs);
    let prepared = preparer.workflow(workflow, Some(inputs), &Place::default());
    let secrets = preparer.secrets(inputs);
    let Preparer { callable, pins, workflows, mut problems, .. } = preparer;
    match prepared {
        Some(prepared) if problems.is_empty() => {
            Ok(Preparation { prepared, callable, pins: pins.pinned(), workflows, secrets })
        }
        _ => {
            // Two steps may name one workflow, and each finds the same wrong with it.
            let mut seen = HashSet::new();
            problems.retain(|problem: &Problem| match problem.kind {
                // What a skill is not granted is told once, however many steps it has.
                ProblemKind::NotGranted => seen.insert(problem.message.clone()),
                _ => seen.insert(problem.to_string()),
            });
            problems.truncate(MAX_PROBLEMS);
            Err(Problems { workflow: workflow.name.clone(), problems })
        }
    }
}

/// Where a workflow was found.
#[derive(Debug, Clone, Default)]
struct Place {
    /// The names that lead to it.
    names: Vec<String>,
    /// The files that lead to it, as they were found.
    files: Vec<String>,
    folder: Option<PathBuf>,
}

struct Preparer<'a> {
    options: &'a RunOptions,
    record: Option<&'a Record>,
    pins: Pins<'a>,
    /// What the skills of steps may call.
    callable: Callable,
    workflows: BTreeMap<String, Workflow>,
    secret_names: BTreeSet<String>,
    /// Of all workflows that were read.
    steps: usize,
    problems: Vec<Problem>,
}

impl Preparer<'_> {
    fn check_size(&mut self, inputs: &Values) {
        let most = self.options.limits.input_bytes;
        // To count what is written takes no memory.
        let mut counted = Counted(0);
        if serde_json::to_writer(&mut counted, inputs).is_ok() && counted.0 > most {
            let message = format!("the inputs are {} bytes of JSON, and {most} is the most", counted.0);
            self.problems.push(Problem::new(ProblemKind::InputsTooLarge, message));
        }
    }

    /// One workflow; `None` where its problems keep it from running.
    fn workflow(&mut self, workflow: &Workflow, inputs: Option<&Values>, place: &Place) -> Option<Prepared> {
        self.secret_names.extend(workflow.secrets.iter().cloned());
        let plan = match check(workflow, inputs) {
            Ok(plan) => Some(plan),
            Err(problems) => {
                self.problems.extend(problems.problems);
                None
            }
        };
        let (mut work, mut callers) = (Vec::new(), Vec::new());
        for (at, step) in workflow.steps.iter().enumerate() {
            let position = at.to_string();
            let found = match (&step.skill, &step.workflow) {
                (Some(skill), None) if skill.parse::<SkillReference>().is_ok() => {
                    Some(self.pins.get(skill).map(Work::Skill))
                }
                (None, Some(name)) => {
                    let found = self.nested(name, &step.inputs, place).transpose();
                    found.map(|found| found.map(|found| Work::Workflow(Box::new(found))))
                }
                // The check has said so already.
                _ => None,
            };
            let key = if step.skill.is_some() { "skill" } else { "workflow" };
            match found {
                Some(Ok(found)) => {
                    if let Work::Skill(skill) = &found {
                        let at = Problem::new(ProblemKind::BadSkill, "").of_step(&step.name);
                        callers.push((at.at(&["steps", &position, key]), Arc::clone(skill)));
                    }
                    work.push(found);
                }
                Some(Err((kind, message))) => {
                    let problem = Problem::new(kind, message).of_step(&step.name);
                    self.problems.push(problem.at(&["steps", &position, key]));
                }
                None => {}
            }
        }
        self.find_callable(callers);
        let plan = plan.filter(|plan| plan.steps.len() == work.len())?;
        Some(Prepared { name: workflow.name.clone(), plan, declared: workflow.inputs.clone(), work })
    }

    /// Finds what the skills of a workflow's steps may call.
    fn find_callable(&mut self, callers: Vec<(Problem, Arc<Pinned>)>) {
        let find = &mut |written: &str| self.pins.get(written);
        let problems = self.callable.extend(callers, find, self.options.limits.call_depth);
        self.problems.extend(problems);
    }

    /// A workflow that is a step; none where its problems keep it from running, which are told with the name of its file.
    fn nested(
        &mut self,
        name: &str,
        inputs: &Values,
        place: &Place,
    ) -> Result<Option<Prepared>, (ProblemKind, String)> {
        let unreadable = |why: String| (ProblemKind::WorkflowUnreadable, format!("workflow `{name}`: {why}"));
        let mut names = place.names.clone();
        names.push(name.to_owned());
        let chain = names.join(WITHIN);
        if names.len() > MAX_DEPTH {
            return Err(unreadable(format!("workflows lie in each other over {MAX_DEPTH} deep: {chain}")));
        }
        if self.steps > MAX_STEPS {
            // It was told already.
            return Ok(None);
        }
        let recorded = self.record.and_then(|record| record.workflows.get(&chain));
        let (workflow, document, file, folder) = match recorded {
            Some(workflow) => (workflow.clone(), None, name.to_owned(), None),
            None => {
                let loaded =
                    self.options.workflows.load(name, place.folder.as_deref()).map_err(unreadable)?;
                let LoadedWorkflow { document, file, folder } = loaded;
                if place.files.contains(&file) {
                    return Err(unreadable(format!("workflows lie in themselves: {chain}")));
                }
                (document.workflow.clone(), Some(document), file, folder)
            }
        };
        self.steps += workflow.steps.len();
        if self.steps > MAX_STEPS {
            return Err(unreadable(format!("all workflows together have more than {MAX_STEPS} steps")));
        }
        let before = self.problems.len();
        self.check_given(&workflow, inputs);
        let files = place.files.iter().chain([&file]).cloned().collect();
        let prepared = self.workflow(&workflow, None, &Place { names, files, folder });
        let mut found =
            Problems { workflow: workflow.name.clone(), problems: self.problems.split_off(before) };
        if let Some(document) = &document {
            document.locate(&mut found);
        }
        for problem in &mut found.problems {
            problem.file.get_or_insert_with(|| file.clone());
        }
        self.problems.append(&mut found.problems);
        self.workflows.insert(chain, workflow);
        Ok(prepared)
    }

    /// That a step gives a workflow what it declares, as far as names go; types are seen when values are there.
    fn check_given(&mut self, workflow: &Workflow, given: &Values) {
        let Some(declared) = &workflow.inputs else { return };
        for (name, spec) in declared {
            if !given.contains_key(name) && spec.default.is_none() {
                let message = format!("the step does not give the input `{name}`");
                self.problems.push(Problem::new(ProblemKind::MissingInput, message).at(&["inputs", name]));
            }
        }
        for name in given.keys().filter(|name| !declared.contains_key(*name)) {
            let message = format!("the step gives `{name}`, and the workflow has no such input");
            self.problems.push(Problem::new(ProblemKind::UnknownInput, message).at(&["inputs"]));
        }
    }

    /// The secrets that the workflows name.
    fn secrets(&mut self, inputs: &Values) -> Secrets {
        let names: Vec<String> = self.secret_names.iter().cloned().collect();
        let secrets = self.options.secrets.of_names(&names);
        let mut refuse = |message: String| {
            self.problems.push(Problem::new(ProblemKind::BadSecret, message).at(&["secrets"]));
        };
        for name in &names {
            match secrets.value(name) {
                None => refuse(format!("the secret `{name}` was not given")),
                Some(value) if is_too_short(value) => refuse(format!(
                    "the secret `{name}` has a line of less than {MIN_LENGTH} characters, which cannot be kept out of texts"
                )),
                Some(_) => {}
            }
        }
        let whole = Value::Object(inputs.clone());
        if secrets.value_without(&whole) != whole {
            refuse("an input holds a secret; refer to it as `${secrets.NAME}` instead".to_owned());
        }
        secrets
    }
}

fn is_too_short(secret: &str) -> bool {
    let mut lines = secret.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    lines.peek().is_none() || lines.any(|line| line.len() < MIN_LENGTH)
}

/// How many bytes were written to it.
struct Counted(usize);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
