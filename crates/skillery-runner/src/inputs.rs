//! What a run is given: declared with types and defaults, checked before anything runs.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::Values;
use crate::template::cut;
use crate::workflow::Workflow;

/// An input of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(with = "InputShape")]
pub struct InputSpec {
    /// What it must be.
    #[serde(rename = "type")]
    pub kind: InputType,
    /// What it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it is when it is not given. Without one it must be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
}

/// The types that an input may have: those of JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    /// Whatever JSON has.
    #[default]
    Any,
    /// A text.
    String,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    List,
    /// Values by name.
    Object,
}

/// How it may be written: the type alone, or all of it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum InputShape {
    /// The type alone.
    Type(InputType),
    /// More than the type.
    Whole(InputForm),
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct InputForm {
    /// What it must be.
    #[serde(rename = "type")]
    kind: InputType,
    /// What it is for.
    description: String,
    /// What it is when it is not given. Without one it must be given.
    #[serde(deserialize_with = "even_null")]
    default: Option<Value>,
}

/// A default that is null is one.
fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for InputSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = InputSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a type, or `type`, `description` and `default` by name")
            }

            fn visit_str<E: serde::de::Error>(self, kind: &str) -> Result<InputSpec, E> {
                let kind = InputType::deserialize(serde::de::value::StrDeserializer::new(kind))?;
                Ok(InputSpec { kind, ..InputSpec::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<InputSpec, A::Error> {
                let InputForm { kind, description, default } =
                    InputForm::deserialize(MapAccessDeserializer::new(map))?;
                Ok(InputSpec { kind, description, default })
            }
        }

        deserializer.deserialize_any(Form)
    }
}

impl InputType {
    /// The word as it stands in a document, with its article.
    fn described(self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }

    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// What a value is, without showing it.
fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Why the inputs of a run do not fit; the name of the input is in the text.
pub(crate) enum Misfit {
    Missing(String),
    Unknown(String),
    Type(String),
}

/// The inputs that a run has, defaults included.
pub(crate) fn settle(
    declared: Option<&BTreeMap<String, InputSpec>>,
    given: &Values,
) -> Result<Values, Vec<Misfit>> {
    let Some(declared) = declared else { return Ok(given.clone()) };
    let mut settled = Values::new();
    let mut misfits = Vec::new();
    for (name, spec) in declared {
        match given.get(name).or(spec.default.as_ref()) {
            None => {
                let kind = spec.kind.described();
                let why = match spec.description.as_str() {
                    "" => String::new(),
                    description => format!(" ({})", cut(description)),
                };
                misfits.push(Misfit::Missing(format!("the input `{name}` is missing: it is {kind}{why}")));
            }
            Some(value) if given.contains_key(name) && !spec.kind.takes(value) => {
                let kind = spec.kind.described();
                // The value may be a secret.
                let found = described(value);
                misfits.push(Misfit::Type(format!("the input `{name}` is {kind}, and not {found}")));
            }
            Some(value) => {
                settled.insert(name.clone(), value.clone());
            }
        }
    }
    let names: Vec<String> = declared.keys().map(|name| format!("`{name}`")).collect();
    for name in given.keys().filter(|name| !declared.contains_key(*name)) {
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        misfits.push(Misfit::Unknown(format!("there is no input `{}`; the inputs are {there}", cut(name))));
    }
    if misfits.is_empty() { Ok(settled) } else { Err(misfits) }
}

/// What is wrong with a declaration, by the name of the input.
pub(crate) fn wrong(declared: &BTreeMap<String, InputSpec>) -> Vec<(&str, String)> {
    let mut wrong = Vec::new();
    for (name, spec) in declared {
        let allowed = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
        if name.is_empty() || name.chars().count() > 128 || !name.chars().all(allowed) {
            let message =
                format!("the input `{}` is called by 1 to 128 letters, digits, `_` and `-`", cut(name));
            wrong.push((name.as_str(), message));
        }
        if let Some(default) = &spec.default
            && !default.is_null()
            && !spec.kind.takes(default)
        {
            let kind = spec.kind.described();
            let message = format!(
                "the default of the input `{}` is {kind}, and not `{}`",
                cut(name),
                cut(&default.to_string())
            );
            wrong.push((name.as_str(), message));
        }
    }
    wrong
}

impl Workflow {
    /// An input that came as text, as the type that the workflow declares for it. A text stays one where nothing is declared.
    pub fn input_of_text(&self, name: &str, text: &str) -> Result<Value, String> {
        let kind = self.inputs.as_ref().and_then(|inputs| inputs.get(name)).map(|spec| spec.kind);
        let kind = match kind {
            None | Some(InputType::Any | InputType::String) => return Ok(text.into()),
            Some(kind) => kind,
        };
        let parsed = serde_json::from_str::<Value>(text).ok().filter(|value| kind.takes(value));
        parsed.ok_or_else(|| format!("the input `{name}` is {}, and not `{}`", kind.described(), cut(text)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declared(value: Value) -> BTreeMap<String, InputSpec> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn inputs_are_settled() {
        let declared = declared(json!({
            "count": "integer",
            "title": {"type": "string", "default": "none"},
            "extra": {"default": null},
        }));
        let settle = |given: Value| match settle(Some(&declared), given.as_object().unwrap()) {
            Ok(values) => Value::Object(values).to_string(),
            Err(misfits) => {
                let text = |misfit| match misfit {
                    Misfit::Missing(text) | Misfit::Unknown(text) | Misfit::Type(text) => text,
                };
                misfits.into_iter().map(text).collect::<Vec<_>>().join("; ")
            }
        };
        assert_eq!(settle(json!({"count": 3})), r#"{"count":3,"extra":null,"title":"none"}"#);
        assert_eq!(
            settle(json!({"count": 1.5, "titel": 1})),
            "the input `count` is an integer, and not a number with a fraction; there is no input `titel`; the inputs are `count`, \
             `extra`, `title`"
        );
        assert_eq!(settle(json!({})), "the input `count` is missing: it is an integer");
    }

    #[test]
    fn texts_become_what_is_declared() {
        let workflow = Workflow {
            inputs: Some(declared(json!({"n": "integer", "on": "boolean", "s": "string", "l": "list"}))),
            ..Workflow::new("w", "")
        };
        let text = |name, text| workflow.input_of_text(name, text);
        assert_eq!(text("n", "3"), Ok(json!(3)));
        assert_eq!(text("on", "true"), Ok(json!(true)));
        assert_eq!(text("s", "3"), Ok(json!("3")));
        assert_eq!(text("l", "[1]"), Ok(json!([1])));
        assert_eq!(text("other", "3"), Ok(json!("3")));
        assert_eq!(text("n", "x"), Err("the input `n` is an integer, and not `x`".to_owned()));
    }
}
