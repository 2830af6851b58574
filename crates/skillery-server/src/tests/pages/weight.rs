//! No page is heavy, whatever authors write: [`Browser::page`] weighs each.

use serde_json::json;

use super::super::folders::{asked, file};
use super::super::{ADMIN, TestApp, skill};
use super::Browser;

/// Takes five bytes for each character as HTML.
fn dear(length: usize) -> String {
    "<".repeat(length)
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_skills_with_much_to_say_are_light() {
    let app = TestApp::new().await;
    for number in 0..25 {
        let mut body = skill(&format!("acme/tool-{number}"), "1.0.0");
        body["description"] = json!(dear(4_096));
        body["tags"] = json!(["much"]);
        app.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
    app.settle().await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in [
        "/",
        "/search?limit=200",
        "/trending?limit=200",
        "/tags/much",
        "/users/admin",
        "/acme",
        "/acme/tool-1",
    ] {
        browser.page(path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_instructions_are_shown_as_far_as_there_is_room() {
    let app = TestApp::new().await;
    let head = |name: &str| format!("---\nname: {name}\ndescription: Does much. Use it for that.\n---\n");
    let sections: String = (0..2_000).map(|number| format!("## Part {number}\n\n{}\n\n", dear(40))).collect();
    for (name, body) in [
        ("sections", format!("The beginning.\n\n{sections}The end.\n")),
        ("block", format!("```\n{}\n```\n", dear(200_000))),
        ("nested", format!("{}x\n", "> ".repeat(5_000))),
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
    }
    for number in 0..50 {
        let path = format!("/api/v1/orgs/acme/policy/groups/group-{number}");
        app.put(&path, ADMIN, json!({ "users": people })).await.is(200);
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in [
        "/acme/tool/versions?limit=200",
        "/acme/tool/log",
        "/admin/log?limit=200",
        "/admin/users?limit=200",
        "/admin/audit?limit=200",
        "/orgs/acme/audit?limit=200",
        "/orgs/acme/policy/groups",
        "/account/notifications?limit=200",
        "/account/tokens?limit=200",
    ] {
        browser.page(path).await;
    }
}
