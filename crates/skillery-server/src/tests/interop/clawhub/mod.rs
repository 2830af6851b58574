//! ClawHub's API, asked as its program asks. That the program itself understands the answers is seen by hand.

mod changing;
mod publishing;
mod reading;

use axum::http::Method;
use serde_json::{Value, json};
use skillery_core::Scope;

use crate::http::interop::CLAWHUB_ROUTES;
use crate::http::router::Who;
use crate::tests::{ADMIN, Answer, TestApp, skill};

const API: &str = "/clawhub/api/v1";

/// The text of a failure, which is no JSON.
#[track_caller]
fn refused(answer: &Answer, status: u16) -> String {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert_eq!(answer.status.as_u16(), status, "{text}");
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8", "{text}");
    assert!(!text.is_empty() && !text.starts_with('{'), "{text}");
    text
}

/// Publishes a function that is seen so.
async fn publish(app: &TestApp, id: &str, version: &str, visibility: &str) {
    let mut body = skill(id, version);
    body["visibility"] = json!(visibility);
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
}

async fn read(app: &TestApp, token: &str, path: &str) -> Value {
    app.get_as(token, &format!("{API}{path}")).await.is(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_refuses_who_may_not() {
    let (app, closed) = (
        TestApp::new().await,
        TestApp::with(|settings| settings.anonymous_reads = false).await,
    );
    for app in [&app, &closed] {
        app.publish("acme/tool", "1.0.0").await;
    }
    app.user("anna", &["read"]).await;
    app.member("acme", "anna", "owner").await;
    for (method, path, who) in CLAWHUB_ROUTES {
        let address = path
            .replace("{slug}", "tool")
            .replace("{version}", "1.0.0")
            .replace("{tag}", "latest")
            .replace("{answer}", "accept")
            .replace("{direction}", "incoming")
            .replace("{upload}", "none");
        let address = format!("{address}?slug=tool&path=SKILL.md");
        let method: Method = method.to_uppercase().parse().unwrap();
        let body = (method == Method::POST).then(|| json!({}));
        let anonymous = app.call(method.clone(), &address, "", body.clone()).await;
        let unknown = closed.call(method.clone(), &address, "", body.clone()).await;
        match who {
            Who::Anyone => assert_eq!((anonymous.status.as_u16(), unknown.status.as_u16()), (200, 200), "{path}"),
            // No provider is set: it is said what to do instead, whether others may read or not.
            Who::Bearer => {
                for answer in [anonymous, unknown] {
                    assert!([404, 501].contains(&answer.status.as_u16()), "{path}");
                    refused(&answer, answer.status.as_u16());
                }
            }
            Who::Reader => {
                assert_eq!(anonymous.status.as_u16(), 200, "{path}");
                assert_eq!(refused(&unknown, 401), "Unauthorized", "{path}");
            }
            _ => {
                assert_eq!(refused(&anonymous, 401), "Unauthorized", "{path}");
                assert_eq!(refused(&unknown, 401), "Unauthorized", "{path}");
            }
        }
        if let Who::Scope(missing) = who {
            let rest: Vec<&str> =
                Scope::ALL.iter().filter(|scope| *scope != missing).map(|scope| scope.as_str()).collect();
            let token = app.token(json!({ "user": "anna", "scopes": rest })).await;
            let text = refused(&app.call(method, &address, &token, body).await, 403);
            assert_eq!(text, format!("this needs a token with the scope `{missing}`"), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_finds_the_api_and_its_user() {
    let app = TestApp::with(|settings| {
        settings.public_url = Some("https://skills.example/registry/".parse().unwrap());
    })
    .await;
    for name in ["clawhub", "clawdhub"] {
        let found = app.get(&format!("/.well-known/{name}.json")).await.is(200);
        let api = "https://skills.example/registry/clawhub";
        let wanted = json!({
            "apiBase": api, "registry": api, "authBase": "https://skills.example/registry", "minCliVersion": "0.1.0",
        });
        assert_eq!(found, wanted);
    }
    let anna = app.user("anna", &["read"]).await;
    let who = read(&app, &anna, "/whoami").await;
    assert_eq!(
        who,
        json!({ "user": { "handle": "anna", "displayName": "anna", "image": null, "role": "user" } })
    );
    assert_eq!(read(&app, ADMIN, "/whoami").await["user"]["role"], "admin");
    let told = app.post("/clawhub/api/cli/telemetry/install", &anna, json!({ "slug": "x" })).await;
    assert_eq!(told.is(200), json!({ "ok": true }));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_texts_that_the_program_shows() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let get = async |path: &str| app.get(&format!("{API}{path}")).await;
    assert_eq!(refused(&get("/skills/none").await, 404), "Skill not found");
    assert_eq!(refused(&get("/skills/tool?ownerHandle=nobody").await, 404), "Skill not found");
    assert_eq!(refused(&get("/skills/..%2Ftool").await, 404), "Skill not found");
    assert_eq!(refused(&get("/skills/tool/versions/9.0.0").await, 404), "`acme/tool` has no version 9.0.0");
    assert_eq!(refused(&get("/skills/tool/versions/%5E1").await, 400), "`^1` is no version");
    assert_eq!(refused(&get("/skills?limit=none").await, 400), "`limit`: invalid digit found in string");
    assert_eq!(refused(&get("/nothing").await, 404), "there is nothing at `/clawhub/api/v1/nothing`");
    refused(&get("/skills/%ff").await, 400);
    for path in ["/packages", "/packages/%40acme%2Fplug", "/code-plugins", "/bundle-plugins"] {
        assert_eq!(refused(&get(path).await, 404), "this registry has skills and no packages", "{path}");
    }
    assert_eq!(
        refused(&get("/skills-sh/o/r/s/install").await, 404),
        "this registry has no skills of skills.sh"
    );
    assert_eq!(refused(&app.put(&format!("{API}/skills"), ADMIN, json!({})).await, 405), "this address does not take this method");
    assert_eq!(refused(&app.get_as("no-token", &format!("{API}/whoami")).await, 401), "Unauthorized");
    let device = app.post("/api/cli/device/code", "", json!({ "scope": "read write", "site_url": "x" })).await;
    assert_eq!(
        refused(&device, 501),
        "nobody signs in to this registry with another account; use `clawhub login --token <token>`"
    );
    let off = TestApp::with(|settings| settings.surfaces.clawhub = false).await;
    for path in ["/.well-known/clawhub.json", "/clawhub/api/v1/skills", "/api/cli/device/code"] {
        assert_eq!(refused(&off.get(path).await, 404), "this registry does not offer it", "{path}");
    }
}
