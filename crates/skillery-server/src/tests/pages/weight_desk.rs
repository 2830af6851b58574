//! No page of what people see to is heavy, whatever clients call themselves, and however much there is of all that is named at length.

use std::collections::HashSet;

use axum::http::Request;
use serde_json::json;

use super::super::{ADMIN, SCOPES, TestApp, skill};
use super::policies::seen;
use super::weight::{dear, longest, next, rows};
use super::{ASSETS, Browser, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_of_clients_that_call_themselves_much_is_light() {
    let app = TestApp::new().await;
    let (name, id, version) = longest();
    for number in 10..70 {
        let version = version.replace("1.0.10", &format!("1.0.{number}"));
        let request = Request::post("/api/v1/skills")
            .header("authorization", format!("Bearer {ADMIN}"))
            .header("user-agent", dear(300))
            .header("content-type", "application/json")
            .body(skill(&id, &version).to_string().into())
            .unwrap();
        app.send(request).await.is(201);
    }
    let namespace = id.strip_suffix(&format!("/{name}")).unwrap();
    let about = format!("{id} 1.0.");
    let newest_first: Vec<String> = (10..70).rev().map(|number: u32| number.to_string()).collect();
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in ["/admin/audit".to_owned(), format!("/orgs/{namespace}/audit")] {
        let mut place = Some(format!("{path}?action=version.published&limit=200"));
        let (mut seen, mut pages) = (Vec::new(), 0);
        while let Some(here) = place {
            let page = browser.page(&here).await;
            let rows = page.split(about.as_str()).skip(1);
            seen.extend(rows.map(|rest| rest.split_once('-').unwrap().0.to_owned()));
            pages += 1;
            place = next(&page);
        }
        // Nothing is left out between one page and the next, and none has but a few rows.
        assert_eq!(seen, newest_first, "{path}");
        assert!((3..6).contains(&pages), "{path}: {pages}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_the_audit_about_long_names_is_light() {
    let app = TestApp::new().await;
    let (name, id, version) = longest();
    let org = id.split_once('/').unwrap().0;
    let namespace = id.strip_suffix(&format!("/{name}")).unwrap();
    app.post("/api/v1/orgs", ADMIN, json!({ "name": org })).await.is(201);
    let author = app.user("author", SCOPES).await;
    let reviewer = "r".repeat(64);
    let rita = app.user(&reviewer, SCOPES).await;
    app.member(org, "author", "publisher").await;
    app.member(org, &reviewer, "reviewer").await;
    app.put(&format!("/api/v1/orgs/{org}/policy"), ADMIN, json!({ "approvals": 1 })).await.is(200);
    for number in 10..50 {
        let version = version.replace("1.0.10", &format!("1.0.{number}"));
        app.post("/api/v1/skills", &author, skill(&id, &version)).await.is(202);
        let path = format!("/api/v1/skills/{id}/versions/{version}/approvals");
        app.post(&path, &rita, json!({ "decision": "approved" })).await.is(200);
        let reader = format!("{number}{}", "u".repeat(62));
        app.post("/api/v1/users", ADMIN, json!({ "name": reader })).await.is(201);
        app.member(namespace, &reader, "reader").await;
    }
    for number in 0..40 {
        let policy = json!({ "approvals": 1 + number % 2 });
        app.put(&format!("/api/v1/orgs/{namespace}/policy"), ADMIN, policy).await.is(200);
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in ["/admin/audit".to_owned(), format!("/orgs/{namespace}/audit")] {
        let page = browser.page(&format!("{path}?show=report&days=366")).await;
        let (_, released) =
            page.split_once("<caption class=\"hidden\">Released after approval</caption>").unwrap();
        let (table, rest) = released.split_once("</table>").unwrap();
        let shown = table.matches("data-name=\"Approved by\"").count();
        assert!(shown > 5 && shown < 30, "{path}: {shown}");
        assert!(rest.starts_with(&format!("<p class=\"small dim\">The newest {shown};")), "{path}: {page}");
        assert!(table.contains(&format!("{id} 1.0.49-")), "{path}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_roles_in_namespaces_with_long_names_are_light() {
    let app = TestApp::new().await;
    let (org, rita) = ("n".repeat(27), app.user("rita", &["read"]).await);
    app.post("/api/v1/orgs", ADMIN, json!({ "name": org })).await.is(201);
    let above = format!("{org}/").repeat(7);
    let namespaces: Vec<String> =
        (100..230).map(|number| format!("{above}{number}{}", "s".repeat(56))).collect();
    for namespace in &namespaces {
        assert_eq!(namespace.len(), 255);
        app.member(namespace, "rita", "reader").await;
    }
    let mut browser = Browser::signed_in(&app, &rita).await;
    let shown = rows(&mut browser, "/account", "<tr><td><a class=\"break\" href=\"/orgs/").await;
    assert_eq!(shown, namespaces);
    assert!(browser.page("/account?offset=130").await.contains("There are none here."));
    // Whoever sees to the namespace above has them all there.
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let list = format!("/orgs/{}?limit=200", above.trim_end_matches('/'));
    let shown = rows(&mut browser, &list, "<li><a class=\"break\" href=\"/orgs/").await;
    assert_eq!(shown, namespaces);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_long_ids_and_reasons_is_light() {
    let app = TestApp::new().await;
    let (_, id, version) = longest();
    let versions: Vec<String> =
        (10..40).map(|number| version.replace("1.0.10", &format!("1.0.{number}"))).collect();
    for version in &versions {
        app.publish(&id, version).await;
    }
    for version in &versions {
        let path = format!("/api/v1/skills/{id}/versions/{version}/yank");
        app.put(&path, ADMIN, json!({ "reason": dear(1_000) })).await.is(200);
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for path in ["/admin/log?limit=200".to_owned(), format!("/admin/log?skill={id}&limit=200")] {
        let mut place = Some(path.clone());
        let (mut seen, mut pages) = (Vec::new(), 0);
        while let Some(here) = place {
            let page = browser.page(&here).await;
            let rows = page.split("<tr><td>").skip(1);
            seen.extend(rows.map(|row| row.split_once('<').unwrap().0.parse::<usize>().unwrap()));
            pages += 1;
            place = next(&page);
        }
        assert!((2..6).contains(&pages), "{path}: {pages}");
        assert!(seen.is_sorted_by(|newer, older| newer > older), "{path}: {seen:?}");
        // All entries, or those about the skill: each version was published and yanked.
        let is_all = if path.contains("skill=") { seen.len() >= 60 } else { seen.len() == seen[0] + 1 };
        assert!(is_all, "{path}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_members_with_long_names_of_a_namespace_with_a_long_name_are_light() {
    let app = TestApp::new().await;
    let org = "n".repeat(27);
    app.post("/api/v1/orgs", ADMIN, json!({ "name": org })).await.is(201);
    let namespace = format!("{org}/").repeat(7) + &"s".repeat(59);
    let names: Vec<String> = (10..50).map(|number| format!("{number}{}", "u".repeat(62))).collect();
    for name in &names {
        app.post("/api/v1/users", ADMIN, json!({ "name": name })).await.is(201);
        app.member(&namespace, name, "reader").await;
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let (mut place, mut seen) = (Some(format!("/orgs/{namespace}/members?limit=200")), Vec::new());
    while let Some(path) = place {
        let page = browser.page(&path).await;
        let rows = page.split("<td class=\"break\"><strong>").skip(1);
        seen.extend(rows.map(|row| row.split_once('<').unwrap().0.to_owned()));
        place = next(&page);
    }
    seen.retain(|name| names.contains(name));
    seen.sort();
    assert_eq!(seen, names);
    // What was typed and refused is given back beside them.
    let typed = "\"".repeat(2_000);
    let add = [("action", "add"), ("role", "reader"), ("user", &*typed)];
    let answer = browser.post(&format!("/orgs/{namespace}/members"), &add).await;
    let weight = answer.body.len() + ASSETS;
    assert!(answer.status.is_client_error() && weight <= 100_000, "{}: {weight}", answer.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_of_a_policy_with_many_groups_is_light_and_keeps_what_was_chosen() {
    const POLICY: &str = "/orgs/acme/policy";
    const API: &str = "/api/v1/orgs/acme/policy";
    let app = TestApp::new().await;
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "acme" })).await.is(201);
    let groups: Vec<String> = (10..60).map(|number| format!("{number}{}", "g".repeat(62))).collect();
    for group in &groups {
        app.put(&format!("{API}/groups/{group}"), ADMIN, json!({ "users": ["admin"] })).await.is(200);
    }
    let facts = ["first-version", "new-permissions", "findings-error", "external-dependency", "public"];
    let stage = |number: usize| {
        let name = format!("{number}{}", "s".repeat(63));
        json!({ "name": name, "approvals": 1, "role": "reviewer", "group": groups[number], "when": facts })
    };
    let stages: Vec<_> = (0..8).map(stage).collect();
    let policy = json!({ "stages": stages, "when": facts, "auto": { "groups": groups[..8] } });
    app.put(API, ADMIN, policy.clone()).await.is(200);
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let page = browser.page(POLICY).await;
    // Each group is offered once, and what was chosen is in the form.
    for group in &groups {
        assert_eq!(page.matches(&format!("<option value=\"{group}\">")).count(), 1, "{page}");
    }
    for (place, group) in groups[..8].iter().enumerate() {
        let field = format!("name=\"stage-{place}-group\" value=\"{group}\" list=\"groups\"");
        assert!(page.contains(&field), "{field}: {page}");
    }
    let boxes = "<input type=\"checkbox\" name=\"groups\" value=\"";
    assert_eq!(page.matches(boxes).count(), 8, "{page}");
    // Others are typed, and stand among those that were chosen; one that is typed again is the same.
    let two = format!("{}, {},{}", groups[40], groups[41], groups[7]);
    let fields = [
        ("action", "look"),
        ("approvals", "1"),
        ("role", "reviewer"),
        ("groups", groups[7].as_str()),
        ("groups", two.as_str()),
    ];
    let answer = browser.post(POLICY, &fields).await;
    let (page, weight) = (text(&answer), answer.body.len() + ASSETS);
    assert!(answer.status == 200 && weight <= 100_000, "{}: {weight}", answer.status);
    for group in [&groups[7], &groups[40], &groups[41]] {
        assert!(page.contains(&format!("{boxes}{group}\" checked>")), "{group}: {page}");
    }
    assert_eq!(page.matches(boxes).count(), 3, "{page}");
    assert!(page.contains("A save would change:") && page.contains("<dt>And "), "{page}");
    // What was demanded at one time or another is told on several pages.
    for days in 1..=20 {
        let mut policy = policy.clone();
        policy["expires_days"] = json!(days);
        app.put(API, ADMIN, policy).await.is(200);
    }
    let (mut place, mut entries) = (Some(format!("{POLICY}/history")), Vec::new());
    while let Some(path) = place {
        let page = browser.page(&path).await;
        let told = page.split(", entry ").skip(1);
        entries.extend(told.map(|rest| rest.split_once('<').unwrap().0.to_owned()));
        place = next(&page);
    }
    assert_eq!(entries.len(), 21, "{entries:?}");
    assert_eq!(entries.iter().collect::<HashSet<_>>().len(), 21, "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refused_form_of_the_longest_policy_below_others_is_light_and_keeps_what_was_typed() {
    const FACTS: [&str; 7] = [
        "first-version",
        "new-permissions",
        "findings-note",
        "findings-warning",
        "findings-error",
        "external-dependency",
        "public",
    ];
    const QUOTE: &str = "&#34;";
    let app = TestApp::new().await;
    let namespace = vec!["n".repeat(31); 8].join("/");
    assert_eq!(namespace.len(), 255);
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "n".repeat(31) })).await.is(201);
    let api = format!("/api/v1/orgs/{namespace}/policy");
    let groups: Vec<String> = (10..60).map(|number| format!("{number}{}", "g".repeat(62))).collect();
    for group in &groups {
        app.put(&format!("{api}/groups/{group}"), ADMIN, json!({ "users": ["admin"] })).await.is(200);
    }
    // Those above have no groups.
    let policy = |groups: &[String], days: u32| {
        let stage = |number: usize| {
            let name = format!("{number}{}", "s".repeat(63));
            let mut stage = json!({ "name": name, "approvals": 16, "role": "reviewer", "when": FACTS });
            if let Some(group) = groups.get(number) {
                stage["group"] = json!(group);
            }
            stage
        };
        json!({
            "stages": (0..8).map(stage).collect::<Vec<_>>(),
            "when": FACTS,
            "auto": { "builds": true, "patches": true, "groups": groups },
            "signed": true,
            "signed_reviews": true,
            "same_people": true,
            "expires_days": days,
            "review": { "days": 3_650, "overdue": "warn" },
        })
    };
    for (end, _) in namespace.match_indices('/') {
        let path = format!("/api/v1/orgs/{}/policy", &namespace[..end]);
        app.put(&path, ADMIN, policy(&[], 3_650)).await.is(200);
    }
    app.put(&api, ADMIN, policy(&groups[..8], 3_650)).await.is(200);
    let page_of_policy = format!("/orgs/{namespace}/policy");
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let page = browser.page(&page_of_policy).await;
    let old = seen(&page);
    assert!(page.contains(&groups[49]) && page.contains("<dt>Stage 8</dt>"), "{page}");
    // Somebody else saves another one meanwhile.
    let mut other = policy(&groups[8..16], 3_649);
    other["stages"].as_array_mut().unwrap().reverse();
    app.put(&api, ADMIN, other).await.is(200);
    let typed = |name: &dyn Fn(usize) -> String, group: &dyn Fn(usize) -> String, more: &[String]| {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut say = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
        for place in 0..8 {
            say(&format!("stage-{place}-name"), &name(place));
            say(&format!("stage-{place}-approvals"), "15");
            say(&format!("stage-{place}-role"), "admin");
            say(&format!("stage-{place}-group"), &group(place));
            for fact in FACTS {
                say(&format!("stage-{place}-when"), fact);
            }
        }
        for fact in FACTS {
            say("when", fact);
        }
        for group in more {
            say("groups", group);
        }
        for (name, value) in [
            ("stages", "8"),
            ("approvals", "0"),
            ("role", "reviewer"),
            ("builds", "yes"),
            ("signed", "yes"),
            ("same_people", "yes"),
            ("expires_days", "3648"),
            ("review_days", "3647"),
            ("overdue", "hold"),
            ("seen", old.as_str()),
        ] {
            say(name, value);
        }
        fields
    };
    // What stands in the address is not said again.
    let action = format!("{page_of_policy}?x={}", "&".repeat(4_000));
    let mut send = async |action_of_form: &str, fields: &[(String, String)]| {
        let mut sent: Vec<(&str, &str)> = vec![("action", action_of_form)];
        sent.extend(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let answer = browser.post(&action, &sent).await;
        let weight = answer.body.len() + ASSETS;
        assert!(weight <= 100_000, "{action_of_form}: {weight}");
        (answer.status, text(&answer))
    };
    // What can be a policy, of groups that are there, and of some that are not.
    let is_there = |place: usize| groups[20 + place].clone();
    let is_missing = |place: usize| format!("{place}{}", "m".repeat(63));
    for group in [&is_there as &dyn Fn(usize) -> String, &is_missing] {
        let chosen: Vec<String> = (0..8).map(group).collect();
        let fields = typed(&name_of, group, &chosen);
        for (action, expected) in [("set", 409), ("look", 200), ("down-0", 200)] {
            let (status, page) = send(action, &fields).await;
            assert_eq!(status, expected, "{action}: {page}");
            for place in 0..8 {
                let (name, group) = (name_of(place), group(place));
                assert!(page.contains(&format!("-name\" value=\"{name}\"")), "{action}: {page}");
                assert!(page.contains(&format!("-group\" value=\"{group}\"")), "{action}: {page}");
                let named = format!("name=\"groups\" value=\"{group}\" checked>");
                assert!(page.contains(&named), "{action}: {page}");
            }
            assert!(page.contains("value=\"3648\"") && page.contains("value=\"3647\""), "{action}: {page}");
            assert!(page.contains("A save would change:"), "{action}: {page}");
            assert_eq!(page.contains("has changed the policy"), action == "set", "{action}: {page}");
        }
    }
    // More groups than a policy names leave less room for what is told.
    let fields = typed(&name_of, &is_there, &groups[..40]);
    for (action, expected) in [("set", 422), ("look", 200)] {
        let (status, page) = send(action, &fields).await;
        assert_eq!(status, expected, "{action}: {page}");
        assert_eq!(page.matches("name=\"groups\" value=\"").count(), 40, "{action}: {page}");
        assert!(
            page.contains(" more in namespaces above. All that they say: <code>skillery org policy show nnn"),
            "{action}: {page}"
        );
        assert!(
            page.contains("A save would change:") && page.contains("<dt>Stage 8</dt>"),
            "{action}: {page}"
        );
    }
    // What can be none is given back as well, as far as fields take it.
    let quotes = |_: usize| "\"".repeat(64);
    let more: Vec<String> = (0..8).map(|place| groups[20 + place].clone()).collect();
    let more = [more, (0..8).map(is_missing).collect()].concat();
    let fields = typed(&quotes, &quotes, &more);
    for (action, expected) in [("set", 422), ("look", 200), ("up-1", 200)] {
        let (status, page) = send(action, &fields).await;
        assert_eq!(status, expected, "{action}: {page}");
        for field in ["name", "group"] {
            let value = format!("-{field}\" value=\"{}\"", QUOTE.repeat(64));
            assert_eq!(page.matches(&value).count(), 8, "{action}: {page}");
        }
        for group in &more {
            let named = format!("name=\"groups\" value=\"{group}\" checked>");
            assert!(page.contains(&named), "{action}: {page}");
        }
    }
    // What no field takes is not, wherever it stands.
    for (name, length) in [
        ("stage-0-name", 4_000),
        ("stage-0-group", 2_000),
        ("stage-0-approvals", 4_000),
        ("groups", 2_000),
        ("review_days", 4_000),
    ] {
        let mut fields = typed(&name_of, &is_there, &[]);
        fields.retain(|(field, _)| field != name);
        fields.push((name.to_owned(), "\"".repeat(length)));
        let (status, page) = send("set", &fields).await;
        assert!(status == 400 && !page.contains(&QUOTE.repeat(length)), "{name} {status}: {page}");
    }
    // Nor is all of it where it is told why it is refused.
    let mut fields = typed(&name_of, &is_there, &[]);
    fields.retain(|(field, _)| field != "stage-0-role");
    fields.push(("stage-0-role".to_owned(), "\"".repeat(4_000)));
    let (status, page) = send("set", &fields).await;
    assert!(status == 422 && page.contains(&format!("-name\" value=\"{}\"", name_of(7))), "{status}: {page}");
}

/// What a stage is called in the form.
fn name_of(place: usize) -> String {
    format!("{place}{}", "t".repeat(63))
}
