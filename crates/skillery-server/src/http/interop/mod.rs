//! What the clients of others ask for, each in its own protocol: one file or folder for each surface.
//!
//! A surface shows what the API shows, to whom the API shows it: `catalog.rs` asks the same questions. `surface.rs` tells
//! by its path which surface a request is for.

mod git;
pub mod plugins;
mod surface;

pub use git::State as GitState;
pub use surface::Surface;

use super::call::Call;
use super::router::{Answered, Who};

/// Method, path and who may, of what the clients of others call. These protocols are not ours, and so not in the OpenAPI
/// document.
pub const ROUTES: &[(&str, &str, Who)] =
    &[("get", git::INFO_REFS, Who::Reader), ("post", git::UPLOAD_PACK, Who::Reader)];

/// Answers a call of a surface.
pub async fn dispatch(call: Call, surface: Surface) -> Answered {
    if !call.app.settings.surfaces.has(surface) {
        return ("none", surface.problem(surface.switched_off()));
    }
    match surface {
        Surface::Git => git::answer(call).await,
        Surface::Discovery | Surface::Marketplace | Surface::Clawhub | Surface::Mcp | Surface::Openapm => {
            ("none", surface.problem(surface.not_found(call.head.uri.path())))
        }
    }
}
