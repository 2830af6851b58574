//! `GET /download`: the bundle, as it is stored.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, HeaderValue, VARY, WARNING,
};
use axum::response::Response;
use skillery_core::{ProblemCode, VersionRequest, VersionStatus};

use super::names::{find, slug_of};
use super::{Result, show};
use crate::catalog::{self, Offer};
use crate::failure::Failure;
use crate::http::call::{Call, invalid_parameter};
use crate::http::etag;
use crate::text::named;

/// Hands out a version. Whoever has it already is told so.
pub async fn download(call: &Call) -> Result<Response> {
    let slug = call.parameter("slug").ok_or_else(|| invalid_parameter("slug", "it is missing"))?;
    let owner = call.parameter("ownerHandle");
    let request = show::request(call.parameter("version").as_deref().unwrap_or("latest"))?;
    let skill = find(&call.app, &call.caller, &super::base(call), &slug, owner.as_deref()).await?;
    let offer = catalog::one(&call.app, &call.caller, &skill.id, &request).await?;
    let tag = format!("\"{}\"", offer.row.digest);
    let has_it = etag::is_known(&call.head.headers, &tag);
    let mut response = match has_it {
        true => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        false => Response::new(Body::from(offer.bundle(&call.app).await?)),
    };
    // A bare name is the only one of its name now; with an owner and a version the bytes are always these. A store on the way
    // may keep what everybody may have.
    let has_owner = owner.is_some_and(|owner| !owner.trim().is_empty());
    let is_lasting = has_owner
        && matches!(request, VersionRequest::Exact(_))
        && offer.row.status == VersionStatus::Published;
    put_headers(call, &mut response, &offer, is_lasting, &tag)?;
    if !call.is_head() && !has_it {
        catalog::note_install(&call.app, &call.caller, &offer.id, &offer.row.version);
    }
    Ok(response)
}

fn put_headers(
    call: &Call,
    response: &mut Response,
    offer: &Offer,
    is_lasting: bool,
    tag: &str,
) -> Result<()> {
    let text = |text: String| HeaderValue::from_str(&text).map_err(Failure::internal);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(ETAG, text(tag.to_owned())?);
    let file = format!("{}-{}.zip", slug_of(&offer.id), offer.row.version);
    headers.insert(CONTENT_DISPOSITION, text(format!("attachment; filename=\"{file}\""))?);
    if offer.row.status == VersionStatus::Yanked {
        headers.insert(
            WARNING,
            text(format!("299 skillery \"{} {} was yanked\"", offer.id, offer.row.version))?,
        );
    }
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static(match is_lasting {
            true => etag::immutable(call, offer.visibility),
            false => "private, no-cache",
        }),
    );
    headers.insert(VARY, HeaderValue::from_static("authorization"));
    Ok(())
}

/// The program asks for what it read as the latest a moment ago; what is no version is said to be none.
pub fn bad_version(text: &str) -> Failure {
    let shown = named(text);
    Failure::new(ProblemCode::InvalidVersion, format!("`{shown}` is no version"))
}
