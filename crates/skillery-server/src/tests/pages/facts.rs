//! Lists of skills, and what else is told of one.

use serde_json::json;

use super::super::folders::{asked, file};
use super::super::keys::Signer;
use super::super::{ADMIN, TestApp, skill};
use super::{Browser, text};

/// A folder that needs these.
async fn publish(app: &TestApp, id: &str, needs: &str) {
    let name = id.rsplit('/').next().unwrap();
    let metadata = if needs.is_empty() {
        String::new()
    } else {
        format!("metadata:\n  skillery-dependencies: \"{needs}\"\n")
    };
    let text = format!(
        "---\nname: {name}\ndescription: Does things. Use it when there are some.\n{metadata}---\n\n# Things\n"
    );
    app.send_folder(ADMIN, &asked(id, "1.0.0"), vec![file("SKILL.md", text)]).await.is(201);
}

async fn hidden(app: &TestApp, id: &str, tag: &str) {
    let mut body = skill(id, "1.0.0");
    body["visibility"] = json!("private");
    body["tags"] = json!([tag]);
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_tags_and_authors_have_pages_of_what_the_viewer_sees() {
    let app = TestApp::new().await;
    for (id, tags) in [
        ("acme/one", json!(["email", "a/b c"])),
        ("acme/mail/two", json!(["Email"])),
        ("other/three", json!(["pdf"])),
    ] {
        let mut body = skill(id, "1.0.0");
        body["tags"] = tags;
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
    hidden(&app, "acme/mail/secret", "email").await;
    hidden(&app, "shadow/secret", "hush").await;
    let mut browser = Browser::new(&app);
    let org = browser.page("/acme").await;
    for part in [
        "2 skills",
        "href=\"/acme/one\"",
        "href=\"/acme/mail/two\"",
        "href=\"/acme/mail\">acme/mail</a> <span class=\"dim\">1</span>",
    ] {
        assert!(org.contains(part), "{part}: {org}");
    }
    assert!(!org.contains("secret") && !org.contains("three"), "{org}");
    let below = browser.page("/acme/mail").await;
    assert!(below.contains("1 skill<") && below.contains("<a href=\"/acme\">acme</a>"), "{below}");
    let tags = browser.page("/tags").await;
    assert!(tags.contains("email <span class=\"dim\">2</span>") && !tags.contains("hush"), "{tags}");
    assert!(tags.contains("href=\"/tags/a/b%20c\""), "{tags}");
    assert!(browser.page("/tags/a/b%20c").await.contains("href=\"/acme/one\""));
    assert!(browser.page("/tags/email").await.contains("2 skills"));
    assert!(browser.page("/trending").await.contains("3 skills"));
    let author = browser.page("/users/admin").await;
    assert!(author.contains("3 skills") && !author.contains("secret"), "{author}");
    // What one may not see is like what is not there.
    for (there, nowhere) in [
        ("/shadow", "/shadoz"),
        ("/tags/hush", "/tags/huss"),
        ("/shadow/secret", "/shadow/secrez"),
        ("/users/eve", "/users/evy"),
    ] {
        if there == "/users/eve" {
            app.user("eve", &["read"]).await;
        }
        let (hidden, missing) = (browser.get(there).await, browser.get(nowhere).await);
        assert_eq!((hidden.status, hidden.status.as_u16()), (missing.status, 404), "{there}");
        let replaced = text(&hidden)
            .replace(there, nowhere)
            .replace(there.trim_start_matches('/'), nowhere.trim_start_matches('/'));
        let named = |path: &str| path.rsplit('/').next().unwrap().to_owned();
        assert_eq!(replaced.replace(&named(there), &named(nowhere)), text(&missing), "{there}");
    }
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    let shadow = admin.page("/shadow").await;
    assert!(
        shadow.contains("href=\"/shadow/secret\"") && shadow.contains("href=\"/orgs/shadow\""),
        "{shadow}"
    );
    assert!(!org.contains("href=\"/orgs/"), "{org}");
    assert!(admin.page("/users/admin").await.contains("5 skills"));
    assert!(admin.page("/tags/hush").await.contains("shadow/secret"));
    // A member finds the org without a skill.
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "empty" })).await.is(201);
    assert!(admin.page("/empty").await.contains("There is nothing here yet"));
    assert_eq!(browser.get("/empty").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_namespaces_of_an_org_are_reached_from_its_page() {
    let app = TestApp::new().await;
    for number in 0..23 {
        let id = format!("acme/team-{number:02}/tool");
        app.post("/api/v1/skills", ADMIN, skill(&id, "1.0.0")).await.is(201);
    }
    hidden(&app, "acme/team-99/tool", "hush").await;
    let mut browser = Browser::new(&app);
    let listed = |page: &str| page.matches("href=\"/acme/team-").count() - page.matches("/tool\"").count();
    let first = browser.page("/acme?offset=20").await;
    assert!(first.contains("href=\"/acme?offset=20&#38;namespaces=20\">More namespaces"), "{first}");
    assert!(!first.contains("Namespaces before") && first.contains(">acme/team-19</a>"), "{first}");
    assert_eq!(listed(&first), 20, "{first}");
    let last = browser.page("/acme?namespaces=20").await;
    for part in ["href=\"/acme\">Namespaces before", ">acme/team-20</a>", ">acme/team-22</a>"] {
        assert!(last.contains(part), "{part}: {last}");
    }
    assert!(!last.contains("More namespaces") && !last.contains("team-99"), "{last}");
    assert_eq!(listed(&last), 3, "{last}");
    // Skills and namespaces are gone through each by itself, and from behind the end there is a way back.
    assert!(last.contains("href=\"/acme?namespaces=20&#38;offset=20\""), "{last}");
    let behind = browser.page("/acme?namespaces=1000").await;
    assert!(behind.contains("href=\"/acme?namespaces=3\">Namespaces before"), "{behind}");
    assert_eq!(listed(&behind), 0, "{behind}");
    assert_eq!(browser.get("/acme?namespaces=x").await.status, 400);
    // Who has a role there comes to their settings.
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    let settings = admin.page("/orgs/acme?limit=10&offset=20").await;
    for part in [
        "href=\"/orgs/acme/team-22\">acme/team-22</a> <span class=\"dim\">1 skill</span>",
        "href=\"/orgs/acme/team-99\"",
        "href=\"/orgs/acme?offset=10&#38;limit=10\"",
    ] {
        assert!(settings.contains(part), "{part}: {settings}");
    }
    assert!(!settings.contains("team-19") && !settings.contains("rel=\"next\""), "{settings}");
    assert!(!admin.page("/orgs/acme/team-22").await.contains("Namespaces below it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_is_counted_by_tag_and_namespace() {
    let app = TestApp::new().await;
    for number in 0..30 {
        let mut body = skill(&format!("acme/team-{}/tool-{number:02}", number % 3), "1.0.0");
        body["tags"] = if number % 2 == 0 { json!(["even", "Number"]) } else { json!(["number"]) };
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
    hidden(&app, "acme/team-9/tool", "number").await;
    let mut browser = Browser::new(&app);
    let page = browser.page("/search?q=texts").await;
    for part in [
        "number <span class=\"dim\">30</span>",
        "even <span class=\"dim\">15</span>",
        ">acme</a> <span class=\"dim\">30</span>",
        ">acme/team-1</a> <span class=\"dim\">10</span>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("team-9"), "{page}");
    let narrowed = browser.page("/search?q=texts&org=acme/team-1&tags=even").await;
    assert!(
        narrowed.contains("number <span class=\"dim\">5</span>") && !narrowed.contains("team-2"),
        "{narrowed}"
    );
    // Of a new version, only its tags count.
    let mut body = skill("acme/team-0/tool-00", "2.0.0");
    body["tags"] = json!(["odd"]);
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let page = browser.page("/search?q=texts").await;
    assert!(
        page.contains("even <span class=\"dim\">14</span>")
            && page.contains("odd <span class=\"dim\">1</span>"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_skill_needs_and_what_needs_it_is_shown() {
    let app = TestApp::new().await;
    publish(&app, "acme/far", "").await;
    publish(&app, "acme/base", "acme/far ^1.0").await;
    hidden(&app, "acme/secret", "x").await;
    publish(&app, "acme/tool", "acme/base ^1.0, acme/secret 1.0.0, acme/nothing ^2").await;
    publish(&app, "acme/upper", "acme/tool ^1.0").await;
    let mut browser = Browser::new(&app);
    // What changed names all that it needs, and links what has a page for who looks.
    let links = ["base", "secret", "nothing"].map(|name| format!("<a href=\"/acme/{name}\">acme/{name}</a>"));
    let diff = "/acme/tool/versions/1.0.0/diff";
    let page = browser.page(diff).await;
    assert_eq!(links.each_ref().map(|link| page.contains(link)), [true, false, false], "{page}");
    assert!(page.contains("acme/secret <ins") && page.contains("acme/nothing <ins"), "{page}");
    let page = Browser::signed_in(&app, ADMIN).await.page(diff).await;
    assert_eq!(links.each_ref().map(|link| page.contains(link)), [true, true, false], "{page}");
    let page = browser.page("/acme/tool/dependencies").await;
    for part in [
        "href=\"/acme/base\"",
        "href=\"/acme/base/versions/1.0.0\"",
        "<span class=\"break\">acme/base</span> <code>^1.0</code>",
        "A change here reaches 1 skill, 1 of them directly",
        "href=\"/acme/upper\"",
        "<svg class=\"graph\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // What the skill says is told; whether it is there is not.
    assert!(!page.contains("href=\"/acme/secret") && !page.contains("href=\"/acme/nothing"), "{page}");
    assert_eq!(page.matches("nothing that you see here").count(), 2, "{page}");
    let (_, svg) = page.split_once("<svg").unwrap();
    let svg = svg.split_once("</svg>").unwrap().0;
    assert_eq!((svg.matches("<rect").count(), svg.matches("class=\"tip\"").count()), (6, 5), "{svg}");
    // Who sees it is told by its page.
    let seen = Browser::signed_in(&app, ADMIN).await.page("/acme/tool/dependencies").await;
    assert!(seen.contains("href=\"/acme/secret\""), "{seen}");
    // A hidden skill that needs it is not counted.
    let text = "---\nname: spy\ndescription: Looks. Use it when nobody should.\nmetadata:\n  skillery-dependencies: \"acme/far ^1.0\"\n---\nx\n";
    let request = json!({ "id": "acme/spy", "version": "1.0.0", "visibility": "private" });
    app.send_folder(ADMIN, &request, vec![file("SKILL.md", text)]).await.is(201);
    let far = browser.page("/acme/far/dependencies").await;
    assert!(
        far.contains("A change here reaches 3 skills, 1 of them directly")
            && far.contains("needs no other skill")
            && !far.contains("spy"),
        "{far}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_needed_is_linked_where_it_has_a_page_though_it_has_no_latest_version() {
    let app = TestApp::new().await;
    app.publish("acme/gone", "1.0.0").await;
    app.publish("acme/early", "1.0.0-rc.1").await;
    hidden(&app, "acme/secret", "x").await;
    for name in ["gone", "secret"] {
        let path = format!("/api/v1/skills/acme/{name}/versions/1.0.0/yank");
        app.put(&path, ADMIN, json!({ "reason": "wrong" })).await.is(200);
    }
    publish(&app, "acme/tool", "acme/gone ^1.0, acme/early ^1.0, acme/secret ^1.0, acme/waits ^1.0").await;
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    let ann = app.user("ann", &["read", "publish"]).await;
    app.member("acme", "ann", "publisher").await;
    app.post("/api/v1/skills", &ann, skill("acme/waits", "1.0.0")).await.is(202);
    let mut stranger = Browser::new(&app);
    let mut publisher = Browser::signed_in(&app, &ann).await;
    for (browser, linked) in [
        (&mut stranger, [("gone", true), ("early", true), ("secret", false), ("waits", false)]),
        (&mut publisher, [("gone", true), ("early", true), ("secret", true), ("waits", true)]),
    ] {
        let diff = browser.page("/acme/tool/versions/1.0.0/diff").await;
        let list = browser.page("/acme/tool/dependencies").await;
        assert_eq!(list.matches("nothing that you see here").count(), 4, "{list}");
        for (name, is_linked) in linked {
            let status: u16 = if is_linked { 200 } else { 404 };
            assert_eq!(browser.get(&format!("/acme/{name}")).await.status, status, "{name}");
            let link = format!("href=\"/acme/{name}\"");
            assert_eq!(
                (diff.contains(&link), list.contains(&link)),
                (is_linked, is_linked),
                "{name}: {list}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_what_they_are_of_and_where_more_is() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    app.post("/api/v1/skills/acme/tool/rate", ADMIN, json!({ "rating": 4 })).await.is(200);
    hidden(&app, "acme/secret", "x").await;
    let mut browser = Browser::new(&app);
    let latest = "<span class=\"pill good\">1.1.0</span>";
    let (newest, old) = (browser.page("/acme/tool").await, browser.page("/acme/tool/versions/1.0.0").await);
    assert!(newest.contains(latest), "{newest}");
    assert!(!old.contains(latest) && old.contains("<span class=\"pill\">1.0.0</span>"), "{old}");
    assert!(old.contains("href=\"/acme/tool\">latest: 1.1.0</a>"), "{old}");
    // Others would not see the badge of what they do not see.
    assert!(newest.contains("/acme/tool/badge/version.svg)]("), "{newest}");
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    assert!(!admin.page("/acme/secret").await.contains("badge"));
    // Each filter can be taken away alone.
    let found = browser.page("/search?q=texts&org=acme&min_rating=3").await;
    assert!(found.contains("org=acme\">3 stars or more"), "{found}");
    for (path, feed) in [("/acme", "/acme/feed"), ("/search?q=texts", "/search/feed?q=texts")] {
        let page = browser.page(path).await;
        assert!(page.contains("type=\"application/atom+xml\""), "{page}");
        assert!(page.contains(&format!("<a href=\"{feed}\">")), "{feed}: {page}");
        assert_eq!(browser.get(feed).await.status, 200, "{feed}");
    }
    // What stands between backticks is code.
    let missing = text(&browser.get("/acme/nothing").await);
    assert!(missing.contains("<code>acme/nothing</code>") && !missing.contains('`'), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_skill_is_told_in_words() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN, json!({ "reason": "wrong" }))
        .await
        .is(200);
    app.post("/api/v1/skills/acme/tool/rate", ADMIN, json!({ "rating": 4 })).await.is(200);
    let mut browser = Browser::new(&app);
    let page = browser.page("/acme/tool/log").await;
    for part in ["1.1.0</a> was published", "1.0.0</a> was yanked: it installs only", "Somebody rated it"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let entry = app.get("/api/v1/skills/acme/tool/versions/1.1.0").await.is(200)["log_position"].clone();
    assert!(page.contains(&format!("class=\"number\">{entry}</td>")), "{entry}: {page}");
    let shown = browser.page("/acme/tool").await;
    for part in [&format!("entry {entry} of the log"), "/versions/1.1.0/proof", "1 version was yanked"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(browser.get("/acme/tool/log?before=x").await.status, 400);
    // What waits is told to those who may know of it.
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    let ann = app.user("ann", &["read", "publish"]).await;
    app.member("acme", "ann", "publisher").await;
    app.post("/api/v1/skills", &ann, skill("acme/tool", "1.2.0")).await.is(202);
    assert!(!browser.page("/acme/tool/log").await.contains("1.2.0"));
    assert!(!browser.page("/acme/tool").await.contains("1.2.0"));
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    assert!(admin.page("/acme/tool/log").await.contains("1.2.0</a> was published, and waits for approval"));
    assert!(admin.page("/acme/tool").await.contains("waits for approval"));
    // The API, which knows no sessions of browsers, has no proof of it for the link.
    let waits = admin.page("/acme/tool/versions/1.2.0").await;
    assert!(waits.contains("The proof of it") && !waits.contains("/1.2.0/proof"), "{waits}");
    // So is what is said of it, and all else has words.
    let rows = async |browser: &mut Browser<'_>| browser.page("/acme/tool/log").await.matches("<tr>").count();
    let before = rows(&mut browser).await;
    let version = "/api/v1/skills/acme/tool/versions/1.2.0";
    app.user("rita", &["read"]).await;
    app.member("acme", "rita", "reviewer").await;
    let rita = app.token(json!({ "user": "rita", "scopes": ["read", "review"] })).await;
    let changes = json!({ "decision": "changes-requested", "comment": "say more" });
    app.post(&format!("{version}/approvals"), &rita, changes).await.is(200);
    assert_eq!(rows(&mut browser).await, before);
    assert!(admin.page("/acme/tool/log").await.contains("1.2.0</a> is to be changed, as a reviewer asks"));
    app.post("/api/v1/skills/acme/tool/comments", ADMIN, json!({ "text": "Hello" })).await.is(201);
    app.post(&format!("{version}/break-glass"), ADMIN, json!({ "reason": "now" })).await.is(200);
    app.post(&format!("{version}/approvals"), &rita, json!({ "decision": "approved" })).await.is(200);
    let page = browser.page("/acme/tool/log").await;
    for part in [
        "1.2.0</a> was released by an owner, without the approvals that it waited for",
        "1.2.0</a> was reviewed again",
        "Somebody wrote a comment",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("no words for"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_shown_in_pages_with_its_words_marked() {
    let app = TestApp::new().await;
    let long: String = (0..2_500).map(|number| format!("x{number} = 'a<b>' # {number}\n")).collect();
    let text = "---\nname: tool\ndescription: Does things. Use it when there are some.\n---\nx\n";
    let files = vec![
        file("SKILL.md", text),
        file("long.py", &long),
        file("data.bin", [0, 159, 146, 150]),
        file("empty.txt", ""),
    ];
    app.send_folder(ADMIN, &asked("acme/tool", "1.0.0"), files).await.is(201);
    let mut browser = Browser::new(&app);
    let (mut next, mut seen) = (Some("/acme/tool/versions/1.0.0/files/long.py".to_owned()), 0);
    while let Some(path) = next {
        let page = browser.page(&path).await;
        assert!(page.len() < 200_000 && !page.contains("a<b>"), "{}", page.len());
        assert!(page.contains(&format!("id=\"L{}\"", seen + 1)), "{path}");
        // Later ones are plain where marking took too long.
        assert!(seen > 0 || page.contains("<b class=\"s\">"), "{page}");
        seen += page.matches("id=\"L").count();
        next = page
            .split_once("rel=\"next\" href=\"")
            .map(|(_, rest)| rest.split_once('"').unwrap().0.to_owned());
    }
    assert_eq!(seen, 2_500);
    assert!(browser.page("/acme/tool/versions/1.0.0/files/data.bin").await.contains("This file is no text"));
    assert!(browser.page("/acme/tool/versions/1.0.0/files/empty.txt").await.contains("The file is empty"));
    assert!(
        browser
            .page("/acme/tool/versions/1.0.0/files/long.py?from=99999999")
            .await
            .contains("class=\"source\"")
    );
    assert_eq!(browser.get("/acme/tool/versions/1.0.0/files/long.py?from=x").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signed_a_version_is_said_on_its_pages() {
    let app = TestApp::new().await;
    let signer = Signer::of("admin", 7);
    app.enrol(ADMIN, &signer).await;
    app.publish("acme/plain", "1.0.0").await;
    app.publish_signed(ADMIN, "acme/tool", "1.0.0", &signer).await.is(201);
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    app.publish_signed(ADMIN, "acme/tool", "1.1.0", &signer).await.is(202);
    app.post("/api/v1/skills", ADMIN, skill("acme/plain", "1.1.0")).await.is(202);
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for (path, is_signed) in [
        ("/acme/tool", true),
        ("/acme/tool/versions/1.0.0", true),
        ("/acme/tool/versions/1.1.0/review", true),
        ("/acme/plain", false),
        ("/acme/plain/versions/1.1.0/review", false),
    ] {
        let page = browser.page(path).await;
        assert_eq!(page.contains("signed by admin <span class=\"dim\">sshsig"), is_signed, "{path}: {page}");
        assert_eq!(page.contains("Nobody has signed it."), !is_signed, "{path}: {page}");
    }
}
