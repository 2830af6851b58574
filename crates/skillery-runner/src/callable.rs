//! Which skills a skill may call: those that its own file names, found with all that they call in turn before anything runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use skillery_core::VersionRequest;
use skillery_core::script::Permissions;

use crate::calling::lacks_grant;
use crate::permissions::refusal;
use crate::pins::Found;
use crate::problems::{Problem, ProblemKind};
use crate::skill::{Pinned, SkillName, SkillReference};

/// Skills that the steps of a run may call, directly or through each other.
const MAX_SKILLS: usize = 1_000;

/// Who may call what.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Callable {
    #[serde(serialize_with = "written", deserialize_with = "read")]
    skills: Vec<Arc<Pinned>>,
    by_caller: BTreeMap<String, Vec<Declared>>,
    /// Of each skill among `skills`.
    #[serde(skip)]
    positions: HashMap<String, usize>,
    /// How near to a step each skill was looked at.
    #[serde(skip)]
    depths: HashMap<String, usize>,
}

/// A skill that another one names as one that it calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Declared {
    written: String,
    /// Among `skills`.
    skill: usize,
}

/// Why a skill may not call another one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotCallable {
    /// It is not written as a skill.
    NotASkill(String),
    /// The caller does not name it.
    Undeclared,
    /// The caller names several that it could be.
    Ambiguous,
}

/// A skill of which it is still to be looked what it calls.
struct Waiting {
    skill: Arc<Pinned>,
    /// Through which skills it was found, itself the last.
    way: Vec<String>,
    at: Problem,
}

impl Callable {
    /// Finds everything that these skills may call. With each comes what a problem of it has besides kind and message. A call
    /// that is `depth` deep fails, so nothing is looked for from there on.
    pub(crate) fn extend(
        &mut self,
        steps: Vec<(Problem, Arc<Pinned>)>,
        find: &mut dyn FnMut(&str) -> Found,
        depth: usize,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut waiting: VecDeque<Waiting> =
            steps.into_iter().map(|(at, skill)| Waiting { way: vec![skill.id.clone()], skill, at }).collect();
        while let Some(Waiting { skill, way, at }) = waiting.pop_front() {
            let caller = key(&skill);
            let known = self.depths.get(&caller).is_some_and(|known| *known <= way.len());
            if known || way.len() > depth {
                continue;
            }
            self.depths.insert(caller.clone(), way.len());
            let mut problem = |kind, message| problems.push(Problem { kind, message, ..at.clone() });
            let (mut declared, mut missing) = (Vec::new(), Permissions::default());
            for written in &skill.skills {
                let through = way.join("` -> `");
                let pinned = match find(written) {
                    Ok(pinned) => pinned,
                    Err((kind, why)) => {
                        // What is to be put into the policy stands last, and alone.
                        problem(
                            kind,
                            match why.contains('\n') {
                                true => format!("called through `{through}`: {why}"),
                                false => format!("{why}; it is called through `{through}`"),
                            },
                        );
                        continue;
                    }
                };
                let is_told = missing.skills.contains(&pinned.id);
                if lacks_grant((&skill.id, &skill.grants), (&pinned.id, &pinned.grants)) && !is_told {
                    missing.skills.push(pinned.id.clone());
                }
                let way = way.iter().cloned().chain([pinned.id.clone()]).collect();
                declared.push(Declared { written: written.clone(), skill: self.position(&pinned) });
                waiting.push_back(Waiting { skill: pinned, way, at: at.clone() });
            }
            if missing != Permissions::default() {
                let why = refusal(&skill.id, &skill.granted, &missing);
                problem(ProblemKind::NotGranted, format!("skill `{}`: {why}", skill.id));
            }
            if self.skills.len() > MAX_SKILLS {
                let message =
                    format!("its skills may call more than {MAX_SKILLS} others, counted through each other");
                problem(ProblemKind::SkillCount, message);
                break;
            }
            if !declared.is_empty() {
                self.by_caller.insert(caller, declared);
            }
        }
        problems
    }

    fn position(&mut self, skill: &Arc<Pinned>) -> usize {
        *self.positions.entry(key(skill)).or_insert_with(|| {
            self.skills.push(Arc::clone(skill));
            self.skills.len() - 1
        })
    }

    /// All of them.
    pub(crate) fn skills(&self) -> impl Iterator<Item = &Pinned> {
        self.skills.iter().map(Arc::as_ref)
    }

    /// The skill that the caller means: the one that its file names in these words, or else by the name or id of one that it
    /// names, with the same version behind it or none, and the same script or none.
    pub(crate) fn get(&self, caller: &Pinned, asked: &str) -> Result<&Arc<Pinned>, NotCallable> {
        let reference: SkillReference = asked.parse().map_err(NotCallable::NotASkill)?;
        let declared = self.by_caller.get(&key(caller)).map(Vec::as_slice).unwrap_or_default();
        let is_written = |declared: &&Declared| declared.written.parse().as_ref() == Ok(&reference);
        if let Some(written) = declared.iter().find(is_written) {
            return self.skills.get(written.skill).ok_or(NotCallable::Undeclared);
        }
        let mut fitting: BTreeSet<usize> = declared
            .iter()
            .filter(|declared| self.is_meant(declared, &reference))
            .map(|declared| declared.skill)
            .collect();
        match (fitting.pop_first(), fitting.is_empty()) {
            (Some(position), true) => self.skills.get(position).ok_or(NotCallable::Undeclared),
            (Some(_), false) => Err(NotCallable::Ambiguous),
            (None, _) => Err(NotCallable::Undeclared),
        }
    }

    fn is_meant(&self, declared: &Declared, asked: &SkillReference) -> bool {
        let Some(skill) = self.skills.get(declared.skill) else { return false };
        let is_name = match &asked.name {
            SkillName::Id(id) => fold(id.as_str()) == fold(&skill.id),
            // Of a script, `skill.name` is the script's.
            SkillName::Name(name) => {
                fold(name.as_str()) == fold(skill.id.rsplit('/').next().unwrap_or_default())
            }
        };
        let Ok(written) = declared.written.parse::<SkillReference>() else { return false };
        is_name
            && written.script == asked.script
            && (asked.version == VersionRequest::Latest
                || written.version == asked.version
                || asked.version.to_string() == skill.version)
    }

    /// The part that one skill can reach.
    pub(crate) fn reachable_from(&self, skill: &Pinned) -> Self {
        let mut part = Self::default();
        let mut callers = vec![key(skill)];
        while let Some(caller) = callers.pop() {
            if part.by_caller.contains_key(&caller) {
                continue;
            }
            let Some(declared) = self.by_caller.get(&caller) else { continue };
            let mut kept = Vec::new();
            for Declared { written, skill } in declared {
                let Some(pinned) = self.skills.get(*skill) else { continue };
                kept.push(Declared { written: written.clone(), skill: part.position(pinned) });
                callers.push(key(pinned));
            }
            part.by_caller.insert(caller, kept);
        }
        part
    }
}

fn written<S: Serializer>(skills: &[Arc<Pinned>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(skills.iter().map(Arc::as_ref))
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<Pinned>>, D::Error> {
    Ok(Vec::<Pinned>::deserialize(deserializer)?.into_iter().map(Arc::new).collect())
}

/// What a skill of a run is known by. One resolver gives one content for it.
fn key(skill: &Pinned) -> String {
    format!("{}@{}#{}", skill.id, skill.version, skill.path)
}

/// As names are compared.
fn fold(name: &str) -> String {
    name.replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pins::Pins;
    use crate::policy::Grants;
    use crate::skill::{SkillCode, SkillSource};

    fn source(reference: &SkillReference, skills: &[&str]) -> SkillSource {
        let version = match reference.version.to_string() {
            version if version.starts_with('^') => version[1..].to_owned(),
            _ => "1.0.0".to_owned(),
        };
        let list = skills.iter().map(|skill| format!("\"{skill}\"")).collect::<Vec<_>>().join(", ");
        SkillSource {
            id: reference.name.to_string(),
            version: version.parse().unwrap(),
            code: SkillCode::Text(format!("# /// script\n# [tool.skillery]\n# skills = [{list}]\n# ///\n")),
            script: reference.script.clone(),
            files: Vec::new(),
            grants: Grants::default(),
        }
    }

    /// What `acme/first` may call, where each skill names these.
    fn found(named: &[(&str, &[&str])]) -> (Callable, Vec<Problem>, Arc<Pinned>) {
        let resolve = |reference: &SkillReference| {
            let name = reference.name.to_string();
            let entry = named.iter().find(|(known, _)| *known == name);
            entry.map(|(_, skills)| source(reference, skills)).ok_or_else(|| "it is not installed".to_owned())
        };
        let mut pins = Pins::new(&resolve, 1 << 20, None);
        let first = pins.get("acme/first").unwrap();
        let steps = vec![(Problem::new(ProblemKind::BadSkill, "").of_step("one"), Arc::clone(&first))];
        let mut callable = Callable::default();
        let problems = callable.extend(steps, &mut |written| pins.get(written), 3);
        (callable, problems, first)
    }

    #[test]
    fn names_are_found_in_every_form_that_means_one_skill() {
        let (callable, problems, first) = found(&[
            ("acme/first", &["acme/to_text@^2.0.0", "acme/other", "beta/other"]),
            ("acme/to_text", &["acme/first"]),
            ("acme/other", &[]),
            ("beta/other", &[]),
        ]);
        assert_eq!(problems, []);
        for asked in ["acme/to_text", "acme/to-text", "to_text", "to-text@^2.0.0", "acme/to_text@2.0.0"] {
            assert_eq!(callable.get(&first, asked).unwrap().id, "acme/to_text", "{asked}");
        }
        assert_eq!(callable.get(&first, "other").unwrap_err(), NotCallable::Ambiguous);
        assert_eq!(callable.get(&first, "beta/other").unwrap().id, "beta/other");
        for asked in ["acme/to_text@^1.0.0", "acme/first", "first", "gamma/other"] {
            assert_eq!(callable.get(&first, asked).unwrap_err(), NotCallable::Undeclared, "{asked}");
        }
        assert!(matches!(callable.get(&first, "To Text"), Err(NotCallable::NotASkill(_))));
        let below = callable.get(&first, "to_text").unwrap();
        assert_eq!(callable.get(below, "first").unwrap().id, "acme/first");
    }

    #[test]
    fn a_script_is_another_skill_than_the_one_of_the_name() {
        let (callable, problems, first) = found(&[
            ("acme/first", &["acme/pdf#extract", "acme/pdf@^1.0.0", "acme/pdf#fill", "acme/text#split"]),
            ("acme/pdf", &[]),
            ("acme/text", &[]),
        ]);
        assert_eq!(problems, []);
        let path = |asked: &str| callable.get(&first, asked).map(|skill| skill.path.as_str());
        assert_eq!(path("acme/pdf"), Ok("scripts/pdf.py"));
        assert_eq!(path("pdf@^1.0.0"), Ok("scripts/pdf.py"));
        assert_eq!(path("pdf#fill"), Ok("scripts/fill.py"));
        assert_eq!(path("acme/pdf@1.0.0#extract"), Ok("scripts/extract.py"));
        // Only a script of it is named.
        assert_eq!(path("acme/text"), Err(NotCallable::Undeclared));
        assert_eq!(path("pdf#other"), Err(NotCallable::Undeclared));
    }

    #[test]
    fn the_same_words_mean_the_same_skill() {
        let (callable, problems, first) = found(&[
            ("acme/first", &["acme/text@^2.0.0", "acme/text", "acme/text@^3.0.0"]),
            ("acme/text", &[]),
        ]);
        assert_eq!(problems, []);
        assert_eq!(callable.get(&first, "acme/text").unwrap().version, "1.0.0");
        assert_eq!(callable.get(&first, "acme/text@^2.0.0").unwrap().version, "2.0.0");
        assert_eq!(callable.get(&first, "text").unwrap_err(), NotCallable::Ambiguous);
    }

    #[test]
    fn what_is_missing_is_told_with_the_way_to_it() {
        let (_, problems, _) = found(&[
            ("acme/first", &["acme/second", "Not A Skill"]),
            ("acme/second", &["acme/third", "acme/gone@^2"]),
            ("acme/third", &["acme/fourth"]),
            ("acme/fourth", &["acme/too_deep_to_be_looked_for"]),
        ]);
        let told: Vec<_> = problems.iter().map(|problem| (problem.kind, problem.to_string())).collect();
        assert_eq!(told.len(), 2, "{told:#?}");
        assert_eq!(told[0].0, ProblemKind::BadSkill);
        assert_eq!(
            told[1],
            (
                ProblemKind::SkillNotFound,
                "step `one`: skill `acme/gone@^2`: it is not installed; it is called through `acme/first` -> `acme/second`"
                    .to_owned()
            )
        );
    }

    #[test]
    fn one_skill_takes_along_what_it_reaches_and_no_more() {
        let (callable, _, first) = found(&[
            ("acme/first", &["acme/second", "acme/third"]),
            ("acme/second", &["acme/fourth", "acme/second"]),
            ("acme/third", &[]),
            ("acme/fourth", &[]),
        ]);
        let second = callable.get(&first, "second").unwrap();
        let part = callable.reachable_from(second);
        let mut ids: Vec<_> = part.skills.iter().map(|skill| skill.id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["acme/fourth", "acme/second"]);
        assert_eq!(part.get(second, "second").unwrap().id, "acme/second");
        assert_eq!(part.get(&first, "second").unwrap_err(), NotCallable::Undeclared);
    }

    #[test]
    fn there_is_an_end_to_how_many() {
        let names: Vec<String> = (0..999).map(|number| format!("acme/skill{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut all: Vec<(&str, &[&str])> =
            vec![("acme/first", &["acme/a", "acme/b"]), ("acme/a", &names), ("acme/b", &[])];
        all.extend(names.iter().map(|name| (*name, &[][..])));
        let (_, problems, _) = found(&all);
        assert_eq!(problems[0].kind, ProblemKind::SkillCount, "{problems:?}");
    }
}
