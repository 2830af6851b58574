//! The registry's own pages, for its admins.

use serde_json::{Value, json};
use skillery_core::token::Secret;

use super::super::{ADMIN, TestApp};
use super::{Browser, text};
use crate::jobs::Job;

const PAGES: [&str; 6] =
    ["/admin", "/admin/users", "/admin/orgs", "/admin/limits", "/admin/jobs", "/admin/log"];

#[tokio::test(flavor = "multi_thread")]
async fn they_are_for_admins_of_the_registry() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let all = &["read", "publish", "review", "rate", "admin"];
    let owner = app.user("owner", all).await;
    app.member("acme", "owner", "owner").await;
    // An admin, with a token that may read only, or is bound.
    let weak = app.token(json!({ "scopes": ["read"] })).await;
    let bound = app.token(json!({ "scopes": ["read", "admin"], "namespaces": ["acme"] })).await;
    for path in PAGES {
        for token in [&owner, &weak, &bound] {
            let mut browser = Browser::signed_in(&app, token).await;
            assert_eq!(browser.get(path).await.status, 403, "{path}");
            assert!(!browser.page("/").await.contains("href=\"/admin\""));
        }
        let page = Browser::signed_in(&app, ADMIN).await.page(path).await;
        assert!(page.len() < 100_000 && page.contains("aria-current=\"page\""), "{path}");
    }
    for path in ["/api/v1/admin/jobs", "/api/v1/admin/settings"] {
        app.get(path).await.fails(401, "unauthenticated");
        for token in [&owner, &weak, &bound] {
            assert_eq!(app.get_as(token, path).await.status, 403, "{path}");
        }
        app.get_as(ADMIN, path).await.is(200);
    }
    for (path, fields) in [
        ("/admin/users", [("action", "create"), ("name", "mallory")]),
        ("/admin/users", [("action", "disable"), ("name", "admin")]),
        ("/admin/orgs", [("action", "create"), ("name", "mallory")]),
    ] {
        let mut browser = Browser::signed_in(&app, &owner).await;
        assert_eq!(browser.post(path, &fields).await.status, 403, "{path}");
        let mut admin = Browser::signed_in(&app, ADMIN).await;
        assert_eq!(admin.post_from("same-origin", path, &fields).await.status, 403, "{path}");
    }
    assert_eq!(app.get_as(ADMIN, "/api/v1/users?q=mallory").await.is(200)["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_made_and_switched_off() {
    let app = TestApp::with(|settings| settings.limits.default_page_rows = 2).await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let path = "/admin/users";
    for name in ["ada", "ada-b", "adam", "zoe"] {
        let answer = browser.post(path, &[("action", "create"), ("name", name)]).await;
        let place = format!("/admin/users?q={name}&notice=user-made");
        assert_eq!(answer.headers["location"], *place, "{}", text(&answer));
    }
    for (name, status, says) in [
        ("ada", 409, "there is `ada` already"),
        ("<script>", 400, "&#60;script&#62;"),
        ("", 400, "class=\"wrong\""),
    ] {
        let answer = browser.post(path, &[("action", "create"), ("name", name), ("site_admin", "yes")]).await;
        let page = text(&answer);
        assert_eq!(answer.status, status, "{page}");
        assert!(
            page.contains(says) && !page.contains("<script>") && page.contains("value=\"yes\" checked"),
            "{page}"
        );
    }
    let page = browser.page("/admin/users?q=ada").await;
    assert!(
        page.contains("3 users") && page.contains("?q=ada&#38;offset=2") && !page.contains("zoe"),
        "{page}"
    );
    assert!(browser.page("/admin/users?q=ada&offset=2").await.contains("<strong>adam</strong>"));
    assert!(browser.page("/admin/users?q=ada_b").await.contains("1 user"));
    for odd in ["%25", "_%25", "%00", "%3Cscript%3E", "a%27"] {
        let page = browser.page(&format!("/admin/users?q={odd}")).await;
        assert!(page.contains("Nobody is called so") && !page.contains("<script>"), "{odd}: {page}");
    }
    let token = app.token(json!({ "user": "zoe", "scopes": ["read"] })).await;
    let off = [("action", "disable"), ("name", "zoe"), ("confirm", "yes")];
    assert!(text(&browser.post(path, &off[..2]).await).contains("Switch zoe off?"));
    app.get_as(&token, "/api/v1/whoami").await.is(200);
    assert_eq!(browser.post(path, &off).await.status, 303);
    app.get_as(&token, "/api/v1/whoami").await.fails(401, "token-revoked");
    assert!(browser.page("/admin/users?q=zoe").await.contains("switched off"));
    assert_eq!(browser.post(path, &[("action", "enable"), ("name", "zoe")]).await.status, 303);
    app.get_as(&token, "/api/v1/whoami").await.is(200);
    assert_eq!(
        browser.post(path, &[("action", "disable"), ("name", "admin"), ("confirm", "yes")]).await.status,
        403
    );
    assert_eq!(
        browser.post(path, &[("action", "disable"), ("name", "nobody"), ("confirm", "yes")]).await.status,
        404
    );
    // Where nobody signs in elsewhere, nobody is linked.
    assert!(!browser.page(path).await.contains("value=\"link\""));
    assert_eq!(
        browser.post(path, &[("action", "link"), ("name", "ada"), ("subject", "1")]).await.status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_elsewhere_are_linked() {
    let app = TestApp::with(|settings| {
        let text = "issuer = 'https://id.example'\nclient_id = 'x'";
        settings.oidc_login = Some(toml::from_str(text).unwrap());
    })
    .await;
    app.user("ada", &["read"]).await;
    app.user("bob", &["read"]).await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let link = |name: &'static str, subject: &'static str| {
        [("action", "link"), ("name", name), ("subject", subject)]
    };
    let answer = browser.post("/admin/users", &link("ada", "4711")).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.headers["location"], "/admin/users?q=ada&notice=saved");
    for (name, subject, status) in
        [("bob", "4711", 409), ("bob", "", 422), ("bo", "1", 404), ("nobody", "1", 404)]
    {
        let answer = browser.post("/admin/users", &link(name, subject)).await;
        assert_eq!(answer.status, status);
        let page = text(&answer);
        assert!(page.matches("class=\"wrong\"").count() == 1, "{page}");
        // The user is shown with what was typed, wherever the list has the user.
        let is_given_back = page.contains(&format!("value=\"{subject}\" aria-invalid=\"true\""));
        assert_eq!(is_given_back, name == "bob", "{page}");
        assert!(!page.contains(">ada<") && page.contains("<details open>") == (name == "bob"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orgs_are_made_for_others() {
    let app = TestApp::with(|settings| settings.limits.default_page_rows = 2).await;
    app.user("ada", &["read"]).await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let path = "/admin/orgs";
    for name in ["acme", "beta", "gamma"] {
        let fields = [("action", "create"), ("name", name), ("owner", "ada")];
        assert_eq!(browser.post(path, &fields).await.status, 303);
    }
    for (name, owner, status) in [
        ("acme", "", 409),
        ("a/b", "", 422),
        ("<script>", "", 400),
        ("delta", "<script>", 404),
        ("admin", "", 400),
    ] {
        let answer = browser.post(path, &[("action", "create"), ("name", name), ("owner", owner)]).await;
        let page = text(&answer);
        assert_eq!(answer.status, status, "{name} {owner}: {page}");
        assert!(page.contains("class=\"wrong\"") && !page.contains("<script>"), "{page}");
    }
    let page = browser.page(path).await;
    assert!(
        page.contains("3 orgs") && page.contains("offset=2") && page.contains("href=\"/orgs/beta\""),
        "{page}"
    );
    assert!(browser.page("/admin/orgs?offset=2").await.contains("gamma"));
    let members = app.get_as(ADMIN, "/api/v1/orgs/acme/members").await.is(200);
    assert_eq!(members["members"][0]["user"], "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_told_and_secrets_are_not() {
    let app = TestApp::with(|settings| {
        let text = "issuer = 'https://id.example'\nclient_id = 'x'\nclient_secret = 'a-secret-of-the-client'";
        settings.oidc_login = Some(toml::from_str(text).unwrap());
        settings.limits.session_days = 77;
        settings.public_url = Some("https://who:hush-hush@skills.example/".parse().unwrap());
        settings.smtp_host = Some("mail.example".to_owned());
        settings.smtp_user = Some("the-name-for-mail".to_owned());
        settings.smtp_password = Some(Secret::new("a-secret-for-mail"));
        settings.mail_from = Some("Skills <skills@example.org>".to_owned());
        settings.digest_hour = 7;
        settings.outbound_allow = vec!["10.1.0.0/16".parse().unwrap()];
        settings.insight.k = 5;
        let text = "denied_days = 30\n[[streams]]\nname = 'siem'\nto = 'tcp://siem.example:514'\n\
            [[streams]]\nname = 'local'\nto = 'unix:/a-secret-file'\n\
            [[streams]]\nname = 'hook'\nsecret = 'a-secret-of-the-stream-of-32-characters'\n\
            to = 'https://a-secret-name:hush-hush@hooks.example:8443/a-secret-path?key=a-secret-key#a-secret-end'";
        settings.audit = toml::from_str(text).unwrap();
    })
    .await;
    let secrets =
        ["a-secret-", "hush-hush", "the-name-for-mail", ADMIN, app.app.settings.data.to_str().unwrap()];
    let page = Browser::signed_in(&app, ADMIN).await.page("/admin/limits").await;
    assert!(page.contains("<code>session_days</code></td><td class=\"break\">77</td>"), "{page}");
    assert!(page.contains("Days that somebody stays signed in with a browser."));
    for name in serde_json::to_value(&app.app.settings.limits).unwrap().as_object().unwrap().keys() {
        let (_, row) = page.split_once(&format!("<code>{name}</code>")).unwrap();
        let what = row.split("</td>").nth(2).unwrap();
        assert!(what.len() > "<td>".len() + 3, "{name} has no meaning");
    }
    for told in
        ["https://id.example", "https://skills.example/", "mail.example", "10.1.0.0/16", "siem.example:514"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    for secret in secrets {
        assert!(!page.contains(secret), "{secret}: {page}");
    }
    // Programs get the same, as values.
    let told = app.get_as(ADMIN, "/api/v1/admin/settings").await.is(200);
    let value = |name: &str| {
        let mut settings = told["settings"].as_array().unwrap().iter();
        settings.find(|setting| setting["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!(value("public_url"), "https://skills.example/");
    assert_eq!(value("oidc_login"), "https://id.example");
    assert_eq!(value("oidc_login.client_secret"), true);
    assert_eq!(
        (value("smtp_host"), value("mail_from")),
        (json!("mail.example"), json!("Skills <skills@example.org>"))
    );
    assert_eq!((value("smtp_port"), value("smtp_tls")), (json!(587), json!("starttls")));
    assert_eq!(
        (value("smtp_user"), value("smtp_password"), value("smtp_ca_file")),
        (json!(true), json!(true), json!(false))
    );
    assert_eq!((value("digest_hour"), value("notification_days")), (json!(7), json!(90)));
    assert_eq!(value("outbound_allow"), json!(["10.1.0.0/16"]));
    assert_eq!((value("insight.k"), value("insight.leaderboards")), (json!(5), json!(true)));
    assert_eq!((value("audit.denied_days"), value("audit.denied_rows")), (json!(30), json!(1_000_000)));
    assert_eq!(
        value("audit.streams"),
        json!(["siem tcp://siem.example:514", "local unix", "hook https://hooks.example:8443 (signed)"])
    );
    assert_eq!((value("anonymous_reads"), value("tls")), (json!(true), json!(false)));
    assert_eq!((value("stop_seconds"), value("witnesses")), (json!(20), json!([])));
    let limits = serde_json::to_value(&app.app.settings.limits).unwrap();
    let told_limits = told["limits"].as_array().unwrap();
    assert_eq!(told_limits.len(), limits.as_object().unwrap().len());
    for limit in told_limits {
        assert_eq!(limit["value"], limits[limit["name"].as_str().unwrap()], "{limit}");
        assert!(limit["what"].as_str().unwrap().len() > 3, "{limit}");
    }
    let text = told.to_string();
    for secret in secrets {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    // Whatever else can be set is there, too, and on the page.
    let all = serde_json::to_value(&app.app.settings).unwrap();
    let untold = [
        "data",
        "listen",
        "blobs",
        "tls_cert",
        "tls_key",
        "secret_key_file",
        "log_key_file",
        "smtp_password_file",
        "limits",
    ];
    let mut names: Vec<String> = Vec::new();
    for (name, value) in all.as_object().unwrap() {
        match (name.as_str(), value.as_object()) {
            ("insight" | "audit", Some(table)) => {
                names.extend(table.keys().map(|key| format!("{name}.{key}")))
            }
            (name, _) if untold.contains(&name) => {}
            (name, _) => names.push(name.to_owned()),
        }
    }
    for name in names {
        assert!(told["settings"].as_array().unwrap().iter().any(|setting| setting["name"] == name), "{name}");
        assert!(page.contains(&format!("<td class=\"nowrap\"><code>{name}</code></td>")), "{name}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_set_is_told_as_such() {
    let app = TestApp::new().await;
    let told = app.get_as(ADMIN, "/api/v1/admin/settings").await.is(200);
    let value = |name: &str| {
        let mut settings = told["settings"].as_array().unwrap().iter();
        settings.find(|setting| setting["name"] == name).unwrap()["value"].clone()
    };
    for name in ["smtp_host", "smtp_port", "smtp_tls", "mail_from", "oidc_login", "oidc_login.client_secret"]
    {
        assert_eq!(value(name), Value::Null, "{name}");
    }
    assert_eq!((value("smtp_user"), value("smtp_password")), (json!(false), json!(false)));
    assert_eq!((value("audit.streams"), value("outbound_allow")), (json!([]), json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_from_its_end() {
    let app = TestApp::with(|settings| settings.limits.default_page_rows = 5).await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/other", "1.0.0").await;
    app.user("ada", &["read"]).await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    let mut path = "/admin/log".to_owned();
    let (mut seen, mut pages) = (Vec::new(), 0);
    let size = app.log().await.len();
    loop {
        let page = browser.page(&path).await;
        let rows = page.split("<tr><td>").skip(1);
        seen.extend(rows.filter_map(|row| row.split_once('<').unwrap().0.parse::<usize>().ok()));
        pages += 1;
        let Some((_, rest)) = page.split_once("rel=\"next\" href=\"") else { break };
        path = rest.split_once('"').unwrap().0.replace("&#38;", "&");
    }
    assert_eq!(seen, (0..size).rev().collect::<Vec<_>>());
    assert_eq!(pages, size.div_ceil(5));
    let page = browser.page("/admin/log?skill=acme%2Ftool").await;
    assert!(page.contains("version.published") && !page.contains("acme/other"), "{page}");
    assert!(page.contains("<td class=\"break\" data-name=\"By\">admin</td>"), "{page}");
    let key = app.get("/api/v1/log/key").await.is(200);
    assert!(page.contains(key["fingerprint"].as_str().unwrap()), "{page}");
    assert!(page.contains(&format!("\n{size}\n")), "{page}");
    assert!(browser.page("/admin/log?before=0").await.contains("There are none"));
    for (bad, status) in [("before=-1", 400), ("before=x", 400), ("skill=x", 400), ("skill=acme/none", 404)] {
        assert_eq!(browser.get(&format!("/admin/log?{bad}")).await.status, status, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_tell_how_they_go() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let mut browser = Browser::signed_in(&app, ADMIN).await;
    app.settle().await;
    app.app.work.turned(Job::Search, app.app.environment.now(), &Ok(()));
    let page = browser.page("/admin/jobs").await;
    for job in Job::ALL {
        assert!(page.contains(&format!("<strong>{}</strong>", job.name())), "{job:?}: {page}");
    }
    assert!(page.contains("at the end") && page.contains("no turn yet"), "{page}");
    assert!(page.contains(">notifications</td>") && page.contains("What is sent"), "{page}");
    assert!(browser.page("/admin").await.contains("ready"));
    let failure = crate::failure::Failure::internal("a <b>disk</b> is gone");
    app.app.work.turned(Job::Contents, app.app.environment.now(), &Err::<(), _>(failure));
    let page = browser.page("/admin/jobs").await;
    assert!(page.contains("failing") && page.contains("a &#60;b&#62;disk"), "{page}");
    app.app.work.turned(Job::Contents, app.app.environment.now(), &Ok(()));
    let page = browser.page("/admin/jobs").await;
    assert!(!page.contains("failing") && page.contains("disk"), "{page}");
    // One stream is stuck, and another goes well all the time.
    let now = app.app.environment.now();
    let failure = crate::failure::Failure::internal("nobody listens");
    app.app.work.part_turned(Job::Audit, "stuck", now, &Err::<(), _>(failure));
    for part in ["a-well", "well"] {
        app.app.work.part_turned(Job::Audit, part, now, &Ok(()));
    }
    let page = browser.page("/admin/jobs").await;
    assert!(page.contains("failing</span> <span class=\"small break\">stuck</span>"), "{page}");
    assert!(page.contains("nobody listens") && page.contains("3 turns"), "{page}");
    // Programs get the same.
    let told = app.get_as(ADMIN, "/api/v1/admin/jobs").await.is(200);
    let jobs = told["jobs"].as_array().unwrap();
    let names: Vec<&str> = jobs.iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(names, Job::ALL.iter().map(|job| job.name()).collect::<Vec<_>>());
    let of = |name: &str| jobs.iter().find(|job| job["name"] == name).unwrap().clone();
    let audit = of("audit");
    assert_eq!(
        (&audit["failing"], &audit["failing_parts"], &audit["turns"]),
        (&json!(true), &json!(["stuck"]), &json!(3))
    );
    assert!(audit["last_error"]["why"].as_str().unwrap().contains("nobody listens"), "{audit}");
    let contents = of("contents");
    assert_eq!((&contents["failing"], &contents["failing_parts"]), (&json!(false), &json!([])));
    assert!(contents["last_error"]["why"].as_str().unwrap().contains("a <b>disk</b> is gone"), "{contents}");
    let witnesses = of("witnesses");
    assert_eq!((&witnesses["turns"], &witnesses["last_at"]), (&json!(0), &json!(null)));
    let size = app.log().await.len();
    assert_eq!((&told["size"], &told["trouble"]), (&json!(size), &json!(null)));
    assert_eq!(told["followers"][0], json!({ "name": "search index", "position": size }));
    assert_eq!(told["followers"][1]["name"], "notifications");
    let none = |way: &str| json!({ "way": way, "waiting": 0, "dead": 0 });
    assert_eq!(told["sent"], json!([none("mail"), none("webhooks")]));
    assert_eq!((&told["streams"], &told["dead_mail"]), (&json!([]), &json!([])));
}
