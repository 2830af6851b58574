//! Issuers that are down, change their keys, or answer what they should not.

use serde_json::{Value, json};
use skillery_core::api::PublisherKind;

use super::super::TestApp;
use super::{ISSUERS_KEY, Issuer, OTHER_KEY, Signer, build, exchange, registry, trust};

const CONFIGURATION: &str = "/.well-known/openid-configuration";

fn token(app: &TestApp, issuer: &Issuer) -> String {
    issuer.token(&build(app, issuer, json!({})))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_down_is_asked_again_and_old_keys_do_for_a_day() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    trust(&app, json!({})).await;
    issuer.answers("/jwks", 500, "");
    let answer = exchange(&app, &token(&app, &issuer)).await;
    assert_eq!(answer.headers["retry-after"], "1");
    answer.fails(503, "issuer-unavailable");
    // Many who wait do not make it be asked more often.
    for _ in 0..5 {
        exchange(&app, &token(&app, &issuer)).await.fails(503, "issuer-unavailable");
    }
    assert_eq!(issuer.asked("/jwks"), 1);
    app.app.environment.advance_seconds(5);
    issuer.publish(json!([issuer.signer.jwk("key-1")]));
    exchange(&app, &token(&app, &issuer)).await.is(201);
    assert_eq!(issuer.asked("/jwks"), 2);
    // After an hour it is asked again; what was known before does while it does not answer.
    for answer in [(500, String::new()), (200, r#"{"keys":[]}"#.to_owned()), (200, "<html>".to_owned())] {
        app.app.environment.advance_seconds(3_600);
        issuer.answers("/jwks", answer.0, answer.1);
        exchange(&app, &token(&app, &issuer)).await.is(201);
    }
    assert_eq!(issuer.asked("/jwks"), 5);
    app.app.environment.advance_seconds(86_400 - 3 * 3_600);
    exchange(&app, &token(&app, &issuer)).await.fails(503, "issuer-unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keys_are_found_and_names_nobody_knows_are_asked_for_once_a_minute() {
    let mut issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    trust(&app, json!({})).await;
    exchange(&app, &token(&app, &issuer)).await.is(201);
    let next = Signer::rsa(OTHER_KEY);
    let header = r#"{"alg":"RS256","kid":"key-2"}"#;
    let signed_next = |app: &TestApp| next.sign(header, &build(app, &issuer, json!({})).to_string());
    // Not published yet, and asked for just now.
    exchange(&app, &signed_next(&app)).await.fails(401, "invalid-id-token");
    assert_eq!(issuer.asked("/jwks"), 1);
    app.app.environment.advance_seconds(60);
    for _ in 0..5 {
        exchange(&app, &signed_next(&app)).await.fails(401, "invalid-id-token");
    }
    assert_eq!(issuer.asked("/jwks"), 2);
    // Both for a while, as issuers do; then the old one is gone, and good for nothing more.
    issuer.publish(json!([issuer.signer.jwk("key-1"), next.jwk("key-2")]));
    app.app.environment.advance_seconds(60);
    exchange(&app, &signed_next(&app)).await.is(201);
    exchange(&app, &token(&app, &issuer)).await.is(201);
    issuer.publish(json!([next.jwk("key-2")]));
    app.app.environment.advance_seconds(3_600);
    exchange(&app, &signed_next(&app)).await.is(201);
    exchange(&app, &token(&app, &issuer)).await.fails(401, "invalid-id-token");
    // Another key under an old name.
    issuer.signer = next;
    exchange(&app, &token(&app, &issuer)).await.fails(401, "invalid-id-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_cannot_be_used() {
    let key = Signer::rsa(ISSUERS_KEY).jwk("key-1");
    let keys = |keys: Value| json!({ "keys": keys }).to_string();
    let huge = format!("{{\"keys\":[{key}],\"padding\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
    let mut many = vec![key.clone(); 65];
    many.rotate_left(1);
    let symmetric = json!([{ "kty": "oct", "kid": "key-1", "k": "AAAA", "alg": "HS256" }]);
    for (path, status, body) in [
        ("/jwks", 200, huge.clone()),
        ("/jwks", 200, keys(json!(many))),
        ("/jwks", 200, keys(json!([]))),
        ("/jwks", 200, keys(symmetric)),
        ("/jwks", 200, "[".repeat(100_000)),
        // Nobody is followed elsewhere.
        ("/jwks", 302, keys(json!([key]))),
        ("/jwks", 404, keys(json!([key]))),
        (CONFIGURATION, 200, huge),
        (CONFIGURATION, 307, String::new()),
        (CONFIGURATION, 200, "{}".to_owned()),
        (CONFIGURATION, 200, "not JSON".to_owned()),
    ] {
        let issuer = Issuer::new().await;
        issuer.answers("/moved", 200, keys(json!([key])));
        let app = registry(&issuer, PublisherKind::Github).await;
        trust(&app, json!({})).await;
        issuer.answers(path, status, body);
        exchange(&app, &token(&app, &issuer)).await.fails(503, "issuer-unavailable");
        assert_eq!(issuer.asked("/moved"), 0);
    }
    // It says that it is somebody else, or sends elsewhere without TLS.
    for changes in [
        json!({ "issuer": "https://other.example" }),
        json!({ "jwks_uri": "http://registry.example/jwks" }),
        json!({ "jwks_uri": "file:///etc/passwd" }),
        json!({ "jwks_uri": "http://user:secret@127.0.0.1/jwks" }),
    ] {
        let issuer = Issuer::new().await;
        let app = registry(&issuer, PublisherKind::Github).await;
        trust(&app, json!({})).await;
        issuer.describe(changes);
        exchange(&app, &token(&app, &issuer)).await.fails(503, "issuer-unavailable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_come_at_once_ask_once() {
    let issuer = Issuer::new().await;
    let app = registry(&issuer, PublisherKind::Github).await;
    trust(&app, json!({})).await;
    let tokens: Vec<String> = (0..16).map(|_| token(&app, &issuer)).collect();
    let answers = futures_util::future::join_all(tokens.iter().map(|token| exchange(&app, token))).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    assert_eq!((issuer.asked(CONFIGURATION), issuer.asked("/jwks")), (1, 1));
}
