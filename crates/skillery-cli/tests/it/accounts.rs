//! Orgs, members, tokens and users.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{SECRET, Server, VALIDATOR, snapshot};

/// What a browser gets that asks for this path.
fn page(server: &Server, path: &str) -> String {
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: text/html\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_browser_is_signed_in_by_a_link() {
    let server = Server::start();
    let place = server.place();
    let opened = place.run(["open", "acme/skill", "--print", "--json"]).ok().reveals();
    let url = opened.json()["url"].as_str().unwrap().to_owned();
    assert!(url.contains("/login?code=") && url.ends_with("&next=%2Facme%2Fskill"), "{url}");
    // What a browser would see of it.
    let page = page(&server, url.strip_prefix(&server.url).unwrap());
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("Sign in as admin"), "{page}");
    assert!(page.contains("name=\"next\" value=\"/acme/skill\""), "{page}");
    // Nothing is opened where nobody looks.
    let opened = place.run(["open"]).ok().reveals();
    let text = &opened.stdout;
    assert!(
        text.contains("/login?code=") && text.contains("works until") && !text.contains("opened"),
        "{text}"
    );
}

#[test]
fn a_user_gets_a_token_and_a_role() {
    let server = Server::start();
    let admin = server.place();
    snapshot!("org-list-nothing", admin.run(["org", "list"]).ok());
    snapshot!("user-create", admin.run(["user", "create", "alice"]).ok());
    snapshot!("user-create-again", admin.run(["user", "create", "alice"]).fails(2));
    let create =
        ["token", "create", "--user", "alice", "--label", "laptop", "--scope", "read", "--scope", "publish"];
    let created = admin.run(create.iter().chain(&["--json"])).ok().reveals();
    let token = created.json()["token"].as_str().unwrap().to_owned();
    snapshot!("token-create", admin.run(create).ok().reveals());
    snapshot!("token-list", admin.run(["token", "list", "--user", "alice"]).ok());

    let mut alice = server.place();
    alice.set("REGISTRY_TOKEN", &token);
    alice.write("skill.py", VALIDATOR);
    snapshot!("whoami-alice", alice.run(["whoami"]).ok());
    snapshot!("org-create", admin.run(["org", "create", "acme"]).ok());
    let publish = ["publish", "skill.py", "--org", "acme", "--version", "1.0.0"];
    snapshot!("publish-no-role", alice.run(publish).fails(3));
    snapshot!("set-member", admin.run(["org", "set-member", "acme", "alice", "publisher"]).ok());
    alice.run(publish).ok();
    snapshot!("rate-no-scope", alice.run(["rate", "acme/skill", "5"]).fails(3));
    snapshot!("members", admin.run(["org", "members", "acme"]).ok());
    snapshot!("org-show", admin.run(["org", "show", "acme"]).ok());
    snapshot!("org-list", admin.run(["org", "list"]).ok());
    snapshot!("remove-member", admin.run(["org", "remove-member", "acme", "alice"]).ok());
    snapshot!("remove-member-again", admin.run(["org", "remove-member", "acme", "alice"]).fails(4));
    snapshot!("user-list", admin.run(["user", "list"]).ok());
    snapshot!("user-disable", admin.run(["user", "disable", "alice"]).ok());
    alice.run(["whoami"]).fails(3);
    snapshot!("user-enable", admin.run(["user", "enable", "alice"]).ok());
    alice.run(["whoami"]).ok();

    let tokens = admin.run(["token", "list", "--user", "alice", "--json"]).ok().json();
    for token in tokens["tokens"].as_array().unwrap() {
        snapshot!("token-revoke", admin.run(["token", "revoke", token["id"].as_str().unwrap()]).ok());
    }
    snapshot!("whoami-revoked", alice.run(["whoami"]).fails(3));
}

#[test]
fn an_org_registers_its_signing_secret() {
    let server = Server::start();
    let place = server.place();
    place.run(["org", "create", "acme"]).ok();
    let set = ["org", "signing-secret", "set", "acme", "--secret-stdin"];
    snapshot!("signing-secret-set", place.run_with_input(set, &format!("{SECRET}\n")).ok());
    assert!(place.run(["org", "show", "acme", "--json"]).ok().json()["signing_secret"].as_bool().unwrap());
    snapshot!("signing-secret-remove", place.run(["org", "signing-secret", "remove", "acme"]).ok());
    snapshot!("json-signing-secret-set", place.run_with_input(set.iter().chain(&["--json"]), SECRET).ok());
    let remove = ["org", "signing-secret", "remove", "acme", "--json"];
    snapshot!("json-signing-secret-remove", place.run(remove).ok());
    let add = ["key", "add", "other", "--secret-stdin", "--json"];
    snapshot!("json-key-add", place.run_with_input(add, SECRET).ok());
    snapshot!("json-key-remove", place.run(["key", "remove", "other", "--json"]).ok());
    let file = place.home().join("keys.toml");
    assert!(std::fs::read_to_string(&file).unwrap().contains(SECRET));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn results_for_programs() {
    let server = Server::start();
    let place = server.place();
    let runs: &[(&str, &[&str])] = &[
        ("json-org-create", &["org", "create", "acme"]),
        ("json-org-show", &["org", "show", "acme"]),
        ("json-org-list", &["org", "list"]),
        ("json-user-create", &["user", "create", "bob"]),
        ("json-user-list", &["user", "list"]),
        ("json-set-member", &["org", "set-member", "acme", "bob", "reader"]),
        ("json-members", &["org", "members", "acme"]),
        ("json-remove-member", &["org", "remove-member", "acme", "bob"]),
        ("json-user-disable", &["user", "disable", "bob"]),
        ("json-user-enable", &["user", "enable", "bob"]),
        ("json-token-list", &["token", "list"]),
        ("json-token-create", &["token", "create", "--label", "ci", "--service", "--namespace", "acme"]),
        ("json-key-list", &["key", "list"]),
    ];
    for (name, arguments) in runs {
        let run = place.run(arguments.iter().chain(&["--json"])).ok();
        let run = if *name == "json-token-create" { run.reveals() } else { run };
        run.json();
        snapshot!(*name, run);
    }
}
