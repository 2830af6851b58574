//! The document: a workflow and its steps, as they stand in YAML or JSON.
//!
//! Any text is accepted here; [`Workflow::validate`] says all that is wrong with it at once.

use std::collections::BTreeMap;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Values;
use crate::inputs::InputSpec;
use crate::plan::check;
use crate::problems::Problems;
use crate::repeat::{Foreach, Retry};

/// Skills in a graph, with the values that flow between them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// What it is called.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What a run is given, by name: a type, or a type with a description and a default. Without it, a run takes whatever
    /// it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<BTreeMap<String, InputSpec>>,
    /// Names of secrets that steps refer to as `${secrets.NAME}`. The caller of a run has their values, and nothing
    /// that a run tells or keeps shows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// What runs. Steps start as soon as what they refer to has ended, in whatever order they stand here.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What the workflow returns where it is a step of another one, with references as in a step's inputs. Without it:
    /// the output of each step, by name.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub outputs: Values,
}

/// One skill, or one other workflow, in a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What other steps call it: letters, digits, `_` and `-`; unique in the workflow.
    pub name: String,
    /// `name` or `org/name`, optionally `@version` or `@range`, and `#script` for another script of its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<String>,
    /// Instead of a skill: the file of a workflow, relative to this one's, or the name of one that was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The function's arguments by name. Texts in them, however deep, may have references: `${name}` is an input of the workflow,
    /// `${step_output}` what a step returned, `${step_key}` or `${step.output.key}` a part of that, `${step.status}`
    /// and `${step.error.message}` how it went, `${item}` and `${index}` the item of `foreach`, `${secrets.NAME}` a
    /// secret, `${run.id}` the run. A text that is one reference becomes the typed value; `$${` is a plain `${`.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub inputs: Values,
    /// Steps that must have succeeded before this one starts, beside those that it refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Whether to run it: a reference, or an expression such as `${count.output} > 3 and ${check.status} == 'success'`.
    /// A step whose condition is not true is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Value>,
    /// A list, or a reference to one: the step runs once for each item, and returns the list of what came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreach: Option<Foreach>,
    /// What a failure means for the rest of the workflow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_error: OnError,
    /// How often to try again, and after which wait. Without it: three times for `on_error: retry`, otherwise not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Seconds for one attempt, the start of its process included. Without it: what the caller of the run sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Whether it may run beside others. A step with `false` waits for all above it, and all below wait for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<bool>,
    /// A text, with references, that the function is given as `idempotency_key`: the same in each attempt, and when a run is
    /// resumed, so that what the skill talks to can tell a repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// What a failed step means for the rest of its workflow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The workflow has failed; what has not started is skipped.
    #[default]
    Stop,
    /// The workflow goes on; only steps that need this one are skipped.
    Continue,
    /// Try again, then stop.
    Retry,
}

impl FromStr for OnError {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stop" => Ok(Self::Stop),
            "continue" => Ok(Self::Continue),
            "retry" => Ok(Self::Retry),
            other => Err(format!("`{}` is none of `stop`, `continue`, `retry`", other.escape_debug())),
        }
    }
}

impl Step {
    /// A step with the defaults for all but these.
    pub fn new(name: impl Into<String>, skill: impl Into<String>, inputs: Values) -> Self {
        Self { name: name.into(), skill: Some(skill.into()), inputs, ..Self::default() }
    }

    /// How it is tried again.
    pub(crate) fn effective_retry(&self) -> Retry {
        let by_default = if self.on_error == OnError::Retry { Retry::default() } else { Retry::none() };
        self.retry.clone().unwrap_or(by_default)
    }
}

impl Workflow {
    /// An empty workflow.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self { name: name.into(), description: description.into(), ..Self::default() }
    }

    /// Says everything that is wrong with the document, without knowing what a run is given and which skills are
    /// installed. Where the workflow does not declare its inputs, a `${name}` that cannot be a step's is taken for one.
    pub fn validate(&self) -> Result<(), Problems> {
        check(self, None).map(|_| ())
    }

    /// [`Workflow::validate`], with the inputs of a run: what they lack is a problem too.
    pub fn validate_with(&self, inputs: &Values) -> Result<(), Problems> {
        check(self, Some(inputs)).map(|_| ())
    }

    /// The JSON Schema of the document.
    pub fn schema() -> Value {
        let mut schema = schemars::schema_for!(Self);
        schema.insert("title".to_owned(), "A workflow of Skillery".into());
        schema.to_value()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
