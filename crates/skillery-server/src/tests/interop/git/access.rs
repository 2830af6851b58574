//! Who may read which repository, and what others are told.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{PROTOCOLS, Person, files};
use crate::http::interop::ROUTES;
use crate::tests::{ADMIN, TestApp, skill};

const REFS: &str = "info/refs?service=git-upload-pack";

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_a_repository_is_told_what_is_told_of_one_that_is_not_there() {
    let app = TestApp::new().await;
    let mut hidden = skill("acme/hidden", "1.0.0");
    hidden["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, hidden).await.is(201);
    app.publish("open/quarantined", "1.0.0").await;
    app.quarantine("open/quarantined", "1.0.0").await;
    let stranger = app.user("stranger", &["read"]).await;
    let unread = app.token(json!({ "user": "stranger", "scopes": ["rate"] })).await;
    let repositories = [
        "/acme/hidden.git",
        "/acme/all.git",
        "/acme/members.git",
        "/acme/other.git",
        "/nobody/all.git",
        "/open/quarantined.git",
        "/open/all.git",
        "/acme/CAPITALS.git",
        "/acme~/all.git",
    ];
    for (token, status) in [("", 401), (stranger.as_str(), 404), (unread.as_str(), 404)] {
        let mut told = Vec::new();
        for repository in repositories {
            let refs = app.get_as(token, &format!("{repository}/{REFS}")).await;
            let bearer = format!("Bearer {token}");
            let headers: &[(&str, &str)] =
                if token.is_empty() { &[] } else { &[("authorization", bearer.as_str())] };
            let pack = app.upload_pack(repository, headers, b"0000".to_vec()).await;
            for mut answer in [refs, pack] {
                assert_eq!(answer.status.as_u16(), status, "{repository}");
                if status == 401 {
                    assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"skillery\"");
                }
                answer.headers.remove("x-request-id");
                told.push((answer.headers, String::from_utf8(answer.body).unwrap()));
            }
        }
        assert!(told.iter().all(|answer| *answer == told[0]), "{told:?}");
        assert_eq!(told[0].0["content-type"], "text/plain; charset=utf-8");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_skill_is_cloned_with_a_token() {
    let app = TestApp::new().await;
    app.publish("acme/open", "1.0.0").await;
    let mut hidden = skill("acme/hidden", "1.0.0");
    hidden["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, hidden).await.is(201);
    let anna = app.user("anna", &["read"]).await;
    app.member("acme", "anna", "reader").await;
    let person = Person::with(&app).await;
    let address = |token: &str, repository: &str| {
        format!("{}{repository}", person.url.replace("://", &format!("://anna:{token}@")))
    };
    for protocol in PROTOCOLS {
        let name = protocol.replace('.', "");
        // Everybody gets what everybody sees.
        let folder = person.clone(protocol, &[], "/acme/all.git", &name).await;
        assert_eq!(files(&folder).len(), 3);
        // Git shows its credentials only where it is asked for them, or where it is told to.
        let folder = format!("{name}-anna");
        let members = address(&anna, "/acme/members.git");
        person.git(&["-c", protocol, "clone", "-q", &members, &folder]).await.good();
        assert_eq!(files(&person.path(&folder)).len(), 5);
        let (folder, header) =
            (format!("{name}-header"), format!("http.extraHeader=Authorization: Bearer {anna}"));
        let all = format!("{}/acme/all.git", person.url);
        person.git(&["-c", protocol, "-c", &header, "clone", "-q", &all, &folder]).await.good();
        assert_eq!(files(&person.path(&folder)).len(), 5);
        let anonymous = format!("{}/acme/members.git", person.url);
        person.git(&["-c", protocol, "ls-remote", &anonymous]).await.fails("terminal prompts disabled");
        let folder = format!("{name}-hidden");
        person
            .git(&["-c", protocol, "clone", "-q", &address(&anna, "/acme/hidden.git"), &folder])
            .await
            .good();
        assert_eq!(files(&person.path(&folder)).len(), 2);
        let anonymous = format!("{}/acme/hidden.git", person.url);
        person.git(&["-c", protocol, "ls-remote", &anonymous]).await.fails("terminal prompts disabled");
        person
            .git(&["-c", protocol, "ls-remote", &address("sky_wrong", "/acme/members.git")])
            .await
            .fails("Authentication failed");
    }
    // Who has cloned it signed in is known to have it, and of the others it is known that there are some.
    assert_eq!(app.who_has("acme/hidden", "1.0.0").await, ["anna"]);
    // A commit that only members see is fetched by nobody else, whoever knows its id.
    let listed = person.git(&["ls-remote", &address(&anna, "/acme/members.git"), "HEAD"]).await.good().out;
    let id = listed.split_whitespace().next().unwrap();
    person.git_in("protocolversion=0", &["fetch", "-q", "origin", id]).await.fails("not our ref");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_does_not_offer() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let text = |answer: crate::tests::Answer| {
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        (answer.status.as_u16(), String::from_utf8(answer.body).unwrap())
    };
    for path in ["info/refs", "info/refs?service=x", "HEAD", "objects/info/packs"] {
        let (status, said) = text(app.get(&format!("/acme/tool.git/{path}")).await);
        assert_eq!(status, 403, "{path}");
        assert!(said.contains("smart protocol only"), "{said}");
    }
    for (method, path) in
        [(Method::GET, "info/refs?service=git-receive-pack"), (Method::POST, "git-receive-pack")]
    {
        let (status, said) = text(app.call(method, &format!("/acme/tool.git/{path}"), ADMIN, None).await);
        assert_eq!(status, 403);
        assert!(said.contains("skillery publish"), "{said}");
    }
    assert_eq!(text(app.get("/acme/tool.git/git-upload-pack").await).0, 405);
    assert_eq!(text(app.post("/acme/tool.git/info/refs", "", json!({})).await).0, 405);
    assert_eq!(text(app.get("/acme/tool.git").await).0, 404);
    assert_eq!(text(app.get("/acme/tool.git/config").await).0, 404);

    let person = Person::with(&app).await;
    person.clone(PROTOCOLS[1], &[], "/acme/tool.git", "tool").await;
    let said = person.git_in("tool", &["push", "origin", "main"]).await.fails("403");
    assert!(said.err.contains("publish with `skillery publish`"), "{}", said.err);

    let off = TestApp::with(|settings| settings.surfaces.git = false).await;
    off.publish("acme/tool", "1.0.0").await;
    assert_eq!(off.get(&format!("/acme/tool.git/{REFS}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_refuses_who_may_not() {
    let open = TestApp::new().await;
    let closed = TestApp::with(|settings| settings.anonymous_reads = false).await;
    for app in [&open, &closed] {
        app.publish("acme/tool", "1.0.0").await;
    }
    for (method, path, _) in ROUTES.iter().filter(|(_, path, _)| path.contains(".git/")) {
        let path = path.replace("{namespace}", "acme").replace("{repository}", "tool");
        let call = async |app: &TestApp, token: &str| match *method {
            "get" => app.get_as(token, &format!("{path}?service=git-upload-pack")).await,
            _ => {
                let bearer = format!("Bearer {token}");
                let headers: &[(&str, &str)] =
                    if token.is_empty() { &[] } else { &[("authorization", bearer.as_str())] };
                app.upload_pack("/acme/tool.git", headers, b"0000".to_vec()).await
            }
        };
        assert_eq!(call(&open, "").await.status.as_u16(), 200, "{path}");
        let refused = call(&closed, "").await;
        assert_eq!(refused.status.as_u16(), 401, "{path}");
        assert_eq!(refused.headers["www-authenticate"], "Basic realm=\"skillery\"");
        assert_eq!(call(&closed, ADMIN).await.status.as_u16(), 200, "{path}");
        assert_eq!(call(&open, "sky_nothing").await.status.as_u16(), 401, "{path}");
    }
}
