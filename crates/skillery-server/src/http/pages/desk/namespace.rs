//! `GET /orgs/{namespace}`, and what stands above its other pages.

use askama::Template;
use axum::response::Response;
use skillery_core::api::NamespaceSummary;
use skillery_core::{Namespace, Role, Scope};

use super::super::frame::{Frame, page};
use super::super::pager::Pager;
use super::super::show;
use crate::access::Caller;
use crate::app::App;
use crate::db::orgs::{self, OrgRow};
use crate::failure::Result;
use crate::http::api::orgs::{below, org_not_found};
use crate::http::call::Call;

/// What stands above every page of a namespace.
pub struct Head {
    /// The namespace.
    pub namespace: Namespace,
    /// What the viewer is there.
    pub role: Role,
    /// Whether the viewer may change things, as far as the token of the session goes.
    pub is_admin: bool,
    /// Whether it is a whole org.
    pub is_org: bool,
    /// Which page is shown.
    pub tab: &'static str,
    /// The org that it is, or is in.
    pub org: OrgRow,
}

impl Head {
    /// For who has a role in the namespace. For others it is not there, as for the API.
    pub async fn of(app: &App, caller: &Caller, namespace: &Namespace, tab: &'static str) -> Result<Self> {
        let identity = caller.require(Scope::Read)?;
        let key = namespace.key();
        let role = identity.role_in(&key).filter(|_| identity.is_within_bounds(&key));
        let role = role.ok_or_else(|| org_not_found(namespace))?;
        let org = orgs::find(app.db.reader(), &namespace.org_key()).await?;
        Ok(Self {
            namespace: namespace.clone(),
            role,
            is_admin: role >= Role::Admin && identity.has(Scope::Admin),
            is_org: namespace.depth() == 1,
            tab,
            org: org.ok_or_else(|| org_not_found(namespace))?,
        })
    }

    /// The path of the namespace's pages.
    pub fn path(&self) -> String {
        format!("/orgs/{}", self.namespace)
    }

    /// The path of the namespace's own page.
    pub fn overview(&self) -> String {
        overview(self.namespace.as_str())
    }

    /// That of one above it.
    pub fn overview_of(&self, namespace: impl AsRef<str>) -> String {
        overview(namespace.as_ref())
    }

    /// Whether the viewer decides about versions here.
    pub fn reviews(&self) -> bool {
        self.role >= Role::Reviewer
    }

    /// The namespaces above it, the outermost first.
    pub fn above(&self) -> Vec<String> {
        let name = self.namespace.as_str();
        name.match_indices('/').map(|(end, _)| name[..end].to_owned()).collect()
    }
}

/// The path of a namespace's own page. Where the last name is a word that stands behind others, a slash tells both apart.
pub fn overview(namespace: &str) -> String {
    let end = if namespace.ends_with("/audit") || namespace.ends_with("/webhooks") { "/" } else { "" };
    format!("/orgs/{namespace}{end}")
}

#[derive(Template)]
#[template(path = "pages/desk/namespace.html")]
struct NamespacePage {
    frame: Frame,
    head: Head,
    /// Namespaces below it.
    below: Vec<NamespaceSummary>,
    pager: Pager,
}

/// What the namespace is, and where its settings are.
pub async fn show(call: &Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let (app, rows) = (&call.app, call.page()?);
    let head = Head::of(app, &call.caller, namespace, "overview").await?;
    let below = below(app, &call.caller, namespace).await?;
    page(&NamespacePage {
        frame: frame.titled(format!("Settings of {namespace}")).part("orgs"),
        pager: Pager::of(app, &head.overview(), &[], rows, below.len() as u64),
        below: below.into_iter().skip(rows.offset).take(rows.limit).collect(),
        head,
    })
}
