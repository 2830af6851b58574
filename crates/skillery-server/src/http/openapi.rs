//! The OpenAPI document, made from the code.

use std::sync::OnceLock;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::openapi_problems::Problems;
use super::{api, docs, ops};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Skillery",
        description = "A registry for the skills of AI agents. Every answer that is no success is `application/problem+json`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        api::search::search,
        api::search::facets,
        api::publish::publish,
        api::show::show,
        api::download::download,
        api::install::show,
        api::versions::list,
        api::versions::show,
        api::bundle::bundle,
        api::bundle::file,
        api::status::yank,
        api::status::unyank,
        api::status::quarantine,
        api::status::release,
        api::visibility::set,
        api::rate::rate,
        api::rate::unrate,
        api::ratings::ratings,
        api::comments::list,
        api::comments::post,
        api::comments::edit,
        api::comments::delete,
        api::comments::hide,
        api::comments::unhide,
        api::comments::texts,
        api::answers::set,
        api::answers::remove,
        api::answers::hide,
        api::answers::unhide,
        api::reports::create,
        api::reports::list,
        api::reports::resolve,
        api::reports::reopen,
        api::usage::report,
        api::usage::show,
        api::insight::installs::show,
        api::insight::adoption::show,
        api::insight::of_namespace::show,
        api::insight::settings::show,
        api::insight::settings::set,
        api::insight::leaderboard::show,
        api::insight::settings::listed,
        api::insight::settings::set_listed,
        api::insight::dependencies::show,
        api::insight::dependents::show,
        api::insight::health::show,
        api::whoami::whoami,
        api::tokens::list,
        api::tokens::create,
        api::tokens::revoke,
        api::login_links::create,
        api::users::list,
        api::users::create,
        api::users::update,
        api::subject::link,
        api::oidc::show,
        api::oidc::exchange,
        api::oidc::start_login,
        api::oidc::poll_login,
        api::orgs::list,
        api::orgs::create,
        api::orgs::show,
        api::orgs::namespaces,
        api::members::list,
        api::members::set,
        api::members::remove,
        api::policy::show,
        api::policy::set,
        api::policy::remove,
        api::policy::history,
        api::groups::set,
        api::groups::remove,
        api::approvals::pending,
        api::approvals::show,
        api::approvals::decide_about,
        api::approvals::reviews,
        api::approvals::break_glass,
        api::review::list,
        api::review::say,
        api::review::patch,
        api::review::hide,
        api::review::changelog,
        api::diff::show,
        api::diff::findings,
        api::publishers::list,
        api::publishers::create,
        api::publishers::remove,
        api::signing_secret::set,
        api::signing_secret::remove,
        api::keys::challenge,
        api::keys::enrol,
        api::keys::list,
        api::keys::revoke,
        api::keys::allowed_signers,
        api::signatures::list,
        api::signatures::statement,
        api::signatures::signature,
        api::signatures::sign,
        api::audit::list,
        api::audit::show,
        api::installs::list,
        api::jobs::show,
        api::settings::show,
        api::notifications::list,
        api::notifications::read,
        api::notifications::preferences,
        api::notifications::set_preferences,
        api::notifications::email,
        api::notifications::set_email,
        api::notifications::confirm_email,
        api::notifications::remove_email,
        api::notifications::ask_unsubscribe,
        api::notifications::unsubscribe,
        api::webhooks::list,
        api::webhooks::create,
        api::webhooks::update,
        api::webhooks::remove,
        api::webhooks::test,
        api::webhooks::deliveries,
        api::webhooks::redeliver,
        api::log::list,
        api::tlog::key,
        api::tlog::openings,
        api::tlog::witnessed,
        api::tlog::of_skill,
        api::tlog::proof,
        api::tlog::checkpoint,
        api::tlog::tile,
        ops::healthz,
        ops::readyz,
        ops::metrics,
        docs::openapi,
        docs::api,
        docs::errors,
    ),
    modifiers(&Tokens, &Problems, &Parts),
)]
struct Document;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of this registry, `sky_…`"))
            .build();
        document
            .components
            .get_or_insert_with(Default::default)
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// What is a part of something larger may stand beside other fields there, although alone it has no others.
struct Parts;

impl Modify for Parts {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let Some(components) = &mut document.components else { return };
        let parts: Vec<String> = components
            .schemas
            .values()
            .filter_map(|schema| match schema {
                RefOr::T(Schema::AllOf(whole)) => Some(&whole.items),
                _ => None,
            })
            .flatten()
            .filter_map(|part| match part {
                RefOr::Ref(part) => part.ref_location.rsplit('/').next().map(str::to_owned),
                RefOr::T(_) => None,
            })
            .collect();
        for part in parts {
            if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(&part) {
                object.additional_properties = None;
            }
        }
    }
}

/// The document as JSON text, made once.
pub fn document() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(openapi_json)
}

/// The document as JSON text, with two blanks for each level.
pub fn openapi_json() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default() + "\n"
}
