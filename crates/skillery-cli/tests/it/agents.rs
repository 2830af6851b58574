//! Skills in the folders of agents: placed, never over what others wrote, updated and removed.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Place, Server, VALIDATOR, snapshot};

const ID: &str = "acme/email_validator";
const CLAUDE: &str = ".claude/skills/email-validator";
const SHARED: &str = ".agents/skills/email-validator";

impl Place {
    /// The folder that is `HOME`, which the working folder lies in.
    fn user(&self) -> PathBuf {
        self.work().parent().unwrap().to_owned()
    }

    fn placed(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    fn code(&self, name: &str) -> String {
        std::fs::read_to_string(self.placed(name).join("scripts/email_validator.py")).unwrap()
    }
}

/// Every path below a folder, with what stands there.
fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            if metadata.is_symlink() {
                let to = std::fs::read_link(&path).unwrap();
                found.push((name, format!("-> {}", to.display()).into_bytes()));
            } else if metadata.is_dir() {
                found.push((format!("{name}/"), Vec::new()));
                walk(root, &path, found);
            } else {
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    if folder.exists() {
        walk(folder, folder, &mut found);
    }
    found.sort();
    found
}

fn names(folder: &Path) -> Vec<String> {
    tree(folder).into_iter().map(|(name, _)| name).collect()
}

fn place() -> (Server, Place) {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    std::fs::remove_file(place.work().join("published.py")).unwrap();
    (server, place)
}

fn newer(place: &Place) {
    place.publish_code(ID, "1.1.0", &format!("{VALIDATOR}\n# newer\n"));
    std::fs::remove_file(place.work().join("published.py")).unwrap();
}

#[test]
fn skills_are_placed_updated_and_removed() {
    let (_server, place) = place();
    snapshot!("install", place.run(["install", ID, "--agent", "claude,codex", "--agent", "gemini"]).ok());
    // Byte for byte what the library has, and nothing of what it keeps beside.
    let library = place.run(["list", "--json"]).ok().json();
    let version = PathBuf::from(library["skills"][0]["path"].as_str().unwrap());
    for name in [CLAUDE, SHARED] {
        assert_eq!(names(&place.placed(name)), ["SKILL.md", "scripts/", "scripts/email_validator.py"]);
        for file in ["SKILL.md", "scripts/email_validator.py"] {
            let read = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
            assert_eq!(read(&place.placed(name)), read(&version));
        }
    }
    assert_eq!(library["skills"][0]["placements"].as_array().unwrap().len(), 2);
    snapshot!("again", place.run(["install", ID, "--agent", "claude-code"]).ok());
    snapshot!("list", place.run(["list", "--agent", "all"]).ok());
    snapshot!("list-json", place.run(["list", "--agent", "codex", "--json"]).ok());
    assert_eq!(
        place.run(["list", "--agent", "goose", "--json"]).ok().json()["placements"],
        Value::Array(vec![])
    );
    snapshot!("list-library", place.run(["list"]).ok());

    newer(&place);
    snapshot!("update", place.run(["update"]).ok());
    assert!(place.code(CLAUDE).ends_with("# newer\n") && place.code(SHARED).ends_with("# newer\n"));
    snapshot!("update-nothing", place.run(["update", "--agent", "all"]).ok());

    // Codex and Gemini share a folder: it stays until the last of them is gone.
    snapshot!("remove-one", place.run(["remove", ID, "--agent", "gemini"]).ok());
    assert!(place.placed(SHARED).exists());
    snapshot!("remove-library", place.run(["remove", ID]).ok());
    assert!(place.placed(CLAUDE).exists());
    snapshot!("remove-all", place.run(["remove", "email_validator", "--agent", "all"]).ok());
    snapshot!("remove-again", place.run(["remove", ID, "--agent", "all"]).fails(4));
    // Nothing is left but what was there before, and the lock file.
    assert_eq!(names(&place.work()), ["skillery.lock"]);
}

#[test]
fn what_others_wrote_is_never_overwritten() {
    let (_server, place) = place();
    std::fs::create_dir_all(place.placed(CLAUDE)).unwrap();
    place.write(&format!("{CLAUDE}/SKILL.md"), "mine");
    let before = tree(&place.work());
    snapshot!("not-ours", place.run(["install", ID, "--agent", "claude-code,codex"]).fails(1));
    // All or nothing: Codex has none either, and nothing is locked.
    assert_eq!(tree(&place.work()), before);
    let forced = place.run(["install", ID, "--agent", "claude-code", "--force", "--json"]).ok().json();
    let backup = PathBuf::from(forced["placed"][0]["backup"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(backup.join("SKILL.md")).unwrap(), "mine");
    assert_eq!(place.code(CLAUDE), VALIDATOR);

    // Ours, and changed by hand since.
    place.write(&format!("{CLAUDE}/SKILL.md"), "changed");
    place.write(&format!("{CLAUDE}/notes.txt"), "mine");
    std::fs::remove_file(place.placed(CLAUDE).join("scripts/email_validator.py")).unwrap();
    let before = tree(&place.placed(".claude"));
    snapshot!("altered", place.run(["install", ID, "--agent", "claude-code"]).fails(1));
    snapshot!("altered-list", place.run(["list", "--agent", "claude-code"]).ok());
    snapshot!("altered-remove", place.run(["remove", ID, "--agent", "claude-code", "--json"]).fails(1));
    newer(&place);
    snapshot!("altered-update", place.run(["update"]).fails(1));
    assert_eq!(tree(&place.placed(".claude")), before);
    place.run(["update", "--force"]).ok();
    assert!(place.code(CLAUDE).ends_with("# newer\n"));
    let kept = tree(&place.placed(".skillery/backups"));
    assert!(kept.iter().any(|(name, bytes)| name.ends_with("/notes.txt") && bytes == b"mine"));

    // Whether a file may be executed is part of it; what Python leaves behind is not.
    std::fs::create_dir(place.placed(CLAUDE).join("scripts/__pycache__")).unwrap();
    place.write(&format!("{CLAUDE}/scripts/__pycache__/x.pyc"), "x");
    place.run(["install", ID, "--agent", "claude-code"]).ok();
    let code = place.placed(CLAUDE).join("scripts/email_validator.py");
    std::fs::set_permissions(&code, std::fs::Permissions::from_mode(0o755)).unwrap();
    snapshot!("executable", place.run(["install", ID, "--agent", "claude-code"]).fails(1));
}

#[test]
fn two_skills_with_one_name_and_names_in_other_capitals() {
    let (_server, place) = place();
    place.publish("other/email-validator", "1.0.0");
    snapshot!("both", place.run(["install", ID, "other/email-validator", "--agent", "claude-code"]).fails(1));
    assert!(!place.placed(".claude").exists());
    place.run(["install", ID, "--agent", "claude-code"]).ok();
    snapshot!("taken", place.run(["install", "other/email-validator", "--agent", "claude-code"]).fails(1));
    // By force neither: it is not in the way by accident.
    place.run(["install", "other/email-validator", "--agent", "claude-code", "--force"]).fails(1);
    place.run(["install", "other/email-validator", "--agent", "codex"]).ok();
    snapshot!("ambiguous", place.run(["remove", "email_validator", "--agent", "all"]).fails(2));

    std::fs::create_dir_all(place.work().join(".goose/skills/Email-Validator")).unwrap();
    snapshot!("capitals", place.run(["install", ID, "--agent", "goose"]).fails(1));
}

/// Where temporary files lie on another disk than the memory that every Linux has, the way there is a copy.
#[test]
fn what_is_in_the_way_is_kept_on_another_disk() {
    use std::os::unix::fs::MetadataExt;
    let memory = Path::new("/dev/shm");
    let (_server, mut place) = place();
    let disk = |path: &Path| std::fs::metadata(path).unwrap().dev();
    if !memory.is_dir() || disk(memory) == disk(&place.work()) {
        eprintln!("skipped: {} is no disk of its own here", memory.display());
        return;
    }
    let home = tempfile::tempdir_in(memory).unwrap();
    place.set("SKILLERY_HOME", home.path().to_str().unwrap());
    let skill = place.user().join(CLAUDE);
    std::fs::create_dir_all(skill.join("deep")).unwrap();
    std::fs::write(skill.join("deep/mine.sh"), "mine").unwrap();
    std::fs::set_permissions(skill.join("deep/mine.sh"), std::fs::Permissions::from_mode(0o700)).unwrap();
    symlink("deep/mine.sh", skill.join("link")).unwrap();
    let before = tree(&skill);

    // What cannot be kept stays, and is not taken for ours: a socket has no copy.
    let socket = std::os::unix::net::UnixListener::bind(skill.join("socket")).unwrap();
    let install = ["install", ID, "--agent", "claude", "--global", "--force", "--json"];
    let failed = place.run(install).fails(1).error();
    assert!(failed["message"].as_str().unwrap().contains("move"), "{failed}");
    drop(socket);
    std::fs::remove_file(skill.join("socket")).unwrap();
    assert_eq!(tree(&skill), before);
    assert_eq!(
        place.run(["list", "--agent", "all", "--json"]).ok().json()["placements"],
        serde_json::json!([])
    );
    assert_eq!(names(&home.path().join("agents/backups")), Vec::<String>::new());

    let forced = place.run(install).ok().json();
    let backup = PathBuf::from(forced["placed"][0]["backup"].as_str().unwrap());
    assert!(backup.starts_with(home.path()));
    assert_eq!(tree(&backup), before);
    let mode = std::fs::metadata(backup.join("deep/mine.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(names(&skill), ["SKILL.md", "scripts/", "scripts/email_validator.py"]);
    assert_eq!(std::fs::read_dir(home.path().join("agents/backups")).unwrap().count(), 1);
    assert_eq!(
        place.run(["list", "--agent", "all", "--json"]).ok().json()["placements"][0]["state"],
        "whole"
    );
}

/// A project brings its record along, and may say in it what it likes of its files.
#[test]
fn what_only_the_record_says_is_not_called_as_placed() {
    let (server, place) = place();
    place.run(["install", ID, "--agent", "claude-code,windsurf", "--link"]).ok();
    place.run(["install", ID, "--agent", "goose"]).ok();
    let state = |place: &Place| -> Vec<String> {
        let listed = place.run(["list", "--agent", "all", "--json"]).ok().json();
        let listed = listed["placements"].as_array().unwrap().clone();
        listed.iter().map(|placed| placed["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(state(&place), ["whole"; 4]);
    // Elsewhere the lock file alone knows the digest.
    let other = server.place();
    let copy =
        std::process::Command::new("cp").arg("-a").arg(place.work()).arg(other.work().join("..")).status();
    assert!(copy.unwrap().success());
    assert_eq!(state(&other), ["whole"; 4]);
    let lock = other.read("skillery.lock");
    std::fs::remove_file(other.work().join("skillery.lock")).unwrap();
    assert_eq!(state(&other), ["unverified"; 4]);
    snapshot!("unverified", other.run(["list", "--agent", "all"]).ok());

    // Other code, with its digest in the record.
    other.write("skillery.lock", lock);
    let digest = |text: &str| skillery_core::Digest::of(text.as_bytes()).to_string();
    let evil = format!("{VALIDATOR}\nimport evil\n");
    for folder in [SHARED, ".goose/skills/email-validator"] {
        other.write(&format!("{folder}/scripts/email_validator.py"), &evil);
    }
    let record = other.read(".skillery/agents.json").replace(&digest(VALIDATOR), &digest(&evil));
    other.write(".skillery/agents.json", record);
    assert_eq!(state(&other), ["unverified"; 4]);
}

#[test]
fn links_lead_to_one_copy() {
    let (_server, place) = place();
    place.run(["install", ID, "--agent", "claude-code,windsurf", "--link"]).ok();
    assert_eq!(
        std::fs::read_link(place.placed(CLAUDE)).unwrap(),
        Path::new("../../.agents/skills/email-validator")
    );
    assert_eq!(place.code(".windsurf/skills/email-validator"), VALIDATOR);
    snapshot!("links", place.run(["list", "--agent", "all"]).ok());
    newer(&place);
    place.run(["update"]).ok();
    assert!(place.placed(CLAUDE).is_symlink() && place.code(CLAUDE).ends_with("# newer\n"));
    // Placed again as it is, and otherwise where it is said.
    place.run(["install", ID, "--agent", "claude-code"]).ok();
    assert!(place.placed(CLAUDE).is_symlink());
    place.run(["install", ID, "--agent", "claude-code", "--copy"]).ok();
    assert!(!place.placed(CLAUDE).is_symlink() && place.placed(SHARED).exists());
    // The last link takes the copy with it.
    place.run(["remove", ID, "--agent", "windsurf"]).ok();
    assert!(!place.placed(".windsurf").exists() && !place.placed(".agents").exists());
    assert!(place.code(CLAUDE).ends_with("# newer\n"));
    place.run(["install", ID, "--agent", "claude-code,codex", "--link"]).ok();
    assert!(place.placed(CLAUDE).is_symlink());
    // A link that somebody bent is theirs.
    std::fs::remove_file(place.placed(CLAUDE)).unwrap();
    symlink(place.user(), place.placed(CLAUDE)).unwrap();
    snapshot!("bent", place.run(["remove", ID, "--agent", "all"]).fails(1));
    assert!(place.placed(SHARED).exists());
}

#[test]
fn for_all_projects_and_for_all_agents() {
    let (_server, mut place) = place();
    snapshot!("none-found", place.run(["install", ID, "--agent", "all", "--global"]).fails(4));
    let elsewhere = place.user().join("elsewhere");
    std::fs::create_dir_all(place.user().join(".cursor")).unwrap();
    std::fs::create_dir_all(place.user().join(".config/opencode")).unwrap();
    std::fs::create_dir_all(&elsewhere).unwrap();
    place.set("CLAUDE_CONFIG_DIR", elsewhere.to_str().unwrap());
    snapshot!("all-global", place.run(["install", ID, "--agent", "all", "--global"]).ok());
    for folder in [".cursor", ".config/opencode", "elsewhere"] {
        assert!(place.user().join(folder).join("skills/email-validator/SKILL.md").is_file(), "{folder}");
    }
    assert!(names(&place.work()).is_empty());
    let found = place.run(["agents", "--found", "--json"]).ok().json();
    let found: Vec<&str> =
        found["agents"].as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap()).collect();
    assert_eq!(found, ["claude-code", "cursor", "opencode"]);
    snapshot!("agents-found", place.run(["agents", "--found"]).ok());

    // The folders of a user may be links; and what was placed is found when a variable is another one.
    let dotfiles = place.user().join("dotfiles");
    std::fs::create_dir_all(dotfiles.join("skills")).unwrap();
    symlink(&dotfiles, place.user().join(".copilot")).unwrap();
    place.run(["install", ID, "--agent", "copilot", "--global"]).ok();
    assert!(dotfiles.join("skills/email-validator/SKILL.md").is_file());
    place.unset("CLAUDE_CONFIG_DIR");
    newer(&place);
    place.run(["update", "--global"]).ok();
    let code = elsewhere.join("skills/email-validator/scripts/email_validator.py");
    assert!(std::fs::read_to_string(code).unwrap().ends_with("# newer\n"));
    place.run(["remove", ID, "--agent", "all", "--global"]).ok();
    assert!(dotfiles.join("skills").is_dir() && names(&dotfiles) == ["skills/"]);
    assert!(!elsewhere.join("skills").exists() && elsewhere.exists());

    snapshot!("no-global", place.run(["install", ID, "--agent", "eve", "--global"]).fails(2));
    snapshot!("unknown", place.run(["install", ID, "--agent", "claud"]).fails(2));
    snapshot!("no-agent", place.run(["install", ID, "--global"]).fails(2));
    let home = place.user();
    snapshot!(
        "project-is-home",
        place.run(["install", ID, "--agent", "codex", "--project", home.to_str().unwrap()]).fails(2)
    );
}

#[test]
fn a_project_that_came_from_elsewhere_changes_nothing_outside_of_it() {
    let (_server, place) = place();
    let outside = place.user().join("outside");
    std::fs::create_dir_all(outside.join("skills/email-validator")).unwrap();
    std::fs::write(outside.join("skills/email-validator/SKILL.md"), "precious").unwrap();
    let before = tree(&outside);
    symlink(&outside, place.work().join(".claude")).unwrap();
    snapshot!("leads-outside", place.run(["install", ID, "--agent", "claude-code", "--force"]).fails(1));
    symlink("nowhere", place.work().join(".goose")).unwrap();
    snapshot!("leads-nowhere", place.run(["install", ID, "--agent", "goose"]).fails(1));
    assert_eq!(tree(&outside), before);

    // A record that names what lies outside, or what is no skill, is not obeyed.
    place.run(["install", ID, "--agent", "codex"]).ok();
    let record = place.read(".skillery/agents.json");
    for bad in ["../outside/skills/email-validator", ".claude/skills/email-validator", "src/email-validator"]
    {
        std::fs::create_dir_all(place.work().join(".skillery")).unwrap();
        place.write(".skillery/agents.json", record.replace(SHARED, bad));
        let listed = place.run(["list", "--agent", "all", "--json"]).ok().json();
        assert_eq!(listed["placements"][0]["state"], "elsewhere", "{bad}");
        newer_or_same(&place);
        place.run(["update", "--force"]).ok();
        place.run(["remove", ID, "--agent", "all", "--force"]).ok();
        assert_eq!(tree(&outside), before, "{bad}");
    }
    std::fs::create_dir_all(place.work().join(".skillery")).unwrap();
    place.write(".skillery/agents.json", "{");
    snapshot!("record-unreadable", place.run(["install", ID, "--agent", "cursor"]).fails(2));
    place.run(["list"]).ok();
    // Nor is a record that is a link.
    std::fs::remove_file(place.work().join(".skillery/agents.json")).unwrap();
    symlink(outside.join("new"), place.work().join(".skillery/agents.json")).unwrap();
    place.run(["install", ID, "--agent", "cursor"]).fails(1);
    assert_eq!(tree(&outside), before);
}

/// The registry has had the newer version since the first round.
fn newer_or_same(place: &Place) {
    place.write("published.py", format!("{VALIDATOR}\n# newer\n"));
    place.run(["publish", "published.py", "--id", ID, "--version", "1.1.0"]).ok();
    std::fs::remove_file(place.work().join("published.py")).unwrap();
}

#[test]
fn a_project_is_set_up_from_its_lock_file() {
    let (server, place) = place();
    place.run(["install", ID]).ok();
    newer(&place);
    let lock = place.read("skillery.lock");
    let other = server.place();
    std::fs::create_dir(other.work().join("project")).unwrap();
    other.write("project/skillery.lock", &lock);
    let run =
        other.run(["install", "--frozen", "--agent", "claude-code", "--project", "project", "--json"]).ok();
    assert_eq!(run.json()["placed"][0]["version"], "1.0.0");
    assert_eq!(other.code("project/.claude/skills/email-validator"), VALIDATOR);
    assert_eq!(other.read("project/skillery.lock"), lock);
    // Another project has brought the library to the newest version; this one follows with its lock.
    other.run(["install", ID, "--no-lock"]).ok();
    other.run(["update", "--project", "project"]).ok();
    assert!(other.code("project/.claude/skills/email-validator").ends_with("# newer\n"));
    assert!(other.read("project/skillery.lock").contains("version = \"1.1.0\""));
}

#[test]
fn what_an_interrupted_run_left_is_put_in_order() {
    let (_server, place) = place();
    place.run(["install", ID, "--agent", "claude-code"]).ok();
    let placed = place.placed(CLAUDE);
    // As where two renames were needed, and only the first was done.
    let scratch = place.work().join(".claude/.skillery-email-validator");
    std::fs::create_dir_all(scratch.join("new")).unwrap();
    std::fs::rename(&placed, scratch.join("old")).unwrap();
    place.run(["install", ID, "--agent", "claude-code"]).ok();
    assert_eq!(place.code(CLAUDE), VALIDATOR);
    assert!(!scratch.exists());
    // The record says what was to come, and the folder has what was.
    newer(&place);
    let old = place.read(".skillery/agents.json");
    let copy = place.work().join("copy");
    assert!(std::process::Command::new("cp").arg("-a").arg(&placed).arg(&copy).status().unwrap().success());
    place.run(["update"]).ok();
    let new = place.read(".skillery/agents.json");
    let mut record: Value = serde_json::from_str(&new).unwrap();
    let before: Value = serde_json::from_str(&old).unwrap();
    record["placements"][CLAUDE]["before"] = serde_json::json!({
        "content": before["placements"][CLAUDE]["content"],
    });
    place.write(".skillery/agents.json", record.to_string());
    std::fs::remove_dir_all(&placed).unwrap();
    std::fs::rename(&copy, &placed).unwrap();
    let listed = place.run(["list", "--agent", "all", "--json"]).ok().json();
    assert_eq!(listed["placements"][0]["state"], "whole");
    place.run(["update"]).ok();
    assert!(place.code(CLAUDE).ends_with("# newer\n"));
    assert_eq!(place.read(".skillery/agents.json"), new);
    // Gone by hand is gone, and comes back when it is asked for.
    std::fs::remove_dir_all(&placed).unwrap();
    place.run(["install", ID, "--agent", "claude-code"]).ok();
    assert!(placed.exists());
    std::fs::remove_dir_all(&placed).unwrap();
    place.run(["remove", ID, "--agent", "claude-code"]).ok();
}

#[test]
fn a_run_that_is_killed_leaves_the_old_or_the_new_in_each_folder() {
    const FOLDERS: [&str; 3] = [".agents", ".claude", ".goose"];
    let (_server, place) = place();
    newer(&place);
    let install = |version: &str, form: &str| {
        let skill = format!("{ID}@{version}");
        place.command(["install", &skill, "--agent", "codex,claude,goose", form, "--offline", "--no-lock"])
    };
    for version in ["1.1.0", "1.0.0"] {
        place.run(["install", &format!("{ID}@{version}"), "--agent", "codex,claude,goose"]).ok();
    }
    let record = || std::fs::read(place.work().join(".skillery/agents.json")).unwrap();
    let mut killed = 0;
    for round in 0..24 {
        let (version, form) = (["1.1.0", "1.0.0"][round % 2], ["--copy", "--link", "--link"][round % 3]);
        let before = record();
        let mut child = install(version, form).spawn().unwrap();
        // The moment when the record has changed, and folders begin to.
        while record() == before && child.try_wait().unwrap().is_none() {}
        for _ in 0..round * 200 {
            std::hint::spin_loop();
        }
        let _ = child.kill();
        killed += usize::from(!child.wait().unwrap().success());
        for folder in FOLDERS {
            let folder = place.work().join(folder).join("skills/email-validator");
            let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
            let is_new = read("SKILL.md").contains("1.1.0");
            assert_eq!(read("scripts/email_validator.py").ends_with("# newer\n"), is_new);
        }
        let listed = place.run(["list", "--agent", "all", "--json"]).ok().json();
        for placement in listed["placements"].as_array().unwrap() {
            assert_eq!(placement["state"], "whole", "{listed}");
        }
    }
    assert!(killed > 0);
    assert!(place.finish(install("1.1.0", "--copy").spawn().unwrap()).code == Some(0));
    place.run(["remove", ID, "--agent", "all"]).ok();
    assert_eq!(names(&place.work()), ["skillery.lock"]);
}
