//! `GET /{id}/badge/{kind}.svg`: a fact about a skill as a small picture.

use askama::Template;
use axum::response::Response;
use bytes::Bytes;
use skillery_core::api::Record;
use skillery_core::{Digest, ProblemCode, SkillId, Visibility};

use super::feed;
use super::show::count;
use crate::failure::{Failure, Result};
use crate::http::call::Call;
use crate::http::etag::Tagged;
use crate::{insight, skill};

/// A picture of one fact.
pub const BADGE: &str = "/{id}/badge/{kind}";

/// What a badge shows.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The latest version.
    Version,
    /// The mean of its ratings.
    Rating,
    /// Downloads.
    Installs,
    /// The licence.
    License,
    /// How sound it is.
    Health,
}

const KINDS: [(&str, Kind); 5] = [
    ("version.svg", Kind::Version),
    ("rating.svg", Kind::Rating),
    ("installs.svg", Kind::Installs),
    ("license.svg", Kind::License),
    ("health.svg", Kind::Health),
];

/// Points from which on a version looks sound.
const GOOD: u32 = 70;
/// Characters of a message.
const LONGEST: usize = 40;

const BLUE: &str = "#1f6fb2";
const GREEN: &str = "#2a7d3b";
const AMBER: &str = "#a05a00";
const GREY: &str = "#6b7078";

#[derive(Template)]
#[template(path = "feeds/badge.svg")]
struct Badge {
    label: &'static str,
    message: String,
    colour: &'static str,
    left: usize,
    right: usize,
}

impl Badge {
    fn new(label: &'static str, message: String, colour: &'static str) -> Self {
        Self { left: width(label), right: width(&message), label, message, colour }
    }

    fn width(&self) -> usize {
        self.left + self.right
    }
}

/// About how wide a text is in Verdana of 11 pixels, with its margins. The text is fitted to it, whatever the font.
fn width(text: &str) -> usize {
    let tenths = |character: char| match character {
        'i' | 'j' | 'l' | '.' | ',' | '\'' | '|' | '!' | ' ' | ':' => 39,
        'f' | 'r' | 't' | '-' | '(' | ')' | '/' => 48,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 100,
        'A'..='Z' => 76,
        character if character.is_ascii() => 68,
        _ => 110,
    };
    12 + text.chars().map(tenths).sum::<usize>().div_ceil(10)
}

/// The picture.
pub async fn show(call: &Call, id: &SkillId, name: &str) -> Result<Response> {
    let (_, kind) = KINDS.into_iter().find(|(known, _)| *known == name).ok_or_else(|| no_badge(name))?;
    let row = skill::find(&call.app, &call.caller, id).await?;
    let loaded = skill::load(&call.app, &call.caller, &row.id).await?;
    let record = loaded.record.as_ref().map(|record| serde_json::from_slice::<Record>(record));
    let record = record.transpose().map_err(Failure::internal)?;
    let badge = match (kind, record) {
        (_, None) => Badge::new("skill", "no release yet".to_owned(), GREY),
        (Kind::Version, Some(record)) => {
            Badge::new("skill", format!("v{}", shortened(&record.version)), BLUE)
        }
        (Kind::Rating, Some(record)) if record.rating_count == 0 => {
            Badge::new("rating", "none yet".to_owned(), GREY)
        }
        (Kind::Rating, Some(record)) => {
            let colour = if record.rating >= 4.0 { GREEN } else { AMBER };
            Badge::new("rating", format!("{:.1}/5 ({})", record.rating, count(record.rating_count)), colour)
        }
        (Kind::Installs, Some(record)) => Badge::new("installs", count(record.install_count), BLUE),
        (Kind::License, Some(record)) if record.license.is_empty() => {
            Badge::new("license", "not told".to_owned(), GREY)
        }
        (Kind::License, Some(record)) => Badge::new("license", shortened(&record.license), BLUE),
        (Kind::Health, Some(record)) => {
            let version = record.version.parse().map_err(Failure::internal)?;
            let found = insight::health(&call.app, &call.caller, &row.id, &version).await;
            match skill::while_readable(&row.id, &version, found)?.map(|found| found.health) {
                Some(health) => {
                    let colour = if health.points >= GOOD { GREEN } else { AMBER };
                    Badge::new("health", format!("{}/{}", health.points, health.most), colour)
                }
                None => Badge::new("health", "unknown".to_owned(), GREY),
            }
        }
    };
    let text = Bytes::from(badge.render().map_err(Failure::internal)?);
    let is_for_all = row.visibility == Visibility::Public && call.app.settings.anonymous_reads;
    let tagged = Tagged::new(call, &Digest::of(&text));
    let answer = tagged.answer(text, "image/svg+xml", Some(feed::cache(is_for_all)));
    Ok(feed::by_cookie(answer, is_for_all))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn no_badge(name: &str) -> Failure {
    let kinds = KINDS.map(|(name, _)| format!("`{name}`"));
    let detail = format!("there is no badge `{}`, but {}", name.escape_debug(), kinds.join(", "));
    Failure::new(ProblemCode::RouteNotFound, detail)
}
