//! Trusting builds: who may, what may be trusted, and what the log says of it.

use serde_json::{Value, json};
use skillery_core::api::PublisherKind;

use super::super::{ADMIN, skill};
use super::{Issuer, build, exchange, registry, registry_with, trust};
use crate::settings::Settings;

const PATH: &str = "/api/v1/orgs/acme/publishers";

#[tokio::test(flavor = "multi_thread")]
async fn admins_of_the_namespace_trust_builds() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    let request =
        json!({ "kind": "github", "repository": "octo/tools", "owner_id": "65", "workflow": "release.yml" });
    let anna = app.user("anna", &["read", "publish", "admin"]).await;
    app.member("acme", "anna", "reviewer").await;
    app.post(PATH, &anna, request.clone()).await.fails(403, "forbidden");
    app.get_as(&anna, PATH).await.fails(403, "forbidden");
    app.member("acme", "anna", "admin").await;
    let before = app.log().await.len();
    let publisher = app.post(PATH, &anna, request.clone()).await.is(201);
    app.post(PATH, &anna, request.clone()).await.fails(409, "publisher-exists");
    let kinds: Vec<String> = app.log().await[before..]
        .iter()
        .map(|entry| entry["event"]["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["user.created", "publisher.trusted", "member.set"]);
    let name = publisher["user"].as_str().unwrap();
    assert!(name.starts_with("ci-tools-"), "{name}");
    app.post("/api/v1/orgs/acme/email/publishers", &anna, request.clone()).await.is(201);
    assert_eq!(app.get_as(&anna, PATH).await.is(200)["total"], 1);
    let below = app.get_as(&anna, "/api/v1/orgs/acme/email/publishers").await.is(200);
    assert_eq!((&below["total"], &below["publishers"][0]), (&json!(2), &publisher));
    // The publisher is a member like others, and can be told from them.
    let members = app.get_as(&anna, "/api/v1/orgs/acme/members").await.is(200);
    assert!(members.to_string().contains(name), "{members}");
    // Whoever takes its role away stops it, too.
    let token = exchange(&app, &{
        let claims = build(&app, &issuer, json!({}));
        issuer.token(&claims)
    })
    .await;
    token.fails(422, "invalid-field");
    app.delete(&format!("/api/v1/orgs/acme/members/{name}"), &anna).await.is(204);
    let body = json!({ "token": issuer.token(&build(&app, &issuer, json!({}))), "namespace": "acme" });
    let token = app.post("/api/v1/oidc/exchange", "", body).await.is(201)["token"].clone();
    app.post("/api/v1/skills", token.as_str().unwrap(), skill("acme/tool", "1.0.0"))
        .await
        .fails(403, "forbidden");

    let id = publisher["id"].as_str().unwrap();
    app.delete(&format!("/api/v1/orgs/acme/email/publishers/{id}"), &anna)
        .await
        .fails(404, "publisher-not-found");
    app.delete(&format!("{PATH}/nonsense"), &anna).await.fails(404, "publisher-not-found");
    let before = app.log().await.len();
    app.delete(&format!("{PATH}/{id}"), &anna).await.is(204);
    app.delete(&format!("{PATH}/{id}"), &anna).await.fails(404, "publisher-not-found");
    let events: Vec<Value> = app.log().await[before..].iter().map(|entry| entry["event"].clone()).collect();
    assert_eq!(
        (&events[0]["kind"], &events[0]["publisher"]),
        (&json!("publisher.untrusted"), &publisher["id"])
    );
    assert_eq!((&events[1]["kind"], &events[1]["disabled"]), (&json!("user.disabled"), &json!(true)));
    assert_eq!(events.len(), 2);
    // And again, as another one.
    let again = app.post(PATH, &anna, request).await.is(201);
    assert_ne!((&again["id"], &again["user"]), (&publisher["id"], &publisher["user"]));
    app.post("/api/v1/orgs/nobody/publishers", ADMIN, json!({ "kind": "github" }))
        .await
        .fails(422, "invalid-field");
    let request =
        json!({ "kind": "github", "repository": "octo/tools", "owner_id": "65", "workflow": "release.yml" });
    app.post("/api/v1/orgs/nobody/publishers", ADMIN, request).await.fails(404, "org-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_trusted() {
    let (github, gitlab, generic) = (Issuer::new().await, Issuer::new().await, Issuer::new().await);
    let mut trusted = vec![
        github.trusted(PublisherKind::Github),
        gitlab.trusted(PublisherKind::Gitlab),
        generic.trusted(PublisherKind::Generic),
    ];
    trusted.push(Issuer::new().await.trusted(PublisherKind::Gitlab));
    let app = registry_with(|settings| {
        settings.oidc_issuers = trusted;
        settings.limits.publishers_per_namespace = 2;
    })
    .await;
    let mut shown = String::new();
    for request in [
        json!({ "kind": "jenkins" }),
        json!({ "kind": "github", "regex": "x" }),
        json!({ "kind": "github", "issuer": "https://evil.example" }),
        json!({ "kind": "generic", "issuer": "[GITHUB]", "claims": { "sub": "x" } }),
        json!({ "kind": "gitlab", "repository": "a/b", "owner_id": "1", "workflow": ".gitlab-ci.yml" }),
        json!({ "kind": "github", "owner_id": "1", "workflow": "a.yml" }),
        json!({ "kind": "github", "repository": "octo", "owner_id": "1", "workflow": "a.yml" }),
        json!({ "kind": "github", "repository": "octo/a/b", "owner_id": "1", "workflow": "a.yml" }),
        json!({ "kind": "github", "repository": "octo/..", "owner_id": "1", "workflow": "a.yml" }),
        json!({ "kind": "github", "repository": "оcto/a", "owner_id": "1", "workflow": "a.yml" }),
        json!({ "kind": "github", "repository": "octo/a", "workflow": "a.yml" }),
        json!({ "kind": "github", "repository": "octo/a", "owner_id": "octo", "workflow": "a.yml" }),
        json!({ "kind": "github", "repository": "octo/a", "owner_id": "1" }),
        json!({ "kind": "github", "repository": "octo/a", "owner_id": "1", "workflow": ".github/workflows/a.yml" }),
        json!({ "kind": "github", "repository": "octo/a", "owner_id": "1", "workflow": "a.sh" }),
        json!({ "kind": "github", "repository": "octo/a", "owner_id": "1", "workflow": "a.yml", "environment": "" }),
        json!({ "kind": "github", "repository": "octo/a", "owner_id": "1", "workflow": "a.yml", "environment": "a\u{202e}" }),
        json!({ "kind": "github", "repository": "octo/a", "owner_id": "1", "workflow": "a.yml", "ref": "main" }),
        json!({ "kind": "github", "repository": "octo/a", "owner_id": "1", "workflow": "a.yml", "ref": "refs/heads/*" }),
        json!({ "kind": "github", "repository": "octo/a", "owner_id": "1", "workflow": "a.yml", "claims": { "sub": "x" } }),
        json!({ "kind": "gitlab", "issuer": "[GITLAB]", "repository": "a/b", "owner_id": "1", "workflow": "../a.yml" }),
        json!({ "kind": "generic" }),
        json!({ "kind": "generic", "claims": { "email": "x" } }),
        json!({ "kind": "generic", "claims": { "sub": "" } }),
        json!({ "kind": "generic", "claims": { "sub": 7 } }),
        json!({ "kind": "generic", "claims": { "sub": "x" }, "repository": "octo/a" }),
    ] {
        let text = request.to_string().replace("[GITHUB]", &github.url).replace("[GITLAB]", &gitlab.url);
        let answer = app.post(PATH, ADMIN, serde_json::from_str(&text).unwrap()).await;
        let problem = answer.json();
        let detail = problem["detail"].as_str().unwrap().replace(&github.url, "[GITHUB]");
        shown += &format!("{request}\n  {} {}: {detail}\n", answer.status.as_u16(), answer.code());
    }
    insta::assert_snapshot!(shown);
    trust(&app, json!({})).await;
    trust(&app, json!({ "ref": "refs/tags/v1.0" })).await;
    let request = json!({ "kind": "github", "repository": "octo/a", "owner_id": "1", "workflow": "a.yml" });
    app.post(PATH, ADMIN, request).await.fails(422, "invalid-field");
}

#[test]
fn settings_that_do_not_go_together() {
    let mut shown = String::new();
    for text in [
        "[[oidc_issuers]]\nissuer = 'http://ci.example'\nkind = 'github'\naudience = 'x'",
        "[[oidc_issuers]]\nissuer = 'https://user@ci.example'\nkind = 'github'\naudience = 'x'",
        "[[oidc_issuers]]\nissuer = 'https://ci.example?x=1'\nkind = 'github'\naudience = 'x'",
        "[[oidc_issuers]]\nissuer = 'https://ci.example'\nkind = 'github'",
        "[[oidc_issuers]]\nissuer = 'https://ci.example'\nkind = 'github'\naudience = 'x'\nmax_lifetime_seconds = 5",
        "[[oidc_issuers]]\nissuer = 'https://a.example'\nkind = 'github'\naudience = 'x'\n\
         [[oidc_issuers]]\nissuer = 'https://a.example'\nkind = 'gitlab'\naudience = 'x'",
        "[oidc_login]\nissuer = 'http://id.example'\nclient_id = 'x'",
        "[oidc_login]\nissuer = 'https://id.example'\nclient_id = ''",
        "[oidc_login]\nissuer = 'https://id.example'\nclient_id = 'x'\nrequest_scopes = 'profile'",
        "[oidc_login]\nissuer = 'https://id.example'\nclient_id = 'x'\ntoken_days = 0",
    ] {
        let settings: Settings = toml::from_str(text).unwrap();
        shown += &format!("{text}\n  {}\n", settings.check().unwrap_err());
    }
    insta::assert_snapshot!(shown);
    for text in [
        "[[oidc_issuers]]\nissuer = 'https://ci.example'\nkind = 'github'\nalgorithm = 'HS256'",
        "[[oidc_issuers]]\nissuer = 'https://ci.example'\nkind = 'other'",
        "[oidc_login]\nissuer = 'https://id.example'\nclient_id = 'x'\nsecret = 'y'",
    ] {
        assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
    }
    let good = "public_url = 'https://registry.example/'\n\
         [[oidc_issuers]]\nissuer = 'https://token.actions.githubusercontent.com'\nkind = 'github'\n\
         [[oidc_issuers]]\nissuer = 'http://127.0.0.1:9000'\nkind = 'gitlab'\nalgorithm = 'ES256'\n\
         [oidc_login]\nissuer = 'https://id.example'\nclient_id = 'x'\nclient_secret = 'hidden'";
    let settings: Settings = toml::from_str(good).unwrap();
    settings.check().unwrap();
    let audience = crate::oidc::audience(&settings, &settings.oidc_issuers[0]);
    assert_eq!(audience.as_deref(), Some("https://registry.example"));
    assert!(!toml::to_string(&settings).unwrap().contains("hidden"));
}
