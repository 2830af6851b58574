//! Marketplaces of Claude Code by their address.

use axum::http::Method;
use serde_json::{Value, json};
use skillery_core::Digest;

use super::basic;
use crate::tests::{ADMIN, TestApp};

async fn secure() -> TestApp {
    TestApp::with(|settings| settings.public_url = Some("https://skills.example".parse().unwrap())).await
}

fn names(found: &Value) -> Vec<&str> {
    found["plugins"].as_array().unwrap().iter().map(|plugin| plugin["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_archives_are_offered_and_have_their_digest() {
    let app = secure().await;
    app.publish("acme/email/my_tool", "1.0.0").await;
    app.publish("acme/email/my_tool", "1.2.0").await;
    let answer = app.look("/acme/email/marketplace.json").await;
    let tag = answer.headers["etag"].clone();
    let found = answer.is(200);
    assert_eq!((&found["name"], &found["owner"]), (&json!("acme-email"), &json!({ "name": "acme/email" })));
    let plugin = &found["plugins"][0];
    assert_eq!((&plugin["name"], &plugin["version"]), (&json!("my-tool"), &json!("1.2.0")));
    assert_eq!((&plugin["strict"], &plugin["skills"]), (&json!(false), &json!(["./"])));
    assert_eq!(plugin["source"]["source"], "archive");
    let url = plugin["source"]["url"].as_str().unwrap();
    let zip = app.look(url.strip_prefix("https://skills.example").unwrap()).await;
    assert_eq!(zip.status, 200);
    assert_eq!(Digest::of(&zip.body).to_string(), plugin["source"]["sha256"].as_str().unwrap());
    let again = app
        .ask(Method::GET, "/acme/email/marketplace.json", &[("if-none-match", tag.to_str().unwrap())])
        .await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let head = app.ask(Method::HEAD, "/acme/email/marketplace.json", &[]).await;
    assert_eq!((head.status.as_u16(), &head.headers["etag"]), (200, &tag));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_and_for_what_is_hidden_repositories_are_offered() {
    let app = TestApp::new().await;
    app.publish("acme/email/my_tool", "1.0.0").await;
    let found = app.look("/acme/email/marketplace.json").await.is(200);
    assert_eq!(
        found["plugins"][0]["source"],
        json!({ "source": "url", "url": "http://skills.example:8700/acme~email/my_tool.git", "ref": "v1.0.0" })
    );
    let app = secure().await;
    app.publish("acme/open", "1.0.0").await;
    app.publish_seen_by("acme/secret", "1.0.0", "private").await;
    assert_eq!(names(&app.look("/acme/marketplace.json").await.is(200)), ["open"]);
    let headers = &[("authorization", &*basic(ADMIN))];
    let found = app.ask(Method::GET, "/acme/marketplace.json", headers).await.is(200);
    assert_eq!(names(&found), ["open", "secret"]);
    assert_eq!(found["plugins"][0]["source"]["source"], "archive");
    assert_eq!(found["plugins"][1]["source"]["url"], "https://skills.example/acme/secret.git");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_is_not_offered() {
    let app = TestApp::with(|settings| settings.surfaces.git = false).await;
    app.publish("acme/tool", "1.0.0").await;
    app.look("/acme/marketplace.json").await.fails(404, "route-not-found");
    let app = TestApp::new().await;
    app.publish_seen_by("cellar/wine", "1.0.0", "private").await;
    app.publish("acme/tool", "1.0.0").await;
    app.mark("acme/tool", "1.0.0", "yank").await;
    for path in [
        "/acme/marketplace.json",
        "/cellar/marketplace.json",
        "/nobody/marketplace.json",
        "//marketplace.json",
        "/acme/../acme/marketplace.json",
        "/acme%2Fx/marketplace.json",
        "/Acme/marketplace.json",
    ] {
        app.look(path).await.fails(404, "route-not-found");
    }
    // What has one segment is the page of a namespace.
    app.look("/marketplace.json").await.fails(404, "org-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_skills_say_so() {
    let app = TestApp::with(|settings| settings.limits.namespace_skills = 1).await;
    app.publish("acme/one", "1.0.0").await;
    assert_eq!(names(&app.look("/acme/marketplace.json").await.is(200)), ["one"]);
    app.publish("acme/two", "1.0.0").await;
    app.look("/acme/marketplace.json").await.fails(422, "too-many-skills");
}
