//! The library without a registry: saving, finding, choosing, removing, and what survives an interruption.

use skillery_client::library::{LocalChange, LocalSkill, local_id};
use skillery_client::{Installed, Library};
use skillery_core::version::BumpPart;

use crate::TestHome;

fn skill(id: &str, version: &str) -> LocalSkill {
    LocalSkill::new(
        local_id(id).unwrap(),
        version.parse().unwrap(),
        format!("def run():\n    return '{id} {version}'\n"),
    )
}

fn names(installed: &[Installed]) -> Vec<String> {
    installed.iter().map(|version| format!("{} {}", version.manifest.id, version.manifest.version)).collect()
}

#[test]
fn what_is_saved_is_found_by_id_and_by_name() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    assert!(library.list().unwrap().is_empty());
    library.save(skill("calculator", "0.1.0")).unwrap();
    library.save(skill("acme/email_validator", "1.0.0")).unwrap();
    let installed = library.save(skill("acme/email_validator", "1.1.0")).unwrap();
    assert!(installed.current);
    assert!(std::fs::read_to_string(&installed.code_path).unwrap().contains("1.1.0"));
    assert!(installed.path.join("SKILL.md").is_file());
    assert_eq!(names(&library.list().unwrap()), ["acme/email_validator 1.1.0", "local/calculator 0.1.0"]);
    for name in ["email_validator", "email-validator", "email.validator", "acme/email-validator"] {
        assert_eq!(library.get(name, None).unwrap(), installed, "{name}");
    }
    assert_eq!(
        names(&library.versions("email_validator").unwrap()),
        ["acme/email_validator 1.1.0", "acme/email_validator 1.0.0"]
    );
    let range = "<1.1".parse().unwrap();
    assert_eq!(library.get("email_validator", Some(&range)).unwrap().manifest.version.to_string(), "1.0.0");
}

#[test]
fn a_name_that_many_have_is_not_guessed() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    library.save(skill("acme/email_validator", "1.0.0")).unwrap();
    library.save(skill("evil/email-validator", "9.0.0")).unwrap();
    let answers: Vec<String> = [
        library.get("email_validator", None).unwrap_err(),
        library.get("nothing", None).unwrap_err(),
        library.get("acme/nothing", None).unwrap_err(),
        library.get("acme/email_validator", Some(&"^2".parse().unwrap())).unwrap_err(),
        library.get("../x", None).unwrap_err(),
        library.get("", None).unwrap_err(),
    ]
    .iter()
    .map(|error| format!("{}: {error}", error.code()))
    .collect();
    insta::assert_snapshot!(answers.join("\n"));
}

#[test]
fn names_that_look_like_versions_and_nested_names_do_not_collide() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    let ids = [
        "acme/email",
        "acme/email/validator",
        "acme/email/1.0.0",
        "acme/email/current",
        "acme/email/scripts",
    ];
    for id in ids {
        library.save(skill(id, "1.0.0")).unwrap();
    }
    library.remove("acme/email", None).unwrap();
    let left = library.list().unwrap();
    assert_eq!(left.len(), ids.len() - 1);
    for installed in &left {
        library.verify(installed).unwrap();
    }
}

#[test]
fn a_version_never_changes_and_the_same_again_is_nothing_new() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    let first = library.save(skill("calc", "1.0.0")).unwrap();
    assert_eq!(library.save(skill("calc", "1.0.0")).unwrap(), first);
    let other = LocalSkill { code: "def run(): pass".into(), ..skill("calc", "1.0.0") };
    assert_eq!(library.save(other).unwrap_err().code(), "content-differs");
    library.verify(&first).unwrap();
}

#[test]
fn altered_files_are_noticed_and_repaired() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    let installed = library.save(skill("calc", "1.0.0")).unwrap();
    std::fs::create_dir(installed.path.join("scripts/__pycache__")).unwrap();
    std::fs::write(installed.path.join("scripts/__pycache__/calc.pyc"), "x").unwrap();
    library.verify(&installed).unwrap();
    std::fs::write(installed.path.join("scripts/json.py"), "import os").unwrap();
    assert_eq!(library.verify(&installed).unwrap_err().code(), "digest-mismatch");
    std::fs::remove_file(installed.path.join("scripts/json.py")).unwrap();
    std::fs::write(&installed.code_path, "def run(): steal()").unwrap();
    assert_eq!(library.verify(&installed).unwrap_err().code(), "digest-mismatch");
    let repaired = library.save(skill("calc", "1.0.0")).unwrap();
    library.verify(&repaired).unwrap();
    // A manifest that is half there is as good as none.
    std::fs::write(installed.path.join("skill.json"), "{\"id\":").unwrap();
    assert!(library.list().unwrap().is_empty());
    library.verify(&library.save(skill("calc", "1.0.0")).unwrap()).unwrap();
}

#[test]
fn changes_make_the_next_version_and_going_back_keeps_it() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    library.save(skill("calc", "1.0.0")).unwrap();
    let change = LocalChange { code: Some("def run(): return 2".into()), ..LocalChange::default() };
    let second = library.change("calc", BumpPart::Minor, change).unwrap();
    assert_eq!(second.manifest.version.to_string(), "1.1.0");
    let change = LocalChange { tags: Some(vec!["math".into()]), ..LocalChange::default() };
    let third = library.change("calc", BumpPart::Patch, change).unwrap();
    assert_eq!(third.manifest.version.to_string(), "1.1.1");
    assert_eq!(third.manifest.code_hash, second.manifest.code_hash);

    let back = library.rollback("calc", Some(&"1.0.0".parse().unwrap())).unwrap();
    assert_eq!(library.get("calc", None).unwrap(), back);
    assert_eq!(library.versions("calc").unwrap().len(), 3);
    assert_eq!(library.rollback("calc", None).unwrap_err().code(), "version-not-installed");
    // The number of a version that is there already is not used again.
    let fourth = library.change("calc", BumpPart::Minor, LocalChange::default()).unwrap();
    assert_eq!(fourth.manifest.version.to_string(), "1.2.0");
    assert_eq!(library.rollback("calc", None).unwrap().manifest.version.to_string(), "1.1.1");
}

#[test]
fn removing_the_current_version_leaves_the_highest() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    for version in ["1.0.0", "2.0.0", "3.0.0-rc.1"] {
        library.save(skill("calc", version)).unwrap();
    }
    let removed = library.remove("calc", Some(&"3.0.0-rc.1".parse().unwrap())).unwrap();
    assert_eq!(removed.versions.len(), 1);
    assert_eq!(library.get("calc", None).unwrap().manifest.version.to_string(), "2.0.0");
    assert_eq!(library.remove("calc", None).unwrap().versions.len(), 2);
    assert_eq!(library.remove("calc", None).unwrap_err().code(), "not-installed");
    let left: Vec<_> = std::fs::read_dir(test.home().library_folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| !name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_interrupted_installation_leaves_the_old_state_and_is_cleared_away() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    let before = library.save(skill("calc", "1.0.0")).unwrap();
    let scratch = test.home().library_folder().join(".scratch/new/scripts");
    std::fs::create_dir_all(&scratch).unwrap();
    std::fs::write(scratch.join("calc.py"), "half of a fi").unwrap();
    assert_eq!(library.list().unwrap(), [before]);
    library.save(skill("calc", "1.0.1")).unwrap();
    assert!(!scratch.exists());
}

#[test]
fn many_writers_leave_a_whole_library() {
    let test = TestHome::new();
    let library = Library::new(test.home());
    std::thread::scope(|scope| {
        for number in 0..8 {
            let library = library.clone();
            scope.spawn(move || {
                library.save(skill("calc", "1.0.0")).unwrap();
                library.save(skill("calc", &format!("2.{number}.0"))).unwrap();
                library.change("calc", BumpPart::Patch, LocalChange::default()).unwrap();
            });
        }
    });
    let versions = library.versions("calc").unwrap();
    assert_eq!(versions.len(), 1 + 8 + 8);
    for installed in &versions {
        library.verify(installed).unwrap();
    }
    assert_eq!(versions.iter().filter(|version| version.current).count(), 1);
}
