//! Tokens that must not be taken, each for one reason.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use skillery_core::api::PublisherKind;

use super::super::{ADMIN, TestApp};
use super::{Issuer, OTHER_KEY, Signer, build, exchange, registry, trust};

#[tokio::test(flavor = "multi_thread")]
async fn wrong_audience_issuer_time() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    trust(&app, json!({})).await;
    let now = app.app.environment.now().micros() / 1_000_000;
    let stranger = Issuer::new().await;
    for (changes, status, code, says) in [
        (json!({ "aud": "https://other.example" }), 401, "invalid-id-token", "must be for"),
        (json!({ "aud": ["https://registry.example", "sigstore"] }), 401, "invalid-id-token", "2 audiences"),
        (json!({ "aud": null }), 401, "invalid-id-token", "whom it is for"),
        (json!({ "iss": stranger.url }), 403, "issuer-not-allowed", "no issuer of this registry"),
        (
            json!({ "iss": format!("{}/", issuer.url) }),
            403,
            "issuer-not-allowed",
            "no issuer of this registry",
        ),
        (json!({ "iss": null }), 401, "invalid-id-token", "`iss`"),
        (json!({ "exp": now - 60, "iat": now - 600 }), 401, "invalid-id-token", "expired"),
        (json!({ "iat": now + 61 }), 401, "invalid-id-token", "not yet"),
        (json!({ "nbf": now + 61 }), 401, "invalid-id-token", "not yet"),
        (json!({ "exp": now + 3_601 }), 401, "invalid-id-token", "at most"),
        (json!({ "exp": i64::from(u32::MAX) }), 401, "invalid-id-token", "at most"),
        (json!({ "exp": "never" }), 401, "invalid-id-token", "`exp`"),
    ] {
        let answer = exchange(&app, &issuer.token(&build(&app, &issuer, changes.clone()))).await;
        let problem = answer.fails(status, code);
        assert!(problem["detail"].as_str().unwrap().contains(says), "{changes}: {problem}");
    }
    // None of them made this server ask anybody anything.
    assert_eq!(issuer.asked("/jwks") + stranger.asked("/jwks"), 0);
    assert_eq!(stranger.asked("/.well-known/openid-configuration"), 0);
    // Up to a minute clocks may differ.
    for changes in [json!({ "exp": now - 59, "iat": now - 600 }), json!({ "iat": now + 60, "nbf": now + 60 })]
    {
        exchange(&app, &issuer.token(&build(&app, &issuer, changes))).await.is(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_keys_algorithms_and_forms() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    trust(&app, json!({})).await;
    let claims = build(&app, &issuer, json!({})).to_string();
    let good = issuer.token(&build(&app, &issuer, json!({})));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let unsigned =
        |header: Value| format!("{}.{}.", BASE64.encode(header.to_string()), BASE64.encode(&claims));
    let header = |changes: Value| {
        let mut header = json!({ "alg": "RS256", "kid": "key-1", "typ": "JWT" });
        header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        header.to_string()
    };
    // HMAC with what everybody knows: the public key as the issuer publishes it.
    let hs256 = {
        let signed =
            format!("{}.{}", BASE64.encode(header(json!({ "alg": "HS256" }))), BASE64.encode(&claims));
        let key = issuer.signer.jwk("key-1")["n"].as_str().unwrap().to_owned();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
        let tag = ring::hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(tag))
    };
    let other = Signer::rsa(OTHER_KEY);
    let brought = other.jwk("key-1");
    let stranger = Issuer::new().await;
    stranger.publish(json!([other.jwk("key-1")]));
    let claims_of = |changes: Value| build(&app, &issuer, changes).to_string();
    let twice = claims.replacen('{', r#"{"repository":"evil/tools","#, 1);
    for (token, says) in [
        (unsigned(json!({ "alg": "none", "kid": "key-1" })), "RS256"),
        (unsigned(json!({ "alg": "None", "kid": "key-1" })), "RS256"),
        (unsigned(json!({ "alg": "RS256", "kid": "key-1" })), "signature"),
        (hs256, "RS256"),
        (Signer::ec().sign(&header(json!({ "alg": "ES256" })), &claims), "RS256"),
        (Signer::ec().sign(&header(json!({})), &claims), "signature"),
        (other.sign(&header(json!({})), &claims), "signature"),
        // What a token brings along to be checked with is not looked at.
        (other.sign(&header(json!({ "jwk": brought })), &claims), "signature"),
        (other.sign(&header(json!({ "jku": format!("{}/jwks", stranger.url) })), &claims), "signature"),
        (other.sign(&header(json!({ "x5u": format!("{}/jwks", stranger.url) })), &claims), "signature"),
        (other.sign(&header(json!({ "kid": "../../../dev/null" })), &claims), "no key"),
        (other.sign(&header(json!({ "kid": "key-1\u{0}" })), &claims), "NUL"),
        (issuer.signer.sign(&header(json!({ "crit": ["exp"] })), &claims), "header"),
        (issuer.signer.sign(&header(json!({ "typ": "at+jwt" })), &claims), "header"),
        (issuer.signer.sign(&header(json!({})), &twice), "twice"),
        (issuer.signer.sign(&header(json!({})), &claims_of(json!({ "sub": "repo:octo/tools\u{0}" }))), "NUL"),
        (format!("{signed}.{}", BASE64.encode("x")), "signature"),
        (format!("{signed}."), "signature"),
        (format!("{}.e30.{signature}", signed.split('.').next().unwrap()), "`iss`"),
        (
            format!("{}.{}.{signature}", signed.split('.').next().unwrap(), BASE64.encode(&claims)),
            "signature",
        ),
        (signed.to_owned(), "three parts"),
        ("x".repeat(17_000), "characters"),
        (String::new(), "three parts"),
    ] {
        let problem = exchange(&app, &token).await.fails(401, "invalid-id-token");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{says}: {detail}");
    }
    assert_eq!(stranger.asked("/jwks"), 0);
    // Its own keys were asked for twice: at first, and once more for a name that is not known.
    assert!(issuer.asked("/jwks") <= 2);
    exchange(&app, &good).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_that_only_look_alike() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    trust(&app, json!({ "environment": "release", "ref": "refs/heads/main" })).await;
    let of = |repository: &str, more: Value| {
        let workflow = format!("{repository}/.github/workflows/release.yml@refs/heads/main");
        let mut changes =
            json!({ "repository": repository, "workflow_ref": workflow, "environment": "release" });
        changes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        issuer.token(&build(&app, &issuer, changes))
    };
    for (token, says) in [
        (of("Octo/tools", json!({})), "by this owner"),
        (of("octo/Tools", json!({})), "by this owner"),
        // Letters of other alphabets, and ones that are not seen.
        (of("оcto/tools", json!({})), "by this owner"),
        (of("octo/tools\u{200b}", json!({})), "by this owner"),
        (of("octo/tools ", json!({})), "by this owner"),
        (of("octo/too1s", json!({})), "by this owner"),
        (of("octo/tools-", json!({})), "by this owner"),
        (of("octo/tools/", json!({})), "by this owner"),
        // The name was given up, and somebody else has taken it.
        (of("octo/tools", json!({ "repository_owner_id": "66" })), "by this owner"),
        (of("octo/tools", json!({ "repository_owner_id": "065" })), "by this owner"),
        // What else is not as it was trusted.
        (
            of(
                "octo/tools",
                json!({ "workflow_ref": "octo/tools/.github/workflows/test.yml@refs/heads/main" }),
            ),
            "its workflow `test.yml` is not",
        ),
        (of("octo/tools", json!({ "environment": "test" })), "not in the environment `test`"),
        (of("octo/tools", json!({ "environment": null })), "only in an environment"),
        (
            of(
                "octo/tools",
                json!({
                    "ref": "refs/heads/x",
                    "workflow_ref": "octo/tools/.github/workflows/release.yml@refs/heads/x",
                }),
            ),
            "not for `refs/heads/x`",
        ),
    ] {
        let problem = exchange(&app, &token).await.fails(403, "publisher-not-trusted");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{says}: {detail}");
    }
    for event in ["pull_request_target", "workflow_run"] {
        exchange(&app, &of("octo/tools", json!({ "event_name": event })))
            .await
            .fails(401, "invalid-id-token");
    }
    // A workflow of another repository, which an owner of orgs may force on all of theirs.
    let elsewhere = json!({ "workflow_ref": "octo/.github/.github/workflows/release.yml@refs/heads/main" });
    exchange(&app, &of("octo/tools", elsewhere)).await.fails(401, "invalid-id-token");
    exchange(&app, &of("octo/tools", json!({}))).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_for_who_is_not_trusted() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    let token = issuer.token(&build(&app, &issuer, json!({})));
    exchange(&app, &token).await.fails(403, "publisher-not-trusted");
    assert_eq!(issuer.asked("/.well-known/openid-configuration"), 0);
    let none = TestApp::new().await;
    exchange(&none, &token).await.fails(403, "issuer-not-allowed");
    // A publisher whose user is switched off gets nothing.
    let publisher = trust(&app, json!({ "environment": "off" })).await;
    let user = format!("/api/v1/users/{}", publisher["user"].as_str().unwrap());
    app.call(axum::http::Method::PATCH, &user, ADMIN, Some(json!({ "disabled": true }))).await.is(200);
    let off = issuer.token(&build(&app, &issuer, json!({ "environment": "off" })));
    exchange(&app, &off).await.fails(403, "publisher-not-trusted");
    // Trust that was taken back is gone at once, and so are the tokens that came of it.
    let publisher = trust(&app, json!({})).await;
    let exchanged = exchange(&app, &token).await.is(201);
    let path = format!("/api/v1/orgs/acme/publishers/{}", publisher["id"].as_str().unwrap());
    app.delete(&path, ADMIN).await.is(204);
    let dead = exchanged["token"].as_str().unwrap();
    app.get_as(dead, "/api/v1/whoami").await.fails(401, "token-revoked");
    let again = issuer.token(&build(&app, &issuer, json!({})));
    exchange(&app, &again).await.fails(403, "publisher-not-trusted");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_waits() {
    let app = TestApp::with(|settings| {
        settings.trust_forwarded = true;
        settings.limits.oidc_requests_per_minute_per_address = 3;
    })
    .await;
    let ask = async |address: &str, path: &str| {
        let request = axum::http::Request::post(path)
            .header("x-forwarded-for", address)
            .header("content-type", "application/json")
            .body(axum::body::Body::from(r#"{"token":""}"#));
        app.send(request.unwrap()).await
    };
    for _ in 0..3 {
        ask("192.0.2.1", "/api/v1/oidc/exchange").await.fails(401, "invalid-id-token");
    }
    ask("192.0.2.1", "/api/v1/oidc/exchange").await.fails(429, "rate-limited");
    ask("192.0.2.1", "/api/v1/oidc/login").await.fails(429, "rate-limited");
    ask("192.0.2.2", "/api/v1/oidc/exchange").await.fails(401, "invalid-id-token");
    app.get("/api/v1/skills").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_reads_without_a_token_builds_still_get_theirs() {
    let issuer = Issuer::new().await;
    let trusted = issuer.trusted(PublisherKind::Github);
    let app = super::registry_with(|settings| {
        settings.anonymous_reads = false;
        settings.oidc_issuers = vec![trusted];
    })
    .await;
    trust(&app, json!({})).await;
    app.get("/api/v1/skills").await.fails(401, "unauthenticated");
    app.get("/api/v1/oidcx").await.fails(401, "unauthenticated");
    app.get("/api/v1/oidc").await.is(200);
    exchange(&app, &issuer.token(&build(&app, &issuer, json!({})))).await.is(201);
}
