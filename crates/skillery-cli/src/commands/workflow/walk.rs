//! What a workflow leads to: the workflows that are its steps, the skills of all of them, and the skills that those call.
//! So that nobody is asked, and nothing is installed or checked, for the outermost workflow alone.

use std::collections::HashSet;
use std::path::Path;

use skillery_core::script::Manifest;
use skillery_runner::{Document, Problem, ProblemKind, Problems, SkillReference, WorkflowLoader};

/// How deep workflows may lie in each other, as for a run.
const MAX_DEPTH: usize = 8;
/// Steps of all workflows together.
const MAX_STEPS: usize = 10_000;
/// Skills with those that they call.
pub(super) const MAX_SKILLS: usize = 1_000;

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Skills that steps name, each once, in the order in which they were found.
    pub(super) skills: Vec<SkillReference>,
    /// What is wrong with any of the workflows.
    pub(super) problems: Vec<Problem>,
    written: HashSet<String>,
    steps: usize,
}

/// Goes through a workflow and those that are its steps.
pub(super) fn workflows(document: &Document, loader: &WorkflowLoader) -> Walk {
    let mut walk = Walk::default();
    let mut problems = walk.visit(document, loader, &mut Vec::new(), None);
    // Two steps may name one workflow, and each finds the same wrong with it.
    let mut seen = HashSet::new();
    problems.retain(|problem| seen.insert(problem.to_string()));
    walk.problems = problems;
    walk
}

impl Walk {
    /// The problems of one workflow and of those in it, each with its place.
    fn visit(
        &mut self,
        document: &Document,
        loader: &WorkflowLoader,
        names: &mut Vec<String>,
        folder: Option<&Path>,
    ) -> Vec<Problem> {
        let workflow = &document.workflow;
        let mut problems = match workflow.validate() {
            Ok(()) => Vec::new(),
            Err(problems) => problems.problems,
        };
        for (at, step) in workflow.steps.iter().enumerate() {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                // Told once: those that contain this one go no further either.
                if self.steps == MAX_STEPS + 1 {
                    let message = format!("the workflows have over {MAX_STEPS} steps in all");
                    problems.push(problem(ProblemKind::StepCount, message, vec!["steps".to_owned()]));
                }
                break;
            }
            if let Some(written) = &step.skill
                && let Ok(reference) = written.parse::<SkillReference>()
                && self.written.insert(reference.to_string())
            {
                self.skills.push(reference);
            }
            let (None, Some(name)) = (&step.skill, &step.workflow) else { continue };
            names.push(name.clone());
            match self.nested(name, loader, names, folder) {
                Ok(found) => problems.extend(found),
                Err(why) => {
                    let place = ["steps".to_owned(), at.to_string(), "workflow".to_owned()];
                    let message = format!("workflow `{name}`: {why}");
                    let problem = problem(ProblemKind::WorkflowUnreadable, message, place.to_vec());
                    problems.push(Problem { step: Some(step.name.clone()), ..problem });
                }
            }
            names.pop();
        }
        let mut located = Problems { workflow: workflow.name.clone(), problems };
        document.locate(&mut located);
        located.problems
    }

    /// The problems of the workflow that a step names, with the name of its file; or why there is none.
    fn nested(
        &mut self,
        name: &str,
        loader: &WorkflowLoader,
        names: &mut Vec<String>,
        folder: Option<&Path>,
    ) -> Result<Vec<Problem>, String> {
        if names.len() > MAX_DEPTH {
            let chain = names.join(" > ");
            return Err(format!("workflows lie in each other over {MAX_DEPTH} deep: {chain}"));
        }
        let loaded = loader.load(name, folder)?;
        let mut problems = self.visit(&loaded.document, loader, names, loaded.folder.as_deref());
        for problem in &mut problems {
            problem.file.get_or_insert_with(|| loaded.file.clone());
        }
        Ok(problems)
    }
}

fn problem(kind: ProblemKind, message: String, place: Vec<String>) -> Problem {
    Problem { step: None, kind, message, place, file: None, line: None, column: None }
}

/// The skills that this code may call. What cannot be read is told when it is to run.
pub(super) fn called(code: &str) -> Vec<SkillReference> {
    let skills = Manifest::of_code(code).map(|manifest| manifest.skills).unwrap_or_default();
    skills.iter().filter_map(|written| written.parse().ok()).collect()
}
