//! What no skill that can be published as a function shows, and that the table is sound.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use skillery_core::bundle::BundleFile;
use skillery_core::{Digest, SkillId};

use super::content::Content;
use super::disk::{Fresh, Scratch};
use super::*;
use crate::home::Home;

struct World {
    _folder: tempfile::TempDir,
    root: PathBuf,
    site: Site,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("project");
    std::fs::create_dir(&root).unwrap();
    let home = Home::at(folder.path().join("home"));
    let site = Site { home, machine: Machine::here().unwrap(), root: Some(root.clone()) };
    World { _folder: folder, root, site }
}

fn skill(name: &str, version: &str, files: &[(&str, &str, bool)]) -> SkillFolder {
    let id: SkillId = "acme/tool".parse().unwrap();
    let skill_file = format!("---\nname: {name}\ndescription: A tool.\n---\n");
    let mut all =
        vec![BundleFile { path: "SKILL.md".to_owned(), executable: false, bytes: skill_file.into_bytes() }];
    all.extend(files.iter().map(|(path, text, executable)| BundleFile {
        path: (*path).to_owned(),
        executable: *executable,
        bytes: text.as_bytes().to_vec(),
    }));
    let version = version.parse().unwrap();
    SkillFolder {
        name: FolderName::of(&id, &all).unwrap(),
        content: Content::of(&version, Digest::of(version.to_string().as_bytes()), &all),
        files: all,
        id,
    }
}

fn agents(names: &[&str]) -> Vec<&'static Agent> {
    names.iter().map(|name| Agent::named(name).unwrap()).collect()
}

#[test]
fn what_may_be_executed_stays_so_and_a_version_replaces_the_other_as_a_whole() {
    let World { root, site, .. } = &world();
    let one = skill("tool", "1.0.0", &[("scripts/run.sh", "1", true), ("references/deep/a.md", "a", false)]);
    site.place(&[one], &agents(&["claude-code"]), PlaceOptions::default()).unwrap();
    let folder = root.join(".claude/skills/tool");
    let mode = |path: &str| std::fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o111;
    assert!(mode("scripts/run.sh") & 0o100 != 0 && mode("SKILL.md") == 0);
    let two = skill("tool", "2.0.0", &[("scripts/run.sh", "2", false)]);
    let placed = site.refresh(&[two], None, false).unwrap().placed;
    assert_eq!(placed[0].change, Change::Updated);
    assert!(mode("scripts/run.sh") == 0 && !folder.join("references").exists());
    assert_eq!(std::fs::read_dir(root.join(".claude")).unwrap().count(), 1, "nothing is left beside");
}

#[test]
fn a_skill_that_is_called_otherwise_now_leaves_nothing_under_its_old_name() {
    let World { root, site, .. } = &world();
    for link in [false, true] {
        let options = PlaceOptions { link: Some(link), force: false };
        site.place(&[skill("old", "1.0.0", &[])], &agents(&["claude-code", "goose"]), options).unwrap();
        // Changed by hand, it stays, and so does all else.
        let copy = root.join(if link { ".agents/skills/old" } else { ".goose/skills/old" });
        std::fs::write(copy.join("notes"), "mine").unwrap();
        let placing = site.refresh(&[skill("new", "2.0.0", &[])], None, false).unwrap();
        assert!(matches!(&placing.conflicts[..], [Conflict::Altered { path, .. }] if *path == copy));
        assert_eq!(std::fs::read_to_string(copy.join("notes")).unwrap(), "mine");
        std::fs::remove_file(copy.join("notes")).unwrap();

        let placing = site.refresh(&[skill("new", "2.0.0", &[])], None, false).unwrap();
        assert!(placing.conflicts.is_empty());
        for agent in [".claude", ".goose"] {
            let skills = root.join(agent).join("skills");
            assert!(std::fs::read_to_string(skills.join("new/SKILL.md")).unwrap().contains("name: new"));
            assert!(!disk::is_there(&skills.join("old")));
        }
        assert!(!root.join(".agents/skills/old").exists());
        let taken = site.take(&["acme/tool".parse().unwrap()], None, false).unwrap();
        assert!(!taken.is_empty());
        assert_eq!(std::fs::read_dir(root).unwrap().count(), 0);
    }
}

#[test]
fn what_programs_leave_behind_is_no_change_and_what_was_published_is() {
    let World { root, site, .. } = &world();
    let bytecode = "scripts/__pycache__/run.pyc";
    let files =
        [(bytecode, "published", false), ("docs/.DS_Store", "published", false), ("a/b.md", "b", false)];
    site.place(&[skill("tool", "1.0.0", &files)], &agents(&["claude-code"]), PlaceOptions::default())
        .unwrap();
    let folder = root.join(".claude/skills/tool");
    let differences = || -> Vec<String> {
        let record = record::Record::load(&site.record_file().unwrap()).unwrap();
        let placement = record.placements.values().next().unwrap();
        match site::look(&folder, placement).unwrap() {
            site::Look::Altered(differences) => differences.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    };
    assert_eq!(differences(), Vec::<String>::new());
    // Others beside them are nobody's work, as where none were published.
    std::fs::write(folder.join("scripts/__pycache__/other.pyc"), "left").unwrap();
    std::fs::create_dir(folder.join("a/__pycache__")).unwrap();
    std::fs::write(folder.join("a/__pycache__/b.pyc"), "left").unwrap();
    std::fs::write(folder.join(".DS_Store"), "left").unwrap();
    assert_eq!(differences(), Vec::<String>::new());
    std::fs::write(folder.join(bytecode), "changed").unwrap();
    std::fs::remove_file(folder.join("docs/.DS_Store")).unwrap();
    assert_eq!(differences(), ["`docs/.DS_Store` (missing)", "`scripts/__pycache__/run.pyc` (changed)"]);
}

#[test]
fn what_an_interruption_left_comes_back_or_goes() {
    let World { root, .. } = &world();
    let target = root.join("skills/tool");
    let beside = root.join(".skillery-tool");
    let file = |text: &str| {
        vec![BundleFile { path: "SKILL.md".to_owned(), executable: false, bytes: text.as_bytes().to_vec() }]
    };
    std::fs::create_dir(root.join("skills")).unwrap();
    Scratch::of(&target).unwrap().put(&Fresh::Files(&file("one"))).unwrap();
    let read = || std::fs::read_to_string(target.join("SKILL.md")).unwrap();
    // Between the two renames of a file system that cannot exchange.
    std::fs::create_dir_all(beside.join("new")).unwrap();
    std::fs::rename(&target, beside.join("old")).unwrap();
    let scratch = Scratch::of(&target).unwrap();
    assert_eq!(read(), "one");
    scratch.put(&Fresh::Files(&file("two"))).unwrap();
    assert_eq!(read(), "two");
    // After them, and after an exchange.
    std::fs::create_dir_all(beside.join("old/left")).unwrap();
    let scratch = Scratch::of(&target).unwrap();
    assert_eq!(read(), "two");
    scratch.take().unwrap();
    assert!(!target.exists() && !beside.exists());
    // A link under that name is not followed.
    let outside = root.join("outside");
    std::fs::create_dir_all(outside.join("old")).unwrap();
    std::os::unix::fs::symlink(&outside, &beside).unwrap();
    Scratch::of(&target).unwrap();
    assert!(outside.join("old").exists() && !disk::is_there(&beside) && !target.exists());
}

#[test]
fn what_was_moved_aside_comes_back_where_nothing_was_placed() {
    let World { root, site, .. } = &world();
    let force = PlaceOptions { force: true, ..PlaceOptions::default() };
    let theirs = |name: &str| root.join(".claude/skills").join(name).join("notes.md");
    for name in ["tool", "zeta"] {
        std::fs::create_dir_all(theirs(name).parent().unwrap()).unwrap();
        std::fs::write(theirs(name), name).unwrap();
    }
    let backups = || std::fs::read_dir(root.join(".skillery/backups")).into_iter().flatten().count();
    // No folder can have both of these files.
    let files = [("x", "a file", false), ("x/y", "and a folder", false)];
    let bad =
        |name| SkillFolder { id: format!("acme/{name}").parse().unwrap(), ..skill(name, "1.0.0", &files) };
    let error = site.place(&[bad("tool"), bad("zeta")], &agents(&["claude-code"]), force).unwrap_err();
    assert!(matches!(error, crate::Error::Disk { .. }), "{error}");
    for name in ["tool", "zeta"] {
        assert_eq!(std::fs::read_to_string(theirs(name)).unwrap(), name);
    }
    assert_eq!(backups(), 0);
    let beside: Vec<_> = std::fs::read_dir(root.join(".claude")).unwrap().flatten().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    let refused = site.place(&[bad("tool")], &agents(&["claude-code"]), PlaceOptions::default()).unwrap_err();
    assert_eq!(refused.code(), "not-ours", "nothing of it was written down");
    // The second fails: the first is placed, and where its backup is is said.
    let good = skill("tool", "1.0.0", &[]);
    let error = site.place(&[good, bad("zeta")], &agents(&["claude-code"]), force).unwrap_err();
    let crate::Error::Agent(AgentError::LeftAside { backups: left, .. }) = &error else { panic!("{error}") };
    assert_eq!(std::fs::read_to_string(left[0].join("notes.md")).unwrap(), "tool");
    assert!(error.to_string().contains(left[0].to_str().unwrap()) && error.code() == "disk", "{error}");
    assert_eq!((left.len(), backups()), (1, 1));
    assert!(root.join(".claude/skills/tool/SKILL.md").exists() && !theirs("tool").exists());
    assert_eq!(std::fs::read_to_string(theirs("zeta")).unwrap(), "zeta");
}

#[test]
fn names_that_are_the_same_everywhere() {
    for good in ["a", "email-validator", "x1", "1", &"a".repeat(64)] {
        assert_eq!(good.parse::<FolderName>().unwrap().as_str(), good);
    }
    let long = "a".repeat(65);
    for bad in [
        "", "-a", "a-", "a--b", "a_b", "a.b", "A", "..", "a/b", "a\\b", "ä", "con", "com1", "a b", "a\n",
        &long,
    ] {
        assert!(bad.parse::<FolderName>().is_err(), "{bad:?}");
    }
    let named = |text: &str| {
        let bytes = text.as_bytes().to_vec();
        let file = BundleFile { path: "SKILL.md".to_owned(), executable: false, bytes };
        FolderName::of(&"acme/x".parse().unwrap(), &[file]).map(String::from)
    };
    assert_eq!(named("---\nname: \"a-b\"\ndescription: >\n  ---\n---\n").unwrap(), "a-b");
    assert_eq!(named("\u{feff}---\r\nname: a\r\ndescription: b\r\n---\r\n# name: b").unwrap(), "a");
    for bad in [
        "",
        "name: a",
        "---\nname: a\n",
        "---\nname: ../a\ndescription: b\n---\n",
        "---\nname: [a]\ndescription: b\n---\n",
        "---\nname: a\nname: b\ndescription: b\n---\n",
        "---\ndescription: a\n---\n",
        "\n---\nname: a\ndescription: b\n---\n",
        // What two agents would read in two ways.
        "---\nname: &a a\ndescription: b\n---\n",
        "---\nname: a\ndescription: b\rname: c\n---\n",
        "---\nname: a\n---\n",
    ] {
        let error = named(bad).unwrap_err();
        assert_eq!(error.code(), "no-folder-name", "{bad:?}");
    }
}

#[test]
fn the_table_is_sound() {
    let names: Vec<&str> = Agent::all().iter().map(Agent::name).collect();
    let known = |name: &str| table::VARIABLES.iter().any(|(variable, _)| *variable == name);
    for agent in Agent::all() {
        assert_eq!(names.iter().filter(|name| **name == agent.name()).count(), 1, "{agent}");
        let folder = Path::new(agent.project_folder());
        assert!(folder.is_relative() && !agent.project_folder().contains(".."), "{agent}");
        for path in agent.global_folder().into_iter().chain(agent.found_by()) {
            let first = path.split('/').next().unwrap();
            let is_known = ["~", ".", ""].contains(&first) || first.strip_prefix('$').is_some_and(known);
            assert!(is_known && !path.contains(".."), "{agent}: {path}");
        }
    }
    for (alias, full) in table::ALIASES {
        assert_eq!(Agent::named(alias).unwrap().name(), *full);
        assert!(!names.contains(alias));
    }
    assert!(Agent::shared().is_some() && !names.contains(&"all"));
    assert!(Agent::named("claude-cod").unwrap_err().to_string().contains("`claude-code`"));
}

/// The table of `docs/agents.md`.
#[test]
fn the_documentation_has_the_same_table() {
    let rows = Agent::all().iter().map(|agent| {
        let words =
            |words: Vec<&str>| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        format!(
            "| {} | {} | `{}` | {} | {} |\n",
            words(std::iter::once(agent.name()).chain(agent.aliases()).collect()),
            agent.title(),
            agent.project_folder(),
            words(agent.global_folder().into_iter().collect()),
            words(agent.found_by().collect()),
        )
    });
    let table: String = rows.collect();
    let text = include_str!("../../../../docs/agents.md");
    assert!(text.contains(&table), "docs/agents.md lacks:\n{table}");
}
