//! The search of `skills find`, and the lines to type.

use axum::http::Method;
use serde_json::{Value, json};

use super::basic;
use crate::tests::{ADMIN, TestApp};

fn ids(found: &Value) -> Vec<&str> {
    found["skills"].as_array().unwrap().iter().map(|skill| skill["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_can_be_pasted() {
    let app = TestApp::new().await;
    app.publish("acme/email_validator", "1.0.0").await;
    app.publish_seen_by("acme/secret_validator", "1.0.0", "private").await;
    app.publish("other/email", "1.0.0").await;
    app.get("/api/v1/skills/acme/email_validator/download").await.is(200);
    app.settle().await;
    for path in
        ["/api/search?q=email+validator&owner=acme&limit=10", "//api/search?q=email+validator&owner=acme"]
    {
        let found = app.look(path).await.is(200);
        assert_eq!(
            found["skills"],
            json!([{
                "id": "acme/email_validator", "skillId": "email-validator", "name": "email-validator",
                "source": "http://skills.example:8700/acme/email_validator", "installs": 1,
            }])
        );
        assert_eq!((&found["query"], &found["count"]), (&json!("email validator"), &json!(1)));
        assert!(found["searchType"].is_string() && found["duration_ms"].is_u64());
        // The program prints `<source>@<name>`.
        let scope = found["skills"][0]["source"]
            .as_str()
            .unwrap()
            .strip_prefix("http://skills.example:8700")
            .unwrap();
        let pasted = format!("{scope}@email-validator/.well-known/agent-skills/index.json");
        assert_eq!(app.look(&pasted).await.is(200)["skills"][0]["name"], "email-validator");
    }
    let hidden = app.look("/api/search?q=validator&owner=acme").await.is(200);
    assert_eq!((ids(&hidden), &hidden["count"]), (vec!["acme/email_validator"], &json!(1)));
    let headers = &[("authorization", &*basic(ADMIN))];
    assert_eq!(
        ids(&app.ask(Method::GET, "/api/search?q=validator&owner=acme", headers).await.is(200)).len(),
        2
    );
    let owned = app.look("/api/search?q=email&owner=other").await.is(200);
    assert_eq!(ids(&owned), ["other/email"]);
    assert_eq!(ids(&app.look("/api/search").await.is(200)), ["acme/email_validator", "other/email"]);
    assert_eq!(app.look("/api/search?q=nothing-of-it").await.is(200)["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_are_refused() {
    let app = TestApp::new().await;
    for query in
        ["limit=x", "limit=-1", "limit=201", "owner=../x", "owner=A", &format!("q={}", "x".repeat(257))]
    {
        app.look(&format!("/api/search?{query}")).await.fails(400, "invalid-parameter");
    }
    for host in ["a$(x)", "a;b", "a'b", "a/b", "user@host"] {
        let request = axum::http::Request::builder().uri("/api/search").header("host", host);
        let answer = app.send(request.body(axum::body::Body::empty()).unwrap()).await;
        answer.fails(400, "invalid-parameter");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_program_takes_for_another_host_are_not_offered() {
    let app = TestApp::new().await;
    app.publish("acme/github.com/evil/repo", "1.0.0").await;
    app.publish("my-gitlab.com/tool", "1.0.0").await;
    app.publish("acme/github.com", "1.0.0").await;
    assert_eq!(ids(&app.look("/api/search").await.is(200)), ["acme/github.com"]);
    let lines = app.look("/api/v1/skills/my-gitlab.com/tool/install").await.is(200);
    assert!(lines["lines"].as_array().unwrap().iter().all(|line| line["client"] != "npx-skills"), "{lines}");
}

fn shown(answer: &Value) -> String {
    let mut text = format!("{} {} {}\n", answer["id"], answer["version"], answer["needs_token"]);
    for line in answer["lines"].as_array().unwrap() {
        text += &format!("{}: {}\n", line["client"].as_str().unwrap(), line["command"].as_str().unwrap());
        if let Some(note) = line["note"].as_str() {
            text += &format!("    {note}\n");
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_to_type() {
    let app = TestApp::new().await;
    app.publish("acme/email/my_tool", "1.0.0").await;
    app.publish_seen_by("acme/secret", "2.0.0", "private").await;
    let path = "/api/v1/skills/acme/email/my_tool/install";
    insta::assert_snapshot!("install-lines", shown(&app.look(path).await.is(200)));
    insta::assert_snapshot!(
        "install-lines-pinned",
        shown(&app.look(&format!("{path}?version=1.0.0")).await.is(200))
    );
    let headers = &[("authorization", &*format!("Bearer {ADMIN}"))];
    let private = app.ask(Method::GET, "/api/v1/skills/acme/secret/install?version=2.0.0", headers).await;
    let text = shown(&private.is(200));
    assert!(!text.contains(ADMIN));
    insta::assert_snapshot!("install-lines-private", text);
    app.look("/api/v1/skills/acme/secret/install").await.fails(404, "skill-not-found");
    app.look("/api/v1/skills/acme/nothing/install").await.fails(404, "skill-not-found");
    app.look(&format!("{path}?version=9.0.0")).await.fails(404, "version-not-found");
    app.look(&format!("{path}?version=%5E1")).await.fails(400, "invalid-version");
    app.mark("acme/email/my_tool", "1.0.0", "quarantine").await;
    app.look(&format!("{path}?version=1.0.0")).await.fails(403, "version-quarantined");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_of_what_is_switched_on_and_at_the_public_address() {
    let app = TestApp::with(|settings| {
        settings.public_url = Some("https://skills.example/registry/".parse().unwrap());
        settings.surfaces.git = false;
        settings.surfaces.clawhub = false;
    })
    .await;
    app.publish("acme/tool", "1.0.0").await;
    let answer = app.look("/api/v1/skills/acme/tool/install").await.is(200);
    let clients: Vec<_> =
        answer["lines"].as_array().unwrap().iter().map(|line| line["client"].as_str().unwrap()).collect();
    assert_eq!(
        clients,
        ["skillery", "python", "npx-skills", "claude-code", "opencode", "openapm", "mcp", "curl"]
    );
    assert!(shown(&answer).contains("npx skills add https://skills.example/registry/acme/tool\n"));
    let none = TestApp::with(|settings| {
        settings.surfaces.discovery = false;
        settings.surfaces.marketplace = false;
        settings.surfaces.git = false;
        settings.surfaces.clawhub = false;
        settings.surfaces.openapm = false;
    })
    .await;
    none.publish("acme/tool", "1.0.0").await;
    let answer = none.look("/api/v1/skills/acme/tool/install").await.is(200);
    assert_eq!(answer["lines"].as_array().unwrap().len(), 3, "{answer}");
}

/// What is printed is what the pages about each program say, word for word.
#[tokio::test(flavor = "multi_thread")]
async fn the_lines_are_those_of_the_documentation() {
    const PAGES: &[(&str, &str)] = &[
        ("skillery", "guide.md"),
        ("python", "guide.md"),
        ("npx-skills", "clients/npx-skills.md"),
        ("claude-code", "clients/marketplaces.md"),
        ("claude-code-git", "clients/marketplaces.md"),
        ("codex", "clients/marketplaces.md"),
        ("copilot", "clients/marketplaces.md"),
        ("gemini", "clients/gemini.md"),
        ("opencode", "clients/opencode.md"),
        ("openapm", "clients/openapm.md"),
        ("mcp", "clients/mcp.md"),
        ("clawhub", "clients/clawhub.md"),
        ("git", "clients/git.md"),
        ("curl", "clients.md"),
    ];
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    let page = |client: &str| {
        let (_, file) = PAGES.iter().find(|(known, _)| *known == client).unwrap();
        let text = std::fs::read_to_string(format!("{docs}/{file}")).unwrap();
        text.replace("1.0.0", "1.2.0")
            .replace("$B", "https://registry.example")
            .replace("http://127.0.0.1:8700", "https://registry.example")
    };
    let has = |page: &str, part: &str| {
        let ends = |rest: &str| rest.chars().next().is_none_or(|next| " \n`)".contains(next));
        page.match_indices(part).any(|(at, _)| ends(&page[at + part.len()..]))
    };
    let app = TestApp::with(|settings| {
        settings.public_url = Some("https://registry.example".parse().unwrap());
    })
    .await;
    app.publish("acme/tool", "1.2.0").await;
    app.publish("acme/email_validator", "1.2.0").await;
    app.publish_seen_by("acme/secret", "1.2.0", "private").await;
    for query in ["", "?version=1.2.0"] {
        let mut found = std::collections::BTreeMap::new();
        for id in ["acme/tool", "acme/email_validator"] {
            let answer = app.look(&format!("/api/v1/skills/{id}/install{query}")).await.is(200);
            for line in answer["lines"].as_array().unwrap() {
                let (client, command) = (line["client"].as_str().unwrap(), line["command"].as_str().unwrap());
                let page = page(client);
                // One or the other is the example of the page.
                let is_there = command.split(" && ").all(|part| has(&page, part));
                *found.entry(client.to_owned()).or_insert(false) |= is_there;
            }
        }
        let missing: Vec<_> = found.iter().filter(|(_, is_there)| !**is_there).collect();
        assert!(missing.is_empty() && found.len() == PAGES.len(), "{query}: {missing:?}");
    }
    let page_of_git = page("git");
    let headers = &[("authorization", &*format!("Bearer {ADMIN}"))];
    let answer = app.ask(Method::GET, "/api/v1/skills/acme/secret/install", headers).await.is(200);
    for line in answer["lines"].as_array().unwrap() {
        let (client, command) = (line["client"].as_str().unwrap(), line["command"].as_str().unwrap());
        let page = page(client);
        for part in command.split(" && ") {
            // How git gets a token is told in one place.
            let part = part.strip_prefix("DISABLE_TELEMETRY=1 ").unwrap_or(part);
            let (before, part) = match part.split_once("$SKILLERY_TOKEN\" ") {
                Some((before, part)) if before.starts_with("GIT_CONFIG") => (before, part),
                _ => ("", part),
            };
            assert!(page_of_git.contains(before), "{client}: {before}");
            let part = part.replace("acme/secret", "acme/tool").replace("secret", "tool");
            let of_validator =
                part.replace("acme/tool", "acme/email_validator").replace("tool@", "email-validator@");
            assert!(has(&page, &part) || has(&page, &of_validator), "{client}: {part}");
        }
    }
}
