//! The documentation that the registry serves of itself: every route and every problem code.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;
use skillery_core::ProblemCode;

use super::call::{Call, ready_json};
use super::openapi;
use super::pages::{Frame, page, show};
use crate::failure::{Failure, Result};

/// One way to call one address.
struct Operation {
    method: String,
    path: String,
    summary: String,
    scopes: Vec<String>,
    parameters: Vec<Parameter>,
    body: Option<String>,
    responses: Vec<Answer>,
    /// Statuses of problems that mean what they mean everywhere.
    problems: Vec<String>,
}

struct Parameter {
    name: String,
    place: String,
    kind: String,
    description: String,
}

struct Answer {
    status: String,
    description: String,
    body: Option<String>,
}

/// Groups in the order in which a newcomer meets them.
const GROUPS: &[&str] = &["skills", "ratings", "orgs", "accounts", "notifications", "operations"];

struct Group {
    name: String,
    operations: Vec<Operation>,
}

struct Form {
    name: String,
    description: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: String,
    required: bool,
    description: String,
}

#[derive(Template)]
#[template(path = "pages/api.html")]
struct ApiPage {
    frame: Frame,
    version: &'static str,
    groups: Vec<Group>,
    forms: Vec<Form>,
    /// Whether it is a group or a body, and not a list.
    is_detailed: bool,
    shows_bodies: bool,
}

#[derive(Template)]
#[template(path = "pages/errors.html")]
struct ErrorsPage {
    frame: Frame,
    codes: &'static [ProblemCode],
}

/// The OpenAPI document.
#[utoipa::path(get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "this document", body = Object),
        (status = "default", description = "a problem", body = skillery_core::Problem)))]
pub fn openapi() -> Result<Response> {
    let mut response = ready_json(StatusCode::OK, Bytes::from_static(openapi::document().as_bytes()));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    Ok(response)
}

/// The OpenAPI document as a page.
#[utoipa::path(get, path = "/docs", tag = "operations",
    responses((status = 200, description = "every route", body = String, content_type = "text/html"),
        (status = "default", description = "a problem", body = skillery_core::Problem)))]
pub fn api(call: &Call) -> Result<Response> {
    let frame = Frame::of(call).titled("API").part("docs");
    let document: Value = serde_json::from_str(openapi::document()).map_err(Failure::internal)?;
    let (mut groups, mut forms) = (groups(&document), forms(&document));
    // All of it on one page would be more than a phone should have to load.
    let asked = call.parameter("show").unwrap_or_default();
    let lists_bodies = asked == "bodies";
    let is_group = groups.iter().any(|group| group.name == asked);
    let is_body = forms.iter().any(|form| form.name == asked);
    if is_group {
        groups.retain(|group| group.name == asked);
    }
    if is_body {
        forms.retain(|form| form.name == asked);
    }
    let shows_bodies = is_body || lists_bodies;
    if shows_bodies {
        groups.clear()
    } else {
        forms.clear()
    }
    page(&ApiPage {
        frame,
        version: env!("CARGO_PKG_VERSION"),
        groups,
        forms,
        is_detailed: is_group || is_body,
        shows_bodies,
    })
}

/// Every problem code as a page.
#[utoipa::path(get, path = "/docs/errors", tag = "operations",
    responses((status = 200, description = "every problem code", body = String, content_type = "text/html"),
        (status = "default", description = "a problem", body = skillery_core::Problem)))]
pub fn errors(call: &Call) -> Result<Response> {
    page(&ErrorsPage { frame: Frame::of(call).titled("Problem codes").part("docs"), codes: ProblemCode::ALL })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn groups(document: &Value) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let name = text(&operation["tags"][0]);
            let operation = one(path, method, operation);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(operation),
                None => groups.push(Group { name, operations: vec![operation] }),
            }
        }
    }
    groups.sort_by_key(|group| GROUPS.iter().position(|name| *name == group.name).unwrap_or(GROUPS.len()));
    groups
}

fn answers(operation: &Value) -> impl Iterator<Item = (&String, &Value)> {
    operation["responses"].as_object().into_iter().flatten()
}

fn one(path: &str, method: &str, operation: &Value) -> Operation {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: [text(&operation["summary"]), text(&operation["description"])].join(" ").trim().to_owned(),
        scopes: list(&operation["security"])
            .iter()
            .flat_map(|need| list(&need["token"]))
            .map(|scope| text(&scope))
            .collect(),
        parameters: list(&operation["parameters"])
            .iter()
            .map(|parameter| Parameter {
                name: text(&parameter["name"]),
                place: text(&parameter["in"]),
                kind: kind(&parameter["schema"]),
                description: text(&parameter["description"]),
            })
            .collect(),
        body: form_name(&operation["requestBody"]["content"]),
        responses: answers(operation)
            .filter(|(_, answer)| last(answer).is_empty())
            .map(|(status, answer)| Answer {
                status: status.clone(),
                description: text(&answer["description"]),
                body: form_name(&answer["content"]),
            })
            .collect(),
        problems: answers(operation)
            .filter(|(_, answer)| !last(answer).is_empty())
            .map(|(status, _)| status.clone())
            .collect(),
    }
}

fn form_name(content: &Value) -> Option<String> {
    let content = content.as_object()?.values().next()?;
    Some(last(&content["schema"]).to_owned()).filter(|name| !name.is_empty())
}

/// The name that something refers to.
fn last(value: &Value) -> &str {
    value["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()).unwrap_or_default()
}

fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or(reference).to_owned();
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["allOf"].as_array()) {
        return choices.iter().map(kind).filter(|kind| kind != "null").collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("\"{}\"", text(value))).collect::<Vec<_>>().join(" | ");
    }
    let names: Vec<String> = match &schema["type"] {
        Value::Array(names) => names.iter().map(text).collect(),
        name => vec![text(name)],
    };
    let name = names.join(" or ");
    if name.starts_with("array") { format!("list of {}", kind(&schema["items"])) } else { name }
}

fn forms(document: &Value) -> Vec<Form> {
    let schemas = document["components"]["schemas"].as_object();
    schemas
        .into_iter()
        .flatten()
        .map(|(name, schema)| Form {
            name: name.clone(),
            description: text(&schema["description"]),
            fields: fields(schema),
        })
        .collect()
}

fn fields(schema: &Value) -> Vec<Field> {
    let mut all: Vec<Field> = schema["allOf"].as_array().into_iter().flatten().flat_map(fields).collect();
    if all.is_empty() && schema["properties"].is_null() && !schema["enum"].is_null() {
        all.push(Field {
            name: String::new(),
            kind: kind(schema),
            required: true,
            description: String::new(),
        });
    }
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        all.push(Field {
            name: name.clone(),
            kind: kind(property),
            required: required.contains(&name.as_str()),
            description: text(&property["description"]),
        });
    }
    all
}
