//! Well-known discovery, as `npx skills` and OpenCode ask.

use axum::http::Method;
use serde_json::{Value, json};
use skillery_core::{Digest, Limits, bundle};

use super::basic;
use crate::tests::{ADMIN, TestApp, skill};

fn index_of(scope: &str) -> String {
    format!("/{scope}/.well-known/agent-skills/index.json")
}

async fn index(app: &TestApp, scope: &str) -> Value {
    let answer = app.look(&index_of(scope)).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let index = answer.is(200);
    assert_eq!(index["$schema"], "https://schemas.agentskills.io/discovery/0.2.0/schema.json");
    index
}

/// Names and versions of an index.
async fn listed(app: &TestApp, scope: &str) -> Vec<(String, String)> {
    let index = index(app, scope).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    index["skills"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skill| (text(&skill["name"]), text(&skill["version"])))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_lists_what_can_be_fetched_and_the_bytes_have_the_digest() {
    let app = TestApp::new().await;
    app.publish("acme/email_validator", "1.0.0").await;
    let found = index(&app, "acme").await;
    let entry = &found["skills"][0];
    assert_eq!((&entry["name"], &entry["type"]), (&json!("email-validator"), &json!("archive")));
    assert_eq!(entry["description"], "Checks email_validator of texts");
    assert_eq!(entry["url"], "email-validator-1.0.0.zip");
    assert_eq!(entry["files"], json!(["SKILL.md", "scripts/email_validator.py"]));
    assert!(entry.get("warning").is_none());
    let zip = app.look("/acme/.well-known/agent-skills/email-validator-1.0.0.zip").await;
    assert_eq!(zip.status, 200);
    assert_eq!(format!("sha256:{}", Digest::of(&zip.body)), entry["digest"].as_str().unwrap());
    assert_eq!(zip.headers["content-type"], "application/zip");
    assert_eq!(zip.headers["etag"], format!("\"{}\"", entry["digest"].as_str().unwrap()));
    assert_eq!(zip.headers["cache-control"], "no-cache", "below a namespace a name means what is there now");
    let files = bundle::unpack(&zip.body, &Limits::default()).unwrap();
    for file in files {
        let path = format!("/acme/.well-known/agent-skills/email-validator/{}", file.path);
        let answer = app.look(&path).await;
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &file.bytes), "{path}");
        let wanted = match file.path.as_str() {
            "SKILL.md" => "text/markdown; charset=utf-8",
            _ => "application/octet-stream",
        };
        assert_eq!(answer.headers["content-type"], wanted);
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_those_that_people_paste() {
    let app = TestApp::new().await;
    for (id, version) in [
        ("acme/my_tool", "1.0.0"),
        ("acme/my_tool", "1.1.0"),
        ("acme/other", "2.0.0"),
        ("acme/email/deep", "3.0.0"),
        ("acme/email", "4.0.0"),
    ] {
        app.publish(id, version).await;
    }
    let tool = |version| pairs(&[("my-tool", version)]);
    for (scope, wanted) in [
        ("acme", pairs(&[("email", "4.0.0"), ("my-tool", "1.1.0"), ("other", "2.0.0")])),
        ("ACME", Vec::new()),
        ("acme/my_tool", tool("1.1.0")),
        ("acme/my-tool", tool("1.1.0")),
        ("acme/my_tool/1.0.0", tool("1.0.0")),
        ("acme/my_tool@1.0.0", tool("1.0.0")),
        ("acme/my_tool%401.0.0", tool("1.0.0")),
        ("acme@my-tool", tool("1.1.0")),
        ("acme%40my-tool", tool("1.1.0")),
        ("acme/my_tool@my-tool", tool("1.1.0")),
        ("acme/my_tool%40my-tool", tool("1.1.0")),
        ("acme/email", pairs(&[("email", "4.0.0")])),
        ("acme/email/deep", pairs(&[("deep", "3.0.0")])),
        ("acme/email@deep", pairs(&[("deep", "3.0.0")])),
        ("acme/my_tool@9.9.9", Vec::new()),
        ("acme/my_tool@^1", Vec::new()),
        ("acme/nothing", Vec::new()),
        ("nobody", Vec::new()),
        ("acme//my_tool", Vec::new()),
        ("acme%2Fmy_tool", Vec::new()),
        ("acme/../acme", Vec::new()),
        ("acme/%2e%2e/acme", Vec::new()),
        ("acme/%FF", Vec::new()),
        ("/acme", Vec::new()),
    ] {
        if wanted.is_empty() {
            let answer = app.look(&index_of(scope)).await;
            assert!(["route-not-found", "version-not-found"].contains(&answer.code().as_str()), "{scope}");
            assert_eq!(answer.status, 404, "{scope}");
        } else {
            assert_eq!(listed(&app, scope).await, wanted, "{scope}");
        }
    }
    // Each relative address of each index leads to bytes with the digest.
    for scope in ["acme", "acme/my_tool", "acme/my_tool/1.0.0", "acme@my-tool", "acme/my_tool@my-tool"] {
        for entry in index(&app, scope).await["skills"].as_array().unwrap() {
            let path = format!("/{scope}/.well-known/agent-skills/{}", entry["url"].as_str().unwrap());
            let zip = app.look(&path).await;
            assert_eq!(zip.status, 200, "{path}");
            assert_eq!(format!("sha256:{}", Digest::of(&zip.body)), entry["digest"].as_str().unwrap());
        }
    }
    // A pinned scope holds its version and no other.
    let other = "/acme/my_tool/1.0.0/.well-known/agent-skills/my-tool-1.1.0.zip";
    app.look(other).await.fails(404, "route-not-found");
    let file = "/acme/my_tool@1.0.0/.well-known/agent-skills/my-tool/SKILL.md";
    assert!(String::from_utf8_lossy(&app.look(file).await.body).contains("version: \"1.0.0\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_lists_nothing() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let root = app.look("/.well-known/agent-skills/index.json").await.is(200);
    assert_eq!(root["skills"], json!([]));
    for path in [
        "/.well-known/agent-skills/tool-1.0.0.zip",
        "/.well-known/agent-skills/tool/SKILL.md",
        "/.well-known/agent-skills/",
        "/.well-known/agent-skills",
        "/.well-known/skills/index.json",
        "/acme/.well-known/skills/index.json",
        "/acme/.well-known/agent-skills/",
        "/acme/.well-known/agent-skills/tool",
        "/acme/.well-known/security.txt",
        "/acme/.well-known/",
    ] {
        app.look(path).await.fails(404, "route-not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hidden_is_answered_as_what_is_not_there() {
    let app = TestApp::new().await;
    app.publish_seen_by("acme/open", "1.0.0", "public").await;
    app.publish_seen_by("acme/staff", "1.0.0", "internal").await;
    app.publish_seen_by("acme/secret", "1.0.0", "private").await;
    app.publish_seen_by("cellar/wine", "1.0.0", "private").await;
    let member = app.user("mia", &["read"]).await;
    app.member("acme", "mia", "reader").await;
    let stranger = app.user("sam", &["read"]).await;
    for (header, wanted) in [
        (String::new(), vec!["open"]),
        (format!("Bearer {stranger}"), vec!["open", "staff"]),
        (basic(&member), vec!["open", "secret", "staff"]),
    ] {
        let headers: Vec<(&str, &str)> =
            if header.is_empty() { Vec::new() } else { vec![("authorization", &header)] };
        let found = app.ask(Method::GET, &index_of("acme"), &headers).await.is(200);
        let names: Vec<_> = found["skills"].as_array().unwrap().iter().map(|skill| &skill["name"]).collect();
        assert_eq!(names, wanted);
    }
    let shown = |answer: crate::tests::Answer, name: &str| {
        let mut problem = answer.fails(404, "route-not-found");
        problem.as_object_mut().unwrap().remove("request_id");
        problem.to_string().replace(name, "NAME")
    };
    for rest in [
        "NAME/.well-known/agent-skills/index.json",
        "NAME@1.0.0/.well-known/agent-skills/index.json",
        "NAME/1.0.0/.well-known/agent-skills/index.json",
        "NAME/.well-known/agent-skills/NAME-1.0.0.zip",
        "NAME/.well-known/agent-skills/NAME/SKILL.md",
        ".well-known/agent-skills/NAME-1.0.0.zip",
        ".well-known/agent-skills/NAME/SKILL.md",
    ] {
        let ask = async |name: &str| {
            let path = format!("/acme/{}", rest.replace("NAME", name));
            app.ask(Method::GET, &path, &[("authorization", &format!("Bearer {stranger}"))]).await
        };
        assert_eq!(shown(ask("secret").await, "secret"), shown(ask("sesame").await, "sesame"), "{rest}");
    }
    let (one, two) = (app.look(&index_of("cellar")).await, app.look(&index_of("nobody")).await);
    assert_eq!(shown(one, "cellar"), shown(two, "nobody"));
    // Only its own reader may keep what not everybody sees.
    let path = "/acme/secret/.well-known/agent-skills/secret-1.0.0.zip";
    let zip = app.ask(Method::GET, path, &[("authorization", &basic(&member))]).await;
    assert_eq!(zip.headers["cache-control"], "private, max-age=3600, immutable");
    assert_eq!(zip.headers["vary"], "authorization");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_that_is_not_seen_does_not_hide_what_lies_below() {
    let app = TestApp::new().await;
    app.publish_seen_by("acme/email", "1.0.0", "private").await;
    app.publish("acme/email/deep", "2.0.0").await;
    assert_eq!(listed(&app, "acme/email").await, pairs(&[("deep", "2.0.0")]));
    let member =
        app.ask(Method::GET, &index_of("acme/email"), &[("authorization", &basic(ADMIN))]).await.is(200);
    assert_eq!(member["skills"][0]["name"], "email");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_in_the_bundle_are_not_there() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    for file in [
        "tool/../tool/SKILL.md",
        "tool/%2e%2e/SKILL.md",
        "tool/..%2f..%2fsecret-key",
        "tool/../../../../../etc/passwd",
        "tool/scripts%2Ftool.py",
        "tool/scripts/../SKILL.md",
        "tool//SKILL.md",
        "tool/skill.md",
        "tool/SKILL.md/",
        "tool/SKILL.md%00",
        "tool/scripts",
        "tool/",
        "other/SKILL.md",
        "../agent-skills/tool/SKILL.md",
        "tool-1.0.0.zip/SKILL.md",
        "tool-1.0.zip",
        "tool-2.0.0.zip",
        "-1.0.0.zip",
        "..%2ftool-1.0.0.zip",
        "tool-1.0.0.ZIP",
    ] {
        for scope in ["acme", "acme/tool"] {
            let path = format!("/{scope}/.well-known/agent-skills/{file}");
            let answer = app.look(&path).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(["route-not-found", "version-not-found"].contains(&answer.code().as_str()));
        }
    }
    let good = app.look("/acme/.well-known/agent-skills/tool/scripts/tool.py").await;
    assert_eq!(good.status, 200);
    assert_eq!(app.look("/acme/.well-known/agent-skills/tool%2D1.0.0.zip").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_of_each_skill_is_listed_and_never_what_is_not_handed_out() {
    let app = TestApp::new().await;
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1"] {
        app.publish("acme/tool", version).await;
    }
    assert_eq!(listed(&app, "acme").await, pairs(&[("tool", "1.1.0")]));
    assert_eq!(listed(&app, "acme/tool@2.0.0-rc.1").await, pairs(&[("tool", "2.0.0-rc.1")]));
    app.mark("acme/tool", "1.1.0", "yank").await;
    assert_eq!(listed(&app, "acme").await, pairs(&[("tool", "1.0.0")]));
    // By its number it is there, and says what became of it.
    let pinned = index(&app, "acme/tool/1.1.0").await;
    assert_eq!(pinned["skills"][0]["warning"], "acme/tool 1.1.0 was yanked: it is wrong");
    assert_eq!(app.look("/acme/tool/.well-known/agent-skills/tool-1.1.0.zip").await.status, 200);
    app.mark("acme/tool", "1.1.0", "quarantine").await;
    app.look(&index_of("acme/tool/1.1.0")).await.fails(403, "version-quarantined");
    app.look("/acme/.well-known/agent-skills/tool-1.1.0.zip").await.fails(403, "version-quarantined");
    app.mark("acme/tool", "1.0.0", "yank").await;
    app.look(&index_of("acme")).await.fails(404, "route-not-found");
    app.look(&index_of("acme/tool")).await.fails(404, "version-not-found");
    assert_eq!(app.look("/acme/tool/.well-known/agent-skills/tool-1.0.0.zip").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_has_is_not_sent_again_and_only_content_counts() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let zip = "/acme/.well-known/agent-skills/tool-1.0.0.zip";
    let file = "/acme/.well-known/agent-skills/tool/SKILL.md";
    for (path, counted) in [(index_of("acme"), 0), (zip.to_owned(), 1), (file.to_owned(), 1)] {
        let before = app.installs("acme/tool").await;
        let head = app.ask(Method::HEAD, &path, &[]).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{path}");
        let whole = app.look(&path).await;
        assert_eq!(head.headers["content-length"], whole.body.len().to_string(), "{path}");
        let tag = whole.headers["etag"].to_str().unwrap();
        assert_eq!(head.headers["etag"], tag);
        for known in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}")] {
            let again = app.ask(Method::GET, &path, &[("if-none-match", &known)]).await;
            assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path}");
            assert_eq!(again.headers["etag"], tag);
        }
        assert_eq!(app.ask(Method::GET, &path, &[("if-none-match", "\"x\"")]).await.status, 200);
        // Once above, and once for the tag that does not fit.
        assert_eq!(app.installs("acme/tool").await - before, 2 * counted, "{path}");
    }
    let before = app.look(&index_of("acme")).await.headers["etag"].clone();
    assert_eq!(app.look(&index_of("acme")).await.headers["etag"], before);
    app.publish("acme/tool", "1.0.1").await;
    assert_ne!(app.look(&index_of("acme")).await.headers["etag"], before);
    assert_eq!(app.look(&index_of("acme")).await.headers["cache-control"], "no-cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_descriptions_are_those_that_clients_take() {
    let app = TestApp::new().await;
    let mut body = skill("acme/wordy", "1.0.0");
    body["description"] = json!("Does it. ".repeat(100) + &"😀".repeat(500));
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let mut body = skill("acme/silent", "1.0.0");
    body["description"] = json!("");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    // Three spellings of one name: the one that is spelled so has it.
    app.publish("acme/a__b", "1.0.0").await;
    app.publish("acme/a___b", "2.0.0").await;
    assert!(listed(&app, "acme").await.contains(&("a-b".to_owned(), "2.0.0".to_owned())));
    let file = "/acme/.well-known/agent-skills/a-b/SKILL.md";
    assert!(String::from_utf8_lossy(&app.look(file).await.body).contains("version: \"2.0.0\""));
    assert_eq!(app.look("/acme/.well-known/agent-skills/a-b-2.0.0.zip").await.status, 200);
    app.publish("acme/a.b", "3.0.0").await;
    assert!(listed(&app, "acme").await.contains(&("a-b".to_owned(), "3.0.0".to_owned())));
    assert_eq!(listed(&app, "acme/a__b").await, pairs(&[("a-b", "1.0.0")]));
    let found = index(&app, "acme").await;
    for entry in found["skills"].as_array().unwrap() {
        let (name, description) = (entry["name"].as_str().unwrap(), entry["description"].as_str().unwrap());
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
        assert!(!name.contains("--") && !name.starts_with('-') && !name.ends_with('-'), "{name}");
        assert!((1..=1_024).contains(&description.encode_utf16().count()), "{name}");
    }
    assert_eq!(found["skills"][1]["description"], "The skill acme/silent.");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_address_that_means_one_skill_for_ever_is_kept() {
    let app = TestApp::new().await;
    let zip =
        async |scope: &str, file: &str| app.look(&format!("/{scope}/.well-known/agent-skills/{file}")).await;
    app.publish("acme/b--c", "1.0.0").await;
    let before = zip("acme", "b-c-1.0.0.zip").await;
    // Another skill takes the name over, and with it the address.
    app.publish("acme/b-c", "1.0.0").await;
    let after = zip("acme", "b-c-1.0.0.zip").await;
    assert_eq!((before.status.as_u16(), after.status.as_u16()), (200, 200));
    assert_ne!(before.body, after.body);
    assert_ne!(before.headers["etag"], after.headers["etag"]);
    // A skill whose name is a number is what a version of another may be later.
    app.publish("acme/tool/1.0.0", "1.0.0").await;
    app.publish("acme/email/deep", "1.0.0").await;
    for (scope, file, is_kept) in [
        ("acme", "b-c-1.0.0.zip", false),
        ("acme/email", "deep-1.0.0.zip", false),
        ("acme/tool/1.0.0", "1-0-0-1.0.0.zip", false),
        ("acme/b-c", "b-c-1.0.0.zip", true),
        ("acme/b--c", "b-c-1.0.0.zip", true),
        ("acme/b-c@1.0.0", "b-c-1.0.0.zip", true),
        ("acme/b-c/1.0.0", "b-c-1.0.0.zip", true),
        ("acme/email/deep", "deep-1.0.0.zip", true),
    ] {
        let answer = zip(scope, file).await;
        assert_eq!(answer.status, 200, "{scope}");
        let wanted = if is_kept { "public, max-age=3600, immutable" } else { "no-cache" };
        assert_eq!(answer.headers["cache-control"], wanted, "{scope}");
        let tag = answer.headers["etag"].to_str().unwrap();
        let path = format!("/{scope}/.well-known/agent-skills/{file}");
        let again = app.ask(Method::GET, &path, &[("if-none-match", tag)]).await;
        assert_eq!(
            (again.status.as_u16(), &again.headers["cache-control"]),
            (304, &answer.headers["cache-control"])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_its_number_a_version_is_there_without_a_latest_one() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "2.0.0-rc.1").await;
    app.publish_seen_by("acme/secret", "1.0.0", "private").await;
    for id in ["acme/tool", "acme/secret"] {
        app.mark(id, "1.0.0", "yank").await;
    }
    let status = async |file: &str| app.look(&format!("/acme/.well-known/agent-skills/{file}")).await.status;
    assert_eq!(status("tool-1.0.0.zip").await, 200);
    assert_eq!(status("tool-2.0.0-rc.1.zip").await, 200);
    assert_eq!(status("tool-3.0.0.zip").await, 404);
    assert_eq!(status("tool/SKILL.md").await, 404, "there is no latest one");
    assert_eq!(status("secret-1.0.0.zip").await, 404);
    app.look(&index_of("acme")).await.fails(404, "route-not-found");
    // What is listed under the name comes first, and the other is there for what that one has not.
    for version in ["1.0.0", "4.0.0"] {
        app.publish("acme/a--b", version).await;
    }
    for version in ["1.0.0", "1.1.0"] {
        app.publish("acme/a-b", version).await;
        app.mark("acme/a-b", version, "yank").await;
    }
    app.mark("acme/a--b", "4.0.0", "yank").await;
    let found = index(&app, "acme").await;
    let entry = &found["skills"][0];
    assert_eq!(entry["url"], "a-b-1.0.0.zip");
    let zip = app.look("/acme/.well-known/agent-skills/a-b-1.0.0.zip").await;
    assert_eq!(format!("sha256:{}", Digest::of(&zip.body)), entry["digest"].as_str().unwrap());
    assert_eq!(status("a-b-1.1.0.zip").await, 200);
    app.publish("acme/a-b", "1.2.0").await;
    assert_eq!(listed(&app, "acme").await, pairs(&[("a-b", "1.2.0")]));
    assert_eq!(status("a-b-4.0.0.zip").await, 200);
    assert_eq!(status("a-b-5.0.0.zip").await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_has_so_many_bytes() {
    let app = TestApp::with(|settings| settings.limits.namespace_bytes = 1_000).await;
    for (id, visibility) in [("acme/one", "public"), ("acme/two", "private"), ("acme/three", "private")] {
        let mut body = skill(id, "1.0.0");
        body["description"] = json!("x".repeat(400));
        body["visibility"] = json!(visibility);
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
    let headers = &[("authorization", &*basic(ADMIN))];
    for path in [index_of("acme"), "/acme/marketplace.json".to_owned()] {
        let problem = app.ask(Method::GET, &path, headers).await.fails(422, "too-many-skills");
        assert_eq!(problem["limit"], 1_000, "{path}");
        assert_eq!(app.look(&path).await.status, 200, "who sees less has a shorter list: {path}");
    }
    assert_eq!(app.ask(Method::GET, &index_of("acme/two"), headers).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_skills_make_one_index_and_too_many_say_so() {
    let app = TestApp::with(|settings| settings.limits.namespace_skills = 410).await;
    for number in 0..410 {
        let visibility = if number % 2 == 0 { "public" } else { "private" };
        app.publish_seen_by(&format!("acme/s{number}"), "1.0.0", visibility).await;
    }
    assert_eq!(listed(&app, "acme").await.len(), 205);
    let headers = &[("authorization", &*basic(ADMIN))];
    let all = app.ask(Method::GET, &index_of("acme"), headers).await.is(200);
    let names: std::collections::BTreeSet<_> =
        all["skills"].as_array().unwrap().iter().map(|skill| skill["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 410);
    app.publish("acme/more", "1.0.0").await;
    let problem = app.ask(Method::GET, &index_of("acme"), headers).await.fails(422, "too-many-skills");
    assert_eq!(problem["limit"], 410);
    // Who does not see so many is told of none.
    assert_eq!(listed(&app, "acme").await.len(), 206);
}
