//! Who has what, and whose skills people have: nobody gets ahead by downloading more.

use serde_json::{Value, json};

use super::super::{ADMIN, TestApp};
use super::DAY;

const ADOPTION: &str = "/api/v1/skills/acme/tool/usage/adoption";
/// In seconds.
const HOUR: i64 = 3_600;

async fn users(app: &TestApp, names: &[&str]) -> Vec<String> {
    let mut tokens = Vec::new();
    for name in names {
        tokens.push(app.user(name, &["read", "rate"]).await);
    }
    tokens
}

/// A publisher of an org of their own, with a skill in it.
async fn author(app: &TestApp, name: &str, id: &str) -> String {
    let token = app.user(name, &["read", "publish", "rate", "admin"]).await;
    app.post("/api/v1/skills", &token, super::skill(id, "1.0.0")).await.is(201);
    token
}

async fn board(app: &TestApp, token: &str, query: &str) -> Vec<(u64, String, Value)> {
    // No board is given that is ten minutes old.
    app.settle().await;
    app.app.environment.advance_seconds(HOUR);
    let board = app.get_as(token, &format!("/api/v1/leaderboards?{query}")).await.is(200);
    let places = board["places"].as_array().unwrap().iter();
    places
        .map(|place| {
            (
                place["rank"].as_u64().unwrap(),
                place["name"].as_str().unwrap().to_owned(),
                place["consumers"].clone(),
            )
        })
        .collect()
}

fn row(rank: u64, name: &str, consumers: u64) -> (u64, String, Value) {
    (rank, name.to_owned(), json!(consumers))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_has_the_version_that_they_installed_last() {
    let app = TestApp::new().await;
    for version in ["1.0.0", "2.0.0", "3.0.0"] {
        app.publish("acme/tool", version).await;
    }
    let tokens = users(&app, &["anna", "ben", "carl", "dora"]).await;
    for token in &tokens {
        app.install(token, "acme/tool", "1.0.0").await;
    }
    app.app.environment.advance_seconds(60);
    app.install(&tokens[0], "acme/tool", "2.0.0").await;
    app.app.environment.advance_seconds(60);
    app.install(&tokens[0], "acme/tool", "3.0.0").await;
    app.install(&tokens[1], "acme/tool", "2.0.0").await;
    for _ in 0..5 {
        app.install("", "acme/tool", "3.0.0").await;
    }
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN, json!({ "reason": "loses mail" }))
        .await
        .is(200);
    app.settle().await;
    insta::assert_json_snapshot!("adoption", app.get_as(&tokens[0], ADOPTION).await.is(200));
    // Admins of the namespace see who, to tell them.
    let admin = app.user("ada", &["read"]).await;
    app.member("acme", "ada", "admin").await;
    let seen = app.get_as(&admin, ADOPTION).await.is(200);
    assert_eq!(seen["withdrawn"][0]["users"], json!(["carl", "dora"]));
    app.member("acme", "ben", "publisher").await;
    assert!(app.get_as(&tokens[1], ADOPTION).await.is(200)["withdrawn"][0].get("users").is_none());
    // Who goes on has it no more, and who is switched off neither.
    app.app.environment.advance_seconds(60);
    app.install(&tokens[2], "acme/tool", "3.0.0").await;
    app.call(axum::http::Method::PATCH, "/api/v1/users/dora", ADMIN, Some(json!({ "disabled": true }))).await;
    app.settle().await;
    let seen = app.get_as(&admin, ADOPTION).await.is(200);
    assert_eq!((&seen["withdrawn"], &seen["consumers"]), (&json!([]), &json!(3)));
    // After a month without installs nobody is counted, and who has what is known still.
    app.app.environment.advance_seconds(40 * DAY);
    let seen = app.get_as(&admin, ADOPTION).await.is(200);
    assert_eq!(
        (&seen["consumers"], &seen["installs"], &seen["consumers_share"]),
        (&json!(0), &json!(0), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn few_users_are_not_told_of_but_to_admins() {
    let app = TestApp::with(|settings| settings.insight.k = 3).await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "2.0.0").await;
    let tokens = users(&app, &["anna", "ben", "carl", "dora", "emil"]).await;
    for token in &tokens[..4] {
        app.install(token, "acme/tool", "2.0.0").await;
    }
    app.install(&tokens[4], "acme/tool", "1.0.0").await;
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN, json!({})).await.is(200);
    app.settle().await;
    let told = app.get(ADOPTION).await.is(200);
    assert_eq!((&told["consumers"], &told["k"]), (&json!(5), &json!(3)));
    // Four of five would leave one.
    assert_eq!(
        (&told["versions"][0]["consumers"], &told["versions"][1]["consumers"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!((&told["consumers_share"], &told["withdrawn"][0]["consumers"]), (&Value::Null, &Value::Null));
    let told = app.get_as(ADMIN, ADOPTION).await.is(200);
    assert_eq!((&told["consumers_share"], &told["withdrawn"][0]["users"]), (&json!(0.8), &json!(["emil"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_scripts_nor_tokens_nor_friends_within_move_anybody_up() {
    let app = TestApp::new().await;
    let greedy = author(&app, "greedy", "greed/tool").await;
    author(&app, "honest", "honour/tool").await;
    let tokens = users(&app, &["anna", "ben", "carl"]).await;
    // Two people use what is honest.
    app.install(&tokens[0], "honour/tool", "1.0.0").await;
    app.install(&tokens[1], "honour/tool", "1.0.0").await;
    // A script without a token, one of the author, and ten tokens of one user.
    for _ in 0..50 {
        app.install("", "greed/tool", "1.0.0").await;
        app.install(&greedy, "greed/tool", "1.0.0").await;
    }
    for _ in 0..10 {
        let token = app.token(json!({ "user": "carl", "scopes": ["read"] })).await;
        app.install(&token, "greed/tool", "1.0.0").await;
    }
    // Members of the org, wherever their role is.
    for (name, namespace) in [("mia", "greed"), ("max", "greed/deep/below")] {
        let token = app.user(name, &["read", "rate"]).await;
        app.member(namespace, name, "reader").await;
        app.install(&token, "greed/tool", "1.0.0").await;
        app.post("/api/v1/skills/greed/tool/rate", &token, json!({ "rating": 5 })).await.is(200);
    }
    app.post("/api/v1/skills/honour/tool/rate", &tokens[0], json!({ "rating": 4 })).await.is(200);
    let teams = board(&app, "", "of=teams").await;
    assert_eq!(teams, [row(1, "honour", 2), row(2, "greed", 1)]);
    assert_eq!(board(&app, "", "of=authors&period=all").await, [row(1, "honest", 2), row(2, "greedy", 1)]);
    let board_of_teams = app.get("/api/v1/leaderboards?of=teams").await.is(200);
    insta::assert_json_snapshot!(board_of_teams);
    // More skills bring no more consumers of the same people.
    app.post("/api/v1/skills", &greedy, super::skill("greed/second", "1.0.0")).await.is(201);
    app.install(&tokens[2], "greed/second", "1.0.0").await;
    assert_eq!(board(&app, "", "of=teams").await, teams);
    // Times pass.
    app.app.environment.advance_seconds(8 * DAY);
    assert_eq!(board(&app, "", "of=teams&period=week").await, []);
    assert_eq!(board(&app, "", "of=teams&period=month").await, teams);
    // Users who are switched off do not count.
    for name in ["ben", "carl"] {
        app.call(
            axum::http::Method::PATCH,
            &format!("/api/v1/users/{name}"),
            ADMIN,
            Some(json!({ "disabled": true })),
        )
        .await
        .is(200);
    }
    assert_eq!(board(&app, "", "of=teams").await, [row(1, "honour", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_board_while_there_is_one_of_before() {
    let app = TestApp::new().await;
    author(&app, "ada", "acme/tool").await;
    let tokens = users(&app, &["anna", "ben"]).await;
    let path = "/api/v1/leaderboards?of=authors";
    let consumers = async || app.get(path).await.is(200)["places"][0]["consumers"].clone();
    app.install(&tokens[0], "acme/tool", "1.0.0").await;
    app.settle().await;
    assert_eq!(consumers().await, json!(1));
    app.install(&tokens[1], "acme/tool", "1.0.0").await;
    app.settle().await;
    app.app.environment.advance_seconds(59);
    assert_eq!(consumers().await, json!(1), "it is kept for a minute");
    // Whoever is first to ask after that has another one made, and does not wait for it.
    app.app.environment.advance_seconds(1);
    assert_eq!(consumers().await, json!(1));
    while consumers().await != json!(2) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // One that is ten minutes old says too little.
    app.install(&author(&app, "bea", "other/tool").await, "acme/tool", "1.0.0").await;
    app.settle().await;
    app.app.environment.advance_seconds(HOUR);
    assert_eq!(consumers().await, json!(3));
    // Whoever is switched off is gone at once.
    let off = Some(json!({ "disabled": true }));
    app.call(axum::http::Method::PATCH, "/api/v1/users/ben", ADMIN, off).await.is(200);
    assert_eq!(consumers().await, json!(2));
    // And so is what is in quarantine.
    let quarantine = "/api/v1/skills/acme/tool/versions/1.0.0/quarantine";
    app.put(quarantine, ADMIN, json!({ "reason": "It sends keys elsewhere." })).await.is(200);
    assert_eq!(consumers().await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rater_counts_once_however_much_they_rate() {
    let app = TestApp::new().await;
    let author = author(&app, "ann", "org/first").await;
    for name in ["org/second", "org/third"] {
        app.post("/api/v1/skills", &author, super::skill(name, "1.0.0")).await.is(201);
    }
    let tokens = users(&app, &["fan", "critic"]).await;
    for id in ["org/first", "org/second", "org/third"] {
        app.post(&format!("/api/v1/skills/{id}/rate"), &tokens[0], json!({ "rating": 5 })).await.is(200);
    }
    app.post("/api/v1/skills/org/first/rate", &tokens[1], json!({ "rating": 1 })).await.is(200);
    app.post("/api/v1/skills/org/first/rate", &author, json!({ "rating": 5 })).await;
    let board = app.get("/api/v1/leaderboards?of=authors").await.is(200);
    let place = &board["places"][0];
    assert_eq!(
        (&place["raters"], &place["rating"], &place["consumers"]),
        (&json!(2), &json!(3.0), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_tell_nothing_of_what_the_caller_does_not_see() {
    let app = TestApp::new().await;
    author(&app, "open", "open/tool").await;
    for (id, visibility) in [("inner/tool", "internal"), ("hidden/tool", "private")] {
        app.publish_seen(id, "1.0.0", &[], visibility).await;
    }
    let anna = app.user("anna", &["read"]).await;
    app.install(&anna, "open/tool", "1.0.0").await;
    app.install(&anna, "inner/tool", "1.0.0").await;
    app.install(ADMIN, "hidden/tool", "1.0.0").await;
    let names =
        |board: Vec<(u64, String, Value)>| board.into_iter().map(|(_, name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(board(&app, "", "of=teams").await), ["open"]);
    assert_eq!(names(board(&app, &anna, "of=teams").await), ["inner", "open"]);
    // Private skills count for nobody, whoever asks.
    assert_eq!(names(board(&app, ADMIN, "of=teams").await), ["inner", "open"]);
    let bound = app.token(json!({ "user": "anna", "scopes": ["read"], "namespaces": ["open"] })).await;
    assert_eq!(names(board(&app, &bound, "of=teams").await), ["open"]);
    // What is taken away is gone at once, and not after a minute.
    app.put("/api/v1/skills/open/tool/visibility", ADMIN, json!({ "visibility": "private" })).await.is(204);
    assert_eq!(app.get("/api/v1/leaderboards?of=teams").await.is(200)["total"], 0);
    app.get("/api/v1/leaderboards?of=teams&period=year").await.fails(400, "invalid-parameter");
    app.get("/api/v1/leaderboards?of=skills").await.fails(400, "invalid-parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_on_no_board_withholds_nothing_there() {
    let app = TestApp::new().await;
    let anna = app.user("anna", &["read"]).await;
    author(&app, "ada", "acme/tool").await;
    for (id, visibility) in [("acme/inner/tool", "internal"), ("corp/hidden/tool", "private")] {
        app.publish_seen(id, "1.0.0", &[], visibility).await;
    }
    let ada = app.token(json!({ "user": "ada", "scopes": ["read", "publish"] })).await;
    app.member("corp/hidden", "ada", "publisher").await;
    app.member("acme/inner", "ada", "publisher").await;
    app.post("/api/v1/skills", &ada, super::skill("corp/hidden/tool", "1.1.0")).await.is(201);
    app.post("/api/v1/skills", &ada, super::skill("acme/inner/tool", "1.1.0")).await.is(201);
    app.install(&anna, "acme/tool", "1.0.0").await;
    for (namespace, k) in [("corp/hidden", 50), ("acme/empty", 40), ("acme/inner", 3)] {
        let wish = json!({ "k": k, "leaderboards": true });
        app.put(&format!("/api/v1/orgs/{namespace}/usage/settings"), ADMIN, wish).await.is(200);
    }
    for of in ["authors", "teams"] {
        app.settle().await;
        app.app.environment.advance_seconds(HOUR);
        let path = format!("/api/v1/leaderboards?of={of}");
        let place = |board: Value| (board["places"][0]["consumers"].clone(), board["places"][0]["k"].clone());
        assert_eq!(place(app.get(&path).await.is(200)), (json!(1), json!(1)), "{of}");
        // Who sees internal skills sees a board on which these count.
        assert_eq!(place(app.get_as(&anna, &path).await.is(200)), (Value::Null, json!(3)), "{of}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_time_less_a_shorter_one_is_not_few_either() {
    let app = TestApp::with(|settings| settings.insight.k = 2).await;
    let tokens = users(&app, &["anna", "ben", "carl", "dora"]).await;
    author(&app, "ada", "acme/tool").await;
    app.install(&tokens[0], "acme/tool", "1.0.0").await;
    app.app.environment.advance_seconds(10 * DAY);
    app.install(&tokens[1], "acme/tool", "1.0.0").await;
    app.install(&tokens[2], "acme/tool", "1.0.0").await;
    let figures = async || {
        let mut told = Vec::new();
        for period in ["week", "month", "all"] {
            told.push(board(&app, "", &format!("of=teams&period={period}")).await[0].2.clone());
        }
        told
    };
    assert_eq!(figures().await, [json!(2), Value::Null, Value::Null]);
    app.app.environment.advance_seconds(20 * DAY);
    app.install(&tokens[3], "acme/tool", "1.0.0").await;
    // One of this week is few, three of the month are not, and four of all time would tell of one.
    assert_eq!(figures().await, [Value::Null, json!(3), Value::Null]);
}

/// So many users more who have a version of `acme/tool`.
pub(crate) async fn holders(app: &TestApp, version: &str, count: usize) {
    let rows = |row: fn(String) -> String| {
        let names = (0..count).map(|number| format!("user-{version}-{number:03}"));
        names.map(row).collect::<Vec<_>>().join(", ")
    };
    let users = rows(|name| format!("('{name}', '{name}', '{name}', 0, 0)"));
    app.tamper(format!("INSERT INTO users (id, name, key, site_admin, created_at) VALUES {users}")).await;
    let have =
        rows(|name| format!("('acme/tool', 'VERSION', '{name}', 1, 1, 1)")).replace("VERSION", version);
    let columns = "skill, version, user_id, downloads, first_at, last_at";
    app.tamper(format!("INSERT INTO user_installs ({columns}) VALUES {have}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_listed_as_far_as_there_is_room() {
    let app = TestApp::new().await;
    for version in ["1.0.0", "2.0.0", "3.0.0"] {
        app.publish("acme/tool", version).await;
    }
    let user = app.user("zoe", &["read"]).await;
    app.install(&user, "acme/tool", "1.0.0").await;
    app.settle().await;
    holders(&app, "2.0.0", 205).await;
    for version in ["1.0.0", "2.0.0"] {
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/yank");
        app.put(&path, ADMIN, json!({ "reason": "" })).await.is(200);
    }
    let told = app.get_as(ADMIN, ADOPTION).await.is(200);
    let withdrawn = told["withdrawn"].as_array().unwrap();
    assert_eq!((&withdrawn[0]["version"], &withdrawn[0]["consumers"]), (&json!("2.0.0"), &json!(205)));
    let names = withdrawn[0]["users"].as_array().unwrap();
    assert_eq!(
        (names.len(), &names[0], &names[199]),
        (200, &json!("user-2.0.0-000"), &json!("user-2.0.0-199"))
    );
    // Nothing is not nobody.
    assert_eq!((&withdrawn[1]["consumers"], withdrawn[1].get("users")), (&json!(1), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_many_versions_are_named_with_what_they_have() {
    let app = TestApp::new().await;
    for minor in 0..10 {
        let version = format!("1.{minor}.0");
        app.publish("acme/tool", &version).await;
        holders(&app, &version, 1).await;
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/yank");
        app.put(&path, ADMIN, json!({ "reason": "" })).await.is(200);
    }
    let told = app.get_as(ADMIN, ADOPTION).await.is(200);
    let withdrawn = told["withdrawn"].as_array().unwrap();
    assert_eq!(withdrawn.len(), 10);
    for one in withdrawn {
        let user = format!("user-{}-000", one["version"].as_str().unwrap());
        assert_eq!(one["users"], json!([user]), "{one}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_have_pages_withhold_few_and_can_be_off() {
    let app = TestApp::with(|settings| settings.insight.k = 2).await;
    let tokens = users(&app, &["anna", "ben"]).await;
    for (name, id) in [("one", "org-one/tool"), ("two", "org-two/tool"), ("six", "org-six/tool")] {
        author(&app, name, id).await;
        app.install(&tokens[0], id, "1.0.0").await;
    }
    app.install(&tokens[1], "org-two/tool", "1.0.0").await;
    let board = board(&app, "", "of=teams").await;
    let withheld = |name: &str| (2, name.to_owned(), Value::Null);
    assert_eq!(board, [row(1, "org-two", 2), withheld("org-one"), withheld("org-six")]);
    let page = app.get("/api/v1/leaderboards?of=teams&limit=1&offset=1").await.is(200);
    assert_eq!((&page["total"], &page["places"][0]["name"]), (&json!(3), &json!("org-one")));
    let off = TestApp::with(|settings| settings.insight.leaderboards = false).await;
    off.get("/api/v1/leaderboards").await.fails(404, "route-not-found");
}
