//! What authors write in Markdown, on the page of their skill.

use super::super::folders::{asked, file};
use super::super::{ADMIN, TestApp};
use super::{Browser, text};

async fn publish(app: &TestApp, version: &str, body: &str, others: &[(&str, &str)]) {
    let head = "---\nname: tool\ndescription: Does things. Use it when there are some.\n---\n";
    let mut files = vec![file("SKILL.md", format!("{head}\n{body}\n"))];
    files.extend(others.iter().map(|(path, text)| file(path, text)));
    app.send_folder(ADMIN, &asked("acme/tool", version), files).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nested_without_end_is_shown_as_its_source() {
    let app = TestApp::new().await;
    for (number, text) in
        [">".repeat(200_000), "<div>\n".repeat(30_000), "1. ".repeat(60_000)].iter().enumerate()
    {
        publish(&app, &format!("1.0.{number}"), text, &[]).await;
        let page = Browser::new(&app).page(&format!("/acme/tool/versions/1.0.{number}")).await;
        assert!(page.contains("This is its source."), "{number}: {}", &page[..4_000]);
    }
    // No more than these is it in memory: a page that was made is kept.
    // So is how much was found in each.
    assert_eq!(app.app.rendered.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_is_shown_as_a_page_where_that_alone_has_room() {
    let app = TestApp::new().await;
    // Links are longer by what is said of them.
    let part = |links: usize, words: usize| "[a](https://x.example) ".repeat(links) + &"word ".repeat(words);
    let short = part(90, 0);
    for (number, links, is_page) in [(0, 150, true), (1, 310, false)] {
        publish(&app, &format!("1.0.{number}"), &format!("{}\n\n{short}", part(links, 5_200)), &[]).await;
        let page = Browser::new(&app).page(&format!("/acme/tool/versions/1.0.{number}")).await;
        let (_, prose) = page.split_once("<div class=\"prose card\">").unwrap();
        let prose = prose.split_once("</article>").unwrap().0;
        let shown = [prose.matches("href=\"https://x.example/\"").count(), prose.matches("<pre").count()];
        assert_eq!(shown, if is_page { [150, 0] } else { [0, 1] }, "{prose}");
        // There is room for all of the source.
        assert_eq!(prose.contains("There is more: <a href="), is_page, "{prose}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_and_links_of_a_skill_stay_in_it() {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let body = "# Usage\n\n![own](assets/a.png) [file](docs/x.md) [up](../../../../../logout) [at](/logout)\n\n\
        <img src='/acme/other/versions/1.0.0/raw/SKILL.md'> <img src=/theme> <a href='../../../../acme/other'>o</a>\n\n\
        [![build](https://ci.example/b.svg)](https://ci.example) [here](#usage)";
    let others =
        [("docs/x.md", "x"), ("assets/a.png", "p"), ("x/.claude-plugin/marketplace.json", "{\"a\": 1}")];
    publish(&app, "1.0.0", body, &others).await;
    let mut browser = Browser::new(&app);
    let page = browser.page("/acme/tool").await;
    let (_, prose) = page.split_once("<div class=\"prose card\">").unwrap();
    let prose = prose.split_once("</article>").unwrap().0;
    for part in [
        "src=\"/acme/tool/versions/1.0.0/raw/assets/a.png\"",
        "href=\"/acme/tool/versions/1.0.0/files/docs/x.md\"",
        "href=\"https://ci.example/\"",
        "id=\"user-content-usage\"",
        "href=\"#user-content-usage\"",
    ] {
        assert!(prose.contains(part), "{part}: {prose}");
    }
    for part in ["/logout", "/theme\"", "src=\"/acme/other", "href=\"/acme/other", "badge.svg\" src"] {
        assert!(!prose.contains(part), "{part}: {prose}");
    }
    assert_eq!(prose.matches("<a href=").count(), 3, "{prose}");
    // A file may be called like what other clients ask for.
    for (path, sign) in [("files", "class=\"source\""), ("raw", "{\"a\": 1}")] {
        let path = format!("/acme/tool/versions/1.0.0/{path}/x/.claude-plugin/marketplace.json");
        let answer = browser.get(&path).await;
        assert_eq!((answer.status.as_u16(), text(&answer).contains(sign)), (200, true), "{path}");
    }
    app.get("/acme/marketplace.json").await.is(200);
    let listed = browser.page("/acme/tool/versions/1.0.0/files?limit=2&offset=2").await;
    assert!(
        listed.contains("/files/x/.claude-plugin/marketplace.json\"") && listed.contains("rel=\"prev\""),
        "{listed}"
    );
    assert!(!listed.contains("/files/SKILL.md\""), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_a_version_can_be_reached() {
    let app = TestApp::new().await;
    let paths: Vec<String> = (0..120).map(|number| format!("docs/{number:03}.md")).collect();
    let others: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "x")).collect();
    publish(&app, "1.0.0", "x", &others).await;
    let mut browser = Browser::new(&app);
    let page = browser.page("/acme/tool").await;
    assert!(page.contains("href=\"/acme/tool/versions/1.0.0/files\">All 121 files"), "{page}");
    let (mut next, mut seen) = (Some("/acme/tool/versions/1.0.0/files".to_owned()), 0);
    while let Some(path) = next {
        let page = browser.page(&path).await;
        seen += page.matches("/files/docs/").count();
        next = page
            .split_once("rel=\"next\" href=\"")
            .map(|(_, rest)| rest.split_once('"').unwrap().0.replace("&#38;", "&"));
    }
    assert_eq!(seen, 120);
}
