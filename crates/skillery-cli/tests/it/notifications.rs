//! What somebody is told of, read and set on the command line.

use crate::support::{Place, Server, snapshot, until};
use crate::witnesses::lying_registry;

fn wait_for(place: &Place, count: usize) -> serde_json::Value {
    until("so many notifications", || {
        let found = place.run(["notifications", "list", "--json"]).ok().json();
        (found["notifications"].as_array().unwrap().len() >= count).then_some(found)
    })
}

#[test]
fn notifications_are_listed_and_read_and_say_where_they_go() {
    let server = Server::start();
    let admin = server.place();
    admin.run(["org", "create", "acme"]).ok();
    admin.run(["user", "create", "anna"]).ok();
    let create = ["token", "create", "--user", "anna", "--scope", "read", "--scope", "admin", "--json"];
    let token = admin.run(create).ok().reveals().json()["token"].as_str().unwrap().to_owned();
    admin.run(["org", "set-member", "acme", "anna", "admin"]).ok();
    let mut anna = server.place();
    anna.set("REGISTRY_TOKEN", &token);
    let found = wait_for(&anna, 2);
    assert_eq!(found["unread"], 2);
    let shown = anna.run(["notifications", "list", "--unread"]).ok().stdout.clone();
    assert!(shown.contains("you have the role admin in acme") && shown.contains("access-changed"), "{shown}");
    let left = anna.run(["notifications", "read", "1"]).ok().stdout.clone();
    assert_eq!(left, "1 not read\n");
    anna.run(["notifications", "read", "--all"]).ok();
    let shown = anna.run(["notifications", "list", "--unread"]).ok().stdout.clone();
    assert_eq!(shown, "nothing that you have not read\n");
    anna.run(["notifications", "read"]).fails(2);
    anna.run(["notifications", "read", "1", "--all"]).fails(2);

    let change = [
        "notifications",
        "preferences",
        "skill-rated",
        "finding",
        "--mail",
        "off",
        "--webhook",
        "off",
        "--json",
    ];
    let all = anna.run(change).ok().json();
    let rated =
        all["preferences"].as_array().unwrap().iter().find(|one| one["kind"] == "skill-rated").unwrap();
    assert_eq!(
        (&rated["page"], &rated["mail"], &rated["webhook"]),
        (&true.into(), &"off".into(), &false.into())
    );
    let shown = anna.run(["notifications", "preferences"]).ok().stderr.clone();
    assert_eq!(shown, "no mail is sent to you: this registry sends none\n");
    snapshot!("notifications-too-many", anna.run(["notifications", "list", "--limit", "1000"]).fails(2));
    anna.run(["notifications", "preferences", "nothing"]).fails(2);
    anna.run(["notifications", "preferences", "finding"]).fails(2);
    let shown = anna.run(["notifications", "email"]).ok().stdout.clone();
    assert_eq!(shown, "this registry sends no mail\n");
    anna.run(["notifications", "email", "set", "anna@example.org"]).fails(4);

    let webhook = |arguments: &[&str]| anna.run(["notifications", "webhook"].iter().chain(arguments));
    webhook(&["add", "https://127.0.0.1/"]).fails(2);
    let add =
        ["add", "https://hooks.example.org/x", "--namespace", "acme", "--kind", "approval-asked", "--json"];
    let made = webhook(&add).ok().reveals().json();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let id = made["id"].as_str().unwrap();
    let shown = webhook(&["list", "--namespace", "acme"]).ok().stdout.clone();
    assert!(shown.contains(id) && shown.contains("https://hooks.example.org/x"), "{shown}");
    assert_eq!(webhook(&["list"]).ok().stdout, "no webhooks\n");
    assert!(webhook(&["disable", id]).ok().stdout.contains("off"));
    assert!(webhook(&["enable", id]).ok().stdout.contains("on"));
    assert_eq!(webhook(&["deliveries", id]).ok().stdout, "nothing was sent\n");
    assert_eq!(webhook(&["redeliver", id]).ok().stdout, "0 sent again\n");
    webhook(&["remove", id]).ok();
    webhook(&["remove", id]).fails(4);
}

#[test]
fn whose_mail_could_not_be_delivered_is_told_when_and_why() {
    let server = Server::start();
    let mut place = server.place();
    let state = serde_json::json!({
        "offered": true, "address": "ada@example.org", "confirmed_at": "2026-01-02T03:04:05Z",
        "unsubscribed_at": null, "pending": null,
        "undelivered": {
            "address": "ada@example.org", "at": "2026-02-03T04:05:06Z", "reason": "550 no such mailbox",
        },
    });
    let email = "/api/v1/notifications/email";
    place.set("REGISTRY_URL", &lying_registry(&server.url, email, state.to_string()));
    let shown = place.run(["notifications", "email"]).ok().stdout.clone();
    let told = "not delivered to ada@example.org, 2026-02-03 04:05: 550 no such mailbox\n";
    assert!(shown.contains(told), "{shown}");
}

#[test]
fn why_no_mail_is_sent_is_left_out_only_where_it_may_not_be_asked() {
    let server = Server::start();
    let admin = server.place();
    admin.run(["user", "create", "anna"]).ok();
    let token = |more: &[&str]| {
        let create = ["token", "create", "--user", "anna", "--scope", "read", "--json"];
        let made = admin.run(create.iter().chain(more)).ok().reveals().json();
        made["token"].as_str().unwrap().to_owned()
    };
    let preferences = ["notifications", "preferences"];
    let mut anna = server.place();
    for more in [&[][..], &["--scope", "admin", "--namespace", "acme"]] {
        anna.set("REGISTRY_TOKEN", &token(more));
        let shown = anna.run(preferences).ok();
        assert!(
            shown.stdout.contains("skill-rated") && shown.stderr.is_empty(),
            "{more:?}: {}",
            shown.stderr
        );
    }
    let email = "/api/v1/notifications/email";
    anna.set("REGISTRY_TOKEN", &server.admin_token);
    anna.set("REGISTRY_URL", &lying_registry(&server.url, email, "no answer".to_owned()));
    assert!(anna.run(preferences).fails(5).stderr.contains("something else may answer there"));
}
