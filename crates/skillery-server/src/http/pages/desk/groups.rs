//! `GET` and `POST /orgs/{namespace}/policy/groups`: whom stages of a policy may ask.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{GroupRequest, GroupSummary};
use skillery_core::approval::MAX_GROUP_MEMBERS;
use skillery_core::{Namespace, ProblemCode, Role, Scope, Segment};

use super::super::form::Form;
use super::super::frame::{Frame, see_other, with_status};
use super::super::{notice, show};
use super::ask;
use super::namespace::Head;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::groups as api;
use crate::http::api::policy::{self as policy_api, Seen, is_of};
use crate::http::call::Call;
use crate::text::invalid;

#[derive(Template)]
#[template(path = "pages/desk/groups.html")]
struct GroupsPage {
    frame: Frame,
    head: Head,
    own: Vec<GroupSummary>,
    above: Vec<GroupSummary>,
    /// Names of groups that the policy of the namespace asks for.
    asked: Vec<String>,
    most: usize,
    tried: Tried,
}

impl GroupsPage {
    fn is_asked(&self, group: &GroupSummary) -> bool {
        self.asked.iter().any(|name| name == group.group.as_str())
    }

    /// The form of a group is known by its name.
    fn is_tried(&self, group: &GroupSummary) -> bool {
        self.tried.is("set") && self.tried.sent("group") == group.group.as_str()
    }

    fn names(&self, group: &GroupSummary) -> String {
        match self.is_tried(group) {
            true => self.tried.sent("users").to_owned(),
            false => group.users.join("\n"),
        }
    }

    /// Whether what was refused is about a group that is not there.
    fn is_new(&self) -> bool {
        self.tried.is("add") || (self.tried.is("set") && !self.own.iter().any(|group| self.is_tried(group)))
    }
}

/// The groups of a namespace, and of those above it.
pub async fn show(call: &Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    render(&call.app, &call.caller, frame, namespace, (Tried::default(), StatusCode::OK)).await
}

async fn render(
    app: &App,
    caller: &Caller,
    frame: Frame,
    namespace: &Namespace,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let head = Head::of(app, caller, namespace, "policy").await?;
    let response = policy_api::of_namespace(app, caller, namespace).await?;
    let policy = response.policies.iter().find(|set| is_of(&set.namespace, namespace));
    let asked = policy.map(|set| set.policy.groups().map(ToString::to_string).collect());
    let (own, above) = response.groups.into_iter().partition(|group| is_of(&group.namespace, namespace));
    let template = GroupsPage {
        frame: frame.titled(format!("Groups of {namespace}")).part("orgs"),
        head,
        own,
        above,
        asked: asked.unwrap_or_default(),
        most: MAX_GROUP_MEMBERS,
        tried,
    };
    with_status(status, &template)
}

/// Sets who is in a group, or removes one.
pub async fn change(call: Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let path = format!("/orgs/{namespace}/policy/groups");
    caller.require_role(Scope::Admin, Role::Admin, namespace)?;
    let name = form.text("group").trim().to_owned();
    let outcome = match &*form.text("action") {
        "remove" => {
            if !ask::is_answered(&form) {
                let question = format!("Remove the group {name} of {namespace}?");
                let text = "Approvals that name it count no more for its stages.";
                return ask::ask(frame, &form, question, text, "Remove it", &path);
            }
            match name.parse::<Segment>() {
                Ok(group) => api::drop_own(app, caller, namespace, group).await.map(|()| "removed"),
                Err(error) => Err(error.into()),
            }
        }
        _ => set(&form, namespace, &name).await.map(|()| "saved"),
    };
    match outcome {
        Ok(word) => Ok(see_other(&notice::with(&path, word))),
        Err(failure) if failure.code() == ProblemCode::UserNotFound => {
            let shown = Tried::of(&form, failure, "users");
            render(app, caller, frame, namespace, shown).await
        }
        Err(failure) => {
            let shown = Tried::new(&form, failure, "group")?;
            render(app, caller, frame, namespace, shown).await
        }
    }
}

async fn set(form: &Form, namespace: &Namespace, name: &str) -> Result<()> {
    let group =
        name.parse().map_err(|error: skillery_core::id::IdError| invalid("group", error.to_string()))?;
    // A group that is new must not be there; one that is changed must be as it was looked at.
    let seen = match form.filled("seen") {
        None => None,
        Some(text) => {
            Some(text.parse::<u64>().map_err(|_| invalid("group", "the form is none of this page"))?)
        }
    };
    let users = form.text("users");
    let users = users.split(|sign: char| sign.is_whitespace() || sign == ',').filter(|name| !name.is_empty());
    let request = GroupRequest { users: users.map(str::to_owned).collect() };
    api::put(&form.app, &form.caller, namespace, group, request, Seen::Entry(seen)).await.map(drop)
}
