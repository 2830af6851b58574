//! Secrets: given by name, and taken out of everything that a run tells or keeps.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::Values;
use crate::event::EventKind;
use crate::outcome::{Outcome, StepError};

/// What is shorter would be found in texts that have nothing to do with it, and is soon guessed.
pub(crate) const MIN_LENGTH: usize = 6;
const STARS: &str = "***";

/// Secrets by name. Their values are in no `Debug` output.
#[derive(Clone, Default)]
pub struct Secrets {
    by_name: BTreeMap<String, String>,
    /// Whether those that are not there are looked for in the environment.
    in_environment: bool,
    /// What is looked for, the longest first, so that no part of one is left of another.
    hidden: Vec<String>,
}

impl Secrets {
    /// These secrets.
    pub fn new(by_name: BTreeMap<String, String>) -> Self {
        let mut hidden: Vec<String> = by_name.values().flat_map(|value| forms(value)).collect();
        hidden.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        hidden.dedup();
        Self { by_name, in_environment: false, hidden }
    }

    /// These secrets, and for other names the environment variables that are called so.
    pub fn or_of_environment(by_name: BTreeMap<String, String>) -> Self {
        Self { in_environment: true, ..Self::new(by_name) }
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map(String::as_str)
    }

    /// Only these; a workflow is given what it names and no more.
    pub(crate) fn of_names(&self, names: &[String]) -> Self {
        let value = |name: &String| {
            let variable = || std::env::var(name).ok().filter(|_| self.in_environment);
            Some((name.clone(), self.by_name.get(name).cloned().or_else(variable)?))
        };
        Self::new(names.iter().filter_map(value).collect())
    }

    /// The text without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, secret| match text.contains(secret) {
            true => text.replace(secret, STARS),
            false => text,
        })
    }

    /// The value without secrets, in keys too.
    pub(crate) fn value_without(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value_without(item)).collect(),
            Value::Object(fields) => Value::Object(
                fields.iter().map(|(key, item)| (self.text(key), self.value_without(item))).collect(),
            ),
            Value::Number(number) if self.hidden.contains(&number.to_string()) => STARS.into(),
            other => other.clone(),
        }
    }

    /// Takes secrets out of an event. Names of steps and skills are the document's, and stay.
    pub(crate) fn hide_in_event(&self, event: &mut EventKind) {
        if self.hidden.is_empty() {
            return;
        }
        match event {
            EventKind::RunStarted { inputs, .. } | EventKind::StepStarted { inputs, .. } => {
                *inputs = self.values_without(inputs);
            }
            EventKind::StepOutput { text, .. } => *text = self.text(text),
            EventKind::StepDenied { what, .. } => *what = self.text(what),
            EventKind::StepRetrying { error, .. } => self.hide_in_error(error),
            EventKind::StepFinished { outcome, .. } => self.hide_in_outcome(outcome),
            EventKind::StepKept { .. } | EventKind::RunFinished { .. } => {}
        }
    }

    /// Takes secrets out of an outcome.
    pub(crate) fn hide_in_outcome(&self, outcome: &mut Outcome) {
        if self.hidden.is_empty() {
            return;
        }
        let output = self.value_without(&outcome.output);
        outcome.redacted |= output != outcome.output;
        outcome.output = output;
        outcome.inputs = self.values_without(&outcome.inputs);
        for text in [&mut outcome.stdout, &mut outcome.stderr].into_iter().chain(&mut outcome.reason) {
            *text = self.text(text);
        }
        if let Some(error) = &mut outcome.error {
            self.hide_in_error(error);
        }
        outcome.items.iter_mut().for_each(|item| self.hide_in_outcome(item));
        outcome.steps.iter_mut().for_each(|step| self.hide_in_outcome(&mut step.outcome));
    }

    fn hide_in_error(&self, error: &mut StepError) {
        error.message = self.text(&error.message);
        error.kind = self.text(&error.kind);
        error.traceback = error.traceback.as_deref().map(|text| self.text(text));
    }

    pub(crate) fn values_without(&self, values: &Values) -> Values {
        values.iter().map(|(key, value)| (self.text(key), self.value_without(value))).collect()
    }
}

/// A secret as it may turn up: whole, each of its lines, and as JSON and Python write it.
fn forms(value: &str) -> Vec<String> {
    let escaped = Value::from(value).to_string();
    let escaped = escaped.trim_matches('"').to_owned();
    let lines = value.lines().map(|line| line.trim().to_owned());
    let all = [value.to_owned(), value.trim().to_owned(), escaped].into_iter().chain(lines);
    all.filter(|form| form.len() >= MIN_LENGTH).collect()
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.by_name.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_in_every_form() {
        let secret = "hunter2\nline \"two\"\n";
        let secrets = Secrets::new(BTreeMap::from([("KEY".to_owned(), secret.to_owned())]));
        let shown = json!({
            "plain": secret, "hunter2": "x hunter2 y", "json": serde_json::to_string(secret).unwrap(),
            "deep": [["line \"two\""]], "other": "hunter",
        });
        assert_eq!(
            secrets.value_without(&shown),
            json!({"plain": "***", "***": "x *** y", "json": "\"***\"", "deep": [["***"]], "other": "hunter"})
        );
        assert_eq!(format!("{secrets:?}"), r#"{"KEY"}"#);
        let number = Secrets::new(BTreeMap::from([("PIN".to_owned(), "123456".to_owned())]));
        assert_eq!(number.value_without(&json!([123456, 1234567])), json!(["***", 1234567]));
    }
}
