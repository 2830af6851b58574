//! The local library and the lock: frozen, offline, altered, updated, removed.

use std::path::PathBuf;

use crate::support::{Place, Server, VALIDATOR, snapshot};

const ID: &str = "acme/email_validator";

fn installed_code(place: &Place) -> PathBuf {
    let listed = place.run(["list", "--json"]).ok().json();
    PathBuf::from(listed["skills"][0]["code_path"].as_str().unwrap())
}

#[test]
fn a_lock_pins_versions_and_digests() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.run(["install", ID]).ok();
    let lock = place.read("skillery.lock");
    insta::with_settings!({filters => crate::support::FILTERS.to_vec()}, {
        insta::assert_snapshot!("lock-file", lock);
    });
    place.publish(ID, "1.1.0");

    // Another machine gets the locked version, not the newest one.
    let other = server.place();
    other.write("skillery.lock", &lock);
    snapshot!("frozen", other.run(["install", "--frozen"]).ok());
    assert_eq!(other.read("skillery.lock"), lock);
    snapshot!("frozen-not-locked", other.run(["install", "acme/other", "--frozen"]).fails(2));

    // A lock with another digest is not obeyed, and installs nothing.
    let third = server.place();
    let digest = lock.lines().find_map(|line| line.strip_prefix("digest = ")).unwrap();
    third.replace_in_lock(&lock, digest, &format!("\"{}\"", "0".repeat(64)));
    snapshot!("frozen-other-digest", third.run(["install", "--frozen"]).fails(1));
    assert!(third.run(["list", "--json"]).ok().json()["skills"].as_array().unwrap().is_empty());

    third.write("skillery.lock", "not TOML");
    snapshot!("lock-unreadable", third.run(["install", "--frozen"]).fails(2));
    std::fs::remove_file(third.work().join("skillery.lock")).unwrap();
    snapshot!("lock-missing", third.run(["install", "--frozen"]).fails(2));
    snapshot!("nothing-to-install", third.run(["install"]).fails(2));

    third.run(["install", ID, "--no-lock"]).ok();
    assert!(!third.work().join("skillery.lock").exists());
}

impl Place {
    fn replace_in_lock(&self, lock: &str, old: &str, new: &str) {
        self.write("skillery.lock", lock.replace(old, new));
    }
}

#[test]
fn without_a_registry_what_was_fetched_still_installs() {
    let mut server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.publish("acme/never_fetched", "1.0.0");
    place.run(["install", ID]).ok();
    // The library is lost; what was downloaded is still there.
    std::fs::remove_dir_all(place.home().join("library")).unwrap();
    assert!(server.stop());

    snapshot!("offline", place.run(["install", ID, "--offline"]).ok());
    snapshot!("offline-frozen", place.run(["install", "--frozen", "--offline"]).ok());
    snapshot!("offline-never-fetched", place.run(["install", "acme/never_fetched", "--offline"]).fails(5));
    snapshot!("unreachable", place.run(["search"]).fails(5));
    place.run(["verify"]).ok();
}

#[test]
fn an_altered_file_is_found() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.run(["install", ID]).ok();
    let code = installed_code(&place);
    let mut permissions = std::fs::metadata(&code).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "the library may write-protect its files")]
    permissions.set_readonly(false);
    std::fs::set_permissions(&code, permissions).unwrap();
    std::fs::write(&code, "def email_validator(email):\n    return True\n").unwrap();
    snapshot!("verify-altered", place.run(["verify"]).fails(1));
    snapshot!("verify-altered-json", place.run(["verify", ID, "--json"]).fails(1));

    std::fs::remove_file(&code).unwrap();
    snapshot!("verify-missing", place.run(["verify"]).fails(1));

    // Installing again puts it right.
    place.run(["install", ID]).ok();
    place.run(["verify"]).ok();
    assert_eq!(std::fs::read_to_string(&code).unwrap(), VALIDATOR);
    snapshot!("verify-not-installed", place.run(["verify", "acme/other"]).fails(4));
}

#[test]
fn versions_are_kept_updated_and_removed() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.publish("acme/other", "1.0.0");
    place.run(["install", ID, "acme/other"]).ok();
    snapshot!("update-nothing", place.run(["update"]).ok());
    place.publish_code(ID, "1.1.0", &format!("{VALIDATOR}\n# newer\n"));
    snapshot!("update", place.run(["update"]).ok());
    assert!(place.read("skillery.lock").contains("version = \"1.1.0\""));
    snapshot!("list-versions", place.run(["list", "--all"]).ok());
    snapshot!("update-not-installed", place.run(["update", "acme/third"]).fails(4));
    snapshot!("remove-version", place.run(["remove", "acme/email_validator@1.0.0"]).ok());
    snapshot!("remove-skill", place.run(["remove", "acme/email_validator"]).ok());
    assert!(!place.read("skillery.lock").contains("email_validator"));
    snapshot!("remove-not-installed", place.run(["remove", "acme/email_validator"]).fails(4));
}

#[test]
fn a_yanked_version_installs_only_by_its_name_and_with_a_warning() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.publish_code(ID, "1.1.0", &format!("{VALIDATOR}\n# newer\n"));
    snapshot!("yank", place.run(["yank", ID, "1.1.0", "--reason", "rejects good addresses"]).ok());
    let installed = place.run(["install", ID, "--json"]).ok().json();
    assert_eq!(installed["skills"][0]["version"], "1.0.0");
    snapshot!("install-yanked", place.run(["install", "acme/email_validator@1.1.0"]).ok());
    snapshot!("verify-remote-yanked", place.run(["verify", "--remote"]).fails(1));
    place.wait_for_installs(ID, 2);
    snapshot!("info-yanked", place.run(["info", ID, "--version", "1.1.0"]).ok());
    snapshot!("yank-undo", place.run(["yank", ID, "1.1.0", "--undo"]).ok());
    snapshot!("install-no-such-version", place.run(["install", "acme/email_validator@^2"]).fails(4));
}
