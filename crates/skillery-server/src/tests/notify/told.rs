//! Who is told of what, and who is not.

use axum::http::Method;
use serde_json::json;

use super::super::pages::Browser;
use super::{ADMIN, TestApp};
use crate::notify;
use crate::tests::skill;

#[tokio::test(flavor = "multi_thread")]
async fn who_installed_or_starred_a_skill_is_told_of_its_new_version_and_reads_it() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read"]).await;
    let ben = app.user("ben", &["read"]).await;
    let carol = app.user("carol", &["read"]).await;
    app.install_as(&anna, "acme/tool", "1.0.0").await;
    app.install_as(ADMIN, "acme/tool", "1.0.0").await;
    app.tamper(
        "INSERT INTO stars (skill, user_id, at) SELECT 'acme/tool', id, 0 FROM users WHERE name = 'ben'"
            .into(),
    )
    .await;
    // What happened before is told nobody, and nobody is told of what they do themselves.
    app.publish("acme/tool", "1.1.0").await;
    for token in [&anna, &ben] {
        let lines = app.told(token).await;
        assert_eq!((&*lines[0], lines.len()), ("acme/tool 1.1.0 was published", 2));
        assert!(lines[1].starts_with("the token "), "{lines:?}");
    }
    for token in [&carol, ADMIN] {
        assert!(app.told(token).await.iter().all(|line| !line.contains("published")));
    }
    app.publish("acme/tool", "1.2.0").await;
    app.tell().await;
    let page = app.get_as(&anna, "/api/v1/notifications?limit=1").await.is(200);
    assert_eq!(page["unread"], 3);
    let first = &page["notifications"][0];
    assert_eq!(
        (&first["kind"], &first["skill"], &first["version"]),
        (&json!("version-published"), &json!("acme/tool"), &json!("1.2.0"))
    );
    assert_eq!((&first["actor"], &first["read_at"]), (&json!(null), &json!(null)));
    let next = page["next"].as_i64().unwrap();
    let page = app.get_as(&anna, &format!("/api/v1/notifications?before={next}")).await.is(200);
    assert_eq!(page["notifications"][0]["version"], "1.1.0");
    assert_eq!(page["next"], json!(null));

    // Of another's nothing is marked.
    let others = app.notifications(&ben).await["notifications"][0]["id"].clone();
    app.post("/api/v1/notifications/read", &anna, json!({ "ids": [others] })).await.is(200);
    assert_eq!(app.notifications(&ben).await["unread"], 3);
    let id = page["notifications"][0]["id"].clone();
    let left = app.post("/api/v1/notifications/read", &anna, json!({ "ids": [id] })).await.is(200);
    assert_eq!(left["unread"], 2);
    let unread = app.get_as(&anna, "/api/v1/notifications?unread=true").await.is(200);
    assert_eq!(unread["notifications"][0]["version"], "1.2.0");
    let up_to = unread["notifications"][0]["id"].clone();
    let left = app.post("/api/v1/notifications/read", &anna, json!({ "up_to": up_to })).await.is(200);
    assert_eq!(left["unread"], 0);
    app.post("/api/v1/notifications/read", &anna, json!({})).await.fails(422, "invalid-field");
    app.get_as(&anna, "/api/v1/notifications?unread=maybe").await.fails(400, "invalid-parameter");
    app.get_as(&anna, "/api/v1/notifications?limit=201").await.fails(400, "invalid-parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_what_they_do_not_see_nor_reads_of_it_later() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read"]).await;
    let ben = app.user("ben", &["read"]).await;
    for (token, name) in [(&anna, "anna"), (&ben, "ben")] {
        app.member("acme", name, "reader").await;
        app.install_as(token, "acme/tool", "1.0.0").await;
    }
    app.put("/api/v1/skills/acme/tool/visibility", ADMIN, json!({ "visibility": "private" })).await.is(204);
    app.delete("/api/v1/orgs/acme/members/anna", ADMIN).await.is(204);
    app.publish("acme/tool", "1.1.0").await;
    let about =
        |lines: Vec<String>| lines.into_iter().filter(|line| line.contains("tool")).collect::<Vec<_>>();
    assert!(about(app.told(&anna).await).is_empty());
    assert_eq!(about(app.told(&ben).await), ["acme/tool 1.1.0 was published"]);
    let token = |namespaces: serde_json::Value| {
        app.token(json!({ "user": "ben", "scopes": ["read"], "namespaces": namespaces }))
    };
    let (elsewhere, there) = (token(json!(["other"])).await, token(json!(["acme"])).await);
    assert!(about(app.told(&elsewhere).await).is_empty());
    assert_eq!(about(app.told(&there).await).len(), 1);
    let unread = app.notifications(&ben).await["unread"].as_u64().unwrap();
    app.delete("/api/v1/orgs/acme/members/ben", ADMIN).await.is(204);
    assert!(about(app.told(&ben).await).is_empty());
    // The one about the role that was taken away is there instead.
    assert_eq!(app.notifications(&ben).await["unread"], unread);
    // Who is switched off is told nothing.
    app.put("/api/v1/skills/acme/tool/visibility", ADMIN, json!({ "visibility": "public" })).await.is(204);
    app.call(Method::PATCH, "/api/v1/users/anna", ADMIN, Some(json!({ "disabled": true }))).await.is(200);
    app.publish("acme/tool", "1.2.0").await;
    app.tell().await;
    let text = "SELECT CAST(COUNT(*) AS BIGINT) FROM notifications n JOIN users u ON u.id = n.user_id \
        WHERE u.name = $1 AND n.version = '1.2.0'";
    let count =
        |name: &'static str| sqlx::query_scalar::<_, i64>(text).bind(name).fetch_one(app.app.db.reader());
    assert_eq!((count("anna").await.unwrap(), count("ben").await.unwrap()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_are_asked_of_reviewers_and_decided_for_the_publisher() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let scopes = ["read", "publish", "review"];
    let paul = app.user("paul", &scopes).await;
    let rita = app.user("rita", &scopes).await;
    let reed = app.user("reed", &scopes).await;
    for (name, role) in [("paul", "publisher"), ("rita", "reviewer"), ("reed", "reader")] {
        app.member("acme", name, role).await;
    }
    app.install_as(&reed, "acme/tool", "1.0.0").await;
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    for version in ["1.1.0", "1.2.0"] {
        app.post("/api/v1/skills", &paul, super::super::skill("acme/tool", version)).await.is(202);
    }
    let about =
        |lines: Vec<String>| lines.into_iter().filter(|line| line.contains("tool")).collect::<Vec<_>>();
    assert_eq!(
        about(app.told(&rita).await),
        [
            "acme/tool 1.2.0, published by paul, waits for approval",
            "acme/tool 1.1.0, published by paul, waits for approval"
        ]
    );
    assert!(about(app.told(&paul).await).is_empty() && about(app.told(&reed).await).is_empty());
    let decide = |version: &str, body| {
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/approvals");
        let (app, rita) = (&app, &rita);
        async move { app.post(&path, rita, body).await.is(200) }
    };
    decide("1.1.0", json!({ "decision": "changes-requested", "comment": "say more" })).await;
    assert_eq!(about(app.told(&paul).await), ["rita asks for changes of acme/tool 1.1.0"]);
    assert!(about(app.told(&reed).await).is_empty());
    decide("1.1.0", json!({ "decision": "approved" })).await;
    decide("1.2.0", json!({ "decision": "rejected", "comment": "no" })).await;
    assert_eq!(
        about(app.told(&paul).await),
        [
            "acme/tool 1.2.0 was rejected by rita",
            "acme/tool 1.1.0 was approved and is published",
            "rita asks for changes of acme/tool 1.1.0"
        ]
    );
    assert_eq!(about(app.told(&reed).await), ["acme/tool 1.1.0 was published"]);
    // Who is no reviewer any more learns no more of what waits or was rejected.
    app.member("acme", "rita", "reader").await;
    assert!(about(app.told(&rita).await).iter().all(|line| !line.contains("1.2.0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mine_and_what_i_may_do() {
    let app = TestApp::new().await;
    let paul = app.user("paul", &["read", "publish"]).await;
    let anna = app.user("anna", &["read", "rate"]).await;
    app.publish("acme/other", "1.0.0").await;
    app.member("acme", "paul", "publisher").await;
    app.post("/api/v1/skills", &paul, super::super::skill("acme/tool", "1.0.0")).await.is(201);
    app.install_as(&anna, "acme/tool", "1.0.0").await;
    // Rating again and again is told once.
    for rating in [1, 2, 5] {
        app.post("/api/v1/skills/acme/tool/rate", &anna, json!({ "rating": rating, "review": "fine" }))
            .await
            .is(200);
    }
    app.yank_it("acme/tool", "1.0.0").await.is(200);
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/quarantine", ADMIN, json!({ "reason": "bad" }))
        .await
        .is(200);
    assert_eq!(
        app.told(&paul).await,
        [
            "acme/tool 1.0.0 was quarantined",
            "acme/tool 1.0.0 was yanked",
            "anna rated acme/tool",
            "you have the role publisher in acme",
            &app.told(&paul).await[4],
        ]
    );
    let lines = app.told(&paul).await;
    assert!(lines[4].starts_with("the token ") && lines[4].ends_with(" was made for you"), "{lines:?}");
    let lines = app.told(&anna).await;
    assert_eq!(lines[..2], ["acme/tool 1.0.0 was quarantined", "acme/tool 1.0.0 was yanked"]);
    assert_eq!(lines.len(), 3);
    // Whoever owns the namespace is told of the rating too.
    assert!(app.told(ADMIN).await.contains(&"anna rated acme/tool".to_owned()));
    let token = app.get_as(&paul, "/api/v1/whoami").await.is(200)["token"]["id"].as_str().unwrap().to_owned();
    let another = app.token(json!({ "user": "paul", "scopes": ["read"] })).await;
    app.delete(&format!("/api/v1/tokens/{token}"), ADMIN).await.is(204);
    assert_eq!(app.told(&another).await[0], format!("your token {token} was revoked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_of_a_yank_or_a_quarantine_hears_that_it_was_taken_back() {
    const YANK: &str = "/api/v1/skills/acme/tool/versions/1.0.0/yank";
    const QUARANTINE: &str = "/api/v1/skills/acme/tool/versions/1.0.0/quarantine";
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let paul = app.user("paul", &["read", "publish"]).await;
    let (olga, anna, ben) = (
        app.user("olga", &["read"]).await,
        app.user("anna", &["read"]).await,
        app.user("ben", &["read"]).await,
    );
    app.member("acme", "paul", "publisher").await;
    app.member("acme", "olga", "admin").await;
    for version in ["1.0.0", "1.1.0"] {
        app.post("/api/v1/skills", &paul, skill("acme/tool", version)).await.is(201);
    }
    app.install_as(&anna, "acme/tool", "1.0.0").await;
    app.install_as(&ben, "acme/tool", "1.1.0").await;
    let about = async |token: &str| {
        let lines = app.told(token).await.into_iter();
        lines.filter(|line| line.contains("acme/tool 1.0.0")).collect::<Vec<_>>()
    };
    app.yank_it("acme/tool", "1.0.0").await.is(200);
    app.delete(YANK, ADMIN).await.is(200);
    let yank = ["the yank of acme/tool 1.0.0 was taken back", "acme/tool 1.0.0 was yanked"];
    for token in [&paul, &anna] {
        assert_eq!(about(token).await, yank);
    }
    for token in [&olga, &ben] {
        assert!(about(token).await.is_empty());
    }
    app.put(QUARANTINE, ADMIN, json!({ "reason": "bad" })).await.is(200);
    app.delete(QUARANTINE, ADMIN).await.is(200);
    let quarantine = ["the quarantine of acme/tool 1.0.0 was taken back", "acme/tool 1.0.0 was quarantined"];
    for token in [&paul, &anna] {
        assert_eq!(about(token).await, [quarantine, yank].concat());
    }
    assert_eq!(about(&olga).await, quarantine);
    // Who has another version, and who did it, are told nothing.
    for token in [&*ben, ADMIN] {
        assert!(about(token).await.is_empty());
    }
    let told = app.notifications(&anna).await["notifications"][0].clone();
    assert_eq!(
        (&told["kind"], &told["detail"], &told["actor"]),
        (&json!("version-quarantined"), &json!("taken-back"), &json!(null))
    );
    let page = Browser::signed_in(&app, &anna).await.page("/account/notifications").await;
    assert!(page.contains("versions/1.0.0\">the quarantine of acme/tool 1.0.0 was taken back"), "{page}");
    // What is so again by then was taken back for nobody.
    app.put(QUARANTINE, ADMIN, json!({ "reason": "bad" })).await.is(200);
    app.delete(QUARANTINE, ADMIN).await.is(200);
    app.put(QUARANTINE, ADMIN, json!({ "reason": "bad indeed" })).await.is(200);
    assert_eq!(about(&olga).await[..2], [quarantine[1]; 2]);
    assert_eq!(about(&olga).await[2..], quarantine);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_it_comes_back_is_told_of_when_it_is_handed_out() {
    const QUARANTINE: &str = "/api/v1/skills/acme/tool/versions/1.0.0/quarantine";
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let (anna, rita) = (app.user("anna", &["read"]).await, app.user("rita", &["read", "review"]).await);
    app.member("acme", "anna", "reader").await;
    app.member("acme", "rita", "reviewer").await;
    let policy = json!({ "approvals": 1, "when": ["public"] });
    app.put("/api/v1/orgs/acme/policy", ADMIN, policy).await.is(200);
    let mut body = skill("acme/tool", "1.0.0");
    body["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    app.install_as(&anna, "acme/tool", "1.0.0").await;
    let about = async || {
        let lines = app.told(&anna).await.into_iter();
        lines.filter(|line| line.contains("acme/tool")).collect::<Vec<_>>()
    };
    app.app.environment.advance_seconds(1);
    app.put(QUARANTINE, ADMIN, json!({ "reason": "bad" })).await.is(200);
    assert_eq!(about().await, ["acme/tool 1.0.0 was quarantined"]);
    app.put("/api/v1/skills/acme/tool/visibility", ADMIN, json!({ "visibility": "public" })).await.is(204);
    assert_eq!(app.delete(QUARANTINE, ADMIN).await.is(200)["status"], "pending");
    // What is told of a version that waits is for those alone who see it.
    assert!(about().await.is_empty());
    let approved = json!({ "decision": "approved" });
    app.post("/api/v1/skills/acme/tool/versions/1.0.0/approvals", &rita, approved).await.is(200);
    assert_eq!(about().await, ["acme/tool 1.0.0 was published", "acme/tool 1.0.0 was quarantined"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_approval_hands_out_is_told_though_its_policy_is_gone() {
    let app = TestApp::new().await;
    let [author, rita] = app.staff([("author", "publisher"), ("rita", "reviewer")]).await;
    app.post("/api/v1/skills", &author, skill("acme/tool", "1.0.0")).await.is(201);
    let anna = app.user("anna", &["read"]).await;
    app.install_as(&anna, "acme/tool", "1.0.0").await;
    app.policy("acme", 1).await;
    app.post("/api/v1/skills", &author, skill("acme/tool", "1.1.0")).await.is(202);
    app.delete("/api/v1/orgs/acme/policy", ADMIN).await.is(200);
    let approved = json!({ "decision": "approved" });
    app.post("/api/v1/skills/acme/tool/versions/1.1.0/approvals", &rita, approved).await.is(200);
    let told = app.told(&anna).await;
    assert!(told.iter().any(|line| line == "acme/tool 1.1.0 was published"), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("taken back")), "{told:?}");
    let kinds = app.notifications(&author).await;
    let kinds: Vec<_> = kinds["notifications"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert!(kinds.contains(&&json!("approval-decided")), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_told_to_whose_skill_it_is_and_whom_they_answer() {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let paul = app.user("paul", &["read", "publish"]).await;
    let anna = app.user("anna", &["read", "rate"]).await;
    let ben = app.user("ben", &["read", "rate"]).await;
    let carol = app.user("carol", &["read", "rate"]).await;
    app.member("acme", "paul", "publisher").await;
    app.post("/api/v1/skills", &paul, super::super::skill("acme/tool", "1.0.0")).await.is(201);
    app.install_as(&carol, "acme/tool", "1.0.0").await;
    let comments = "/api/v1/skills/acme/tool/comments";
    let say = |token: &str, body| {
        let (app, token) = (&app, token.to_owned());
        async move { app.post(comments, &token, body).await.is(201)["id"].as_str().unwrap().to_owned() }
    };
    let about =
        |lines: Vec<String>| lines.into_iter().filter(|line| line.contains("tool")).collect::<Vec<_>>();
    let first = say(&anna, json!({ "text": "Does it work?" })).await;
    for token in [&paul, ADMIN] {
        assert_eq!(about(app.told(token).await), ["anna wrote about acme/tool"]);
    }
    for token in [&anna, &ben, &carol] {
        assert!(about(app.told(token).await).is_empty());
    }
    let told = app.notifications(&paul).await["notifications"][0].clone();
    assert_eq!((&told["kind"], &told["object"]), (&json!("comment-posted"), &json!(first)));
    assert!(!told.to_string().contains("work?"));
    say(&ben, json!({ "text": "It does.", "parent": first })).await;
    assert_eq!(about(app.told(&anna).await), ["ben wrote about acme/tool"]);
    assert_eq!(about(app.told(&paul).await).len(), 2);
    // Of what is taken back by then nobody is told.
    let gone = say(&ben, json!({ "text": "Or not.", "parent": first })).await;
    app.delete(&format!("{comments}/{gone}"), &ben).await.is(204);
    assert_eq!(about(app.told(&anna).await).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn preferences_are_kept_and_kept_to() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let reader = app.token(json!({ "user": "anna", "scopes": ["read"] })).await;
    app.install_as(&anna, "acme/tool", "1.0.0").await;
    let all = app.get_as(&reader, "/api/v1/notifications/preferences").await.is(200);
    assert_eq!(all["preferences"].as_array().unwrap().len(), skillery_core::NotificationKind::ALL.len());
    assert_eq!(
        all["preferences"][0],
        json!({ "kind": "version-published", "page": true, "mail": "daily", "webhook": true })
    );
    assert_eq!(all["mail"], false);
    app.prefer(&anna, "version-published", false, "off", false).await;
    app.publish("acme/tool", "1.1.0").await;
    assert!(app.told(&anna).await.iter().all(|line| !line.contains("published")));
    app.prefer(&anna, "version-published", true, "off", false).await;
    app.publish("acme/tool", "1.2.0").await;
    assert_eq!(app.told(&anna).await[0], "acme/tool 1.2.0 was published");
    let put = |body| app.put("/api/v1/notifications/preferences", &anna, body);
    let one = json!({ "kind": "finding", "page": true, "mail": "off", "webhook": false });
    put(json!({ "preferences": [one, one] })).await.fails(422, "invalid-field");
    put(json!({ "preferences": [{ "kind": "nothing", "page": true, "mail": "off", "webhook": false }] }))
        .await
        .fails(422, "invalid-field");
    app.put("/api/v1/notifications/preferences", &reader, json!({ "preferences": [one] }))
        .await
        .fails(403, "insufficient-scope");
    let bound =
        app.token(json!({ "user": "anna", "scopes": ["read", "admin"], "namespaces": ["acme"] })).await;
    app.put("/api/v1/notifications/preferences", &bound, json!({ "preferences": [one] }))
        .await
        .fails(403, "token-out-of-bounds");
}

/// A registry in which so many users have installed `acme/tool`.
async fn popular(users: usize) -> TestApp {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.wait(1);
    let now = app.app.environment.now().micros();
    let rows = |row: &dyn Fn(usize) -> String| (0..users).map(row).collect::<Vec<_>>().join(", ");
    let id = |number: usize| format!("00000000-0000-7000-8000-{number:012}");
    app.tamper(format!(
        "INSERT INTO users (id, name, key, site_admin, created_at) VALUES {}",
        rows(&|number| format!("('{}', 'u{number}', 'u{number}', 0, 0)", id(number)))
    ))
    .await;
    app.tamper(format!(
        "INSERT INTO user_installs (skill, version, user_id, downloads, first_at, last_at) VALUES {}",
        rows(&|number| format!("('acme/tool', '1.0.0', '{}', 1, {now}, {now})", id(number)))
    ))
    .await;
    app
}

async fn counts(app: &TestApp) -> (i64, i64) {
    sqlx::query_as(
        "SELECT CAST(COUNT(*) AS BIGINT), CAST(COUNT(DISTINCT user_id) AS BIGINT) FROM notifications \
         WHERE kind = 'version-published'",
    )
    .fetch_one(app.app.db.reader())
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_told_in_batches_each_once_by_several_servers() {
    let app = popular(900).await;
    let other = app.another().await;
    app.publish("acme/tool", "1.1.0").await;
    other.app.db.refresh_size().await.unwrap();
    let (one, two) = tokio::join!(notify::catch_up(&app.app), notify::catch_up(&other.app));
    one.unwrap();
    two.unwrap();
    assert_eq!(counts(&app).await, (900, 900));
    // Who was left behind is not told again, and goes on.
    other.app.notify_cursor.store(0, std::sync::atomic::Ordering::SeqCst);
    notify::catch_up(&other.app).await.unwrap();
    assert_eq!(counts(&app).await, (900, 900));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_batches_loses_nobody_and_tells_nobody_twice() {
    let app = popular(700).await;
    app.publish("acme/tool", "1.1.0").await;
    app.tell().await;
    assert_eq!(counts(&app).await, (700, 700));
    let head = "SELECT log_index, step FROM notification_head";
    let (index, _): (i64, i64) = sqlx::query_as(head).fetch_one(app.app.db.reader()).await.unwrap();
    // As it was after the first batch: the rest has not happened.
    let last = format!("00000000-0000-7000-8000-{:012}", 249);
    app.tamper(format!("DELETE FROM notifications WHERE user_id > '{last}'")).await;
    app.tamper(format!("UPDATE notification_head SET log_index = {index}, step = 1, after_user = '{last}'"))
        .await;
    let app = app.crash_and_reopen().await;
    app.tell().await;
    assert_eq!(counts(&app).await, (700, 700));
    // Even where it is forgotten how far it was, each is told once.
    app.tamper(format!("UPDATE notification_head SET log_index = {index}, step = 0, after_user = ''")).await;
    let app = app.crash_and_reopen().await;
    app.tell().await;
    assert_eq!(counts(&app).await, (700, 700));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_removed_after_a_time() {
    let app = TestApp::with(|settings| settings.notification_days = 10).await;
    let anna = app.user("anna", &["read"]).await;
    app.tell().await;
    assert_eq!(app.notifications(&anna).await["unread"], 1);
    app.wait(11 * 86_400);
    notify::prune(&app.app).await.unwrap();
    assert_eq!(app.notifications(&anna).await["unread"], 1);
    app.post("/api/v1/notifications/read", &anna, json!({ "up_to": 1_000 })).await.is(200);
    app.wait(11 * 86_400);
    notify::prune(&app.app).await.unwrap();
    assert_eq!(app.notifications(&anna).await["notifications"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn reviewers_and_who_published_are_told_of_what_the_rules_find() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let rita = app.user("rita", &["read"]).await;
    let reader = app.user("reader", &["read"]).await;
    app.member("acme", "rita", "reviewer").await;
    app.member("acme", "reader", "reader").await;
    let found = async |token: &str| {
        app.tell().await;
        let told = app.get_as(token, "/api/v1/notifications?kind=finding").await.is(200);
        let told = told["notifications"].as_array().unwrap().clone();
        told.iter().map(|one| one["version"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(found(&rita).await.is_empty());
    app.publish("acme/tool", "1.1.0").await;
    // A link to nowhere is a warning of `skillery lint`.
    let mut with_warning = skill("acme/tool", "1.2.0");
    with_warning["description"] = json!("Checks [that](missing.md)");
    app.post("/api/v1/skills", ADMIN, with_warning.clone()).await.is(201);
    for token in [&rita, ADMIN] {
        assert_eq!(found(token).await, ["1.2.0"]);
    }
    // What waits for approval is looked at where it is decided about, and who published it is told.
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1, "role": "reviewer" })).await.is(200);
    with_warning["version"] = json!("1.3.0");
    app.post("/api/v1/skills", ADMIN, with_warning).await.is(202);
    assert_eq!(found(&rita).await, ["1.2.0"]);
    assert_eq!(found(ADMIN).await, ["1.3.0", "1.2.0"]);
    assert!(found(&reader).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_skill_it_is_is_told_of_what_the_rules_find_as_far_as_they_see_it() {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let scopes = ["read", "publish", "admin"];
    let (paul, pete, anna) =
        (app.user("paul", &scopes).await, app.user("pete", &scopes).await, app.user("anna", &["read"]).await);
    for name in ["paul", "pete"] {
        app.member("acme", name, "publisher").await;
    }
    for (token, version) in [(&pete, "1.0.0"), (&paul, "1.1.0")] {
        app.post("/api/v1/skills", token, skill("acme/tool", version)).await.is(201);
    }
    app.install_as(&anna, "acme/tool", "1.1.0").await;
    let found = async |token: &str| {
        app.tell().await;
        let told = app.get_as(token, "/api/v1/notifications?kind=finding").await.is(200);
        let told = told["notifications"].as_array().unwrap().clone();
        told.iter().map(|one| one["version"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let with_warning = async |version: &str| {
        let mut body = skill("acme/tool", version);
        body["description"] = json!("Checks [that](missing.md)");
        app.post("/api/v1/skills", &paul, body).await
    };
    with_warning("1.2.0").await.is(201);
    for token in [&paul, &pete, ADMIN] {
        assert_eq!(found(token).await, ["1.2.0"]);
    }
    // Who has it installed reads it where the version is.
    assert!(found(&anna).await.is_empty());
    // Who does not see the skill any more is told no more of it, and does not read what was told.
    app.put("/api/v1/skills/acme/tool/visibility", ADMIN, json!({ "visibility": "private" })).await.is(204);
    app.delete("/api/v1/orgs/acme/members/pete", ADMIN).await.is(204);
    with_warning("1.3.0").await.is(201);
    assert!(found(&pete).await.is_empty());
    assert_eq!(found(&paul).await, ["1.3.0", "1.2.0"]);
    // Who wants none of it gets none.
    app.prefer(&paul, "finding", false, "off", false).await;
    with_warning("1.4.0").await.is(201);
    assert_eq!(found(&paul).await, ["1.3.0", "1.2.0"]);
    assert_eq!(found(ADMIN).await, ["1.4.0", "1.3.0", "1.2.0"]);
    app.prefer(&paul, "finding", true, "off", false).await;
    // What waits is seen by who published it, and by reviewers, who are asked.
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    with_warning("1.5.0").await.is(202);
    assert_eq!(found(&paul).await, ["1.5.0", "1.3.0", "1.2.0"]);
    let mut browser = Browser::signed_in(&app, &paul).await;
    let findings = "/acme/tool/versions/1.5.0/findings";
    let version = "/acme/tool/versions/1.5.0";
    assert!(browser.page("/account/notifications").await.contains(&format!("href=\"{version}\"")));
    assert!(browser.page(version).await.contains(&format!("href=\"{findings}\"")));
    assert!(browser.page(findings).await.contains("missing.md"));
    assert_eq!(found(ADMIN).await, ["1.4.0", "1.3.0", "1.2.0"]);
    assert_eq!(app.told(ADMIN).await[0], "acme/tool 1.5.0, published by paul, waits for approval");
    // What is found may be why it is rejected; nobody gets its files then, and where the notification leads is there still.
    let rita = app.user("rita", &["read", "review"]).await;
    app.member("acme", "rita", "reviewer").await;
    let rejected = json!({ "decision": "rejected", "comment": "a link leads nowhere" });
    app.post("/api/v1/skills/acme/tool/versions/1.5.0/approvals", &rita, rejected).await.is(200);
    assert!(
        browser.page("/account/notifications?kind=finding").await.contains(&format!("href=\"{version}\""))
    );
    assert_eq!(browser.get(findings).await.status, 404);
    assert!(browser.page(version).await.contains("a link leads nowhere"));
}
