//! YAML as front matter may have it: mappings, lists and scalars, each with its place. What readers of YAML disagree
//! about is refused.

use std::collections::HashSet;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, StructureStyle};

use crate::lint::{Findings, LintRule, Place, quoted};

/// Collections within each other.
const DEPTH: usize = 16;

/// A value, and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A text, with whether it stands without quotes and is no block, so that it may be a number or a boolean.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// Fields in their order.
    Map(Vec<(Field, Node)>),
}

/// The name of a field, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) place: Place,
    pub(crate) name: String,
}

/// What a scalar is under the core schema of YAML 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Integer,
    Float,
    Text,
}

impl Node {
    /// The text, if it is one under the core schema.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if self.kind() == Some(Kind::Text) => Some(text),
            _ => None,
        }
    }

    /// What kind of scalar it is, if it is one.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match &self.value {
            Value::Scalar { text, plain } => Some(if *plain { kind_of(text) } else { Kind::Text }),
            _ => None,
        }
    }

    /// What it is, in words.
    pub(crate) fn in_words(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Scalar { .. } => match self.kind() {
                Some(Kind::Null) => "empty",
                Some(Kind::Boolean) => "a boolean",
                Some(Kind::Integer | Kind::Float) => "a number",
                _ => "a text",
            },
        }
    }

    /// The value as JSON. Numbers that JSON cannot have stay texts.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(fields) => Json::Object(
                fields.iter().map(|(field, value)| (field.name.clone(), value.to_json())).collect(),
            ),
            Value::Scalar { text, .. } => match self.kind() {
                Some(Kind::Null) => Json::Null,
                Some(Kind::Boolean) => Json::Bool(text.starts_with(['t', 'T'])),
                Some(Kind::Integer) => integer(text).unwrap_or_else(|| Json::from(text.as_str())),
                Some(Kind::Float) => {
                    let number = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                    number.map_or_else(|| Json::from(text.as_str()), Json::Number)
                }
                _ => Json::from(text.as_str()),
            },
        }
    }
}

fn integer(text: &str) -> Option<serde_json::Value> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let number = match (digits.strip_prefix("0x"), digits.strip_prefix("0o")) {
        (Some(hexadecimal), _) => u64::from_str_radix(hexadecimal, 16).ok()?.into(),
        (_, Some(octal)) => u64::from_str_radix(octal, 8).ok()?.into(),
        _ => match digits.parse::<u64>() {
            Ok(number) => number.into(),
            Err(_) => digits.parse::<i64>().ok()?.into(),
        },
    };
    Some(number)
}

/// What the text of a plain scalar is under the core schema of YAML 1.2 (section 10.3.2 of its specification).
pub(crate) fn kind_of(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return Kind::Boolean,
        ".nan" | ".NaN" | ".NAN" => return Kind::Float,
        _ => {}
    }
    let all = |text: &str, good: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(good);
    if text.strip_prefix("0x").is_some_and(|rest| all(rest, u8::is_ascii_hexdigit))
        || text.strip_prefix("0o").is_some_and(|rest| all(rest, |byte| (b'0'..=b'7').contains(byte)))
    {
        return Kind::Integer;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if all(unsigned, u8::is_ascii_digit) {
        return Kind::Integer;
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Kind::Float;
    }
    // [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let good_exponent = exponent.is_none_or(|digits| all(digits, u8::is_ascii_digit));
    let good_mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => all(fraction, u8::is_ascii_digit),
        Some((whole, fraction)) => {
            all(whole, u8::is_ascii_digit) && (fraction.is_empty() || all(fraction, u8::is_ascii_digit))
        }
        None => all(mantissa, u8::is_ascii_digit),
    };
    if good_exponent && good_mantissa { Kind::Float } else { Kind::Text }
}

/// Whether readers of YAML 1.1, of which there are many, take the text of a plain scalar for something else.
pub(crate) fn is_ambiguous(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    let is_date = text.len() == 10
        && text.bytes().enumerate().all(|(position, byte)| match position {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_date || matches!(word.as_str(), "y" | "yes" | "n" | "no" | "on" | "off")
}

/// A collection that is not finished.
enum Open {
    List(Place, Vec<Node>),
    Map(Place, Vec<(Field, Node)>, HashSet<String>, Option<Field>),
}

/// Reads one document. `first_line` is the line of the file in which `text` begins. `None` where it is no YAML, or of a
/// kind that is refused as a whole; the findings say why.
pub(crate) fn read(text: &str, path: &str, first_line: usize, findings: &mut Findings) -> Option<Node> {
    let mut options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    options.set_emit_comments(false);
    let place = |marker: &Marker| Place::new(marker.line() + first_line - 1, marker.col() + 1);
    let mut open: Vec<Open> = Vec::new();
    let mut flows = 0_usize;
    let mut documents = 0;
    let mut root = None;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(error) => {
                tell_error(&error, path, place(error.marker()), findings);
                return None;
            }
        };
        let at = place(&span.start);
        check_properties(&event, &span, path, at, findings);
        let done = match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    let message = "the front matter has more than one document of YAML";
                    findings.push(LintRule::FrontMatterSyntax, path, at, message);
                    return None;
                }
                continue;
            }
            Event::Scalar(text, style, ..) => {
                let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                Node { place: at, value }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                // It was told; what it would stand for is not asked any more.
                Node { place: at, value: Value::Scalar { text: "alias".to_owned(), plain: false } }
            }
            Event::SequenceStart(style, ..) => {
                begin_flow(style, &mut flows, path, at, findings);
                open.push(Open::List(at, Vec::new()));
                continue;
            }
            Event::MappingStart(style, ..) => {
                begin_flow(style, &mut flows, path, at, findings);
                open.push(Open::Map(at, Vec::new(), HashSet::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                flows = flows.saturating_sub(1);
                match open.pop()? {
                    Open::List(place, items) => Node { place, value: Value::List(items) },
                    Open::Map(place, fields, ..) => Node { place, value: Value::Map(fields) },
                }
            }
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(done),
            Some(Open::List(_, items)) => items.push(done),
            Some(Open::Map(_, fields, seen, key)) => match key.take() {
                Some(field) => fields.push((field, done)),
                None => {
                    let Value::Scalar { text: name, .. } = done.value else {
                        let message = "the name of a field is a list or a mapping";
                        findings.push(LintRule::FrontMatterSyntax, path, done.place, message);
                        return None;
                    };
                    // Some readers merge what stands behind it into the mapping, some have a field of this name.
                    if name == "<<" {
                        tell_feature("a merge key (`<<`)", path, done.place, findings);
                    }
                    if !seen.insert(name.clone()) {
                        let message = format!("the field {} occurs twice", quoted(&name));
                        findings.push(LintRule::DuplicateField, path, done.place, message);
                    }
                    *key = Some(Field { place: done.place, name });
                }
            },
        }
    }
    Some(root.unwrap_or(Node {
        place: Place::line(first_line),
        value: Value::Scalar { text: String::new(), plain: true },
    }))
}

fn tell_error(error: &ScanError, path: &str, place: Place, findings: &mut Findings) {
    let kind = error.kind();
    let (rule, message) = match kind {
        ErrorKind::DirectiveDisallowed => {
            (LintRule::YamlFeature, "a directive (`%…`) of YAML is used; leave it out".to_owned())
        }
        ErrorKind::MappingValueNotAllowed => {
            let message =
                "the front matter is not YAML: there is a second `: ` in the line; put the text in quotes";
            (LintRule::FrontMatterSyntax, message.to_owned())
        }
        _ => (LintRule::FrontMatterSyntax, format!("the front matter is not YAML: {kind}")),
    };
    findings.push(rule, path, place, message);
}

/// Within a collection in flow style everything is, so only the outermost one is told.
fn begin_flow(style: StructureStyle, flows: &mut usize, path: &str, place: Place, findings: &mut Findings) {
    if *flows > 0 {
        *flows += 1;
    } else if style == StructureStyle::Flow {
        *flows = 1;
        let message = "the value is in `[…]` or `{…}`; write one item on a line";
        findings.push(LintRule::FlowStyle, path, place, message);
    }
}

fn tell_feature(what: &str, path: &str, place: Place, findings: &mut Findings) {
    let message = format!("{what} of YAML is used; write out what is meant");
    findings.push(LintRule::YamlFeature, path, place, message);
}

fn check_properties(event: &Event<'_>, span: &Span, path: &str, place: Place, findings: &mut Findings) {
    let mut tell = |what: &str| tell_feature(what, path, place, findings);
    if event.anchor_id().is_some() {
        tell("an anchor (`&name`)");
    }
    if event.is_alias() || matches!(event, Event::UnresolvedAlias(_)) {
        tell("an alias (`*name`)");
    }
    if event.tag().is_some() || span.tag_span().is_some() {
        tell("a tag (`!name`)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_what_the_core_schema_says() {
        let cases = [
            (Kind::Null, vec!["", "~", "null", "NULL"]),
            (Kind::Boolean, vec!["true", "False"]),
            (Kind::Integer, vec!["1", "-1", "+12", "0x1F", "0o17", "007"]),
            (Kind::Float, vec!["1.", ".5", "1.5", "-1e3", "1.5E-7", ".inf", "-.INF", ".nan", "1e3"]),
            (
                Kind::Text,
                vec![
                    "a", "1a", "1.0.0", "yes", "tRUE", "0x", "0o8", "1e", "e1", ".", "-", "+", "1_000", "--1",
                ],
            ),
        ];
        for (kind, texts) in cases {
            for text in texts {
                assert_eq!(kind_of(text), kind, "{text:?}");
            }
        }
        assert!(is_ambiguous("2024-01-31") && is_ambiguous("Yes") && !is_ambiguous("yesterday"));
    }
}
