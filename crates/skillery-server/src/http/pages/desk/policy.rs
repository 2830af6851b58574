//! `GET` and `POST /orgs/{namespace}/policy`

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use skillery_core::approval::MAX_APPROVALS;
use skillery_core::{Namespace, PublishPolicy, Role, Scope};

use super::super::form::Form;
use super::super::frame::{Frame, see_other, with_status};
use super::super::notice;
use super::ask;
use super::namespace::Head;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::http::api::policy as api;
use crate::http::call::Call;
use crate::text::invalid;

/// One part of what is demanded: a heading, and what is said below it.
#[derive(Debug, PartialEq, Eq)]
struct Section {
    title: String,
    rows: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "pages/desk/policy.html")]
struct PolicyPage {
    frame: Frame,
    head: Head,
    sections: Vec<Section>,
    /// Whether the namespace demands something itself.
    has_own: bool,
    /// Whether that says more than the form can.
    says_more: bool,
    most: u32,
    roles: [Role; 3],
    tried: Tried,
}

/// What is demanded of versions that are published there.
pub async fn show(call: &Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    list(&call.app, &call.caller, frame, namespace, (Tried::default(), StatusCode::OK)).await
}

async fn list(
    app: &App,
    caller: &Caller,
    frame: Frame,
    namespace: &Namespace,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let head = Head::of(app, caller, namespace, "policy").await?;
    let policy = api::of_namespace(app, caller, namespace).await?;
    let is_own = |name: &str| name.parse::<Namespace>().is_ok_and(|name| name.key() == namespace.key());
    let own = policy.policies.iter().find(|set| is_own(&set.namespace));
    let (has_own, says_more) = (own.is_some(), own.is_some_and(|set| says_more(&set.policy)));
    let mut value = serde_json::to_value(&policy).map_err(Failure::internal)?;
    if let Some(object) = value.as_object_mut() {
        // It stands above the page.
        object.remove("namespace");
    }
    let mut sections = Vec::new();
    tell(&value, "", &mut sections);
    let template = PolicyPage {
        frame: frame.titled(format!("Policy of {namespace}")).part("orgs"),
        head,
        sections,
        has_own,
        says_more,
        most: MAX_APPROVALS,
        roles: [Role::Reviewer, Role::Admin, Role::Owner],
        tried,
    };
    with_status(status, &template)
}

/// Demands something else, or nothing.
pub async fn change(call: Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let path = format!("/orgs/{namespace}/policy");
    if form.text("action") == "remove" {
        if !ask::is_answered(&form) {
            caller.require_role(Scope::Admin, Role::Admin, namespace)?;
            let question = format!("Let {namespace} demand nothing itself?");
            let text =
                "What waits needs one approval of another person then. What namespaces above demand stays.";
            return ask::ask(frame, &form, question, text, "Demand nothing", &path);
        }
        api::drop_own(app, caller, namespace).await?;
        return Ok(see_other(&notice::with(&path, "removed")));
    }
    caller.require_role(Scope::Admin, Role::Admin, namespace)?;
    let outcome = match policy(&form) {
        // What the form does not show is not taken away by it.
        Ok(_) if own(app, caller, namespace).await?.is_some_and(|own| says_more(&own)) => Err(invalid(
            "approvals",
            "the policy says more than this form can; change it with `skillery org policy set`",
        )),
        Ok(policy) => api::change(app, caller, namespace, policy).await,
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(_) => Ok(see_other(&notice::with(&path, "saved"))),
        Err(failure) => {
            let shown = Tried::new(&form, failure, "approvals")?;
            list(app, caller, frame, namespace, shown).await
        }
    }
}

/// What the namespace demands itself.
async fn own(app: &App, caller: &Caller, namespace: &Namespace) -> Result<Option<PublishPolicy>> {
    let policies = api::of_namespace(app, caller, namespace).await?.policies;
    let own = policies
        .into_iter()
        .find(|set| set.namespace.parse::<Namespace>().is_ok_and(|name| name.key() == namespace.key()));
    Ok(own.map(|set| set.policy))
}

/// Whether there is something in the policy that the form does not know.
fn says_more(policy: &PublishPolicy) -> bool {
    let PublishPolicy { approvals, role, signed, .. } = policy;
    let plain =
        PublishPolicy { approvals: *approvals, role: *role, signed: *signed, ..PublishPolicy::default() };
    *policy != plain
}

fn policy(form: &Form) -> Result<PublishPolicy> {
    let approvals = form.text("approvals").trim().parse::<u32>();
    let approvals =
        approvals.map_err(|_| invalid("approvals", "the number of approvals is no whole number"))?;
    let role = form.text("role").parse::<Role>().map_err(|error| invalid("role", error))?;
    // As JSON, as programs send it: what the form does not say is as it is for them.
    let policy = json!({ "approvals": approvals, "role": role, "signed": form.is_ticked("signed") });
    serde_json::from_value(policy).map_err(Failure::internal)
}

/// What an answer of the API says, in sections.
fn tell(value: &Value, title: &str, sections: &mut Vec<Section>) {
    let Value::Object(fields) = value else { return };
    let place = sections.len();
    sections.push(Section { title: title.to_owned(), rows: Vec::new() });
    for (name, value) in fields {
        let name = name.replace('_', " ");
        let below = || if title.is_empty() { name.clone() } else { format!("{title}, {name}") };
        match value {
            Value::Object(_) => tell(value, &below(), sections),
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (number, item) in items.iter().enumerate() {
                    tell(item, &format!("{} {}", below(), number + 1), sections);
                }
            }
            other => sections[place].rows.push((name, said(other))),
        }
    }
    if sections[place].rows.is_empty() {
        sections.remove(place);
    }
}

fn said(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(said).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_policy_says_is_told() {
        let mut sections = Vec::new();
        let value = json!({
            "demanded": { "approvals": 2, "signed": false, "stages": [{ "name": "a", "roles": ["x", "y"] }] },
            "policies": [], "note": null,
        });
        tell(&value, "", &mut sections);
        let told = |title: &str, rows: &[(&str, &str)]| Section {
            title: title.to_owned(),
            rows: rows.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        };
        sections.sort_by(|one, other| one.title.cmp(&other.title));
        sections.iter_mut().for_each(|section| section.rows.sort());
        assert_eq!(
            sections,
            [
                told("", &[("note", "nothing"), ("policies", "none")]),
                told("demanded", &[("approvals", "2"), ("signed", "no")]),
                told("demanded, stages 1", &[("name", "a"), ("roles", "x, y")]),
            ]
        );
    }
}
