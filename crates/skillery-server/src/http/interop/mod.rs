//! What the clients of others ask for, each in its own protocol: one file or folder for each surface.
//!
//! A surface shows what the API shows, to whom the API shows it: `catalog.rs` asks the same questions. `surface.rs` tells
//! by its path which surface a request is for.

mod clawhub;
mod surface;

pub use clawhub::Fingerprints;
pub use surface::Surface;

use super::call::Call;
use super::router::{Answered, Who};
use skillery_core::Scope::{Admin, Publish, Rate};

/// Method, path and who may, of what the clients of others call. These protocols are not ours, and so not in the OpenAPI
/// document.
pub const ROUTES: &[(&str, &str, Who)] = &[
    ("get", "/.well-known/clawhub.json", Who::Anyone),
    ("get", "/.well-known/clawdhub.json", Who::Anyone),
    ("post", "/api/cli/device/code", Who::Bearer),
    ("post", "/api/cli/device/token", Who::Bearer),
    ("post", "/clawhub/api/cli/telemetry/install", Who::SignedIn),
    ("get", "/clawhub/api/v1/whoami", Who::SignedIn),
    ("get", "/clawhub/api/v1/search", Who::Reader),
    ("get", "/clawhub/api/v1/skills", Who::Reader),
    ("post", "/clawhub/api/v1/skills", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/skills/-/upload-url", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/uploads/{upload}", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/skills/-/scan", Who::SignedIn),
    ("get", "/clawhub/api/v1/resolve", Who::Reader),
    ("get", "/clawhub/api/v1/download", Who::Reader),
    ("get", "/clawhub/api/v1/skills/{slug}", Who::Reader),
    ("delete", "/clawhub/api/v1/skills/{slug}", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/skills/{slug}/undelete", Who::Scope(Publish)),
    ("get", "/clawhub/api/v1/skills/{slug}/versions", Who::Reader),
    ("get", "/clawhub/api/v1/skills/{slug}/versions/{version}", Who::Reader),
    ("delete", "/clawhub/api/v1/skills/{slug}/versions/{version}", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/skills/{slug}/versions/{version}/restore", Who::Scope(Publish)),
    ("get", "/clawhub/api/v1/skills/{slug}/file", Who::Reader),
    ("get", "/clawhub/api/v1/skills/{slug}/install", Who::Reader),
    ("get", "/clawhub/api/v1/skills/{slug}/moderation", Who::SignedIn),
    ("get", "/clawhub/api/v1/skills/{slug}/verify", Who::Reader),
    ("post", "/clawhub/api/v1/skills/{slug}/tags/{tag}", Who::Scope(Publish)),
    ("post", "/clawhub/api/v1/skills/{slug}/rename", Who::SignedIn),
    ("post", "/clawhub/api/v1/skills/{slug}/merge", Who::SignedIn),
    ("post", "/clawhub/api/v1/skills/{slug}/transfer", Who::SignedIn),
    ("post", "/clawhub/api/v1/skills/{slug}/transfer/{answer}", Who::SignedIn),
    ("get", "/clawhub/api/v1/transfers/{direction}", Who::SignedIn),
    ("post", "/clawhub/api/v1/stars/{slug}", Who::Scope(Rate)),
    ("delete", "/clawhub/api/v1/stars/{slug}", Who::Scope(Rate)),
    ("post", "/clawhub/api/v1/publishers", Who::Scope(Admin)),
];

/// Answers a call of a surface.
pub async fn dispatch(call: Call, surface: Surface) -> Answered {
    if !call.app.settings.surfaces.has(surface) {
        return ("none", surface.problem(surface.switched_off()));
    }
    match surface {
        Surface::Clawhub => clawhub::dispatch(call).await,
        Surface::Discovery
        | Surface::Marketplace
        | Surface::Git
        | Surface::Mcp
        | Surface::Openapm => ("none", surface.problem(surface.not_found(call.head.uri.path()))),
    }
}
