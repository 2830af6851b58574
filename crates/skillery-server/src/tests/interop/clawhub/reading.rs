//! What is read: searching, looking, downloading.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use skillery_core::Limits;
use skillery_core::bundle;

use super::{API, hub, publish, read, refused};
use crate::tests::{ADMIN, TestApp};

fn slugs(page: &Value, list: &str) -> Vec<String> {
    let rows = page[list].as_array().unwrap();
    rows.iter().map(|row| row["slug"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_installed_a_version_is_known() {
    let app = hub(|_| ()).await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.user("anna", &["read"]).await;
    for token in [&*anna, ""] {
        assert_eq!(app.get_as(token, &format!("{API}/download?slug=tool&version=1.0.0")).await.status, 200);
    }
    assert_eq!(
        (app.who_has("acme/tool", "1.0.0").await, app.installs("acme/tool").await),
        (vec!["anna".to_owned()], 2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_with_its_versions_and_files() {
    let app = TestApp::new().await;
    let mut body = crate::tests::skill("acme/email/check_it", "1.0.0");
    body["license"] = json!("MIT-0");
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    app.app.environment.advance_seconds(60);
    app.publish("acme/email/check_it", "1.1.0").await;
    // The owner as it is typed, and the name as it was first spelled or as the program spells it.
    for path in [
        "/skills/check-it",
        "/skills/Check_It?ownerHandle=%40Acme~Email",
        "/skills/check-it?ownerHandle=acme~email",
    ] {
        let shown = read(&app, "", path).await;
        assert_eq!(
            shown,
            json!({
                "skill": {
                    "slug": "check-it", "displayName": "check_it", "summary": "Checks check_it of texts",
                    "tags": { "latest": "1.1.0" }, "stats": { "downloads": 0, "installsAllTime": 0, "stars": 0 },
                    "createdAt": 1_767_323_045_000_i64, "updatedAt": 1_767_323_105_000_i64, "ownerHandle": "acme~email",
                },
                "latestVersion": { "version": "1.1.0", "createdAt": 1_767_323_105_000_i64, "changelog": "" },
                "owner": { "handle": "acme~email", "displayName": "acme/email", "kind": "org" },
            })
        );
    }
    let versions = read(&app, "", "/skills/check-it/versions?limit=1").await;
    assert_eq!(versions["items"].as_array().unwrap().len(), 1);
    assert_eq!((&versions["items"][0]["version"], &versions["nextCursor"]), (&json!("1.1.0"), &json!("1")));
    let versions = read(&app, "", "/skills/check-it/versions?limit=1&cursor=1").await;
    assert_eq!((&versions["items"][0]["version"], &versions["nextCursor"]), (&json!("1.0.0"), &Value::Null));
    let version = read(&app, "", "/skills/check-it/versions/1.0.0").await;
    assert_eq!(version["skill"], json!({ "slug": "check-it", "displayName": "check_it" }));
    // Another licence would make the program refuse the answer.
    assert_eq!(version["version"]["license"], "MIT-0");
    assert_eq!(read(&app, "", "/skills/check-it/versions/1.1.0").await["version"]["license"], Value::Null);
    let files = version["version"]["files"].as_array().unwrap();
    assert_eq!(files[0]["path"], "SKILL.md");
    assert_eq!(files[0]["contentType"], "text/markdown");
    let file = app.get(&format!("{API}/skills/check-it/file?path=scripts/check_it.py&version=1.0.0")).await;
    assert_eq!(file.status, 200);
    assert_eq!(skillery_core::Digest::of(&file.body).to_string(), files[1]["sha256"].as_str().unwrap());
    assert_eq!(file.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(file.headers["x-content-type-options"], "nosniff");
    for (path, status) in
        [("path=none", 404), ("path=..%2FSKILL.md", 404), ("", 400), ("path=SKILL.md&tag=beta", 404)]
    {
        refused(&app.get(&format!("{API}/skills/check-it/file?{path}")).await, status);
    }
    assert_eq!(app.get(&format!("{API}/skills/check-it/file?path=SKILL.md&tag=latest")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_download_is_the_stored_bundle() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    publish(&app, "acme/hidden", "1.0.0", "internal").await;
    let latest = app.get(&format!("{API}/download?slug=tool")).await;
    assert_eq!(latest.status, 200);
    assert_eq!(latest.headers["content-type"], "application/zip");
    assert_eq!(latest.headers["content-disposition"], "attachment; filename=\"tool-1.0.0.zip\"");
    assert_eq!(latest.headers["cache-control"], "private, no-cache");
    let files = bundle::unpack(&latest.body, &Limits::default()).unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["SKILL.md", "scripts/tool.py"]);
    let path = format!("{API}/download?slug=tool&ownerHandle=acme&version=1.0.0");
    let exact = app.get(&path).await;
    assert_eq!(exact.body, latest.body);
    assert_eq!(exact.headers["cache-control"], "public, max-age=3600, immutable");
    // A bare name may be another skill's tomorrow, or that of several.
    for owner in ["", "&ownerHandle=", "&ownerHandle=%20"] {
        let bare = app.get(&format!("{API}/download?slug=tool&version=1.0.0{owner}")).await;
        assert_eq!((&bare.headers["etag"], &bare.body), (&exact.headers["etag"], &exact.body));
        assert_eq!(bare.headers["cache-control"], "private, no-cache");
    }
    let hidden =
        app.get_as(ADMIN, &format!("{API}/download?slug=hidden&ownerHandle=acme&version=1.0.0")).await;
    assert_eq!(hidden.headers["cache-control"], "private, max-age=3600, immutable");
    let tag = exact.headers["etag"].to_str().unwrap();
    let again = Request::builder().uri(&path).header("if-none-match", tag).header("host", "x");
    let again = app.send(again.body(Body::empty()).unwrap()).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let head = app.call(Method::HEAD, &path, "", None).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.headers["content-length"], exact.body.len().to_string());
    app.settle().await;
    let stats = read(&app, "", "/skills/tool").await["skill"]["stats"].clone();
    assert_eq!(stats["downloads"], 5, "only what was handed out counts");
    refused(&app.get(&format!("{API}/download")).await, 400);
    refused(&app.get(&format!("{API}/download?slug=tool&version=9.9.9")).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_does_not_see_is_not_there() {
    let app = TestApp::new().await;
    publish(&app, "acme/open", "1.0.0", "public").await;
    publish(&app, "acme/staff", "1.0.0", "internal").await;
    publish(&app, "acme/email/secret", "1.0.0", "private").await;
    let member = app.user("mia", &["read", "rate", "publish"]).await;
    app.member("acme/email", "mia", "publisher").await;
    let stranger = app.user("sam", &["read", "rate", "publish"]).await;
    app.settle().await;
    for (token, wanted) in [
        ("", vec!["open"]),
        (stranger.as_str(), vec!["staff", "open"]),
        (member.as_str(), vec!["secret", "staff", "open"]),
    ] {
        for path in ["/skills?sort=createdAt", "/skills?sort=createdAt&limit=1000"] {
            assert_eq!(slugs(&read(&app, token, path).await, "items"), wanted, "{path}");
        }
        for sort in ["stars", "downloads", "installs", "trending", "updated", "name", "rating"] {
            let page = read(&app, token, &format!("/skills?sort={sort}")).await;
            assert_eq!(page["items"].as_array().unwrap().len(), wanted.len(), "{sort}");
            assert_eq!(page["nextCursor"], Value::Null);
        }
        let hits = read(&app, token, "/search?q=texts").await;
        assert_eq!(hits["results"].as_array().unwrap().len(), wanted.len());
        let exact = read(&app, token, "/search?q=secret&mode=exact").await;
        let exact_of_owner = read(&app, token, "/search?q=%40acme~email/secret&mode=exact").await;
        let prefixed = read(&app, token, "/skills?prefix=Sec").await;
        let sees = usize::from(wanted.contains(&"secret"));
        assert_eq!(exact["results"].as_array().unwrap().len(), sees);
        assert_eq!(exact_of_owner["results"].as_array().unwrap().len(), sees);
        assert_eq!(prefixed["items"].as_array().unwrap().len(), sees);
    }
    let none = "/skills/none?ownerHandle=acme~email";
    for path in [
        "/skills/secret",
        "/skills/secret?ownerHandle=acme~email",
        "/skills/secret/versions",
        "/skills/secret/versions/1.0.0",
        "/skills/secret/file?path=SKILL.md",
        "/skills/secret/install",
        "/skills/secret/moderation",
        "/skills/secret/verify",
        "/download?slug=secret",
    ] {
        let hidden = app.get_as(&stranger, &format!("{API}{path}")).await;
        let missing = app.get_as(&stranger, &format!("{API}{none}")).await;
        assert_eq!((hidden.status, &hidden.body), (missing.status, &missing.body), "{path}");
        assert_eq!(app.get_as(&member, &format!("{API}{path}")).await.status, 200, "{path}");
    }
    let resolved = read(&app, &stranger, "/resolve?slug=secret").await;
    assert_eq!(resolved, json!({ "slug": "secret", "match": null, "latestVersion": null }));
    for path in ["/stars/secret", "/skills/secret/undelete", "/skills/secret/versions/1.0.0/restore"] {
        assert_eq!(
            refused(&app.post(&format!("{API}{path}"), &stranger, json!({})).await, 404),
            "Skill not found"
        );
    }
    for path in ["/stars/secret", "/skills/secret", "/skills/secret/versions/1.0.0"] {
        assert_eq!(refused(&app.delete(&format!("{API}{path}"), &stranger).await, 404), "Skill not found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_name_must_be_the_only_one_that_the_caller_sees() {
    let app = TestApp::new().await;
    publish(&app, "acme/tool", "1.0.0", "public").await;
    publish(&app, "acme/email/tool", "1.0.0", "private").await;
    assert_eq!(read(&app, "", "/skills/tool").await["owner"]["handle"], "acme");
    let answer = app.get_as(ADMIN, &format!("{API}/skills/tool")).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let body = answer.is(409);
    assert_eq!(body["code"], "AMBIGUOUS_SKILL_SLUG");
    assert_eq!(body["message"], "several skills are called `tool`; say whose, as `@acme/tool`");
    let references: Vec<_> =
        body["matches"].as_array().unwrap().iter().map(|row| row["ref"].as_str().unwrap()).collect();
    assert_eq!(references, ["@acme/tool", "@acme~email/tool"]);
    assert!(body["matches"][1]["url"].as_str().unwrap().ends_with("/acme/email/tool"));
    // One that is deleted is in nobody's way.
    app.delete(&format!("{API}/skills/tool?ownerHandle=acme"), ADMIN).await.is(200);
    assert_eq!(read(&app, ADMIN, "/skills/tool").await["owner"]["handle"], "acme~email");
    assert_eq!(read(&app, "", "/skills/tool").await["latestVersion"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn walks_go_on_where_they_have_stopped() {
    let app = TestApp::new().await;
    for number in 0..7 {
        let visibility = if number % 2 == 0 { "public" } else { "internal" };
        publish(&app, &format!("acme/tool-{number}"), "1.0.0", visibility).await;
    }
    let rita = app.user("rita", &["read", "rate"]).await;
    for slug in ["tool-2", "tool-6"] {
        app.post(&format!("{API}/stars/{slug}"), ADMIN, json!({})).await.is(200);
    }
    app.post(&format!("{API}/stars/tool-2"), &rita, json!({})).await.is(200);
    app.settle().await;
    for (query, wanted) in [
        ("sort=createdAt", ["tool-6", "tool-4", "tool-2", "tool-0"]),
        ("sort=stars", ["tool-2", "tool-6", "tool-4", "tool-0"]),
        ("prefix=tool_", ["tool-0", "tool-2", "tool-4", "tool-6"]),
        ("sort=name", ["tool-0", "tool-2", "tool-4", "tool-6"]),
    ] {
        for limit in [1, 2, 3, 4] {
            let mut found = Vec::new();
            let mut cursor = String::new();
            loop {
                let page = read(&app, "", &format!("/skills?{query}&limit={limit}{cursor}")).await;
                found.extend(slugs(&page, "items"));
                match page["nextCursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
                assert!(found.len() < wanted.len(), "{query} {limit}");
            }
            assert_eq!(found, wanted, "{query} {limit}");
        }
    }
    for query in ["sort=createdAt&cursor=x", "cursor=-1", "sort=none", "cursor=99999999"] {
        refused(&app.get(&format!("{API}/skills?{query}")).await, 400);
    }
    for prefix in ["%25", "_%25", "t%C3%B6", &"t".repeat(300)] {
        assert_eq!(slugs(&read(&app, "", &format!("/skills?prefix={prefix}")).await, "items"), [""; 0]);
    }
    for cursor in ["x", "1", "1.other", "1.tool-%7F", "x.tool-1"] {
        refused(&app.get(&format!("{API}/skills?prefix=tool&cursor={cursor}")).await, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beginnings_of_names_are_in_the_order_of_their_letters() {
    let app = TestApp::new().await;
    for id in ["b/tool", "a/too", "a/tool-2", "a/toolz", "a/tool", "a/tool_1", "a/tool2", "a/to-ol", "a/tooo"]
    {
        app.publish(id, "1.0.0").await;
    }
    let found = slugs(&read(&app, "", "/skills?prefix=TOOL").await, "items");
    assert_eq!(found, ["tool", "tool", "tool-1", "tool-2", "tool2", "toolz"]);
    assert_eq!(slugs(&read(&app, "", "/skills?prefix=tool.").await, "items"), ["tool-1", "tool-2"]);
    assert_eq!(slugs(&read(&app, "", "/skills?prefix=to-").await, "items"), ["to-ol"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_tells_of_no_skill_that_is_not_seen() {
    let app = TestApp::new().await;
    for (id, visibility) in [("acme/tool-a", "public"), ("acme/tool-b", "private"), ("acme/tool-c", "public")]
    {
        publish(&app, id, "1.0.0", visibility).await;
    }
    app.post(&format!("{API}/stars/tool-b"), ADMIN, json!({})).await.is(200);
    let sam = app.user("sam", &["read"]).await;
    let first = read(&app, &sam, "/skills?prefix=tool&limit=1").await;
    assert_eq!(slugs(&first, "items"), ["tool-a"]);
    assert!(first["nextCursor"].as_str().unwrap().ends_with(".tool-a"), "{first}");
    // The hidden one has a star, and lies between the two.
    let first = read(&app, &sam, "/skills?sort=createdAt&limit=1").await;
    assert_eq!(slugs(&first, "items"), ["tool-c"]);
    let cursor = first["nextCursor"].as_str().unwrap();
    assert!(cursor.ends_with(".0"), "{first}");
    let second = read(&app, &sam, &format!("/skills?sort=createdAt&limit=1&cursor={cursor}")).await;
    assert_eq!((slugs(&second, "items"), &second["nextCursor"]), (vec!["tool-a".to_owned()], &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_known_by_its_fingerprint() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    // Computed as the program does: `SKILL.md` comes behind `scripts/` in its order.
    let print = async |version: &str| {
        let shown = read(&app, "", &format!("/skills/tool/versions/{version}")).await;
        let line = |place: usize| {
            let file = &shown["version"]["files"][place];
            format!("{}:{}", file["path"].as_str().unwrap(), file["sha256"].as_str().unwrap())
        };
        skillery_core::Digest::of(format!("{}\n{}", line(1), line(0)).as_bytes()).to_string()
    };
    let (first, second) = (print("1.0.0").await, print("1.1.0").await);
    // Twice: the second time they are remembered.
    for _ in 0..2 {
        let resolved = read(&app, "", &format!("/resolve?slug=tool&ownerHandle=acme&hash={first}")).await;
        assert_eq!(
            resolved,
            json!({ "slug": "tool", "match": { "version": "1.0.0" }, "latestVersion": { "version": "1.1.0" } })
        );
        let resolved = read(&app, "", &format!("/resolve?slug=tool&hash={}", second.to_uppercase())).await;
        assert_eq!(resolved["match"]["version"], "1.1.0");
    }
    let other = read(&app, "", &format!("/resolve?slug=tool&hash={}", "0".repeat(64))).await;
    assert_eq!(other["match"], Value::Null);
    refused(&app.get(&format!("{API}/resolve?slug=tool&hash=short")).await, 400);
    refused(&app.get(&format!("{API}/resolve")).await, 400);
    // A yanked one is still known again, so that whoever has it is told of another.
    app.delete(&format!("{API}/skills/tool/versions/1.1.0"), ADMIN).await.is(200);
    let resolved = read(&app, "", &format!("/resolve?slug=tool&hash={second}")).await;
    assert_eq!(
        (&resolved["match"]["version"], &resolved["latestVersion"]["version"]),
        (&json!("1.1.0"), &json!("1.0.0"))
    );
    let path = "/api/v1/skills/acme/tool/versions/1.0.0/quarantine";
    app.put(path, ADMIN, json!({ "reason": "bad" })).await.is(200);
    assert_eq!(read(&app, "", &format!("/resolve?slug=tool&hash={first}")).await["match"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_version_is_told_as_it_is() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    let verified = read(&app, "", "/skills/tool/verify").await;
    assert_eq!(verified["schema"], "clawhub.skill.verify.v1");
    assert_eq!(
        (&verified["ok"], &verified["decision"], &verified["reasons"]),
        (&json!(true), &json!("pass"), &json!([]))
    );
    assert_eq!(
        (&verified["version"], &verified["resolvedFrom"], &verified["tag"]),
        (&json!("1.1.0"), &json!("latest"), &Value::Null)
    );
    assert_eq!(verified["signature"]["status"], "unsigned");
    assert_eq!(verified["security"]["status"], "unscanned");
    let proof = verified["provenance"]["proofUrl"].as_str().unwrap();
    assert!(proof.ends_with("/api/v1/skills/acme/tool/versions/1.1.0/proof"), "{proof}");
    for key in ["card", "artifact", "provenance", "security", "signature", "publisherProfileUrl"] {
        assert!(verified.as_object().unwrap().contains_key(key), "{key}");
    }
    let tagged = read(&app, "", "/skills/tool/verify?tag=latest").await;
    assert_eq!((&tagged["resolvedFrom"], &tagged["tag"]), (&json!("tag"), &json!("latest")));
    app.delete(&format!("{API}/skills/tool/versions/1.1.0"), ADMIN).await.is(200);
    let yanked = read(&app, "", "/skills/tool/verify?version=1.1.0").await;
    assert_eq!(
        (&yanked["ok"], &yanked["decision"], &yanked["reasons"]),
        (&json!(false), &json!("fail"), &json!(["version_yanked"]))
    );
    // Bytes that somebody has changed are no pass.
    let digest = read(&app, "", "/skills/tool/verify?version=1.0.0").await["artifact"]["sha256"].clone();
    let digest = digest.as_str().unwrap();
    app.app.blobs.settle().await.unwrap();
    let file = app.app.settings.blob_folder().join("sha256").join(&digest[..2]).join(digest);
    std::fs::write(file, b"other").unwrap();
    let damaged = read(&app, "", "/skills/tool/verify?version=1.0.0").await;
    assert_eq!((&damaged["ok"], &damaged["reasons"]), (&json!(false), &json!(["content_damaged"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_is_read_without_the_others() {
    let app = hub(|_| ()).await;
    app.publish("acme/tool", "1.0.0").await;
    app.damage("acme/tool", "1.0.0", "scripts/tool.py").await;
    let file = async |path: &str| app.get(&format!("{API}/skills/tool/file?path={path}")).await;
    let read = file("SKILL.md").await;
    assert_eq!(read.status, 200);
    assert!(String::from_utf8(read.body).unwrap().contains("name: tool"));
    refused(&file("scripts/tool.py").await, 500);
}
