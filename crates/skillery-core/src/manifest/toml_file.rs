//! `skillery.toml`. Only the registry reads it, so everything in it must be known.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{MANIFEST_FILE, Partial, check_tags, check_url};
use crate::limits::MAX_MANIFEST_BYTES;
use crate::lint::{Findings, Lines, LintRule, Place, quoted};
use crate::skill_md::text_of;
use crate::{Dependencies, Limits};

const RULE: LintRule = LintRule::ManifestInvalid;

/// Where findings go.
struct Context<'a> {
    lines: Lines<'a>,
    limits: &'a Limits,
    findings: &'a mut Findings,
}

impl Context<'_> {
    fn place<T>(&self, spanned: &Spanned<T>) -> Place {
        self.lines.place(spanned.span().start)
    }

    fn tell(&mut self, place: Place, message: impl Into<String>) {
        self.findings.push(RULE, MANIFEST_FILE, place, message);
    }
}

/// Reads it.
pub(crate) fn read(bytes: &[u8], limits: &Limits, findings: &mut Findings) -> Partial {
    let mut partial = Partial::default();
    if bytes.len() > MAX_MANIFEST_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_MANIFEST_BYTES} are read", bytes.len());
        findings.push(RULE, MANIFEST_FILE, None, message);
        return partial;
    }
    let Some(text) = text_of(bytes, MANIFEST_FILE, findings) else { return partial };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut context = Context { lines: Lines::new(text), limits, findings };
    for error in errors {
        let place = context.lines.place(error.span().map_or(0, |span| span.start));
        context.tell(place, format!("the file is not TOML: {}", error.message()));
    }
    for (key, value) in table.get_ref() {
        let place = context.place(key);
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("skill", DeValue::Table(skill)) => read_skill(skill, &mut partial, &mut context),
            ("dependencies", DeValue::Table(dependencies)) => {
                read_dependencies(dependencies, &mut partial, &mut context);
            }
            (name @ ("skill" | "dependencies"), other) => {
                context.tell(place, format!("`{name}` is {}, and must be a table", in_words(other)));
            }
            (other, _) => {
                let message =
                    format!("{} is not known; there are `[skill]` and `[dependencies]`", quoted(other));
                context.tell(place, message);
            }
        }
    }
    if partial.id.is_some()
        && let Some((_, place)) = partial.namespace.take()
    {
        context.tell(place, "there is an `id`, which has a namespace; leave `namespace` out");
    }
    partial
}

fn read_skill(table: &DeTable<'_>, partial: &mut Partial, context: &mut Context<'_>) {
    for (key, value) in table {
        let place = context.place(value);
        let limits = context.limits;
        let name = key.get_ref().as_ref();
        let done = match name {
            "id" => text(value).and_then(|text| parse(text).map(|id| partial.id = Some((id, place)))),
            "namespace" => {
                text(value).and_then(|text| parse(text).map(|it| partial.namespace = Some((it, place))))
            }
            "version" => {
                text(value).and_then(|text| parse(text).map(|it| partial.version = Some((it, place))))
            }
            "visibility" => {
                text(value).and_then(|text| parse(text).map(|it| partial.visibility = Some((it, place))))
            }
            "tags" => texts(value).and_then(|tags| {
                check_tags(&tags, limits)?;
                partial.tags = Some((tags, place));
                Ok(())
            }),
            "homepage" => text(value).and_then(|text| {
                check_url(text, &["http", "https"], limits)?;
                partial.homepage = Some((text.to_owned(), place));
                Ok(())
            }),
            "repository" => text(value).and_then(|text| {
                check_url(text, &["http", "https", "git", "ssh"], limits)?;
                partial.repository = Some((text.to_owned(), place));
                Ok(())
            }),
            other => {
                let message = format!(
                    "{} is not known; `[skill]` has `id`, `namespace`, `version`, `tags`, `homepage`, `repository` and \
                     `visibility`",
                    quoted(other)
                );
                let place = context.place(key);
                context.tell(place, message);
                continue;
            }
        };
        if let Err(why) = done {
            context.tell(place, format!("`{name}`: {why}"));
        }
    }
}

fn read_dependencies(table: &DeTable<'_>, partial: &mut Partial, context: &mut Context<'_>) {
    let mut all = Dependencies::default();
    for (key, value) in table {
        let place = context.place(key);
        let Ok(range) = text(value) else {
            let message = format!("the range of {} must be a text such as `\"^1.2\"`", quoted(key.get_ref()));
            context.findings.push(LintRule::DependencyInvalid, MANIFEST_FILE, place, message);
            continue;
        };
        let added = Dependencies::one(key.get_ref(), range).and_then(|(id, wanted)| {
            all.add(id.clone(), wanted.clone())?;
            Ok((id, wanted, place))
        });
        match added {
            Ok(dependency) => partial.dependencies.push(dependency),
            Err(error) => {
                context.findings.push(LintRule::DependencyInvalid, MANIFEST_FILE, place, error.to_string());
            }
        }
    }
}

fn parse<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn text<'a>(value: &'a Spanned<DeValue<'_>>) -> Result<&'a str, String> {
    let value = value.get_ref();
    value.as_str().ok_or_else(|| format!("it is {}, and must be a text", in_words(value)))
}

fn in_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn texts(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, String> {
    let what = || "it must be a list of texts".to_owned();
    let items = value.get_ref().as_array().ok_or_else(what)?;
    items.iter().map(|item| item.get_ref().as_str().map(str::to_owned).ok_or_else(what)).collect()
}
