//! Who sees what: the same answer for what is not there and what the caller may not see.

use axum::http::Method;
use serde_json::json;
use skillery_core::event::Event;

use super::log::opened_entries;
use super::{ADMIN, TestApp, skill};

async fn registry() -> (TestApp, String, String) {
    let app = TestApp::new().await;
    for (id, visibility) in
        [("acme/open", "public"), ("acme/staff", "internal"), ("acme/email/secret", "private")]
    {
        let mut body = skill(id, "1.0.0");
        body["visibility"] = json!(visibility);
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
    let member = app.user("mia", &["read", "rate", "publish"]).await;
    app.member("acme/email", "mia", "reader").await;
    let stranger = app.user("sam", &["read", "rate", "publish"]).await;
    (app, member, stranger)
}

#[tokio::test(flavor = "multi_thread")]
async fn search_and_total_show_only_what_the_caller_sees() {
    let (app, member, stranger) = registry().await;
    let bound = app.token(json!({ "user": "mia", "scopes": ["read"], "namespaces": ["other"] })).await;
    let narrow = app.token(json!({ "user": "mia", "scopes": ["publish"] })).await;
    for (token, wanted) in [
        ("", vec!["acme/open"]),
        (stranger.as_str(), vec!["acme/open", "acme/staff"]),
        (member.as_str(), vec!["acme/email/secret", "acme/open", "acme/staff"]),
        (ADMIN, vec!["acme/email/secret", "acme/open", "acme/staff"]),
        (bound.as_str(), vec!["acme/open"]),
        (narrow.as_str(), vec!["acme/open"]),
    ] {
        let (ids, total) = app.search(token, "sort=name").await;
        assert_eq!((ids, total), (wanted.iter().map(ToString::to_string).collect(), wanted.len() as u64));
        assert_eq!(app.search(token, "q=texts").await.1, wanted.len() as u64);
        // Nor is anything else counted, with words or without.
        let mut namespaces = vec![json!({ "name": "acme", "count": wanted.len() })];
        if wanted.contains(&"acme/email/secret") {
            namespaces.push(json!({ "name": "acme/email", "count": 1 }));
        }
        let tags = ["email", "validation"].map(|tag| json!({ "name": tag, "count": wanted.len() }));
        for query in ["", "?q=texts"] {
            let facets = app.get_as(token, &format!("/api/v1/facets{query}")).await.is(200);
            assert_eq!(facets, json!({ "tags": tags, "namespaces": namespaces, "truncated": false }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_skill_answers_as_if_it_were_not_there() {
    let (app, member, stranger) = registry().await;
    let hidden = "/api/v1/skills/acme/email/secret";
    let nowhere = "/api/v1/skills/acme/email/nothin";
    for (method, suffix, body) in [
        (Method::GET, "", None),
        (Method::GET, "/download", None),
        (Method::GET, "/ratings", None),
        (Method::GET, "/usage", None),
        (Method::GET, "/versions", None),
        (Method::GET, "/versions/1.0.0", None),
        (Method::POST, "/rate", Some(json!({ "rating": 5 }))),
        (Method::DELETE, "/rate", None),
        (Method::PUT, "/versions/1.0.0/yank", Some(json!({}))),
        (Method::DELETE, "/versions/1.0.0/yank", None),
    ] {
        let shown = |problem: serde_json::Value, id: &str| {
            let mut problem = problem;
            problem.as_object_mut().unwrap().remove("request_id");
            problem.to_string().replace(id, "ID")
        };
        let one = app.call(method.clone(), &format!("{hidden}{suffix}"), &stranger, body.clone()).await;
        let two = app.call(method.clone(), &format!("{nowhere}{suffix}"), &stranger, body.clone()).await;
        assert_eq!(
            shown(one.fails(404, "skill-not-found"), "acme/email/secret"),
            shown(two.fails(404, "skill-not-found"), "acme/email/nothin"),
        );
        if suffix != "/versions/1.0.0/yank" {
            let answer = app.call(method, &format!("{hidden}{suffix}"), &member, body).await;
            assert!(answer.status.is_success(), "{suffix}: {answer:?}");
        }
    }
    // Asked twice, so that what is remembered for one caller is not shown to the next.
    app.get_as(&member, &format!("{hidden}/download")).await.is(200);
    app.get(&format!("{hidden}/download")).await.fails(404, "skill-not-found");
    app.get_as(&stranger, hidden).await.fails(404, "skill-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn visibility_changes_at_once() {
    let (app, member, stranger) = registry().await;
    let path = "/api/v1/skills/acme/open/visibility";
    app.put(path, &member, json!({ "visibility": "private" })).await.fails(403, "insufficient-scope");
    app.get("/api/v1/skills/acme/open").await.is(200);
    app.put(path, ADMIN, json!({ "visibility": "private" })).await.is(204);
    app.get("/api/v1/skills/acme/open").await.fails(404, "skill-not-found");
    app.get_as(&stranger, "/api/v1/skills/acme/open/download").await.fails(404, "skill-not-found");
    assert_eq!(app.search("", "").await.1, 0);
    app.put(path, ADMIN, json!({ "visibility": "public" })).await.is(204);
    assert_eq!(app.search("", "").await.1, 1);
    app.put(path, ADMIN, json!({ "visibility": "secret" })).await.fails(422, "invalid-field");
}

#[tokio::test(flavor = "multi_thread")]
async fn orgs_are_known_by_what_is_seen_of_them() {
    let (app, member, stranger) = registry().await;
    let mut body = skill("cellar/wine", "1.0.0");
    body["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    app.get_as(&stranger, "/api/v1/orgs/cellar").await.fails(404, "org-not-found");
    let listed = app.get_as(&stranger, "/api/v1/orgs").await.is(200);
    assert_eq!((&listed["total"], &listed["orgs"][0]["skills"]), (&json!(1), &json!(2)));
    assert_eq!(app.get_as(&member, "/api/v1/orgs/acme").await.is(200)["skills"], 3);
    assert_eq!(app.get_as(ADMIN, "/api/v1/orgs").await.is(200)["total"], 2);
    app.get_as(&stranger, "/api/v1/orgs/acme/members").await.fails(404, "org-not-found");
    app.get_as(&member, "/api/v1/orgs/acme/members").await.fails(404, "org-not-found");
    let members = app.get_as(&member, "/api/v1/orgs/acme/email/members").await.is(200);
    assert_eq!(members["total"], 2, "those of the namespaces above count too: {members}");
}

#[tokio::test(flavor = "multi_thread")]
async fn skills_of_an_org_are_as_many_as_there_are_by_now() {
    let (app, member, stranger) = registry().await;
    let skills =
        async |token: &str| app.get_as(token, "/api/v1/orgs").await.is(200)["orgs"][0]["skills"].clone();
    assert_eq!(
        (skills("").await, skills(&stranger).await, skills(&member).await),
        (json!(1), json!(2), json!(3))
    );
    app.publish("acme/deep/below/more", "1.0.0").await;
    assert_eq!((skills("").await, skills(&member).await), (json!(2), json!(4)));
    app.put("/api/v1/skills/acme/open/visibility", ADMIN, json!({ "visibility": "private" })).await.is(204);
    assert_eq!((skills("").await, skills(&member).await), (json!(1), json!(3)));
    // A skill that has nothing but what was taken back is not counted, and shows its org all the same.
    let yank = "/api/v1/skills/acme/deep/below/more/versions/1.0.0/yank";
    app.put(yank, ADMIN, json!({ "reason": "broken" })).await.is(200);
    let of = app.get("/api/v1/orgs/acme/namespaces").await.is(200);
    let below = json!({ "namespace": "acme/deep/below", "skills": 0 });
    assert!(of["namespaces"].as_array().unwrap().contains(&below), "{of}");
    assert_eq!((skills("").await, skills(&member).await), (json!(0), json!(2)));
    // They are not counted for each who asks. The server hears of its own changes once more, so that they are at first.
    let mut kept = false;
    for _ in 0..100 {
        let before = skills(ADMIN).await;
        app.tamper("UPDATE skills SET latest = NULL WHERE key = 'acme/staff'".to_owned()).await;
        kept = skills(ADMIN).await == before;
        app.app.environment.advance_seconds(61);
        // After a while they are, though nobody has told of a change.
        assert_ne!(skills(ADMIN).await, before);
        app.tamper("UPDATE skills SET latest = '1.0.0' WHERE key = 'acme/staff'".to_owned()).await;
        app.app.environment.advance_seconds(61);
        if kept {
            break;
        }
    }
    assert!(kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_page_of_orgs_has_those_that_the_caller_knows_of() {
    let (app, member, stranger) = registry().await;
    for (id, visibility) in [("cellar/wine", "private"), ("inner/deep/tool", "internal")] {
        let mut body = skill(id, "1.0.0");
        body["visibility"] = json!(visibility);
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "empty" })).await.is(201);
    let bound = async |namespace: &str| {
        let asked = json!({ "user": "sam", "scopes": ["read"], "namespaces": [namespace] });
        app.token(asked).await
    };
    let narrow = app.token(json!({ "user": "mia", "scopes": ["publish"] })).await;
    app.member("empty/below", "mia", "reader").await;
    for (token, wanted) in [
        (String::new(), vec![("acme", 1)]),
        (narrow, vec![("acme", 1)]),
        (stranger, vec![("acme", 2), ("inner", 1)]),
        (bound("inner/deep").await, vec![("acme", 1), ("inner", 1)]),
        (bound("inner/other").await, vec![("acme", 1)]),
        (bound("acme").await, vec![("acme", 2)]),
        (member, vec![("acme", 3), ("empty", 0), ("inner", 1)]),
        (ADMIN.to_owned(), vec![("acme", 3), ("cellar", 1), ("empty", 0), ("inner", 1)]),
    ] {
        for limit in [1, 2, 200] {
            let mut found = Vec::new();
            for offset in (0..wanted.len()).step_by(limit) {
                let path = format!("/api/v1/orgs?limit={limit}&offset={offset}");
                let listed = app.get_as(&token, &path).await.is(200);
                assert_eq!(listed["total"], wanted.len(), "{listed}");
                found.extend(listed["orgs"].as_array().unwrap().clone());
            }
            let found: Vec<_> = found
                .iter()
                .map(|org| (org["name"].as_str().unwrap(), org["skills"].as_i64().unwrap()))
                .collect();
            assert_eq!(found, wanted, "{limit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_below_are_listed_as_far_as_one_knows_of_them() {
    let (app, member, stranger) = registry().await;
    app.publish("acme/mail/in/reader", "1.0.0").await;
    app.publish("acme/mail/writer", "1.0.0").await;
    app.publish("acmes/other/tool", "1.0.0").await;
    // Where there is no skill yet, those who have a role there or above know of it.
    app.member("acme/new", "sam", "reader").await;
    let path = "/api/v1/orgs/acme/namespaces";
    let (inner, mail) = (("acme/mail/in", 1), ("acme/mail", 2));
    let (secret, new) = (("acme/email", 1), ("acme/new", 0));
    for (token, wanted) in [
        ("", vec![mail, inner]),
        (member.as_str(), vec![secret, mail, inner]),
        (stranger.as_str(), vec![mail, inner, new]),
        (ADMIN, vec![secret, mail, inner, new]),
    ] {
        let listed = app.get_as(token, path).await.is(200);
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(namespace, skills)| json!({ "namespace": namespace, "skills": skills }))
            .collect();
        assert_eq!((&listed["total"], &listed["namespaces"]), (&json!(wanted.len()), &json!(wanted)));
    }
    let second = app.get_as(ADMIN, &format!("{path}?limit=1&offset=1")).await.is(200);
    assert_eq!(
        (&second["total"], &second["namespaces"]),
        (&json!(4), &json!([{ "namespace": "acme/mail", "skills": 2 }]))
    );
    let mail = app.get("/api/v1/orgs/acme/mail/namespaces").await.is(200);
    assert_eq!(mail["namespaces"], json!([{ "namespace": "acme/mail/in", "skills": 1 }]));
    assert_eq!(app.get("/api/v1/orgs/acme/mail/in/namespaces").await.is(200)["total"], 0);
    for hidden in ["acme/email", "acme/new", "acme/nothing", "nobody"] {
        let path = format!("/api/v1/orgs/{hidden}/namespaces");
        app.get(&path).await.fails(404, "org-not-found");
    }
    app.get(&format!("{path}?limit=1000")).await.fails(400, "invalid-parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_approval_shows_no_namespace_to_strangers() {
    let (app, member, stranger) = registry().await;
    app.policy("acme", 1).await;
    app.post("/api/v1/skills", ADMIN, skill("acme/plans/tool", "1.0.0")).await.is(202);
    app.member("acme/plans", "mia", "reader").await;
    let rita = app.user("rita", &["read", "review"]).await;
    app.member("acme/plans", "rita", "reviewer").await;
    let plans = json!({ "namespace": "acme/plans", "skills": 0 });
    for (token, is_told) in [("", false), (stranger.as_str(), false), (member.as_str(), true), (ADMIN, true)]
    {
        let listed = app.get_as(token, "/api/v1/orgs/acme/namespaces").await.is(200);
        assert_eq!(listed["namespaces"].as_array().unwrap().contains(&plans), is_told, "{listed}");
        let below = app.get_as(token, "/api/v1/orgs/acme/plans/namespaces").await;
        assert_eq!(below.status, if is_told { 200 } else { 404 });
        let signers = app.get_as(token, "/api/v1/orgs/acme/plans/allowed_signers").await;
        assert_eq!(signers.status, if is_told { 200 } else { 404 });
    }
    app.settle().await;
    let page = app.get("/acme").await;
    assert!(page.status == 200 && !String::from_utf8_lossy(&page.body).contains("acme/plans"));
    assert_eq!(app.get("/acme/plans").await.status, 404);
    let path = "/api/v1/skills/acme/plans/tool/versions/1.0.0/approvals";
    app.post(path, &rita, json!({ "decision": "approved" })).await.is(200);
    app.settle().await;
    let listed = app.get("/api/v1/orgs/acme/namespaces").await.is(200);
    assert_eq!(listed["namespaces"], json!([{ "namespace": "acme/plans", "skills": 1 }]));
    assert_eq!(app.get("/acme/plans").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_in_which_all_waits_is_not_there_for_strangers() {
    let app = TestApp::new().await;
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "acme" })).await.is(201);
    app.policy("acme", 1).await;
    app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.0.0")).await.is(202);
    let (member, stranger) = (app.user("mia", &["read"]).await, app.user("sam", &["read"]).await);
    app.member("acme", "mia", "reader").await;
    for (token, is_told) in [(&stranger, false), (&member, true)] {
        for path in ["/api/v1/orgs/acme", "/api/v1/orgs/acme/allowed_signers", "/api/v1/keys?org=acme"] {
            assert_eq!(app.get_as(token, path).await.status, if is_told { 200 } else { 404 }, "{path}");
        }
        // What the log hides of the org is opened to those alone who know of it.
        let opened = opened_entries(&app, token).await;
        assert_eq!(
            opened
                .iter()
                .any(|(_, opening)| matches!(opening.parse().unwrap().event, Event::OrgCreated { .. })),
            is_told
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_without_a_latest_version_shows_where_it_is() {
    let app = TestApp::new().await;
    app.publish("early/new/tool", "1.0.0-rc.1").await;
    app.publish("gone/old/tool", "1.0.0").await;
    let yank = json!({ "reason": "it deletes files" });
    app.put("/api/v1/skills/gone/old/tool/versions/1.0.0/yank", ADMIN, yank).await.is(200);
    app.settle().await;
    for (org, namespace) in [("early", "early/new"), ("gone", "gone/old")] {
        let page = app.get(&format!("/{namespace}/tool")).await;
        assert_eq!(page.status, 200);
        // What the page of the skill leads to.
        let crumb = format!("href=\"/{namespace}\"");
        assert!(String::from_utf8_lossy(&page.body).contains(&crumb));
        assert_eq!(app.get(&format!("/{namespace}")).await.status, 200);
        assert_eq!(app.get(&format!("/{org}")).await.status, 200);
        assert_eq!(app.get(&format!("/api/v1/orgs/{org}")).await.is(200)["skills"], 0);
        let below = app.get(&format!("/api/v1/orgs/{org}/namespaces")).await.is(200);
        assert_eq!(below["namespaces"], json!([{ "namespace": namespace, "skills": 0 }]));
        let listed = app.get("/api/v1/orgs").await.is(200);
        let names: Vec<&str> =
            listed["orgs"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert!(names.contains(&org), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_reads_can_be_switched_off() {
    let app = TestApp::with(|settings| settings.anonymous_reads = false).await;
    app.publish("acme/tool", "1.0.0").await;
    app.get("/api/v1/skills").await.fails(401, "unauthenticated");
    app.get("/api/v1/facets").await.fails(401, "unauthenticated");
    app.get("/api/v1/skills/acme/tool").await.fails(401, "unauthenticated");
    app.get_as(ADMIN, "/api/v1/skills/acme/tool").await.is(200);
    app.get("/healthz").await.is(200);
}
