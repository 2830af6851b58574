//! What the events of a run come to.

use std::collections::{BTreeMap, HashMap};

use super::{RunHistory, RunState};
use crate::event::{EventKind, is_call};
use crate::outcome::{Outcome, RunReport, Status, StepReport};

impl RunHistory {
    /// What came of the run so far, as its report would say it.
    pub fn report(&self) -> RunReport {
        let mut told = Told::default();
        let mut latency_ms = 0.0;
        for event in &self.events {
            match &event.kind {
                EventKind::StepFinished { step, outcome } => told.hear(step, outcome),
                EventKind::RunFinished { latency_ms: latency, .. } => latency_ms = *latency,
                _ => {}
            }
        }
        let steps = self.record.workflow.steps.iter();
        let steps = steps.filter_map(|step| {
            Some(StepReport { name: step.name.clone(), outcome: told.outcome(&step.name)? })
        });
        let status = match self.state {
            RunState::Success => Status::Success,
            RunState::Cancelled => Status::Cancelled,
            _ => Status::Failed,
        };
        RunReport {
            run_id: self.record.run_id.clone(),
            workflow: self.record.workflow.name.clone(),
            status,
            reason: None,
            latency_ms,
            steps: steps.collect(),
        }
    }

    /// What need not run again: outcomes by the full name of their step. Failures are among them where the run was cut
    /// short behind them; whether they count is for the step's `on_error` to say.
    pub(crate) fn done(&self) -> BTreeMap<String, Outcome> {
        let mut done = BTreeMap::new();
        for event in &self.events {
            match &event.kind {
                EventKind::StepFinished { step, outcome } if !outcome.redacted => {
                    done.insert(step.clone(), (**outcome).clone());
                }
                EventKind::StepStarted { step, .. } => {
                    done.remove(step);
                }
                EventKind::RunFinished { .. } => {
                    done.retain(|_, outcome| outcome.status == Status::Success);
                }
                _ => {}
            }
        }
        done.retain(|_, outcome| outcome.attempts > 0);
        done
    }
}

/// What was told last of each step, and which steps are parts of which.
#[derive(Default)]
struct Told<'a> {
    last: HashMap<&'a str, &'a Outcome>,
    /// The names of items and inner steps, by that of the step that they are parts of, as they were first told.
    parts: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Told<'a> {
    fn hear(&mut self, step: &'a str, outcome: &'a Outcome) {
        let is_new = self.last.insert(step, outcome).is_none();
        if is_new
            && !is_call(step)
            && let Some(at) = step.rfind(['[', '/'])
        {
            self.parts.entry(&step[..at]).or_default().push(step);
        }
    }

    /// The outcome of a step, with those of its parts.
    fn outcome(&self, step: &str) -> Option<Outcome> {
        let mut outcome = (*self.last.get(step)?).clone();
        let mut items = Vec::new();
        for part in self.parts.get(step).into_iter().flatten() {
            let Some(found) = self.outcome(part) else { continue };
            match part[step.len()..].strip_prefix('[') {
                Some(index) => items.push((index.trim_end_matches(']').parse::<usize>().ok(), found)),
                None => {
                    let name = part[step.len() + 1..].to_owned();
                    outcome.steps.push(StepReport { name, outcome: found });
                }
            }
        }
        items.sort_by_key(|(index, _)| *index);
        outcome.items.extend(items.into_iter().map(|(_, item)| item));
        Some(outcome)
    }
}
