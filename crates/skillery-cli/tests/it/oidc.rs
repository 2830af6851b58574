//! Publishing from builds, and signing in with an account elsewhere.

use std::io::{BufRead, BufReader};

use serde_json::json;
use tempfile::TempDir;

use crate::oidc_provider::{Provider, REQUEST_TOKEN, build};
use crate::support::{Place, Server, VALIDATOR, snapshot};

const AUDIENCE: &str = "http://127.0.0.1";

/// A registry that takes the provider's tokens, for builds of GitHub and for people.
fn start(provider: &Provider) -> Server {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("skillery.toml");
    let url = &provider.url;
    let settings = format!(
        "[[oidc_issuers]]\nissuer = '{url}'\nkind = 'github'\naudience = '{AUDIENCE}'\nalgorithm = 'ES256'\n\
         [oidc_login]\nissuer = '{url}'\nclient_id = 'skillery'\nalgorithm = 'ES256'\ncreate_users = true\n"
    );
    std::fs::write(&file, settings).unwrap();
    Server::start_with(&["--config", file.to_str().unwrap()])
}

/// A place of a build: without a token, and with what GitHub gives it.
fn of_a_build(server: &Server, provider: &Provider) -> Place {
    let mut place = server.place();
    place.unset("REGISTRY_TOKEN");
    place.replace(&provider.url, "[PROVIDER]");
    place.set("ACTIONS_ID_TOKEN_REQUEST_URL", &format!("{}/github?version=2", provider.url));
    place.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN);
    place.write("skill.py", VALIDATOR);
    place
}

#[test]
fn a_build_publishes_without_a_token() {
    let provider = Provider::start();
    let server = start(&provider);
    let mut admin = server.place();
    admin.replace(&provider.url, "[PROVIDER]");
    admin.run(["org", "create", "acme"]).ok();
    snapshot!("publisher-list-nothing", admin.run(["org", "publisher", "list", "acme"]).ok());
    let build_place = of_a_build(&server, &provider);
    let publish = ["publish", "skill.py", "--org", "acme", "--version", "1.0.0"];
    snapshot!("publish-not-trusted", build_place.run(publish).fails(3));
    let add = ["org", "publisher", "add", "acme", "--github", "octo/tools", "--owner-id", "65"];
    snapshot!("publisher-add-no-workflow", admin.run(add).fails(2));
    let add = add.into_iter().chain(["--workflow", "release.yml", "--ref", "protected"]);
    let mut json = admin.run(add.clone().chain(["--json"])).ok().json();
    let id = json["id"].as_str().unwrap().to_owned();
    for name in ["id", "user", "created_at", "issuer"] {
        json[name] = json!("[VARIES]");
    }
    insta::assert_json_snapshot!("json-publisher-add", json);
    snapshot!("publisher-add-again", admin.run(add).fails(2));
    let list = admin.run(["org", "publisher", "list", "acme"]).ok();
    assert!(
        list.stdout.contains(&id) && list.stdout.contains("octo/tools") && list.stdout.contains("protected")
    );

    snapshot!("publish-trusted", build_place.run(publish).ok());
    // It asked for a token that is for this registry.
    let asked = provider.asked();
    assert!(asked.contains(&"/github?version=2&audience=http%3A%2F%2F127.0.0.1".to_owned()), "{asked:?}");
    let log = admin.run(["log", "list", "--limit", "200", "--json"]).ok();
    let via = format!("oidc:{}|octo/tools/release.yml@refs/heads/main|run 4711|sha 0fe1", provider.url);
    assert!(log.stdout.contains(&via), "{}", log.stdout);

    // The token of GitLab, or whoever's, from a variable; each is good once.
    let mut variable = server.place();
    variable.unset("REGISTRY_TOKEN");
    variable.replace(&provider.url, "[PROVIDER]");
    variable.write("skill.py", VALIDATOR);
    let publish = ["publish", "skill.py", "--org", "acme", "--version", "1.0.1", "--trusted"];
    snapshot!("publish-no-identity", variable.run(publish).fails(3));
    let token = provider.token(build(AUDIENCE));
    variable.set("MY_TOKEN", &token);
    let named = publish.into_iter().chain(["--oidc-token-env", "MY_TOKEN"]);
    variable.run(named.clone()).ok();
    let replayed = variable.run(named).fails(3);
    assert!(!format!("{}{}", replayed.stdout, replayed.stderr).contains(&token));
    snapshot!("publish-replayed", replayed);
    // One that is for somebody else is not asked for because the registry wants it, and not taken either.
    let other = ["publish", "skill.py", "--org", "acme", "--version", "1.0.2", "--oidc-audience", "sigstore"];
    snapshot!("publish-other-audience", build_place.run(other).fails(3));

    let remove = ["org", "publisher", "remove", "acme", &id];
    snapshot!("publisher-remove", admin.run(remove).ok());
    snapshot!("publisher-remove-again", admin.run(remove).fails(4));
    let publish = ["publish", "skill.py", "--org", "acme", "--version", "1.0.3"];
    build_place.run(publish).fails(3);
}

#[test]
fn a_person_signs_in_with_a_browser() {
    let provider = Provider::start();
    let server = start(&provider);
    let mut place = server.place();
    place.unset("REGISTRY_TOKEN");
    place.replace(&provider.url, "[PROVIDER]");
    let mut child = place.command(["login", "--oidc", "--scope", "read"]).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut lines = [String::new(), String::new()];
    for line in &mut lines {
        stderr.read_line(line).unwrap();
    }
    assert_eq!(lines[0], format!("open    {}/go\n", provider.url));
    assert_eq!(lines[1], "enter   WDJB-MJHT\n");
    provider.sign_in(json!({ "aud": "skillery", "sub": "1", "preferred_username": "anna" }));
    snapshot!("login-oidc", place.finish(child).ok());
    place.unset("REGISTRY_URL");
    let who = place.run(["whoami", "--json"]).ok().json();
    assert_eq!((&who["user"], &who["token"]["scopes"]), (&json!("anna"), &json!(["read"])));

    // Who is switched off stays out; an admin links users with accounts.
    let mut admin = server.place();
    admin.replace(&provider.url, "[PROVIDER]");
    snapshot!("user-link", admin.run(["user", "link", "anna", "1"]).ok());
    snapshot!("user-link-taken", admin.run(["user", "link", "admin", "1"]).fails(2));
    admin.run(["user", "disable", "anna"]).ok();
    place.set("REGISTRY_URL", &server.url);
    snapshot!("login-oidc-disabled", place.run(["login", "--oidc", "--json"]).fails(3));
    let plain = Server::start();
    snapshot!("login-oidc-not-offered", plain.place().run(["login", "--oidc"]).fails(4));
}
