//! `GET /{id}/dependencies`: what a skill needs, and what needs it, as lists and as a picture.

use std::collections::HashSet;

use askama::Template;
use axum::response::Response;
use skillery_core::api::{Dependency, Dependent, DependentsResponse, Needed, USUAL_DAYS, Wanted};
use skillery_core::{SkillId, Version, VersionRequest};

use super::frame::{Frame, page};
use super::graph::{Graph, Node};
use super::pager::{Fit, Pager, Pages, fitting_rows, with_before};
use super::skill::Header;
use super::{said, show};
use crate::db::skills::SkillRow;
use crate::failure::Result;
use crate::http::call::{Call, Page};
use crate::insight;
use crate::skill;

/// What needs what.
pub const DEPENDENCIES: &str = "/{id}/dependencies";

/// Skills that need it, on a page.
const ROWS: usize = 20;
/// Skills that it needs, on a page; the API has all of them.
const NEEDS: usize = 100;
/// Skills in one layer of the picture.
const IN_LAYER: usize = 10;
/// Skills in one row of either list, of those by which it is needed, or that it needs.
const IN_ROW: usize = 20;
/// Bytes of HTML around the names in a row of either list, and around each of those by which it is needed, or that it needs.
const ROW: usize = 280;
const NEED: usize = 50;

#[derive(Template)]
#[template(path = "pages/dependencies.html")]
struct DependenciesPage {
    frame: Frame,
    header: Header,
    version: Option<Version>,
    needs: Vec<Dependency>,
    /// Which of these have a page for the viewer, whether a version of them fits or not.
    seen: HashSet<String>,
    /// Skills that it needs and that are not listed.
    more_needs: u64,
    /// Whether it is known of all of these versions what they need.
    complete: bool,
    needed_by: DependentsResponse,
    days: u32,
    picture: Option<String>,
    pager: Pager,
}

impl DependenciesPage {
    fn is_seen(&self, id: &SkillId) -> bool {
        self.seen.contains(id.as_str())
    }

    /// Those by which it is needed, as far as its row shows them.
    fn wanted<'row>(&self, need: &'row Dependency) -> &'row [Wanted] {
        few(&need.wanted)
    }

    /// How many there are besides those.
    fn more_wanted(&self, need: &Dependency) -> usize {
        need.wanted.len().saturating_sub(IN_ROW)
    }

    /// Those that it needs, as far as its row shows them.
    fn needed<'row>(&self, dependent: &'row Dependent) -> &'row [Needed] {
        few(&dependent.needs)
    }

    /// How many there are besides those.
    fn more_needed(&self, dependent: &Dependent) -> usize {
        dependent.needs.len().saturating_sub(IN_ROW)
    }
}

/// What the latest version needs, and the skills whose latest version needs it.
pub async fn show(call: &Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let rows = call.page()?;
    let (app, caller) = (&call.app, &call.caller);
    let skill = skill::find(app, caller, id).await?;
    let (needs, total, complete) = match &skill.latest {
        Some(latest) => {
            let (request, first) = (VersionRequest::Exact(latest.clone()), Page { limit: NEEDS, offset: 0 });
            let told = insight::dependencies(app, caller, &skill.id, &request, None, first).await?;
            (told.dependencies, told.total, told.complete)
        }
        None => (Vec::new(), 0, true),
    };
    let rows = Page { limit: rows.limit.min(ROWS), offset: rows.offset };
    let known = with_before(rows);
    let mut needed_by = insight::dependents(app, caller, &skill.id, None, None, known).await?;
    for dependent in &mut needed_by.dependents {
        // That it needs this skill is not among what a row leaves out.
        dependent.needs.sort_by_key(|needed| needed.id != skill.id.as_str());
    }
    let ids: Vec<&str> = needs.iter().map(|need| need.id.as_str()).collect();
    let seen = skill::with_page(app, caller, &ids).await?;
    let path = format!("/{}/dependencies", skill.id);
    let of = |asked: Page, room: usize| Shown::of(&needs, (&needed_by, known), asked, room);
    // Those that the list has no room for belong there, too.
    let direct = needs.iter().filter(|need| need.depth == 1).count();
    let draw = |shown: &Shown| picture(&skill, (&shown.needs, direct), &shown.needed_by, &seen);
    // With the picture on it, the first page has less room than others, and those near it lead back to where it ends.
    let first = (known.offset == 0).then(|| {
        let asked = Page { offset: 0, ..rows };
        let weight = draw(&of(asked, said::ROOM)).map_or(0, |picture| picture.len());
        of(asked, said::ROOM.saturating_sub(weight))
    });
    let (shown, picture) = match first {
        Some(first) if rows.offset == 0 => {
            // It shows what the lists have, and is no heavier with fewer.
            let picture = draw(&first);
            (first, picture)
        }
        first => {
            let mut shown = of(rows, said::ROOM);
            if let Some(first) = first {
                shown.fit = shown.fit.behind(&first.fit);
            }
            // On later pages, the picture would show other skills on its left.
            (shown, None)
        }
    };
    let Shown { needs, needed_by, fit } = shown;
    let pager = fit.pager(&Pages::of(app, &path, &[]).at_most(ROWS), rows.limit);
    page(&DependenciesPage {
        frame: frame.titled(format!("Dependencies of {}", skill.id)).part("skill"),
        header: Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "dependencies"),
        version: skill.latest.clone(),
        more_needs: total - needs.len() as u64,
        needs,
        seen,
        complete,
        needed_by,
        days: USUAL_DAYS,
        picture,
        pager,
    })
}

/// As many of both as a page has room for.
struct Shown {
    needs: Vec<Dependency>,
    needed_by: DependentsResponse,
    fit: Fit,
}

impl Shown {
    /// As many as so many bytes of HTML have room for. What needs the skill goes on at the next page and has half of the room at most;
    /// all that it needs the API has.
    fn of(
        needs: &[Dependency],
        (needed_by, known): (&DependentsResponse, Page),
        asked: Page,
        room: usize,
    ) -> Self {
        let part = (needed_by.dependents.as_slice(), known, needed_by.total);
        let fit = Fit::of_part(part, asked, room / 2, dependent_weight);
        let mut needed_by = needed_by.clone();
        fit.cut(&mut needed_by.dependents);
        let taken = needed_by.dependents.iter().map(dependent_weight).sum::<usize>();
        let fits = fitting_rows(needs.iter(), room.saturating_sub(taken), need_weight);
        Self { needs: needs[..fits].to_vec(), needed_by, fit }
    }
}

/// Bytes of HTML that a skill takes that this one needs, at most nearly.
fn need_weight(need: &Dependency) -> usize {
    let version = need.version.as_ref().map_or(0, |version| version.to_string().len());
    let wanted = few(&need.wanted).iter();
    let wanted = wanted.map(|wanted| NEED + wanted.by.len() + show::weight(&wanted.range));
    ROW + 3 * need.id.as_str().len() + 2 * version + wanted.sum::<usize>()
}

/// The same of a skill that needs it.
fn dependent_weight(dependent: &Dependent) -> usize {
    let needs = few(&dependent.needs).iter();
    let needs = needs.map(|needed| NEED + needed.id.len() + show::weight(&needed.range));
    ROW + 2 * dependent.id.as_str().len() + dependent.version.to_string().len() + needs.sum::<usize>()
}

/// As many of these as a row shows.
fn few<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(IN_ROW)]
}

fn node(id: &SkillId, note: String, is_seen: bool) -> Node {
    Node { label: id.to_string(), note, href: is_seen.then(|| format!("/{id}")), is_here: false }
}

/// Stands for those of a layer that have no room; `all` belong there.
fn with_rest(mut layer: Vec<Node>, all: usize) -> Vec<Node> {
    if all > layer.len() {
        let label = format!("and {} more", all - layer.len());
        layer.push(Node { label, note: String::new(), href: None, is_here: false });
    }
    layer
}

fn needed(dependency: &Dependency, seen: &HashSet<String>) -> Node {
    let range = dependency.wanted.first().map(|wanted| wanted.range.clone()).unwrap_or_default();
    let note = dependency.version.as_ref().map_or(range, ToString::to_string);
    node(&dependency.id, note, seen.contains(dependency.id.as_str()))
}

/// From what needs it to what it needs, and what that needs; of those that it needs directly, these may not be all.
fn picture(
    skill: &SkillRow,
    (needs, direct_needs): (&[Dependency], usize),
    needed_by: &DependentsResponse,
    seen: &HashSet<String>,
) -> Option<String> {
    let needed = |dependency: &Dependency| needed(dependency, seen);
    let direct: Vec<&Dependent> =
        needed_by.dependents.iter().filter(|dependent| dependent.depth == 1).take(IN_LAYER).collect();
    let left = direct.iter().map(|dependent| node(&dependent.id, dependent.version.to_string(), true));
    let left = with_rest(left.collect(), usize::try_from(needed_by.direct).unwrap_or(usize::MAX));
    let here = Node {
        label: skill.id.to_string(),
        note: skill.latest.as_ref().map(ToString::to_string).unwrap_or_default(),
        href: None,
        is_here: true,
    };
    let at = |depth: u32| needs.iter().filter(move |dependency| dependency.depth == depth);
    let right: Vec<Node> = at(1).take(IN_LAYER).map(&needed).collect();
    let far: Vec<&Dependency> = at(2)
        .filter(|dependency| dependency.wanted.iter().any(|wanted| has(&right, &wanted.by).is_some()))
        .take(IN_LAYER)
        .collect();
    let middle = usize::from(!left.is_empty());
    let mut edges: Vec<(usize, usize, usize)> = (0..left.len()).map(|from| (0, from, 0)).collect();
    for (to, dependency) in far.iter().enumerate() {
        let from = dependency.wanted.iter().filter_map(|wanted| has(&right, &wanted.by));
        edges.extend(from.map(|from| (middle + 1, from, to)));
    }
    let right = with_rest(right, direct_needs);
    edges.extend((0..right.len()).map(|to| (middle, 0, to)));
    let far = far.into_iter().map(needed).collect();
    let layers = [left, vec![here], right, far].into_iter().filter(|layer| !layer.is_empty()).collect();
    Graph { layers, edges }.svg(&format!("Which skills need {}, and which it needs", skill.id))
}

fn has(layer: &[Node], label: &str) -> Option<usize> {
    layer.iter().position(|node| node.label == label)
}
