//! `GET` and `POST /orgs/{namespace}/policy/groups`: whom stages of a policy may ask.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{GroupRequest, GroupSummary};
use skillery_core::approval::MAX_GROUP_MEMBERS;
use skillery_core::{Namespace, ProblemCode, Role, Scope, Segment};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::review::few;
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
    /// How many groups above there is no room for.
    more_above: usize,
    /// Names of groups that the policy of the namespace asks for.
    asked: Vec<String>,
    /// Names of the groups whose members are shown: as many as there is room for.
    open: Vec<String>,
    most: usize,
    tried: Tried,
    /// Whether somebody else has changed the group that was tried.
    is_stale: bool,
}

/// Bytes of HTML that groups and what was typed take together.
const ROOM: usize = 54_000;
/// What of that members of groups take at most, and groups above.
const MEMBERS: usize = 40_000;
const ABOVE: usize = 12_000;
/// What an open group has around its members, and any group around its names.
const AROUND: usize = 1_600;
const NAMED: usize = 180;
/// What is typed at most: as many names as a group has members, however long they are.
const TYPED: usize = 15_000;

/// What of the groups is shown.
struct Shown {
    /// Names of those that are shown with their members.
    open: Vec<String>,
    /// How many of those above are shown.
    above: usize,
}

/// What there is room for: the wanted group with its members, some of those above, and as many others with their members as fit
/// beside what was typed.
fn shown((own, above): (&[GroupSummary], &[GroupSummary]), wanted: &str, path: &str, typed: usize) -> Shown {
    let named = |group: &GroupSummary| NAMED + path.len() + 3 * group.group.as_str().len();
    let mut room = ROOM.saturating_sub(typed + own.iter().map(named).sum::<usize>());
    let mut shown = Shown { open: Vec::new(), above: 0 };
    let mut room_above = room.min(ABOVE);
    for group in above {
        let cost = named(group) + 2 * group.namespace.len() + few(&group.users).len();
        if cost > room_above {
            break;
        }
        (room_above, room) = (room_above - cost, room - cost);
        shown.above += 1;
    }
    room = room.min(MEMBERS);
    let (first, others): (Vec<_>, Vec<_>) = own.iter().partition(|group| group.group.as_str() == wanted);
    let is_wanted = !first.is_empty();
    for (at, group) in first.into_iter().chain(others).enumerate() {
        let cost = AROUND + group.users.iter().map(|name| name.len() + 2).sum::<usize>();
        // The wanted one is there in any case, and one where nothing was typed.
        let is_needed = at == 0 && (is_wanted || typed == 0);
        if cost > room && !is_needed {
            break;
        }
        room = room.saturating_sub(cost);
        shown.open.push(group.group.to_string());
    }
    shown
}

impl GroupsPage {
    fn is_asked(&self, group: &GroupSummary) -> bool {
        self.asked.iter().any(|name| name == group.group.as_str())
    }

    /// The form of a group is known by its name.
    fn is_tried(&self, group: &GroupSummary) -> bool {
        self.tried.is("set") && self.tried.sent("group") == group.group.as_str()
    }

    fn is_open(&self, group: &GroupSummary) -> bool {
        self.open.iter().any(|name| name == group.group.as_str())
    }

    /// Who is in a group, as far as there is room.
    fn few(&self, group: &GroupSummary) -> String {
        few(&group.users)
    }

    /// Who is in the group by now and is not typed, and who is typed and is not in it: what a save would change.
    fn would(&self, group: &GroupSummary) -> Option<(Vec<String>, Vec<String>)> {
        if !self.is_stale || !self.is_tried(group) {
            return None;
        }
        let typed: Vec<&str> = names(self.tried.sent("users")).collect();
        let is_typed = |name: &&String| typed.iter().any(|typed| typed.eq_ignore_ascii_case(name));
        let out = group.users.iter().filter(|name| !is_typed(name)).cloned().collect();
        let is_in = |typed: &&&str| group.users.iter().any(|name| name.eq_ignore_ascii_case(typed));
        let new = typed.iter().filter(|typed| !is_in(typed)).map(|name| (*name).to_owned()).collect();
        Some((out, new))
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
    let wanted = call.parameter("group").unwrap_or_default();
    render(&call.app, &call.caller, frame, namespace, &wanted, (Tried::default(), StatusCode::OK)).await
}

async fn render(
    app: &App,
    caller: &Caller,
    frame: Frame,
    namespace: &Namespace,
    wanted: &str,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let head = Head::of(app, caller, namespace, "policy").await?;
    let response = policy_api::of_namespace(app, caller, namespace).await?;
    let policy = policy_api::own(&response.policies, namespace);
    let asked = policy.map(|set| set.policy.groups().map(ToString::to_string).collect());
    let (own, mut above): (Vec<GroupSummary>, Vec<GroupSummary>) =
        response.groups.into_iter().partition(|group| is_of(&group.namespace, namespace));
    let is_stale = status == StatusCode::CONFLICT && tried.is("set");
    // Beside what has changed meanwhile, what was typed stands twice.
    let typed = tried.weight() * if is_stale { 2 } else { 1 };
    let shown = shown((&own, &above), wanted, &head.path(), typed);
    let more_above = above.len() - shown.above;
    above.truncate(shown.above);
    let template = GroupsPage {
        frame: frame.titled(format!("Groups of {namespace}")).part("orgs"),
        head,
        open: shown.open,
        is_stale,
        own,
        above,
        more_above,
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
                Ok(group) => {
                    let seen = Seen::Entry(form.seen()?);
                    api::drop_own(app, caller, namespace, group, seen).await.map(|()| "removed")
                }
                Err(error) => Err(error.into()),
            }
        }
        "set" | "add" => set(&form, namespace, &name).await.map(|()| "saved"),
        _ => return Err(form::unknown()),
    };
    match outcome {
        Ok(word) => Ok(see_other(&notice::with(&path, word))),
        Err(failure) if form.weight() > TYPED => Err(failure),
        Err(failure) if failure.code() == ProblemCode::UserNotFound => {
            let shown = Tried::of(&form, failure, "users")?;
            render(app, caller, frame, namespace, &name, shown).await
        }
        Err(failure) => {
            let shown = Tried::new(&form, failure, "group")?;
            render(app, caller, frame, namespace, &name, shown).await
        }
    }
}

async fn set(form: &Form, namespace: &Namespace, name: &str) -> Result<()> {
    let group =
        name.parse().map_err(|error: skillery_core::id::IdError| invalid("group", error.to_string()))?;
    // A group that is new must not be there; one that is changed must be as it was looked at.
    let seen = form.seen()?;
    let request = GroupRequest { users: names(&form.text("users")).map(str::to_owned).collect() };
    api::put(&form.app, &form.caller, namespace, group, request, Seen::Entry(seen)).await.map(drop)
}

/// The names in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| sign.is_whitespace() || sign == ',').filter(|name| !name.is_empty())
}
