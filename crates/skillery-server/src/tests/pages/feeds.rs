//! Feeds, badges, and what programs read that look at all of a site.

use axum::http::Method;
use roxmltree::{Document, Node};
use serde_json::json;

use super::super::{ADMIN, TestApp, skill};
use super::{Browser, text};

/// Texts of all elements of this name, in their order.
fn texts<'xml>(document: &'xml Document<'_>, name: &str) -> Vec<&'xml str> {
    let named = document.descendants().filter(|node| node.has_tag_name_any(name));
    named.map(|node| node.text().unwrap_or_default()).collect()
}

trait Named {
    fn has_tag_name_any(&self, name: &str) -> bool;
}

impl Named for Node<'_, '_> {
    /// Whether it is called so, in whatever name space.
    fn has_tag_name_any(&self, name: &str) -> bool {
        self.tag_name().name() == name
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_tells_what_is_new() {
    let app = TestApp::new().await;
    let mut hostile = skill("acme/tool", "1.0.0");
    hostile["description"] = json!("]]></summary><script>alert(1)</script> & \"more\"");
    app.post("/api/v1/skills", ADMIN, hostile.clone()).await.is(201);
    app.app.environment.advance_seconds(60);
    hostile["version"] = json!("2.0.0");
    app.post("/api/v1/skills", ADMIN, hostile.clone()).await.is(201);
    app.app.environment.advance_seconds(60);
    // A backport is newer and lower.
    hostile["version"] = json!("1.1.0");
    hostile["code"] = json!("def tool(text):\n    return None\n");
    hostile.as_object_mut().unwrap().remove("code_hash");
    app.post("/api/v1/skills", ADMIN, hostile).await.is(201);
    app.app.environment.advance_seconds(60);
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN, json!({ "reason": "leaks <mail>" }))
        .await
        .is(200);
    let mut browser = Browser::new(&app);
    let answer = browser.get("/acme/tool/feed").await;
    assert_eq!(answer.headers["content-type"], "application/atom+xml; charset=utf-8");
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    let body = text(&answer);
    let feed = Document::parse(&body).unwrap();
    let titles = texts(&feed, "title");
    assert_eq!(titles, ["acme/tool", "acme/tool 1.1.0", "acme/tool 2.0.0", "acme/tool 1.0.0 (yanked)"]);
    let summaries = texts(&feed, "summary");
    let hostile = "]]></summary><script>alert(1)</script> & \"more\"";
    // The description is that of the newest version alone.
    assert_eq!(summaries, [hostile, "Yanked: leaks <mail>"]);
    // Readers show anew what is of a later time: that it is yanked.
    let (published, updated) = (texts(&feed, "published"), texts(&feed, "updated"));
    assert_eq!((published[0], published[1]), (updated[1], updated[2]));
    assert!(published[2] < published[1] && updated[3] > updated[1], "{published:?} {updated:?}");
    assert_eq!(updated[0], updated[3]);
    let ids = texts(&feed, "id");
    assert_eq!(
        ids[..2],
        ["http://127.0.0.1:8700/acme/tool/feed", "http://127.0.0.1:8700/acme/tool/versions/1.1.0"]
    );
    // Who has it is told so.
    let tag = answer.headers["etag"].to_str().unwrap().to_owned();
    let again = app.send(browser.request_with("/acme/tool/feed", "if-none-match", &tag)).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let page = browser.page("/acme/tool").await;
    assert!(
        page.contains("type=\"application/atom+xml\" title=\"acme/tool\" href=\"/acme/tool/feed\""),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_tell_what_changed() {
    let app = TestApp::new().await;
    for (version, changelog) in [("1.0.0", "The first one."), ("1.1.0", "Mends <it> & \"more\".")] {
        app.publish("acme/tool", version).await;
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/changelog");
        app.put(&path, ADMIN, json!({ "changelog": changelog })).await.is(200);
        app.app.environment.advance_seconds(60);
    }
    app.publish("acme/other", "1.0.0").await;
    app.settle().await;
    let mut browser = Browser::new(&app);
    let description = skill("acme/other", "1.0.0")["description"].as_str().unwrap().to_owned();
    let newest = "Mends <it> & \"more\".";
    for (path, told) in [
        ("/acme/tool/feed", [newest, "The first one."]),
        // A skill of which nobody has said it is told by what it is for.
        ("/acme/feed", [description.as_str(), newest]),
        ("/search/feed", [description.as_str(), newest]),
    ] {
        let body = text(&browser.get(path).await);
        let feed = Document::parse(&body).unwrap();
        assert_eq!(texts(&feed, "summary"), told, "{path}");
    }
    // The feed of a namespace has all of it, whatever else stands in the address.
    let body = text(
        &browser
            .get("/acme/feed?q=zzz&publisher=nobody&tags=zzz&min_rating=5&sort=name&limit=all&offset=x")
            .await,
    );
    assert_eq!(texts(&Document::parse(&body).unwrap(), "summary"), [description.as_str(), newest]);
    // Why it was yanked is more to the point.
    app.put("/api/v1/skills/acme/tool/versions/1.1.0/yank", ADMIN, json!({ "reason": "it leaks" }))
        .await
        .is(200);
    let body = text(&browser.get("/acme/tool/feed").await);
    let feed = Document::parse(&body).unwrap();
    assert_eq!(texts(&feed, "summary"), ["Yanked: it leaks", "The first one."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_of_namespaces_and_searches_show_what_the_viewer_sees() {
    let app = TestApp::new().await;
    app.publish("acme/email/tool", "1.0.0").await;
    app.app.environment.advance_seconds(60);
    app.publish("acme/other", "1.0.0").await;
    let mut secret = skill("acme/email/secret", "1.0.0");
    secret["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, secret).await.is(201);
    app.publish("zoo/third", "1.0.0").await;
    app.settle().await;
    let mut browser = Browser::new(&app);
    let titles = async |browser: &mut Browser<'_>, path: &str| {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", text(&answer));
        let body = text(&answer);
        let feed = Document::parse(&body).unwrap();
        texts(&feed, "title").into_iter().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(titles(&mut browser, "/acme/feed").await, ["acme/other 1.0.0", "acme/email/tool 1.0.0"]);
    assert_eq!(titles(&mut browser, "/acme/email/feed").await, ["acme/email/tool 1.0.0"]);
    assert_eq!(titles(&mut browser, "/search/feed?q=third").await, ["zoo/third 1.0.0"]);
    assert_eq!(browser.get("/nobody/feed").await.status, 404);
    let secret = browser.get("/acme/email/secret/feed").await;
    assert!(secret.status == 404 && text(&secret).contains("there is no such skill"), "{}", text(&secret));
    assert_eq!(browser.get("/search/feed?sort=nonsense").await.status, 400);
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    let answer = admin.get("/acme/email/secret/feed").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["cache-control"]),
        (200, &"private, no-cache".parse().unwrap())
    );
    assert_eq!(titles(&mut admin, "/acme/email/feed").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_of_a_search_is_not_that_of_a_page() {
    let app = TestApp::new().await;
    for name in ["one", "two", "three"] {
        app.publish(&format!("acme/{name}"), "1.0.0").await;
    }
    let mut browser = Browser::new(&app);
    let page = browser.page("/search?org=acme&limit=1&offset=1&notice=saved").await;
    assert!(page.contains("href=\"/search/feed?org=acme\""), "{page}");
    assert!(page.contains("rel=\"next\" href=\"/search?org=acme&#38;offset=2&#38;limit=1\""), "{page}");
    assert!(page.contains("rel=\"prev\" href=\"/search?org=acme&#38;limit=1\""), "{page}");
    for more in ["", "&offset=2", "&limit=0", "&limit=1&notice=saved"] {
        let body = text(&browser.get(&format!("/search/feed?org=acme{more}")).await);
        let feed = Document::parse(&body).unwrap();
        assert_eq!(texts(&feed, "published").len(), 3, "{more}");
        assert_eq!(texts(&feed, "id")[0], "http://127.0.0.1:8700/search/feed?org=acme", "{more}");
    }
    // What depends on who is signed in says so.
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    for path in ["/search/feed?org=acme", "/search/suggest?q=on"] {
        let answer = admin.get(path).await;
        assert_eq!(
            (&answer.headers["cache-control"], &answer.headers["vary"]),
            (&"private, no-cache".parse().unwrap(), &"cookie".parse().unwrap()),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_of_a_publisher_has_no_skills_of_others() {
    let app = TestApp::new().await;
    app.publish("acme/others", "1.0.0").await;
    let ada = app.publisher("ada").await;
    app.post("/api/v1/skills", &ada, skill("acme/hers", "1.0.0")).await.is(201);
    let mut secret = skill("acme/secret", "1.0.0");
    secret["visibility"] = json!("private");
    app.post("/api/v1/skills", &ada, secret).await.is(201);
    let titles = async |browser: &mut Browser<'_>, name: &str| {
        let body = text(&browser.get(&format!("/search/feed?publisher={name}")).await);
        let feed = Document::parse(&body).unwrap();
        let id = format!("http://127.0.0.1:8700/search/feed?publisher={name}");
        assert_eq!(texts(&feed, "id")[0], id, "{body}");
        texts(&feed, "title").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut browser = Browser::new(&app);
    assert_eq!(titles(&mut browser, "ada").await, ["Skills published by ada", "acme/hers 1.0.0"]);
    let body = text(&browser.get("/search/feed?publisher=%20").await);
    assert_eq!(texts(&Document::parse(&body).unwrap(), "title")[0], "Skills", "{body}");
    assert_eq!(titles(&mut browser, "nobody").await, ["Skills published by nobody"]);
    assert_eq!(titles(&mut Browser::signed_in(&app, &ada).await, "ada").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn badges_are_pictures_of_facts() {
    let app = TestApp::new().await;
    let mut body = skill("acme/tool", "1.0.0");
    body["license"] = json!("<script>alert(1)</script> and a licence with a very long name");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let mut browser = Browser::new(&app);
    let shown = async |browser: &mut Browser<'_>, kind: &str| {
        let answer = browser.get(&format!("/acme/tool/badge/{kind}")).await;
        assert_eq!(answer.status, 200, "{kind}");
        assert_eq!(answer.headers["content-type"], "image/svg+xml");
        assert!(
            answer.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'")
        );
        let body = text(&answer);
        let picture = Document::parse(&body).unwrap();
        assert!(picture.descendants().all(|node| !node.has_tag_name_any("script")), "{body}");
        texts(&picture, "title")[0].to_owned()
    };
    assert_eq!(shown(&mut browser, "version.svg").await, "skill: v1.0.0");
    assert_eq!(shown(&mut browser, "rating.svg").await, "rating: none yet");
    assert_eq!(shown(&mut browser, "installs.svg").await, "installs: 0");
    assert_eq!(
        shown(&mut browser, "license.svg").await,
        "license: <script>alert(1)</script> and a licence …"
    );
    app.post("/api/v1/skills/acme/tool/rate", ADMIN, json!({ "rating": 4.5 })).await.is(200);
    app.get("/api/v1/skills/acme/tool/download").await.is(200);
    app.settle().await;
    assert_eq!(shown(&mut browser, "rating.svg").await, "rating: 4.5/5 (1)");
    assert_eq!(shown(&mut browser, "installs.svg").await, "installs: 1");
    let missing = browser.get("/acme/tool/badge/weather.svg").await;
    assert_eq!(missing.status, 404);
    assert!(text(&missing).contains("version.svg"), "{}", text(&missing));
    assert_eq!(browser.get("/acme/nothing/badge/version.svg").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_find_what_is_public_and_nothing_else() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut secret = skill("acme/secret", "1.0.0");
    secret["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, secret).await.is(201);
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    let answer = admin.get("/sitemap.xml").await;
    assert_eq!(answer.headers["content-type"], "application/xml; charset=utf-8");
    let body = text(&answer);
    let map = Document::parse(&body).unwrap();
    assert_eq!(texts(&map, "loc"), ["http://127.0.0.1:8700/", "http://127.0.0.1:8700/acme/tool"]);
    assert_eq!(texts(&map, "lastmod").len(), 1);
    assert_eq!(admin.get("/sitemap.xml?page=1").await.status, 400);
    let robots = text(&admin.get("/robots.txt").await);
    assert!(
        robots.contains("Disallow: /search\n")
            && robots.contains("Disallow: /*/usage?\n")
            && robots.contains("Sitemap: http://127.0.0.1:8700/sitemap.xml")
    );
    let llms = text(&admin.get("/llms.txt").await);
    assert!(llms.starts_with("# Skillery\n\n> ") && llms.contains("http://127.0.0.1:8700/mcp"), "{llms}");
    // The addresses that it names are there.
    for path in [
        "/api/v1/skills?q=pdf",
        "/search?q=pdf",
        "/search/feed?sort=updated",
        "/docs",
        "/openapi.json",
        "/docs/errors",
    ] {
        assert!(llms.contains(&format!("(http://127.0.0.1:8700{path})")), "{path}: {llms}");
        assert_eq!(app.call(Method::GET, path, "", None).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_skills_are_in_several_maps() {
    let app = TestApp::new().await;
    app.publish("acme/first", "1.0.0").await;
    app.publish("acme/last", "1.0.0").await;
    app.tamper("UPDATE skills SET number = 2500 WHERE key = 'acme/last'".to_owned()).await;
    let mut browser = Browser::new(&app);
    let index = text(&browser.get("/sitemap.xml").await);
    let index = Document::parse(&index).unwrap();
    let maps = texts(&index, "loc");
    assert_eq!(maps.len(), 3, "{maps:?}");
    let mut found = Vec::new();
    for map in maps {
        let body = text(&browser.get(map.strip_prefix("http://127.0.0.1:8700").unwrap()).await);
        let map = Document::parse(&body).unwrap();
        found.extend(texts(&map, "loc").into_iter().map(str::to_owned));
    }
    let base = "http://127.0.0.1:8700";
    assert_eq!(found, [format!("{base}/"), format!("{base}/acme/first"), format!("{base}/acme/last")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_is_not_sent_again_to_who_has_it() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    for path in ["/sitemap.xml", "/sitemap.xml?page=0"] {
        let first = Browser::new(&app).get(path).await;
        assert_eq!(first.status, 200);
        assert_eq!(first.headers["cache-control"], "public, max-age=3600");
        let tag = first.headers["etag"].to_str().unwrap().to_owned();
        let ask = || Browser::new(&app).request_with(path, "if-none-match", &tag);
        let again = app.send(ask()).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path}");
        app.publish(&format!("acme/tool-{}", path.len()), "1.0.0").await;
        let changed = app.send(ask()).await;
        assert!(changed.status == 200 && changed.headers["etag"] != *tag, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_not_open_tells_programs_nothing() {
    let app = TestApp::with(|settings| settings.anonymous_reads = false).await;
    app.publish("acme/tool", "1.0.0").await;
    let get = async |path: &str| {
        let answer = app.get(path).await;
        (answer.status.as_u16(), text(&answer))
    };
    assert_eq!(get("/robots.txt").await, (200, "User-agent: *\nDisallow: /\n".to_owned()));
    let (status, map) = get("/sitemap.xml").await;
    assert!(status == 200 && !map.contains("<url>"), "{map}");
    assert!(get("/llms.txt").await.1.contains("Reading needs a token"));
    assert_eq!(get("/acme/tool/feed").await.0, 401);
    assert_eq!(get("/acme/tool/badge/version.svg").await.0, 401);
}
