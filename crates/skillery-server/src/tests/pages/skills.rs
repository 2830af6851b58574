//! Finding and looking at skills.

use serde_json::json;
use skillery_core::Digest;

use super::super::folders::{asked, file};
use super::super::{ADMIN, TestApp, skill};
use super::{Browser, text};

#[tokio::test(flavor = "multi_thread")]
async fn skills_are_found_and_shown() {
    let app = TestApp::new().await;
    let mut browser = Browser::new(&app);
    assert!(browser.page("/").await.contains("There are no skills here yet"));
    app.publish("acme/email_validator", "1.0.0").await;
    app.post("/api/v1/skills/acme/email_validator/rate", ADMIN, json!({ "rating": 4.5, "review": "Good" }))
        .await
        .is(200);
    let home = browser.page("/").await;
    assert!(home.contains("href=\"/acme/email_validator\"") && home.contains("All 1 skill<"), "{home}");
    let found = browser.page("/search?q=validator&tags=email").await;
    assert!(
        found.contains("Skills for “validator”") && found.contains("href=\"/acme/email_validator\""),
        "{found}"
    );
    let nothing = browser.page("/search?q=nothing&tags=email").await;
    assert!(nothing.contains("Nothing was found") && nothing.contains("Search without filters"), "{nothing}");
    let suggested = browser.get("/search/suggest?q=val").await.is(200);
    assert_eq!(suggested[0]["href"], "/acme/email_validator");
    let page = browser.page("/acme/email_validator").await;
    for part in [
        "skillery install acme/email_validator",
        "npx skills add",
        "4.5 of 5",
        "MIT",
        "Checks email_validator of texts",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // However it is spelled, and with what a path may end in.
    assert!(browser.page("/acme/email-validator").await.contains("skillery install acme/email_validator"));
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_public_pages_are_shown_with_a_picture() {
    let app = TestApp::with(|settings| {
        settings.public_url = Some("https://skills.example.org".parse().unwrap());
    })
    .await;
    app.publish("acme/tool", "1.0.0").await;
    let mut browser = Browser::new(&app);
    for path in ["/", "/acme", "/acme/tool"] {
        let page = browser.page(path).await;
        let (_, rest) = page.split_once("<meta property=\"og:image\" content=\"").unwrap();
        let address = rest.split_once('"').unwrap().0;
        // Whoever shows a link is elsewhere, so that the address has to be a whole one.
        let picture = browser.get(address.strip_prefix("https://skills.example.org").unwrap()).await;
        assert_eq!(
            (picture.status.as_u16(), &picture.headers["content-type"]),
            (200, &"image/png".parse().unwrap())
        );
        let size = |at: usize| u32::from_be_bytes(picture.body[at..at + 4].try_into().unwrap()).to_string();
        assert!(picture.body.starts_with(b"\x89PNG\r\n\x1a\n"), "{path}");
        for (name, told) in [
            ("og:image:type", "image/png"),
            ("og:image:width", size(16).as_str()),
            ("og:image:height", size(20).as_str()),
            ("og:image:alt", "The mark of Skillery"),
        ] {
            let tag = format!("<meta property=\"{name}\" content=\"{told}\">");
            assert!(page.contains(&tag), "{path}: {tag}: {page}");
        }
        assert!(page.contains("<meta name=\"twitter:card\" content=\"summary\">"), "{path}: {page}");
    }
    // What others may not show has none.
    assert!(!browser.page("/search").await.contains("og:image"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_keeps_its_filters_from_page_to_page() {
    let app = TestApp::new().await;
    for number in 0..23 {
        app.publish(&format!("acme/tool-{number:02}"), "1.0.0").await;
    }
    let mut browser = Browser::new(&app);
    let first = browser.page("/search?q=texts&tags=email&org=acme&sort=name").await;
    assert!(first.contains("23 skills, 1 to 20 shown") && !first.contains("rel=\"prev\""), "{first}");
    let (_, rest) = first.split_once("rel=\"next\" href=\"").unwrap();
    let next = rest.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&");
    let second = browser.page(&next).await;
    assert!(second.contains("23 skills, 21 to 23 shown") && second.contains("rel=\"prev\""), "{second}");
    assert!(second.contains("acme/tool-22") && !second.contains("acme/tool-19"));
    let answer = browser.get("/search?sort=nonsense").await;
    assert_eq!(answer.status, 400);
    assert!(text(&answer).contains("<code>nonsense</code> is none of"), "{}", text(&answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_can_be_for_the_skills_of_one_publisher() {
    let app = TestApp::new().await;
    app.publish("acme/others", "1.0.0").await;
    let (ada, zelda) = (app.publisher("ada").await, app.publisher("zelda").await);
    for number in 0..23 {
        app.post("/api/v1/skills", &ada, skill(&format!("acme/hers-{number:02}"), "1.0.0")).await.is(201);
    }
    for (token, id) in [(&ada, "acme/secret"), (&zelda, "acme/hush")] {
        let mut body = skill(id, "1.0.0");
        body["visibility"] = json!("private");
        app.post("/api/v1/skills", token, body).await.is(201);
    }
    let mut browser = Browser::new(&app);
    let page = browser.page("/search?q=texts&publisher=ada&sort=name").await;
    for part in [
        "23 skills, 1 to 20 shown",
        "name=\"publisher\" value=\"ada\"",
        // It can be taken away, and all other links keep it.
        "href=\"/search?q=texts&#38;sort=name\">published by ada <",
        "rel=\"next\" href=\"/search?q=texts&#38;publisher=ada&#38;sort=name&#38;offset=20\"",
        "href=\"/search?q=texts&#38;org=acme&#38;publisher=ada&#38;sort=name\">acme</a> <span class=\"dim\">23</span>",
        "href=\"/search?q=texts&#38;tags=email&#38;publisher=ada&#38;sort=name\">email <span class=\"dim\">23</span>",
        "href=\"/search/feed?q=texts&#38;publisher=ada&#38;sort=name\">Feed of this search",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("acme/others") && !page.contains("acme/secret"), "{page}");
    let narrow = browser.page("/search?publisher=ada&org=acme&tags=email&min_rating=0").await;
    for part in [
        "href=\"/search?tags=email&#38;publisher=ada&#38;min_rating=0\">in acme <",
        "href=\"/search?tags=email&#38;org=acme&#38;min_rating=0\">published by ada <",
        "href=\"/search?org=acme&#38;publisher=ada&#38;min_rating=0\">email <",
        "href=\"/search?tags=email&#38;org=acme&#38;publisher=ada\">0 stars or more <",
    ] {
        assert!(narrow.contains(part), "{part}: {narrow}");
    }
    let second = browser.page("/search?q=texts&publisher=ada&sort=name&offset=20").await;
    assert!(second.contains("23 skills, 21 to 23 shown") && second.contains("acme/hers-22"), "{second}");
    assert!(browser.page("/search?publisher=%20").await.contains("24 skills, 1 to 20 shown"));
    let others = browser.page("/search?publisher=%20admin+").await;
    assert!(others.contains(">1 skill<") && others.contains("href=\"/acme/others\""), "{others}");
    // Each finds what is hidden from others, and of whom there is nothing to see is like nobody.
    let hers = Browser::signed_in(&app, &ada).await.page("/search?publisher=ada&q=secret").await;
    assert!(hers.contains(">1 skill<") && hers.contains("href=\"/acme/secret\""), "{hers}");
    let hidden = browser.page("/search?publisher=zelda").await;
    for part in ["Nothing was found", "published by zelda <", "Search without filters"] {
        assert!(hidden.contains(part), "{part}: {hidden}");
    }
    assert_eq!(hidden.replace("zelda", "zeldo"), browser.page("/search?publisher=zeldo").await);
    for (name, status) in [("%22".repeat(64), 200), ("..%2Fx".to_owned(), 200), ("a".repeat(65), 400)] {
        assert_eq!(browser.get(&format!("/search?publisher={name}")).await.status, status, "{name}");
        assert_eq!(app.get(&format!("/api/v1/skills?publisher={name}")).await.status, status, "{name}");
    }
    let suggested = browser.get("/search/suggest?q=texts&publisher=admin").await.is(200);
    let ids: Vec<_> = suggested.as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, ["acme/others"]);
    // The page of an author leads there.
    let author = browser.page("/users/ada").await;
    let links =
        "<a href=\"/search?publisher=ada\">Search here</a> · <a href=\"/search/feed?publisher=ada\">Feed</a>";
    assert!(author.contains(links), "{author}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_goes_no_further_says_so() {
    const END: &str = "The list ends here, though there is more.";
    let app = TestApp::with(|settings| settings.limits.page_offset = 4).await;
    for number in 0..7 {
        app.publish(&format!("acme/tool-{number}"), "1.0.0").await;
        let rater = app.user(&format!("rater-{number}"), &["read", "rate"]).await;
        let rating = json!({ "rating": 4, "review": "Good" });
        app.post("/api/v1/skills/acme/tool-0/rate", &rater, rating).await.is(200);
    }
    let mut browser = Browser::new(&app);
    for list in ["/search", "/users/admin", "/acme", "/tags/email", "/acme/tool-0/ratings"] {
        for (limit, offset, goes_on, is_cut) in [
            (3, 0, true, false),
            (2, 2, true, false),
            (3, 3, false, true),
            (2, 4, false, true),
            (3, 4, false, false),
        ] {
            let path = format!("{list}?limit={limit}&offset={offset}");
            let page = browser.page(&path).await;
            let told = (page.contains("rel=\"next\""), page.contains(END));
            assert_eq!(told, (goes_on, is_cut), "{path}: {page}");
        }
        assert_eq!(browser.get(&format!("{list}?offset=5")).await.status, 400, "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_are_for_all_are_told_of_elsewhere() {
    let app = TestApp::new().await;
    app.publish("acme/audit/tool", "1.0.0").await;
    let mut stranger = Browser::new(&app);
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    for path in ["/", "/tags", "/trending", "/acme", "/acme/audit", "/tags/email"] {
        let page = stranger.page(path).await;
        assert!(page.contains("og:title") && page.contains("name=\"description\""), "{path}: {page}");
        assert!(!page.contains("noindex"), "{path}");
        assert!(admin.page(path).await.contains("noindex"), "{path}");
    }
    assert!(stranger.page("/search").await.contains("noindex"));
    // Names that pages have as well.
    for path in ["/acme/audit", "/acme/audit/tool"] {
        assert!(admin.page(path).await.contains("href=\"/orgs/acme/audit/\""), "{path}");
    }
    assert!(
        admin.page("/orgs/acme/audit/deep/members").await.contains("href=\"/orgs/acme/audit/\">acme/audit")
    );
    // A tag is one, however it is typed.
    let page = stranger.page("/search?tags=EMAIL,email").await;
    assert!(page.contains("href=\"/search\" aria-current=\"true\">email"), "{page}");
    assert_eq!(page.matches(">remove</span>").count(), 1, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_a_skill_gets_the_page_of_one_that_is_not_there() {
    let app = TestApp::new().await;
    let mut body = skill("acme/secret", "1.0.0");
    body["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let stranger = app.user("sam", &["read"]).await;
    let mut browser = Browser::signed_in(&app, &stranger).await;
    let hidden = browser.get("/acme/secret").await;
    let nowhere = browser.get("/acme/nowher").await;
    assert_eq!((hidden.status, nowhere.status), (nowhere.status, 404.try_into().unwrap()));
    assert_eq!(text(&hidden).replace("secret", "nowher"), text(&nowhere));
    assert!(!browser.page("/search?q=secret").await.contains("href=\"/acme/secret\""));
    assert!(!browser.page("/").await.contains("acme/secret"));
    assert_eq!(browser.get("/search/suggest?q=sec").await.is(200), json!([]));
    assert!(Browser::signed_in(&app, ADMIN).await.page("/acme/secret").await.contains(">private<"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_write_stays_text() {
    let app = TestApp::new().await;
    let evil = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}";
    let mut body = skill("acme/tool", "1.0.0");
    body["description"] = json!(evil);
    body["author"] = json!(evil);
    body["license"] = json!(evil);
    body["tags"] = json!(["<b>tag</b>"]);
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let encoded: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in [
        "/".to_owned(),
        "/acme/tool".to_owned(),
        format!("/search?q={encoded}"),
        "/search?q=tool".to_owned(),
        format!("/search?tags={encoded}"),
        format!("/nothing/{}", "x".repeat(30)),
        format!("/?notice={encoded}"),
        format!("/login?code={encoded}&next={encoded}"),
    ] {
        let answer = browser.get(&path).await;
        let page = text(&answer).to_lowercase();
        assert!(
            !page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains("<b>tag"),
            "{path}: {page}"
        );
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(
            !page.contains(" style=") && !page.contains("<style") && !page.contains("javascript:"),
            "{path}"
        );
        assert!(answer.body.len() < 100_000, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_their_files_are_shown() {
    let app = TestApp::new().await;
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1"] {
        let mut body = skill("acme/tool", version);
        let code = "def tool():\n    return '<script>alert(1)</script>'\n";
        body["code"] = json!(code);
        body["code_hash"] = json!(Digest::of(code.as_bytes()).to_string());
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN, json!({ "reason": "it is <b>wrong</b>" }))
        .await
        .is(200);
    let mut browser = Browser::new(&app);
    let list = browser.page("/acme/tool/versions").await;
    let places: Vec<_> = ["2.0.0-rc.1", "1.1.0", "1.0.0"]
        .iter()
        .map(|version| list.find(&format!("/versions/{version}\"")))
        .collect();
    assert!(places.is_sorted() && places[0].is_some(), "{list}");
    assert!(list.contains(">yanked<") && list.contains("it is &#60;b&#62;wrong"), "{list}");
    let second = browser.page("/acme/tool/versions?limit=2&offset=2").await;
    assert!(
        second.contains("/versions/1.0.0\"")
            && !second.contains("/versions/1.1.0\"")
            && second.contains("rel=\"prev\"")
    );
    let yanked = browser.page("/acme/tool/versions/1.0.0").await;
    assert!(
        yanked.contains("1.0.0 was yanked: it is &#60;b&#62;wrong")
            && yanked.contains("skillery install acme/tool@1.0.0"),
        "{yanked}"
    );
    let file = browser.page("/acme/tool/versions/1.1.0/files/scripts/tool.py").await;
    assert!(
        file.contains("id=\"L2\"")
            && file.contains("&lt;script&gt;alert(1)")
            && !file.contains("<script>alert"),
        "{file}"
    );
    let raw = browser.get("/acme/tool/versions/1.1.0/raw/scripts/tool.py").await;
    assert_eq!(raw.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(raw.headers["content-security-policy"], "default-src 'none'; sandbox");
    assert!(text(&raw).starts_with("def tool():"));
    for nowhere in [
        "/acme/tool/versions/9.9.9",
        "/acme/tool/versions/1.1.0/files/nothing",
        "/acme/tool/versions/1.1.0/files/../../x",
        "/acme/tool/versions/1.1.0/raw/..%2F..%2Fx",
        "/acme/tool/versions/x",
        "/acme/tool/versions/1.1.0/files/%00",
    ] {
        assert_eq!(browser.get(nowhere).await.status, 404, "{nowhere}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_quarantined_is_told_of_and_not_shown() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/quarantine", ADMIN, json!({ "reason": "steals" }))
        .await
        .is(200);
    let mut browser = Browser::new(&app);
    let page = browser.page("/acme/tool").await;
    assert!(page.contains("1.0.0 is quarantined: steals") && !page.contains("skillery install"), "{page}");
    for path in ["files/SKILL.md", "raw/SKILL.md"] {
        assert_eq!(browser.get(&format!("/acme/tool/versions/1.0.0/{path}")).await.status, 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn skills_are_rated_on_their_page() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut browser = Browser::new(&app);
    assert!(browser.page("/acme/tool/ratings").await.contains("Nobody has rated it yet"));
    // Who is not signed in is asked to, and a program told so.
    assert_eq!(
        browser
            .post_from("same-origin", "/acme/tool/ratings", &[("action", "rate"), ("rating", "5")])
            .await
            .status,
        401
    );
    let ada = app.user("ada", &["read", "rate"]).await;
    let mut browser = Browser::signed_in(&app, &ada).await;
    let answer = browser
        .post(
            "/acme/tool/ratings",
            &[("action", "rate"), ("rating", "4"), ("review", "Good.\r\n\r\nBut <b>slow</b>")],
        )
        .await;
    assert_eq!(answer.headers["location"], "/acme/tool/ratings?notice=rated");
    let page = browser.page("/acme/tool/ratings?notice=rated").await;
    for part in [
        "Your rating is counted.",
        "<p>Good.</p>",
        "But &#60;b&#62;slow",
        "value=\"4\" required checked",
        "Take it back",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // One bar for each number of stars: the only rating has four.
    let bars = ["5 ★</th>", "4 ★</th>", "3 ★</th>", "2 ★</th>", "1 ★</th>"].map(|stars| {
        let (_, row) = page.split_once(stars).unwrap_or_else(|| panic!("{stars}: {page}"));
        let (row, _) = row.split_once("</tr>").unwrap();
        (row.contains("value=\"100\""), row.contains("<td class=\"number\">1</td>"))
    });
    assert_eq!(bars.map(|(is_full, is_one)| is_full && is_one), [false, true, false, false, false], "{page}");
    let told = app.get("/api/v1/skills/acme/tool/ratings").await.is(200);
    assert_eq!(
        (&told["average"], &told["reviews"][0]["text"]),
        (&json!(4.0), &json!("Good.\n\nBut <b>slow</b>"))
    );
    for wrong in ["", "6", "x", "NaN"] {
        assert_eq!(
            browser.post("/acme/tool/ratings", &[("action", "rate"), ("rating", wrong)]).await.status,
            422,
            "{wrong}"
        );
    }
    assert_eq!(browser.post("/acme/tool/ratings", &[("action", "remove")]).await.status, 303);
    assert_eq!(app.get("/api/v1/skills/acme/tool/ratings").await.is(200)["count"], 0);
    // A token that may only read signs in somebody who may only look.
    let eve = app.user("eve", &["read"]).await;
    let mut browser = Browser::signed_in(&app, &eve).await;
    assert!(browser.page("/acme/tool/ratings").await.contains("may not rate"));
    assert_eq!(browser.post("/acme/tool/ratings", &[("action", "rate"), ("rating", "5")]).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_rating_is_known_on_every_page() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let ada = app.user("ada", &["read", "rate"]).await;
    let mut browser = Browser::signed_in(&app, &ada).await;
    browser.post("/acme/tool/ratings", &[("action", "rate"), ("rating", "2"), ("review", "Mine")]).await;
    app.app.environment.advance_seconds(1);
    for number in 0..3 {
        let other = app.user(&format!("other-{number}"), &["read", "rate"]).await;
        app.post("/api/v1/skills/acme/tool/rate", &other, json!({ "rating": 5 })).await.is(200);
    }
    let page = browser.page("/acme/tool/ratings?limit=1").await;
    assert!(!page.contains("<p>Mine</p>"), "{page}");
    for part in ["value=\"2\" required checked", ">\nMine</textarea>", "Take it back"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_is_shown_while_the_store_of_contents_is_away() {
    let app = TestApp::new().await;
    let manual = "---\nname: tool\ndescription: Fills in forms.\n---\n\nAsk for the quartzite first.\n";
    app.send_folder(ADMIN, &asked("acme/tool", "1.0.0"), vec![file("SKILL.md", manual)]).await.is(201);
    // A file where the folder of all contents is: nothing below it can be opened.
    let folder = app.app.settings.blob_folder().join("sha256");
    let aside = app.app.settings.blob_folder().join("aside");
    fs_err::rename(&folder, &aside).unwrap();
    fs_err::write(&folder, "").unwrap();
    app.get("/api/v1/skills/acme/tool/versions/1.0.0/findings").await.fails(503, "storage-unavailable");
    let mut browser = Browser::new(&app);
    for path in ["/acme/tool", "/acme/tool/versions/1.0.0"] {
        let page = browser.page(path).await;
        for part in [
            "The files of 1.0.0 cannot be read at the moment",
            "The instructions cannot be read at the moment.",
            "<dt>Health</dt><dd>not known now</dd>",
            "<dt>Findings</dt><dd>not known now</dd>",
            "Fills in forms.",
            "skillery install acme/tool",
            "href=\"/acme/tool/versions/1.0.0/files/SKILL.md\"",
        ] {
            assert!(page.contains(part), "{path}, {part}: {page}");
        }
        assert!(!page.contains("There is nothing to read here"), "{page}");
    }
    assert!(browser.page("/acme/tool/usage").await.contains("It is not known now"));
    let badge = browser.get("/acme/tool/badge/health.svg").await;
    assert_eq!(badge.status, 200);
    assert!(text(&badge).contains(">unknown</text>"), "{}", text(&badge));
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    let page = admin.page("/acme/tool/versions/1.0.0/review").await;
    for part in [
        "The files of 1.0.0, or those that it is compared with, cannot be read at the moment",
        "Not known now: the files cannot be read at the moment.",
        "What happened",
        "What is said about it",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("handed out to nobody"), "{page}");
    fs_err::remove_file(&folder).unwrap();
    fs_err::rename(&aside, &folder).unwrap();
    for path in ["/acme/tool", "/acme/tool/versions/1.0.0"] {
        let page = browser.page(path).await;
        assert!(page.contains("quartzite") && !page.contains("at the moment"), "{path}: {page}");
        assert!(!page.contains("not known now"), "{path}: {page}");
    }
    assert!(!text(&browser.get("/acme/tool/badge/health.svg").await).contains("unknown"));
    let page = admin.page("/acme/tool/versions/1.0.0/review").await;
    assert!(page.contains("quartzite") && !page.contains("at the moment"), "{page}");
}
