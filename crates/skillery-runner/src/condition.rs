//! `when`: whether a step runs. References as everywhere, and between them the operators of Jinja's expressions.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;

use crate::template::{Part, Template, cut};

/// Steps of an evaluation; a condition that needs more is none.
const FUEL: u64 = 100_000;

/// A condition, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition<R> {
    /// Said once and for all.
    Always(bool),
    /// Whether the value is true, as Jinja sees it: not empty, not zero, not null.
    Value(R),
    /// An expression over `ref_0`, `ref_1`, ….
    Expression { text: String, references: Vec<R> },
}

impl Condition<String> {
    /// Reads a condition. What is wrong with it is put on `problems`.
    pub(crate) fn parse(value: &Value, problems: &mut Vec<String>) -> Option<Self> {
        let text = match value {
            Value::Bool(yes) => return Some(Self::Always(*yes)),
            Value::String(text) => text,
            _ => {
                problems.push("`when` is a text or a boolean".to_owned());
                return None;
            }
        };
        let before = problems.len();
        let parts = match Template::parse(value, problems) {
            Template::Whole(reference) => return Some(Self::Value(reference)),
            Template::Text(parts) => parts,
            _ => vec![Part::Text(text.clone())],
        };
        if problems.len() > before {
            return None;
        }
        let mut expression = String::new();
        let mut references = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => expression.push_str(&text),
                Part::Reference(reference) => {
                    expression.push_str(&format!(" ref_{} ", references.len()));
                    references.push(reference);
                }
            }
        }
        match check(&expression, &references) {
            Ok(()) => Some(Self::Expression { text: expression, references }),
            Err(why) => {
                problems.push(format!("`{}` is not a condition: {why}", cut(text)));
                None
            }
        }
    }
}

/// That it compiles, and uses every reference and nothing else.
fn check(expression: &str, references: &[String]) -> Result<(), String> {
    let environment = environment();
    let compiled = environment.compile_expression(expression).map_err(|error| described(&error))?;
    let used = compiled.undeclared_variables(false);
    let known = |name: &str| name.strip_prefix("ref_").and_then(|at| at.parse::<usize>().ok());
    for (at, reference) in references.iter().enumerate() {
        if !used.contains(&format!("ref_{at}")) {
            return Err(format!("`${{{reference}}}` stands in a text; write it without quotes"));
        }
    }
    let mut others: Vec<&String> = used.iter().filter(|name| known(name).is_none()).collect();
    others.sort();
    match others.first() {
        Some(name) => Err(format!("`{name}` is no reference; write `${{{name}}}`, or `'{name}'` for a text")),
        None => Ok(()),
    }
}

impl<R> Condition<R> {
    /// The references in it.
    pub(crate) fn references(&self) -> &[R] {
        match self {
            Self::Always(_) => &[],
            Self::Value(reference) => std::slice::from_ref(reference),
            Self::Expression { references, .. } => references,
        }
    }

    /// The same condition with every reference given its meaning; `None` where one has none.
    pub(crate) fn resolve<S>(self, resolve: &mut impl FnMut(R) -> Option<S>) -> Option<Condition<S>> {
        Some(match self {
            Self::Always(yes) => Condition::Always(yes),
            Self::Value(reference) => Condition::Value(resolve(reference)?),
            Self::Expression { text, references } => {
                let count = references.len();
                let references: Vec<S> = references.into_iter().filter_map(resolve).collect();
                if references.len() < count {
                    return None;
                }
                Condition::Expression { text, references }
            }
        })
    }

    /// Whether it is true with these values for its references.
    pub(crate) fn is_true<E: From<String>>(&self, value: impl Fn(&R) -> Result<Value, E>) -> Result<bool, E> {
        let values = self.references().iter().map(value).collect::<Result<Vec<_>, E>>()?;
        match self {
            Self::Always(yes) => Ok(*yes),
            Self::Value(_) => Ok(values.first().is_some_and(|value| jinja(value).is_true())),
            Self::Expression { text, .. } => {
                let names = values.iter().enumerate().map(|(at, value)| (format!("ref_{at}"), jinja(value)));
                let context = minijinja::Value::from(names.collect::<BTreeMap<_, _>>());
                let environment = environment();
                let found = environment.compile_expression(text).and_then(|compiled| compiled.eval(context));
                found.map(|value| value.is_true()).map_err(|error| described(&error).into())
            }
        }
    }
}

fn jinja(value: &Value) -> minijinja::Value {
    minijinja::value::Serde(value).into()
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
}

fn described(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(when: Value, values: &Value) -> Result<bool, String> {
        let mut problems = Vec::new();
        let condition = Condition::parse(&when, &mut problems);
        let condition = condition.ok_or_else(|| problems.join("; "))?;
        condition.is_true(|name: &String| values.get(name).cloned().ok_or_else(|| format!("no {name}")))
    }

    #[test]
    fn conditions_are_judged() {
        let values = json!({"n": 5, "s": "success", "none": null, "empty": [], "a.b": {"k": [1, 2]}});
        for (when, expected) in [
            (json!(true), true),
            (json!("${n}"), true),
            (json!("${none}"), false),
            (json!("${empty}"), false),
            (json!("${n} > 3 and ${s} == 'success'"), true),
            (json!("${n}>5 or not ${s}"), false),
            (json!("2 in ${a.b}.k"), true),
            (json!("${empty} | length == 0"), true),
            (json!("${s} in ['failed', 'timed-out']"), false),
            (json!("1 + 1 == 2"), true),
        ] {
            assert_eq!(judged(when.clone(), &values), Ok(expected), "{when}");
        }
    }

    #[test]
    fn what_is_no_condition_says_why() {
        let said = |when: Value| judged(when, &json!({"n": 5, "s": "x"})).unwrap_err();
        insta::assert_snapshot!(
            [
                said(json!(3)),
                said(json!("${n} >")),
                said(json!("${s} == success")),
                said(json!("'${s}' == 'x'")),
                said(json!("${s} > 3 > ")),
                said(json!("${s} + 3 == 1")),
                said(json!("${")),
            ]
            .join("\n"),
            @"
        `when` is a text or a boolean
        `${n} >` is not a condition: syntax error: unexpected end of input, expected expression
        `${s} == success` is not a condition: `success` is no reference; write `${success}`, or `'success'` for a text
        `'${s}' == 'x'` is not a condition: `${s}` stands in a text; write it without quotes
        `${s} > 3 > ` is not a condition: syntax error: unexpected end of input, expected expression
        invalid operation: tried to use + operator on unsupported types string and number
        `${` has a `${` without its `}`; write `$${` for a plain one
        "
        );
    }
}
