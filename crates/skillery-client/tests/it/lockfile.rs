//! The lock file: what it looks like, and what it refuses.

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
    for content in ["version = 2", "nonsense", "version = 1\n[[skill]]\nid = \"x\"", "version = 1\nother = 3"]
    {
        std::fs::write(&path, content).unwrap();
        assert_eq!(Lockfile::load(&path).unwrap_err().code(), "bad-file", "{content}");
    }
}
