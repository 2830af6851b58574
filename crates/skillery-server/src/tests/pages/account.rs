//! One's account, tokens and keys.

use serde_json::json;

use super::super::{ADMIN, TestApp};
use super::{Browser, text};
use crate::settings::NamespacePolicy;

/// What stands in HTML, as it is.
fn plain(html: &str) -> String {
    let mut plain = html.to_owned();
    for (entity, sign) in [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")] {
        plain = plain.replace(entity, sign);
    }
    plain
}

/// What stands between these in a page.
fn between<'page>(page: &'page str, begin: &str, end: &str) -> &'page str {
    let (_, rest) = page.split_once(begin).unwrap_or_else(|| panic!("no `{begin}` in {page}"));
    rest.split_once(end).unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_says_who_one_is_and_leads_to_the_rest() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let ada = app.user("ada", &["read"]).await;
    app.member("acme", "ada", "reviewer").await;
    let mut browser = Browser::signed_in(&app, &ada).await;
    let page = browser.page("/account").await;
    assert!(page.contains("<h1 id=\"you\">ada</h1>") && page.contains("href=\"/orgs/acme\""), "{page}");
    assert!(page.contains("reviewer") && page.contains("href=\"/account/tokens\""));
    assert!(!page.contains("href=\"/admin\""));
    assert!(Browser::signed_in(&app, ADMIN).await.page("/").await.contains("href=\"/admin\""));
    // Who is not signed in is sent to where one signs in.
    for path in ["/account", "/account/tokens", "/account/keys", "/orgs/acme", "/admin", "/admin/log"] {
        let answer = Browser::new(&app).get(path).await;
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.headers["location"].to_str().unwrap().starts_with("/login?next="), "{path}");
        app.get(path).await.fails(401, "unauthenticated");
    }
    assert_eq!(browser.post("/admin/log", &[]).await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_makes_an_org_of_their_own() {
    const FORM: &str = "Make an org";
    let app = TestApp::new().await;
    let ada = app.user("ada", &["read", "admin"]).await;
    let weak = app.token(json!({ "user": "ada", "scopes": ["read", "publish"] })).await;
    let bound = json!({ "user": "ada", "scopes": ["read", "admin"], "namespaces": ["beta"] });
    let bound = app.token(bound).await;
    let make = |name: &'static str| [("action", "create"), ("name", name)];
    for token in [&weak, &bound] {
        let mut browser = Browser::signed_in(&app, token).await;
        assert!(!browser.page("/account").await.contains(FORM));
        assert_eq!(browser.post("/account", &make("acme")).await.status, 403);
    }
    let mut browser = Browser::signed_in(&app, &ada).await;
    assert!(browser.page("/account").await.contains(FORM));
    assert_eq!(browser.post_from("cross-site", "/account", &make("acme")).await.status, 403);
    for name in ["", "acme/deep", "<b>"] {
        let answer = browser.post("/account", &make(name)).await;
        let page = text(&answer);
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{page}");
        assert!(page.contains("class=\"wrong\"") && !page.contains("<b>"), "{page}");
        let typed = format!("value=\"{}\"", name.replace('<', "&#60;").replace('>', "&#62;"));
        assert!(page.contains(&typed), "{page}");
    }
    let made = browser.post("/account", &make(" acme ")).await;
    assert_eq!(made.headers["location"], "/orgs/acme?notice=org-made");
    let page = browser.page("/orgs/acme?notice=org-made").await;
    assert!(page.contains("The org is made."), "{page}");
    let page = browser.page("/account").await;
    assert!(page.contains("href=\"/orgs/acme\"") && page.contains("<td>owner</td>"), "{page}");
    // What another has is said to be taken, and what was typed comes back.
    let ben = app.user("ben", &["read", "admin"]).await;
    let answer = Browser::signed_in(&app, &ben).await.post("/account", &make("acme")).await;
    let page = text(&answer);
    assert!(answer.status == 409 && page.contains("value=\"acme\""), "{page}");
    // Where admins alone make orgs, nobody else is offered to.
    let app = TestApp::with(|settings| settings.namespaces = NamespacePolicy::Managed).await;
    let ada = app.user("ada", &["read", "admin"]).await;
    let mut browser = Browser::signed_in(&app, &ada).await;
    assert!(!browser.page("/account").await.contains(FORM));
    assert_eq!(browser.post("/account", &make("acme")).await.status, 403);
    assert!(Browser::signed_in(&app, ADMIN).await.page("/account").await.contains(FORM));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_shown_once_and_revoked() {
    let app = TestApp::new().await;
    app.user("ada", &["read"]).await;
    let ada = app.token(json!({ "user": "ada", "label": "l", "scopes": ["read", "admin"] })).await;
    let mut browser = Browser::signed_in(&app, &ada).await;
    let page = browser.page("/account/tokens").await;
    assert!(page.contains("this browser") && !page.contains("value=\"publish\""), "{page}");
    let fields = [
        ("action", "create"),
        ("label", "<script>alert(1)</script>"),
        ("scopes", "read"),
        ("namespaces", "acme, beta/x"),
        ("expires_in_days", "3"),
    ];
    let answer = browser.post("/account/tokens", &fields).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
    let page = text(&answer);
    assert!(!page.contains("<script>alert") && page.contains("&#60;script&#62;alert(1)"), "{page}");
    let token = between(&page, "<code>sky_pat_", "</code>");
    let token = format!("sky_pat_{token}");
    let who = app.get_as(&token, "/api/v1/whoami").await.is(200);
    assert_eq!(
        (&who["user"], &who["token"]["namespaces"], &who["token"]["scopes"]),
        (&json!("ada"), &json!(["acme", "beta/x"]), &json!(["read"]))
    );
    assert_eq!(who["token"]["expires_at"], "2026-01-05T03:04:05Z");
    // It is shown this once.
    app.settle().await;
    let page = browser.page("/account/tokens").await;
    assert!(!page.contains(&token) && page.contains("in acme, beta/x"), "{page}");
    assert!(page.contains("within the hour"), "{page}");
    // It is asked again before it is revoked.
    let id = who["token"]["id"].as_str().unwrap();
    let fields = [("action", "revoke"), ("token", id)];
    let asked = text(&browser.post("/account/tokens", &fields).await);
    assert!(asked.contains("Revoke this token?") && asked.contains(&format!("value=\"{id}\"")), "{asked}");
    app.get_as(&token, "/api/v1/whoami").await.is(200);
    let fields = [("action", "revoke"), ("token", id), ("confirm", "yes")];
    let answer = browser.post("/account/tokens", &fields).await;
    assert_eq!(answer.headers["location"], "/account/tokens?notice=token-revoked");
    app.get_as(&token, "/api/v1/whoami").await.fails(401, "token-revoked");
    assert!(browser.page("/account/tokens?notice=token-revoked").await.contains("The token is revoked."));
    // Somebody else's is not there.
    let admins =
        app.get_as(ADMIN, "/api/v1/whoami").await.is(200)["token"]["id"].as_str().unwrap().to_owned();
    let fields = [("action", "revoke"), ("token", admins.as_str()), ("confirm", "yes")];
    assert_eq!(browser.post("/account/tokens", &fields).await.status, 404);
    assert_eq!(browser.get("/account/tokens?user=admin").await.status, 403);
    // Revoking the session signs out.
    let page = browser.page("/account/tokens").await;
    let row = page.split_once("this browser").unwrap().1;
    let own = between(row, "mono\">", "<").to_owned();
    let fields = [("action", "revoke"), ("token", own.as_str()), ("confirm", "yes")];
    let answer = browser.post("/account/tokens", &fields).await;
    assert_eq!(answer.headers["location"], "/?notice=signed-out");
    assert!(browser.page("/").await.contains("Sign in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_makes_no_token_that_could_do_more() {
    let app = TestApp::new().await;
    let ada = app.user("ada", &["read"]).await;
    let mut reader = Browser::signed_in(&app, &ada).await;
    assert!(reader.page("/account/tokens").await.contains("it has not the scope"));
    for fields in [
        vec![("action", "create"), ("label", "x")],
        vec![("action", "create"), ("scopes", "none of them")],
        vec![("action", "revoke"), ("token", "00000000-0000-0000-0000-000000000000")],
    ] {
        let answer = reader.post("/account/tokens", &fields).await;
        assert_eq!(answer.status, 403, "{fields:?}: {}", text(&answer));
    }
    let bound = json!({ "user": "ada", "scopes": ["read", "admin"], "namespaces": ["acme"] });
    let mut browser = Browser::signed_in(&app, &app.token(bound).await).await;
    let count = async || app.get_as(ADMIN, "/api/v1/tokens?user=ada").await.is(200)["total"].clone();
    let before = count().await;
    for (fields, status, says) in [
        (vec![("scopes", "publish")], 403, "has not the scope"),
        (vec![("namespaces", "beta")], 403, "bound to acme"),
        (vec![("user", "admin")], 403, "only admins of the registry"),
        (vec![("expires_in_days", "0")], 422, "must be from 1 to"),
        (vec![("expires_in_days", "<b>")], 422, "no whole number"),
        (vec![("namespaces", "UPPER/<i>")], 400, "segment"),
        (vec![("scopes", "<u>")], 422, "is none of"),
    ] {
        let mut all = vec![("action", "create"), ("label", "kept \"label\"")];
        all.extend(&fields);
        let answer = browser.post("/account/tokens", &all).await;
        let page = text(&answer);
        assert_eq!(answer.status, status, "{fields:?}: {page}");
        assert!(page.contains(says), "{fields:?}: {page}");
        for tag in ["<b>", "<i>", "<u>"] {
            assert!(!page.contains(tag), "{fields:?}: {page}");
        }
        if status != 403 {
            assert!(
                page.contains("value=\"kept &#34;label&#34;\"") && page.contains("class=\"wrong\""),
                "{page}"
            );
        }
    }
    assert_eq!(count().await, before);
    // Nobody does it from elsewhere.
    let csrf = browser.csrf().await;
    for (site, csrf) in [("cross-site", csrf.as_str()), ("same-origin", "another")] {
        let fields = [("action", "create"), ("csrf", csrf)];
        assert_eq!(browser.post_from(site, "/account/tokens", &fields).await.status, 403);
    }
    assert_eq!(count().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_have_pages_and_admins_see_to_those_of_others() {
    let app = TestApp::with(|settings| settings.limits.default_page_rows = 3).await;
    app.user("ada", &["read"]).await;
    for _ in 0..4 {
        app.token(json!({ "user": "ada", "scopes": ["read"] })).await;
    }
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let page = browser.page("/account/tokens?user=ada").await;
    assert_eq!(page.matches("<tr>").count(), 4, "{page}");
    let next = plain(between(&page, "rel=\"next\" href=\"", "\""));
    assert_eq!(next, "/account/tokens?user=ada&offset=3");
    let page = browser.page(&next).await;
    assert_eq!(page.matches("<tr>").count(), 3, "{page}");
    assert!(!page.contains("rel=\"next\"") && page.contains("rel=\"prev\""));
    assert_eq!(browser.get("/account/tokens?offset=99999999").await.status, 400);
    assert_eq!(browser.get("/account/tokens?user=nobody").await.status, 404);
    let answer = browser.post("/account/tokens", &[("action", "create"), ("user", "ada")]).await;
    let token = format!("sky_pat_{}", between(&text(&answer), "<code>sky_pat_", "</code>"));
    assert_eq!(app.get_as(&token, "/api/v1/whoami").await.is(200)["user"], "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_enrolled_by_the_line_that_the_page_tells() {
    let app = TestApp::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "<script>x</script>", "-f"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(made.success());
    let public_key = fs_err::read_to_string(file.with_extension("pub")).unwrap();
    app.user("ada", &["read"]).await;
    let ada = app.token(json!({ "user": "ada", "scopes": ["read", "admin"] })).await;
    let mut browser = Browser::signed_in(&app, &ada).await;
    let fields = [("action", "challenge"), ("public_key", public_key.as_str()), ("label", "<i>laptop</i>")];
    let page = text(&browser.post("/account/keys", &fields).await);
    let command = plain(between(&page, "<code>printf", "</code>"));
    let command = format!("printf{command}").replace("~/.ssh/id_ed25519", file.to_str().unwrap());
    let signed = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
    assert!(signed.status.success(), "{command}: {}", String::from_utf8_lossy(&signed.stderr));
    // Browsers send lines as they did in 1994.
    let signature = String::from_utf8(signed.stdout).unwrap().replace('\n', "\r\n");
    let hidden = |name: &str| plain(between(&page, &format!("name=\"{name}\" value=\""), "\""));
    let (challenge, label, key) = (hidden("challenge"), hidden("label"), hidden("public_key"));
    let enrol = |signature: &str| {
        vec![
            ("action".to_owned(), "enrol".to_owned()),
            ("public_key".to_owned(), key.clone()),
            ("label".to_owned(), label.clone()),
            ("challenge".to_owned(), challenge.clone()),
            ("signature".to_owned(), signature.to_owned()),
        ]
    };
    for wrong in ["", "no signature", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----"] {
        let fields = enrol(wrong);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = browser.post("/account/keys", &fields).await;
        let page = text(&answer);
        assert_eq!(answer.status, 422, "{page}");
        // The challenge is still there, to be tried again.
        assert!(plain(&page).contains(&challenge) && page.contains("class=\"wrong\""), "{page}");
    }
    let fields = enrol(&signature);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = browser.post("/account/keys", &fields).await;
    assert_eq!(answer.headers["location"], "/account/keys?notice=key-enrolled", "{}", text(&answer));
    let page = browser.page("/account/keys").await;
    assert!(page.contains("&#60;i&#62;laptop") && !page.contains("<i>laptop") && !page.contains("<script>x"));
    let keys = app.get_as(&ada, "/api/v1/keys").await.is(200);
    let fingerprint = keys["keys"][0]["fingerprint"].as_str().unwrap();
    assert!(page.contains(fingerprint) || plain(&page).contains(fingerprint), "{page}");
    // Somebody else does not revoke it, and is not told whose it is.
    let eve = app.user("eve", &["read", "admin"]).await;
    let revoke = [("action", "revoke"), ("key", fingerprint), ("confirm", "yes")];
    assert_eq!(Browser::signed_in(&app, &eve).await.post("/account/keys", &revoke).await.status, 404);
    let asked = text(&browser.post("/account/keys", &revoke[..2]).await);
    assert!(asked.contains("Revoke the key"), "{asked}");
    assert_eq!(browser.post("/account/keys", &revoke).await.status, 303);
    assert!(browser.page("/account/keys").await.contains("revoked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_told_beside_the_field() {
    let app = TestApp::new().await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    for (key, says) in [
        ("", "class=\"wrong\""),
        ("<script>", "&#60;script&#62;"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "this is a private key"),
        ("-----BEGIN PUBLIC KEY-----", "skillery key enrol"),
    ] {
        let answer = browser.post("/account/keys", &[("action", "challenge"), ("public_key", key)]).await;
        let page = text(&answer);
        assert_eq!(answer.status, 422, "{page}");
        assert!(page.contains(says) && !page.contains("<script>"), "{page}");
    }
    let reader = app.user("ada", &["read"]).await;
    let mut reader = Browser::signed_in(&app, &reader).await;
    assert!(reader.page("/account/keys").await.contains("may enrol none"));
    assert_eq!(reader.post("/account/keys", &[("action", "challenge")]).await.status, 403);
    assert_eq!(reader.get("/account/keys?org=nothing").await.status, 404);
    // What only admins of an org do is offered to them alone.
    let [member] = app.staff([("bob", "publisher")]).await;
    assert!(browser.page("/account/keys?org=acme").await.contains("skillery key enrol --org acme"));
    let page = Browser::signed_in(&app, &member).await.page("/account/keys?org=acme").await;
    assert!(page.contains("Admins of the org enrol its authorities"), "{page}");
    assert!(!page.contains("value=\"challenge\""), "{page}");
    assert_eq!(reader.get("/account/keys?org=%3Cb%3E").await.status, 400);
}
