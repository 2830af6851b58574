//! Pages of skills that very many need, and of those that need very many.

use super::super::folders::{asked, file};
use super::super::{ADMIN, TestApp};
use super::Browser;
use super::weight::{beside, longest, next};

/// A range that is nearly as long as one may be, and longer as HTML.
fn wide() -> String {
    [">=1"; 25].join(", ")
}

/// That these are needed, in versions of this range.
fn within(ids: &[String], range: &str) -> Vec<String> {
    ids.iter().map(|id| format!("{id} {range}")).collect()
}

/// Publishes a folder that needs these.
async fn publish(app: &TestApp, id: &str, needs: &[String]) {
    let (_, name) = id.rsplit_once('/').unwrap();
    let head = format!("---\nname: {name}\ndescription: Does much. Use it for that.\n");
    let text = format!("{head}metadata:\n  skillery-dependencies: \"{}\"\n---\nx\n", needs.join(", "));
    app.send_folder(ADMIN, &asked(id, "1.0.0"), vec![file("SKILL.md", text)]).await.is(201);
}

/// The skills that need it, as a page lists them.
fn needing(page: &str) -> Vec<&str> {
    let (_, list) = page.split_once("<h2 id=\"needed\">").unwrap();
    let rows = list.split("<td><a class=\"break\" href=\"/").skip(1);
    rows.map(|row| row.split_once('"').unwrap().0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_that_very_many_need_and_one_that_needs_very_many_are_light() {
    let app = TestApp::new().await;
    let (name, id, _) = longest();
    let namespace = id.strip_suffix(name.as_str()).unwrap();
    let base = format!("{namespace}{}", "b".repeat(31));
    let many: Vec<String> =
        (100..240).map(|number| format!("{namespace}{}{number}", "a".repeat(28))).collect();
    let both: Vec<String> = (1..3).map(|number| format!("{namespace}{}{number}", "s".repeat(30))).collect();
    let of_base = format!("{base} {}", wide());
    app.publish(&base, "1.0.0").await;
    for one in &many {
        publish(&app, one, std::slice::from_ref(&of_base)).await;
    }
    for (one, part) in both.iter().zip(many.chunks(70)) {
        publish(&app, one, &[within(part, "^1"), vec![of_base.clone()]].concat()).await;
    }
    publish(&app, &id, &[within(&both, &wide()), vec![of_base]].concat()).await;
    let mut browser = Browser::new(&app);
    let page = browser.page(&format!("/{id}/dependencies")).await;
    assert!(page.contains(" and 123 more</span></td>"), "{page}");
    let page = browser.page(&format!("/{base}/dependencies?offset=140")).await;
    assert_eq!(needing(&page), [&*both[0], &*both[1], &*id], "{page}");
    // That they need this skill is told, whatever comes before it by name.
    let told = ["this skill <code>", " and 51 more</span></td>"].map(|part| page.matches(part).count());
    assert_eq!(told, [3, 2], "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_to_the_page_with_the_picture_passes_over_no_row() {
    let app = TestApp::new().await;
    let (name, id, _) = longest();
    let namespace = id.strip_suffix(name.as_str()).unwrap();
    let of = |letter: &str, number: usize| format!("{namespace}{}{number}", letter.repeat(29));
    let others: Vec<String> = (10..34).map(|number| of("p", number)).collect();
    let heavy: Vec<String> = (10..14).map(|number| of("a", number)).collect();
    let here = within(std::slice::from_ref(&id), "^1");
    // What it needs, and what that needs, makes a heavy picture.
    publish(&app, &id, &within(&others[..10], "^1")).await;
    for (place, other) in others.iter().enumerate() {
        let further = if place == 0 { within(&others[10..20], "^1") } else { Vec::new() };
        publish(&app, other, &[here.clone(), further].concat()).await;
    }
    // Beside it, one of these has room; then two; all three of them would have it without.
    for (one, count) in heavy.iter().zip([12, 24, 9, 24]) {
        let needs = [within(std::slice::from_ref(&id), &wide()), within(&others[..count], &wide())];
        publish(&app, one, &needs.concat()).await;
    }
    let mut browser = Browser::new(&app);
    let first = browser.page(&format!("/{id}/dependencies")).await;
    let second = browser.page(&next(&first).unwrap()).await;
    let third = browser.page(&next(&second).unwrap()).await;
    assert!(first.contains("<svg class=\"graph\"") && !second.contains("<svg class=\"graph\""), "{second}");
    assert_eq!((needing(&first), needing(&second)), (vec![&*heavy[0]], vec![&*heavy[1], &*heavy[2]]));
    assert_eq!(needing(&third)[0], heavy[3]);
    let back = browser.page(&beside(&third, "prev").unwrap()).await;
    assert_eq!(needing(&back), needing(&second));
    let back = browser.page(&beside(&back, "prev").unwrap()).await;
    assert_eq!((needing(&back), beside(&back, "prev")), (needing(&first), None));
}
