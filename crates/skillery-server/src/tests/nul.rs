//! A NUL in what callers send: one database keeps it, the other takes no text that has one. It is refused before.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ADMIN, TestApp};
use crate::http::interop::{CLAWHUB_ROUTES, ROUTES as SURFACE_ROUTES};
use crate::http::router::ROUTES;

/// A value for each name in a path.
fn value(name: &str) -> &'static str {
    match name {
        "id" | "package" => "acme/tool",
        "version" => "1.0.0",
        "org" | "namespace" | "scope" => "acme",
        "repository" | "slug" | "name" => "tool",
        "file" => "SKILL.md",
        "path" => "0/000.p/1",
        "user" => "nobody",
        "fingerprint" => "SHA256:none",
        "tag" => "latest",
        _ => "none",
    }
}

/// The path with its values, but for the one with this name.
fn filled(pattern: &str, bad: Option<(&str, &str)>) -> String {
    let mut path = pattern.to_owned();
    for name in names(pattern) {
        let value = bad.filter(|(other, _)| *other == name).map_or(value(&name), |(_, value)| value);
        path = path.replace(&format!("{{{name}}}"), value);
    }
    path
}

fn names(pattern: &str) -> Vec<String> {
    pattern.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0.to_owned())).collect()
}

/// A body that is taken, so that the names are looked at.
fn body(method: &Method, path: &str) -> Option<Value> {
    match (method.as_str(), path) {
        ("GET" | "DELETE", _) => None,
        (_, path) if path.ends_with("/members/{user}") => Some(json!({ "role": "reader" })),
        (_, "/api/v1/users/{user}") => Some(json!({ "disabled": true })),
        (_, "/api/v1/skills/{id}/rate") => Some(json!({ "rating": 5 })),
        (_, "/api/v1/skills/{id}/visibility") => Some(json!({ "visibility": "public" })),
        (_, path) if path.ends_with("/yank") || path.ends_with("/quarantine") => {
            Some(json!({ "reason": "x" }))
        }
        _ => Some(json!({})),
    }
}

/// What of the surfaces' parameters there is.
const PARAMETERS: &[&str] = &[
    "cursor",
    "hash",
    "limit",
    "mode",
    "owner",
    "ownerHandle",
    "path",
    "prefix",
    "q",
    "service",
    "slug",
    "sort",
    "tag",
    "version",
];

#[tokio::test(flavor = "multi_thread")]
async fn in_a_path_or_a_parameter_it_is_never_the_server_s_failure() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let check = async |method: &Method, address: &str, body: Option<Value>| {
        let answer = app.call(method.clone(), address, ADMIN, body).await;
        let status = answer.status.as_u16();
        // What is not offered here is 501 whatever is asked.
        assert!(status < 500 || status == 501, "{method} {address}: {answer:?}");
    };
    let all = || ROUTES.iter().chain(SURFACE_ROUTES).chain(CLAWHUB_ROUTES);
    for (method, pattern, _) in all() {
        let method: Method = method.to_uppercase().parse().unwrap();
        for name in names(pattern) {
            for bad in ["%00", "a%00", "%00a"] {
                let path = filled(pattern, Some((&name, bad)));
                check(&method, &path, body(&method, pattern)).await;
                // Where a skill is named without its owner, and where it is not.
                check(&method, &format!("{path}?ownerHandle=acme"), body(&method, pattern)).await;
            }
        }
    }
    let document: Value = serde_json::from_str(&crate::openapi_json()).unwrap();
    for (_, pattern, _) in all().filter(|(method, ..)| *method == "get") {
        let path = filled(pattern, None);
        let documented =
            document["paths"][pattern]["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let documented = documented
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| Some(parameter["name"].as_str()?.to_owned()));
        let others =
            PARAMETERS.iter().map(|name| (*name).to_owned()).filter(|_| !pattern.starts_with("/api/v1/"));
        for name in documented.chain(others) {
            // What must be there stands before it, as the last of a name counts.
            let needed = "slug=tool&path=SKILL.md&service=git-upload-pack";
            for bad in ["%00", "a%00"] {
                check(&Method::GET, &format!("{path}?{needed}&{name}={bad}"), None).await;
            }
            check(&Method::GET, &format!("{path}?{needed}&mode=exact&{name}=acme%2F%00"), None).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_an_upload_with_one_is_nobody_s() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let api = "/clawhub/api/v1";
    let answer = app.post(&format!("{api}/uploads/%00"), ADMIN, json!({})).await;
    assert_eq!(answer.status.as_u16(), 404, "{answer:?}");
    let file = json!({
        "path": "SKILL.md", "sha256": "0".repeat(64), "size": 1, "uploadTicket": "a\u{0}", "storageId": "a\u{0}",
    });
    let version = json!({ "slug": "tool", "ownerHandle": "acme", "version": "2.0.0", "files": [file] });
    let answer = app.post(&format!("{api}/skills"), ADMIN, version).await;
    assert_eq!(answer.status.as_u16(), 422, "{answer:?}");
    let found = app.get(&format!("{api}/skills?prefix=%00")).await.is(200);
    assert_eq!(found, json!({ "items": [], "nextCursor": null }));
}
