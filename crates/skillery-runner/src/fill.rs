//! References replaced by values. Pure.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::Values;
use crate::condition::Condition;
use crate::outcome::{Outcome, StepError};
use crate::plan::{Field, Reference, Source, Templates};
use crate::redact::Secrets;
use crate::template::{Part, Template};

/// What references can see.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) inputs: &'a Values,
    /// By position; a step that has not ended has none.
    pub(crate) outcomes: &'a [OnceLock<Outcome>],
    /// Names of the steps, for messages.
    pub(crate) names: &'a [&'a str],
    pub(crate) secrets: &'a Secrets,
    pub(crate) run_id: &'a str,
    /// Within a `foreach`: the item and its position.
    pub(crate) item: Option<(&'a Value, usize)>,
}

/// Why a condition cannot be judged.
impl From<String> for StepError {
    fn from(why: String) -> Self {
        Self::new("bad-condition", format!("`when` cannot be judged: {why}"))
    }
}

impl Scope<'_> {
    /// The inputs of a step, typed.
    pub(crate) fn fill(&self, templates: &Templates) -> Result<Values, StepError> {
        templates.iter().map(|(key, template)| Ok((key.clone(), self.value(template)?))).collect()
    }

    /// Whether a condition is true.
    pub(crate) fn is_true(&self, condition: &Condition<Reference>) -> Result<bool, StepError> {
        condition.is_true(|reference| self.look_up(reference))
    }

    /// A value with its references replaced.
    pub(crate) fn value(&self, template: &Template<Reference>) -> Result<Value, StepError> {
        Ok(match template {
            Template::Literal(value) => value.clone(),
            Template::Whole(reference) => self.look_up(reference)?,
            Template::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Text(plain) => text.push_str(plain),
                        Part::Reference(reference) => match self.look_up(reference)? {
                            Value::String(value) => text.push_str(&value),
                            other => text.push_str(&other.to_string()),
                        },
                    }
                }
                Value::String(text)
            }
            Template::List(items) => items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?,
            Template::Object(fields) => {
                let filled: Result<Values, StepError> =
                    fields.iter().map(|(key, item)| Ok((key.clone(), self.value(item)?))).collect();
                Value::Object(filled?)
            }
        })
    }

    fn look_up(&self, reference: &Reference) -> Result<Value, StepError> {
        let missing =
            |what: String| StepError::new("missing-value", format!("`${{{}}}`: {what}", reference.text));
        let (root, what) = match &reference.source {
            Source::Input(name) => {
                let value = self.inputs.get(name).ok_or_else(|| missing("it was not given".to_owned()))?;
                (value.clone(), format!("the input `{name}`"))
            }
            Source::Step(position, field) => {
                let name = &self.names[*position];
                let outcome = self.outcomes[*position]
                    .get()
                    .ok_or_else(|| missing(format!("step `{name}` has not ended")))?;
                match field {
                    Field::Output => (outcome.output.clone(), format!("the output of `{name}`")),
                    Field::Status => (json!(outcome.status), format!("the status of `{name}`")),
                    Field::Version => (json!(outcome.version), format!("the version of `{name}`")),
                    // There is no error to look into when all is well, which a reference to it is there to find out.
                    Field::Error if outcome.error.is_none() => return Ok(Value::Null),
                    Field::Error => (json!(outcome.error), format!("the error of `{name}`")),
                    Field::Items => (json!(outcome.items), format!("the items of `{name}`")),
                }
            }
            Source::Item | Source::Index => {
                let (item, index) = self.item.ok_or_else(|| missing("there is no item".to_owned()))?;
                match reference.source {
                    Source::Index => (json!(index), "the index".to_owned()),
                    _ => (item.clone(), format!("item {index}")),
                }
            }
            Source::Secret(name) => {
                let value = self.secrets.value(name).ok_or_else(|| missing("it was not given".to_owned()))?;
                (value.into(), format!("the secret `{name}`"))
            }
            Source::RunId => (self.run_id.into(), "the run".to_owned()),
        };
        let mut here = &root;
        for key in &reference.path {
            let below = match here {
                Value::Array(items) => key.parse::<usize>().ok().and_then(|at| items.get(at)),
                Value::Object(fields) => fields.get(key),
                _ => None,
            };
            here =
                below.ok_or_else(|| missing(format!("{what} has no `{key}`: it is {}", described(here))))?;
        }
        Ok(here.clone())
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => {
            let keys: Vec<_> =
                fields.keys().take(20).map(|key| format!("`{}`", crate::template::cut(key))).collect();
            let more = if fields.len() > keys.len() { ", …" } else { "" };
            format!(
                "an object with {}{more}",
                if keys.is_empty() { "no keys".to_owned() } else { keys.join(", ") }
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Status;
    use crate::plan::check;
    use crate::workflow::{Step, Workflow};

    fn values(value: Value) -> Values {
        serde_json::from_value(value).unwrap()
    }

    /// What the last step's inputs become, when `validate` has returned `output`.
    fn filled(output: Value, inputs: Value, last: Value) -> Result<Value, StepError> {
        let mut workflow = Workflow::new("w", "");
        workflow.steps.push(Step::new("validate", "validator", Values::new()));
        workflow.steps.push(Step::new("last", "printer", values(json!({ "x": last }))));
        let inputs = values(inputs);
        let plan = check(&workflow, Some(&inputs)).unwrap();
        let mut outcome = Outcome::of("acme/validator", "1.2.3", Status::Success);
        outcome.output = output;
        let outcomes = [OnceLock::from(outcome), OnceLock::new()];
        let scope = Scope {
            inputs: &inputs,
            outcomes: &outcomes,
            names: &["validate", "last"],
            secrets: &Secrets::default(),
            run_id: "run-1",
            item: None,
        };
        Ok(scope.fill(&plan.steps[1].inputs)?["x"].clone())
    }

    #[test]
    fn values_keep_their_type_when_the_reference_is_the_whole_text() {
        let output = json!({"valid": true, "parts": ["a", {"b": 2.5}]});
        let cases = [
            (json!("${validate_output}"), output.clone()),
            (json!("${validate.output}"), output.clone()),
            (json!("${validate_valid}"), json!(true)),
            (json!("${validate.output.valid}"), json!(true)),
            (json!("${validate.output.parts.1.b}"), json!(2.5)),
            (json!("${validate.status}"), json!("success")),
            (json!("${validate.version}"), json!("1.2.3")),
            (json!("${validate.error.message}"), Value::Null),
            (json!("${run.id}"), json!("run-1")),
            (json!("${count}"), json!(7)),
            (json!("${user.name}"), json!("Ada")),
            (
                json!("is ${validate_valid}, ${count} of ${user.name}: ${validate_parts}"),
                json!(r#"is true, 7 of Ada: ["a",{"b":2.5}]"#),
            ),
            (json!([{"deep": "${count}"}]), json!([{"deep": 7}])),
            (json!("$${count}"), json!("${count}")),
        ];
        for (written, expected) in cases {
            let inputs = json!({"count": 7, "user": {"name": "Ada"}});
            assert_eq!(filled(output.clone(), inputs, written.clone()).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn an_input_comes_before_a_step_whose_name_fits() {
        let given =
            filled(json!({"valid": true}), json!({"validate_valid": "input"}), json!("${validate_valid}"));
        assert_eq!(given.unwrap(), json!("input"));
    }

    #[test]
    fn what_is_not_there_says_what_is() {
        let message = |output: Value, text: &str| filled(output, json!({}), json!(text)).unwrap_err().message;
        insta::assert_snapshot!(
            [
                message(json!({"reason": "", "valid": true}), "${validate_valib}"),
                message(json!([1, 2]), "${validate.output.2}"),
                message(json!(true), "${validate.output.valid}"),
                message(json!({}), "${validate_x}"),
            ]
            .join("\n"),
            @"
            `${validate_valib}`: the output of `validate` has no `valib`: it is an object with `reason`, `valid`
            `${validate.output.2}`: the output of `validate` has no `2`: it is a list of 2
            `${validate.output.valid}`: the output of `validate` has no `valid`: it is a boolean
            `${validate_x}`: the output of `validate` has no `x`: it is an object with no keys
            "
        );
    }
}
