//! The lock file: what it looks like, and what it refuses.

use skillery_client::project::ProjectGuard;
use skillery_client::{LockedSkill, Lockfile};
use skillery_core::Digest;

use crate::TestHome;

fn locked(id: &str, version: &str) -> LockedSkill {
    LockedSkill {
        id: id.parse().unwrap(),
        version: version.parse().unwrap(),
        digest: Digest::of(b"bundle"),
        code_hash: Digest::of(b"code"),
        registry: "https://registry.example.com".into(),
        log_key: None,
        log_index: None,
        statement: None,
        wanted: None,
        needs: Vec::new(),
        proof: None,
    }
}

#[test]
fn it_is_sorted_read_back_and_one_line_per_fact() {
    let test = TestHome::new();
    let path = test.path().join("skillery.lock");
    assert_eq!(Lockfile::load(&path).unwrap(), None);
    let mut lockfile = Lockfile::default();
    lockfile.insert(locked("beta/x", "1.0.0"));
    lockfile.insert(locked("acme/email_validator", "1.0.0"));
    lockfile.insert(locked("acme/email-validator", "1.1.0"));
    lockfile.save(&path).unwrap();
    insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap());
    assert_eq!(Lockfile::load(&path).unwrap().as_ref(), Some(&lockfile));
    assert!(lockfile.remove(&"beta/x".parse().unwrap()));
    assert_eq!(lockfile.skills().len(), 1);
}

#[test]
fn a_file_that_is_not_ours_is_refused() {
    let test = TestHome::new();
    let path = test.path().join("skillery.lock");
    for content in ["version = 3", "nonsense", "version = 1\n[[skill]]\nid = \"x\"", "version = 1\nother = 3"]
    {
        std::fs::write(&path, content).unwrap();
        assert_eq!(Lockfile::load(&path).unwrap_err().code(), "bad-file", "{content}");
    }
}

#[test]
fn the_form_before_is_read_and_says_what_was_wanted() {
    let test = TestHome::new();
    let path = test.path().join("skillery.lock");
    let mut lockfile = Lockfile::default();
    lockfile.insert(LockedSkill { needs: vec!["acme/base ^1".into()], ..locked("acme/app", "1.0.0") });
    lockfile.insert(locked("acme/base", "1.0.0"));
    lockfile.insert(locked("acme/early", "2.0.0-rc.1"));
    lockfile.insert(LockedSkill { wanted: Some("^3".into()), ..locked("acme/named", "3.1.0") });
    lockfile.save(&path).unwrap();
    let now = std::fs::read_to_string(&path).unwrap();
    assert!(now.contains("version = 2\n"), "{now}");
    // In the form of now, what is not wanted is not; in the one before, what nobody needs was.
    let wants = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let lockfile = Lockfile::load(&path).unwrap().unwrap();
        let wants = lockfile.wants("https://registry.example.com").unwrap();
        wants.iter().map(|want| want.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(wants(&now), ["`acme/named` ^3"]);
    let before = now.replacen("version = 2\n", "version = 1\n", 1);
    assert_eq!(wants(&before), ["`acme/app`", "`acme/early` 2.0.0-rc.1", "`acme/named` ^3"]);
}

#[test]
fn a_prerelease_is_not_what_somebody_means_who_names_no_version() {
    let mut lockfile = Lockfile::default();
    lockfile.insert(LockedSkill { needs: vec!["acme/base".into()], ..locked("acme/app", "1.0.0") });
    lockfile.insert(locked("acme/base", "2.0.0-rc.1"));
    assert_eq!(lockfile.check_complete().unwrap_err().code(), "bad-file");
    lockfile.insert(locked("acme/base", "2.0.0"));
    lockfile.check_complete().unwrap();
}

#[test]
fn what_nobody_needs_any_more_goes_and_what_somebody_needs_stays() {
    let mut lockfile = Lockfile::default();
    let wanted = Some("latest".to_owned());
    let skill = |name: &str, wanted: &Option<String>, needs: &[&str]| LockedSkill {
        wanted: wanted.clone(),
        needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        ..locked(name, "1.0.0")
    };
    lockfile.insert(skill("acme/app", &wanted, &["acme/text"]));
    lockfile.insert(skill("acme/other", &wanted, &["acme/base"]));
    lockfile.insert(skill("acme/text", &wanted, &["acme/base", "acme/only"]));
    lockfile.insert(skill("acme/base", &None, &[]));
    lockfile.insert(skill("acme/only", &None, &["acme/text"]));
    let names = |lockfile: &Lockfile| {
        lockfile.skills().iter().map(|skill| skill.id.name().to_owned()).collect::<Vec<_>>()
    };
    lockfile.release(&"acme/text".parse().unwrap()).unwrap();
    assert_eq!(names(&lockfile), ["app", "base", "only", "other", "text"]);
    lockfile.release(&"acme/app".parse().unwrap()).unwrap();
    assert_eq!(names(&lockfile), ["base", "other"]);
}

#[test]
fn who_guards_a_project_is_in_nobodys_way_when_it_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    let inside = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..300 {
                    let guard = ProjectGuard::take(&project).unwrap();
                    assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    drop(guard);
                }
            });
        }
    });
    #[cfg(unix)]
    assert_eq!(std::fs::read_dir(&project).unwrap().count(), 0);
}
