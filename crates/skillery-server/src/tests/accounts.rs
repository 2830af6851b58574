//! Users, tokens, orgs, members.

use serde_json::json;

use super::{ADMIN, TestApp, skill};
use crate::settings::NamespacePolicy;

#[tokio::test(flavor = "multi_thread")]
async fn tokens_forged_expired_revoked_and_of_a_disabled_user() {
    let app = TestApp::new().await;
    let token = app.user("anna", &["read", "publish"]).await;
    let who = app.get_as(&token, "/api/v1/whoami").await.is(200);
    assert_eq!(
        (&who["user"], &who["site_admin"], &who["token"]["scopes"]),
        (&json!("anna"), &json!(false), &json!(["read", "publish"]))
    );
    app.get("/api/v1/whoami").await.fails(401, "unauthenticated");
    // Right in form, but not one of ours.
    let forged = skillery_core::token::generate(skillery_core::token::TokenKind::Personal, &[9; 64]);
    app.get_as(forged.expose(), "/api/v1/whoami").await.fails(401, "invalid-token");
    app.get_as(&format!("{}x", &token[..token.len() - 1]), "/api/v1/skills")
        .await
        .fails(401, "invalid-token");
    app.get_as("x", "/api/v1/skills").await.fails(401, "invalid-token");
    let id = who["token"]["id"].as_str().unwrap();
    app.delete(&format!("/api/v1/tokens/{id}"), &token).await.is(204);
    app.get_as(&token, "/api/v1/whoami").await.fails(401, "token-revoked");
    let short = app.token(json!({ "user": "anna", "expires_in_days": 1 })).await;
    app.get_as(&short, "/api/v1/whoami").await.is(200);
    app.app.environment.advance_seconds(86_400);
    app.get_as(&short, "/api/v1/whoami").await.fails(401, "token-expired");
    let other = app.token(json!({ "user": "anna" })).await;
    app.call(axum::http::Method::PATCH, "/api/v1/users/anna", ADMIN, Some(json!({ "disabled": true })))
        .await
        .is(200);
    app.get_as(&other, "/api/v1/whoami").await.fails(401, "token-revoked");
    app.call(axum::http::Method::PATCH, "/api/v1/users/anna", ADMIN, Some(json!({ "disabled": false })))
        .await
        .is(200);
    app.get_as(&other, "/api/v1/whoami").await.is(200);
    let own = json!({ "disabled": true });
    app.call(axum::http::Method::PATCH, "/api/v1/users/admin", ADMIN, Some(own))
        .await
        .fails(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_no_more_than_the_one_that_made_it() {
    let app = TestApp::new().await;
    app.user("anna", &["read"]).await;
    let anna =
        app.token(json!({ "user": "anna", "scopes": ["read", "admin"], "namespaces": ["acme"] })).await;
    let create = async |body| app.post("/api/v1/tokens", &anna, body).await;
    create(json!({ "scopes": ["publish"] })).await.fails(403, "insufficient-scope");
    create(json!({ "user": "admin" })).await.fails(403, "forbidden");
    create(json!({ "namespaces": ["other"] })).await.fails(403, "token-out-of-bounds");
    let made = create(json!({ "label": "ci", "namespaces": ["acme/email"], "service": true })).await.is(201);
    assert!(made["token"].as_str().unwrap().starts_with("sky_svc_"));
    assert_eq!((&made["scopes"], &made["namespaces"]), (&json!(["read"]), &json!(["acme/email"])));
    assert_eq!(create(json!({})).await.is(201)["namespaces"], json!(["acme"]), "bounds are inherited");
    create(json!({ "expires_in_days": 0 })).await.fails(422, "invalid-field");
    create(json!({ "expires_in_days": 3_651 })).await.fails(422, "invalid-field");
    create(json!({ "scopes": ["everything"] })).await.fails(422, "invalid-field");
    create(json!({ "lable": "x" })).await.fails(422, "unknown-field");
    // A listing has no secrets, and others' tokens look as if they were not there.
    let listed = app.get_as(&anna, "/api/v1/tokens?limit=2").await.is(200);
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains("sky_"));
    let admins =
        app.get_as(ADMIN, "/api/v1/tokens").await.is(200)["tokens"][0]["id"].as_str().unwrap().to_owned();
    app.delete(&format!("/api/v1/tokens/{admins}"), &anna).await.fails(404, "token-not-found");
    app.delete("/api/v1/tokens/nonsense", &anna).await.fails(404, "token-not-found");
    let last_used = app.get_as(ADMIN, "/api/v1/tokens?user=anna").await.is(200)["tokens"].clone();
    assert!(last_used.as_array().unwrap().iter().all(|token| token["last_used_at"].is_null()));
    app.settle().await;
    let used = app.get_as(ADMIN, "/api/v1/tokens?user=anna").await.is(200)["tokens"].clone();
    assert!(
        used.as_array().unwrap().iter().any(|token| token["last_used_at"] == "2026-01-02T03:00:00Z"),
        "{used}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_too_small_a_scope_or_of_another_org() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "publish"]).await;
    app.post("/api/v1/skills", &anna, skill("acme/mine", "1.0.0")).await.fails(403, "forbidden");
    app.post("/api/v1/skills", &anna, skill("acme/tool", "1.0.0")).await.fails(403, "forbidden");
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", &anna, json!({})).await.fails(403, "forbidden");
    app.member("acme", "anna", "reader").await;
    app.post("/api/v1/skills", &anna, skill("acme/mine", "1.0.0")).await.fails(403, "forbidden");
    app.member("acme", "anna", "publisher").await;
    app.post("/api/v1/skills", &anna, skill("acme/mine", "1.0.0")).await.is(201);
    let reads = app.token(json!({ "user": "anna", "scopes": ["read", "rate"] })).await;
    app.post("/api/v1/skills", &reads, skill("acme/mine", "1.0.1")).await.fails(403, "insufficient-scope");
    let bound =
        app.token(json!({ "user": "anna", "scopes": ["publish"], "namespaces": ["acme/email"] })).await;
    app.post("/api/v1/skills", &bound, skill("acme/mine", "1.0.1")).await.fails(403, "token-out-of-bounds");
    app.post("/api/v1/skills", &bound, skill("acme/email/mine", "1.0.1")).await.is(201);
    app.post("/api/v1/skills", "", skill("acme/mine", "1.0.1")).await.fails(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_inherited_downwards_only() {
    let app = TestApp::new().await;
    app.publish("acme/email/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "publish", "admin"]).await;
    app.member("acme/email", "anna", "publisher").await;
    app.post("/api/v1/skills", &anna, skill("acme/email/deep/x", "1.0.0")).await.is(201);
    app.post("/api/v1/skills", &anna, skill("acme/x", "1.0.0")).await.fails(403, "forbidden");
    app.post("/api/v1/skills", &anna, skill("acme/emails/x", "1.0.0")).await.fails(403, "forbidden");
    app.put("/api/v1/orgs/acme/email/members/anna", &anna, json!({ "role": "owner" }))
        .await
        .fails(403, "forbidden");
    app.member("acme", "anna", "admin").await;
    app.user("bert", &["read"]).await;
    app.put("/api/v1/orgs/acme/email/members/bert", &anna, json!({ "role": "reviewer" })).await.is(200);
    app.put("/api/v1/orgs/acme/members/bert", &anna, json!({ "role": "admin" }))
        .await
        .fails(403, "forbidden");
    app.put("/api/v1/orgs/acme/members/admin", &anna, json!({ "role": "reader" }))
        .await
        .fails(403, "forbidden");
    app.delete("/api/v1/orgs/acme/members/bert", &anna).await.fails(404, "member-not-found");
    app.delete("/api/v1/orgs/acme/email/members/bert", &anna).await.is(204);
    app.put("/api/v1/orgs/acme/members/nobody", &anna, json!({ "role": "reader" }))
        .await
        .fails(404, "user-not-found");
    app.put("/api/v1/orgs/none/members/bert", ADMIN, json!({ "role": "reader" }))
        .await
        .fails(404, "org-not-found");
    app.put("/api/v1/orgs/acme/members/bert", ADMIN, json!({ "role": "king" }))
        .await
        .fails(422, "invalid-field");
    app.delete("/api/v1/orgs/acme/members/admin", ADMIN).await.fails(409, "last-owner");
    app.delete("/api/v1/orgs/acme/members/anna", &anna).await.is(204);
    app.post("/api/v1/skills", &anna, skill("acme/x", "1.0.0")).await.fails(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_org_belongs_to_its_first_publisher() {
    let app = TestApp::new().await;
    let anna = app.user("anna", &["read", "publish"]).await;
    let bert = app.user("bert", &["read", "publish"]).await;
    app.post("/api/v1/skills", &anna, skill("fresh/tool", "1.0.0")).await.is(201);
    app.post("/api/v1/skills", &bert, skill("fresh/tool", "1.0.1")).await.fails(403, "forbidden");
    let who = app.get_as(&anna, "/api/v1/whoami").await.is(200);
    assert_eq!(who["memberships"], json!([{ "namespace": "fresh", "role": "owner" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_registry_lets_only_admins_make_orgs() {
    let app = TestApp::with(|settings| settings.namespaces = NamespacePolicy::Managed).await;
    let anna = app.user("anna", &["read", "publish", "admin"]).await;
    app.post("/api/v1/skills", &anna, skill("fresh/tool", "1.0.0")).await.fails(403, "namespace-managed");
    app.post("/api/v1/orgs", &anna, json!({ "name": "fresh" })).await.fails(403, "forbidden");
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "fresh", "owner": "anna" })).await.is(201);
    app.post("/api/v1/skills", &anna, skill("fresh/tool", "1.0.0")).await.is(201);
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "fresh" })).await.fails(409, "org-exists");
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "fr_esh" })).await.is(201);
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "fr-esh" })).await.fails(409, "name-taken");
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "a/b" })).await.fails(400, "invalid-id");
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "x", "owner": "nobody" }))
        .await
        .fails(404, "user-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_listed_and_unique() {
    let app = TestApp::new().await;
    for name in ["cleo", "anna", "bert"] {
        app.user(name, &["read"]).await;
    }
    let page = app.get_as(ADMIN, "/api/v1/users?limit=2&offset=1").await.is(200);
    let names: Vec<&str> =
        page["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!((names, &page["total"]), (vec!["anna", "bert"], &json!(4)));
    app.post("/api/v1/users", ADMIN, json!({ "name": "anna" })).await.fails(409, "user-exists");
    app.post("/api/v1/users", ADMIN, json!({ "name": "Anna" })).await.fails(400, "invalid-id");
    let anna = app.token(json!({ "user": "anna", "scopes": ["read", "admin"] })).await;
    app.get_as(&anna, "/api/v1/users").await.fails(403, "forbidden");
    app.get_as(&anna, "/api/v1/log").await.fails(403, "forbidden");
    app.get_as(&anna, "/api/v1/tokens?user=admin").await.fails(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_token_can_be_replaced_from_outside() {
    let app = TestApp::new().await;
    let mut settings = app.app.settings.clone();
    settings.admin_token =
        Some(skillery_core::token::Secret::new("another-admin-token-0123456789-0123456789"));
    let environment = app.app.environment.clone();
    let outcome = crate::bootstrap::admin_token(&app.app.db, &environment, &settings).await.unwrap();
    assert!(matches!(outcome, crate::bootstrap::AdminToken::Known));
    app.get_as("another-admin-token-0123456789-0123456789", "/api/v1/users").await.is(200);
    app.get_as(ADMIN, "/api/v1/users").await.fails(401, "token-revoked");
    // And set back: the old one is good again, the other is not.
    crate::bootstrap::admin_token(&app.app.db, &environment, &app.app.settings).await.unwrap();
    let restarted = app.crash_and_reopen().await;
    restarted.get_as(ADMIN, "/api/v1/users").await.is(200);
    let other = "another-admin-token-0123456789-0123456789";
    restarted.get_as(other, "/api/v1/users").await.fails(401, "token-revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_no_database_takes() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.get_as(ADMIN, "/api/v1/tokens?user=%00").await.fails(404, "user-not-found");
    app.delete("/api/v1/tokens/%00", ADMIN).await.fails(404, "token-not-found");
    let off = Some(json!({ "disabled": true }));
    app.call(axum::http::Method::PATCH, "/api/v1/users/a%00", ADMIN, off).await.fails(404, "user-not-found");
    app.delete("/api/v1/orgs/acme/members/a%00", ADMIN).await.fails(404, "user-not-found");
    app.post("/api/v1/tokens", ADMIN, json!({ "user": "a\u{0}" })).await.fails(404, "user-not-found");
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "x", "owner": "a\u{0}" }))
        .await
        .fails(404, "user-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_outlives_the_one_that_made_it() {
    let app = TestApp::new().await;
    app.user("anna", &["read"]).await;
    let short = app.token(json!({ "user": "anna", "scopes": ["admin", "read"], "expires_in_days": 1 })).await;
    let made = app.post("/api/v1/tokens", &short, json!({ "expires_in_days": 3_650 })).await.is(201);
    assert_eq!(made["expires_at"], "2026-01-03T03:04:05Z");
}
