//! What changes: stars, deleting and taking that back, and what is refused.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{API, publish, read, refused};
use crate::tests::{ADMIN, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn one_star_of_each_user() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "rate"]).await;
    let path = format!("{API}/stars/tool?ownerHandle=acme");
    let before = app.log().await.len();
    let answers = [
        app.post(&path, &anna, json!({})).await.is(200),
        app.post(&path, &anna, json!({})).await.is(200),
        app.post(&path, ADMIN, json!({})).await.is(200),
    ];
    assert_eq!(answers[0], json!({ "ok": true, "starred": true, "alreadyStarred": false }));
    assert_eq!(answers[1], json!({ "ok": true, "starred": true, "alreadyStarred": true }));
    assert_eq!(read(&app, "", "/skills/tool").await["skill"]["stats"]["stars"], 2);
    assert_eq!(
        app.delete(&path, &anna).await.is(200),
        json!({ "ok": true, "unstarred": true, "alreadyUnstarred": false })
    );
    assert_eq!(
        app.delete(&path, &anna).await.is(200),
        json!({ "ok": true, "unstarred": true, "alreadyUnstarred": true })
    );
    assert_eq!(read(&app, "", "/skills/tool").await["skill"]["stats"]["stars"], 1);
    // What changed something is in the log, and nothing else is.
    let log = app.log().await;
    let kinds: Vec<&str> =
        log[before..].iter().map(|entry| entry["event"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["skill.starred", "skill.starred", "skill.unstarred"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_users_star_at_once_and_the_number_is_exact() {
    let app = std::sync::Arc::new(TestApp::new().await);
    app.publish("acme/tool", "1.0.0").await;
    let mut tokens = Vec::new();
    for number in 0..8 {
        tokens.push(app.user(&format!("user{number}"), &["rate"]).await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for token in tokens {
        let app = std::sync::Arc::clone(&app);
        tasks.spawn(async move {
            let path = format!("{API}/stars/tool");
            for _ in 0..3 {
                app.post(&path, &token, json!({})).await.is(200);
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    assert_eq!(read(&app, "", "/skills/tool").await["skill"]["stats"]["stars"], 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_version_is_yanked() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    let path = format!("{API}/skills/tool/versions/1.1.0");
    let body = json!({ "version": "1.1.0", "ownerHandle": "acme", "reason": "it fails" });
    assert_eq!(app.call(Method::DELETE, &path, ADMIN, Some(body)).await.is(200), json!({ "ok": true }));
    assert_eq!(read(&app, "", "/skills/tool").await["latestVersion"]["version"], "1.0.0");
    assert_eq!(read(&app, "", "/skills/tool/versions").await["items"].as_array().unwrap().len(), 1);
    // By its exact version it is still there, and says what it is.
    let yanked = read(&app, "", "/skills/tool/versions/1.1.0").await;
    assert_eq!(yanked["version"]["changelog"], "acme/tool 1.1.0 was yanked: it fails");
    let download = app.get(&format!("{API}/download?slug=tool&version=1.1.0")).await;
    assert_eq!(download.status, 200);
    assert_eq!(download.headers["warning"], "299 skillery \"acme/tool 1.1.0 was yanked\"");
    assert_eq!(download.headers["cache-control"], "private, no-cache");
    app.post(&format!("{path}/restore"), ADMIN, json!({ "version": "1.1.0" })).await.is(200);
    assert_eq!(read(&app, "", "/skills/tool").await["latestVersion"]["version"], "1.1.0");
    // Again changes nothing; of what there is not, it is said.
    app.post(&format!("{path}/restore"), ADMIN, json!({})).await.is(200);
    refused(&app.delete(&format!("{API}/skills/tool/versions/9.0.0"), ADMIN).await, 404);
    refused(&app.delete(&format!("{API}/skills/tool/versions/latest"), ADMIN).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_skill_has_all_its_versions_yanked_and_comes_back() {
    let app = TestApp::new().await;
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1", "1.2.0"] {
        app.publish("acme/tool", version).await;
    }
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN, json!({ "reason": "an old one" }))
        .await
        .is(200);
    let statuses = async || -> Vec<String> {
        let listed = app.get_as(ADMIN, "/api/v1/skills/acme/tool/versions").await.is(200);
        let rows = listed["versions"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| format!("{} {}", row["version"].as_str().unwrap(), row["status"].as_str().unwrap()))
            .collect()
    };
    let before = statuses().await;
    let path = format!("{API}/skills/tool");
    let size = app.log().await.len();
    app.call(Method::DELETE, &path, ADMIN, Some(json!({ "reason": "not needed" }))).await.is(200);
    assert_eq!(statuses().await, ["2.0.0-rc.1 yanked", "1.2.0 yanked", "1.1.0 yanked", "1.0.0 yanked"]);
    assert_eq!(app.log().await.len(), size + 3);
    app.settle().await;
    assert_eq!(app.search("", "q=tool").await.1, 0);
    assert_eq!(read(&app, "", "/skills/tool").await["latestVersion"], Value::Null);
    let install = app.get(&format!("{API}/skills/tool/install")).await.is(410);
    assert_eq!((&install["ok"], &install["reason"]), (&json!(false), &json!("archive_version_missing")));
    assert_eq!(
        install["message"],
        "acme/tool cannot be installed: all its versions are yanked; an exact one is installed with `--version`"
    );
    app.delete(&path, ADMIN).await.is(200);
    assert_eq!(app.log().await.len(), size + 3, "there is nothing left to yank");
    app.post(&format!("{path}/undelete"), ADMIN, json!({})).await.is(200);
    assert_eq!(statuses().await, before, "what was yanked by itself stays so");
    let install = read(&app, "", "/skills/tool/install").await;
    assert_eq!((&install["ok"], &install["archive"]["version"]), (&json!(true), &json!("1.2.0")));
    let url = install["archive"]["downloadUrl"].as_str().unwrap();
    assert!(url.ends_with("/clawhub/api/v1/download?slug=tool&ownerHandle=acme&version=1%2E2%2E0"), "{url}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_skills_of_one_name_none_is_changed_unless_it_is_named() {
    let app = TestApp::new().await;
    for id in ["acme/tool", "other/tool"] {
        app.publish(id, "1.0.0").await;
    }
    publish(&app, "hidden/tool", "1.0.0", "private").await;
    let mia = app.user("mia", &["read", "publish"]).await;
    for org in ["acme", "other"] {
        app.member(org, "mia", "publisher").await;
    }
    app.delete(&format!("{API}/skills/tool?ownerHandle=acme"), &mia).await.is(200);
    let size = app.log().await.len();
    // One of the two has a latest version. For reading it is the one that is meant; for changing nobody knows.
    assert_eq!(read(&app, &mia, "/skills/tool").await["skill"]["ownerHandle"], "other");
    for (method, path) in [
        (Method::DELETE, "/skills/tool"),
        (Method::POST, "/skills/tool/undelete"),
        (Method::DELETE, "/skills/tool/versions/1.0.0"),
        (Method::POST, "/skills/tool/versions/1.0.0/restore"),
        (Method::POST, "/skills/tool/tags/latest"),
    ] {
        let body = (method == Method::POST).then(|| json!({ "version": "1.0.0" }));
        let answer = app.call(method, &format!("{API}{path}"), &mia, body).await.is(409);
        assert_eq!(answer["code"], "AMBIGUOUS_SKILL_SLUG", "{path}");
        let could_be: Vec<&str> = answer["matches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["ref"].as_str().unwrap())
            .collect();
        assert_eq!(could_be, ["@acme/tool", "@other/tool"], "{path}");
    }
    assert_eq!(app.log().await.len(), size);
    let owner = json!({ "ownerHandle": "acme" });
    app.post(&format!("{API}/skills/tool/undelete"), &mia, owner).await.is(200);
    assert_eq!(app.log().await.len(), size + 1);
    assert_eq!(read(&app, &mia, "/skills/tool?ownerHandle=acme").await["latestVersion"]["version"], "1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_yanked_stays_so_whatever_they_say() {
    let app = TestApp::new().await;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        app.publish("acme/tool", version).await;
    }
    let yank = |version: &str| format!("/api/v1/skills/acme/tool/versions/{version}/yank");
    let by_mistake = json!({ "reason": "the skill was deleted by mistake, and this one is broken" });
    app.put(&yank("1.0.0"), ADMIN, by_mistake).await.is(200);
    let path = format!("{API}/skills/tool");
    app.call(Method::DELETE, &path, ADMIN, Some(json!({ "reason": "not needed" }))).await.is(200);
    // While nothing can be written, somebody finds out that a version is broken, and somebody else wants all back.
    let (begun, has_begun) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let busy = app.app.db.write(move |_| {
        Box::pin(async move {
            begun.send(()).unwrap();
            released.await.unwrap();
            Ok(())
        })
    });
    let undelete = format!("{path}/undelete");
    let changes = async {
        has_begun.await.unwrap();
        let broken = async { app.put(&yank("1.1.0"), ADMIN, json!({ "reason": "it loses data" })).await };
        let back = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            app.post(&undelete, ADMIN, json!({})).await
        };
        let go_on = async {
            tokio::time::sleep(Duration::from_millis(600)).await;
            release.send(()).unwrap();
        };
        let (broken, back, ()) = tokio::join!(broken, back, go_on);
        broken.is(200);
        back.is(200);
    };
    tokio::join!(async { busy.await.unwrap() }, changes);
    let listed = app.get_as(ADMIN, "/api/v1/skills/acme/tool/versions").await.is(200);
    let rows: Vec<String> = listed["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["version"].as_str().unwrap(), row["status"].as_str().unwrap()))
        .collect();
    assert_eq!(rows, ["1.2.0 published", "1.1.0 yanked", "1.0.0 yanked"]);
    assert_eq!(listed["versions"][1]["reason"], "it loses data");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_publish_there_changes_nothing() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let reader = app.user("rita", &["read", "publish"]).await;
    app.member("acme", "rita", "reader").await;
    let before = app.log().await.len();
    let bound =
        app.token(json!({ "user": "admin", "scopes": ["publish", "read"], "namespaces": ["other"] })).await;
    for (method, path) in [
        (Method::DELETE, "/skills/tool"),
        (Method::POST, "/skills/tool/undelete"),
        (Method::DELETE, "/skills/tool/versions/1.0.0"),
        (Method::POST, "/skills/tool/versions/1.0.0/restore"),
        (Method::POST, "/skills/tool/tags/latest"),
    ] {
        let body = (method == Method::POST).then(|| json!({ "version": "1.0.0" }));
        let text =
            refused(&app.call(method.clone(), &format!("{API}{path}"), &reader, body.clone()).await, 403);
        assert!(
            text.ends_with("this needs the role `publisher` in `acme`, or a higher one"),
            "{path}: {text}"
        );
        let text = refused(&app.call(method, &format!("{API}{path}"), &bound, body).await, 403);
        assert_eq!(text, "the token is bound to other", "{path}");
    }
    // One entry for the token that was made meanwhile.
    assert_eq!(app.log().await.len(), before + 1);
    assert_eq!(read(&app, "", "/skills/tool").await["latestVersion"]["version"], "1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_counterpart_is_refused_in_a_sentence() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    let post = async |path: &str, body: Value| app.post(&format!("{API}{path}"), ADMIN, body).await;
    let tagged = post("/skills/tool/tags/latest", json!({ "version": "1.1.0" })).await.is(200);
    assert_eq!(tagged, json!({ "ok": true, "slug": "tool", "tag": "latest", "version": "1.1.0" }));
    for (path, body, beginning) in [
        ("/skills/tool/tags/latest", json!({ "version": "1.0.0" }), "`latest` is always the highest version"),
        ("/skills/tool/tags/beta", json!({ "version": "1.0.0" }), "this registry has no tags but `latest`"),
        ("/skills/tool/rename", json!({ "newSlug": "other" }), "a skill is not renamed"),
        ("/skills/tool/merge", json!({ "targetSlug": "other" }), "skills are not merged"),
        ("/skills/tool/transfer", json!({ "toUserHandle": "x" }), "a skill is not handed to another owner"),
        ("/skills/tool/transfer/accept", json!({}), "a skill is not handed to another owner"),
        ("/skills/-/scan", json!({}), "this registry makes no scans"),
    ] {
        let text = refused(&post(path, body).await, 400);
        assert!(text.starts_with(beginning), "{path}: {text}");
    }
    assert_eq!(read(&app, ADMIN, "/transfers/incoming").await, json!({ "transfers": [] }));
    assert_eq!(read(&app, ADMIN, "/skills/tool/moderation").await, json!({ "moderation": null }));
    refused(&app.get_as(ADMIN, &format!("{API}/skills/-/scan/1")).await, 404);
    refused(&post("/skills/tool/undelete", json!("text")).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_made_by_who_may() {
    let app = TestApp::new().await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let made = app.post(&format!("{API}/publishers"), &anna, json!({ "handle": "@Team" })).await.is(200);
    assert_eq!(
        made,
        json!({ "ok": true, "publisherId": "team", "handle": "team", "created": true, "trusted": false })
    );
    refused(&app.post(&format!("{API}/publishers"), &anna, json!({ "handle": "team" })).await, 409);
    for handle in ["", "a/b", "a~b", "api", "x y"] {
        refused(&app.post(&format!("{API}/publishers"), &anna, json!({ "handle": handle })).await, 400);
    }
    publish(&app, "team/tool", "1.0.0", "public").await;
    let managed =
        TestApp::with(|settings| settings.namespaces = crate::settings::NamespacePolicy::Managed).await;
    let anna = managed.user("anna", &["read", "admin"]).await;
    refused(&managed.post(&format!("{API}/publishers"), &anna, json!({ "handle": "team" })).await, 403);
}
