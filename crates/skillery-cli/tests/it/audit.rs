//! `skillery audit`: what admins of the registry and of a namespace see of it.

use crate::support::{Server, snapshot, until};

const ID: &str = "acme/email_validator";

#[test]
fn the_audit_is_listed_exported_and_reported() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.run(["install", ID]).ok();
    place.run(["user", "create", "bob"]).ok();
    let create = ["token", "create", "--user", "bob", "--scope", "read", "--scope", "admin", "--json"];
    let created = place.run(create).ok().reveals();
    let mut bob = server.place();
    bob.set("REGISTRY_TOKEN", created.json()["token"].as_str().unwrap());
    snapshot!("audit-not-allowed", bob.run(["audit", "list"]).fails(3));

    let listed = place.run(["audit", "list", "--action", "version.", "--json"]).ok();
    let entries = listed.json()["entries"].as_array().unwrap().clone();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (&entries[0]["action"], &entries[0]["address"]),
        (&"version.published".into(), &"127.0.0.1".into())
    );
    assert!(entries[0]["agent"].as_str().unwrap().starts_with("skillery/"));
    let none = place.run(["audit", "list", "--until", "1d"]).ok();
    assert!(none.stdout.contains("nothing of the kind"), "{}", none.stdout);

    // What was refused is there within a second.
    let denied = until("refusals", || {
        let listed = place.run(["audit", "list", "--outcome", "denied", "--actor", "bob", "--json"]).ok();
        let entries = listed.json()["entries"].as_array().unwrap().len();
        (entries > 0).then_some(entries)
    });
    assert_eq!(denied, 1);

    place.run(["audit", "export", "--output", "audit.csv"]).ok();
    let text = place.read("audit.csv");
    assert!(text.starts_with("id,time,last_time,") && text.contains("version.published"), "{text}");
    let lines = place.run(["audit", "export", "--format", "jsonl", "--limit", "2"]).ok();
    assert_eq!(lines.stdout.lines().count(), 2);
    assert!(lines.stdout.lines().all(|line| line.starts_with("{\"id\":")), "{}", lines.stdout);
    let whole = place.run(["audit", "export"]).ok();
    assert_eq!(whole.stdout.lines().filter(|line| line.starts_with("id,")).count(), 1);
    snapshot!(
        "audit-export-nowhere",
        place.run(["audit", "export", "--output", "nowhere/audit.csv"]).fails(4)
    );
    // Whoever reads has seen enough.
    let mut child = place.command(["audit", "export"]).spawn().unwrap();
    drop(child.stdout.take());
    place.finish(child).ok();
    snapshot!("audit-export-bad", place.run(["audit", "export", "--format", "xml"]).fails(2));
    let report = place.run(["audit", "report", "--json"]).ok().json();
    assert_eq!(report["denied_by_caller"][0]["name"], "bob");
    snapshot!("audit-since-bad", place.run(["audit", "list", "--since", "1.5h"]).fails(2));
    let report = place.run(["audit", "report", "--days", "7"]).ok();
    assert!(report.stdout.contains("version.published"), "{}", report.stdout);
}
