//! A commit and what is in it: one version, or all skills of a namespace.

use std::collections::HashSet;

use skillery_core::access::yanked;
use skillery_core::bundle::skill_name;
use skillery_core::git::{Node, Object, ObjectError, ObjectId, blob, commit, tree};
use skillery_core::time::Time;
use skillery_core::{Digest, Namespace, SkillId, Version, VersionStatus};

use super::derive::Derived;
use crate::catalog;
use crate::failure::{Failure, Result};
use crate::http::interop::discovery::DESCRIPTION;
use crate::http::interop::plugins::{Plugin, Source, marketplace as marketplace_of};

/// A version in a snapshot.
#[derive(Debug)]
pub struct Entry {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// Its bundle.
    pub digest: Digest,
    /// The number of the log entry that published it.
    pub position: i64,
    /// What who fetches it must know.
    pub warning: Option<String>,
}

/// A commit with all that is in it, but for what stands in bundles.
#[derive(Debug)]
pub struct Snapshot {
    /// The commit.
    pub commit: Object,
    /// What is made for it: folders above those of skills, and what describes them.
    pub others: Vec<Object>,
    /// Its versions.
    pub entries: Vec<Entry>,
}

impl Snapshot {
    /// One version, with its files in the root.
    pub fn of_version(derived: Derived) -> Result<Self> {
        let message = format!("{} {}\n", derived.row.id, derived.row.version);
        let commit = commit(derived.tree, derived.row.created_at, &message).map_err(Failure::internal)?;
        Ok(Self { commit, others: Vec::new(), entries: vec![entry(derived)] })
    }

    /// The skills of a namespace: each in `skills/<name>`, and a marketplace that points there. It is a function of the
    /// versions alone, so that every server gives it the same id.
    pub fn of_namespace(namespace: &Namespace, mut versions: Vec<Derived>) -> Result<Self> {
        versions.sort_by_cached_key(|derived| derived.row.id.key());
        let (others, root) = folders(namespace, &versions).map_err(Failure::internal)?;
        let newest = versions.iter().map(|derived| derived.row.created_at).max();
        let message = match versions.len() {
            1 => format!("{}: 1 skill\n", namespace.as_str()),
            count => format!("{}: {count} skills\n", namespace.as_str()),
        };
        let at = newest.unwrap_or(Time::from_micros(0));
        let commit = commit(root, at, &message).map_err(Failure::internal)?;
        Ok(Self { commit, others, entries: versions.into_iter().map(entry).collect() })
    }

    /// About how many bytes it takes.
    pub fn weight(&self) -> u64 {
        let others: usize = self.others.iter().map(|object| object.bytes.len()).sum();
        (others + self.entries.len() * 400 + 1_000) as u64
    }

    /// The ids of what is not in bundles.
    pub fn own_ids(&self) -> impl Iterator<Item = ObjectId> {
        self.own_objects().map(|object| object.id)
    }

    /// What is not in bundles.
    pub fn own_objects(&self) -> impl Iterator<Item = &Object> {
        std::iter::once(&self.commit).chain(&self.others)
    }
}

fn entry(derived: Derived) -> Entry {
    let row = derived.row;
    let warning =
        (row.status == VersionStatus::Yanked).then(|| yanked(&row.id, &row.version, row.reason.as_deref()));
    Entry { id: row.id, version: row.version, digest: row.digest, position: row.position, warning }
}

/// All but the commit, and the id of the root.
fn folders(
    namespace: &Namespace,
    versions: &[Derived],
) -> std::result::Result<(Vec<Object>, ObjectId), ObjectError> {
    let names = names(versions);
    let skills = versions.iter().zip(&names).map(|(derived, name)| Node::folder(name, derived.tree));
    let skills = tree(skills.collect())?;
    let plugin = |(derived, name): (&Derived, &String)| {
        let row = &derived.row;
        let source = Source::Folder(format!("./skills/{name}"));
        let description = catalog::described(&row.id, &row.description, DESCRIPTION);
        Plugin::new(name, description, row.version.to_string(), source)
    };
    let document = marketplace_of(namespace, versions.iter().zip(&names).map(plugin));
    let mut text = serde_json::to_vec_pretty(&document).map_err(|error| ObjectError::Write(error.into()))?;
    text.push(b'\n');
    let marketplace = blob(text)?;
    let about = tree(vec![Node::file("marketplace.json", false, marketplace.id)])?;
    let root = tree(vec![Node::folder(".claude-plugin", about.id), Node::folder("skills", skills.id)])?;
    let id = root.id;
    Ok((vec![root, about, marketplace, skills], id))
}

/// What the folders of these are called: as the skills are in the Agent Skills format. Ids that differ only by how many
/// hyphens stand somewhere have the same name there; then the one that is spelled like it has it, and others are called as
/// they are spelled, which no name in that format can be.
fn names(versions: &[Derived]) -> Vec<String> {
    let spelled = |derived: &Derived| {
        let key = derived.row.id.key();
        key.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let mut taken: HashSet<String> = versions.iter().map(spelled).filter(|name| is_plain(name)).collect();
    let name = |derived: &Derived| {
        let (spelled, name) = (spelled(derived), skill_name(&derived.row.id));
        if spelled != name && !taken.insert(name.clone()) { spelled } else { name }
    };
    versions.iter().map(name).collect()
}

fn is_plain(name: &str) -> bool {
    !name.ends_with('-') && !name.contains("--")
}

#[cfg(test)]
mod tests {
    use skillery_core::Visibility;

    use super::*;
    use crate::db::git::RepositoryVersion;

    fn version(id: &str) -> Derived {
        let row = RepositoryVersion {
            id: id.parse().unwrap(),
            visibility: Visibility::Public,
            version: "1.0.0".parse().unwrap(),
            status: VersionStatus::Published,
            digest: Digest::of(id.as_bytes()),
            description: String::new(),
            created_at: Time::from_micros(0),
            reason: None,
            position: 1,
            tree: None,
        };
        Derived { row, tree: tree(Vec::new()).unwrap().id }
    }

    #[test]
    fn no_two_folders_have_one_name() {
        let called = |ids: &[&str]| names(&ids.iter().map(|id| version(id)).collect::<Vec<_>>());
        assert_eq!(called(&["acme/a_b", "acme/c.d"]), ["a-b", "c-d"]);
        assert_eq!(called(&["acme/a--b", "acme/a-b", "acme/a_b-"]), ["a--b", "a-b", "a-b-"]);
        assert_eq!(called(&["acme/a--b", "acme/a---b"]), ["a-b", "a---b"]);
    }

    #[test]
    fn order_makes_no_difference() {
        let namespace: Namespace = "acme".parse().unwrap();
        let id = |ids: &[&str]| {
            let versions = ids.iter().map(|id| version(id)).collect();
            Snapshot::of_namespace(&namespace, versions).unwrap().commit.id
        };
        assert_eq!(id(&["acme/a", "acme/b"]), id(&["acme/b", "acme/a"]));
        assert_ne!(id(&["acme/a", "acme/b"]), id(&["acme/a", "acme/c"]));
    }
}
