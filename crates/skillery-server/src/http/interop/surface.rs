//! Which surface a request is for, and in what form that surface fails.

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, WWW_AUTHENTICATE};
use axum::response::Response;
use skillery_core::ProblemCode;

use crate::failure::Failure;
use crate::http::call::problem;
use crate::settings::Surfaces;
use crate::text::named;

/// A protocol of others that the registry speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Well-known discovery of Agent Skills, and the search of `skills find`.
    Discovery,
    /// `marketplace.json` of Claude Code.
    Marketplace,
    /// Git smart HTTP, for reading.
    Git,
    /// ClawHub's API.
    Clawhub,
    /// The Model Context Protocol.
    Mcp,
    /// OpenAPM's registry API.
    Openapm,
}

impl Surface {
    /// The surface that has this path, if one does.
    pub fn of(path: &str) -> Option<Self> {
        let path = without_file(path.trim_start_matches('/'));
        let first = path.split('/').next().unwrap_or_default();
        let is_below = |segment: &str| path.split('/').any(|part| part == segment);
        match first {
            "clawhub" => return Some(Self::Clawhub),
            "mcp" => return Some(Self::Mcp),
            "apm" => return Some(Self::Openapm),
            "api" if path == "api/search" => return Some(Self::Discovery),
            "api" if path.starts_with("api/cli/") => return Some(Self::Clawhub),
            "api" | "log" => return None,
            _ => {}
        }
        if matches!(path, ".well-known/clawhub.json" | ".well-known/clawdhub.json") {
            return Some(Self::Clawhub);
        }
        if is_below(".well-known") {
            return Some(Self::Discovery);
        }
        if path.split('/').any(|part| part.len() > 4 && part.ends_with(".git")) {
            return Some(Self::Git);
        }
        path.ends_with("/marketplace.json").then_some(Self::Marketplace)
    }

    /// The way on which a request for this path comes, in one word.
    pub fn via(path: &str) -> &'static str {
        match Self::of(path) {
            Some(Self::Discovery) => "discovery",
            Some(Self::Marketplace) => "marketplace",
            Some(Self::Git) => "git",
            Some(Self::Clawhub) => "clawhub",
            Some(Self::Mcp) => "mcp",
            Some(Self::Openapm) => "openapm",
            None if path.starts_with("/api/") || path.starts_with("/log/") => "api",
            None => "web",
        }
    }

    /// Whether its clients can only send a token as the password of `Basic`.
    pub fn takes_basic(self) -> bool {
        matches!(self, Self::Discovery | Self::Marketplace | Self::Git | Self::Openapm)
    }

    /// Whether the address tells of the registry and not of what is in it, so that callers without a token may ask where
    /// they may look at nothing else.
    pub fn is_open(path: &str) -> bool {
        matches!(path, "/.well-known/clawhub.json" | "/.well-known/clawdhub.json") || Self::signs_in(path)
    }

    /// Whether a file is sent to the address, which may take as long as a bundle.
    pub fn brings_file(path: &str) -> bool {
        path.starts_with("/clawhub/api/v1/uploads/") || path.starts_with("/apm/v1/packages/")
    }

    /// Whether the address makes the registry ask the provider that people sign in at.
    pub fn signs_in(path: &str) -> bool {
        path.starts_with("/api/cli/device/")
    }

    /// The operator has switched it off.
    pub(super) fn switched_off(self) -> Failure {
        Failure::new(ProblemCode::RouteNotFound, "this registry does not offer it")
    }

    /// There is nothing at this path.
    pub(super) fn not_found(self, path: &str) -> Failure {
        let shown = named(path);
        Failure::new(ProblemCode::RouteNotFound, format!("there is nothing at `{shown}`"))
    }

    /// A failure as the clients of this surface read it.
    pub fn problem(self, failure: Failure) -> Response {
        let mut response = match self {
            Self::Clawhub => return super::clawhub::problem(failure),
            Self::Git => super::git::refuse(failure),
            _ => problem(failure),
        };
        // Git asks its user, or its helper, only when it is told what for.
        if self.takes_basic() && response.status() == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"skillery\""));
        }
        response
    }
}

/// The path without what its author called a file of a version, on a page of it: `{id}/versions/{version}/files/{path}`.
fn without_file(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or_default();
    if matches!(first, "api" | "log" | "clawhub" | "mcp" | "apm") {
        return path;
    }
    let mut end = 0;
    let mut words: [&str; 2] = [""; 2];
    for segment in path.split('/') {
        end += segment.len() + 1;
        if words[0] == "versions" && matches!(segment, "files" | "raw") {
            return &path[..end.min(path.len())];
        }
        words = [words[1], segment];
    }
    path
}

impl Surfaces {
    /// Whether the surface is on.
    pub fn has(&self, surface: Surface) -> bool {
        match surface {
            Surface::Discovery => self.discovery,
            Surface::Marketplace => self.marketplace,
            Surface::Git => self.git,
            Surface::Clawhub => self.clawhub,
            Surface::Mcp => self.mcp,
            Surface::Openapm => self.openapm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_belong_to_surfaces() {
        for (path, surface) in [
            ("/api/v1/skills/acme/tool", None),
            ("/log/v1/checkpoint", None),
            ("/docs", None),
            ("/acme/tool", None),
            ("/api/search", Some(Surface::Discovery)),
            ("//api/search", Some(Surface::Discovery)),
            ("/acme/.well-known/agent-skills/index.json", Some(Surface::Discovery)),
            ("/.well-known/agent-skills/index.json", Some(Surface::Discovery)),
            ("/.well-known/clawhub.json", Some(Surface::Clawhub)),
            ("/api/cli/device/code", Some(Surface::Clawhub)),
            ("/clawhub/api/v1/whoami", Some(Surface::Clawhub)),
            ("/acme/all.git/info/refs", Some(Surface::Git)),
            ("/acme~email/tool.git/git-upload-pack", Some(Surface::Git)),
            ("/acme/.git/config", None),
            ("/acme/marketplace.json", Some(Surface::Marketplace)),
            ("/acme/tool/versions/1.0.0/files/.claude-plugin/marketplace.json", None),
            ("/acme/email/tool/versions/1.0.0/raw/.well-known/x", None),
            ("/acme/tool/versions/1.0.0/files/x.git/config", None),
            ("/acme/tool.git/versions/1.0.0/files/x", Some(Surface::Git)),
            ("/.well-known/versions/1/files/x", Some(Surface::Discovery)),
            ("/acme/versions/marketplace.json", Some(Surface::Marketplace)),
            ("/apm/v1/packages/acme/tool/versions/1.0.0/files/x", Some(Surface::Openapm)),
            ("/clawhub/api/v1/skills/tool/versions/1.0.0", Some(Surface::Clawhub)),
            ("/mcp", Some(Surface::Mcp)),
            ("/apm/v1/packages", Some(Surface::Openapm)),
        ] {
            assert_eq!(Surface::of(path), surface, "{path}");
        }
    }
}
