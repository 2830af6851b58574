//! `GET` and `POST /orgs/{namespace}/usage`: how the skills of a namespace are used, and what is told of it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::Namespace;
use skillery_core::api::{MAX_K, NamespaceInsight, NamespaceInsightRequest, Unit};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::insight::{CHOICES, Usage};
use super::super::{notice, show};
use super::namespace::Head;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::call::Call;
use crate::insight::{self, Only, SkillInsight, Span};
use crate::text::invalid;

/// Skills of which more is told than how often they were installed.
const SKILLS: usize = 10;

#[derive(Template)]
#[template(path = "pages/desk/insight.html")]
struct InsightPage {
    frame: Frame,
    head: Head,
    usage: Usage,
    /// Days of which the skills are.
    days: &'static str,
    skills: Vec<SkillInsight>,
    settings: NamespaceInsight,
    /// The least and the most that may be withheld below.
    bounds: (u32, u32),
    tried: Tried,
}

impl InsightPage {
    /// Whether the box is ticked that lets its skills count on leaderboards.
    fn counts(&self) -> bool {
        self.tried.chose("told", "leaderboards", "yes", self.settings.leaderboards)
    }
}

/// How its skills are used.
pub async fn show(call: &Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let (choice, span) = Usage::span(call)?;
    let usage = (choice, span, Only::of(call)?);
    render(&call.app, &call.caller, frame, namespace, usage, (Tried::default(), StatusCode::OK)).await
}

async fn render(
    app: &App,
    caller: &Caller,
    frame: Frame,
    namespace: &Namespace,
    (choice, span, only): (&'static super::super::insight::Choice, Span, Only),
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let head = Head::of(app, caller, namespace, "insight").await?;
    let installs = insight::of_namespace(app, caller, namespace, span, only).await?;
    let sees_few = insight::sees_few(caller, namespace);
    let usage = Usage::new(choice, format!("{}/usage", head.path()), installs, sees_few);
    let by_day = &CHOICES[0];
    let listed = match choice.by {
        Unit::Day if usage.installs.program.is_none() => usage.installs.skills.clone(),
        _ => insight::of_namespace(app, caller, namespace, by_day.span(app), Only::default()).await?.skills,
    };
    let skills = insight::of_skills(app, caller, listed.into_iter().take(SKILLS)).await?;
    let template = InsightPage {
        frame: frame.titled(format!("Insight into {namespace}")).part("orgs"),
        settings: insight::settings_of(app, caller, namespace).await?,
        bounds: (app.settings.insight.k, MAX_K),
        days: by_day.what,
        head,
        usage,
        skills,
        tried,
    };
    with_status(status, &template)
}

/// Sets what is told.
pub async fn change(call: Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let form = Form::read(call).await?;
    if form.text("action") != "told" {
        return Err(form::unknown());
    }
    let (app, caller) = (&form.app, &form.caller);
    let outcome = match request(&form) {
        Ok(request) => insight::set_settings(app, caller, namespace, request).await.map(drop),
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(()) => Ok(see_other(&notice::with(&format!("/orgs/{namespace}/usage"), "saved"))),
        Err(failure) => {
            let shown = Tried::new(&form, failure, "k")?;
            let choice = &CHOICES[0];
            render(app, caller, frame, namespace, (choice, choice.span(app), Only::default()), shown).await
        }
    }
}

fn request(form: &Form) -> Result<NamespaceInsightRequest> {
    let k = form.filled("k").map(|k| k.parse::<u32>()).transpose();
    let k = k.map_err(|_| invalid("k", "the number of users is no whole number"))?;
    Ok(NamespaceInsightRequest { k, leaderboards: form.is_ticked("leaderboards") })
}
