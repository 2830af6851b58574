//! Scopes of discovery: what stands before `/.well-known/` in an address, and what it means.
//!
//! A path may mean several things. They are tried in a fixed order, and the first skill that the caller sees decides, so that
//! nobody takes a name over by publishing below it.

use percent_encoding::percent_decode_str;
use skillery_core::{Namespace, SkillId, Version, VersionRequest, bundle};

use crate::access::Caller;
use crate::app::App;
use crate::catalog::{self, Offer};
use crate::failure::Result;

/// What a path may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// One skill: its latest version, or exactly one.
    Skill(SkillId, VersionRequest),
    /// All skills of a namespace.
    Namespace(Namespace),
}

/// What a scope holds.
pub(super) enum Scope {
    /// One version of a skill.
    Skill {
        /// The version.
        offer: Box<Offer>,
        /// Whether the path means this skill whatever else there will be: nothing that is tried before it can come to be.
        is_lasting: bool,
    },
    /// The skills of a namespace, if there are any.
    Namespace(Namespace),
}

/// The segments of a path, each decoded; none where one has a slash in it, is empty, or is not UTF-8.
pub(super) fn segments(path: &str) -> Option<Vec<String>> {
    let decode = |segment: &str| {
        let text = percent_decode_str(segment).decode_utf8().ok()?;
        (!text.is_empty() && !text.contains('/')).then(|| text.into_owned())
    };
    path.split('/').map(decode).collect()
}

/// What the segments of a scope may mean, in the order in which it is tried.
pub(super) fn meanings(segments: &[String]) -> Vec<Meaning> {
    let Some((last, before)) = segments.split_last() else { return Vec::new() };
    let skill = |id: &str, request| id.parse().ok().map(|id| Meaning::Skill(id, request));
    let below = |name: &str| [before.join("/").as_str(), name].join("/").trim_start_matches('/').to_owned();
    let whole = segments.join("/");
    let found = match last.split_once('@') {
        Some((head, tail)) => {
            let id = below(head);
            let pinned = tail.parse().ok().and_then(|version| skill(&id, VersionRequest::Exact(version)));
            // What `skills find` prints is `<source>@<name>`, and people paste it.
            let is_named = |id: &SkillId| bundle::skill_name(id) == tail || id.name() == tail;
            let named = id.parse().ok().filter(is_named).map(|id| Meaning::Skill(id, VersionRequest::Latest));
            [pinned, named, skill(&format!("{id}/{tail}"), VersionRequest::Latest)]
        }
        None => {
            let version = last.parse::<Version>().ok();
            let pinned = version.and_then(|version| skill(&before.join("/"), VersionRequest::Exact(version)));
            [pinned, skill(&whole, VersionRequest::Latest), whole.parse().ok().map(Meaning::Namespace)]
        }
    };
    found.into_iter().flatten().collect()
}

/// What the scope holds for this caller, if it may mean anything. `wanted` is the version that is asked for in a scope that
/// does not name one: the latest when left out.
pub(super) async fn resolve(
    app: &App,
    caller: &Caller,
    segments: &[String],
    wanted: Option<&Version>,
) -> Result<Option<Scope>> {
    for (place, meaning) in meanings(segments).into_iter().enumerate() {
        let (id, request) = match meaning {
            Meaning::Namespace(namespace) => return Ok(Some(Scope::Namespace(namespace))),
            Meaning::Skill(id, request) => (id, request),
        };
        let request = match (request, wanted) {
            (VersionRequest::Latest, Some(wanted)) => VersionRequest::Exact(wanted.clone()),
            (request, _) => request,
        };
        if let Some(offer) = catalog::one_if_seen(app, caller, &id, &request).await? {
            return Ok(Some(Scope::Skill { offer: Box::new(offer), is_lasting: place == 0 }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str) -> Vec<String> {
        let Some(segments) = segments(path) else { return vec!["nothing".to_owned()] };
        let text = |meaning| match meaning {
            Meaning::Skill(id, VersionRequest::Exact(version)) => format!("skill {id} {version}"),
            Meaning::Skill(id, _) => format!("skill {id}"),
            Meaning::Namespace(namespace) => format!("namespace {namespace}"),
        };
        meanings(&segments).into_iter().map(text).collect()
    }

    #[test]
    fn paths_mean_what_they_should_in_order() {
        for (path, wanted) in [
            ("acme", &["namespace acme"][..]),
            ("acme/tool", &["skill acme/tool", "namespace acme/tool"]),
            (
                "acme/tool/1.0.0",
                &["skill acme/tool 1.0.0", "skill acme/tool/1.0.0", "namespace acme/tool/1.0.0"],
            ),
            ("acme/tool@1.0.0", &["skill acme/tool 1.0.0", "skill acme/tool/1.0.0"]),
            ("acme/tool%401.0.0-rc.1%2Bx", &["skill acme/tool 1.0.0-rc.1+x"]),
            ("acme@tool", &["skill acme/tool"]),
            ("acme%40tool", &["skill acme/tool"]),
            ("acme/tool@tool", &["skill acme/tool", "skill acme/tool/tool"]),
            ("acme/my_tool@my-tool", &["skill acme/my_tool", "skill acme/my_tool/my-tool"]),
            ("acme/email@tool", &["skill acme/email/tool"]),
            ("acme@1.0.0", &["skill acme/1.0.0"]),
            ("1.0.0", &["namespace 1.0.0"]),
            ("acme%2Ftool", &["nothing"]),
            ("acme//tool", &["nothing"]),
            ("", &["nothing"]),
            ("acme/%FF", &["nothing"]),
            ("acme/..", &[]),
            ("acme/%2e%2e", &[]),
            ("api/v1", &[]),
            ("acme@tool@tool", &[]),
            ("acme/install", &[]),
        ] {
            assert_eq!(shown(path), wanted, "{path}");
        }
    }
}
