//! What is said of two versions, what they ask for and what is found in them, where that differs.

use std::collections::{BTreeMap, BTreeSet};

use skillery_core::api::{DependencyDiff, FieldDiff, PermissionDiff, VersionFinding};
use skillery_core::bundle::{SKILL_FILE, skill_name};
use skillery_core::hidden::visible;
use skillery_core::lint::{Strictness, lint};
use skillery_core::script::{Asked, asked};
use skillery_core::{Dependencies, SkillId, SkillKind, SkillMd};

use super::Side;
use crate::draft::texts_of;
use crate::skill::stored_limits;

/// What is found in a version, judged as leniently as what is published may be: nothing is an error that was let in.
pub fn findings(id: &SkillId, side: &Side) -> Vec<VersionFinding> {
    let name = match side.row.kind {
        SkillKind::Function => skill_name(id),
        SkillKind::Folder => id.name().to_owned(),
    };
    let found = lint(&side.files, Some(&name), Strictness::Lenient, &stored_limits());
    found.findings.into_iter().map(VersionFinding::from).collect()
}

/// What is found in the newer version and was not in the older one, wherever in its file it stood.
pub fn new_findings(before: Vec<VersionFinding>, mut after: Vec<VersionFinding>) -> Vec<VersionFinding> {
    let mut known: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    let key =
        |finding: &VersionFinding| (finding.rule.clone(), finding.path.clone(), finding.message.clone());
    for finding in &before {
        *known.entry(key(finding)).or_default() += 1;
    }
    after.retain(|finding| match known.get_mut(&key(finding)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    after
}

/// What is said of the versions and differs.
pub fn fields(from: Option<&Side>, to: &Side) -> Vec<FieldDiff> {
    let said = |side: &Side| -> Vec<(&'static str, Option<String>)> {
        let row = &side.row;
        let shown = |text: &str| Some(visible(text).0.into_owned()).filter(|text| !text.is_empty());
        vec![
            ("kind", shown(row.kind.as_str())),
            ("description", shown(&row.description)),
            ("license", shown(&row.license)),
            ("author", shown(&row.author)),
            ("tags", shown(&row.tags.join(", "))),
            ("homepage", row.homepage.as_deref().and_then(shown)),
            ("repository", row.repository.as_deref().and_then(shown)),
        ]
    };
    let before = from.map(said).unwrap_or_default();
    let mut before = before.into_iter().map(|(_, value)| value);
    let differs = said(to).into_iter().map(|(field, after)| (field, before.next().flatten(), after));
    let differs = differs.filter(|(_, before, after)| before != after);
    differs.map(|(field, before, after)| FieldDiff { field: field.to_owned(), before, after }).collect()
}

/// Skills that are needed, where that differs.
pub fn dependencies(id: &SkillId, from: Option<&Side>, to: &Side) -> Vec<DependencyDiff> {
    let needed = |side: &Side| match &side.row.dependencies {
        Some(told) => told.clone(),
        None => texts_of(&Dependencies::declared(side.row.kind, id, &side.files)),
    };
    let (before, after) = (from.map(needed).unwrap_or_default(), needed(to));
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differs = ids.into_iter().filter(|id| before.get(*id) != after.get(*id));
    let of = |id: &String| DependencyDiff {
        id: id.clone(),
        before: before.get(id).cloned(),
        after: after.get(id).cloned(),
    };
    differs.map(of).collect()
}

/// What is asked for, by path and kind.
type AskedBy = BTreeMap<(String, &'static str), BTreeSet<String>>;

/// What is asked for, where that differs.
pub fn permissions(from: Option<&Side>, to: &Side) -> Vec<PermissionDiff> {
    let (before, after) = (from.map(asked_by).unwrap_or_default(), asked_by(to));
    let places: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let nothing = BTreeSet::new();
    let mut differs = Vec::new();
    for place in places {
        let (old, new) = (before.get(place).unwrap_or(&nothing), after.get(place).unwrap_or(&nothing));
        let (added, removed): (Vec<_>, Vec<_>) =
            (new.difference(old).cloned().collect(), old.difference(new).cloned().collect());
        if !added.is_empty() || !removed.is_empty() {
            let (path, permission) = (place.0.clone(), place.1.to_owned());
            differs.push(PermissionDiff { path, permission, added, removed });
        }
    }
    differs
}

fn asked_by(side: &Side) -> AskedBy {
    let skill_file = side.files.iter().find(|file| file.path == SKILL_FILE);
    let told = skill_file.and_then(|file| SkillMd::read(&file.bytes, Strictness::Lenient).0);
    let tools = told.and_then(|told| told.allowed_tools);
    let mut by = AskedBy::new();
    for Asked { path, permission, value } in asked(&side.files, tools.as_deref()) {
        by.entry((path, permission)).or_default().insert(visible(&value).0.into_owned());
    }
    by
}
