//! Skills as resources and as the Skills extension has them, and who sees which.

use serde_json::{Value, json};
use skillery_core::Digest;

use super::uris;
use crate::tests::{ADMIN, TestApp, skill};

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_is_listed_and_its_files_are_what_the_list_says() {
    let app = TestApp::new().await;
    app.publish("acme/email_validator", "1.2.0").await;
    let listed = app.rpc("", "skills/list", json!({})).await;
    insta::assert_json_snapshot!(listed);
    let skill = &listed["skills"][0];
    assert_eq!(app.rpc("", "skills/get", json!({ "uri": skill["uri"] })).await["skill"], *skill);
    for file in skill["resources"].as_array().unwrap() {
        let read = app.rpc("", "resources/read", json!({ "uri": file["uri"] })).await;
        let text = read["contents"][0]["text"].as_str().unwrap();
        assert_eq!(file["size"], text.len());
        assert_eq!(file["digest"], format!("sha256:{}", Digest::of(text.as_bytes())));
    }

    // The latest version has an address of its own, which goes on to its files.
    let latest = "skill://acme/email_validator/@latest/email-validator";
    let got =
        app.rpc("", "skills/get", json!({ "uri": format!("{latest}/SKILL.md") })).await["skill"].clone();
    assert_eq!(got["uri"], format!("{latest}/SKILL.md"));
    assert_eq!(got["resources"][1]["uri"], format!("{latest}/scripts/email_validator.py"));
    assert_eq!(got["resources"][1]["digest"], skill["resources"][1]["digest"]);
    app.publish("acme/email_validator", "1.3.0").await;
    let read = app.rpc("", "resources/read", json!({ "uri": format!("{latest}/SKILL.md") })).await;
    assert!(read["contents"][0]["text"].as_str().unwrap().contains("version: \"1.3.0\""));
    // What was listed before is what it was.
    assert_eq!(app.rpc("", "skills/get", json!({ "uri": skill["uri"] })).await["skill"], *skill);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_read() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let folder = "skill://acme/tool/@1.0.0/tool";
    for uri in [folder.to_owned(), format!("{folder}/")] {
        let read = app.rpc("", "resources/directory/read", json!({ "uri": uri })).await;
        let entries = read["resources"].as_array().unwrap();
        assert_eq!(uris(entries), [format!("{folder}/scripts"), format!("{folder}/SKILL.md")]);
        assert_eq!(entries[0]["mimeType"], "inode/directory");
        assert_eq!(entries[1]["mimeType"], "text/markdown");
    }
    let read = app.rpc("", "resources/directory/read", json!({ "uri": format!("{folder}/scripts") })).await;
    assert_eq!(uris(read["resources"].as_array().unwrap()), [format!("{folder}/scripts/tool.py")]);
    for uri in [format!("{folder}/SKILL.md"), format!("{folder}/none"), "skill://acme".to_owned()] {
        assert_eq!(app.rpc_fails("", "resources/directory/read", json!({ "uri": uri })).await.0, -32602);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_at_other_addresses() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    for (uri, code) in [
        ("skill://acme/tool/@1.0.0/tool/none.md", "file-not-found"),
        ("skill://acme/tool/@1.0.0/tool", "file-not-found"),
        ("skill://acme/tool/@2.0.0/tool/SKILL.md", "version-not-found"),
        ("skill://acme/none/@latest/none/SKILL.md", "skill-not-found"),
        ("skill://acme/tool/@1.0.0/tool/../../../secret", "skill-not-found"),
        ("skill://acme/tool/@1.0.0/tool/%2e%2e/secret", "skill-not-found"),
        ("skill://acme/tool/@1.0.0/other/SKILL.md", "skill-not-found"),
        ("file:///etc/passwd", "skill-not-found"),
        ("", "skill-not-found"),
    ] {
        let failed = app.rpc_fails("", "resources/read", json!({ "uri": uri })).await;
        assert_eq!(failed, (-32002, code.to_owned()), "{uri}");
        let failed = app.rpc_fails("", "skills/get", json!({ "uri": uri })).await;
        assert_eq!(failed.0, -32602, "{uri}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_pages() {
    let app = TestApp::new().await;
    for number in 0..105 {
        app.publish(&format!("acme/tool-{number:03}"), "1.0.0").await;
    }
    app.publish("other/tool", "1.0.0").await;
    let (resources, pages) = app.pages("/mcp", "", "resources/list", "resources").await;
    assert_eq!((resources.len(), pages), (106, 2));
    let all = uris(&resources);
    assert!(all.is_sorted() && all[0] == "skill://acme/tool-000/@1.0.0/tool-000/SKILL.md");
    let (skills, pages) = app.pages("/mcp", "", "skills/list", "skills").await;
    assert_eq!((uris(&skills), pages), (all, 6));
    let (inside, _) = app.pages("/mcp/other", "", "skills/list", "skills").await;
    assert_eq!(uris(&inside), ["skill://other/tool/@1.0.0/tool/SKILL.md"]);
    for cursor in ["!", "x", "////", "", &"A".repeat(2_000)] {
        for method in ["resources/list", "skills/list"] {
            // An empty one is the beginning: no key comes before it.
            let answer = app.rpc_at("/mcp", "", method, json!({ "cursor": cursor })).await;
            assert_eq!(answer["error"]["code"].as_i64(), (!cursor.is_empty()).then_some(-32602), "{cursor}");
        }
        let answer = app.rpc_at("/mcp", "", "tools/list", json!({ "cursor": cursor })).await;
        assert_eq!(answer["error"]["code"], -32602);
    }
}

/// All that an agent can ask of a skill, with what it was answered.
async fn everything(app: &TestApp, path: &str, token: &str, id: &str, name: &str) -> Vec<Value> {
    let uri = format!("skill://{id}/@1.0.0/{name}/SKILL.md");
    let folder = format!("skill://{id}/@latest/{name}");
    let mut answers = Vec::new();
    for (method, params) in [
        ("resources/read", json!({ "uri": uri })),
        ("skills/get", json!({ "uri": uri })),
        ("resources/directory/read", json!({ "uri": folder })),
        ("tools/call", json!({ "name": "show_skill", "arguments": { "id": id } })),
        ("tools/call", json!({ "name": "read_skill_file", "arguments": { "id": id, "path": "SKILL.md" } })),
        ("tools/call", json!({ "name": "search_skills", "arguments": { "query": name } })),
        ("skills/list", json!({})),
        ("resources/list", json!({})),
    ] {
        let answer = app.rpc_at(path, token, method, params).await;
        answers
            .push(serde_json::from_str(&answer.to_string().replace(id, "ID").replace(name, "NAME")).unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_may_not_see_is_not_there() {
    let app = TestApp::new().await;
    for (id, visibility) in [("acme/staff", "internal"), ("acme/secret", "private")] {
        let mut body = skill(id, "1.0.0");
        body["visibility"] = json!(visibility);
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
    let member = app.user("mia", &["read"]).await;
    app.member("acme", "mia", "reader").await;
    let stranger = app.user("sam", &["read"]).await;
    let blind = app.token(json!({ "user": "mia", "scopes": ["publish"] })).await;
    for token in ["", &stranger, &blind] {
        let hidden = everything(&app, "/mcp", token, "acme/secret", "secret").await;
        assert_eq!(hidden, everything(&app, "/mcp", token, "acme/nothin", "nothin").await, "{token}");
    }
    for (token, wanted) in [("", 0), (&*stranger, 1), (&*blind, 0), (&*member, 2), (ADMIN, 2)] {
        assert_eq!(app.pages("/mcp", token, "skills/list", "skills").await.0.len(), wanted);
        assert_eq!(app.pages("/mcp", token, "resources/list", "resources").await.0.len(), wanted);
        assert_eq!(app.tool(token, "search_skills", json!({ "query": "" })).await["total"], wanted);
    }
    let seen = everything(&app, "/mcp", &member, "acme/secret", "secret").await;
    assert!(
        seen.iter().all(|answer| answer["error"].is_null() && answer["result"]["isError"] != true),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_has_what_is_in_it_and_below() {
    let app = TestApp::new().await;
    for id in ["acme/tool", "acme/deep/tool", "acmes/tool"] {
        app.publish(id, "1.0.0").await;
    }
    for (path, wanted) in [
        ("/mcp", 3),
        ("/mcp/", 3),
        ("/mcp/acme", 2),
        ("/mcp/acme/deep", 1),
        ("/mcp/acme%2Fdeep", 1),
        ("/mcp/nobody", 0),
    ] {
        let (listed, _) = app.pages(path, "", "skills/list", "skills").await;
        assert_eq!(listed.len(), wanted, "{path}");
        let search = |namespace: Value| json!({ "name": "search_skills", "arguments": { "query": "", "namespace": namespace } });
        let found = app.rpc_at(path, "", "tools/call", search(Value::Null)).await;
        assert_eq!(found["result"]["structuredContent"]["total"], wanted, "{path}");
    }
    // Within a namespace, another one is not there, and one above it no larger.
    let outside = everything(&app, "/mcp/acme", "", "acmes/tool", "tool").await;
    assert_eq!(outside[0]["error"]["data"]["code"], "skill-not-found");
    assert_eq!(outside[3]["result"]["isError"], true);
    for (asked, wanted) in [("acmes", 0), ("acme", 1), ("acme/deep", 1)] {
        let search = json!({ "name": "search_skills", "arguments": { "query": "", "namespace": asked } });
        let found = app.rpc_at("/mcp/acme/deep", "", "tools/call", search).await;
        assert_eq!(found["result"]["structuredContent"]["total"], wanted, "{asked}");
    }
    app.message("/mcp/A%20b", "", "{}", &[]).await.fails(404, "route-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_not_given() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    let uri = |version: &str| json!({ "uri": format!("skill://acme/tool/@{version}/tool/SKILL.md") });
    app.rpc("", "skills/get", uri("1.1.0")).await;
    let versions = "/api/v1/skills/acme/tool/versions";
    app.put(&format!("{versions}/1.1.0/yank"), ADMIN, json!({ "reason": "it is slow" })).await.is(200);
    assert_eq!(
        uris(&app.pages("/mcp", "", "skills/list", "skills").await.0),
        ["skill://acme/tool/@1.0.0/tool/SKILL.md"]
    );
    // By its version it is given, with a warning.
    let shown = app.tool("", "show_skill", json!({ "id": "acme/tool", "version": "1.1.0" })).await;
    assert_eq!(shown["warning"], "acme/tool 1.1.0 was yanked: it is slow");
    let read = json!({ "id": "acme/tool", "version": "1.1.0", "path": "SKILL.md" });
    assert_eq!(app.tool("", "read_skill_file", read.clone()).await["warning"], shown["warning"]);
    app.rpc("", "resources/read", uri("1.1.0")).await;
    // What is quarantined is not, although its files are remembered.
    app.put(&format!("{versions}/1.1.0/quarantine"), ADMIN, json!({ "reason": "malware" })).await.is(200);
    assert_eq!(app.tool_fails("", "read_skill_file", read).await, "version-quarantined");
    assert_eq!(
        app.tool_fails(ADMIN, "show_skill", json!({ "id": "acme/tool", "version": "1.1.0" })).await,
        "version-quarantined"
    );
    assert_eq!(app.rpc_fails("", "resources/read", uri("1.1.0")).await.1, "version-quarantined");
    assert_eq!(
        app.rpc_fails("", "skills/get", uri("1.1.0")).await,
        (-32602, "version-quarantined".to_owned())
    );
    let versions = app.tool("", "show_skill", json!({ "id": "acme/tool" })).await["versions"].clone();
    assert_eq!(versions.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_approval_is_not_given_to_reviewers_either() {
    let app = TestApp::new().await;
    app.publish("acme/old", "1.0.0").await;
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.0.0")).await.is(202);
    for id in ["acme/tool", "acme/none"] {
        let code = app.tool_fails(ADMIN, "show_skill", json!({ "id": id, "version": "1.0.0" })).await;
        assert_eq!(code, if id == "acme/tool" { "version-not-found" } else { "skill-not-found" });
    }
    assert_eq!(app.pages("/mcp", ADMIN, "skills/list", "skills").await.0.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_is_read_without_the_others() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let before = app.rpc("", "skills/list", json!({})).await;
    // Nothing of it is remembered.
    let app = app.crash_and_reopen().await;
    app.damage("acme/tool", "1.0.0", "scripts/tool.py").await;
    let folder = "skill://acme/tool/@1.0.0/tool";
    let read = app.rpc("", "resources/read", json!({ "uri": format!("{folder}/SKILL.md") })).await;
    assert!(read["contents"][0]["text"].as_str().unwrap().contains("name: tool"));
    let read = json!({ "id": "acme/tool", "path": "SKILL.md" });
    assert_eq!(app.tool("", "read_skill_file", read).await["encoding"], "text");
    // Lists are made from what was known when it was published.
    assert_eq!(app.rpc("", "skills/list", json!({})).await, before);
    let damaged = json!({ "id": "acme/tool", "path": "scripts/tool.py" });
    assert_eq!(app.tool_fails("", "read_skill_file", damaged).await, "internal");
}
