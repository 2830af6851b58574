//! Every route is documented, has a row that says who may, and keeps to it.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use skillery_core::Scope;

use super::{ADMIN, TestApp};
use crate::http::router::{ROUTES, Who};

fn document() -> Value {
    serde_json::from_str(&crate::openapi_json()).unwrap()
}

#[test]
fn the_document_and_the_table_of_routes_are_the_same() {
    let document = document();
    let mut documented = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            documented.insert((method.clone(), path.clone()));
        }
    }
    let listed: BTreeSet<_> =
        ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(documented, listed);
}

#[test]
fn the_document_is_reviewed() {
    insta::assert_snapshot!(crate::openapi_json());
}

#[test]
fn the_document_says_what_is_sent() {
    let document = document();
    let mut ids = BTreeSet::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(ids.insert(id.clone()), "{id} is there twice");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                assert_ne!(status, "default", "{id}");
                let is_problem = answer["$ref"].is_string()
                    || answer["content"]["application/problem+json"]["schema"]["$ref"]
                        == "#/components/schemas/Problem";
                assert_eq!(is_problem, status.as_str() >= "400" && status != "416", "{id} {status}");
            }
        }
    }
    let words = |name: &str| document["components"]["schemas"][name]["enum"].clone();
    let codes: Vec<&str> = skillery_core::ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words("ProblemCode"), json!(codes));
    assert_eq!(words("Visibility"), json!(["public", "internal", "private"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_taken_is_the_first_thing_that_is_wrong() {
    let app = TestApp::new().await;
    for (path, allowed) in [
        ("/api/v1/skills/0", "GET, HEAD"),
        ("/api/v1/skills/0/rate", "POST, DELETE"),
        ("/api/v1/skills/0/comments", "GET, POST, HEAD"),
        ("/api/v1/skills/0/comments/0", "PATCH, DELETE"),
        ("/api/v1/skills/0/comments/0/hidden", "PUT, DELETE"),
        ("/api/v1/skills/0/ratings/0/answer", "PUT, DELETE"),
        ("/api/v1/skills/0/ratings/0/hidden", "PUT, DELETE"),
        ("/api/v1/skills/A B/versions/0/yank", "PUT, DELETE"),
        ("/api/v1/skills/acme/tool/versions/one/files/x", "GET, HEAD"),
    ] {
        let request = axum::http::Request::builder().method("TRACE").uri(path.replace(' ', "%20"));
        let answer = app.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["allow"]),
            (405, &allowed.parse().unwrap()),
            "{path}"
        );
    }
}

#[test]
fn scopes_in_the_document_are_those_of_the_table() {
    let document = document();
    for (method, path, who) in ROUTES {
        let documented = &document["paths"][path][method]["security"];
        match who {
            Who::Anyone | Who::Bearer | Who::Reader => assert!(documented.is_null(), "{method} {path}"),
            Who::SignedIn => assert!(documented.is_array(), "{method} {path}"),
            Who::Scope(scope) => {
                assert_eq!(documented[0]["token"], json!([scope.as_str()]), "{method} {path}")
            }
            Who::SiteAdmin => assert_eq!(documented[0]["token"], json!(["admin"]), "{method} {path}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_refuses_who_may_not() {
    let app = TestApp::new().await;
    let anybody = super::keys::Signer::of("anybody", 7);
    app.enrol(ADMIN, &anybody).await;
    app.publish_signed(ADMIN, "acme/tool", "1.0.0", &anybody).await.is(201);
    // A token with every scope but the one in question.
    app.user("anna", &["read"]).await;
    app.member("acme", "anna", "owner").await;
    for (method, path, who) in ROUTES {
        let method: Method = method.to_uppercase().parse().unwrap();
        let path_there = if path.contains("/files/") { "SKILL.md" } else { "0/000.p/1" };
        let address = path
            .replace("{id}", "acme/tool")
            .replace("{version}", "1.0.0")
            .replace("{token}", "none")
            .replace("{user}", "nobody")
            .replace("{publisher}", "none")
            .replace("{webhook}", "none")
            .replace("{org}", "acme")
            .replace("{namespace}", "acme")
            .replace("{fingerprint}", "SHA256:none")
            .replace("{comment}", "none")
            .replace("{report}", "none")
            .replace("{path}", path_there);
        let body = (method != Method::GET && method != Method::DELETE).then(|| json!({}));
        let anonymous = app.call(method.clone(), &address, "", body.clone()).await;
        match who {
            // There are no witnesses.
            Who::Reader if *path == "/api/v1/log/witnessed" => {
                anonymous.fails(404, "not-witnessed");
            }
            Who::Anyone | Who::Reader => assert_eq!(anonymous.status.as_u16(), 200, "{method} {path}"),
            // What is asked for is missing from the body, or nothing of the kind is offered; a token is not asked for.
            Who::Bearer => assert!([404, 422].contains(&anonymous.status.as_u16()), "{method} {path}"),
            _ => {
                anonymous.fails(401, "unauthenticated");
            }
        }
        let (missing, code) = match who {
            Who::Scope(scope) => (*scope, "insufficient-scope"),
            Who::SiteAdmin => (Scope::Admin, "insufficient-scope"),
            _ => continue,
        };
        let rest: Vec<&str> =
            Scope::ALL.iter().filter(|scope| **scope != missing).map(|scope| scope.as_str()).collect();
        let token = app.token(json!({ "user": "anna", "scopes": rest })).await;
        app.call(method.clone(), &address, &token, body.clone()).await.fails(403, code);
        if *who == Who::SiteAdmin {
            // Every scope, and owner of the org, but no admin of the registry.
            let all: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
            let token = app.token(json!({ "user": "anna", "scopes": all })).await;
            app.call(method.clone(), &address, &token, body).await.fails(403, "forbidden");
        }
    }
}
