//! What the clients of others ask for, each in its own protocol: one file or folder for each surface.
//!
//! A surface shows what the API shows, to whom the API shows it: `catalog.rs` asks the same questions. `surface.rs` tells
//! by its path which surface a request is for.

mod clawhub;
pub(crate) mod discovery;
pub(crate) mod find;
mod git;
mod marketplace;
mod mcp;
mod openapm;
pub(crate) mod plugins;
mod scope;
mod surface;

pub use clawhub::Fingerprints;
#[cfg(test)]
pub use clawhub::ROUTES as CLAWHUB_ROUTES;
pub(crate) use clawhub::slug_of;
#[cfg(test)]
pub use git::SENDING as GIT_SENDING;
pub use git::State as GitState;
pub use surface::Surface;

use skillery_core::{Namespace, Scope, SkillId};

use super::call::Call;
use super::router::{Answered, Who, not_allowed_by};
use crate::failure::Failure;

/// Method, path and who may, of what the clients of others call. These protocols are not ours, and so not in the OpenAPI
/// document.
pub const ROUTES: &[(&str, &str, Who)] = &[
    ("get", discovery::ROOT, Who::Reader),
    ("get", discovery::INDEX, Who::Reader),
    ("get", discovery::ARCHIVE, Who::Reader),
    ("get", discovery::FILE, Who::Reader),
    ("get", find::FIND, Who::Reader),
    ("get", marketplace::MARKETPLACE, Who::Reader),
    ("get", openapm::VERSIONS, Who::Reader),
    ("get", openapm::DOWNLOAD, Who::Reader),
    ("put", openapm::VERSION, Who::Scope(Scope::Publish)),
    ("post", mcp::ALL, Who::Reader),
    ("post", mcp::NAMESPACE, Who::Reader),
    ("get", git::INFO_REFS, Who::Reader),
    ("post", git::UPLOAD_PACK, Who::Reader),
];

/// Answers a call of a surface.
pub async fn dispatch(call: Call, surface: Surface) -> Answered {
    if !call.app.settings.surfaces.has(surface) {
        return ("none", surface.problem(surface.switched_off()));
    }
    let (route, result) = match surface {
        Surface::Git => return git::answer(call).await,
        Surface::Clawhub => return clawhub::dispatch(call).await,
        Surface::Mcp => return mcp::answer(call).await,
        Surface::Openapm => return openapm::answer(call).await,
        Surface::Marketplace => (marketplace::MARKETPLACE, marketplace::show(&call).await),
        Surface::Discovery if call.head.uri.path().ends_with(find::FIND) => {
            (find::FIND, find::find(&call).await)
        }
        Surface::Discovery => discovery::answer(&call).await,
    };
    (route, result.unwrap_or_else(|failure| surface.problem(failure)))
}

/// The route does not take this method.
fn not_allowed(route: &str) -> Failure {
    not_allowed_by(ROUTES, route)
}

/// The address of a skill's repository: two segments, as `npx skills` wants them, with `~` for the slashes of a namespace.
pub(crate) fn git_address(base: &str, id: &SkillId) -> String {
    format!("{base}/{}/{}.git", one_segment(&id.namespace()), id.name())
}

/// A namespace as one segment of an address, or as the name of an owner, who has no slashes.
pub(crate) fn one_segment(namespace: &Namespace) -> String {
    namespace.as_str().replace('/', "~")
}
