//! Secrets: given by name, and taken out of everything that a run tells or keeps.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::Values;
use crate::event::EventKind;
use crate::outcome::{Outcome, StepError};

/// What is shorter would be found in texts that have nothing to do with it, and is soon guessed.
pub(crate) const MIN_LENGTH: usize = 6;
/// So many bytes of a secret are known again wherever they stand, in a text that was cut behind them.
const BEGINNING: usize = 12;
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

    /// The text without secrets, and without what is left of one where the text, or a part of it, was cut.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.hidden {
            if text.contains(secret) {
                text = text.replace(secret, STARS);
            }
        }
        for secret in &self.hidden {
            text = without_beginnings(text, secret);
            text = without_ends(text, secret);
        }
        text
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
            EventKind::PackagesStarted { .. }
            | EventKind::PackagesFinished { .. }
            | EventKind::StepKept { .. }
            | EventKind::RunFinished { .. } => {}
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

/// Takes the beginning of a secret out of a text that was cut behind it, wherever that is in the text.
fn without_beginnings(mut text: String, secret: &str) -> String {
    let start = boundary(secret, BEGINNING);
    if secret.len() <= start {
        return text;
    }
    let mut from = 0;
    while let Some(at) = text[from..].find(&secret[..start]) {
        let at = from + at;
        let same = common(&text[at..], secret);
        text.replace_range(at..at + same, STARS);
        from = at + STARS.len();
    }
    text
}

/// Takes a part of a secret from the end of a text that was cut there, and the rest of one from its beginning.
fn without_ends(mut text: String, secret: &str) -> String {
    let parts = |part: &usize| *part >= MIN_LENGTH && secret.is_char_boundary(*part);
    if let Some(part) = (1..secret.len()).rev().filter(parts).find(|part| text.ends_with(&secret[..*part])) {
        text.truncate(text.len() - part);
        text.push_str(STARS);
    }
    let rests = |from: &usize| secret.len() - *from >= MIN_LENGTH && secret.is_char_boundary(*from);
    if let Some(from) = (1..secret.len()).filter(rests).find(|from| text.starts_with(&secret[*from..])) {
        text.replace_range(..secret.len() - from, STARS);
    }
    text
}

/// How many bytes two texts have in common, in whole characters.
fn common(one: &str, other: &str) -> usize {
    let same = one.char_indices().zip(other.chars()).take_while(|((_, one), other)| one == other);
    same.last().map_or(0, |((at, character), _)| at + character.len_utf8())
}

/// So many bytes, or a few more to the end of a character.
fn boundary(text: &str, bytes: usize) -> usize {
    (bytes..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// A secret as it may turn up: whole, each of its lines, and as JSON and Python's `repr` write it.
fn forms(value: &str) -> Vec<String> {
    let json = Value::from(value).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let mut all = vec![value.to_owned(), value.trim().to_owned(), ascii(&json), json];
    all.extend(value.lines().map(|line| line.trim().to_owned()));
    // In single quotes where there are no others, or where there are both.
    let escaped: String = value.escape_debug().collect();
    all.push(escaped.replace("\\\"", "\""));
    all.push(escaped.replace("\\'", "'").replace("\\\"", "\""));
    all.push(value.replace('\\', "\\\\"));
    all.retain(|form| form.len() >= MIN_LENGTH);
    all
}

/// As JSON is written by whoever keeps to ASCII.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
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
            "deep": [["line \"two\""]], "other": "hunt",
        });
        assert_eq!(
            secrets.value_without(&shown),
            json!({"plain": "***", "***": "x *** y", "json": "\"***\"", "deep": [["***"]], "other": "hunt"})
        );
        assert_eq!(format!("{secrets:?}"), r#"{"KEY"}"#);
        let accents =
            Secrets::new(BTreeMap::from([("KEY".to_owned(), "pässwörd \u{1f40e} it's\"a\\b".to_owned())]));
        for shown in [
            r#""p\u00e4ssw\u00f6rd \ud83d\udc0e it's\"a\\b""#,
            r#"'pässwörd \u{1f40e} it\'s"a\\b'"#,
            "pässwörd \u{1f40e} it's\"a\\b",
        ] {
            let shown = shown.replace("\\u{1f40e}", "\u{1f40e}");
            assert!(!accents.text(&shown).contains("ssw"), "{shown} -> {}", accents.text(&shown));
        }
        let number = Secrets::new(BTreeMap::from([("PIN".to_owned(), "123456".to_owned())]));
        assert_eq!(number.value_without(&json!([123456, 1234567])), json!(["***", 1234567]));
    }

    #[test]
    fn parts_of_secrets_are_found_where_a_text_was_cut() {
        let secret = "ghp_0123456789abcdefghijKLMNOPQRSTUVWXYZ";
        let secrets = Secrets::new(BTreeMap::from([("KEY".to_owned(), secret.to_owned())]));
        for (text, expected) in [
            (format!("not `{}…`", &secret[..30]), "not `***…`"),
            (format!("a line and {}", &secret[..8]), "a line and ***"),
            (format!("{} and more", &secret[25..]), "*** and more"),
            (format!("{secret}{}", &secret[..20]), "******"),
            ("ghp_ is how they begin".to_owned(), "ghp_ is how they begin"),
        ] {
            assert_eq!(secrets.text(&text), expected, "{text}");
        }
    }
}
