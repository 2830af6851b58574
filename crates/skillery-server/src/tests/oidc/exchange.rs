//! From a build to a version, when all is as it should be.

use serde_json::{Value, json};
use skillery_core::api::PublisherKind;
use skillery_core::sign::sshsig::RELEASE_NAMESPACE;

use super::super::keys::{self, statement};
use super::super::{ADMIN, TestApp, is_postgres, skill};
use super::{AUDIENCE, Issuer, Signer, build, exchange, registry, registry_with, trust};
use crate::oidc::TrustedIssuer;

#[tokio::test(flavor = "multi_thread")]
async fn a_build_passes_by_a_policy_of_those_who_trust_it() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    let policy = json!({ "approvals": 1, "auto": { "builds": true } });
    app.put("/api/v1/orgs/acme/policy", ADMIN, policy).await.is(200);
    // Trusted by an admin below, it publishes there, and passes nothing that is demanded above.
    let below = app.user("below", &["read", "admin"]).await;
    app.member("acme/pay", "below", "admin").await;
    let trusted =
        json!({ "kind": "github", "repository": "octo/tools", "owner_id": "65", "workflow": "release.yml" });
    let publisher = app.post("/api/v1/orgs/acme/pay/publishers", &below, trusted.clone()).await.is(201);
    let token = async |namespace: &str| {
        let token = issuer.token(&build(&app, &issuer, json!({})));
        let body = json!({ "token": token, "namespace": namespace });
        let exchanged = app.post("/api/v1/oidc/exchange", "", body).await.is(201);
        exchanged["token"].as_str().unwrap().to_owned()
    };
    let bot = token("acme/pay").await;
    app.post("/api/v1/skills", &bot, skill("acme/pay/tool", "1.0.0")).await.is(202);
    // Its own namespace's policy lets it pass, and the one above does not.
    let policy = json!({ "approvals": 2, "auto": { "builds": true } });
    app.put("/api/v1/orgs/acme/pay/policy", &below, policy).await.is(200);
    app.post("/api/v1/skills", &bot, skill("acme/pay/tool", "1.1.0")).await.is(202);
    let log = app.log().await;
    let published = log.iter().rfind(|entry| entry["event"]["kind"] == "version.published").unwrap();
    let by = log.iter().find(|entry| entry["event"]["kind"] == "publisher.trusted").unwrap();
    assert_eq!(published["event"]["passed"][0]["publisher"], by["index"]);
    assert_eq!(
        (
            published["event"]["passed"].as_array().unwrap().len(),
            published["event"]["policies"].as_array().unwrap().len()
        ),
        (1, 1)
    );
    // Whoever has set the policy trusts it: it passes, there and below.
    let id = publisher["id"].as_str().unwrap();
    app.delete(&format!("/api/v1/orgs/acme/pay/publishers/{id}"), &below).await.is(204);
    app.post("/api/v1/orgs/acme/publishers", ADMIN, trusted).await.is(201);
    let bot = token("acme").await;
    app.post("/api/v1/skills", &bot, skill("acme/pay/tool", "1.2.0")).await.is(201);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_publishes_and_the_log_says_which() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    let publisher = trust(&app, json!({})).await;
    let shown = app.get("/api/v1/oidc").await.is(200);
    let expected = json!([{ "issuer": issuer.url, "kind": "github", "audience": AUDIENCE }]);
    assert_eq!((&shown["issuers"], &shown["login"]), (&expected, &Value::Null));

    let answer = exchange(&app, &issuer.token(&build(&app, &issuer, json!({})))).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let exchanged = answer.is(201);
    let token = exchanged["token"].as_str().unwrap();
    assert!(token.starts_with("sky_tp_"), "{exchanged}");
    assert_eq!(exchanged["namespaces"], json!(["acme"]));
    assert_eq!(exchanged["publisher"], publisher["id"]);
    assert_eq!(exchanged["expires_at"], "2026-01-02T03:19:05Z");
    let via = format!("oidc:{}|octo/tools/release.yml@refs/heads/main|run 4711|sha 0fe1", issuer.url);
    assert_eq!(exchanged["via"], via);

    let published = app.post("/api/v1/skills", token, skill("acme/tool", "1.0.0")).await.is(201);
    assert!(published["log_index"].is_u64());
    app.post("/api/v1/skills", token, skill("acme/deep/tool", "1.0.0")).await.is(201);
    let log = app.log().await;
    let entry = log.iter().find(|entry| entry["event"]["kind"] == "version.published").unwrap();
    assert_eq!(entry["event"]["via"], via);
    // The actor is the publisher's own user, and nothing of the person who pushed is in the log.
    let trusted = log.iter().find(|entry| entry["event"]["kind"] == "publisher.trusted").unwrap();
    assert_eq!(entry["actor"], trusted["event"]["user"]);
    let issued = log.iter().rfind(|entry| entry["event"]["kind"] == "token.issued").unwrap();
    let build = skillery_core::Digest::of(via.as_bytes()).to_string();
    assert_eq!((&issued["event"]["publisher"], &issued["event"]["build"]), (&publisher["id"], &json!(build)));
    assert!(!format!("{log:?}").contains("a-person"));
    // Whoever may see the skill may see the entry, and so the build.
    let openings = app.get("/api/v1/skills/acme/tool/log").await.is(200).to_string();
    assert!(openings.contains("run 4711"), "{openings}");
    let versions = app.get("/api/v1/skills/acme/tool/versions").await.is(200);
    assert_eq!(versions["versions"][0]["publisher"], publisher["user"]);

    // Where it signs, with the key of somebody who may publish, the statement says which build it is, and no other.
    let anna = app.publisher("anna").await;
    let key = keys::Signer::of("anna", 1);
    app.enrol(&anna, &key).await;
    let plain = statement(&app.origin().await, "acme/tool", "1.1.0", |_| ());
    let named = |build: &str| {
        let build = serde_json::to_string(build).unwrap();
        plain.replace(r#""predicate":{"#, &format!(r#""predicate":{{"builder":{build},"#))
    };
    let signed = |text: &str| key.sign(RELEASE_NAMESPACE, text.as_bytes());
    let other = named("oidc:https://ci.example.com|other");
    app.publish_with(token, "acme/tool", "1.1.0", &other, &signed(&other))
        .await
        .fails(422, "invalid-statement");
    let ours = named(&via);
    app.publish_with(&anna, "acme/tool", "1.1.0", &ours, &signed(&ours))
        .await
        .fails(422, "invalid-statement");
    app.publish_with(token, "acme/tool", "1.1.0", &ours, &signed(&ours)).await.is(201);
    let kept = app.get("/api/v1/skills/acme/tool/versions/1.1.0/signatures").await.is(200);
    assert_eq!(kept["statement"], ours);

    // It publishes into its namespace, and does nothing else.
    app.post("/api/v1/skills", token, skill("other/tool", "1.0.0")).await.fails(403, "token-out-of-bounds");
    app.post("/api/v1/tokens", token, json!({})).await.fails(403, "insufficient-scope");
    app.post("/api/v1/skills/acme/tool/rate", token, json!({ "rating": 5 }))
        .await
        .fails(403, "insufficient-scope");
    app.put("/api/v1/skills/acme/tool/visibility", token, json!({ "visibility": "private" }))
        .await
        .fails(403, "insufficient-scope");
    app.app.environment.advance_seconds(15 * 60);
    app.post("/api/v1/skills", token, skill("acme/tool", "1.0.1")).await.fails(401, "token-expired");
    assert_eq!(issuer.asked("/jwks"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_of_gitlab_and_one_that_says_so_itself() {
    let (gitlab, generic) = (Issuer::new().await, Issuer::with(Signer::ec()).await);
    let trusted: Vec<TrustedIssuer> =
        vec![gitlab.trusted(PublisherKind::Gitlab), generic.trusted(PublisherKind::Generic)];
    let app = registry_with(|settings| settings.oidc_issuers = trusted).await;
    trust(
        &app,
        json!({
            "kind": "gitlab", "repository": "group/deep/tools", "owner_id": "72", "workflow": "ci/release.yml",
            "environment": "production", "ref": "protected",
        }),
    )
    .await;
    let host = gitlab.url.trim_start_matches("http://");
    let claims = json!({
        "repository": null, "workflow_ref": null, "project_path": "group/deep/tools", "namespace_id": "72",
        "pipeline_source": "push", "ref": "v1.0", "ref_type": "tag", "pipeline_id": "9", "environment": "production",
        "ci_config_ref_uri": format!("{host}/group/deep/tools//ci/release.yml@refs/tags/v1.0"),
    });
    let exchanged = exchange(&app, &gitlab.token(&build(&app, &gitlab, claims))).await.is(201);
    let via = format!("oidc:{}|group/deep/tools/ci/release.yml@refs/tags/v1.0|run 9|sha 0fe1", gitlab.url);
    assert_eq!(exchanged["via"], via);

    let claims = json!({ "sub": "system:serviceaccount:ci:release", "cluster": "prod" });
    let request = json!({ "kind": "generic", "claims": claims });
    let publisher = app.post("/api/v1/orgs/acme/email/publishers", ADMIN, request).await.is(201);
    let exchanged = exchange(&app, &generic.token(&build(&app, &generic, claims.clone()))).await.is(201);
    assert_eq!(exchanged["namespaces"], json!(["acme/email"]));
    // Who knows whose names such claims hold: none of them is in the log.
    assert_eq!(
        exchanged["via"],
        format!("oidc:{}|publisher {}", generic.url, publisher["id"].as_str().unwrap())
    );
    assert!(!format!("{:?}", app.log().await).contains("serviceaccount"));
    let token = exchanged["token"].as_str().unwrap();
    app.post("/api/v1/skills", token, skill("acme/email/tool", "1.0.0")).await.is(201);
    app.post("/api/v1/skills", token, skill("acme/tool", "1.0.0")).await.fails(403, "token-out-of-bounds");
    for changes in [json!({ "cluster": "test" }), json!({ "cluster": null }), json!({ "sub": "system" })] {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        exchange(&app, &generic.token(&build(&app, &generic, claims)))
            .await
            .fails(403, "publisher-not-trusted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_namespace_trusts_and_several_must_be_told_apart() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    let above = trust(&app, json!({})).await;
    let token = || issuer.token(&build(&app, &issuer, json!({})));
    let into = async |namespace: &str| {
        let body = json!({ "token": token(), "namespace": namespace });
        app.post("/api/v1/oidc/exchange", "", body).await
    };
    // What is asked for below is all that the token is for.
    let below = into("acme/email").await.is(201);
    assert_eq!((&below["publisher"], &below["namespaces"]), (&above["id"], &json!(["acme/email"])));
    into("acm").await.fails(403, "publisher-not-trusted");
    into("acmee").await.fails(403, "publisher-not-trusted");
    into("Acme").await.fails(400, "invalid-id");
    let request =
        json!({ "kind": "github", "repository": "octo/tools", "owner_id": "65", "workflow": "release.yml" });
    let nearer = app.post("/api/v1/orgs/acme/email/publishers", ADMIN, request).await.is(201);
    assert_eq!(into("acme/email/deep").await.is(201)["publisher"], nearer["id"]);
    assert_eq!(into("acme").await.is(201)["publisher"], above["id"]);
    let refused = exchange(&app, &token()).await.fails(422, "invalid-field");
    assert!(refused["detail"].as_str().unwrap().contains("acme, acme/email"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_is_good_for_one_exchange_also_after_a_restart_and_elsewhere() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    trust(&app, json!({})).await;
    let token = issuer.token(&build(&app, &issuer, json!({})));
    // Many at once: one of them gets it.
    let answers = futures_util::future::join_all((0..8).map(|_| exchange(&app, &token))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    exchange(&app, &token).await.fails(401, "id-token-used");
    // The same `jti` in another token is the same.
    let claims = build(&app, &issuer, json!({ "jti": "again" }));
    exchange(&app, &issuer.token(&claims)).await.is(201);
    let claims = build(&app, &issuer, json!({ "jti": "again", "run_id": "5" }));
    exchange(&app, &issuer.token(&claims)).await.fails(401, "id-token-used");
    // One without a `jti` is told from others by all that is signed.
    let nameless = issuer.token(&build(&app, &issuer, json!({ "jti": null })));
    exchange(&app, &nameless).await.is(201);
    exchange(&app, &nameless).await.fails(401, "id-token-used");
    if is_postgres() {
        let another = app.another().await;
        exchange(&another, &token).await.fails(401, "id-token-used");
        exchange(&another, &nameless).await.fails(401, "id-token-used");
    }
    let app = app.crash_and_reopen().await;
    exchange(&app, &token).await.fails(401, "id-token-used");
    exchange(&app, &nameless).await.fails(401, "id-token-used");
    // Until nobody could take it anyway.
    app.app.environment.advance_seconds(299);
    exchange(&app, &token).await.fails(401, "id-token-used");
    app.app.environment.advance_seconds(60);
    exchange(&app, &token).await.fails(401, "id-token-used");
    app.app.environment.advance_seconds(1);
    exchange(&app, &token).await.fails(401, "invalid-id-token");
    // And then nothing is kept of it.
    app.app.environment.advance_seconds(3_700);
    exchange(&app, &issuer.token(&build(&app, &issuer, json!({})))).await.is(201);
    assert_eq!(used(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_built_for_private_skills_is_not_told() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    trust(&app, json!({})).await;
    let exchanged =
        exchange(&app, &issuer.token(&build(&app, &issuer, json!({ "run_id": "77001" })))).await.is(201);
    let mut request = skill("acme/hidden", "1.0.0");
    request["visibility"] = json!("private");
    app.post("/api/v1/skills", exchanged["token"].as_str().unwrap(), request).await.is(201);
    let size = app.log().await.len();
    // What everybody can read of the log.
    let entries = app.get(&format!("/log/v1/tile/entries/000.p/{size}")).await;
    assert_eq!(entries.status, 200);
    let text = String::from_utf8_lossy(&entries.body);
    assert!(
        text.contains("token.issued") && !text.contains("77001") && !text.contains("acme/hidden"),
        "{text}"
    );
}

async fn used(app: &TestApp) -> i64 {
    sqlx::query_scalar::<_, i64>("SELECT CAST(COUNT(*) AS BIGINT) FROM used_id_tokens")
        .fetch_one(app.app.db.reader())
        .await
        .unwrap()
}
