//! Inputs with references in them, parsed. Text in, tree out: what a reference means is decided elsewhere.

use serde_json::Value;

/// Bytes of a reference; names have fewer.
const MAX_REFERENCE: usize = 1_024;

/// An input of a step, with its references found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Template<R> {
    /// Has no reference.
    Literal(Value),
    /// One reference and nothing else: becomes the typed value.
    Whole(R),
    /// Text around references.
    Text(Vec<Part<R>>),
    /// A list with a reference somewhere in it.
    List(Vec<Template<R>>),
    /// An object with a reference somewhere in its values. Keys are taken as they are.
    Object(Vec<(String, Template<R>)>),
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part<R> {
    Text(String),
    Reference(R),
}

impl Template<String> {
    /// Finds the references in a value, however deep. What cannot be read is put on `problems` as a message.
    pub(crate) fn parse(value: &Value, problems: &mut Vec<String>) -> Self {
        match value {
            Value::String(text) => parse_text(text, problems),
            Value::Array(items) => {
                let parsed: Vec<_> = items.iter().map(|item| Self::parse(item, problems)).collect();
                if parsed.iter().all(|item| matches!(item, Self::Literal(_))) && !has_escapes(value) {
                    return Self::Literal(value.clone());
                }
                Self::List(parsed)
            }
            Value::Object(fields) => {
                let parsed: Vec<_> =
                    fields.iter().map(|(key, item)| (key.clone(), Self::parse(item, problems))).collect();
                if parsed.iter().all(|(_, item)| matches!(item, Self::Literal(_))) && !has_escapes(value) {
                    return Self::Literal(value.clone());
                }
                Self::Object(parsed)
            }
            other => Self::Literal(other.clone()),
        }
    }
}

impl<R> Template<R> {
    /// The same tree with every reference given its meaning; `None` where one has none.
    pub(crate) fn resolve<S>(self, resolve: &mut impl FnMut(R) -> Option<S>) -> Option<Template<S>> {
        Some(match self {
            Self::Literal(value) => Template::Literal(value),
            Self::Whole(reference) => Template::Whole(resolve(reference)?),
            Self::Text(parts) => Template::Text(all(parts, |part| {
                Some(match part {
                    Part::Text(text) => Part::Text(text),
                    Part::Reference(reference) => Part::Reference(resolve(reference)?),
                })
            })?),
            Self::List(items) => Template::List(all(items, |item| item.resolve(resolve))?),
            Self::Object(fields) => {
                Template::Object(all(fields, |(key, item)| Some((key, item.resolve(resolve)?)))?)
            }
        })
    }
}

impl<R> Template<R> {
    /// Calls this with every reference, from left to right.
    pub(crate) fn each_reference(&self, each: &mut impl FnMut(&R)) {
        match self {
            Self::Literal(_) => {}
            Self::Whole(reference) => each(reference),
            Self::Text(parts) => parts.iter().for_each(|part| {
                if let Part::Reference(reference) = part {
                    each(reference);
                }
            }),
            Self::List(items) => items.iter().for_each(|item| item.each_reference(each)),
            Self::Object(fields) => fields.iter().for_each(|(_, item)| item.each_reference(each)),
        }
    }
}

/// Like `collect`, but goes on behind a failure, so that every problem is found.
fn all<T, S>(items: Vec<T>, each: impl FnMut(T) -> Option<S>) -> Option<Vec<S>> {
    let count = items.len();
    let done: Vec<S> = items.into_iter().filter_map(each).collect();
    (done.len() == count).then_some(done)
}

/// Whether some text in it has a `$${`, so that the literal differs from what was written.
fn has_escapes(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("$${"),
        Value::Array(items) => items.iter().any(has_escapes),
        Value::Object(fields) => fields.values().any(has_escapes),
        _ => false,
    }
}

fn parse_text(text: &str, problems: &mut Vec<String>) -> Template<String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if let Some(before) = rest[..start].strip_suffix('$') {
            plain.push_str(before);
            plain.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        plain.push_str(&rest[..start]);
        let inside = &rest[start + 2..];
        let Some(end) = inside.find('}') else {
            problems
                .push(format!("`{}` has a `${{` without its `}}`; write `$${{` for a plain one", cut(text)));
            return Template::Literal(Value::Null);
        };
        let reference = &inside[..end];
        if is_reference(reference) {
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Reference(reference.to_owned()));
        } else {
            problems.push(format!(
                "`${{{}}}` is not a reference: use letters, digits, `_`, `-` and `.`, or write `$${{` for a plain `${{`",
                cut(reference)
            ));
        }
        rest = &inside[end + 1..];
    }
    plain.push_str(rest);
    if parts.is_empty() {
        return Template::Literal(Value::String(plain));
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    match <[_; 1]>::try_from(parts) {
        Ok([Part::Reference(reference)]) => Template::Whole(reference),
        Ok(other) => Template::Text(other.into()),
        Err(parts) => Template::Text(parts),
    }
}

fn is_reference(text: &str) -> bool {
    text.len() <= MAX_REFERENCE
        && text.split('.').all(|segment| {
            !segment.is_empty()
                && segment
                    .chars()
                    .all(|character| character.is_alphanumeric() || matches!(character, '_' | '-'))
        })
}

/// A foreign text made short enough for a message.
pub(crate) fn cut(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(60) {
        match character {
            '"' | '\'' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: Value) -> Template<String> {
        let mut problems = Vec::new();
        let template = Template::parse(&value, &mut problems);
        assert_eq!(problems, Vec::<String>::new());
        template
    }

    #[test]
    fn one_reference_is_whole_and_text_around_makes_it_text() {
        assert_eq!(parse(json!("${a_b}")), Template::Whole("a_b".to_owned()));
        assert_eq!(
            parse(json!("x ${a.output.b} y")),
            Template::Text(vec![
                Part::Text("x ".to_owned()),
                Part::Reference("a.output.b".to_owned()),
                Part::Text(" y".to_owned()),
            ])
        );
        assert!(matches!(parse(json!("${a}${b}")), Template::Text(parts) if parts.len() == 2));
    }

    #[test]
    fn escapes_stay_text() {
        assert_eq!(parse(json!("$${a}")), Template::Literal(json!("${a}")));
        assert_eq!(parse(json!("$$${a}")), Template::Literal(json!("$${a}")));
        assert_eq!(parse(json!("costs $5 {a}")), Template::Literal(json!("costs $5 {a}")));
        assert!(matches!(parse(json!(["$${a}"])), Template::List(_)));
    }

    #[test]
    fn references_are_found_however_deep() {
        let template = parse(json!({"list": [1, {"deep": "${x}"}], "plain": [1, 2]}));
        let mut seen = Vec::new();
        let resolved = template.resolve(&mut |reference| {
            seen.push(reference);
            Some(())
        });
        assert_eq!(seen, ["x"]);
        assert!(matches!(resolved, Some(Template::Object(_))));
    }

    #[test]
    fn what_is_no_reference_is_told() {
        for text in ["${", "${a", "${}", "${a b}", "${a..b}", "${.a}", "${HOME:-x}"] {
            let mut problems = Vec::new();
            Template::parse(&json!(text), &mut problems);
            assert_eq!(problems.len(), 1, "{text}");
        }
    }
}
