//! `GET` and `POST /orgs/{namespace}/policy`: what is demanded of versions, told in words and changed by a form.
//!
//! Buttons that add a stage, move or remove one, or begin with a preset change the form alone; what was typed comes back with
//! it. A save names the entry of the policy that the form was made from, so that nothing that somebody else has set meanwhile is
//! lost without being seen.

mod history;
mod told;
mod typed;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{GroupSummary, PolicyInForce};
use skillery_core::approval::{Fact, MAX_APPROVALS, MAX_DAYS, MAX_STAGES, Overdue, Preset};
use skillery_core::time::Time;
use skillery_core::{Namespace, ProblemCode, PublishPolicy, Role, Scope};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::pager::fitting_rows;
use super::super::{notice, said, show};
use super::ask;
use super::namespace::Head;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::db::policy_history;
use crate::failure::Result;
use crate::http::api::policy::{self as api, Seen, is_of};
use crate::http::call::{Call, Page};
use crate::text::invalid;
pub use history::show as history;
use told::{Differs, ROLES, Row, differs, rows};
use typed::{BOX, Typed};

/// Bytes of HTML that names of groups take where each stage has them all, and where each is a box: more are offered as they are typed.
const CHOICES: usize = 6_000;
/// What there is at most of policies in force beside the form, and of what one of them says otherwise than another.
const IN_FORCE: usize = 10_000;
const DIFFERS: usize = 3_000;
/// What the form itself takes, and each stage of it, with nothing typed in it; and what is given back at most, which is more than people
/// type.
const FORM: usize = 8_500;
const STAGE: usize = 2_250;
const TYPED: usize = 13_500;
/// What a policy in force takes beside its rows, and beside the three times that it names its namespace.
const AROUND: usize = 230;

/// A policy that is in force, in words.
struct InForce {
    namespace: String,
    /// Whether the viewer is shown a page of it that is another one than this.
    is_linked: bool,
    set_at: Time,
    /// What it says; nothing where there is no room for it.
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "pages/desk/policy.html")]
struct PolicyPage {
    frame: Frame,
    head: Head,
    in_force: Vec<InForce>,
    /// How many more there are.
    more_in_force: usize,
    /// Whether the namespace demands something itself.
    has_own: bool,
    /// The entry of that; empty where it demands nothing.
    seen: String,
    typed: Typed,
    /// Whether what is in the form is not what is in force.
    is_changed: bool,
    /// What a save would change.
    would: Vec<Differs>,
    /// What somebody else has changed meanwhile, from what the form was made from.
    meanwhile: Option<Meanwhile>,
    /// Groups that may be asked for.
    groups: Vec<GroupSummary>,
    /// Whether they are so many that their names are typed, and not chosen.
    are_typed: bool,
    tried: Tried,
    now: Time,
}

/// What somebody else has changed.
struct Meanwhile {
    /// Who.
    by: String,
    /// When; none where the policy was removed long ago.
    at: Time,
    /// What.
    differs: Vec<Differs>,
}

impl PolicyPage {
    /// Whether there is no room for all that is in force.
    fn is_cut(&self) -> bool {
        self.more_in_force > 0 || self.in_force.iter().any(|set| set.rows.is_empty())
    }

    fn roles(&self) -> [Role; 3] {
        ROLES
    }

    fn facts(&self) -> impl Iterator<Item = &'static Fact> {
        Fact::ALL.iter().filter(|fact| **fact != Fact::Patch)
    }

    fn condition(&self, fact: &Fact) -> &'static str {
        show::fact(*fact)
    }

    fn overdues(&self) -> &'static [Overdue] {
        Overdue::ALL
    }

    fn late(&self, overdue: &Overdue) -> &'static str {
        told::overdue(*overdue)
    }

    fn presets(&self) -> Vec<(&'static str, &'static str)> {
        Preset::ALL.iter().map(|preset| (preset.as_str(), preset_words(*preset))).collect()
    }

    fn is_group(&self, name: &str) -> bool {
        self.groups.iter().any(|group| group.group.as_str() == name)
    }

    fn why(&self, name: &str) -> Option<&str> {
        self.tried.wrong(name)
    }

    fn why_of(&self, place: impl show::Count, name: &str) -> Option<&str> {
        self.tried.wrong(&format!("stage-{}-{name}", place.number()))
    }

    fn most(&self) -> (u32, usize, u32) {
        (MAX_APPROVALS, MAX_STAGES, MAX_DAYS)
    }
}

fn preset_words(preset: Preset) -> &'static str {
    match preset {
        Preset::Solo => "one author: nobody waits, everything is signed",
        Preset::Team => "a team that trusts its builds: one reviewer, patches and trusted builds pass",
        Preset::Regulated => {
            "who answers to an auditor: review, security, release; signed, looked at again each year"
        }
        Preset::Open => "many contributors: one reviewer for first versions, new permissions and warnings",
    }
}

/// What is demanded of versions that are published there.
pub async fn show(call: &Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    render(&call.app, &call.caller, frame, namespace, Shown::default()).await
}

/// What is shown besides what is in force.
struct Shown {
    /// What was typed, and the entry of the policy that the form was made from.
    typed: Option<(Typed, Option<u64>)>,
    /// What is wrong with it.
    tried: Tried,
    status: StatusCode,
    /// Whether somebody else has saved something meanwhile.
    is_stale: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Self { typed: None, tried: Tried::default(), status: StatusCode::OK, is_stale: false }
    }
}

async fn render(
    app: &App,
    caller: &Caller,
    frame: Frame,
    namespace: &Namespace,
    shown: Shown,
) -> Result<Response> {
    let head = Head::of(app, caller, namespace, "policy").await?;
    let response = api::of_namespace(app, caller, namespace).await?;
    let own = api::own(&response.policies, namespace);
    let own_policy = own.map(|set| set.policy.clone());
    let now_seen = own.map(|set| set.log_index);
    let usual = || Typed::of(own_policy.as_ref().unwrap_or(&PublishPolicy::LEAST));
    let Shown { typed, tried, status, is_stale } = shown;
    let is_changed = typed.is_some();
    let (typed, seen) = typed.unwrap_or_else(|| (usual(), now_seen));
    let meanwhile = match is_stale {
        true => Some(meanwhile(app, caller, namespace, own_policy.as_ref(), seen).await?),
        false => None,
    };
    // Who was told of it saves over it knowingly.
    let seen = if is_stale { now_seen } else { seen };
    let groups: Vec<GroupSummary> =
        response.groups.iter().filter(|group| is_of(&group.namespace, namespace)).cloned().collect();
    let stages = typed.stages.len();
    let are_typed = are_typed(&groups, stages);
    // What is typed comes first, and what it is chosen from; what is told has the room that they leave.
    let offered = offered(&groups, stages, are_typed);
    let form = FORM + STAGE * stages + offered + typed.weight() + show::weight(tried.reason());
    let mut room = said::ROOM.saturating_sub(form);
    let mut fit = |differs: Vec<Differs>| {
        let differs = fitting(differs, room.min(DIFFERS));
        room = room.saturating_sub(differs.iter().map(Differs::weight).sum());
        differs
    };
    let meanwhile = meanwhile.map(|told| Meanwhile { differs: fit(told.differs), ..told });
    let would = match typed.policy() {
        Ok(policy) if is_changed => fit(differs(own_policy.as_ref(), Some(&policy))),
        _ => Vec::new(),
    };
    let room = if head.is_admin { room.min(IN_FORCE) } else { said::ROOM };
    let (in_force, more_in_force) = in_force(&response.policies, namespace, caller, room);
    let template = PolicyPage {
        frame: frame.titled(format!("Policy of {namespace}")).part("orgs"),
        in_force,
        more_in_force,
        has_own: own.is_some(),
        seen: seen.map_or_else(String::new, |seen| seen.to_string()),
        are_typed,
        groups,
        now: app.environment.now(),
        head,
        typed,
        is_changed,
        would,
        meanwhile,
        tried,
    };
    with_status(status, &template)
}

/// Whether groups are so many that a form with so many stages has no room to choose among them.
fn are_typed(groups: &[GroupSummary], stages: usize) -> bool {
    let names: usize = groups.iter().map(|group| 30 + 2 * group.group.as_str().len()).sum();
    // A box takes more than a choice.
    stages.max(2) * names > CHOICES
}

/// Bytes of HTML of the groups that a form with so many stages offers, at most nearly.
fn offered(groups: &[GroupSummary], stages: usize, are_typed: bool) -> usize {
    let names: usize = groups.iter().map(|group| group.group.as_str().len()).sum();
    match are_typed {
        true => 20 * groups.len() + names,
        // Each in every stage and as a box.
        false => (30 * stages + BOX) * groups.len() + 2 * (stages + 1) * names,
    }
}

/// What is in force, as far as there is room, and how many more there are: what the namespace demands itself comes before what one
/// above does, and that before what those do that are further above.
fn in_force(
    policies: &[PolicyInForce],
    namespace: &Namespace,
    caller: &Caller,
    mut room: usize,
) -> (Vec<InForce>, usize) {
    let mut told: Vec<InForce> = Vec::new();
    let mut is_full = false;
    for set in policies.iter().rev() {
        let is_own = is_of(&set.namespace, namespace);
        let around = if is_own { 0 } else { AROUND + 3 * set.namespace.len() };
        let Some(left) = room.checked_sub(around) else { break };
        let rows = rows(&set.policy);
        let weight: usize = rows.iter().map(|(name, text)| 18 + name.len() + show::weight(text)).sum();
        is_full |= weight > left;
        room = if is_full { left } else { left - weight };
        told.push(InForce {
            is_linked: !is_own && has_page(caller, &set.namespace),
            namespace: set.namespace.clone(),
            set_at: set.set_at,
            rows: if is_full { Vec::new() } else { rows },
        });
    }
    told.reverse();
    let more = policies.len() - told.len();
    (told, more)
}

/// Whether the viewer is shown what is set for a namespace.
fn has_page(caller: &Caller, namespace: &str) -> bool {
    let key = namespace.parse::<Namespace>().map(|namespace| namespace.key());
    let Ok(key) = key else { return false };
    caller.identity().is_some_and(|who| who.role_in(&key).is_some() && who.is_within_bounds(&key))
}

/// As much of what differs as there is room for, and how much more there is.
fn fitting(mut differs: Vec<Differs>, room: usize) -> Vec<Differs> {
    let fits = fitting_rows(differs.iter(), room, Differs::weight);
    let more = differs.len() - fits;
    if more > 0 {
        differs.truncate(fits);
        differs.push(Differs { name: format!("And {more} more"), before: None, after: None });
    }
    differs
}

/// Who has changed the policy since the form was made, and how.
async fn meanwhile(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    now: Option<&PublishPolicy>,
    seen: Option<u64>,
) -> Result<Meanwhile> {
    let newest = Page { limit: 1, offset: 0 };
    let last = api::history_of(app, caller, namespace, newest).await?.changes.pop();
    let before = match seen {
        Some(seen) => policy_history::of_entry(&app.db, namespace, seen).await?,
        None => None,
    };
    let before = before.and_then(|change| change.policy);
    Ok(Meanwhile {
        at: last.as_ref().map_or_else(|| app.environment.now(), |change| change.at),
        by: last.and_then(|change| change.by).unwrap_or_else(|| "Somebody".to_owned()),
        differs: differs(before.as_ref(), now),
    })
}

/// Demands something else, or nothing; or changes the form.
pub async fn change(call: Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let path = format!("/orgs/{namespace}/policy");
    caller.require_role(Scope::Admin, Role::Admin, namespace)?;
    let seen = form.seen()?;
    let action = form.text("action").into_owned();
    if action == "remove" {
        if !ask::is_answered(&form) {
            let question = format!("Let {namespace} demand nothing itself?");
            let text =
                "What waits needs one approval of another person then. What namespaces above demand stays.";
            return ask::ask(frame, &form, question, text, "Demand nothing", &path);
        }
        return match api::drop_own(app, caller, namespace, Seen::Entry(seen)).await {
            Ok(_) => Ok(see_other(&notice::with(&path, "removed"))),
            Err(failure) if failure.code() == ProblemCode::StatusConflict => {
                // What is there now is looked at before it is removed.
                let (tried, status) = Tried::of(&form, failure, "action")?;
                let shown = Shown { tried, status, ..Shown::default() };
                render(app, caller, frame, namespace, shown).await
            }
            Err(failure) => Err(failure),
        };
    }
    let mut typed = Typed::sent(&form);
    if form.is_heavy() || typed.weight() > TYPED {
        // No page has such a form.
        return Err(form::unknown());
    }
    if action == "begin" {
        let preset: Preset = form.text("preset").parse().map_err(|error: String| invalid("preset", error))?;
        typed = Typed::of(&preset.policy());
    }
    if action == "begin" || action == "look" || typed.press(&action) {
        let wrong = match action.as_str() {
            "look" => typed.policy().and_then(|policy| api::check(&policy)).err(),
            _ => None,
        };
        let tried = match wrong {
            Some(failure) => Tried::of(&form, failure, "action")?.0,
            None => Tried::default(),
        };
        let shown = Shown { typed: Some((typed, seen)), tried, ..Shown::default() };
        return render(app, caller, frame, namespace, shown).await;
    }
    let outcome = match typed.policy() {
        _ if action != "set" => Err(form::unknown()),
        Ok(policy) => api::change(app, caller, namespace, policy, Seen::Entry(seen)).await,
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(_) => Ok(see_other(&notice::with(&path, "saved"))),
        Err(failure) => {
            let is_stale = failure.code() == ProblemCode::StatusConflict;
            let (tried, status) = Tried::new(&form, failure, "action")?;
            let shown = Shown { typed: Some((typed, seen)), tried, status, is_stale };
            render(app, caller, frame, namespace, shown).await
        }
    }
}
