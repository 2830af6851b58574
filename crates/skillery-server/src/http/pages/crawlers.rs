//! `GET /robots.txt`, `/sitemap.xml` and `/llms.txt`: what programs read that look at all of a site.

use askama::Template;
use axum::response::Response;
use bytes::Bytes;
use skillery_core::Digest;

use crate::db::listing;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, invalid_parameter, text};
use crate::http::etag::Tagged;

/// What programs may look at.
pub const ROBOTS: &str = "/robots.txt";
/// Where all pages of skills are.
pub const SITEMAP: &str = "/sitemap.xml";
/// What the registry is, for language models.
pub const LLMS: &str = "/llms.txt";

/// Skills in one map. It may have 50,000 addresses, and so may the list of maps; with these each is made soon, and there is room for
/// 50 million skills.
const SKILLS: i64 = 1_000;
const CACHE: &str = "public, max-age=3600";

/// What programs may look at: skills where everybody may read, and never what asks for a search, for some
/// figures of many, or for somebody's account.
pub fn robots(call: &Call) -> Result<Response> {
    if !call.app.settings.anonymous_reads {
        return Ok(text("User-agent: *\nDisallow: /\n".to_owned(), CACHE));
    }
    let rules = "User-agent: *\nDisallow: /search\nDisallow: /login\nDisallow: /account\nDisallow: /admin\n\
                 Disallow: /api/\nDisallow: /log/\nDisallow: /*/diff\nDisallow: /*/usage?\n";
    Ok(text(format!("{rules}\nSitemap: {}/sitemap.xml\n", call.base()?), CACHE))
}

struct Place {
    address: String,
    changed: Option<String>,
}

#[derive(Template)]
#[template(path = "feeds/sitemap.xml")]
struct Sitemap {
    places: Vec<Place>,
}

#[derive(Template)]
#[template(path = "feeds/sitemaps.xml")]
struct Sitemaps {
    addresses: Vec<String>,
}

/// The pages of public skills; where there are many, the maps that have them: `page` is one, of so many numbers of skills.
pub async fn sitemap(call: &Call) -> Result<Response> {
    let base = call.base()?;
    let is_open = call.app.settings.anonymous_reads;
    let last = if is_open { listing::last_public(&call.app.db).await? } else { 0 };
    let pages = last / SKILLS + 1;
    let asked = call.parsed::<i64>("page")?;
    if asked.is_some_and(|page| page < 0 || page >= pages) {
        return Err(invalid_parameter("page", &format!("the maps are 0 to {}", pages - 1)));
    }
    let text = match asked.or((pages == 1).then_some(0)) {
        Some(page) => {
            let begin = page * SKILLS;
            let skills = match is_open {
                true => listing::public_between(&call.app.db, begin, begin + SKILLS).await?,
                false => Vec::new(),
            };
            let home = (page == 0 && is_open).then(|| Place { address: format!("{base}/"), changed: None });
            let skill = |(id, updated_at): (skillery_core::SkillId, skillery_core::time::Time)| Place {
                address: format!("{base}/{id}"),
                changed: Some(updated_at.to_string()),
            };
            Sitemap { places: home.into_iter().chain(skills.into_iter().map(skill)).collect() }.render()
        }
        None => {
            let addresses = (0..pages).map(|page| format!("{base}/sitemap.xml?page={page}")).collect();
            Sitemaps { addresses }.render()
        }
    };
    let text = Bytes::from(text.map_err(Failure::internal)?);
    let tagged = Tagged::new(call, &Digest::of(&text));
    Ok(tagged.answer(text, "application/xml; charset=utf-8", Some(CACHE)))
}

#[derive(Template)]
#[template(path = "feeds/llms.txt", escape = "none")]
struct Llms {
    base: String,
    is_open: bool,
}

/// What language models need to know to use the registry, in the form of llmstxt.org.
pub fn llms(call: &Call) -> Result<Response> {
    let page = Llms { base: call.base()?, is_open: call.app.settings.anonymous_reads };
    Ok(text(page.render().map_err(Failure::internal)?, CACHE))
}
