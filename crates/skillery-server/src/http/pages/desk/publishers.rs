//! `GET` and `POST /orgs/{namespace}/publishers`

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{CreatePublisherRequest, Publisher, PublisherKind, PublishersResponse};
use skillery_core::{Namespace, Role, Scope};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::pager::{Fit, Pager, Pages, first, with_before};
use super::super::{notice, said, show};
use super::ask;
use super::namespace::Head;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::publishers as api;
use crate::http::call::{Call, Page};
use crate::text::invalid;

#[derive(Template)]
#[template(path = "pages/desk/publishers.html")]
struct PublishersPage {
    frame: Frame,
    head: Head,
    publishers: PublishersResponse,
    pager: Pager,
    /// Kinds and issuers that the registry knows.
    issuers: Vec<(PublisherKind, String)>,
    kinds: &'static [PublisherKind],
    tried: Tried,
}

/// Bytes of HTML that a row has without its texts, and a claim without its name and what it must be.
const ROW: usize = 1_000;
const CLAIM: usize = 40;

/// Bytes of HTML that a publisher takes, at most nearly.
fn publisher_weight(publisher: &Publisher) -> usize {
    let claims =
        publisher.claims.iter().map(|(name, value)| CLAIM + show::weight(name) + show::weight(value));
    let texts = [
        &publisher.repository,
        &publisher.repository,
        &publisher.owner_id,
        &publisher.workflow,
        &publisher.environment,
        &publisher.reference,
    ];
    let texts = texts.into_iter().flatten().map(|text| show::weight(text));
    let subject = publisher.claims.get("sub").map_or(0, |subject| show::weight(subject));
    let names = 2 * (publisher.issuer.len() + publisher.user.len() + publisher.namespace.len());
    ROW + claims.sum::<usize>() + texts.sum::<usize>() + subject + names
}

impl PublishersPage {
    /// Whether it is trusted here, and not above.
    fn is_own(&self, namespace: &str) -> bool {
        self.head.namespace.key() == namespace
    }
}

/// The builds that may publish there.
pub async fn show(call: &Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let shown = (Tried::default(), StatusCode::OK);
    list(&call.app, &call.caller, frame, namespace, call.page()?, shown).await
}

async fn list(
    app: &App,
    caller: &Caller,
    frame: Frame,
    namespace: &Namespace,
    rows: Page,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let known = with_before(rows);
    let mut publishers = api::of_namespace(app, caller, namespace, known).await?;
    let room = said::ROOM.saturating_sub(tried.weight());
    let part = (publishers.publishers.as_slice(), known, publishers.total);
    let fit = Fit::of_part(part, rows, room, publisher_weight);
    fit.cut(&mut publishers.publishers);
    let head = Head::of(app, caller, namespace, "publishers").await?;
    let issuers = app.settings.oidc_issuers.iter().map(|issuer| (issuer.kind, issuer.issuer.clone()));
    let template = PublishersPage {
        frame: frame.titled(format!("Publishers of {namespace}")).part("orgs"),
        pager: fit.pager(&Pages::of(app, &format!("{}/publishers", head.path()), &[]), rows.limit),
        head,
        publishers,
        issuers: issuers.collect(),
        kinds: PublisherKind::ALL,
        tried,
    };
    with_status(status, &template)
}

/// Trusts builds, or trusts them no more.
pub async fn change(call: Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let path = format!("/orgs/{namespace}/publishers");
    if form.text("action") == "remove" {
        if !ask::is_answered(&form) {
            caller.require_role(Scope::Admin, Role::Admin, namespace)?;
            let text = "What they have published stays. Tokens that they have are refused at once.";
            let question = "Trust these builds no more?".to_owned();
            return ask::ask(frame, &form, question, text, "Trust them no more", &path);
        }
        api::end(app, caller, namespace, &form.text("publisher")).await?;
        return Ok(see_other(&notice::with(&path, "removed")));
    }
    if form.text("action") != "add" {
        return Err(form::unknown());
    }
    let outcome = match request(&form) {
        Ok(request) => api::add(app, caller, namespace, request).await,
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(_) => Ok(see_other(&notice::with(&path, "saved"))),
        Err(failure) => {
            let shown = Tried::beside(&form, failure, "kind")?;
            list(app, caller, frame, namespace, first(app), shown).await
        }
    }
}

fn request(form: &Form) -> Result<CreatePublisherRequest> {
    let mut claims = BTreeMap::new();
    for line in form.text("claims").lines().filter(|line| !line.trim().is_empty()) {
        let pair =
            line.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        let (name, value) = pair.ok_or_else(|| invalid("claims", "each line is `name = text`"))?;
        if claims.insert(name.clone(), value).is_some() {
            return Err(invalid("claims", format!("`{name}` is there twice")));
        }
    }
    Ok(CreatePublisherRequest {
        kind: form.text("kind").parse().map_err(|error: String| invalid("kind", error))?,
        issuer: form.filled("issuer"),
        repository: form.filled("repository"),
        owner_id: form.filled("owner_id"),
        workflow: form.filled("workflow"),
        environment: form.filled("environment"),
        reference: form.filled("ref"),
        claims,
    })
}
