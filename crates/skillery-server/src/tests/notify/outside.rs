//! Webhooks that should lead where nobody may reach.

use serde_json::json;

use super::{Receiver, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn addresses_inside_are_refused_and_so_is_what_has_no_tls() {
    let app = TestApp::new().await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let add = |url: String| {
        let (app, anna) = (&app, &anna);
        async move { app.post("/api/v1/notifications/webhooks", anna, json!({ "url": url })).await }
    };
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "０ｘ７ｆ．１",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[2002:7f00:1::1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
    ] {
        add(format!("https://{host}/hook")).await.fails(422, "address-not-allowed");
    }
    for url in
        ["http://example.org/", "ftp://example.org/", "https://name:word@example.org/", "file:///etc/passwd"]
    {
        add(url.to_owned()).await.fails(422, "address-not-allowed");
    }
    let long = format!("https://example.org/{}", "x".repeat(2_048));
    for url in ["", "example.org", "https://", "https://exa mple.org/", &long] {
        add(url.to_owned()).await.fails(422, "invalid-field");
    }
    add("https://example.org/hook#fragment".to_owned()).await.is(201);
    for _ in 0..19 {
        add("https://example.org/hook".to_owned()).await.is(201);
    }
    add("https://example.org/hook".to_owned()).await.fails(422, "invalid-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_an_address_inside_is_refused_when_it_is_asked() {
    let receiver = Receiver::start().await;
    // Another network is allowed, and so is no reason to look less.
    let app = TestApp::with(|settings| settings.outbound_allow = vec!["10.9.0.0/16".parse().unwrap()]).await;
    let anna = app.user("anna", &["read", "admin"]).await;
    for scheme in ["http", "https"] {
        for host in ["localhost", "localhost.", "no-such-name.invalid"] {
            let url = format!("{scheme}://{host}:{}/hook", receiver.port);
            let hook = app.post("/api/v1/notifications/webhooks", &anna, json!({ "url": url })).await.is(201);
            let path = format!("/api/v1/notifications/webhooks/{}", hook["id"].as_str().unwrap());
            app.post(&format!("{path}/test"), &anna, json!({})).await.is(202);
            app.send_due().await;
            let one = app.get_as(&anna, &format!("{path}/deliveries")).await.is(200)["deliveries"][0].clone();
            assert_eq!((&one["state"], &one["status"]), (&json!("waiting"), &json!(null)), "{url}");
            // It is told alike whether there is such a name or not.
            assert_eq!(one["error"], format!("`{host}` has no address that may be asked"));
        }
    }
    assert!(receiver.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let receiver = Receiver::start().await;
    let app = TestApp::with_hooks().await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let hook =
        app.post("/api/v1/notifications/webhooks", &anna, json!({ "url": receiver.url() })).await.is(201);
    let path = format!("/api/v1/notifications/webhooks/{}", hook["id"].as_str().unwrap());
    receiver.answers(307, "");
    app.post(&format!("{path}/test"), &anna, json!({})).await.is(202);
    app.send_due().await;
    let paths: Vec<String> = receiver.take().into_iter().map(|(path, ..)| path).collect();
    assert_eq!(paths, ["/hook"]);
    let one = app.get_as(&anna, &format!("{path}/deliveries")).await.is(200)["deliveries"][0].clone();
    assert_eq!((&one["state"], &one["status"]), (&json!("waiting"), &json!(307)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_is_no_more_than_that() {
    let receiver = Receiver::start().await;
    let app = TestApp::with_hooks().await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let add = async |host: &str| {
        let url = format!("http://{host}:{}/hook", receiver.port);
        app.post("/api/v1/notifications/webhooks", &anna, json!({ "url": url })).await
    };
    add("127.0.0.1").await.is(201);
    // A mapped address is the same one; what a gateway would make of another is not listed by that.
    add("[::ffff:127.0.0.1]").await.is(201);
    for host in ["[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "[::1]", "10.0.0.1", "example.org@10.0.0.1"] {
        add(host).await.fails(422, "address-not-allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_long_answer_little_is_read() {
    let receiver = Receiver::start().await;
    let app = TestApp::with_hooks().await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let hook =
        app.post("/api/v1/notifications/webhooks", &anna, json!({ "url": receiver.url() })).await.is(201);
    let path = format!("/api/v1/notifications/webhooks/{}", hook["id"].as_str().unwrap());
    receiver.answers(400, &"x".repeat(10_000_000));
    app.post(&format!("{path}/test"), &anna, json!({})).await.is(202);
    app.send_due().await;
    let one = app.get_as(&anna, &format!("{path}/deliveries")).await.is(200)["deliveries"][0].clone();
    assert!(one["error"].as_str().unwrap().len() < 600);
}
