//! Pages of how skills are used.

use serde_json::json;

use super::super::folders::{asked, file};
use super::super::insight::people::holders;
use super::super::{ADMIN, TestApp, skill};
use super::{Browser, text};

const DAY: i64 = 86_400;

/// A skill with two versions, one of which was taken back, that users and programs have installed.
async fn used(app: &TestApp) {
    for version in ["1.0.0", "1.1.0"] {
        app.publish("acme/tool", version).await;
    }
    let download = |version: &str| format!("/api/v1/skills/acme/tool/download?version={version}");
    for (user, version) in [("anna", "1.0.0"), ("ben", "1.1.0"), ("carl", "1.1.0"), ("dora", "1.1.0")] {
        let token = app.user(user, &["read", "rate"]).await;
        app.get_as(&token, &download(version)).await.is(200);
    }
    app.get(&download("1.0.0")).await.is(200);
    app.put(
        "/api/v1/skills/acme/tool/versions/1.0.0/yank",
        ADMIN,
        json!({ "reason": "it <b>loses</b> mail" }),
    )
    .await
    .is(200);
    app.settle().await;
}

fn needing(name: &str) -> String {
    format!(
        "---\nname: {name}\ndescription: Does things. Use it when there are some.\nmetadata:\n  skillery-dependencies: \"acme/tool ^1.0\"\n---\nx\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_skill_is_used_is_shown_with_its_figures() {
    let app = TestApp::new().await;
    used(&app).await;
    app.send_folder(ADMIN, &asked("acme/upper", "1.0.0"), vec![file("SKILL.md", needing("upper"))])
        .await
        .is(201);
    let hidden = json!({ "id": "acme/spy", "version": "1.0.0", "visibility": "private" });
    app.send_folder(ADMIN, &hidden, vec![file("SKILL.md", needing("spy"))]).await.is(201);
    let mut browser = Browser::new(&app);
    let page = browser.page("/acme/tool/usage").await;
    for part in [
        "<strong>5</strong> in the last 28 days<span class=\"dim\">, none in the 28 days before</span>",
        "<svg class=\"chart chart-bars\" role=\"img\"",
        "<td>2026-01-02</td><td class=\"number\">5</td>",
        "<td><a href=\"/acme/tool/usage?by=day&#38;version=1.1.0\">1.1.0</a></td><td class=\"number\">3</td>",
        "<a class=\"tag\" href=\"/acme/tool/usage?by=day&#38;program=other\">other <span class=\"dim\">5</span></a>",
        "<strong>60 %</strong> of 5 installs in the last 28 days took the newest version, 1.1.0",
        "Of 4 signed-in users, 75 % have it",
        "1.0.0</a> <span class=\"pill warn\">yanked</span>",
        "it &#60;b&#62;loses&#60;/b&#62; mail",
        "Names are for admins of the namespace",
        "A change reaches <strong>1 skill</strong>, 1 of them directly",
        "href=\"/acme/upper\"",
        "href=\"/acme/tool/dependencies\"",
        "of 100 for 1.1.0",
        "href=\"/acme/tool/usage?by=week\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("anna") && !page.contains("spy") && !page.contains("<b>loses"), "{page}");
    let score = app.get("/api/v1/skills/acme/tool/versions/1.1.0/health").await.is(200);
    assert!(
        page.contains(&format!("<strong>{}</strong> <span class=\"dim\">of 100", score["points"])),
        "{page}"
    );
    let plain = page.replace("&#39;", "'").replace("&#34;", "\"").replace("&#60;", "<").replace("&#62;", ">");
    let plain = plain.replace("<code>", "`").replace("</code>", "`").replace("&quot;", "\"");
    let plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    for part in score["parts"].as_array().unwrap() {
        let hint = part["hint"].as_str().unwrap_or("");
        assert!(plain.contains(hint), "{hint}: {page}");
    }
    // Who looks after it sees who, and what others do not.
    let seen = Browser::signed_in(&app, ADMIN).await.page("/acme/tool/usage").await;
    assert!(
        seen.contains("<td data-name=\"Who\" class=\"break\">anna</td>") && seen.contains("/acme/spy"),
        "{seen}"
    );
    // Two weeks later it is less than before, by week as well.
    app.app.environment.advance_seconds(28 * DAY);
    app.get("/api/v1/skills/acme/tool/download").await.is(200);
    app.settle().await;
    let later = browser.page("/acme/tool/usage?by=day").await;
    assert!(later.contains("80 % fewer than the 5 in the 28 days before"), "{later}");
    let weeks = browser.page("/acme/tool/usage?by=week").await;
    assert!(
        weeks.contains("<strong>6</strong> in the last 26 weeks") && weeks.contains("chart-lines"),
        "{weeks}"
    );
    assert_eq!(weeks.matches("<td>20").count(), 26, "{weeks}");
    let months = browser.page("/acme/tool/usage?by=month").await;
    assert!(months.contains("<strong>6</strong> in the last 24 months"), "{months}");
    assert_eq!(months.matches("<td>20").count(), 24, "{months}");
    assert_eq!(browser.get("/acme/tool/usage?by=year").await.status, 400);
    // The skill's own page tells the score, and how it went lately.
    let shown = browser.page("/acme/tool").await;
    assert!(shown.contains(&format!("/acme/tool/usage#health\">{} of 100</a>", score["points"])), "{shown}");
    assert!(shown.contains("chart-spark") && shown.contains("href=\"/acme/tool/usage\""), "{shown}");
    let badge = text(&browser.get("/acme/tool/badge/health.svg").await);
    assert!(badge.contains(&format!("{}/100", score["points"])), "{badge}");
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_one_version_and_of_one_program_are_a_link_away() {
    let app = TestApp::new().await;
    used(&app).await;
    let mut browser = Browser::new(&app);
    let version = browser.page("/acme/tool/usage?by=day&version=1.1.0").await;
    for part in [
        "<p>Only version 1.1.0. <a href=\"/acme/tool/usage?by=day\">All installs</a></p>",
        "<strong>3</strong> in the last 28 days",
        "<td>2026-01-02</td><td class=\"number\">3</td>",
        "href=\"/acme/tool/usage?by=week&#38;version=1.1.0\"",
        "href=\"/acme/tool/usage?by=day&#38;version=1.1.0&#38;program=other\"",
    ] {
        assert!(version.contains(part), "{part}: {version}");
    }
    let both = browser.page("/acme/tool/usage?by=day&version=1.1.0&program=git").await;
    assert!(both.contains("Only version 1.1.0, installed with git."), "{both}");
    assert!(both.contains("<strong>0</strong> in the last 28 days"), "{both}");
    // By week that is not known, so that the way there leads to all programs.
    assert!(both.contains("href=\"/acme/tool/usage?by=week&#38;version=1.1.0\""), "{both}");
    let weeks = browser.page("/acme/tool/usage?by=week&version=1.1.0").await;
    assert!(weeks.contains("<strong>3</strong> in the last 26 weeks"), "{weeks}");
    assert!(!weeks.contains("they are too few"), "{weeks}");
    for (wrong, status) in [("version=9.0.0", 404), ("version=x", 400), ("program=evil", 400)] {
        assert_eq!(browser.get(&format!("/acme/tool/usage?{wrong}")).await.status, status, "{wrong}");
    }
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    let org = admin.page("/orgs/acme/usage?by=month&program=other").await;
    for part in [
        "<p>Only what was installed with other. <a href=\"/orgs/acme/usage?by=month\">All installs</a></p>",
        "<strong>5</strong> in the last 24 months",
        "href=\"/acme/tool/usage\"",
    ] {
        assert!(org.contains(part), "{part}: {org}");
    }
    assert!(admin.page("/orgs/acme/usage?program=git").await.contains("href=\"/acme/tool/usage\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_usage_of_nothing_says_so_and_what_is_hidden_is_not_there() {
    let app = TestApp::with(|settings| settings.insight.k = 3).await;
    app.publish("acme/new", "1.0.0-rc.1").await;
    let mut body = skill("acme/secret", "1.0.0");
    body["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let mut browser = Browser::new(&app);
    let page = browser.page("/acme/new/usage").await;
    for part in [
        "<strong>0</strong> in the last 28 days",
        "There is nothing to draw yet",
        "Nobody installed it in the last 28 days",
        "Nobody that is known of has a version that was yanked",
        "No skill that you see needs it",
        "There is no version yet that is no prerelease",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (hidden, missing) =
        (browser.get("/acme/secret/usage").await, browser.get("/acme/secreu/usage").await);
    assert_eq!(hidden.status, 404);
    assert_eq!(text(&hidden).replace("secret", "secreu"), text(&missing));
    // Of few, others are told that it is few.
    app.publish("acme/tool", "1.0.0").await;
    let token = app.user("anna", &["read"]).await;
    app.get_as(&token, "/api/v1/skills/acme/tool/download").await.is(200);
    app.settle().await;
    let page = browser.page("/acme/tool/usage").await;
    assert!(page.contains(">withheld<") && page.contains("they are too few"), "{page}");
    assert!(!page.contains("program="), "{page}");
    let weeks = browser.page("/acme/tool/usage?by=week").await;
    assert!(
        weeks.contains("is told of the last 28 days alone") && !weeks.contains("they are too few"),
        "{weeks}"
    );
    assert_eq!(browser.get("/acme/tool/usage?program=other").await.status, 400);
    // Whoever looks after the namespace sees them.
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    for path in ["/acme/tool/usage", "/orgs/acme/usage"] {
        let page = admin.page(path).await;
        assert!(page.contains("program=other") && !page.contains(">withheld<"), "{path}: {page}");
    }
    let page = admin.page("/acme/tool/usage?program=other").await;
    assert!(page.contains("<strong>1</strong> in the last 28 days"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_sees_how_its_skills_are_used_and_says_what_is_told() {
    let app = TestApp::new().await;
    used(&app).await;
    app.send_folder(ADMIN, &asked("acme/upper", "1.0.0"), vec![file("SKILL.md", needing("upper"))])
        .await
        .is(201);
    let anna = app.token(json!({ "user": "anna", "scopes": ["read", "admin"] })).await;
    let mut browser = Browser::signed_in(&app, &anna).await;
    assert_eq!(browser.get("/orgs/acme/usage").await.status, 404);
    assert_eq!(Browser::new(&app).get("/orgs/acme/usage").await.status, 303);
    app.member("acme", "anna", "reader").await;
    let page = browser.page("/orgs/acme/usage").await;
    for part in [
        "<strong>5</strong> in the last 28 days",
        "href=\"/acme/tool/usage\"",
        "1.1.0 <span class=\"dim\">60 % of installs</span>",
        "<td data-name=\"Still have one that was taken back\" class=\"number\">1</td>",
        "<a href=\"/acme/tool/dependencies\">1 skill</a>",
        "Nothing is withheld",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("name=\"k\""), "{page}");
    let refused = browser.post("/orgs/acme/usage", &[("action", "told"), ("k", "5")]).await;
    assert_eq!(refused.status, 403);
    app.member("acme", "anna", "admin").await;
    assert!(browser.page("/orgs/acme/usage").await.contains("name=\"k\""));
    for (wrong, why) in
        [("0", "0 is not from 1"), ("x", "is no whole number"), ("5000", "5000 is not from 1")]
    {
        let answer = browser.post("/orgs/acme/usage", &[("action", "told"), ("k", wrong)]).await;
        let page = text(&answer);
        assert!(answer.status == 422 && page.contains(why), "{page}");
        assert!(page.contains(&format!("value=\"{wrong}\"")), "{page}");
    }
    let saved = browser.post("/orgs/acme/usage", &[("action", "told"), ("k", "5")]).await;
    assert_eq!(
        (saved.status.as_u16(), &saved.headers["location"]),
        (303, &"/orgs/acme/usage?notice=saved".parse().unwrap())
    );
    let page = browser.page("/orgs/acme/usage?by=month").await;
    assert!(page.contains("Figures about fewer than 5 users are withheld"), "{page}");
    assert!(page.contains("do not count on") && page.contains("value=\"5\""), "{page}");
    assert!(!page.contains("value=\"yes\" checked"), "{page}");
    let settings = app.get_as(&anna, "/api/v1/orgs/acme/usage/settings").await.is(200);
    assert_eq!((&settings["k"], &settings["leaderboards"]), (&json!(5), &json!(false)));
    let told = Browser::new(&app).page("/acme/tool/usage").await;
    assert!(told.contains(">withheld<"), "{told}");
    let both = [("action", "told"), ("k", ""), ("leaderboards", "yes")];
    assert_eq!(browser.post("/orgs/acme/usage", &both).await.status, 303);
    let settings = app.get_as(&anna, "/api/v1/orgs/acme/usage/settings").await.is(200);
    assert_eq!((&settings["k"], &settings["leaderboards"]), (&json!(null), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_and_teams_are_compared_and_who_wants_is_left_out() {
    let app = TestApp::new().await;
    let author = app.user("mara", &["read", "publish", "admin"]).await;
    app.post("/api/v1/skills", &author, skill("team-one/tool", "1.0.0")).await.is(201);
    for user in ["anna", "ben"] {
        let token = app.user(user, &["read", "rate"]).await;
        app.get_as(&token, "/api/v1/skills/team-one/tool/download").await.is(200);
        app.post("/api/v1/skills/team-one/tool/rate", &token, json!({ "rating": 4 })).await.is(200);
    }
    app.settle().await;
    let mut browser = Browser::new(&app);
    assert!(browser.page("/trending").await.contains("href=\"/trending/authors\""));
    let page = browser.page("/trending/authors").await;
    for part in [
        "<a href=\"/users/mara\">mara</a>",
        "<td data-name=\"People who installed\" class=\"number\">2</td>",
        "</span> 4.0</td>",
        "each signed-in person once",
        "href=\"/trending/authors?period=week\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("Leave me out"), "{page}");
    let teams = browser.page("/trending/teams?period=all").await;
    assert!(teams.contains("<a href=\"/team-one\">team-one</a>") && teams.contains("at any time"), "{teams}");
    assert_eq!(browser.get("/trending/teams?period=year").await.status, 400);
    assert_eq!(browser.get("/trending/tools").await.status, 404);
    assert!(browser.page("/trending/teams?offset=20").await.contains("There is nothing here"));
    let mut mara = Browser::signed_in(&app, &author).await;
    assert!(mara.page("/trending/authors").await.contains("Leave me out"));
    assert_eq!(mara.post("/trending/authors", &[("action", "list"), ("listed", "no")]).await.status, 303);
    let page = mara.page("/trending/authors").await;
    assert!(
        page.contains("Take me in") && page.contains("Nobody yet") && !page.contains("/users/mara"),
        "{page}"
    );
    assert_eq!(mara.post("/trending/authors", &[("action", "list"), ("listed", "yes")]).await.status, 303);
    assert!(browser.page("/trending/authors").await.contains("/users/mara"));
    assert_eq!(
        mara.post_from("cross-site", "/trending/authors", &[("action", "list"), ("listed", "no")])
            .await
            .status,
        403
    );
    assert_eq!(mara.post("/trending/teams", &[("action", "list"), ("listed", "no")]).await.status, 405);
    let off = TestApp::with(|settings| settings.insight.leaderboards = false).await;
    let mut browser = Browser::new(&off);
    assert_eq!(browser.get("/trending/authors").await.status, 404);
    assert!(!browser.page("/trending").await.contains("/trending/authors"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_version_is_told_to_admins_of_its_namespace() {
    let app = TestApp::new().await;
    used(&app).await;
    let path = "/acme/tool/versions/1.1.0/installs";
    let olga = app.user("olga", &["read", "admin"]).await;
    app.member("acme", "olga", "admin").await;
    let mut browser = Browser::signed_in(&app, &olga).await;
    assert!(browser.page("/acme/tool/versions/1.1.0").await.contains(&format!("href=\"{path}\"")));
    let page = browser.page(path).await;
    assert!(
        page.contains("3 users downloaded it") && page.contains("<td class=\"break\">dora</td>"),
        "{page}"
    );
    let first = browser.page(&format!("{path}?limit=1")).await;
    let rows = first.matches("<td class=\"break\">").count();
    assert!(first.contains("offset=1&#38;limit=1") && rows == 1, "{first}");
    // Who has published nothing has no page to be led to.
    assert_eq!(browser.get("/users/dora").await.status, 404);
    assert!(!page.contains("/users/dora"), "{page}");
    app.publish("acme/tool", "2.0.0").await;
    let none = browser.page("/acme/tool/versions/2.0.0/installs").await;
    assert!(none.contains("Nobody that is known of"), "{none}");
    assert_eq!(browser.get("/acme/tool/versions/9.0.0/installs").await.status, 404);
    // Others are told how many, and not who.
    let bert = app.user("bert", &["read", "admin"]).await;
    let mut stranger = Browser::signed_in(&app, &bert).await;
    assert_eq!(stranger.get(path).await.status, 403);
    assert!(!stranger.page("/acme/tool/versions/1.1.0").await.contains(path));
    assert_eq!(
        Browser::new(&app).get(path).await.headers["location"],
        format!("/login?next={}", path.replace('/', "%2F"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_of_which_a_part_is_withheld_is_at_least_what_is_told() {
    let app = TestApp::with(|settings| settings.insight.k = 5).await;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        app.publish("acme/tool", version).await;
    }
    app.install("", "acme/tool", "1.2.0").await;
    app.settle().await;
    let anna = app.user("anna", &["read"]).await;
    app.member("acme", "anna", "reader").await;
    let mut browser = Browser::signed_in(&app, &anna).await;
    let told = async |browser: &mut Browser<'_>, version: &str, count: usize| {
        holders(&app, version, count).await;
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/yank");
        app.put(&path, ADMIN, json!({ "reason": "" })).await.is(200);
        let page = browser.page("/orgs/acme/usage").await;
        let (_, cell) =
            page.split_once("data-name=\"Still have one that was taken back\" class=\"number\">").unwrap();
        cell.split_once('<').unwrap().0.to_owned()
    };
    assert_eq!(told(&mut browser, "1.0.0", 2).await, "withheld");
    assert_eq!(told(&mut browser, "1.1.0", 6).await, "6 or more");
}
