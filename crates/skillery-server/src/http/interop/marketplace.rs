//! `GET /{namespace}/marketplace.json`: a marketplace of Claude Code, by its address.

use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use skillery_core::{Digest, Namespace, Visibility};
use url::{Host, Url};

use super::discovery::{DESCRIPTION, file_name};
use super::plugins::{self, Plugin, Source};
use super::scope::segments;
use super::{Surface, git_address, not_allowed};
use crate::catalog::{self, Offer};
use crate::failure::{Failure, Result};
use crate::http::call::Call;
use crate::http::etag::Tagged;

pub(super) const MARKETPLACE: &str = "/{namespace}/marketplace.json";

/// The skills of a namespace that the caller sees, as plugins.
pub(super) async fn show(call: &Call) -> Result<Response> {
    let missing = || Surface::Marketplace.not_found(call.head.uri.path());
    if call.method() != Method::GET {
        return Err(not_allowed(MARKETPLACE));
    }
    let path = call.head.uri.path().strip_suffix("/marketplace.json").and_then(|path| path.strip_prefix('/'));
    let namespace = path.and_then(segments).and_then(|segments| segments.join("/").parse::<Namespace>().ok());
    let namespace = namespace.ok_or_else(missing)?;
    let base = call.base()?;
    let takes_archives = takes_archives(&base);
    let make = |name: &str, offer: &Offer| {
        let Some(source) = source(call, &base, takes_archives, name, offer) else { return (None, 0) };
        let version = offer.row.version.to_string();
        let plugin = Plugin::new(name, offer.description(DESCRIPTION), version, source);
        let size = serde_json::to_vec(&plugin).map_or(0, |text| text.len());
        (Some(plugin), size)
    };
    let found = catalog::by_names(&call.app, &call.caller, &namespace, make).await?;
    let plugins: Vec<Plugin> = found.into_values().flatten().collect();
    if plugins.is_empty() {
        return Err(missing());
    }
    let document = plugins::marketplace(&namespace, plugins.into_iter());
    let body = serde_json::to_vec(&document).map_err(Failure::internal)?;
    Ok(Tagged::new(call, &Digest::of(&body)).answer(Bytes::from(body), "application/json", None))
}

/// Where Claude Code gets a skill from: the archive where it would take one and can have it, else the repository. It sends
/// no token for an archive, and asks git's helpers for one.
fn source(call: &Call, base: &str, takes_archives: bool, name: &str, offer: &Offer) -> Option<Source> {
    let settings = &call.app.settings;
    let is_open = offer.visibility == Visibility::Public && settings.anonymous_reads;
    let archive = || {
        let file = file_name(name, &offer.row.version);
        Source::Archive {
            source: "archive",
            url: format!("{base}/{}/.well-known/agent-skills/{file}", offer.id),
            sha256: offer.row.digest.to_string(),
        }
    };
    let git = || Source::Git {
        source: "url",
        url: git_address(base, &offer.id),
        reference: format!("v{}", offer.row.version),
    };
    match (takes_archives && is_open && settings.surfaces.discovery, settings.surfaces.git) {
        (true, _) => Some(archive()),
        (false, true) => Some(git()),
        (false, false) => None,
    }
}

/// Whether Claude Code takes archives from there: from `https` only, and from no address of the machine or its link.
fn takes_archives(base: &str) -> bool {
    let Ok(url) = Url::parse(base) else { return false };
    url.scheme() == "https"
        && match url.host() {
            Some(Host::Domain(name)) => name != "localhost" && !name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => !address.is_loopback() && !address.is_link_local(),
            Some(Host::Ipv6(address)) => !address.is_loopback() && !address.is_unicast_link_local(),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_come_from_other_machines_over_tls() {
        for (base, wanted) in [
            ("https://skills.example", true),
            ("https://10.1.2.3:8443/registry", true),
            ("http://skills.example", false),
            ("https://localhost:8700", false),
            ("https://127.0.0.1", false),
            ("https://169.254.1.1", false),
            ("https://[::1]", false),
            ("https://[fe80::1]", false),
            ("nothing", false),
        ] {
            assert_eq!(takes_archives(base), wanted, "{base}");
        }
    }
}
