//! No page is heavy, whatever authors write: [`Browser::page`] weighs each.

use std::collections::HashSet;

use axum::http::Method;
use serde_json::{Value, json};
use skillery_core::api::PublisherKind;

use super::super::folders::{asked, file};
use super::super::keys::Signer;
use super::super::notify::Receiver;
use super::super::oidc::{Issuer, registry_with};
use super::super::{ADMIN, Answer, SCOPES, TestApp, skill};
use super::{ASSETS, Browser, text};

/// Takes five bytes for each character as HTML.
pub(super) fn dear(length: usize) -> String {
    "<".repeat(length)
}

/// Texts of so many characters that are heavy as HTML: each character is several bytes there, or all of them are more than they look.
fn heavy(length: usize) -> [String; 5] {
    let link = format!("[a]: https://x.example/{}\n\n", "x".repeat(length / 2));
    let links = "[a] ".repeat((length - link.len()) / 4);
    ["&".repeat(length), "\"".repeat(length), "😀".repeat(length), "-\n*\n".repeat(length / 4), link + &links]
}

/// What an `&` is in the text of a page.
const AND: &str = "&#38;";

/// Where the next page is.
pub(super) fn next(page: &str) -> Option<String> {
    beside(page, "next")
}

/// Where the next page is, or with `prev` the one before.
pub(super) fn beside(page: &str, which: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("rel=\"{which}\" href=\""))?;
    Some(rest.split_once('"')?.0.replace(AND, "&"))
}

/// Where the rows of a list lead, on all of its pages from this one on. The way back has the same on each page.
pub(super) async fn rows(browser: &mut Browser<'_>, first: &str, before: &str) -> Vec<String> {
    let of = |page: &str| -> Vec<String> {
        page.split(before).skip(1).map(|rest| rest.split_once('"').unwrap().0.to_owned()).collect()
    };
    let (mut pages, mut place, mut last) = (Vec::new(), Some(first.to_owned()), String::new());
    while let Some(path) = place {
        last = browser.page(&path).await;
        pages.push(of(&last));
        place = next(&last);
    }
    assert!(pages.len() > 2, "{first}: {}", pages.len());
    for shown in pages.iter().rev().skip(1) {
        last = browser.page(&beside(&last, "prev").unwrap()).await;
        assert_eq!(of(&last), *shown, "{first}");
    }
    assert_eq!(beside(&last, "prev"), None, "{first}");
    let rows = pages.concat();
    assert_eq!(rows.iter().collect::<HashSet<_>>().len(), rows.len(), "{first}");
    rows
}

/// All pages of a list that end where there is no room. The way back leads from each to the first, so that no row is passed over.
async fn from_the_first(browser: &mut Browser<'_>, first: &str) -> Vec<String> {
    let (mut pages, mut place) = (Vec::new(), Some(first.to_owned()));
    while let Some(path) = place {
        let page = browser.page(&path).await;
        let back = (!pages.is_empty()).then(|| first.to_owned());
        assert_eq!(beside(&page, "prev"), back, "{path}");
        place = next(&page);
        pages.push(page);
    }
    assert!(pages.len() > 1, "{first}: {}", pages.len());
    pages
}

/// Where the link with this text leads.
fn link(page: &str, text: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!("\">{text}</a>"))?;
    Some(before.rsplit_once("href=\"")?.1.replace(AND, "&"))
}

/// The name of a skill, and an id and a version that are as long as they may be.
pub(super) fn longest() -> (String, String, String) {
    let name = "t".repeat(31);
    let id = format!("{}/", "n".repeat(27)).repeat(8) + &name;
    assert_eq!(id.len(), 255);
    (name, id, format!("1.0.10-{}", "a".repeat(121)))
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_skills_with_much_to_say_are_light() {
    let app = TestApp::new().await;
    let within = format!("acme{}", format!("/{}", "n".repeat(29)).repeat(7));
    for number in 0..25 {
        // Some are long by their ids as well.
        let (id, version) = match number {
            0..2 => (format!("acme/tool-{number}"), "1.0.0".to_owned()),
            _ => (format!("{within}/{number}{}", "t".repeat(38)), format!("1.0.0+{}", "a".repeat(120))),
        };
        let mut body = skill(&id, &version);
        body["description"] = json!(dear(4_096));
        body["author"] = json!(dear(1_024));
        // The longest tags there are, each of its own but for one.
        let tags: Vec<String> =
            (0..31).map(|tag| format!("{}{number:03}{tag:02}", "😀".repeat(59))).collect();
        body["tags"] = json!([&["much".to_owned()], &*tags].concat());
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
    app.settle().await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in [
        "/",
        "/search?limit=200",
        "/trending?limit=200",
        "/tags/much",
        "/tags",
        "/users/admin",
        "/acme",
        &format!("/{within}"),
        "/acme/tool-1",
    ] {
        browser.page(path).await;
    }
    // Each link of a search has in it all that is asked for.
    for (length, count, says) in [(2, 20, " tags more</li>"), (15, 30, LONG)] {
        let long = "%F0%9F%98%80".repeat(length);
        let tags: Vec<String> = (10..10 + count).map(|tag| format!("{long}{tag}")).collect();
        let page = browser.page(&format!("/search?q={long}&tags={}", tags.join(","))).await;
        assert!(page.contains(says), "{says}: {page}");
    }
    // A tag that is too long, too many, and tags that are too long together.
    for tags in ["a".repeat(65), ["a"; 33].join(","), [&*"a".repeat(60); 20].join(",")] {
        assert_eq!(browser.get(&format!("/search?tags={tags}")).await.status, 400, "{tags}");
    }
}

/// What a search says for which there is no room in more than a few links.
const LONG: &str = "What is asked for is long: it is changed in the filters.";

/// Skills of which all is as long as it may be, in this namespace, with these tags among others.
async fn long_skills(app: &TestApp, within: &str, tags: &[String]) {
    for number in 10..55 {
        let id = format!("{within}/{number}{}", "t".repeat(252 - within.len()));
        assert_eq!(id.len(), 255);
        let mut body = skill(&id, &format!("1.0.0+{}", "a".repeat(120)));
        body["description"] = json!(format!("tool {}", dear(4_091)));
        body["author"] = json!(dear(1_024));
        let own = (0..4).map(|tag| format!("{}{number}{tag}", "😀".repeat(61)));
        body["tags"] = tags.iter().cloned().chain(own).collect();
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
    app.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_for_much_that_find_much_are_light_and_pass_over_nothing() {
    let app = TestApp::new().await;
    let within = format!("acme{}", format!("/{}", "n".repeat(29)).repeat(7));
    // As many as may be asked for, each as long as it may be.
    let tags: Vec<String> = (10..18).map(|tag| format!("{}{tag}", "😀".repeat(62))).collect();
    long_skills(&app, &within, &tags).await;
    let joined = tags.join(",");
    let filters = format!("org={within}&min_rating={}&sort=updated&publisher=admin", "0".repeat(4_000));
    let asked = |words: &str, tags: &str| -> String {
        let words = format!("tool {words}");
        let pairs = [("q", words.as_str()), ("tags", tags)];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("/search?{query}&{filters}&limit=200")
    };
    let signed_in = Browser::signed_in(&app, ADMIN).await;
    for mut browser in [signed_in, Browser::new(&app)] {
        for (words, html) in [("😀", "😀"), ("&", AND), ("\"", QUOTE), ("'", "&#39;")] {
            let (words, html) = (words.repeat(251), html.repeat(251));
            for (tags, is_long) in [("", html.starts_with('😀')), (joined.as_str(), true)] {
                let first = asked(&words, tags);
                let found = rows(&mut browser, &first, "<h2><a href=\"/").await;
                assert_eq!(found.len(), 45, "{first}");
                // All that was asked for stands in the form, also where links have no room for it.
                let page = browser.page(&first).await;
                for part in [
                    format!("type=\"hidden\" name=\"q\" value=\"tool {html}\""),
                    format!("name=\"org\" value=\"{within}\""),
                    "name=\"publisher\" value=\"admin\"".to_owned(),
                    format!("name=\"tags\" value=\"{tags}\""),
                ] {
                    assert!(page.contains(&part), "{part}: {page}");
                }
                assert_eq!(page.contains(LONG), is_long, "{first}: {page}");
                assert_eq!(page.contains("Feed of this search"), !is_long, "{first}: {page}");
                assert_eq!(page.contains("0 stars or more"), !is_long, "{first}: {page}");
            }
        }
        // Nothing is found.
        browser.page(&format!("{}&offset=9000", asked(&"\"".repeat(251), &joined))).await;
        browser.page(&asked(&format!("nothing {}", "😀".repeat(243)), &joined)).await;
    }
    // What numbers are written with makes no link longer.
    let zeros = "0".repeat(9_000);
    let page = Browser::new(&app).page(&format!("/acme?namespaces={zeros}1&offset={zeros}20")).await;
    assert!(page.contains("rel=\"next\" href=\"/acme?namespaces=1&#38;offset=40\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_written_behind_an_address_makes_no_page_heavy() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let signed_in = Browser::signed_in(&app, ADMIN).await;
    for mut browser in [signed_in, Browser::new(&app)] {
        for path in ["/", "/search", "/trending", "/tags", "/users/admin", "/acme", "/acme/tool"] {
            for more in ["&", "'", "%F0%9F%98%80"] {
                let page = browser.page(&format!("{path}?x={}", more.repeat(4_000))).await;
                assert!(page.contains(&format!("name=\"next\" value=\"{path}\"")), "{path}: {page}");
            }
            // What is no longer than people write is come back to.
            let page = browser.page(&format!("{path}?x={}", "a".repeat(1_000))).await;
            assert!(page.contains(&format!("value=\"{path}?x=aaa")), "{path}: {page}");
        }
        for (path, status) in [
            (format!("/search?sort={}", "`".repeat(20_000)), 400),
            (format!("/search?org={}", "%26".repeat(20_000)), 400),
            (format!("/tags/{}", "%26".repeat(20_000)), 404),
            (format!("/nothing/{}", "%26".repeat(20_000)), 404),
        ] {
            let answer = browser.get(&path).await;
            let weight = answer.body.len() + ASSETS;
            assert!(answer.status == status && weight <= 100_000, "{}: {weight}", answer.status);
            assert!(text(&answer).contains("To the start"), "{}", text(&answer));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_namespaces_beside_skills_with_much_to_say_are_light() {
    let app = TestApp::with(|settings| settings.limits.comments_per_minute = 0).await;
    let above = format!("acme/{}", format!("{}/", "n".repeat(61)).repeat(3));
    let version = format!("1.0.0+{}", "a".repeat(122));
    let mut namespaces = HashSet::new();
    for number in 10..50 {
        let namespace = format!("{above}{number}{}", "s".repeat(60));
        let id = format!("{namespace}/t");
        assert_eq!((id.len(), version.len()), (255, 128));
        let mut body = skill(&id, &version);
        body["description"] = json!(dear(4_096));
        body["author"] = json!(dear(1_024));
        // A list has room for one tag that is as long as this.
        body["tags"] = json!([format!("{number}{}", "😀".repeat(27))]);
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
        app.post(&format!("/api/v1/skills/{id}/rate"), ADMIN, json!({ "rating": 5 })).await.is(200);
        namespaces.insert(namespace);
    }
    app.settle().await;
    let within = above.trim_end_matches('/');
    namespaces.extend(within.match_indices('/').skip(1).map(|(end, _)| within[..end].to_owned()));
    namespaces.insert(within.to_owned());
    let listed = |page: &str| -> Vec<String> {
        let rows = page.split("<li><a class=\"break\" href=\"/").skip(1);
        rows.map(|rest| rest.split_once('"').unwrap().0.to_owned()).collect()
    };
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in ["/acme?namespaces=20", "/acme?namespaces=20&offset=20"] {
        let page = browser.page(path).await;
        assert_eq!(page.matches("<li class=\"result\">").count(), 20, "{page}");
        assert_eq!(page.matches("of 5 stars").count(), 20, "{page}");
        assert_eq!(page.matches("<a class=\"tag\"").count(), 29, "{page}");
        assert!(!listed(&page).is_empty(), "{page}");
    }
    // All of them are reached, there and back.
    let mut place = Some("/acme".to_owned());
    for way in ["More namespaces", "Namespaces before"] {
        let (mut seen, mut last) = (Vec::new(), String::new());
        while let Some(path) = place {
            let page = browser.page(&path).await;
            seen.extend(listed(&page));
            place = link(&page, way);
            last = path;
        }
        assert_eq!(seen.into_iter().collect::<HashSet<_>>(), namespaces, "{way}");
        place = Some(last);
    }
    assert_eq!(place.as_deref(), Some("/acme"));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_instructions_are_shown_as_far_as_there_is_room() {
    let app = TestApp::new().await;
    let head = |name: &str| format!("---\nname: {name}\ndescription: Does much. Use it for that.\n---\n");
    let sections: String = (0..2_000).map(|number| format!("## Part {number}\n\n{}\n\n", dear(40))).collect();
    for (name, body) in [
        ("sections", format!("The beginning.\n\n{sections}The end.\n")),
        ("block", format!("```\n{}\n```\n", dear(200_000))),
        ("nested", format!("{}x\n", "> ".repeat(20_000))),
    ] {
        let files = vec![file("SKILL.md", head(name) + &body)];
        app.send_folder(ADMIN, &asked(&format!("acme/{name}"), "1.0.0"), files).await.is(201);
        let mut browser = Browser::new(&app);
        let page = browser.page(&format!("/acme/{name}")).await;
        let link = format!("There is more: <a href=\"/acme/{name}/versions/1.0.0/files/SKILL.md\">");
        assert!(page.contains(&link), "{name}: {}", &page[..4_000]);
        browser.page(&format!("/acme/{name}/versions/1.0.0/files/SKILL.md")).await;
    }
    let page = Browser::new(&app).page("/acme/sections").await;
    assert!(page.contains("The beginning.") && page.contains("Part 9<") && !page.contains("The end."));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_findings_in_files_with_long_names_are_light() {
    const PAGE: &str = "/acme/tool/versions/1.0.0/findings";
    let app = TestApp::new().await;
    let links: String = (0..60).map(|number| format!("[x]({}{number})\n", "&".repeat(150))).collect();
    let head = "---\nname: tool\ndescription: Does much. Use it for that.\n---\n";
    let mut files = vec![file("SKILL.md", format!("{head}{links}"))];
    let name = |number: usize| format!("scripts/{number}{}.sh", "&".repeat(150));
    files.extend((0..60).map(|number| file(&name(number), "#!/bin/sh\n")));
    app.send_folder(ADMIN, &asked("acme/tool", "1.0.0"), files).await.is(201);
    let mut browser = Browser::new(&app);
    browser.page("/acme/tool").await;
    browser.page("/acme/tool/versions/1.0.0/files?limit=200").await;
    let (mut place, mut seen) = (Some(format!("{PAGE}?limit=200")), 0);
    while let Some(path) = place {
        let page = browser.page(&path).await;
        seen += page.matches("<li class=\"break\">").count();
        place = next(&page);
    }
    let told = app.get(&format!("/api/v1/skills{PAGE}")).await.is(200);
    assert_eq!(seen, told["findings"].as_array().unwrap().len());
    assert!(seen > 100, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_with_the_longest_names_beside_heavy_instructions_are_light() {
    let app = TestApp::new().await;
    let (name, id, version) = longest();
    // Short links are long once it is said where they lead.
    let bodies =
        ["[a](b)\n\n".repeat(2_000), "&".repeat(100_000), "\"".repeat(100_000), "&&&&\n\n".repeat(9_000)];
    let lines = format!("{}\n", "&".repeat(16)).repeat(12_000);
    for (number, body) in bodies.iter().enumerate() {
        let head = format!(
            "---\nname: {name}\ndescription: Does much. Use it for that{}.\n---\n\n",
            "&".repeat(900)
        );
        let mut files = vec![file("SKILL.md", head + body)];
        files.extend((10..70).map(|number| file(&format!("{number}{}", "&".repeat(238)), "x")));
        files.push(file(&format!("{}.txt", "&".repeat(236)), &lines));
        let version = version.replace("1.0.10", &format!("1.0.1{number}"));
        app.send_folder(ADMIN, &asked(&id, &version), files).await.is(201);
        let here = format!("/{id}/versions/{version}");
        let mut browser = Browser::signed_in(&app, ADMIN).await;
        for path in [format!("/{id}"), here.clone()] {
            let page = browser.page(&path).await;
            let (_, list) = page.split_once("<h2>Files</h2>").unwrap();
            let (shown, rest) = list.split_once("</ul>").unwrap();
            let more = rest
                .strip_prefix("<p class=\"small\">And ")
                .unwrap()
                .split_once(" more. <a href=\"")
                .unwrap();
            let shown = shown.matches("<li>").count();
            assert!(shown > 0 && shown + more.0.parse::<usize>().unwrap() == 62, "{shown} and {}", more.0);
            assert!(more.1.starts_with(&format!("{here}/files\">All 62 files</a>")), "{rest}");
        }
        if number == 0 {
            let start = "<a class=\"break mono\" href=\"";
            assert_eq!(rows(&mut browser, &format!("{here}/files?limit=200"), start).await.len(), 62);
            let long = format!("{here}/files/{}.txt", "%26".repeat(236));
            let (mut place, mut seen) = (Some(format!("{long}?from=10001")), 0);
            while let Some(path) = place {
                let page = browser.page(&path).await;
                seen += page.matches("<a id=\"L").count();
                place = next(&page);
            }
            assert_eq!(seen, 2_000);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_of_which_all_is_said_at_length_is_light() {
    let app = TestApp::new().await;
    let (_, id, version) = longest();
    let mut body = skill(&id, &version);
    body["description"] = json!(dear(4_096));
    body["author"] = json!(dear(1_024));
    body["license"] = json!(dear(1_024));
    body["homepage"] = json!(format!("https://home.example/{}", "&".repeat(1_000)));
    body["repository"] = json!("https://source.example/code");
    body["tags"] = (10..42).map(|number| format!("{number}{}", "😀".repeat(62))).collect();
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let yank = format!("/api/v1/skills/{id}/versions/{version}/yank");
    app.put(&yank, ADMIN, json!({ "reason": dear(1_000) })).await.is(200);
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in [format!("/{id}"), format!("/{id}/versions/{version}")] {
        let page = browser.page(&path).await;
        let tags = page.matches("<a class=\"tag\"").count();
        assert!(
            tags > 0 && page.contains(&format!("<li class=\"dim\">and {} more</li>", 32 - tags)),
            "{page}"
        );
        for part in [
            format!("<dt>Author</dt><dd>{}…</dd>", LESS.repeat(200)),
            "<dt>Homepage</dt><dd>https://home.example/&#38;".to_owned(),
            "href=\"https://source.example/code\">https://source.example/code</a>".to_owned(),
        ] {
            assert!(page.contains(&part), "{part}: {page}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_skills_with_long_ids_that_a_skill_needs_are_light() {
    let app = TestApp::new().await;
    let (name, id, _) = longest();
    let namespace = id.strip_suffix(name.as_str()).unwrap();
    let needs: Vec<String> =
        (10..70).map(|number| format!("{namespace}{}{number}", "s".repeat(29))).collect();
    for need in &needs {
        app.publish(need, "1.0.0").await;
    }
    let list = needs.iter().map(|need| format!("{need} ^1.0")).collect::<Vec<_>>().join(", ");
    let head = format!("---\nname: {name}\ndescription: Does much. Use it for that.\n");
    let text = format!("{head}metadata:\n  skillery-dependencies: \"{list}\"\n---\nx\n");
    app.send_folder(ADMIN, &asked(&id, "1.0.0"), vec![file("SKILL.md", text)]).await.is(201);
    let page = Browser::new(&app).page(&format!("/{id}/dependencies")).await;
    let shown = page.matches("<td data-name=\"Would be taken\">").count();
    let rest = format!("<p class=\"small dim\">And {} more, which the API has at", 60 - shown);
    assert!(shown > 10 && page.contains(&rest), "{shown}: {page}");
    // The picture counts all of them as well.
    assert!(page.contains("<title>and 50 more</title>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_versions_with_the_longest_names_are_light() {
    let app = TestApp::new().await;
    let (_, id, version) = longest();
    let (org, publisher) = (id.split_once('/').unwrap().0, "p".repeat(64));
    app.post("/api/v1/orgs", ADMIN, json!({ "name": org })).await.is(201);
    let token = app.user(&publisher, SCOPES).await;
    app.member(org, &publisher, "publisher").await;
    for number in 10..70 {
        let version = version.replace("1.0.10", &format!("1.0.{number}"));
        app.post("/api/v1/skills", &token, skill(&id, &version)).await.is(201);
        let reader = app.user(&format!("{number}-{}", "r".repeat(61)), &["read"]).await;
        app.install(&reader, &id, &version).await;
        let path = format!("/api/v1/skills/{id}/versions/{version}/yank");
        app.put(&path, ADMIN, json!({ "reason": dear(1_000) })).await.is(200);
    }
    app.settle().await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let shown = rows(&mut browser, &format!("/{id}/versions?limit=200"), "<td><a href=\"").await;
    assert_eq!(shown.len(), 60);
    let page = browser.page(&format!("/{id}/usage")).await;
    let most =
        page.split_once("<p class=\"small dim\">The ").unwrap().1.split_once(" that were installed most.");
    assert!(page.contains("There are more versions than stand here."), "{page}");
    assert!(most.unwrap().0.parse::<usize>().unwrap() < 30, "{page}");
    // Who published them is told of each.
    app.tell().await;
    let mut browser = Browser::signed_in(&app, &token).await;
    let (mut place, mut told) = (Some("/account/notifications?kind=version-yanked&limit=200".to_owned()), 0);
    while let Some(path) = place {
        let page = browser.page(&path).await;
        told += page.matches("<div class=\"what\">").count();
        place = next(&page);
    }
    assert_eq!(told, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_waits_and_much_that_is_said_about_it_are_light() {
    const WAITS: &str = "/account/approvals?show=all&limit=200";
    const REVIEW: &str = "/acme/tool/versions/1.0.29/review";
    let app = TestApp::new().await;
    let [author, rita] = app.staff([("author", "publisher"), ("rita", "reviewer")]).await;
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 2 })).await.is(200);
    for number in 0..30 {
        let mut body = skill("acme/tool", &format!("1.0.{number}"));
        body["description"] = json!(dear(4_096));
        app.post("/api/v1/skills", &author, body).await.is(202);
    }
    let version = format!("{API}/versions/1.0.29");
    app.put(&format!("{version}/changelog"), &author, json!({ "changelog": dear(4_096) })).await.is(200);
    let say = async |body: Value| {
        app.post(&format!("{version}/approvals/comments"), &rita, body).await.is(201)["id"].clone()
    };
    let thread = say(json!({ "text": dear(4_096) })).await;
    for _ in 0..9 {
        say(json!({ "text": dear(4_096) })).await;
        say(json!({ "text": dear(4_096), "thread": thread })).await;
    }
    let thread = format!("{REVIEW}?thread={}", thread.as_str().unwrap());
    let typed = "\"".repeat(4_097);
    for (token, tells) in [(&author, true), (&rita, false)] {
        let mut browser = Browser::signed_in(&app, token).await;
        for path in [WAITS, REVIEW, &thread, "/acme/tool/versions/1.0.29/diff"] {
            let page = browser.page(path).await;
            assert_eq!(page.contains("Say otherwise what changed"), tells && path == REVIEW, "{path}");
        }
    }
    let mut browser = Browser::signed_in(&app, &author).await;
    let answer = [("action", "answer"), ("thread", thread.split_once('=').unwrap().1), ("text", &*typed)];
    let page = refused(&browser.post(&thread, &answer).await);
    assert!(page.contains(&format!(">\n{}</textarea>", QUOTE.repeat(4_097))), "{}", page.len());
    let mut browser = Browser::signed_in(&app, &rita).await;
    let page = browser.page(WAITS).await;
    assert_eq!(page.matches("<li class=\"result\">").count(), 25, "{page}");
    let page = browser.page(&next(&page).unwrap()).await;
    assert_eq!(page.matches("<li class=\"result\">").count(), 5, "{page}");
    let say = [("action", "say"), ("text", &*typed)];
    let page = refused(&browser.post(REVIEW, &say).await);
    assert_eq!(page.matches(&QUOTE.repeat(4_097)).count(), 1, "{}", page.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_is_due_for_long_reasons_is_light() {
    const DUE: &str = "/account/approvals?show=due&limit=200";
    let app = TestApp::new().await;
    let [author, owner] = ["a", "o"].map(|letter| letter.repeat(64));
    let roles = [(author.as_str(), "publisher"), (owner.as_str(), "owner"), ("rita", "reviewer")];
    let [author, owner, rita] = app.staff(roles).await;
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    let part = "t".repeat(60);
    let id = format!("acme/{part}/{part}/{part}/{part}");
    for number in 0..20 {
        let version = format!("1.0.{number}-{}", "v".repeat(118));
        let mut body = skill(&id, &version);
        body["description"] = json!(dear(4_096));
        app.post("/api/v1/skills", &author, body).await.is(202);
        let path = format!("/api/v1/skills/{id}/versions/{version}/break-glass");
        app.post(&path, &owner, json!({ "reason": dear(1_024) })).await.is(200);
    }
    let mut browser = Browser::signed_in(&app, &rita).await;
    let page = browser.page(DUE).await;
    assert_eq!(page.matches("<li class=\"result\">").count(), 18, "{page}");
    let reason = format!("without the approvals that it waited for: {}…</p>", LESS.repeat(60));
    assert_eq!(page.matches(&reason).count(), 18, "{page}");
    let page = browser.page(&next(&page).unwrap()).await;
    assert_eq!(page.matches("<li class=\"result\">").count(), 2, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_review_of_what_asks_for_much_and_says_much_is_light() {
    const PAGE: &str = "/acme/tool/versions/1.0.0/review";
    let app = TestApp::new().await;
    let [author, rita] = app.staff([("author", "publisher"), ("rita", "reviewer")]).await;
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 2 })).await.is(200);
    let script = |number: usize| {
        let name = |value: usize| format!("# '{number}-{value}-{}',\n", dear(300));
        let names: String = (0..20).map(name).collect();
        let head = "# /// script\n# [tool.skillery.permissions]\n# environment = [\n";
        file(&format!("scripts/{number}.py"), format!("{head}{names}# ]\n# ///\n"))
    };
    let head = "---\nname: tool\ndescription: Does much. Use it for that.\n---\n\n# Tool\n";
    let mut files = vec![file("SKILL.md", head)];
    files.extend((0..10).map(script));
    app.send_folder(&author, &asked("acme/tool", "1.0.0"), files).await.is(202);
    let version = format!("{API}/versions/1.0.0");
    app.put(&format!("{version}/changelog"), &author, json!({ "changelog": dear(4_096) })).await.is(200);
    for _ in 0..10 {
        let said = json!({ "text": dear(4_096) });
        app.post(&format!("{version}/approvals/comments"), &rita, said).await.is(201);
    }
    let all = LESS.repeat(4_096);
    let mut browser = Browser::signed_in(&app, &rita).await;
    let page = browser.page(PAGE).await;
    for part in [
        "What it asks to be allowed",
        "<strong>and 20 more</strong>",
        "#t-",
        "&#60;…</p><p class=\"small\"><a href=\"/acme/tool/versions/1.0.0/review?told=all#told\">All of it</a>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains(&all), "{}", page.len());
    assert!(browser.page(&format!("{PAGE}?told=all")).await.contains(&all));
    browser.page("/acme/tool/versions/1.0.0/diff").await;
    let typed = "\"".repeat(4_097);
    let page = refused(&browser.post(PAGE, &[("action", "say"), ("text", &*typed)]).await);
    assert_eq!(page.matches(&QUOTE.repeat(4_097)).count(), 1, "{}", page.len());
    // What no field takes is not given back.
    let typed = "\"".repeat(8_000);
    let answer = browser.post(PAGE, &[("action", "say"), ("text", &*typed)]).await;
    assert!(answer.status == 422 && !text(&answer).contains(&QUOTE.repeat(8_000)), "{}", answer.status);
    // Who published it has all of it in a form.
    let mut browser = Browser::signed_in(&app, &author).await;
    let page = browser.page(PAGE).await;
    assert_eq!(page.matches(&all).count(), 1, "{}", page.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_reasons_and_many_entries_are_light() {
    let app = TestApp::new().await;
    let reason = json!({ "reason": dear(1_000) });
    for number in 0..60 {
        let version = format!("1.0.{number}");
        app.publish("acme/tool", &version).await;
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/yank");
        app.put(&path, ADMIN, reason.clone()).await.is(200);
    }
    let people: Vec<String> = (0..60).map(|number| format!("{number}-{}", "x".repeat(50))).collect();
    for name in &people {
        app.post("/api/v1/users", ADMIN, json!({ "name": name })).await.is(201);
        app.post("/api/v1/orgs", ADMIN, json!({ "name": format!("org-{name}") })).await.is(201);
    }
    let group = format!("group-7-{}", "g".repeat(50));
    for number in 0..50 {
        let path = format!("/api/v1/orgs/acme/policy/groups/group-{number}-{}", "g".repeat(50));
        app.put(&path, ADMIN, json!({ "users": people })).await.is(200);
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in [
        "/acme/tool/versions?limit=200",
        "/acme/tool/log",
        "/admin/log?limit=200",
        "/admin/users?limit=200",
        "/admin/orgs?limit=200",
        "/admin/audit?limit=200",
        "/admin/audit?show=report&days=366",
        "/orgs/acme/audit?show=report&days=366",
        "/orgs/acme/audit?limit=200",
        "/orgs/acme/policy/groups",
        "/account/notifications?limit=200",
        "/account/tokens?limit=200",
    ] {
        browser.page(path).await;
    }
    // What was typed and refused is given back beside these as far as there is room.
    for name in &people {
        app.member("acme", name, "reader").await;
    }
    browser.page("/orgs/acme/members?limit=200").await;
    for (length, is_kept) in [(2_000, true), (10_000, false)] {
        let typed = "\"".repeat(length);
        let member = [("action", "add"), ("role", "reader"), ("user", &*typed)];
        let made = [("action", "create"), ("name", &*typed)];
        let forms =
            [("/orgs/acme/members", &member[..]), ("/admin/users", &made[..]), ("/admin/orgs", &made[..])];
        for (path, fields) in forms {
            let answer = browser.post(path, fields).await;
            let weight = answer.body.len() + ASSETS;
            assert!(answer.status.is_client_error() && weight <= 100_000, "{path} {length}: {weight}");
            let is_given_back = text(&answer).contains(&format!("value=\"{}\"", QUOTE.repeat(length)));
            assert_eq!(is_given_back, is_kept, "{path} {length}: {weight}");
        }
        let add = [("action", "add"), ("group", "fresh"), ("users", &*typed)];
        let set = [("action", "set"), ("group", &*group), ("seen", "1"), ("users", &*typed)];
        for fields in [&add[..], &set[..]] {
            let answer = browser.post("/orgs/acme/policy/groups", fields).await;
            let weight = answer.body.len() + ASSETS;
            assert!(answer.status.is_client_error() && weight <= 100_000, "{fields:?}: {weight}");
            let is_given_back = text(&answer).contains(&QUOTE.repeat(length));
            assert_eq!(is_given_back, is_kept, "{} {length}: {weight}", fields[0].1);
        }
    }
    // Many names of people are given back, too, beside those that are in the group by now.
    let typed = people.join("\n");
    let set = [("action", "set"), ("group", &*group), ("seen", "1"), ("users", &*typed)];
    let answer = browser.post("/orgs/acme/policy/groups", &set).await;
    let weight = answer.body.len() + ASSETS;
    assert!(answer.status == 409 && weight <= 100_000, "{}: {weight}", answer.status);
    assert!(text(&answer).contains(&typed), "{}", text(&answer));
    let below = browser.page("/orgs/acme/inner/policy/groups").await;
    assert!(below.contains("more, on the pages of the namespaces above"), "{below}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_versions_that_were_taken_back_for_long_reasons_are_light() {
    let app = TestApp::new().await;
    let installed: Vec<String> = (0..45).map(|number| format!("1.0.{number}")).collect();
    for (number, version) in installed.iter().enumerate() {
        app.publish("acme/tool", version).await;
        let token = app.user(&format!("{number}-{}", "n".repeat(50)), &["read"]).await;
        app.install(&token, "acme/tool", version).await;
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/yank");
        app.put(&path, ADMIN, json!({ "reason": dear(1_000) })).await.is(200);
    }
    app.settle().await;
    let told = app.get_as(ADMIN, "/api/v1/skills/acme/tool/usage/adoption").await.is(200);
    assert_eq!(told["withdrawn"].as_array().unwrap().len(), 45);
    let page = Browser::signed_in(&app, ADMIN).await.page("/acme/tool/usage").await;
    assert_eq!(page.matches("<td data-name=\"Why\" class=\"break\">&#60;").count(), 20, "{page}");
    assert!(page.contains("&#60;…</td>") && page.contains("The 30 that were installed most."), "{page}");
    assert!(page.contains("<code>skillery usage acme/tool</code>") && page.contains("nnn</td>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_to_a_webhook_are_light() {
    const HOOKS: &str = "/api/v1/notifications/webhooks";
    let receiver = Receiver::start().await;
    receiver.answers(500, &dear(2_000));
    let app = TestApp::with_hooks().await;
    let org = "n".repeat(27);
    app.post("/api/v1/orgs", ADMIN, json!({ "name": org })).await.is(201);
    let namespace = format!("{org}/").repeat(7) + &"s".repeat(57);
    let asked = json!({ "url": receiver.url(), "namespace": namespace });
    let hook = app.post(HOOKS, ADMIN, asked).await.is(201)["id"].as_str().unwrap().to_owned();
    for number in 0..70 {
        app.publish(&format!("{namespace}/t"), &format!("1.0.{number}")).await;
    }
    app.tell().await;
    app.send_due().await;
    let total = app.get_as(ADMIN, &format!("{HOOKS}/{hook}/deliveries?limit=1")).await.is(200);
    let total = usize::try_from(total["total"].as_u64().unwrap()).unwrap();
    assert!(total >= 70, "{total}");
    let list = format!("/orgs/{namespace}/webhooks/{hook}?limit=200");
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let (mut place, mut seen) = (Some(list.clone()), 0);
    while let Some(path) = place {
        let page = browser.page(&path).await;
        assert!(page.contains(&LESS.repeat(100)) && !page.contains("name=\"delivery\""), "{page}");
        seen += page.matches("answered 500").count();
        place = next(&page);
    }
    assert_eq!(seen, total);
    // Those that are dead have a form each.
    for pause in [30, 120, 600, 1_800, 7_200, 21_600, 43_200] {
        // As long as it may be until the next attempt.
        app.wait(pause * 6 / 5 + 1);
        app.send_due().await;
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let dead = rows(&mut browser, &list, "name=\"delivery\" value=\"").await;
    assert_eq!(dead.len(), total);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tokens_with_long_labels_are_light() {
    let app = TestApp::new().await;
    app.user("rita", &["read"]).await;
    for _ in 0..60 {
        app.token(json!({ "user": "rita", "scopes": ["read"], "label": dear(1_024) })).await;
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let tokens = rows(&mut browser, "/account/tokens?user=rita&limit=200", "name=\"token\" value=\"").await;
    assert_eq!(tokens.len(), 61);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_with_long_labels_are_light() {
    let app = TestApp::new().await;
    let anna = app.user("anna", &["read", "admin"]).await;
    for number in 0..50 {
        let label = format!("{number:02}{}", dear(1_022));
        app.enrol(&anna, &Signer::of(&label, number)).await;
    }
    let mut browser = Browser::signed_in(&app, &anna).await;
    let keys = rows(&mut browser, "/account/keys?limit=20", "name=\"key\" value=\"").await;
    assert_eq!(keys.len(), 50);
    assert!(browser.page("/account/keys").await.contains(&format!("49{LESS}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_webhooks_with_long_addresses_are_light() {
    let app = TestApp::with_hooks().await;
    // As many as there may be.
    for number in 0..20 {
        let url = format!("https://hooks.example/{number}{}", "&".repeat(1_900));
        app.post("/api/v1/notifications/webhooks", ADMIN, json!({ "url": url })).await.is(201);
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let page = browser.page("/account/webhooks").await;
    assert_eq!(page.matches("<a href=\"/account/webhooks/").count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_publishers_with_long_claims_are_light() {
    let issuer = Issuer::new().await;
    let trusted = [issuer.trusted(PublisherKind::Generic)];
    let app = registry_with(|settings| settings.oidc_issuers = trusted.to_vec()).await;
    for number in 0..40 {
        let text = "&".repeat(250);
        let claims = json!({ "sub": format!("{number}{text}"), "one": text, "two": text, "three": text });
        let body = json!({ "kind": "generic", "claims": claims });
        app.post("/api/v1/orgs/acme/publishers", ADMIN, body).await.is(201);
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let publishers =
        rows(&mut browser, "/orgs/acme/publishers?limit=200", "name=\"publisher\" value=\"").await;
    assert_eq!(publishers.len(), 40);
}

/// What a form was refused with: a page that is as light as all others.
#[track_caller]
fn refused(answer: &Answer) -> String {
    let weight = answer.body.len() + ASSETS;
    assert!(weight <= 100_000, "{weight} bytes");
    assert_eq!(answer.status, 422, "{}", text(answer));
    text(answer)
}

/// What a `<` is in the text of a page.
const LESS: &str = "&#60;";

/// What an `"` is in a page.
const QUOTE: &str = "&#34;";

const API: &str = "/api/v1/skills/acme/tool";

async fn quiet() -> TestApp {
    let app = TestApp::with(|settings| settings.limits.comments_per_minute = 0).await;
    app.publish("acme/tool", "1.0.0").await;
    app
}

async fn say(app: &TestApp, text: &str, parent: Option<&str>) -> String {
    let said = app.post(&format!("{API}/comments"), ADMIN, json!({ "text": text, "parent": parent })).await;
    said.is(201)["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn long_comments_are_light_and_whole_where_they_are_asked_for() {
    const PAGE: &str = "/acme/tool/comments";
    let app = quiet().await;
    let texts = heavy(10_000);
    let mut threads = Vec::new();
    for text in &texts {
        threads.push(say(&app, text, None).await);
    }
    let mut answers = Vec::new();
    for text in &texts {
        answers.push(say(&app, text, Some(&threads[0])).await);
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let pages = from_the_first(&mut browser, PAGE).await;
    assert!(pages.iter().any(|page| page.contains(">All of it</a>")));
    for page in pages {
        assert!(!page.contains(&"&amp;".repeat(10_000)), "{page}");
    }
    for id in threads.iter().chain(&answers) {
        for form in ["", "edit", "report"] {
            browser.page(&format!("{PAGE}?thread={id}&at={id}&form={form}")).await;
        }
    }
    for id in [&threads[0], &answers[0]] {
        let page = browser.page(&format!("{PAGE}?thread={id}")).await;
        assert!(page.contains(&"&amp;".repeat(10_000)), "{}", page.len());
    }
    let page = browser.page(&format!("{PAGE}?thread={}", answers[2])).await;
    assert!(page.contains(&texts[2]), "{}", page.len());
    let form = browser.page(&format!("{PAGE}?thread={0}&at={0}&form=edit", threads[0])).await;
    assert!(form.contains(&format!(">\n{}</textarea>", AND.repeat(10_000))), "{}", form.len());
    // What was typed and refused comes before what others say; what no field takes is not given back.
    for (length, is_kept) in [(10_001, true), (20_000, false)] {
        let typed = "\"".repeat(length);
        for (action, at) in [("say", ""), ("reply", threads[0].as_str()), ("edit", threads[2].as_str())] {
            let fields = [("action", action), ("comment", at), ("text", typed.as_str())];
            let page = refused(&browser.post(PAGE, &fields).await);
            let kept = page.contains(&format!(">\n{}</textarea>", QUOTE.repeat(length)));
            assert_eq!(kept, is_kept, "{action} {length}: {}", page.len());
        }
    }
    // What it said is told as far as there is room.
    let comment = &threads[1];
    for number in 0..5 {
        let patch = json!({ "text": format!("{number}{}", "'".repeat(9_000)) });
        app.call(Method::PATCH, &format!("{API}/comments/{comment}"), ADMIN, Some(patch)).await.is(200);
    }
    let page = browser.page(&format!("{PAGE}?thread={comment}&at={comment}&form=history")).await;
    let command = format!("<code>skillery comments history acme/tool {comment}</code>");
    assert!(page.contains(&command) && page.contains("<pre tabindex=\"0\">3"), "{}", page.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_comments_with_much_to_do_about_them_are_light() {
    const PAGE: &str = "/acme/tool/comments";
    let app = quiet().await;
    let mut threads = Vec::new();
    for number in 0..18 {
        let thread = say(&app, &format!("Thread {number}."), None).await;
        for _ in 0..3 {
            say(&app, "Yes.", Some(&thread)).await;
        }
        let hide = json!({ "reason": "\"".repeat(if number < 5 { 1_000 } else { 10 }) });
        app.put(&format!("{API}/comments/{thread}/hidden"), ADMIN, hide).await.is(200);
        threads.push(thread);
        app.app.environment.advance_seconds(1);
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for (first, least) in [(PAGE.to_owned(), 4), (format!("{PAGE}?hidden=true"), 10)] {
        let (pages, mut seen) = (from_the_first(&mut browser, &first).await, Vec::new());
        for (number, page) in pages.iter().enumerate() {
            let here = threads.iter().filter(|id| page.contains(&format!("<article id=\"c-{id}\"")));
            let before = seen.len();
            seen.extend(here.cloned());
            assert!(seen.len() >= before + least || number + 1 == pages.len(), "{page}");
            assert_eq!(page.contains(">← First page</a>"), number > 0, "{page}");
        }
        seen.sort();
        let mut all = threads.clone();
        all.sort();
        assert_eq!(seen, all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_reviews_and_answers_are_light_and_whole_where_they_are_asked_for() {
    const PAGE: &str = "/acme/tool/ratings";
    let app = quiet().await;
    let texts = heavy(10_000);
    for (number, text) in texts.iter().enumerate() {
        let token = app.user(&format!("user{number}"), &["read", "rate"]).await;
        let rate = json!({ "rating": 1, "review": text });
        app.post(&format!("{API}/rate"), &token, rate).await.is(200);
        if number > 0 {
            let path = format!("{API}/ratings/user{number}");
            app.put(&format!("{path}/answer"), ADMIN, json!({ "text": texts[0] })).await.is(200);
            let hide = json!({ "reason": "\"".repeat(1_000) });
            app.put(&format!("{path}/hidden"), ADMIN, hide).await.is(204);
        }
        app.app.environment.advance_seconds(1);
    }
    app.post(&format!("{API}/rate"), ADMIN, json!({ "rating": 1, "review": texts[0] })).await.is(200);
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let mut seen = 0;
    for page in from_the_first(&mut browser, PAGE).await {
        assert_eq!(page.contains(">← Newest</a>"), seen > 0, "{page}");
        seen += page.matches("<article id=\"r-").count();
        assert!(page.contains(">All of it</a>"), "{page}");
    }
    assert_eq!(seen, 6);
    for number in 0..5 {
        for form in ["", "answer", "hide", "report"] {
            browser.page(&format!("{PAGE}?user=user{number}&form={form}")).await;
        }
    }
    let page = browser.page(&format!("{PAGE}?user=user0")).await;
    assert!(page.contains(&AND.repeat(10_000)) && page.contains(">Change your rating</a>"), "{}", page.len());
    let form = browser.page(&format!("{PAGE}?user=user2&form=answer")).await;
    assert!(form.contains(&format!(">\n{}</textarea>", AND.repeat(10_000))), "{}", form.len());
    let form = browser.page(PAGE).await;
    assert!(form.contains(&format!(">\n{}</textarea>", AND.repeat(10_000))), "{}", form.len());
    for (length, is_kept) in [(10_001, true), (20_000, false)] {
        let typed = "\"".repeat(length);
        let rate = [("action", "rate"), ("rating", "1"), ("review", &*typed)];
        let answer = [("action", "answer"), ("user", "user1"), ("text", &*typed)];
        for fields in [rate, answer] {
            let page = refused(&browser.post(PAGE, &fields).await);
            let kept = page.contains(&format!(">\n{}</textarea>", QUOTE.repeat(length)));
            assert_eq!(kept, is_kept, "{fields:?}: {}", page.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_with_much_to_say_are_light_and_whole_one_by_one() {
    let app = quiet().await;
    let nora = app.user("nora", &["read", "rate"]).await;
    let (mut comments, texts) = (Vec::new(), heavy(9_000));
    for text in texts.iter().chain(&texts) {
        comments.push(say(&app, text, None).await);
    }
    let why = "\"".repeat(1_000);
    let open = async || app.get_as(ADMIN, "/api/v1/reports?limit=200").await.is(200)["reports"].clone();
    for round in 0..4 {
        for comment in &comments {
            let report = json!({ "skill": "acme/tool", "comment": comment, "reason": "spam", "text": why });
            app.post("/api/v1/reports", &nora, report).await.is(204);
        }
        if round == 3 {
            break;
        }
        for report in open().await.as_array().unwrap() {
            let path = format!("/api/v1/reports/{}", report["id"].as_str().unwrap());
            app.put(&path, ADMIN, json!({ "resolution": why })).await.is(204);
        }
        for (comment, text) in comments.iter().zip(texts.iter().chain(&texts)) {
            let patch = json!({ "text": format!("{round} {text}") });
            app.call(Method::PATCH, &format!("{API}/comments/{comment}"), ADMIN, Some(patch)).await.is(200);
        }
        app.app.environment.advance_seconds(1);
    }
    let ids: Vec<String> = open().await.as_array().unwrap().iter().map(id).collect();
    assert_eq!(ids.len(), 10);
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in ["/admin/reports", "/orgs/acme/comments"] {
        let mut seen = 0;
        for page in from_the_first(&mut browser, path).await {
            seen += page.matches("aria-label=\"Report ").count();
            assert!(page.contains(">All of it</a>") && page.contains("3 times reported before"), "{page}");
            assert!(!page.contains(&"&#34;".repeat(1_000)), "{page}");
        }
        assert_eq!(seen, 10, "{path}");
        for id in &ids {
            let page = browser.page(&format!("{path}?report={id}")).await;
            assert!(page.contains(&"&#34;".repeat(1_000)), "{}", page.len());
            assert_eq!(page.matches("aria-label=\"Report ").count(), 1);
        }
    }
    // What was typed and refused comes first.
    let typed = "\"".repeat(10_000);
    let resolve = [("action", "resolve"), ("report", ids[0].as_str()), ("resolution", &*typed)];
    for path in ["/admin/reports", "/orgs/acme/comments"] {
        let page = refused(&browser.post(path, &resolve).await);
        assert_eq!(page.matches(&QUOTE.repeat(10_000)).count(), 1, "{path}: {}", page.len());
        assert!(page.contains("aria-label=\"Report "), "{path}: {}", page.len());
    }
    let put = json!({ "resolution": why });
    app.put(&format!("/api/v1/reports/{}", ids[0]), ADMIN, put).await.is(204);
    let page = browser.page("/admin/reports?state=resolved").await;
    assert!(page.contains("Open again"), "{}", page.len());
    // It is found by its address, whatever was decided meanwhile.
    let page = browser.page(&format!("/admin/reports?report={}", ids[0])).await;
    assert!(
        page.contains("Open again") && page.contains("/admin/reports?state=resolved\""),
        "{}",
        page.len()
    );
    let page = browser.page(&format!("/admin/reports?report={}&offset=20", ids[0])).await;
    assert!(page.contains("Open again"), "{}", page.len());
    for none in ["x", "00000000-0000-7000-8000-000000000000"] {
        assert_eq!(browser.get(&format!("/admin/reports?report={none}")).await.status, 404, "{none}");
    }
}

fn id(report: &Value) -> String {
    report["id"].as_str().unwrap().to_owned()
}
