//! One helper for all tests: skills by name, a run, what came of it, and every event.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use skillery_runner::{
    Event, EventKind, Grants, Outcome, RunError, RunOptions, RunReport, SkillCode, SkillReference,
    SkillSource, Status, Values, Workflow, resume_workflow, run_skill, run_workflow,
};

pub(crate) struct Harness {
    pub(crate) skills: BTreeMap<String, String>,
    pub(crate) options: RunOptions,
    /// What every skill is granted that is granted nothing else.
    pub(crate) grants: Grants,
    own_grants: BTreeMap<String, Grants>,
    /// Called with every event, before the run goes on.
    pub(crate) on_event: Box<dyn Fn(&Event) + Send + Sync>,
    events: Mutex<Vec<Event>>,
}

impl Harness {
    pub(crate) fn new() -> Self {
        Self {
            skills: BTreeMap::new(),
            options: RunOptions::default(),
            grants: Grants::default(),
            own_grants: BTreeMap::new(),
            on_event: Box::new(|_| ()),
            events: Mutex::default(),
        }
    }

    pub(crate) fn skill(mut self, name: &str, code: &str) -> Self {
        self.skills.insert(name.to_owned(), code.to_owned());
        self
    }

    pub(crate) fn granted(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self
    }

    /// What this skill is granted, and no other.
    pub(crate) fn granted_to(mut self, name: &str, grants: Grants) -> Self {
        self.own_grants.insert(name.to_owned(), grants);
        self
    }

    pub(crate) async fn run(&self, workflow: Value, inputs: Value) -> RunReport {
        self.try_run(workflow, inputs).await.unwrap()
    }

    pub(crate) async fn try_run(&self, workflow: Value, inputs: Value) -> Result<RunReport, RunError> {
        let workflow: Workflow = serde_json::from_value(workflow).unwrap();
        let resolve = |reference: &SkillReference| self.resolve(reference);
        run_workflow(&workflow, values(inputs), &resolve, &self.options, &self.sink()).await
    }

    /// Goes on with a run of the harness's history.
    pub(crate) async fn resume(&self, run_id: &str) -> Result<RunReport, RunError> {
        let history = self.options.history.as_ref().unwrap();
        let resolve = |reference: &SkillReference| self.resolve(reference);
        resume_workflow(history, run_id, &resolve, &self.options, &self.sink()).await
    }

    fn resolve(&self, reference: &SkillReference) -> Result<SkillSource, String> {
        let name = reference.name.to_string();
        let name = name.strip_prefix("acme/").unwrap_or(&name);
        match self.skills.get(name) {
            Some(code) => {
                let grants = self.own_grants.get(name).unwrap_or(&self.grants).clone();
                Ok(SkillSource { grants, ..source(name, code) })
            }
            None => Err("it is not installed".to_owned()),
        }
    }

    pub(crate) fn sink(&self) -> impl Fn(Event) + Send + Sync {
        |event| {
            (self.on_event)(&event);
            self.events.lock().unwrap().push(event);
        }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// The words of the events, without what differs from run to run.
    pub(crate) fn story(&self) -> Vec<String> {
        let told = |event: Event| match event.kind {
            EventKind::RunStarted { .. } => "run started".to_owned(),
            EventKind::StepStarted { step, attempt, .. } => format!("{step} started ({attempt})"),
            EventKind::StepOutput { step, stream, text } => format!("{step} {stream:?} {text:?}"),
            EventKind::StepRetrying { step, attempt, .. } => format!("{step} failed ({attempt}), again"),
            EventKind::StepFinished { step, outcome } => format!("{step} finished: {}", outcome.status),
            EventKind::StepKept { step } => format!("{step} kept"),
            EventKind::RunFinished { status, .. } => format!("run finished: {status}"),
            other => format!("{other:?}"),
        };
        self.events().into_iter().map(told).collect()
    }
}

pub(crate) fn values(value: Value) -> Values {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn source(name: &str, code: &str) -> SkillSource {
    SkillSource {
        id: format!("acme/{name}"),
        version: "1.0.0".parse().unwrap(),
        code: SkillCode::Text(code.to_owned()),
        script: None,
        files: Vec::new(),
        grants: Grants::default(),
    }
}

/// Runs one skill called `subject`.
pub(crate) async fn run(code: &str, inputs: Value) -> Outcome {
    run_with(code, inputs, &RunOptions::default()).await
}

pub(crate) async fn run_with(code: &str, inputs: Value, options: &RunOptions) -> Outcome {
    run_granted(code, inputs, options, Grants::default()).await
}

pub(crate) async fn run_granted(code: &str, inputs: Value, options: &RunOptions, grants: Grants) -> Outcome {
    let skill = SkillSource { grants, ..source("subject", code) };
    run_skill(&skill, values(inputs), options, &|_| ()).await.unwrap()
}

/// What the skill returned; panics with the outcome when it returned nothing.
pub(crate) async fn output(code: &str, inputs: Value) -> Value {
    let outcome = run(code, inputs).await;
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    outcome.output
}

/// `type: message` of a failure.
pub(crate) async fn failure(code: &str, inputs: Value) -> String {
    described(&run(code, inputs).await)
}

pub(crate) fn described(outcome: &Outcome) -> String {
    let error = outcome.error.as_ref().unwrap_or_else(|| panic!("{outcome:?}"));
    format!("{}: {}: {}", outcome.status, error.kind, error.message)
}

/// A folder that skills and tests meet in.
pub(crate) struct Meeting(tempfile::TempDir);

impl Meeting {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Where the tests are root, the skills are not.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Everything that a skill needs to meet somebody here.
    pub(crate) fn grants(&self) -> Grants {
        Grants {
            write: vec![self.0.path().to_owned()],
            subprocess: true,
            skills: vec!["acme".to_owned()],
            ..Grants::default()
        }
    }

    pub(crate) fn inputs(&self) -> Value {
        json!({ "folder": self.0.path() })
    }

    /// Waits until the file is there, and gives what it holds.
    pub(crate) async fn arrival(&self, name: &str) -> String {
        loop {
            match std::fs::read_to_string(self.path(name)) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => look_again_soon().await,
            }
        }
    }
}

/// Waits until nobody holds the lock on this file any more: neither who took it nor who inherited it.
pub(crate) async fn unlocked(path: &Path) {
    let file = std::fs::File::open(path).unwrap();
    while file.try_lock().is_err() {
        look_again_soon().await;
    }
}

/// The file system tells nobody; a loop without a pause would keep the others from getting there.
async fn look_again_soon() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
