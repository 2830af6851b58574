//! What the files of a version are: their digests, and the front matter of `SKILL.md`.

use std::collections::BTreeSet;

use rmcp::model::{Skill, SkillFrontmatter, SkillResource, SkillResources};
use serde_json::{Map, Value};
use skillery_core::bundle::skill_name;
use skillery_core::{Digest, SkillId, SkillMd, Version};

use crate::SkillAddress;

/// Files of one skill in the Skills extension.
const MAX_FILES: usize = 512;
/// Bytes of one skill in the Skills extension.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What the files of a version are.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// Its files, by path.
    pub files: Vec<FileEntry>,
    front_matter: Map<String, Value>,
    size: usize,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// The path in the skill's folder.
    pub path: String,
    /// SHA-256.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// What stands right in a folder.
pub(crate) enum Child<'manifest> {
    Folder(String),
    File(&'manifest FileEntry),
}

impl Manifest {
    /// Of a version with these files, of which one is this `SKILL.md`.
    pub fn new(id: SkillId, version: Version, mut files: Vec<FileEntry>, skill_file: &[u8]) -> Self {
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let front_matter = SkillMd::fields(skill_file).unwrap_or_default();
        // Values take some times the room of their text.
        let text = serde_json::to_string(&front_matter).map_or(0, |text| text.len());
        let size = 512 + 8 * text + files.iter().map(|file| 64 + file.path.len()).sum::<usize>();
        Self { id, version, files, front_matter, size }
    }

    /// How many bytes of memory it takes, about.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether it is within what the Skills extension allows.
    pub fn fits(&self) -> bool {
        self.files.len() <= MAX_FILES && self.files.iter().map(|file| file.size).sum::<u64>() <= MAX_BYTES
    }

    /// As the Skills extension lists it, below this address.
    pub(crate) fn listed(&self, folder: &SkillAddress) -> Skill {
        let resource = |file: &FileEntry| {
            SkillResource::new(
                folder.at(&file.path).to_string(),
                format!("sha256:{}", file.digest),
                file.size,
            )
        };
        let files = self.files.iter().map(resource).collect();
        let mut extra = self.front_matter.clone();
        let description = match extra.remove("description") {
            Some(Value::String(description)) => description,
            _ => format!("The skill {}.", self.id),
        };
        extra.remove("name");
        // The name is the last segment of the address, whatever the author has called it.
        let mut front_matter = SkillFrontmatter::new(skill_name(&self.id), description);
        front_matter.extra = extra;
        Skill::new(folder.skill_file().to_string(), front_matter, SkillResources::Files(files))
    }

    /// What stands right in this folder, in order; none where there is no such folder.
    pub(crate) fn children(&self, folder: &str) -> Option<Vec<Child<'_>>> {
        let mut folders = BTreeSet::new();
        let mut files = Vec::new();
        for file in &self.files {
            let rest = match folder {
                "" => Some(file.path.as_str()),
                folder => file.path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
            };
            match rest.map(|rest| rest.split_once('/')) {
                Some(Some((inner, _))) => drop(folders.insert(inner.to_owned())),
                Some(None) => files.push(Child::File(file)),
                None => {}
            }
        }
        let children: Vec<_> = folders.into_iter().map(Child::Folder).chain(files).collect();
        (!children.is_empty()).then_some(children)
    }
}

/// What kind of file it is.
pub(crate) fn media_type(path: &str, is_text: bool) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match (extension.as_deref().unwrap_or_default(), is_text) {
        ("md", true) => "text/markdown",
        ("py", true) => "text/x-python",
        ("json", true) => "application/json",
        ("yaml" | "yml", true) => "application/yaml",
        ("toml", true) => "application/toml",
        ("sh", true) => "application/x-sh",
        ("js" | "mjs", true) => "text/javascript",
        ("html", true) => "text/html",
        ("css", true) => "text/css",
        ("csv", true) => "text/csv",
        ("svg", true) => "image/svg+xml",
        (_, true) => "text/plain",
        ("png", false) => "image/png",
        ("jpg" | "jpeg", false) => "image/jpeg",
        ("gif", false) => "image/gif",
        ("webp", false) => "image/webp",
        ("pdf", false) => "application/pdf",
        ("zip", false) => "application/zip",
        (_, false) => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(skill_file: &str, more: &[&str]) -> Manifest {
        let file = |path: &str, text: &str| FileEntry {
            path: path.to_owned(),
            digest: Digest::of(text.as_bytes()),
            size: text.len() as u64,
        };
        let mut files = vec![file("SKILL.md", skill_file)];
        files.extend(more.iter().map(|path| file(path, path)));
        let (id, version) = ("acme/my_tool".parse().unwrap(), "1.0.0".parse().unwrap());
        Manifest::new(id, version, files, skill_file.as_bytes())
    }

    fn listed(manifest: &Manifest) -> Value {
        let skill = manifest.listed(&SkillAddress::of(&manifest.id, &manifest.version));
        skill.validate().unwrap();
        serde_json::to_value(skill).unwrap()
    }

    #[test]
    fn front_matter_is_listed_as_it_was_written() {
        let written = "---\nname: other\ndescription: Says \"hello\"\nmetadata:\n  n: 3\nallowed-tools: [a, b]\n---\n# x\n";
        let listed = listed(&manifest(written, &["a b/ü.txt"]));
        insta::assert_json_snapshot!(listed);
    }

    #[test]
    fn front_matter_ends_where_everybody_sees_its_end() {
        let listed = listed(&manifest("---\nname: x\n---x: 1\ndescription: d\nlicense: yes\n---\n", &[]));
        assert_eq!(
            listed["frontmatter"],
            serde_json::json!({ "name": "my-tool", "---x": 1, "description": "d", "license": "yes" })
        );
    }

    #[test]
    fn what_cannot_be_read_has_a_name_and_a_description_all_the_same() {
        for broken in [
            "",
            "# no front matter",
            "---\n: [\n---\n",
            "---\n- a\n---\n",
            "---\nname: x\n",
            "---\ndescription: a\ndescription: b\n---\n",
        ] {
            let listed = listed(&manifest(broken, &[]));
            assert_eq!(
                listed["frontmatter"],
                serde_json::json!({ "name": "my-tool", "description": "The skill acme/my_tool." })
            );
        }
    }

    #[test]
    fn folders_have_what_stands_right_in_them() {
        let manifest = manifest("", &["a/b/c.py", "a/d.py", "ab/e.py"]);
        let names = |folder: &str| -> Option<Vec<String>> {
            let name = |child: Child<'_>| match child {
                Child::Folder(name) => format!("{name}/"),
                Child::File(file) => file.path.clone(),
            };
            Some(manifest.children(folder)?.into_iter().map(name).collect())
        };
        assert_eq!(names(""), Some(vec!["a/".to_owned(), "ab/".to_owned(), "SKILL.md".to_owned()]));
        assert_eq!(names("a"), Some(vec!["b/".to_owned(), "a/d.py".to_owned()]));
        assert_eq!(names("a/b"), Some(vec!["a/b/c.py".to_owned()]));
        assert_eq!(names("SKILL.md"), None);
        assert_eq!(names("b"), None);
    }
}
