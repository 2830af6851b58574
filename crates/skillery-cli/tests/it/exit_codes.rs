//! Each exit code, and bad input that must be told clearly. Both forms: for people and for programs.

use crate::support::{Place, Server, VALIDATOR, snapshot};

#[test]
fn wrong_usage_is_2() {
    let server = Server::start();
    let place = server.place();
    place.write("skill.py", VALIDATOR);
    place.write("empty.py", "");
    place.write("latin1.py", b"x = '\xe9'\n");
    place.write("nul.py", "x = 1\0\n");
    place.write("Bad Name.py", VALIDATOR);
    let version = ["--version", "1.0.0"];
    let cases: &[(&str, &[&str])] = &[
        ("unknown-command", &["instal"]),
        ("unknown-option", &["search", "--colour"]),
        ("bad-id", &["info", "acme/../passwd"]),
        ("id-without-org", &["info", "email_validator"]),
        ("id-with-capital", &["install", "acme/Email"]),
        ("reserved-name", &["info", "acme/download"]),
        ("bad-version", &["yank", "acme/x", "1.0"]),
        ("bad-range", &["install", "acme/x@one"]),
        ("rating-too-high", &["rate", "acme/x", "6"]),
        ("rating-zero", &["rate", "acme/x", "0"]),
        ("rating-negative", &["rate", "acme/x", "-1"]),
        ("rating-nan", &["rate", "acme/x", "NaN"]),
        ("rating-missing", &["rate", "acme/x"]),
        ("limit-too-high", &["search", "--limit", "201"]),
        ("bad-sort", &["search", "--sort", "age"]),
        ("bad-role", &["org", "set-member", "acme", "alice", "king"]),
        ("bad-scope", &["token", "create", "--scope", "write"]),
        ("bad-registry", &["search", "--registry", "ftp://example.com"]),
        ("registry-with-password", &["search", "--registry", "http://user:hunter2@example.com"]),
        ("bad-color", &["list", "--color", "sometimes"]),
        ("quiet-and-verbose", &["list", "-q", "-v"]),
        ("publish-empty", &["publish", "empty.py", "--org", "acme", version[0], version[1]]),
        ("publish-not-utf8", &["publish", "latin1.py", "--org", "acme", version[0], version[1]]),
        ("publish-nul", &["publish", "nul.py", "--org", "acme", version[0], version[1]]),
        ("publish-bad-file-name", &["publish", "Bad Name.py", "--org", "acme", version[0], version[1]]),
        ("publish-no-namespace", &["publish", "skill.py", version[0], version[1]]),
        ("publish-no-version", &["publish", "skill.py", "--org", "acme"]),
        (
            "publish-bad-tag",
            &["publish", "skill.py", "--org", "acme", version[0], version[1], "--tag", "\u{1b}[31m"],
        ),
        (
            "publish-no-variable",
            &["publish", "skill.py", "--org", "acme", version[0], version[1], "--sign-secret-env", "NOT_SET"],
        ),
    ];
    for (name, arguments) in cases {
        let run = snapshot!(*name, place.run(*arguments).fails(2));
        assert!(!run.stderr.contains("hunter2"), "{name}");
        let run = place.run(arguments.iter().chain(&["--json"])).fails(2);
        assert_eq!(run.stdout, "", "{name}");
        let error = run.error();
        assert!(
            !error["code"].as_str().unwrap().is_empty() && !error["message"].as_str().unwrap().is_empty()
        );
    }
}

#[test]
fn not_allowed_is_3() {
    let server = Server::start();
    let admin = server.place();
    admin.publish("acme/x", "1.0.0");

    let mut stranger = server.place();
    stranger.unset("REGISTRY_TOKEN");
    stranger.write("skill.py", VALIDATOR);
    let publish = ["publish", "skill.py", "--org", "acme", "--version", "1.0.0"];
    snapshot!("publish-without-token", stranger.run(publish).fails(3));
    snapshot!("rate-without-token", stranger.run(["rate", "acme/x", "5"]).fails(3));
    snapshot!("whoami-without-token", stranger.run(["whoami"]).fails(3));
    stranger.set("REGISTRY_TOKEN", "no-such-token-0123456789abcdefghijklmn");
    snapshot!("unknown-token", stranger.run(["whoami"]).fails(3));
    snapshot!("unknown-token-json", stranger.run(["whoami", "--json"]).fails(3));
}

#[test]
fn not_found_is_4() {
    let server = Server::start();
    let place = server.place();
    place.publish("acme/x", "1.0.0");
    for (name, arguments) in [
        ("no-such-skill", vec!["info", "acme/nothing"]),
        ("no-such-skill-json", vec!["info", "acme/nothing", "--json"]),
        ("no-such-version", vec!["info", "acme/x", "--version", "9.9.9"]),
        ("no-such-skill-to-install", vec!["install", "acme/nothing"]),
        ("no-such-skill-to-rate", vec!["rate", "acme/nothing", "5"]),
        ("no-such-org", vec!["org", "show", "nobody"]),
        ("no-such-user", vec!["user", "disable", "nobody"]),
        ("no-such-token", vec!["token", "revoke", "nothing"]),
        ("no-such-file", vec!["publish", "nothing.py", "--org", "acme", "--version", "1.0.0"]),
        ("no-such-workflow", vec!["workflow", "run", "nothing.json"]),
    ] {
        snapshot!(name, place.run(arguments).fails(4));
    }
}

#[test]
fn other_bytes_under_a_version_are_refused() {
    let server = Server::start();
    let place = server.place();
    place.publish("acme/x", "1.0.0");
    place.write("other.py", "def x():\n    return 1\n");
    let publish = ["publish", "other.py", "--id", "acme/x", "--version", "1.0.0"];
    snapshot!("version-exists", place.run(publish).fails(2));
}

#[test]
fn an_unreachable_registry_is_5() {
    let mut place = Place::new();
    // Nothing listens on the discard port.
    place.set("REGISTRY_URL", "http://127.0.0.1:9");
    place.set("REGISTRY_TOKEN", "any-token");
    snapshot!("unreachable", place.run(["search"]).fails(5));
    let error = place.run(["search", "--json"]).fails(5).error();
    assert_eq!(error["code"], "registry-unreachable");
    snapshot!("unreachable-install", place.run(["install", "acme/x"]).fails(5));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    use std::process::Stdio;

    let place = Place::new();
    let mut child = place.command(["openapi"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    place.finish(child).ok();
}
