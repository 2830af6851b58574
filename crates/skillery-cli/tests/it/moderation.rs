//! What admins do: who sees a skill, quarantine, the log.

use crate::support::{Place, Server, snapshot};

const ID: &str = "acme/email_validator";

/// A place of a user without any role.
fn stranger(server: &Server) -> Place {
    let admin = server.place();
    admin.run(["user", "create", "bob"]).ok();
    let create = ["token", "create", "--user", "bob", "--scope", "admin", "--scope", "read", "--json"];
    let created = admin.run(create).ok().reveals();
    let mut place = server.place();
    place.set("REGISTRY_TOKEN", created.json()["token"].as_str().unwrap());
    place
}

#[test]
fn visibility_decides_who_sees_a_skill() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    let (bob, mut anonymous) = (stranger(&server), server.place());
    anonymous.unset("REGISTRY_TOKEN");
    anonymous.run(["info", ID]).ok();
    snapshot!("visibility", place.run(["visibility", ID, "internal"]).ok());
    anonymous.run(["info", ID]).fails(4);
    bob.run(["info", ID]).ok();
    snapshot!("visibility-no-role", bob.run(["visibility", ID, "public"]).fails(3));
    snapshot!("json-visibility", place.run(["visibility", ID, "private", "--json"]).ok());
    bob.run(["info", ID]).fails(4);
    snapshot!("visibility-unseen", bob.run(["visibility", ID, "public"]).fails(4));
    snapshot!("bad-visibility", place.run(["visibility", ID, "secret"]).fails(2));
    place.run(["visibility", ID, "public"]).ok();
    anonymous.run(["info", ID]).ok();
}

#[test]
fn a_quarantined_version_is_kept_from_everybody() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.run(["install", ID]).ok();
    let quarantine = ["quarantine", ID, "1.0.0"];
    let because = ["--reason", "sends addresses away"];
    snapshot!("quarantine-no-admin", stranger(&server).run(quarantine).fails(3));
    snapshot!("quarantine", place.run(quarantine.iter().chain(&because)).ok());
    snapshot!("install-quarantined", server.place().run(["install", "acme/email_validator@1.0.0"]).fails(3));
    snapshot!("verify-quarantined", place.run(["verify", "--remote"]).fails(1));
    snapshot!("yank-quarantined", place.run(["yank", ID, "1.0.0"]).fails(2));
    snapshot!("quarantine-undo", place.run(quarantine.iter().chain(&["--undo"])).ok());
    server.place().run(["install", ID]).ok();
    snapshot!("json-quarantine", place.run(quarantine.iter().chain(&["--json"])).ok());
    snapshot!("json-quarantine-undo", place.run(quarantine.iter().chain(&["--undo", "--json"])).ok());
}

#[test]
fn the_log_shows_every_change() {
    let server = Server::start();
    let place = server.place();
    place.publish(ID, "1.0.0");
    place.run(["user", "create", "alice"]).ok();
    place.run(["org", "set-member", "acme/email", "alice", "publisher"]).ok();
    place.run(["org", "remove-member", "acme/email", "alice"]).ok();
    place.run(["user", "disable", "alice"]).ok();
    place.run(["rate", ID, "4.5"]).ok();
    place.run(["rate", ID, "--undo"]).ok();
    place.run(["visibility", ID, "internal"]).ok();
    place.run(["yank", ID, "1.0.0"]).ok();
    place.run(["yank", ID, "1.0.0", "--undo"]).ok();
    place.run(["quarantine", ID, "1.0.0"]).ok();
    place.run(["quarantine", ID, "1.0.0", "--undo"]).ok();
    let tokens = place.run(["token", "create", "--json"]).ok().reveals().json();
    place.run(["token", "revoke", tokens["id"].as_str().unwrap()]).ok();
    snapshot!("log", place.run(["log", "list"]).ok());
    snapshot!("log-page", place.run(["log", "list", "--after", "1", "--limit", "2"]).ok());
    snapshot!("log-end", place.run(["log", "list", "--after", "4711"]).ok());
    snapshot!("json-log", place.run(["log", "list", "--limit", "5", "--json"]).ok());
    snapshot!("log-no-admin", stranger(&server).run(["log", "list"]).fails(3));
}
