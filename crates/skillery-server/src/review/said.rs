//! What is said of two versions, what they ask for and what is found in them, where that differs.

use std::collections::{BTreeMap, BTreeSet};

use skillery_core::api::{DependencyDiff, FieldDiff, PermissionDiff, VersionFinding};
use skillery_core::bundle::{SKILL_FILE, skill_name};
use skillery_core::hidden::visible;
use skillery_core::lint::{Strictness, lint};
use skillery_core::script::{Manifest, Permissions};
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
pub fn new_findings(id: &SkillId, from: Option<&Side>, to: &Side) -> Vec<VersionFinding> {
    let mut known: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    let key =
        |finding: &VersionFinding| (finding.rule.clone(), finding.path.clone(), finding.message.clone());
    for finding in from.map(|side| findings(id, side)).unwrap_or_default() {
        *known.entry(key(&finding)).or_default() += 1;
    }
    let is_new = |finding: &VersionFinding| match known.get_mut(&key(finding)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    let mut found = findings(id, to);
    let mut is_new = is_new;
    found.retain(|finding| is_new(finding));
    found
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

/// What files ask for, by path and kind.
type Asked = BTreeMap<(String, &'static str), BTreeSet<String>>;

/// What is asked for, where that differs.
pub fn permissions(from: Option<&Side>, to: &Side) -> Vec<PermissionDiff> {
    let (before, after) = (from.map(asked).unwrap_or_default(), asked(to));
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

fn asked(side: &Side) -> Asked {
    let mut asked = Asked::new();
    let mut ask = |path: &str, kind: &'static str, values: Vec<String>| {
        let shown = values.into_iter().map(|value| visible(&value).0.into_owned());
        let shown: BTreeSet<String> = shown.collect();
        if !shown.is_empty() {
            asked.insert((path.to_owned(), kind), shown);
        }
    };
    for file in &side.files {
        if file.path == SKILL_FILE {
            let tools = SkillMd::read(&file.bytes, Strictness::Lenient).0.and_then(|read| read.allowed_tools);
            ask(&file.path, "allowed-tools", tools.into_iter().collect());
        }
        // Whatever is called: the block is in Python's files.
        let Some(code) = file.path.ends_with(".py").then(|| super::text_of(&file.bytes)).flatten() else {
            continue;
        };
        if !code.contains("/// ") {
            continue;
        }
        match Manifest::find(code) {
            Ok(None) => {}
            Ok(Some(manifest)) => {
                for (kind, values) in entries(manifest) {
                    ask(&file.path, kind, values);
                }
            }
            Err(error) => ask(&file.path, "unreadable", vec![error.to_string()]),
        }
    }
    asked
}

fn entries(manifest: Manifest) -> Vec<(&'static str, Vec<String>)> {
    let Permissions { read, write, hosts, environment, subprocess, memory_bytes, seconds, packages, .. } =
        manifest.permissions;
    let paths =
        |paths: Vec<std::path::PathBuf>| paths.iter().map(|path| path.display().to_string()).collect();
    let number = |number: Option<u64>| number.iter().map(u64::to_string).collect();
    vec![
        ("read", paths(read)),
        ("write", paths(write)),
        ("hosts", hosts),
        ("environment", environment),
        ("subprocess", subprocess.then(|| "yes".to_owned()).into_iter().collect()),
        ("memory_bytes", number(memory_bytes)),
        ("seconds", number(seconds)),
        ("packages", packages),
        ("skills", manifest.skills),
    ]
}
