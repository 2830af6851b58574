//! `skillery admin jobs` and `settings`: what a registry that runs tells its admins.

use tempfile::TempDir;

use crate::support::{Server, snapshot, until};

const ID: &str = "acme/email_validator";

/// The words of the first line that begins with this one.
fn line_of<'text>(text: &'text str, first: &str) -> Vec<&'text str> {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.find(|words| words.first() == Some(&first)).unwrap_or_default()
}

#[test]
fn a_registry_tells_its_admins_how_it_goes_and_is_set() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    // The index follows a moment later.
    let told = until("turns of the search index", || {
        let told = place.run(["admin", "jobs", "--json"]).ok().json();
        let is_there = {
            let jobs = told["jobs"].as_array().unwrap();
            let search = jobs.iter().find(|job| job["name"] == "search").unwrap();
            search["turns"].as_u64() > Some(0) && told["followers"][0]["position"] == told["size"]
        };
        is_there.then_some(told)
    });
    assert_eq!((&told["trouble"], &told["dead_mail"]), (&serde_json::Value::Null, &serde_json::json!([])));
    let jobs = place.run(["admin", "jobs"]).ok().stdout.clone();
    let size = told["size"].to_string();
    assert_eq!(line_of(&jobs, "search")[..2], ["search", "index"]);
    assert_eq!(line_of(&jobs, "search").last(), Some(&size.as_str()));
    assert_eq!(line_of(&jobs, "mail"), ["mail", "0", "0"]);
    for job in told["jobs"].as_array().unwrap() {
        assert!(!line_of(&jobs, job["name"].as_str().unwrap()).is_empty(), "{job}: {jobs}");
    }

    let set = place.run(["admin", "settings"]).ok().stdout.clone();
    assert_eq!(line_of(&set, "anonymous_reads")[..2], ["anonymous_reads", "yes"]);
    assert_eq!(line_of(&set, "database")[..2], ["database", "SQLite"]);
    assert_eq!(line_of(&set, "session_days")[..3], ["session_days", "14", "Days"]);
    let set = place.run(["admin", "settings", "--json"]).ok();
    let value = |kind: &str, name: &str| {
        let told = set.json();
        let rows = told[kind].as_array().unwrap().iter();
        rows.clone().find(|row| row["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!(value("settings", "anonymous_reads"), true);
    assert_eq!(value("settings", "witnesses"), serde_json::json!([]));
    assert_eq!(value("limits", "session_days"), 14);
    assert!(!set.stdout.contains(&server.data.display().to_string()), "{}", set.stdout);

    place.run(["user", "create", "bob"]).ok();
    let create = ["token", "create", "--user", "bob", "--scope", "read", "--scope", "admin", "--json"];
    let created = place.run(create).ok().reveals();
    let mut bob = server.place();
    bob.set("REGISTRY_TOKEN", created.json()["token"].as_str().unwrap());
    snapshot!("admin-jobs-no-admin", bob.run(["admin", "jobs"]).fails(3));
    bob.run(["admin", "settings"]).fails(3);
}

#[test]
fn settings_of_insight_and_the_audit_are_told_without_their_secrets() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("skillery.toml");
    let settings = "[insight]\nk = 5\n[audit]\ndenied_days = 30\n[[audit.streams]]\nname = 'hook'\n\
        to = 'https://who:hush-hush@127.0.0.1:9/a-secret-path'\nsecret = 'a-secret-of-the-stream-of-32-characters'\n";
    std::fs::write(&file, settings).unwrap();
    let server = Server::start_with(&["--config", file.to_str().unwrap()]);
    let place = server.place();
    let set = place.run(["admin", "settings"]).ok();
    assert_eq!(line_of(&set.stdout, "insight.k")[..2], ["insight.k", "5"]);
    assert_eq!(line_of(&set.stdout, "audit.denied_days")[..2], ["audit.denied_days", "30"]);
    let streams = line_of(&set.stdout, "audit.streams");
    assert_eq!(streams[..4], ["audit.streams", "hook", "https://127.0.0.1:9", "(signed)"]);
    assert_eq!(line_of(&set.stdout, "smtp_password")[..2], ["smtp_password", "no"]);
    let json = place.run(["admin", "settings", "--json"]).ok();
    let told = json.json();
    let mut rows = told["settings"].as_array().unwrap().iter();
    let streams = rows.find(|row| row["name"] == "audit.streams").unwrap();
    assert_eq!(streams["value"], serde_json::json!(["hook https://127.0.0.1:9 (signed)"]));
    for secret in ["hush-hush", "a-secret-", server.admin_token.as_str()] {
        assert!(!set.stdout.contains(secret) && !json.stdout.contains(secret), "{secret}: {}", set.stdout);
    }
}
