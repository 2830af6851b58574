//! The editor of policies and groups, and what there was before.

use serde_json::{Value, json};

use super::super::{ADMIN, TestApp};
use super::settings::people;
use super::{Browser, text};

const POLICY: &str = "/orgs/acme/policy";
const GROUPS: &str = "/orgs/acme/policy/groups";

async fn own(app: &TestApp) -> Value {
    let policies = app.get_as(ADMIN, "/api/v1/orgs/acme/policy").await.is(200);
    policies["policies"].as_array().unwrap().last().cloned().unwrap_or(Value::Null)
}

/// What a form was made from.
pub(super) fn seen(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"seen\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_told_set_and_removed() {
    let app = TestApp::new().await;
    let [reader, publisher, admin, _, stranger] = people(&app).await;
    let set = [("action", "set"), ("approvals", "2"), ("role", "admin"), ("signed", "yes")];
    for (token, status) in [(&reader, 403), (&publisher, 403), (&stranger, 403), (&admin, 303)] {
        assert_eq!(Browser::signed_in(&app, token).await.post(POLICY, &set).await.status, status);
    }
    let page = Browser::signed_in(&app, &reader).await.page(POLICY).await;
    for part in ["<dd>2 admins or above</dd>", "versions must be signed when they are published"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("value=\"remove\"") && !page.contains("Save the policy"), "{page}");
    let mut browser = Browser::signed_in(&app, &admin).await;
    let first = seen(&browser.page(POLICY).await);
    for (approvals, role, days) in [
        ("0", "reviewer", ""),
        ("17", "reviewer", ""),
        ("<b>", "reviewer", ""),
        ("1", "reader", ""),
        ("1", "<b>", ""),
        ("1", "reviewer", "0"),
        ("1", "reviewer", "<b>"),
        ("99999999999", "reviewer", ""),
    ] {
        let fields = [
            ("action", "set"),
            ("approvals", approvals),
            ("role", role),
            ("expires_days", days),
            ("seen", &first),
        ];
        let answer = browser.post(POLICY, &fields).await;
        let page = text(&answer);
        assert_eq!(answer.status, 422, "{approvals} {role}: {page}");
        assert!(page.contains("class=\"wrong\"") && !page.contains("<b>"), "{page}");
        assert!(page.contains("Nothing is saved yet."), "{page}");
    }
    let remove = [("action", "remove"), ("seen", first.as_str()), ("confirm", "yes")];
    assert!(text(&browser.post(POLICY, &remove[..2]).await).contains("demand nothing itself?"));
    assert_eq!(Browser::signed_in(&app, &stranger).await.post(POLICY, &remove).await.status, 403);
    assert_eq!(browser.post(POLICY, &remove).await.status, 303);
    assert!(app.get_as(ADMIN, "/api/v1/orgs/acme/policy").await.is(200)["demanded"].is_null());
    assert!(browser.page(POLICY).await.contains("Nothing is demanded"));
    // What there was is kept, with who set it.
    let page = Browser::signed_in(&app, &reader).await.page("/orgs/acme/policy/history").await;
    for part in
        ["2 changes of the policy", "The policy was removed.", "the-admin", "<ins>2 admins or above</ins>"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    for path in ["/orgs/acme/policy/history", GROUPS] {
        assert_eq!(Browser::signed_in(&app, &stranger).await.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_above_is_linked_for_those_who_are_shown_it() {
    let app = TestApp::new().await;
    let [ada] = app.staff([("ada", "reader")]).await;
    app.publish("acme/team/tool", "1.0.0").await;
    let bob = app.user("bob", &["read"]).await;
    app.member("acme/team", "bob", "reader").await;
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 2 })).await.is(200);
    for (token, is_linked) in [(&ada, true), (&bob, false)] {
        let mut browser = Browser::signed_in(&app, token).await;
        let page = browser.page("/orgs/acme/team/policy").await;
        assert!(page.contains("aria-label=\"Policy of acme\"") && page.contains("2 reviewers"), "{page}");
        assert_eq!(page.contains("<a href=\"/orgs/acme/policy\">acme</a>"), is_linked, "{page}");
        assert_eq!(browser.get(POLICY).await.status, if is_linked { 200 } else { 404 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_policy_is_edited_without_losing_anything() {
    let app = TestApp::new().await;
    let [_, _, admin, ..] = people(&app).await;
    let whole = json!({
        "signed": true, "signed_reviews": true, "same_people": true, "expires_days": 14, "when": ["public", "first-version"],
        "stages": [
            { "name": "look", "approvals": 2, "role": "reviewer" },
            { "name": "security", "approvals": 1, "role": "reviewer", "group": "security", "when": ["new-permissions"] },
            { "name": "release", "approvals": 1, "role": "owner" },
        ],
        "auto": { "builds": true, "patches": true, "groups": ["security"] },
        "review": { "days": 180, "overdue": "hold" },
    });
    app.put("/api/v1/orgs/acme/policy/groups/security", ADMIN, json!({ "users": ["the-owner"] }))
        .await
        .is(200);
    app.put("/api/v1/orgs/acme/policy", ADMIN, whole.clone()).await.is(200);
    let mut browser = Browser::signed_in(&app, &admin).await;
    let page = browser.page(POLICY).await;
    let seen = seen(&page);
    let fields: Vec<(&str, &str)> = vec![
        ("seen", &seen),
        ("stages", "3"),
        ("approvals", "0"),
        ("role", "reviewer"),
        ("stage-0-name", "look"),
        ("stage-0-approvals", "2"),
        ("stage-0-role", "reviewer"),
        ("stage-0-group", ""),
        ("stage-1-name", "security"),
        ("stage-1-approvals", "1"),
        ("stage-1-role", "reviewer"),
        ("stage-1-group", "security"),
        ("stage-1-when", "new-permissions"),
        ("stage-2-name", "release"),
        ("stage-2-approvals", "1"),
        ("stage-2-role", "owner"),
        ("stage-2-group", ""),
        ("when", "public"),
        ("when", "first-version"),
        ("builds", "yes"),
        ("patches", "yes"),
        ("groups", "security"),
        ("signed", "yes"),
        ("signed_reviews", "yes"),
        ("same_people", "yes"),
        ("expires_days", "14"),
        ("review_days", "180"),
        ("overdue", "hold"),
    ];
    // The page has it all, so that what a browser would send is what is in force.
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        let field = format!(" name=\"{name}\"");
        let fields = page.split(&field).skip(1);
        let is_there = fields.map(|rest| match rest.split_once('>').unwrap() {
            (tag, _) if tag.contains("value=") => {
                tag.contains(&format!("value=\"{value}\""))
                    && (!page.contains(&format!("type=\"checkbox\" name=\"{name}\""))
                        || tag.contains(" checked"))
            }
            (_, options) => {
                let options = options.split("</select>").next().unwrap();
                options.contains(&format!("<option value=\"{value}\" selected"))
            }
        });
        let is_there = is_there.into_iter().any(|is_there| is_there);
        assert!(is_there, "{name}={value}: {page}");
    }
    let press = |action: &'static str| {
        let mut fields = fields.clone();
        fields.push(("action", action));
        fields
    };
    assert_eq!(browser.post(POLICY, &press("set")).await.status, 303);
    assert_eq!(own(&app).await["policy"], {
        let mut policy = whole.clone();
        policy["approvals"] = json!(0);
        policy["role"] = json!("reviewer");
        policy["when"] = json!(["public", "first-version"]);
        policy
    });
    // Buttons change the form and nothing else.
    let order = |page: &str| -> Vec<String> {
        let names = page.split("-name\" value=\"").skip(1);
        names.map(|part| part.split('"').next().unwrap().to_owned()).collect()
    };
    for (action, expected) in [
        ("add", vec!["look", "security", "release", ""]),
        ("up-1", vec!["security", "look", "release"]),
        ("down-1", vec!["look", "release", "security"]),
        ("remove-0", vec!["security", "release"]),
        ("look", vec!["look", "security", "release"]),
    ] {
        let answer = browser.post(POLICY, &press(action)).await;
        let page = text(&answer);
        assert_eq!(answer.status, 200, "{action}: {page}");
        assert_eq!(order(&page), expected, "{action}");
        assert!(page.contains("Nothing is saved yet.") && page.contains("value=\"180\""), "{action}: {page}");
    }
    assert_eq!(own(&app).await["policy"]["stages"].as_array().unwrap().len(), 3);
    // A preset fills the form; what is missing for it is told when it is saved.
    let begin = [("action", "begin"), ("preset", "regulated"), ("seen", seen.as_str())];
    let page = text(&browser.post(POLICY, &begin).await);
    assert!(page.contains("A save would change:") && page.contains("value=\"365\""), "{page}");
    assert_eq!(
        browser.post(POLICY, &[("action", "begin"), ("preset", "<b>"), ("seen", &seen)]).await.status,
        422
    );
    app.delete("/api/v1/orgs/acme/policy", ADMIN).await.is(200);
    app.delete("/api/v1/orgs/acme/policy/groups/security", ADMIN).await.is(204);
    let stage = [
        ("action", "set"),
        ("stages", "1"),
        ("stage-0-name", "x"),
        ("stage-0-approvals", "1"),
        ("stage-0-role", "reviewer"),
        ("stage-0-group", "security"),
    ];
    let answer = browser.post(POLICY, &stage).await;
    assert_eq!(answer.status, 422);
    assert!(
        text(&answer).contains("has no group `security`")
            && text(&answer).contains("security (there is none yet)")
    );
    for (name, says) in
        [("", "a stage has a name"), ("<script>", "class=\"wrong\""), ("UPPER case", "class=\"wrong\"")]
    {
        let mut fields = stage;
        fields[2].1 = name;
        let answer = browser.post(POLICY, &fields).await;
        assert_eq!(answer.status, 422, "{name}");
        assert!(text(&answer).contains(says) && !text(&answer).contains("<script>w"), "{}", text(&answer));
    }
    assert_eq!(browser.post(POLICY, &[("action", "set"), ("seen", "x")]).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_saved_meanwhile_is_shown_and_not_lost() {
    let app = TestApp::new().await;
    let [_, _, admin, owner, _] = people(&app).await;
    let (mut one, mut other) =
        (Browser::signed_in(&app, &admin).await, Browser::signed_in(&app, &owner).await);
    // Both open the page where nothing is demanded.
    let (mine, theirs) = (seen(&one.page(POLICY).await), seen(&other.page(POLICY).await));
    let stages = [
        ("action", "set"),
        ("stages", "1"),
        ("stage-0-name", "security"),
        ("stage-0-approvals", "3"),
        ("stage-0-role", "admin"),
        ("expires_days", "9"),
        ("seen", theirs.as_str()),
    ];
    assert_eq!(other.post(POLICY, &stages).await.status, 303);
    let set = own(&app).await;
    let fields = |seen: &str| -> Vec<(&'static str, String)> {
        [("action", "set"), ("approvals", "2"), ("role", "owner"), ("expires_days", "77"), ("seen", seen)]
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec()
    };
    let send = |fields: &[(&'static str, String)]| -> Vec<(&'static str, String)> { fields.to_vec() };
    let sent = send(&fields(&mine));
    let sent: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = one.post(POLICY, &sent).await;
    let page = text(&answer);
    assert_eq!(answer.status, 409, "{page}");
    for part in [
        "the-owner has changed the policy",
        "Nothing was saved.",
        "<ins>security: 3 admins or above</ins>",
        "<ins>after 9 days</ins>",
        "value=\"77\"",
        "<option value=\"owner\" selected>",
        "A save would change:",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(own(&app).await, set);
    // An old form removes nothing either.
    let remove = [("action", "remove"), ("seen", mine.as_str()), ("confirm", "yes")];
    let answer = one.post(POLICY, &remove).await;
    assert_eq!(answer.status, 409, "{}", text(&answer));
    assert_eq!(own(&app).await, set);
    // Who has seen it saves over it.
    let again = fields(&seen(&page));
    let again: Vec<(&str, &str)> = again.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(one.post(POLICY, &again).await.status, 303);
    assert_eq!(own(&app).await["policy"]["approvals"], 2);
    // Forms of the same page, sent at the same time: one of them is told.
    let now = fields(&seen(&one.page(POLICY).await));
    let mut tries = Vec::new();
    for days in ["10", "11", "12", "13"] {
        let mut browser = Browser::signed_in(&app, &admin).await;
        let mut fields = now.clone();
        fields[3].1 = days.to_owned();
        tries.push(async move {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            browser.post(POLICY, &fields).await.status.as_u16()
        });
    }
    let mut statuses = futures_util::future::join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409, 409, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_made_changed_and_removed() {
    let app = TestApp::new().await;
    let [reader, _, admin, ..] = people(&app).await;
    let add = [("action", "add"), ("group", "security"), ("users", "the-owner, the-admin\r\n")];
    assert_eq!(Browser::signed_in(&app, &reader).await.post(GROUPS, &add).await.status, 403);
    let mut browser = Browser::signed_in(&app, &admin).await;
    assert!(browser.page(GROUPS).await.contains("There is no group here"));
    assert_eq!(browser.post(GROUPS, &add).await.status, 303);
    let old = browser.page(GROUPS).await;
    assert!(old.contains("the-admin\nthe-owner</textarea>"), "{old}");
    let page = Browser::signed_in(&app, &reader).await.page(GROUPS).await;
    assert!(page.contains("the-admin, the-owner") && !page.contains("<textarea"), "{page}");
    // One that is there is not made again, and names that nobody has are told.
    assert_eq!(browser.post(GROUPS, &add).await.status, 409);
    for (group, users, status) in [
        ("other", "nobody-<b>", 404),
        ("UPPER<b>", "", 422),
        ("", "", 422),
        ("other", &*"x ".repeat(201), 422),
    ] {
        let answer = browser.post(GROUPS, &[("action", "add"), ("group", group), ("users", users)]).await;
        let page = text(&answer);
        assert_eq!(answer.status, status, "{group}: {page}");
        assert!(page.contains("class=\"wrong\"") && !page.contains("<b>"), "{page}");
    }
    let seen = seen(&old);
    let set = [("action", "set"), ("group", "security"), ("users", "the-owner"), ("seen", seen.as_str())];
    assert_eq!(browser.post(GROUPS, &set).await.status, 303);
    // An old form keeps nobody in who was taken out.
    let stale = [("action", "set"), ("group", "security"), ("users", "the-reader"), ("seen", seen.as_str())];
    let answer = browser.post(GROUPS, &stale).await;
    assert_eq!(answer.status, 409);
    assert!(text(&answer).contains("the-reader</textarea>"), "{}", text(&answer));
    // Who is in it by now is shown, and what another save would change.
    for part in ["In it now: the-owner.", "takes out <del>the-owner</del>", "puts in <ins>the-reader</ins>"] {
        assert!(text(&answer).contains(part), "{part}: {}", text(&answer));
    }
    // Nor is one removed that is not as it was looked at, nor is it done by a button that there is not.
    let late = [("action", "remove"), ("group", "security"), ("confirm", "yes"), ("seen", seen.as_str())];
    assert_eq!(browser.post(GROUPS, &late).await.status, 409);
    let other = [("action", "other"), ("group", "security"), ("users", "")];
    assert_eq!(browser.post(GROUPS, &other).await.status, 400);
    let again = text(&browser.post(GROUPS, &add).await);
    assert!(again.contains("has a group `security` already"), "{again}");
    let newest = {
        let page = browser.page(GROUPS).await;
        assert!(page.contains("the-owner</textarea>"), "{page}");
        self::seen(&page)
    };
    let policy = json!({ "stages": [{ "name": "security", "group": "security" }] });
    app.put("/api/v1/orgs/acme/policy", ADMIN, policy).await.is(200);
    let remove = [("action", "remove"), ("group", "security"), ("seen", newest.as_str()), ("confirm", "yes")];
    assert_eq!(browser.post(GROUPS, &remove).await.status, 422);
    assert!(browser.page(GROUPS).await.contains("the policy asks for it"));
    app.delete("/api/v1/orgs/acme/policy", ADMIN).await.is(200);
    assert!(text(&browser.post(GROUPS, &remove[..3]).await).contains("Remove the group security of acme?"));
    assert_eq!(browser.post(GROUPS, &remove).await.status, 303);
    assert!(browser.page(GROUPS).await.contains("There is no group here"));
    // Groups above are told, and changed where they are.
    app.put("/api/v1/orgs/acme/policy/groups/core", ADMIN, json!({ "users": ["the-owner"] })).await.is(200);
    let page = browser.page("/orgs/acme/inner/policy/groups").await;
    assert!(page.contains("Groups above") && page.contains("href=\"/orgs/acme/policy/groups\""), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_groups_are_named_and_opened_one_by_one() {
    let app = TestApp::new().await;
    let [_, _, admin, ..] = people(&app).await;
    for number in 10..40 {
        let path = format!("/api/v1/orgs/acme/policy/groups/g{number}");
        app.put(&path, ADMIN, json!({ "users": ["the-owner"] })).await.is(200);
    }
    let mut browser = Browser::signed_in(&app, &admin).await;
    let page = browser.page(GROUPS).await;
    assert!(page.len() < 100_000, "{}", page.len());
    assert!(page.contains("30 groups") && page.contains("id=\"users-g10\""), "{page}");
    let closed = "href=\"/orgs/acme/policy/groups?group=g39\">1 member</a>";
    assert!(page.contains(closed) && !page.contains("id=\"users-g39\""), "{page}");
    let page = browser.page(&format!("{GROUPS}?group=g39")).await;
    assert!(!page.contains(closed) && page.contains("id=\"users-g39\""), "{page}");
    // A form that is refused is among those that are open.
    let answer = browser
        .post(GROUPS, &[("action", "set"), ("group", "g39"), ("users", "nobody-x"), ("seen", "1")])
        .await;
    assert!(text(&answer).contains("nobody-x</textarea>"), "{}", text(&answer));
}
