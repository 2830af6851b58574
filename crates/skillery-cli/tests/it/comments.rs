//! What people say of skills, and what moderators do about it.

use crate::support::{Place, Server, snapshot};

const ID: &str = "acme/email_validator";

fn person(server: &Server, admin: &Place, name: &str, scopes: &[&str]) -> Place {
    admin.run(["user", "create", name]).ok();
    let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
    let create = ["token", "create", "--user", name, "--json"].into_iter().chain(scopes);
    let created = admin.run(create).ok().reveals();
    let mut place = server.place();
    place.set("REGISTRY_TOKEN", created.json()["token"].as_str().unwrap());
    place
}

/// The end of an id, as it is shown.
fn short(id: &str) -> &str {
    &id[id.len() - 8..]
}

#[test]
fn a_thread_is_written_changed_hidden_and_reported() {
    let server = Server::start();
    let admin = server.place();
    admin.publish(ID, "1.0.0");
    let (anna, bert) = (
        person(&server, &admin, "anna", &["read", "rate"]),
        person(&server, &admin, "bert", &["read", "rate"]),
    );
    let mut stranger = server.place();
    stranger.unset("REGISTRY_TOKEN");
    snapshot!("list-nothing", stranger.run(["comments", "list", ID]).ok());
    stranger.run(["comments", "add", ID, "x"]).fails(3);
    let said = anna.run(["comments", "add", ID, "Works in Cyrillic?", "--json"]).ok().json();
    let thread = said["id"].as_str().unwrap().to_owned();
    for number in 0..5 {
        bert.run(["comments", "reply", ID, short(&thread), &format!("Answer {number}")]).ok();
    }
    let listed = stranger.run(["comments", "list", ID]).ok();
    assert!(
        listed.stdout.contains("Works in Cyrillic?") && listed.stdout.contains("Answer 2"),
        "{}",
        listed.stdout
    );
    assert!(
        listed.stdout.contains("2 more; all with") && !listed.stdout.contains("Answer 3"),
        "{}",
        listed.stdout
    );
    let all = stranger.run(["comments", "list", ID, "--thread", short(&thread), "--json"]).ok().json();
    assert_eq!(all["total"], 5);
    // The last answer stands in no list of threads, and is found all the same.
    let last = all["comments"][4]["id"].as_str().unwrap().to_owned();
    snapshot!("json-edit", bert.run(["comments", "edit", ID, short(&last), "Better", "--json"]).ok());
    anna.run(["comments", "edit", ID, short(&last), "Mine"]).fails(3);
    let history = admin.run(["comments", "history", ID, short(&last)]).ok();
    assert!(history.stdout.contains("Answer 4") && !history.stdout.contains("Better"), "{}", history.stdout);
    snapshot!("history-no-admin", bert.run(["comments", "history", ID, short(&last)]).fails(3));
    bert.run(["comments", "delete", ID, short(&last)]).ok();
    snapshot!("no-such-comment", anna.run(["comments", "reply", ID, "zzzzzzzz", "x"]).fails(4));
    anna.run(["comments", "hide", ID, short(&thread)]).fails(2);
    let hide = ["comments", "hide", ID, &thread];
    snapshot!("json-hide", admin.run(hide.iter().copied().chain(["--reason", "advertising", "--json"])).ok());
    assert!(!stranger.run(["comments", "list", ID]).ok().stdout.contains("Cyrillic"));
    assert!(anna.run(["comments", "list", ID]).ok().stdout.contains("hidden: advertising"));
    admin.run(hide.iter().copied().chain(["--undo"])).ok();

    snapshot!(
        "report",
        bert.run(["comments", "report", ID, &thread, "--reason", "spam", "--text", "look"]).ok()
    );
    snapshot!("report-again", bert.run(["comments", "report", ID, &thread, "--reason", "spam"]).fails(2));
    snapshot!("report-why", bert.run(["comments", "report", ID, &thread, "--reason", "boring"]).fails(2));
    snapshot!("report-skill", anna.run(["reports", "add", ID, "--reason", "malicious"]).ok());
    snapshot!("reports-no-admin", bert.run(["reports", "list"]).fails(3));
    let open = admin.run(["reports", "list", "--json"]).ok().json();
    assert_eq!((&open["total"], &open["reports"][0]["said"]), (&2.into(), &"Works in Cyrillic?".into()));
    snapshot!("reports-list", admin.run(["reports", "list"]).ok());
    let report = open["reports"][0]["id"].as_str().unwrap().to_owned();
    snapshot!("resolve", admin.run(["reports", "resolve", &report, "nothing to see"]).ok());
    snapshot!("resolve-again", admin.run(["reports", "resolve", &report, "nothing to see"]).fails(2));
    assert!(admin.run(["reports", "list", "--resolved"]).ok().stdout.contains("nothing to see"));
    snapshot!("json-reopen", admin.run(["reports", "reopen", &report, "--json"]).ok());
}

#[test]
fn a_report_about_a_skill_says_that_it_has_a_release_or_another_one_by_now() {
    let server = Server::start();
    let admin = server.place();
    admin.publish(ID, "1.0.0-beta");
    admin.publish("acme/other", "1.0.0");
    let anna = person(&server, &admin, "anna", &["read", "rate"]);
    let listed = |id: &str| {
        anna.run(["reports", "add", id, "--reason", "malicious"]).ok();
        admin.publish(id, "2.0.0");
        admin.run(["reports", "list"]).ok().stdout.clone()
    };
    let first = listed(ID);
    assert!(first.contains("it has a release by now") && !first.contains("says something else"), "{first}");
    let both = listed("acme/other");
    assert!(both.contains("that version is not the newest any more"), "{both}");
}

#[test]
fn what_a_report_was_before_is_listed_with_its_words() {
    let server = Server::start();
    let admin = server.place();
    admin.publish(ID, "1.0.0");
    let (anna, bert) = (
        person(&server, &admin, "anna", &["read", "rate"]),
        person(&server, &admin, "bert", &["read", "rate"]),
    );
    let said = anna.run(["comments", "add", ID, "Buy here", "--json"]).ok().json();
    let thread = said["id"].as_str().unwrap();
    bert.run(["comments", "report", ID, thread, "--reason", "spam", "--text", "it sells"]).ok();
    let open = admin.run(["reports", "list", "--json"]).ok().json();
    admin.run(["reports", "resolve", open["reports"][0]["id"].as_str().unwrap(), "no harm"]).ok();
    anna.run(["comments", "edit", ID, thread, "Buy there"]).ok();
    bert.run(["comments", "report", ID, thread, "--reason", "abuse", "--text", "it sells on"]).ok();
    let listed = admin.run(["reports", "list"]).ok().stdout.clone();
    let (now, before) = listed.split_once("reported before, ").unwrap();
    for text in ["abuse", "it sells on", "Buy there"] {
        assert!(now.contains(text), "{text}: {listed}");
    }
    for text in [
        "spam",
        "it sells\n",
        "Buy here",
        "Written by    anna",
        "Resolved by   admin",
        "Resolution    no harm",
    ] {
        assert!(before.contains(text), "{text}: {listed}");
    }
}

#[test]
fn reviews_are_answered_hidden_and_reported() {
    let server = Server::start();
    let admin = server.place();
    admin.publish(ID, "1.0.0");
    let anna = person(&server, &admin, "anna", &["read", "rate", "publish", "admin"]);
    snapshot!("answer-nobody", admin.run(["reviews", "answer", ID, "anna", "Thanks"]).fails(4));
    anna.run(["rate", ID, "2", "--review", "Slow"]).ok();
    snapshot!("answer-no-role", anna.run(["reviews", "answer", ID, "anna", "Thanks"]).fails(3));
    snapshot!("answer", admin.run(["reviews", "answer", ID, "anna", "Mended in 1.1\nThanks"]).ok());
    snapshot!("reviews", anna.run(["reviews", ID]).ok());
    snapshot!("json-answer-undo", admin.run(["reviews", "answer", ID, "anna", "--undo", "--json"]).ok());
    admin.run(["reviews", "answer", ID, "anna"]).fails(2);
    admin.run(["reviews", "hide", ID, "anna", "--reason", "names people"]).ok();
    snapshot!("reviews-hidden", anna.run(["reviews", ID]).ok());
    admin.run(["reviews", "hide", ID, "anna", "--undo"]).ok();
    anna.run(["reviews", "report", ID, "anna", "--reason", "abuse"]).ok();
    anna.run(["reviews", "report", ID, "anna", "--answer", "--reason", "abuse"]).fails(4);
    snapshot!("reviews-no-skill", anna.run(["reviews"]).fails(2));
}
