//! Lists without words, of which answers are kept: each is what would be found anew, for whoever asks.

use std::collections::BTreeSet;

use serde_json::json;

use super::pages::Browser;
use super::{ADMIN, TestApp, skill};

/// Pages that list skills.
const LISTS: [&str; 6] = ["/", "/search", "/search?sort=updated", "/trending", "/users/admin", "/acme"];

async fn publish(app: &TestApp, name: &str, tag: &str, visibility: &str) {
    let mut body = skill(&format!("acme/{name}"), "1.0.0");
    body["tags"] = json!([tag]);
    body["visibility"] = json!(visibility);
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
}

/// Whether a skill that is tagged with its name is listed: on every page, or on none.
async fn is_listed(browser: &mut Browser<'_>, name: &str) -> bool {
    let mut listed = vec![browser.page("/tags").await.contains(&format!("href=\"/tags/{name}\""))];
    for path in LISTS {
        listed.push(browser.page(path).await.contains(&format!("href=\"/acme/{name}\"")));
    }
    assert!(listed.iter().all(|one| *one == listed[0]), "{name}: {listed:?}");
    listed[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_in_all_lists_at_once() {
    let app = TestApp::new().await;
    publish(&app, "first", "first", "public").await;
    let mut stranger = Browser::new(&app);
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    for browser in [&mut stranger, &mut admin] {
        assert!(is_listed(browser, "first").await && !is_listed(browser, "second").await);
    }
    publish(&app, "second", "second", "public").await;
    for browser in [&mut stranger, &mut admin] {
        assert!(is_listed(browser, "first").await && is_listed(browser, "second").await);
    }
    let visibility = "/api/v1/skills/acme/second/visibility";
    app.put(visibility, ADMIN, json!({ "visibility": "private" })).await.is(204);
    assert!(is_listed(&mut admin, "second").await);
    assert!(!is_listed(&mut stranger, "second").await && is_listed(&mut stranger, "first").await);
    app.put(visibility, ADMIN, json!({ "visibility": "public" })).await.is(204);
    assert!(is_listed(&mut stranger, "second").await);
    let yank = "/api/v1/skills/acme/second/versions/1.0.0/yank";
    assert!(app.put(yank, ADMIN, json!({ "reason": "wrong" })).await.status.is_success());
    for browser in [&mut stranger, &mut admin] {
        assert!(!is_listed(browser, "second").await);
    }
    assert!(app.delete(yank, ADMIN).await.status.is_success());
    assert!(is_listed(&mut stranger, "second").await);
    // What is installed and rated changes the order, though nothing is published.
    assert_eq!(app.search("", "").await.0, ["acme/first", "acme/second"]);
    assert_eq!(app.search("", "sort=rating").await.0, ["acme/first", "acme/second"]);
    app.get("/api/v1/skills/acme/second/download").await.is(200);
    app.post("/api/v1/skills/acme/second/rate", ADMIN, json!({ "rating": 5 })).await.is(200);
    app.settle().await;
    for sort in ["installs", "trending", "rating"] {
        let found = app.search("", &format!("sort={sort}")).await;
        assert_eq!(found.0, ["acme/second", "acme/first"], "{sort}");
    }
    assert_eq!(app.search("", "min_rating=4.5").await, (vec!["acme/second".to_owned()], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_shown_what_was_kept_for_others() {
    let app = TestApp::new().await;
    for (name, visibility) in [("open", "public"), ("staff", "internal"), ("secret", "private")] {
        publish(&app, name, "shared", visibility).await;
    }
    let mia = app.user("mia", &["read"]).await;
    app.member("acme", "mia", "reader").await;
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "other" })).await.is(201);
    let otto = app.user("otto", &["read"]).await;
    app.member("other", "otto", "reader").await;
    let bound = app.token(json!({ "user": "mia", "scopes": ["read"], "namespaces": ["other"] })).await;
    let names = ["open", "staff", "secret"];
    let viewers = [("", 1), (otto.as_str(), 2), (mia.as_str(), 3), (ADMIN, 3), (bound.as_str(), 1)];
    // Nothing changes meanwhile, so that whoever comes finds what is kept for all before, whether they see less or more.
    for (token, seen) in viewers.iter().chain(viewers.iter().rev()) {
        for query in ["", "sort=updated", "tags=SHARED", "org=acme", "min_rating=0"] {
            let (ids, total) = app.search(token, query).await;
            let found: BTreeSet<_> = ids.into_iter().collect();
            let wanted: BTreeSet<_> = names[..*seen].iter().map(|name| format!("acme/{name}")).collect();
            assert_eq!((found, total), (wanted, *seen as u64), "{query}");
        }
        if *token == bound {
            continue;
        }
        let mut browser = match *token {
            "" => Browser::new(&app),
            token => Browser::signed_in(&app, token).await,
        };
        for (place, name) in names.iter().enumerate() {
            for path in LISTS {
                let page = browser.page(path).await;
                assert_eq!(page.contains(&format!("href=\"/acme/{name}\"")), place < *seen, "{path}: {page}");
            }
        }
        let tags = browser.page("/tags").await;
        assert!(tags.contains(&format!("shared <span class=\"dim\">{seen}</span>")), "{tags}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_all_skills_fit_together_however_far_one_goes() {
    const SKILLS: usize = 70;
    let app = TestApp::new().await;
    for number in 0..SKILLS {
        app.publish(&format!("acme/tool{number:02}"), "1.0.0").await;
    }
    for number in [3, 40, 69] {
        let skill = format!("/api/v1/skills/acme/tool{number:02}");
        app.get(&format!("{skill}/download")).await.is(200);
        app.post(&format!("{skill}/rate"), ADMIN, json!({ "rating": 5 })).await.is(200);
    }
    app.settle().await;
    for sort in ["installs", "trending", "rating", "updated", "name", "relevance"] {
        let mut paged = Vec::new();
        for offset in (0..SKILLS).step_by(7) {
            let (ids, total) = app.search("", &format!("sort={sort}&limit=7&offset={offset}")).await;
            assert_eq!((ids.len(), total), (7, SKILLS as u64), "{sort} from {offset} on");
            paged.extend(ids);
        }
        assert_eq!(paged.iter().collect::<BTreeSet<_>>().len(), SKILLS, "{sort}: {paged:?}");
        assert_eq!(app.search("", &format!("sort={sort}&limit=200")).await, (paged, SKILLS as u64), "{sort}");
        for behind in ["limit=0", "offset=70", "offset=10000"] {
            let found = app.search("", &format!("sort={sort}&{behind}")).await;
            assert_eq!(found, (Vec::new(), SKILLS as u64), "{sort} {behind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_the_same_at_the_same_time_gets_the_same() {
    let app = TestApp::new().await;
    for round in 1..=5_u64 {
        app.publish(&format!("acme/tool{round}"), "1.0.0").await;
        let asked = (0..16).map(|number| app.search("", if number % 2 == 0 { "" } else { "sort=name" }));
        for (ids, total) in futures_util::future::join_all(asked).await {
            assert_eq!((ids.len() as u64, total), (round, round));
        }
    }
}
