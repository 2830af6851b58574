//! Objects: blobs, trees and commits without parents.

use std::collections::BTreeMap;

use gix_actor::Signature;
use gix_hash::{Kind as HashKind, ObjectId};
use gix_object::bstr::{BStr, BString};
use gix_object::tree::{Entry, EntryKind};
use gix_object::{Commit, Kind, Tree, WriteTo, compute_hash};

use crate::bundle::BundleFile;
use crate::time::Time;

/// Who has made all commits. A name or address of one registry would make ids differ between registries.
const AUTHOR: (&str, &str) = ("Skillery", "skillery@registry.invalid");

/// An object with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its id.
    pub id: ObjectId,
    /// Blob, tree or commit.
    pub kind: Kind,
    /// Its content, without the header that is hashed too.
    pub bytes: Vec<u8>,
}

/// What stands in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name, without a slash.
    pub name: String,
    /// A folder, a file, or a file that may be executed.
    pub kind: EntryKind,
    /// The object.
    pub id: ObjectId,
}

impl Node {
    /// A folder.
    pub fn folder(name: impl Into<String>, id: ObjectId) -> Self {
        Self { name: name.into(), kind: EntryKind::Tree, id }
    }

    /// A file.
    pub fn file(name: impl Into<String>, executable: bool, id: ObjectId) -> Self {
        let kind = if executable { EntryKind::BlobExecutable } else { EntryKind::Blob };
        Self { name: name.into(), kind, id }
    }
}

/// Why files cannot be what git keeps.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Git refuses the name, or would take it for something of its own.
    #[error("git allows no file called `{0}`")]
    Name(String),
    /// A file stands where a folder stands, or twice.
    #[error("`{0}` stands twice in its folder")]
    Twice(String),
    /// The content was made to have the SHA-1 of another.
    #[error("an object was made to collide with another")]
    Collision,
    /// The object cannot be written.
    #[error("an object cannot be written")]
    Write(#[from] std::io::Error),
}

impl Object {
    fn new(kind: Kind, bytes: Vec<u8>) -> Result<Self, ObjectError> {
        let id = compute_hash(HashKind::Sha1, kind, &bytes).map_err(|_| ObjectError::Collision)?;
        Ok(Self { id, kind, bytes })
    }

    fn written(object: &impl WriteTo) -> Result<Self, ObjectError> {
        let mut bytes = Vec::new();
        object.write_to(&mut bytes)?;
        Self::new(object.kind(), bytes)
    }
}

/// The content of a file.
pub fn blob(bytes: Vec<u8>) -> Result<Object, ObjectError> {
    Object::new(Kind::Blob, bytes)
}

/// A folder of these.
pub fn tree(nodes: Vec<Node>) -> Result<Object, ObjectError> {
    let mut names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(ObjectError::Twice(twice[0].to_owned()));
    }
    for name in names {
        check_name(name)?;
    }
    let entry = |Node { name, kind, id }| Entry { mode: kind.into(), filename: BString::from(name), oid: id };
    let mut entries: Vec<Entry> = nodes.into_iter().map(entry).collect();
    // Git's own order, in which the name of a folder ends in a slash.
    entries.sort();
    Object::written(&Tree { entries })
}

/// A commit without parents: whatever becomes of other versions, this one keeps its id.
pub fn commit(tree: ObjectId, at: Time, message: &str) -> Result<Object, ObjectError> {
    let time = gix_object::date::Time { seconds: at.micros().div_euclid(1_000_000), offset: 0 };
    let author = Signature { name: AUTHOR.0.into(), email: AUTHOR.1.into(), time };
    Object::written(&Commit {
        tree,
        parents: Default::default(),
        author: author.clone(),
        committer: author,
        encoding: None,
        message: message.into(),
        extra_headers: Vec::new(),
    })
}

/// The objects of a folder with these files. The folder itself is the last; what stands in it several times is there several
/// times.
pub fn of_files(files: Vec<BundleFile>) -> Result<Vec<Object>, ObjectError> {
    let mut root = Folder::default();
    let mut objects = Vec::with_capacity(files.len() * 2 + 1);
    for BundleFile { path, executable, bytes } in files {
        let blob = blob(bytes)?;
        root.place(&path, executable, blob.id)?;
        objects.push(blob);
    }
    root.finish(&mut objects)?;
    Ok(objects)
}

#[derive(Default)]
struct Folder {
    folders: BTreeMap<String, Folder>,
    files: Vec<Node>,
}

impl Folder {
    fn place(&mut self, path: &str, executable: bool, id: ObjectId) -> Result<(), ObjectError> {
        let mut folder = self;
        let mut rest = path;
        while let Some((name, below)) = rest.split_once('/') {
            check_name(name)?;
            folder = folder.folders.entry(name.to_owned()).or_default();
            rest = below;
        }
        folder.files.push(Node::file(rest, executable, id));
        Ok(())
    }

    fn finish(self, objects: &mut Vec<Object>) -> Result<ObjectId, ObjectError> {
        let mut nodes = self.files;
        for (name, folder) in self.folders {
            let id = folder.finish(objects)?;
            nodes.push(Node::folder(name, id));
        }
        let tree = tree(nodes)?;
        let id = tree.id;
        objects.push(tree);
        Ok(id)
    }
}

/// Whether git accepts the name on every file system. One skill with `.git` in it would keep everybody from checking out all
/// others beside it.
fn check_name(name: &str) -> Result<(), ObjectError> {
    // What Windows alone refuses is no reason to withhold a skill from everybody else.
    let options = gix_validate::path::component::Options { protect_windows: false, ..Default::default() };
    let refused = || ObjectError::Name(name.escape_debug().to_string());
    gix_validate::path::component(BStr::new(name), None, options).map_err(|_| refused())?;
    // It would name repositories to clone from.
    if name.eq_ignore_ascii_case(".gitmodules") { Err(refused()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(files: &[(&str, bool, &str)]) -> Vec<BundleFile> {
        let file = |(path, executable, text): &(&str, bool, &str)| BundleFile {
            path: (*path).to_owned(),
            executable: *executable,
            bytes: text.as_bytes().to_vec(),
        };
        files.iter().map(file).collect()
    }

    fn root(files: &[(&str, bool, &str)]) -> String {
        of_files(bundle(files)).unwrap().last().unwrap().id.to_string()
    }

    #[test]
    fn ids_are_those_of_git() {
        // By `git hash-object`, and by `git write-tree` after adding the same files.
        assert_eq!(
            blob(b"hello\n".to_vec()).unwrap().id.to_string(),
            "ce013625030ba8dba906f756967f9e9ca394464a"
        );
        assert_eq!(root(&[]), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_eq!(root(TREE), "1eb5543858b34536081d421b5428cb7f276c524f");
        let id = of_files(bundle(TREE)).unwrap().last().unwrap().id;
        let at = Time::from_micros(1_767_323_045_999_999);
        assert_eq!(
            commit(id, at, "acme/tool 1.0.0\n").unwrap().id.to_string(),
            "148b495e264dec979d877c631e00df95d62a88cd"
        );
    }

    /// Folders are ordered as if their names ended in a slash: `a-b`, `a.txt`, `a/`, `a0`.
    const TREE: &[(&str, bool, &str)] = &[
        ("a/run.sh", true, "echo\n"),
        ("a-b", false, "1\n"),
        ("a.txt", false, "2\n"),
        ("a0", false, "3\n"),
        ("SKILL.md", false, "hello\n"),
    ];

    #[test]
    fn order_of_files_makes_no_difference() {
        let mut reversed = TREE.to_vec();
        reversed.reverse();
        assert_eq!(root(TREE), root(&reversed));
    }

    #[test]
    fn what_git_refuses_is_refused() {
        for path in [
            ".git/hooks/post-checkout",
            "a/.GIT/config",
            "git~1/x",
            ".gitmodules",
            "a/.GitModules",
            ".g\u{200c}it/x",
        ] {
            let outcome = of_files(bundle(&[(path, false, "x")]));
            assert!(matches!(outcome, Err(ObjectError::Name(_))), "{path}");
        }
        for path in [".gitignore", ".github/x", "con.txt", "git", "a.git/x"] {
            assert!(of_files(bundle(&[(path, false, "x")])).is_ok(), "{path}");
        }
        let outcome = of_files(bundle(&[("a", false, "x"), ("a/b", false, "x")]));
        assert!(matches!(outcome, Err(ObjectError::Twice(name)) if name == "a"));
    }
}
