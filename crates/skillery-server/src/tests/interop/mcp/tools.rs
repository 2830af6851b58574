//! The tools, and what is said before they are called.

use serde_json::json;

use crate::blobs::BlobKey;
use crate::tests::{ADMIN, TestApp, skill};

#[tokio::test(flavor = "multi_thread")]
async fn each_version_of_the_protocol_begins() {
    let app = TestApp::new().await;
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let params = json!({
            "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "t", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        let answer = app.message("/mcp", "", &body.to_string(), &[]).await;
        assert!(!answer.headers.contains_key("mcp-session-id"));
        let result = answer.is(200)["result"].clone();
        assert_eq!(result["protocolVersion"], version);
        assert_eq!(result["serverInfo"]["name"], "skillery");
        assert_eq!(
            result["capabilities"],
            json!({
                "tools": {}, "resources": {},
                "extensions": { "io.modelcontextprotocol/skills": { "directoryRead": true } },
            })
        );
    }
    // A version that nobody knows is answered with one that both may know.
    let params = json!({ "protocolVersion": "2099-01-01", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let result = app.message("/mcp", "", &body.to_string(), &[]).await.is(200);
    assert_eq!(result["result"]["protocolVersion"], "2025-11-25");
    let notified = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(app.message("/mcp", "", &notified.to_string(), &[]).await.status, 202);
    assert_eq!(app.rpc("", "ping", json!({})).await, json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_version_has_no_beginning() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let call = async |method: &str, name: &str, params: serde_json::Value| {
        let mut params = params;
        params["_meta"] = meta.clone();
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("mcp-name", name)];
        app.message("/mcp", "", &body.to_string(), &headers).await.is(200)["result"].clone()
    };
    let about = call("server/discover", "", json!({})).await;
    assert!(about["supportedVersions"].as_array().unwrap().contains(&json!("2026-07-28")), "{about}");
    let listed = call("skills/list", "", json!({})).await;
    assert_eq!(listed["resultType"], "complete");
    assert_eq!((&listed["cacheScope"], listed["ttlMs"].as_u64()), (&json!("private"), Some(60_000)));
    let uri = listed["skills"][0]["uri"].as_str().unwrap();
    let read = call("resources/read", uri, json!({ "uri": uri })).await;
    assert!(read["contents"][0]["text"].as_str().unwrap().starts_with("---\nname: tool\n"));
    let found =
        call("tools/call", "search_skills", json!({ "name": "search_skills", "arguments": { "query": "" } }))
            .await;
    assert_eq!(found["structuredContent"]["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tools_are_reviewed() {
    let app = TestApp::new().await;
    let listed = app.rpc("", "tools/list", json!({})).await;
    insta::assert_json_snapshot!(listed);
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_that_are_not_known_are_not_told_as_none() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let shown = app.tool("", "show_skill", json!({ "id": "acme/tool" })).await;
    assert!(shown["findings"].is_array(), "{shown}");
    let digest = app.digest_of("acme/tool", "1.0.0").await;
    // Nothing of it is remembered.
    let app = app.crash_and_reopen().await;
    app.app.blobs.delete(BlobKey::Bundle(digest)).await.unwrap();
    let call = json!({ "name": "show_skill", "arguments": { "id": "acme/tool" } });
    let result = app.rpc("", "tools/call", call).await;
    assert_eq!(
        (&result["isError"], &result["structuredContent"]["version"]),
        (&json!(false), &json!("1.0.0"))
    );
    assert_eq!(result["structuredContent"].get("findings"), None);
    let words = result["content"][0]["text"].as_str().unwrap();
    assert!(words.contains("\nfindings: not known now"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn skills_are_found_shown_and_read() {
    let app = TestApp::new().await;
    app.publish("acme/email_validator", "1.0.0").await;
    app.publish("acme/email_validator", "1.1.0").await;
    let mut other = skill("acme/deep/slugify", "0.3.0");
    other["tags"] = json!(["text"]);
    app.post("/api/v1/skills", ADMIN, other).await.is(201);
    app.settle().await;

    let found = app.tool("", "search_skills", json!({ "query": "email", "tags": ["validation"] })).await;
    assert_eq!(found["total"], 1);
    let hit = &found["skills"][0];
    assert_eq!((&hit["id"], &hit["version"]), (&json!("acme/email_validator"), &json!("1.1.0")));
    let uri = "skill://acme/email_validator/@1.1.0/email-validator/SKILL.md";
    assert_eq!(hit["uri"], uri);
    assert_eq!(
        app.tool("", "search_skills", json!({ "query": "", "namespace": "acme/deep" })).await["total"],
        1
    );
    let first = app.tool("", "search_skills", json!({ "query": "", "limit": 1 })).await;
    assert_eq!((first["total"].as_u64(), first["skills"].as_array().unwrap().len()), (Some(2), 1));
    assert_eq!(app.tool("", "search_skills", json!({ "query": "nothing-like-it" })).await["total"], 0);

    let shown = app.tool("", "show_skill", json!({ "id": "acme/email-validator", "version": "^1.0" })).await;
    assert_eq!((&shown["version"], &shown["status"]), (&json!("1.1.0"), &json!("published")));
    assert_eq!(shown["publisher"], "admin");
    assert_eq!(
        shown["install"],
        json!(["skillery install acme/email_validator@1.1.0 --registry http://localhost:8700"])
    );
    assert_eq!(shown["versions"].as_array().unwrap().len(), 2);
    assert_eq!(shown["files"][1]["path"], "scripts/email_validator.py");
    assert_eq!(
        app.tool("", "show_skill", json!({ "id": "acme/email_validator", "version": "1.0.0" })).await["version"],
        "1.0.0"
    );

    let path = "scripts/email_validator.py";
    let read = app.tool("", "read_skill_file", json!({ "id": "acme/email_validator", "path": path })).await;
    assert_eq!(read["content"], skill("acme/email_validator", "1.1.0")["code"]);
    assert_eq!((&read["encoding"], &read["version"]), (&json!("text"), &json!("1.1.0")));
    assert_eq!(read["digest"], shown["files"][1]["digest"]);
    // Of the old version, by its address too.
    let old = app
        .tool(
            "",
            "read_skill_file",
            json!({ "id": "acme/email_validator", "version": "1.0.0", "path": "SKILL.md" }),
        )
        .await;
    let same = app.rpc("", "resources/read", json!({ "uri": old["uri"] })).await;
    assert_eq!(same["contents"][0]["text"], old["content"]);
    assert!(old["content"].as_str().unwrap().contains("version: \"1.0.0\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tool_cannot_do_is_told_to_the_model() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    for (name, arguments, code) in [
        ("search_skills", json!({}), "invalid-field"),
        ("search_skills", json!({ "query": 3 }), "invalid-field"),
        ("search_skills", json!({ "query": "x".repeat(257) }), "invalid-field"),
        ("search_skills", json!({ "query": "", "limit": 0 }), "invalid-field"),
        ("search_skills", json!({ "query": "", "limit": 51 }), "invalid-field"),
        ("search_skills", json!({ "query": "", "limit": -1 }), "invalid-field"),
        ("search_skills", json!({ "query": "", "namespace": "../x" }), "invalid-field"),
        ("search_skills", json!({ "query": "", "tags": vec!["x"; 17] }), "invalid-field"),
        ("search_skills", json!({ "query": "", "colour": "red" }), "unknown-field"),
        ("show_skill", json!({ "id": "tool" }), "invalid-id"),
        ("show_skill", json!({ "id": "acme/none" }), "skill-not-found"),
        ("show_skill", json!({ "id": "acme/tool", "version": "2.0.0" }), "version-not-found"),
        ("show_skill", json!({ "id": "acme/tool", "version": "^2" }), "version-not-found"),
        ("show_skill", json!({ "id": "acme/tool", "version": "one" }), "invalid-version"),
        ("read_skill_file", json!({ "id": "acme/tool" }), "invalid-field"),
        ("read_skill_file", json!({ "id": "acme/tool", "path": "nothing" }), "file-not-found"),
        ("read_skill_file", json!({ "id": "acme/tool", "path": "../SKILL.md" }), "file-not-found"),
        ("read_skill_file", json!({ "id": "acme/tool", "path": "scripts" }), "file-not-found"),
    ] {
        assert_eq!(app.tool_fails("", name, arguments.clone()).await, code, "{name} {arguments}");
    }
    // What is not there at all is the host's mistake. Nothing can be installed on a server.
    for name in ["install_skill", "drop_tables", ""] {
        let call = json!({ "name": name, "arguments": { "id": "acme/tool" } });
        assert_eq!(app.rpc_fails("", "tools/call", call).await.0, -32602);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_registry_hold_for_a_tool() {
    let app = TestApp::with(|settings| {
        settings.limits.query_length = 5;
        settings.limits.tags = 1;
    })
    .await;
    let mut body = skill("acme/tool", "1.0.0");
    body["tags"] = json!(["email"]);
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    assert_eq!(
        app.tool("", "search_skills", json!({ "query": "texts", "tags": ["email"] })).await["total"],
        1
    );
    for arguments in [json!({ "query": "öäüöäü" }), json!({ "query": "", "tags": ["email", "email"] })]
    {
        assert_eq!(
            app.tool_fails("", "search_skills", arguments.clone()).await,
            "invalid-field",
            "{arguments}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_is_shown_with_what_changed() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let arguments = json!({ "id": "acme/tool" });
    assert_eq!(app.tool("", "show_skill", arguments.clone()).await.get("changelog"), None);
    let said = json!({ "changelog": "Takes umlauts.\nsha-256: none" });
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/changelog", ADMIN, said).await.is(200);
    let call = json!({ "name": "show_skill", "arguments": arguments });
    let result = app.rpc("", "tools/call", call).await;
    assert_eq!(result["structuredContent"]["changelog"], "Takes umlauts.\nsha-256: none");
    // No line of it passes for a field of the answer.
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("\nwhat changed, as its publisher or an admin says: Takes umlauts.\n  sha-256: none\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_no_answer_of_a_tool() {
    let app = TestApp::new().await;
    let mut body = skill("acme/tool", "1.0.0");
    let code = format!("def tool(text):\n    return 1\n# {}\n", "x".repeat(300_000));
    body["code_hash"] = json!(skillery_core::Digest::of(code.as_bytes()).to_string());
    body["code"] = json!(code);
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let path = "scripts/tool.py";
    assert_eq!(
        app.tool_fails("", "read_skill_file", json!({ "id": "acme/tool", "path": path })).await,
        "file-too-large"
    );
    let uri = format!("skill://acme/tool/@1.0.0/tool/{path}");
    assert_eq!(app.rpc("", "resources/read", json!({ "uri": uri })).await["contents"][0]["text"], code);
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_the_description_counts_as_an_install_and_nothing_else_does() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let uri = "skill://acme/tool/@1.0.0/tool/SKILL.md";
    app.rpc("", "skills/list", json!({})).await;
    app.rpc("", "skills/get", json!({ "uri": uri })).await;
    app.rpc("", "resources/directory/read", json!({ "uri": "skill://acme/tool/@1.0.0/tool" })).await;
    app.tool("", "show_skill", json!({ "id": "acme/tool" })).await;
    app.tool("", "read_skill_file", json!({ "id": "acme/tool", "path": "scripts/tool.py" })).await;
    app.settle().await;
    assert_eq!(app.get("/api/v1/skills/acme/tool").await.is(200)["install_count"], 0);
    app.tool("", "read_skill_file", json!({ "id": "acme/tool", "path": "SKILL.md" })).await;
    app.rpc("", "resources/read", json!({ "uri": uri })).await;
    app.settle().await;
    assert_eq!(app.get("/api/v1/skills/acme/tool").await.is(200)["install_count"], 2);
    assert_eq!(app.tool("", "show_skill", json!({ "id": "acme/tool" })).await["install_count"], 2);
    // Who reads it signed in is known to have it.
    let anna = app.user("anna", &["read"]).await;
    app.tool(&anna, "read_skill_file", json!({ "id": "acme/tool", "path": "SKILL.md" })).await;
    assert_eq!(app.who_has("acme/tool", "1.0.0").await, ["anna"]);
}
