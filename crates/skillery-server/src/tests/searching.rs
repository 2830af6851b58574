//! Search.

use serde_json::json;

use super::pages::Browser;
use super::{ADMIN, TestApp, skill};

async fn publish(app: &TestApp, id: &str, description: &str, tags: &[&str], code: &str) {
    let mut body = skill(id, "1.0.0");
    body["description"] = json!(description);
    body["tags"] = json!(tags);
    body["code"] = json!(code);
    body.as_object_mut().unwrap().remove("code_hash");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
}

async fn library() -> TestApp {
    let app = TestApp::new().await;
    publish(
        &app,
        "acme/email_validator",
        "Validates addresses",
        &["email", "utility"],
        "def email_validator(): pass",
    )
    .await;
    publish(&app, "acme/email/sender", "Sends letters", &["mail"], "def sender(): pass").await;
    publish(&app, "acme/reporter", "Writes reports by email", &["utility"], "def reporter(): pass").await;
    publish(&app, "utils/hidden", "Does things", &[], "def hidden():\n    return 'email'\n").await;
    publish(&app, "acme-two/other", "Nothing of the kind", &["Utility"], "def other(): pass").await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_sees_what_was_published_and_rated_before_it() {
    let app = TestApp::new().await;
    for number in 0..10 {
        app.publish(&format!("acme/tool{number}"), "1.0.0").await;
        assert_eq!(app.search("", "q=tool").await.1, number + 1);
    }
    app.post("/api/v1/skills/acme/tool3/rate", ADMIN, json!({ "rating": 5 })).await.is(200);
    assert_eq!(app.search("", "q=tool&min_rating=4.5").await, (vec!["acme/tool3".to_owned()], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_have_weights() {
    let app = library().await;
    let (ids, total) = app.search("", "q=email").await;
    assert_eq!(total, 4);
    assert_eq!(ids.last().unwrap(), "utils/hidden", "what is only in the body comes last: {ids:?}");
    assert_eq!(ids[0], "acme/email_validator", "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_stemmed_all_must_match_and_the_last_is_completed() {
    let app = library().await;
    assert_eq!(app.search("", "q=validating").await.0, ["acme/email_validator"]);
    assert_eq!(app.search("", "q=address").await.0, ["acme/email_validator"]);
    assert_eq!(app.search("", "q=EMAIL%20reports").await.0, ["acme/reporter"]);
    assert_eq!(app.search("", "q=email%20nonsense").await.1, 0);
    assert_eq!(app.search("", "q=email%20repo").await.0, ["acme/reporter"]);
    assert_eq!(app.search("", "q=addre").await.0, ["acme/email_validator"]);
    assert_eq!(app.search("", "q=addre%20").await.1, 0, "a blank ends the word");
    assert_eq!(app.search("", "q=acme/reporter").await.0, ["acme/reporter"]);
    assert_eq!(app.search("", "q=!!!").await.1, 0);
    assert_eq!(app.search("", "q=%22%20OR%20*%20AND%20(").await.1, 0, "no query language");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_namespaces_and_ratings_filter() {
    let app = library().await;
    assert_eq!(
        app.search("", "tags=utility&sort=name").await.0,
        ["acme-two/other", "acme/email_validator", "acme/reporter"]
    );
    assert_eq!(app.search("", "tags=utility,email").await.0, ["acme/email_validator"]);
    assert_eq!(app.search("", "tags=utility&tags=email").await.1, 1);
    assert_eq!(
        app.search("", "org=acme&sort=name").await.0,
        ["acme/email_validator", "acme/email/sender", "acme/reporter"]
    );
    assert_eq!(app.search("", "org=acme/email").await.0, ["acme/email/sender"]);
    assert_eq!(app.search("", "org=nobody").await.1, 0);
    app.post("/api/v1/skills/acme/reporter/rate", ADMIN, json!({ "rating": 4.4 })).await.is(200);
    assert_eq!(app.search("", "min_rating=4.4").await.0, ["acme/reporter"]);
    assert_eq!(app.search("", "min_rating=4.41").await.1, 0);
    assert_eq!(app.search("", "min_rating=0").await.1, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn skills_of_a_publisher_are_those_whose_latest_version_is_theirs() {
    let app = library().await;
    let anna = app.publisher("anna").await;
    app.post("/api/v1/skills", &anna, skill("acme/hers", "1.0.0")).await.is(201);
    app.post("/api/v1/skills", &anna, skill("acme/reporter", "2.0.0")).await.is(201);
    let mut private = skill("acme/secret", "1.0.0");
    private["visibility"] = json!("private");
    app.post("/api/v1/skills", &anna, private).await.is(201);
    let hers = vec!["acme/hers".to_owned(), "acme/reporter".to_owned()];
    assert_eq!(app.search("", "publisher=anna&sort=name").await, (hers, 2));
    assert_eq!(app.search("", "publisher=admin&tags=utility").await.1, 2);
    assert_eq!(app.search(&anna, "publisher=anna").await.1, 3);
    assert_eq!(app.search("", "publisher=admin").await.1, 4);
    assert_eq!(facets(&app, "publisher=anna").await.1, counted(&[("acme", 2)]));
    for nobody in ["bert", "..%2Fx", "a%00"] {
        let query = format!("publisher={nobody}");
        assert_eq!(app.search("", &query).await.1, 0, "{nobody}");
        assert_eq!(facets(&app, &query).await, (Vec::new(), Vec::new(), false), "{nobody}");
    }
    let page = Browser::new(&app).page("/users/anna").await;
    for part in ["2 skills", "href=\"/acme/hers\"", "href=\"/acme/reporter\""] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

type Counts = Vec<(String, u64)>;

/// What a search can be narrowed down by: tags and namespaces, each with its count, and whether there are more.
async fn facets(app: &TestApp, query: &str) -> (Counts, Counts, bool) {
    let found = app.get(&format!("/api/v1/facets?{query}")).await.is(200);
    let counts = |kind: &str| {
        let counts = found[kind].as_array().unwrap().iter();
        counts.map(|one| (one["name"].as_str().unwrap().to_owned(), one["count"].as_u64().unwrap())).collect()
    };
    (counts("tags"), counts("namespaces"), found["truncated"].as_bool().unwrap())
}

fn counted(counts: &[(&str, u64)]) -> Counts {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_namespaces_of_what_is_found_are_counted() {
    let app = library().await;
    let all = counted(&[("acme", 3), ("acme-two", 1), ("acme/email", 1), ("utils", 1)]);
    let tags = counted(&[("utility", 3), ("email", 1), ("mail", 1)]);
    assert_eq!(facets(&app, "").await, (tags, all, false));
    assert_eq!(
        facets(&app, "q=email&limit=200").await,
        (
            counted(&[("utility", 2), ("email", 1), ("mail", 1)]),
            counted(&[("acme", 3), ("acme/email", 1), ("utils", 1)]),
            false
        )
    );
    assert_eq!(
        facets(&app, "tags=UTILITY").await,
        (counted(&[("utility", 3), ("email", 1)]), counted(&[("acme", 2), ("acme-two", 1)]), false)
    );
    // So many of each, whatever the search has on its pages.
    assert_eq!(
        facets(&app, "org=acme&limit=1&offset=2").await,
        (counted(&[("utility", 2)]), counted(&[("acme", 3)]), true)
    );
    assert_eq!(facets(&app, "limit=0").await, (Vec::new(), Vec::new(), true));
    assert_eq!(facets(&app, "tags=nothing").await, (Vec::new(), Vec::new(), false));
    // What was acknowledged before is counted.
    app.post("/api/v1/skills/acme/reporter/rate", ADMIN, json!({ "rating": 4.4 })).await.is(200);
    assert_eq!(
        facets(&app, "min_rating=4").await,
        (counted(&[("utility", 1)]), counted(&[("acme", 1)]), false)
    );
    publish(&app, "under_score/thing", "Does", &["mail"], "def thing(): pass").await;
    assert_eq!(
        facets(&app, "org=under_score").await,
        (counted(&[("mail", 1)]), counted(&[("under-score", 1)]), false)
    );
    assert_eq!(app.search("", "org=under-score").await.1, 1);
    for query in ["limit=201", "limit=-1", "min_rating=6", "org=../x"] {
        app.get(&format!("/api/v1/facets?{query}")).await.fails(400, "invalid-parameter");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sort_orders_and_pages_fit_together() {
    let app = TestApp::new().await;
    for number in 0..25 {
        app.app.environment.advance_seconds(1);
        app.publish(&format!("acme/tool{number:02}"), "1.0.0").await;
    }
    for _ in 0..2 {
        app.get("/api/v1/skills/acme/tool07/download").await.is(200);
    }
    app.get("/api/v1/skills/acme/tool09/download").await.is(200);
    app.post("/api/v1/skills/acme/tool11/rate", ADMIN, json!({ "rating": 5 })).await.is(200);
    app.settle().await;
    let first = async |query: &str| app.search("", query).await.0[0].clone();
    assert_eq!(first("sort=installs").await, "acme/tool07");
    assert_eq!(first("").await, "acme/tool07", "installs are the default without words");
    assert_eq!(first("sort=trending").await, "acme/tool07");
    assert_eq!(first("sort=rating").await, "acme/tool11");
    assert_eq!(first("sort=updated").await, "acme/tool24");
    assert_eq!(first("sort=name").await, "acme/tool00");
    for sort in ["installs", "trending", "rating", "updated", "name", "relevance"] {
        let mut paged = Vec::new();
        for offset in [0, 10, 20] {
            let (ids, total) = app.search("", &format!("q=tool&sort={sort}&limit=10&offset={offset}")).await;
            assert_eq!(total, 25);
            paged.extend(ids);
        }
        assert_eq!(paged, app.search("", &format!("q=tool&sort={sort}")).await.0, "{sort}");
        let unique: std::collections::BTreeSet<_> = paged.iter().collect();
        assert_eq!(unique.len(), 25, "{sort}");
    }
    // What was installed over a week ago does not trend.
    app.app.environment.advance_seconds(9 * 86_400);
    app.get("/api/v1/skills/acme/tool13/download").await.is(200);
    crate::jobs::leave_trend(&app.app).await.unwrap();
    app.settle().await;
    assert_eq!(first("sort=trending").await, "acme/tool13");
    assert_eq!(first("sort=installs").await, "acme/tool07");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_checked() {
    let app = TestApp::new().await;
    for query in [
        "limit=-1",
        "limit=201",
        "limit=x",
        "offset=-1",
        "offset=10001",
        "min_rating=6",
        "min_rating=NaN",
        "min_rating=x",
        "sort=random",
        "org=Acme",
        "org=../x",
        "q=".to_owned().leak(),
    ] {
        let answer = app.get(&format!("/api/v1/skills?{query}")).await;
        if query == "q=" {
            answer.is(200);
        } else {
            answer.fails(400, "invalid-parameter");
        }
    }
    let long = "x".repeat(257);
    app.get(&format!("/api/v1/skills?q={long}")).await.fails(400, "invalid-parameter");
    // Tags are as long as those that skills have.
    let emoji = "%F0%9F%98%80";
    for path in ["/api/v1/skills", "/api/v1/facets", "/search"] {
        let tags = |length: usize| format!("{path}?tags=email,{}", emoji.repeat(length));
        assert_eq!(app.get(&tags(64)).await.status, 200, "{path}");
        assert_eq!(app.get(&tags(65)).await.status, 400, "{path}");
    }
    let long = app.get(&format!("/api/v1/skills?tags=email,{}", emoji.repeat(65))).await;
    assert_eq!(long.fails(400, "invalid-parameter")["parameter"], "tags");
    assert_eq!(app.get("/api/v1/skills?limit=0").await.is(200), json!({ "total": 0, "skills": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_is_opened_again_and_rebuilt_when_it_is_gone() {
    let app = library().await;
    app.settle().await;
    let cursor = app.app.search.cursor();
    let app = app.crash_and_reopen().await;
    assert!(!app.app.search.is_building());
    assert_eq!(app.app.search.cursor(), cursor);
    assert_eq!(app.search("", "q=email").await.1, 4);
    let app =
        app.crash_and_reopen_after(|settings| fs_err::remove_dir_all(settings.index_folder()).unwrap()).await;
    assert_eq!(app.search("", "q=email").await.1, 4);
    // A damaged one is as good as none.
    let damage = |settings: &crate::settings::Settings| {
        fs_err::write(settings.index_folder().join("v2").join("meta.json"), "{").unwrap();
    };
    let app = app.crash_and_reopen_after(damage).await;
    assert_eq!(app.search("", "q=email").await.1, 4);
    assert_eq!(app.app.search.cursor(), cursor);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_database_see_each_other() {
    if !super::is_postgres() {
        // An embedded database has one server; this is about several.
        return;
    }
    let one = TestApp::new().await;
    let two = one.another().await;
    one.publish("acme/tool", "1.0.0").await;
    for server in [&one, &two] {
        server.get("/api/v1/skills/acme/tool").await.is(200);
        assert_eq!(server.get("/api/v1/orgs/acme").await.is(200)["skills"], 1);
    }
    two.post("/api/v1/skills/acme/tool/rate", ADMIN, json!({ "rating": 5 })).await.is(200);
    let user = one.user("anna", &["read", "publish"]).await;
    two.get_as(&user, "/api/v1/whoami").await.is(200);
    one.publish("acme/tool", "1.1.0").await;
    one.publish("acme/more", "1.0.0").await;
    // Nobody tells server two; it looks by itself.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let version = two.get("/api/v1/skills/acme/tool").await.is(200)["version"].clone();
        let found = two.search("", "q=tool&min_rating=5").await.1;
        let rating = one.get("/api/v1/skills/acme/tool").await.is(200)["rating"].clone();
        let skills = two.get("/api/v1/orgs/acme").await.is(200)["skills"].clone();
        if version == "1.1.0" && found == 1 && rating == 5.0 && skills == 2 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{version} {found} {rating} {skills}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_cannot_be_written_goes_on_when_it_can() {
    let app = TestApp::new().await;
    app.publish("acme/one", "1.0.0").await;
    assert_eq!(app.search("", "").await.1, 1);
    // The disk under the index fails: its folder is away for a while.
    let folder = app.app.settings.index_folder();
    let away = folder.with_extension("away");
    fs_err::rename(&folder, &away).unwrap();
    app.publish("acme/two", "1.0.0").await;
    assert!(crate::search::catch_up(&app.app).await.is_err());
    assert!(crate::search::catch_up(&app.app).await.is_err());
    fs_err::rename(&away, &folder).unwrap();
    assert_eq!(app.search("", "").await.1, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_index_is_joined_and_finds_the_same() {
    let app = TestApp::new().await;
    for number in 0..5 {
        app.publish(&format!("acme/tool{number}"), "1.0.0").await;
        assert_eq!(app.search("", "q=tool").await.1, number + 1);
    }
    let before = app.search("", "q=tool&sort=name").await;
    assert!(app.app.search.segments() > 1);
    assert!(crate::search::tidy(&app.app).await.unwrap());
    assert_eq!(app.app.search.segments(), 1);
    assert_eq!(app.search("", "q=tool&sort=name").await, before);
    assert!(!crate::search::tidy(&app.app).await.unwrap(), "there is nothing left to join");
    // The cursor is still there: a new start follows from it.
    let app = app.crash_and_reopen().await;
    assert!(!app.app.search.is_building());
    app.publish("acme/tool5", "1.0.0").await;
    assert_eq!(app.search("", "q=tool").await.1, 6);
}
