//! The few files that pages need besides themselves. Their addresses have their digest, so browsers keep them.

use std::sync::LazyLock;

use axum::response::Response;
use bytes::Bytes;
use skillery_core::{Digest, ProblemCode};

use crate::failure::{Failure, Result};
use crate::http::call::plain;

/// Where they are.
pub const ASSET: &str = "/assets/{file}";

const KEPT: &str = "public, max-age=31536000, immutable";

struct Asset {
    address: String,
    content_type: &'static str,
    bytes: &'static [u8],
}

fn asset(name: &str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let digest = Digest::of(bytes).to_string();
    Asset { address: format!("/assets/{}-{name}", &digest[..16]), content_type, bytes }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    asset("style.css", "text/css; charset=utf-8", include_bytes!("../../../assets/style.css"))
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    asset("app.js", "text/javascript; charset=utf-8", include_bytes!("../../../assets/app.js"))
});
static MARK: LazyLock<Asset> =
    LazyLock::new(|| asset("mark.svg", "image/svg+xml", include_bytes!("../../../assets/mark.svg")));

/// The same picture on its ground, 512 pixels each way, for those who show links and draw no SVG.
static CARD: LazyLock<Asset> =
    LazyLock::new(|| asset("mark.png", "image/png", include_bytes!("../../../assets/mark.png")));

/// Where the style sheet is.
pub fn style() -> &'static str {
    &STYLE.address
}

/// Where the script is.
pub fn script() -> &'static str {
    &SCRIPT.address
}

/// Where the picture is that stands for the registry.
pub fn mark() -> &'static str {
    &MARK.address
}

/// Where the picture is that others show beside links.
pub fn card() -> &'static str {
    &CARD.address
}

/// The file at this address.
pub fn show(path: &str) -> Result<Response> {
    let all = [&STYLE, &SCRIPT, &MARK, &CARD];
    let found = all.into_iter().find(|asset| asset.address == path);
    let found = found.ok_or_else(|| Failure::new(ProblemCode::RouteNotFound, ""))?;
    Ok(plain(Bytes::from_static(found.bytes), found.content_type, KEPT))
}

/// What browsers ask for by themselves.
pub fn favicon() -> Response {
    plain(Bytes::from_static(MARK.bytes), MARK.content_type, "public, max-age=86400")
}
