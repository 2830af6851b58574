//! `GET /{id}/dependencies`: what a skill needs, and what needs it, as lists and as a picture.

use askama::Template;
use axum::response::Response;
use skillery_core::api::Record;
use skillery_core::{SkillId, Sort, Version, VersionRequest};

use super::frame::{Frame, page};
use super::graph::{Graph, Node};
use super::search::{found, records};
use super::skill::Header;
use super::{place, show};
use crate::db::skills::SkillRow;
use crate::db::versions::{self, VersionRow};
use crate::failure::Result;
use crate::http::call::Call;
use crate::search::SearchQuery;
use crate::skill;

/// What needs what.
pub const DEPENDENCIES: &str = "/{id}/dependencies";

/// Skills that need it, on a page.
const ROWS: usize = 20;
/// Skills in one layer of the picture.
const IN_LAYER: usize = 10;
/// Skills that are looked up for one page.
const LOOKED_UP: usize = 60;

/// A skill that another one needs.
struct Need {
    id: String,
    /// The versions that will do.
    wanted: String,
    /// The one that would be taken now, where the viewer sees one.
    version: Option<Version>,
    description: String,
    /// What it needs itself.
    needs: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "pages/dependencies.html")]
struct DependenciesPage {
    frame: Frame,
    header: Header,
    version: Option<Version>,
    /// None: nobody has looked for it.
    needs: Option<Vec<Need>>,
    needed_by: Vec<Record>,
    total: usize,
    picture: Option<String>,
    previous: Option<String>,
    next: Option<String>,
}

/// What the latest version needs, and the skills whose latest version needs it.
pub async fn show(call: &Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let rows = call.page()?;
    let app = &call.app;
    let skill = skill::find(app, &call.caller, id).await?;
    let row = match &skill.latest {
        Some(latest) => versions::find(app.db.reader(), &skill.id.key(), latest).await?,
        None => None,
    };
    let needs = match row.as_ref().and_then(|row| row.dependencies.as_ref()) {
        Some(told) => Some(looked_up(call, told.iter()).await?),
        None => None,
    };
    let query = SearchQuery {
        words: String::new(),
        max_words: 0,
        tags: Vec::new(),
        namespace: None,
        publisher: None,
        needs: Some(skill.id.clone()),
        min_rating: None,
        sort: Sort::Installs,
        limit: rows.limit.min(ROWS),
        offset: rows.offset,
        caller: call.caller.clone(),
    };
    let found = found(call, &query).await?;
    let needed_by = records(call, &found).await?;
    let picture = picture(&skill, needs.as_deref().unwrap_or_default(), &needed_by, found.total);
    let address = |offset: usize| format!("/{}/dependencies?offset={offset}", skill.id);
    let end = query.offset + query.limit;
    page(&DependenciesPage {
        frame: frame.titled(format!("Dependencies of {}", skill.id)).part("skill"),
        header: Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "dependencies"),
        version: skill.latest.clone(),
        needs,
        needed_by,
        total: found.total,
        picture,
        previous: (query.offset > 0).then(|| address(query.offset.saturating_sub(query.limit))),
        next: (end < found.total && end <= app.settings.limits.page_offset).then(|| address(end)),
    })
}

async fn looked_up(call: &Call, told: impl Iterator<Item = (&String, &String)>) -> Result<Vec<Need>> {
    let mut needs = Vec::new();
    for (number, (id, wanted)) in told.enumerate() {
        let found = if number < LOOKED_UP { best(call, id, wanted).await? } else { None };
        let (version, description, inner) = match found {
            Some(row) => (Some(row.version), row.description, row.dependencies.unwrap_or_default()),
            None => (None, String::new(), Default::default()),
        };
        let inner = inner.into_iter().collect();
        needs.push(Need { id: id.clone(), wanted: wanted.clone(), version, description, needs: inner });
    }
    Ok(needs)
}

/// The version that would be taken, if the viewer sees the skill and it has one.
async fn best(call: &Call, id: &str, wanted: &str) -> Result<Option<VersionRow>> {
    let (Ok(id), Ok(wanted)) = (id.parse::<SkillId>(), wanted.parse::<VersionRequest>()) else {
        return Ok(None);
    };
    let found = async {
        let skill = skill::find(&call.app, &call.caller, &id).await?;
        let version = skill::choose(&call.app, &skill, &wanted).await?;
        skill::handed_out(&call.app, &call.caller, &skill.id, &version).await
    };
    match found.await {
        Ok((_, row)) => Ok(Some(row)),
        Err(failure) if failure.problem.status < 500 => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// From what needs it to what it needs, and what that needs.
fn picture(skill: &SkillRow, needs: &[Need], needed_by: &[Record], total: usize) -> Option<String> {
    let node = |label: &str, note: String, is_seen: bool| Node {
        label: label.to_owned(),
        note,
        href: is_seen.then(|| format!("/{label}")),
        is_here: false,
    };
    let rest = |number: usize| node(&format!("and {number} more"), String::new(), false);
    let mut left: Vec<Node> = needed_by
        .iter()
        .take(IN_LAYER)
        .map(|record| node(&record.id, record.version.clone(), true))
        .collect();
    if total > left.len() {
        left.push(rest(total - left.len()));
    }
    let here = Node {
        label: skill.id.to_string(),
        note: skill.latest.as_ref().map(ToString::to_string).unwrap_or_default(),
        href: None,
        is_here: true,
    };
    let mut right: Vec<Node> = needs
        .iter()
        .take(IN_LAYER)
        .map(|need| {
            let note = need.version.as_ref().map_or_else(|| need.wanted.clone(), ToString::to_string);
            node(&need.id, note, need.version.is_some())
        })
        .collect();
    let shown = right.len();
    if needs.len() > shown {
        right.push(rest(needs.len() - shown));
    }
    let mut far: Vec<Node> = Vec::new();
    let mut edges: Vec<(usize, usize, usize)> = Vec::new();
    let middle = usize::from(!left.is_empty());
    edges.extend((0..left.len()).map(|from| (0, from, 0)));
    edges.extend((0..right.len()).map(|to| (middle, 0, to)));
    for (from, need) in needs.iter().take(shown).enumerate() {
        for (id, wanted) in &need.needs {
            let known = far.iter().position(|node| node.label == *id);
            let to = match known {
                Some(to) => to,
                None if far.len() < IN_LAYER => {
                    far.push(node(id, wanted.clone(), true));
                    far.len() - 1
                }
                None => continue,
            };
            edges.push((middle + 1, from, to));
        }
    }
    let layers = [left, vec![here], right, far].into_iter().filter(|layer| !layer.is_empty()).collect();
    Graph { layers, edges }.svg(&format!("Which skills need {}, and which it needs", skill.id))
}
