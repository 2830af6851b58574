//! Settings of namespaces, and what is managed on the page of a skill.

use serde_json::json;
use skillery_core::api::PublisherKind;

use super::super::oidc::{Issuer, registry_with};
use super::super::{ADMIN, TestApp, skill};
use super::{Browser, text};
use crate::http::pages::{DESK_ROUTES, ROUTES};

/// A registry with the org `acme` and somebody with each role there; and somebody who has none.
pub(super) async fn people(app: &TestApp) -> [String; 5] {
    app.publish("acme/tool", "1.0.0").await;
    let all = &["read", "publish", "review", "rate", "admin"];
    let mut tokens = Vec::new();
    for role in ["reader", "publisher", "admin", "owner"] {
        tokens.push(app.user(&format!("the-{role}"), all).await);
        app.member("acme", &format!("the-{role}"), role).await;
    }
    tokens.push(app.user("stranger", all).await);
    tokens.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_for_who_has_a_role() {
    let app = TestApp::new().await;
    let [reader, _, admin, _, stranger] = people(&app).await;
    for path in ["/orgs/acme", "/orgs/acme/members", "/orgs/acme/policy", "/orgs/acme/signing-secret"] {
        assert!(Browser::signed_in(&app, &reader).await.page(path).await.contains("reader"), "{path}");
        assert_eq!(Browser::signed_in(&app, &stranger).await.get(path).await.status, 404, "{path}");
    }
    // What the API tells admins only.
    assert_eq!(Browser::signed_in(&app, &reader).await.get("/orgs/acme/publishers").await.status, 403);
    assert_eq!(Browser::signed_in(&app, &stranger).await.get("/orgs/acme/publishers").await.status, 403);
    assert!(
        Browser::signed_in(&app, &admin).await.page("/orgs/acme/publishers").await.contains("There are none")
    );
    assert!(
        Browser::signed_in(&app, &admin)
            .await
            .page("/orgs/acme/inner/x")
            .await
            .contains("/orgs/acme/inner\"")
    );
    let mut registrys = Browser::signed_in(&app, ADMIN).await;
    assert_eq!(registrys.get("/orgs/nothing/members").await.status, 404);
    assert_eq!(registrys.get("/orgs/UPPER").await.status, 404);
    // Bounds of the token hold for its session.
    let bound = json!({ "user": "the-admin", "scopes": ["read", "admin"], "namespaces": ["beta"] });
    let mut bound = Browser::signed_in(&app, &app.token(bound).await).await;
    assert_eq!(bound.get("/orgs/acme").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_given_roles_and_lose_them() {
    let app = TestApp::new().await;
    let [reader, publisher, admin, owner, stranger] = people(&app).await;
    app.user("new", &["read"]).await;
    let path = "/orgs/acme/members";
    let add = [("action", "add"), ("user", "new"), ("role", "publisher")];
    for (token, status) in [(&reader, 403), (&publisher, 403), (&stranger, 403), (&admin, 303)] {
        let answer = Browser::signed_in(&app, token).await.post(path, &add).await;
        assert_eq!(answer.status, status, "{}", text(&answer));
    }
    let role = async |user: &str| {
        let members = app.get_as(ADMIN, "/api/v1/orgs/acme/members").await.is(200);
        let found =
            members["members"].as_array().unwrap().iter().find(|member| member["user"] == user).cloned();
        found.map(|member| member["role"].as_str().unwrap().to_owned())
    };
    assert_eq!(role("new").await.as_deref(), Some("publisher"));
    let mut browser = Browser::signed_in(&app, &admin).await;
    let page = browser.page(path).await;
    assert!(page.contains("<strong>new</strong>") && page.contains("Change the role of new"), "{page}");
    // Admins touch no admins.
    let change = [("action", "change"), ("user", "new"), ("role", "admin")];
    assert_eq!(browser.post(path, &change).await.status, 403);
    for (user, role, status, says) in [
        ("<script>", "reader", 404, "&#60;script&#62;"),
        ("nobody", "reader", 404, "there is no user"),
        ("new", "king", 422, "is none of"),
    ] {
        let answer = browser.post(path, &[("action", "add"), ("user", user), ("role", role)]).await;
        let page = text(&answer);
        assert_eq!(answer.status, status, "{page}");
        assert!(
            page.contains(says) && page.contains("class=\"wrong\"") && !page.contains("<script>"),
            "{page}"
        );
    }
    // Somebody goes only when that was asked twice.
    let remove = [("action", "remove"), ("user", "new"), ("confirm", "yes")];
    let asked = text(&browser.post(path, &remove[..2]).await);
    assert!(asked.contains("Take the role of new in acme away?"), "{asked}");
    assert_eq!(role("new").await.as_deref(), Some("publisher"));
    let mut foreign = Browser::signed_in(&app, &stranger).await;
    assert_eq!(foreign.post(path, &remove[..2]).await.status, 404);
    assert_eq!(foreign.post(path, &remove).await.status, 403);
    assert_eq!(browser.post(path, &remove).await.headers["location"], "/orgs/acme/members?notice=removed");
    assert_eq!(role("new").await, None);
    // Whoever leaves may not look at it any more.
    let mut leaving = Browser::signed_in(&app, &publisher).await;
    let leave = [("action", "remove"), ("user", "the-publisher"), ("confirm", "yes")];
    assert_eq!(leaving.post(path, &leave).await.headers["location"], "/account?notice=removed");
    // The last owner stays: the admin of the registry has made the org, and goes first.
    let mut owner = Browser::signed_in(&app, &owner).await;
    let one = [("action", "remove"), ("user", "admin"), ("confirm", "yes")];
    assert_eq!(owner.post(path, &one).await.status, 303);
    let last = [("action", "remove"), ("user", "the-owner"), ("confirm", "yes")];
    assert_eq!(owner.post(path, &last).await.status, 409);
    let csrf = [("action", "remove"), ("user", "the-admin"), ("confirm", "yes"), ("csrf", "x")];
    assert_eq!(owner.post_from("same-origin", path, &csrf).await.status, 403);
    assert_eq!(role("the-admin").await.as_deref(), Some("admin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_have_pages() {
    let app = TestApp::with(|settings| settings.limits.default_page_rows = 4).await;
    let [reader, ..] = people(&app).await;
    let mut browser = Browser::signed_in(&app, &reader).await;
    let page = browser.page("/orgs/acme/members").await;
    assert!(page.contains("5 roles") && page.contains("href=\"/orgs/acme/members?offset=4\""), "{page}");
    // Whoever is no admin may only leave.
    assert!(!page.contains("Give the role") && page.matches("value=\"remove\"").count() <= 1, "{page}");
    assert!(browser.page("/orgs/acme/members?offset=4").await.contains("rel=\"prev\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_secret_is_never_shown() {
    let app = TestApp::new().await;
    let [reader, _, admin, ..] = people(&app).await;
    let path = "/orgs/acme/signing-secret";
    let secret = "a-secret-that-nobody-sees";
    let set = [("action", "set"), ("secret", secret)];
    assert_eq!(Browser::signed_in(&app, &reader).await.post(path, &set).await.status, 403);
    let mut browser = Browser::signed_in(&app, &admin).await;
    let answer = browser.post(path, &[("action", "set"), ("secret", "")]).await;
    assert_eq!(answer.status, 422);
    assert_eq!(browser.post(path, &set).await.status, 303);
    // Another one takes its place only where that is said.
    let again = browser.post(path, &set).await;
    let page = text(&again);
    assert_eq!(again.status, 409, "{page}");
    assert!(page.contains("has a signing secret already") && !page.contains(secret), "{page}");
    let replace = [("action", "set"), ("secret", "another"), ("replace", "yes")];
    assert_eq!(browser.post(path, &replace).await.status, 303);
    assert!(!browser.page(path).await.contains("another\""));
    assert!(Browser::signed_in(&app, &reader).await.page(path).await.contains("registered"));
    let remove = [("action", "remove"), ("confirm", "yes")];
    assert!(text(&browser.post(path, &remove[..1]).await).contains("Remove the signing secret of acme?"));
    assert_eq!(browser.post(path, &remove).await.status, 303);
    assert_eq!(app.get_as(ADMIN, "/api/v1/orgs/acme").await.is(200)["signing_secret"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_are_trusted_and_trusted_no_more() {
    let issuer = Issuer::new().await;
    let trusted = [issuer.trusted(PublisherKind::Github)];
    let app = registry_with(|settings| settings.oidc_issuers = trusted.to_vec()).await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let path = "/orgs/acme/publishers";
    let good = [
        ("action", "add"),
        ("kind", "github"),
        ("issuer", ""),
        ("repository", "octo/tools"),
        ("owner_id", "65"),
        ("workflow", "release.yml"),
        ("environment", "<b>prod</b>"),
    ];
    for (field, value, says) in [
        ("owner_id", "octo", "is a number"),
        ("repository", "<script>", "class=\"wrong\""),
        ("kind", "<i>", "is none of"),
        ("claims", "no pair", "name = text"),
        ("claims", "a = 1\r\na = 2", "twice"),
        ("issuer", "https://other.example", "is no `github` issuer"),
    ] {
        let mut fields: Vec<_> = good.iter().copied().filter(|(name, _)| *name != field).collect();
        fields.push((field, value));
        let answer = browser.post(path, &fields).await;
        let page = text(&answer);
        assert!([422, 403].contains(&answer.status.as_u16()), "{field}: {page}");
        assert!(page.contains(says), "{field}: {page}");
        assert!(
            page.contains("value=\"release.yml\"") && !page.contains("<script>") && !page.contains("<i>"),
            "{page}"
        );
    }
    assert_eq!(browser.post(path, &good).await.status, 303);
    let page = browser.page(path).await;
    assert!(
        page.contains("octo/tools") && page.contains("&#60;b&#62;prod") && !page.contains("<b>prod"),
        "{page}"
    );
    // The same again.
    assert_eq!(browser.post(path, &good).await.status, 409);
    let id = app.get_as(ADMIN, "/api/v1/orgs/acme/publishers").await.is(200)["publishers"][0]["id"].clone();
    let remove = [("action", "remove"), ("publisher", id.as_str().unwrap()), ("confirm", "yes")];
    assert!(text(&browser.post(path, &remove[..2]).await).contains("Trust these builds no more?"));
    // Below, where it is not trusted itself, it is shown and cannot be removed.
    assert!(browser.page("/orgs/acme/inner/publishers").await.contains("Trusted in"));
    assert_eq!(browser.post("/orgs/acme/inner/publishers", &remove).await.status, 404);
    assert_eq!(browser.post(path, &remove).await.status, 303);
    assert!(browser.page(path).await.contains("There are none"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_is_managed_on_its_page() {
    let app = TestApp::new().await;
    let [reader, publisher, admin, _, stranger] = people(&app).await;
    let is_managed = async |token: &str| {
        Browser::signed_in(&app, token).await.page("/acme/tool").await.contains("<h2>Manage</h2>")
    };
    assert_eq!(
        [is_managed(&reader).await, is_managed(&publisher).await, is_managed(&admin).await],
        [false, true, true]
    );
    let hide = [("visibility", "private")];
    for (token, status) in [(&reader, 403), (&publisher, 403), (&stranger, 403), (&admin, 303)] {
        assert_eq!(
            Browser::signed_in(&app, token).await.post("/acme/tool/visibility", &hide).await.status,
            status
        );
    }
    // Now it is not there for who has no role.
    for (path, sent) in
        [("/acme/tool/visibility", hide), ("/acme/tool/versions/1.0.0/yank", [("action", "yank")])]
    {
        assert_eq!(Browser::signed_in(&app, &stranger).await.post(path, &sent).await.status, 404, "{path}");
    }
    let mut browser = Browser::signed_in(&app, &admin).await;
    assert_eq!(browser.post("/acme/tool/visibility", &[("visibility", "<b>")]).await.status, 422);
    let yank = [("action", "yank"), ("reason", "<script>bad</script>"), ("confirm", "yes")];
    let path = "/acme/tool/versions/1.0.0/yank";
    assert_eq!(Browser::signed_in(&app, &reader).await.post(path, &yank).await.status, 403);
    assert_eq!(Browser::signed_in(&app, &reader).await.post(path, &yank[..2]).await.status, 403);
    let mut publisher = Browser::signed_in(&app, &publisher).await;
    let asked = text(&publisher.post(path, &yank[..2]).await);
    assert!(asked.contains("Yank acme/tool 1.0.0?") && asked.contains("&#60;script&#62;bad"), "{asked}");
    assert_eq!(
        publisher.post(path, &yank).await.headers["location"],
        "/acme/tool/versions/1.0.0?notice=yanked"
    );
    let page = publisher.page("/acme/tool/versions/1.0.0").await;
    assert!(
        page.contains("was yanked") && !page.contains("<script>bad") && page.contains("Take the yank back"),
        "{page}"
    );
    assert_eq!(publisher.post(path, &[("action", "unyank")]).await.status, 303);
    assert!(!publisher.page("/acme/tool/versions/1.0.0").await.contains("was yanked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_quarantined_and_released_on_its_page() {
    const PAGE: &str = "/acme/tool/versions/1.0.0";
    const PATH: &str = "/acme/tool/versions/1.0.0/quarantine";
    const ESCAPED: &str = "&#60;b&#62;steals&#60;/b&#62;";
    let app = TestApp::new().await;
    let [reader, _, _, owner, stranger] = people(&app).await;
    let quarantine = [("action", "quarantine"), ("reason", "<b>steals</b>"), ("confirm", "yes")];
    let release = [("action", "release"), ("confirm", "yes")];
    let status = async || app.get_as(ADMIN, &format!("/api/v1/skills{PAGE}")).await.is(200)["status"].clone();
    // Nor may an admin of the registry whose token does not administer, or is bound.
    let weak = app.token(json!({ "scopes": ["read", "publish"] })).await;
    let bound = json!({ "scopes": ["read", "publish", "admin"], "namespaces": ["acme"] });
    let bound = app.token(bound).await;
    for token in [&reader, &owner, &stranger, &weak, &bound] {
        let mut browser = Browser::signed_in(&app, token).await;
        assert!(!browser.page(PAGE).await.contains(PATH));
        for fields in [&quarantine[..2], &quarantine[..], &release[..1], &release[..]] {
            assert_eq!(browser.post(PATH, fields).await.status, 403, "{fields:?}");
        }
    }
    assert_eq!(Browser::new(&app).post_from("same-origin", PATH, &quarantine).await.status, 401);
    let mut admin = Browser::signed_in(&app, ADMIN).await;
    assert_eq!(admin.post_from("same-origin", PATH, &quarantine).await.status, 403);
    assert_eq!(admin.get(PATH).await.status, 405);
    let nowhere = "/acme/tool/versions/9.9.9/quarantine";
    for (path, fields, status) in [
        (nowhere, &quarantine[..], 404),
        // What cannot be is not asked, either.
        (nowhere, &quarantine[..2], 404),
        (nowhere, &release[..1], 404),
    ] {
        assert_eq!(admin.post(path, fields).await.status, status, "{path} {fields:?}");
    }
    assert_eq!(status().await, "published");

    let page = admin.page(PAGE).await;
    assert!(page.contains("Quarantine 1.0.0</summary>") && page.contains(PATH), "{page}");
    assert!(!page.contains("Release it"), "{page}");
    // Without a reason, or with one that may not be given, nothing is asked and nothing done: what was typed comes back.
    let long = "\"".repeat(1_025);
    for (reason, says) in [
        ("", "say why it is quarantined"),
        (" \n", "say why it is quarantined"),
        ("it \u{202e}lies", "which is not allowed"),
        (&*long, "longer than 1024 characters"),
    ] {
        let fields = [("action", "quarantine"), ("reason", reason), ("confirm", "yes")];
        for sent in [&fields[..2], &fields[..]] {
            let answer = admin.post(PATH, sent).await;
            let page = text(&answer);
            assert_eq!(answer.status, 422, "{page}");
            let typed = format!(">\n{}</textarea>", reason.replace('"', "&#34;"));
            assert!(
                page.contains(says) && page.contains(&typed) && page.contains("class=\"wrong\""),
                "{page}"
            );
            assert!(page.contains(&format!("action=\"{PATH}\"")), "{page}");
        }
    }
    let asked = text(&admin.post(PATH, &quarantine[..2]).await);
    assert!(asked.contains("Quarantine acme/tool 1.0.0?"), "{asked}");
    assert!(asked.contains(&format!("name=\"reason\" value=\"{ESCAPED}\"")), "{asked}");
    assert_eq!(status().await, "published");
    let done = admin.post(PATH, &quarantine).await;
    assert_eq!(done.headers["location"], "/acme/tool/versions/1.0.0?notice=quarantined");
    assert!(admin.page(&format!("{PAGE}?notice=quarantined")).await.contains("The version is quarantined."));
    assert_eq!(status().await, "quarantined");

    // Others are told that it is, and why, and can do nothing about it.
    for token in [None, Some(&reader), Some(&owner)] {
        let mut browser = match token {
            Some(token) => Browser::signed_in(&app, token).await,
            None => Browser::new(&app),
        };
        let page = browser.page(PAGE).await;
        assert!(page.contains(&format!("1.0.0 is quarantined: {ESCAPED}. Nobody gets it.")), "{page}");
        assert!(!page.contains(PATH) && !page.contains("Release it"), "{page}");
    }
    app.get("/api/v1/skills/acme/tool/download?version=1.0.0").await.fails(403, "version-quarantined");

    let page = admin.page(PAGE).await;
    assert!(page.contains("Release it from quarantine") && !page.contains("Quarantine 1.0.0"), "{page}");
    let asked = text(&admin.post(PATH, &release[..1]).await);
    assert!(asked.contains("Release acme/tool 1.0.0 from quarantine?"), "{asked}");
    assert_eq!(status().await, "quarantined");
    let done = admin.post(PATH, &release).await;
    assert_eq!(done.headers["location"], "/acme/tool/versions/1.0.0?notice=released");
    assert!(admin.page(&format!("{PAGE}?notice=released")).await.contains("The quarantine is taken back."));
    assert_eq!(status().await, "published");
    app.get("/api/v1/skills/acme/tool/download?version=1.0.0").await.is(200);

    // What is handed out to nobody yet is not quarantined: the reason comes back, beside why.
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.1.0")).await.is(202);
    let waits = "/acme/tool/versions/1.1.0/quarantine";
    assert!(!admin.page("/acme/tool/versions/1.1.0").await.contains(waits));
    for fields in [&quarantine[..2], &quarantine[..]] {
        let refused = admin.post(waits, fields).await;
        let page = text(&refused);
        assert_eq!(refused.status, 409, "{page}");
        assert!(page.contains("is pending") && page.contains(&format!(">\n{ESCAPED}</textarea>")), "{page}");
    }
    let yank = [("action", "yank"), ("reason", "it leaks")];
    assert_eq!(admin.post("/acme/tool/versions/1.1.0/yank", &yank).await.status, 409);
}

/// A form of a page: where it is sent, and what is filled in as it comes.
struct PageForm {
    path: String,
    fields: Vec<(String, String)>,
}

/// What an attribute of a tag says.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let value = rest.split_once('"')?.0;
    Some(value.replace("&#38;", "&").replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\""))
}

/// The forms of a page that change something.
fn forms(page: &str) -> Vec<PageForm> {
    let mut forms = Vec::new();
    for text in page.split("<form method=\"post\"").skip(1) {
        let (head, rest) = text.split_once('>').unwrap();
        let path = attribute(head, "action").unwrap();
        let path = path.split(['?', '#']).next().unwrap().to_owned();
        let mut fields = Vec::new();
        let mut select = None;
        for tag in rest.split("</form>").next().unwrap().split('<') {
            let (tag, behind) = tag.split_once('>').unwrap_or((tag, ""));
            let value = attribute(tag, "value").unwrap_or_default();
            let named = attribute(tag, "name");
            match (tag.split(' ').next().unwrap(), named) {
                ("input", Some(name)) => {
                    let is_choice = tag.contains("\"checkbox\"") || tag.contains("\"radio\"");
                    if !is_choice || tag.contains(" checked") {
                        fields.push((name, value));
                    }
                }
                ("textarea", Some(name)) => fields.push((name, behind.trim_start().to_owned())),
                ("button", Some(name)) => fields.push((name, value)),
                ("select", Some(name)) => select = Some(name),
                ("option", None) if tag.contains(" selected") => {
                    fields.extend(select.clone().map(|name| (name, value)));
                }
                _ => {}
            }
        }
        fields.retain(|(name, _)| name != "csrf");
        forms.push(PageForm { path, fields });
    }
    forms
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_a_page_does_not_have_does_nothing() {
    // Each takes one form, which has no word that says what is done.
    const ONE_FORM: [&str; 5] =
        ["/login", "/logout", "/theme", "/account/notifications", "/acme/tool/visibility"];
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.user("ada", &["read"]).await;
    let hooks = "/api/v1/notifications/webhooks";
    let url = "https://hooks.example.org/one";
    let mut ids = Vec::new();
    for body in [json!({ "url": url }), json!({ "url": url, "namespace": "acme" })] {
        let made = app.post(hooks, ADMIN, body).await.is(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let filled = |route: &str| {
        let hook = if route.starts_with("/account") { &ids[0] } else { &ids[1] };
        [
            ("{webhook}", hook.as_str()),
            ("{id}", "acme/tool"),
            ("{version}", "1.0.0"),
            ("{namespace}", "acme"),
            ("{user}", "admin"),
            ("{tag}", "email"),
            ("{file}", "none"),
            ("{kind}", "version.svg"),
            ("{path}", "SKILL.md"),
        ]
        .iter()
        .fold(route.to_owned(), |path, (name, value)| path.replace(name, value))
    };
    let routes = || ROUTES.iter().chain(DESK_ROUTES);
    let posted: Vec<String> =
        routes().filter(|(method, ..)| *method == "post").map(|(_, route, _)| filled(route)).collect();
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let mut found = Vec::new();
    for (_, route, _) in routes().filter(|(method, ..)| *method == "get") {
        let answer = browser.get(&filled(route)).await;
        let kind = answer.headers.get("content-type");
        if answer.status == 200 && kind.is_some_and(|kind| kind == "text/html; charset=utf-8") {
            found.extend(forms(&text(&answer)));
        }
    }
    for form in &found {
        assert!(posted.contains(&form.path), "no route takes the form of {}", form.path);
        let says = form.fields.iter().any(|(name, _)| name == "action");
        assert_eq!(says, !ONE_FORM.contains(&form.path.as_str()), "{}: {:?}", form.path, form.fields);
    }
    // What is sent below is what these forms send, and not nothing.
    for path in
        ["/account/tokens", "/account/webhooks", "/orgs/acme/members", "/admin/users", "/acme/tool/comments"]
    {
        assert!(found.iter().any(|form| form.path == path), "{path} has no form");
    }
    let before = app.log().await.len();
    let nothing: &[(String, String)] = &[];
    for path in posted.iter().filter(|path| !ONE_FORM.contains(&path.as_str())) {
        let of_page = found.iter().filter(|form| form.path == *path).map(|form| form.fields.as_slice());
        for fields in of_page.chain([nothing]) {
            let others = fields.iter().filter(|(name, _)| name != "action");
            let others: Vec<_> = others.map(|(name, value)| (name.as_str(), value.as_str())).collect();
            for action in [Some("nonsense"), None] {
                let mut sent = others.clone();
                sent.extend(action.map(|action| ("action", action)));
                let answer = browser.post(path, &sent).await;
                assert_eq!(answer.status, 400, "{path}, {sent:?}: {}", text(&answer));
                // The page of a review comes back, with what was typed.
                let is_told = text(&answer).contains("there is no such form here");
                assert!(is_told || path.ends_with("/review"), "{path}: {}", text(&answer));
            }
        }
    }
    assert_eq!(app.log().await.len(), before);
    let own = app.get_as(ADMIN, hooks).await.is(200);
    assert_eq!((own["webhooks"].as_array().unwrap().len(), &own["webhooks"][0]["url"]), (1, &json!(url)));
}
