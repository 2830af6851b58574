//! The main job, as the guide tells it: publish, search, look, install, run, rate.

use crate::support::{Server, VALIDATOR, snapshot};
use crate::witnesses::lying_registry;

#[test]
fn publish_search_install_run_rate() {
    let server = Server::start();
    let place = server.place();
    place.write("email_validator.py", VALIDATOR);

    let publish = ["publish", "email_validator.py", "--org", "acme", "--version", "1.0.0", "--tag", "email"];
    snapshot!("publish", place.run(publish).ok());
    snapshot!("publish-again", place.run(publish).ok());
    snapshot!("search", place.run(["search", "email"]).ok());
    snapshot!("search-nothing", place.run(["search", "spreadsheet", "--tag", "office"]).ok());
    snapshot!("install", place.run(["install", "acme/email_validator@^1"]).ok());
    snapshot!("install-again", place.run(["install", "acme/email_validator@^1"]).ok());
    snapshot!("lock", place.run(["list"]).ok());
    snapshot!("verify", place.run(["verify"]).ok());

    place.write(
        "validate.json",
        r#"{"name": "validate_emails", "steps": [
            {"name": "validate", "skill": "email_validator", "inputs": {"email": "${email}"}}]}"#,
    );
    let workflow = ["workflow", "run", "validate.json", "--input", "email=a@example.com"];
    snapshot!("workflow", place.run(workflow).ok());

    let rate = ["rate", "acme/email_validator", "4.5", "--review", "Works great, fast validation"];
    snapshot!("rate", place.run(rate).ok());
    snapshot!("reviews", place.run(["reviews", "acme/email_validator"]).ok());
    place.wait_for_installs("acme/email_validator", 2);
    snapshot!("trending", place.run(["trending"]).ok());
    snapshot!("info", place.run(["info", "acme/email_validator"]).ok());
    snapshot!("remove", place.run(["remove", "acme/email_validator"]).ok());
    snapshot!("list-nothing", place.run(["list"]).ok());
}

#[test]
fn what_changed_is_said_with_a_version_and_shown() {
    let server = Server::start();
    let place = server.place();
    place.write("email_validator.py", VALIDATOR);
    let id = "acme/email_validator";
    let publish = |version: &'static str, more: &[&str]| {
        let usual = ["publish", "email_validator.py", "--org", "acme", "--version", version];
        place.run([&usual[..], more].concat())
    };
    // What hides something is refused before anything is published; what only this registry does not take is not said.
    let hidden = publish("1.0.0", &["--changelog", "Takes umlauts.\u{1b}[31m"]).fails(2);
    assert!(hidden.stderr.contains("the control character \\u{1b}, which nobody sees"), "{}", hidden.stderr);
    place.run(["info", id]).fails(4);
    let long = "x".repeat(4_097);
    let refused = publish("1.0.0", &["--changelog", &long]).fails(2);
    assert!(refused.stdout.contains("published acme/email_validator 1.0.0"), "{}", refused.stdout);
    assert!(refused.stderr.contains("what changed with it is not said"), "{}", refused.stderr);
    publish("1.0.0", &["--changelog", "Takes umlauts.\nAnd more."]).ok();
    let shown = place.run(["info", id]).ok().stdout.clone();
    let told = "\nwhat changed, as its publisher or an admin says\n  Takes umlauts.\n  And more.\n\nfiles\n";
    assert!(shown.contains(told), "{shown}");
    let shown = place.run(["info", id, "--version", "1.0.0", "--json"]).ok().json();
    assert_eq!(shown["version"]["changelog"], "Takes umlauts.\nAnd more.");
    // Of what is handed out it is said once.
    publish("1.0.0", &["--changelog", "Takes umlauts.\nAnd more.\n"]).ok();
    let again = publish("1.0.0", &["--changelog", "Takes nothing."]).fails(2);
    assert!(again.stderr.contains("is said, and it is published"), "{}", again.stderr);
    // It can be said later, and stand in a file.
    publish("1.1.0", &[]).ok();
    assert!(!place.run(["info", id]).ok().stdout.contains("what changed"));
    place.write("changes.txt", "\u{feff}Is faster.\r\n");
    place.write("nothing.txt", " \n");
    publish("1.1.0", &["--changelog-file", "changes.txt"]).ok();
    assert!(place.run(["info", id]).ok().stdout.contains("\n  Is faster.\n"));
    for wrong in [
        &["--changelog-file", "nothing.txt"][..],
        &["--changelog", " "],
        &["--changelog", "x", "--changelog-file", "changes.txt"],
    ] {
        publish("1.2.0", wrong).fails(2);
    }
    publish("1.2.0", &["--changelog-file", "none.txt"]).fails(4);
    place.run(["info", id, "--version", "1.2.0"]).fails(4);
}

#[test]
fn results_for_programs() {
    let server = Server::start();
    let place = server.place();
    place.write("email_validator.py", VALIDATOR);
    place.write(
        "validate.json",
        r#"{"name": "validate_emails", "steps": [
            {"name": "validate", "skill": "acme/email_validator@1", "inputs": {"email": "${email}"}}]}"#,
    );
    let id = "acme/email_validator";
    let runs: &[(&str, &[&str])] = &[
        ("json-publish", &["publish", "email_validator.py", "--org", "acme", "--version", "1.0.0"]),
        ("json-search", &["search", "email"]),
        ("json-info", &["info", id]),
        ("json-install", &["install", id]),
        ("json-list", &["list"]),
        ("json-verify", &["verify"]),
        ("json-update", &["update"]),
        ("json-workflow-validate", &["workflow", "validate", "validate.json"]),
        ("json-workflow-run", &["workflow", "run", "validate.json", "--input", "email=a@example.com"]),
        ("json-rate", &["rate", id, "4.5"]),
        ("json-reviews", &["reviews", id]),
        ("json-rate-undo", &["rate", id, "--undo"]),
        ("json-trending", &["trending"]),
        ("json-yank", &["yank", id, "1.0.0", "--reason", "too strict"]),
        ("json-yank-undo", &["yank", id, "1.0.0", "--undo"]),
        ("json-whoami", &["whoami"]),
        ("json-remove", &["remove", id]),
    ];
    for (name, arguments) in runs {
        if *name == "json-trending" {
            place.wait_for_installs(id, 1);
        }
        let run = place.run(arguments.iter().chain(&["--json"])).ok();
        run.json();
        assert_eq!(run.stderr, "", "{name}");
        snapshot!(*name, run);
    }
}

#[test]
fn more_than_one_page() {
    let server = Server::start();
    let place = server.place();
    for name in ["one", "two", "three"] {
        place.publish(&format!("acme/{name}"), "1.0.0");
    }
    snapshot!("first-page", place.run(["search", "--sort", "name", "--limit", "2"]).ok());
    snapshot!("last-page", place.run(["search", "--sort", "name", "--limit", "2", "--offset", "2"]).ok());
    snapshot!("behind-the-last-page", place.run(["search", "--offset", "20"]).ok());
    snapshot!("quiet", place.run(["search", "--sort", "name", "--limit", "2", "--quiet"]).ok());
}

#[test]
fn what_a_search_can_be_narrowed_down_by() {
    let server = Server::start();
    let place = server.place();
    for id in ["acme/one", "acme/text/two", "other/three"] {
        place.publish(id, "1.0.0");
    }
    snapshot!("facets", place.run(["search", "--facets"]).ok());
    snapshot!("facets-cut", place.run(["search", "--org", "acme", "--facets", "--limit", "1"]).ok());
    snapshot!("facets-json", place.run(["search", "three", "--facets", "--json"]).ok());
    snapshot!("facets-nothing", place.run(["search", "spreadsheet", "--facets"]).ok());
    let found =
        |name: &str| place.run(["search", "--publisher", name, "--json"]).ok().json()["total"].as_u64();
    assert_eq!((found("admin"), found("nobody")), (Some(3), Some(0)));
    let facets = |name: &str| {
        let facets = place.run(["search", "--publisher", name, "--facets", "--json"]).ok().json();
        facets["namespaces"].as_array().unwrap().len()
    };
    assert_eq!((facets("admin"), facets("nobody")), (3, 0));
    place.run(["search", "--facets", "--sort", "name"]).fails(2);
    // Where the most was asked for, nothing is advised.
    let cut = r#"{"tags": [{"name": "email", "count": 1}], "namespaces": [], "truncated": true}"#;
    let lying = lying_registry(&server.url, "/api/v1/facets?limit=200", cut.to_owned());
    let most = place.run(["search", "--facets", "--limit", "200", "--registry", &lying]).ok();
    assert_eq!(most.stderr, "there are more\n");
}

#[test]
fn signed_skills() {
    use crate::support::SECRET;

    let server = Server::start();
    let mut place = server.place();
    place.set("REGISTRY_VERIFY_SIGNATURE", "true");
    place.set("ACME_SECRET", SECRET);
    place.write("signed.py", VALIDATOR);
    place.publish("acme/unsigned", "1.0.0");
    let publish =
        ["publish", "signed.py", "--org", "acme", "--version", "1.0.0", "--sign-secret-env", "ACME_SECRET"];
    snapshot!("signed-publish", place.run(publish).ok());
    snapshot!("signed-install", place.run(["install", "acme/signed"]).ok());
    snapshot!("unsigned-install", place.run(["install", "acme/unsigned"]).fails(1));
    assert!(place.run(["info", "acme/signed"]).ok().stdout.contains("legacy-integrity-only"));

    // A stranger has to get the secret from the org.
    let mut stranger = server.place();
    stranger.unset("REGISTRY_TOKEN");
    stranger.set("REGISTRY_VERIFY_SIGNATURE", "true");
    snapshot!("stranger-install", stranger.run(["install", "acme/signed"]).fails(1));
    snapshot!("key-add", stranger.run_with_input(["key", "add", "acme", "--secret-stdin"], SECRET).ok());
    snapshot!("key-list", stranger.run(["key", "list"]).ok());
    stranger.run(["install", "acme/signed"]).ok();
    snapshot!("key-remove", stranger.run(["key", "remove", "acme"]).ok());
    snapshot!("key-remove-again", stranger.run(["key", "remove", "acme"]).fails(4));
    stranger.run_with_input(["key", "add", "acme", "--secret-stdin"], "another secret").ok();
    snapshot!("wrong-secret", stranger.run(["install", "acme/signed", "--no-lock"]).fails(1));
}
