//! Publishing: files one by one, or all in one form.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use skillery_core::bundle;
use skillery_core::{Digest, Limits};

use super::{API, hub, read, refused};
use crate::tests::{ADMIN, Answer, TestApp};

const SKILL_FILE: &str = "---\nname: tool\ndescription: Checks texts\n---\n\n# Tool\n";

fn folder() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("SKILL.md", SKILL_FILE.as_bytes().to_vec()),
        ("references/Über.md", "ü".as_bytes().to_vec()),
        ("references/a_b.md", b"text".to_vec()),
        ("scripts/run.sh", b"#!/bin/sh\necho yes\n".to_vec()),
        ("assets/empty", Vec::new()),
    ]
}

fn announcement(path: &str, bytes: &[u8]) -> Value {
    json!({ "path": path, "size": bytes.len(), "sha256": Digest::of(bytes).to_string(), "contentType": "text/plain" })
}

/// Sends bytes to the address that the announcement was answered with.
async fn send(app: &TestApp, token: &str, url: &str, bytes: &[u8]) -> Answer {
    let path = url.find("/clawhub/").map(|at| &url[at..]).unwrap();
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "text/markdown");
    app.send(request.body(Body::from(bytes.to_vec())).unwrap()).await
}

/// Sends the files as the program does, and gives what it names them by.
async fn sent(app: &TestApp, token: &str, files: &[(&str, Vec<u8>)]) -> Vec<Value> {
    let mut named = Vec::new();
    for (path, bytes) in files {
        let mut file = announcement(path, bytes);
        let place = app.post(&format!("{API}/skills/-/upload-url"), token, file.clone()).await.is(200);
        let stored = send(app, token, place["uploadUrl"].as_str().unwrap(), bytes).await.is(200);
        file["uploadTicket"] = place["uploadTicket"].clone();
        file["storageId"] = stored["storageId"].clone();
        named.push(file);
    }
    named
}

fn version(slug: &str, version: &str, files: Vec<Value>) -> Value {
    json!({
        "slug": slug, "displayName": "Tool", "ownerHandle": "acme", "version": version, "changelog": "",
        "acceptLicenseTerms": true, "tags": ["latest"], "files": files, "topics": ["checking"],
    })
}

async fn finish(app: &TestApp, token: &str, body: Value) -> Answer {
    app.post(&format!("{API}/skills"), token, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_published_file_by_file() {
    let app = hub(|_| ()).await;
    let files = sent(&app, ADMIN, &folder()).await;
    let body = version("tool", "1.0.0", files);
    let answer = finish(&app, ADMIN, body.clone()).await.is(200);
    assert_eq!(
        answer,
        json!({
            "ok": true, "skillId": "acme/tool", "versionId": "acme/tool@1.0.0", "status": "published",
            "publicationStatus": "published", "slug": "tool", "version": "1.0.0",
        })
    );
    let size = app.log().await.len();
    // The program asks again when it hears nothing. The files are not there any more, and need not be.
    assert_eq!(finish(&app, ADMIN, body).await.is(200), answer);
    assert_eq!(app.log().await.len(), size);
    let download = app.get(&format!("{API}/download?slug=tool&version=1.0.0")).await;
    let mut stored = bundle::unpack(&download.body, &Limits::default()).unwrap();
    let mut wanted = folder();
    stored.sort_by(|left, right| left.path.cmp(&right.path));
    wanted.sort();
    let stored: Vec<(&str, Vec<u8>)> =
        stored.iter().map(|file| (file.path.as_str(), file.bytes.clone())).collect();
    assert_eq!(stored, wanted);
    // Other files under the same version are refused, and nothing is lost.
    let mut other = folder();
    other[2].1 = b"other".to_vec();
    let files = sent(&app, ADMIN, &other).await;
    let text = refused(&finish(&app, ADMIN, version("tool", "1.0.0", files.clone())).await, 409);
    assert!(text.starts_with("acme/tool 1.0.0 is published already"), "{text}");
    finish(&app, ADMIN, version("tool", "1.0.1", files)).await.is(200);
    assert_eq!(read(&app, "", "/skills/tool").await["latestVersion"]["version"], "1.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_kept_and_told() {
    let app = hub(|_| ()).await;
    let files = sent(&app, ADMIN, &folder()).await;
    let said = |number: &str, changelog: &str| {
        let mut body = version("tool", number, files.clone());
        body["changelog"] = json!(changelog);
        body
    };
    // What hides something, or is too long, is refused before anything is published.
    for wrong in ["Takes umlauts.\u{e0049}".to_owned(), "x".repeat(4_097)] {
        let text = refused(&finish(&app, ADMIN, said("1.0.0", &wrong)).await, 422);
        assert!(text.contains("`changelog`"), "{text}");
    }
    assert_eq!(app.get(&format!("{API}/skills/tool")).await.status, 404);
    // The program asks again when it hears nothing.
    for _ in 0..2 {
        finish(&app, ADMIN, said("1.0.0", " Takes umlauts.\r\nAnd more.\n")).await.is(200);
    }
    let told = "Takes umlauts.\nAnd more.";
    let kept = app.get("/api/v1/skills/acme/tool/versions/1.0.0").await.is(200);
    assert_eq!(kept["changelog"], told);
    let skill = read(&app, "", "/skills/tool").await;
    assert_eq!(skill["latestVersion"]["changelog"], told);
    assert_eq!(read(&app, "", "/skills?prefix=tool").await["items"][0]["latestVersion"]["changelog"], told);
    assert_eq!(read(&app, "", "/skills/tool/versions").await["items"][0]["changelog"], told);
    assert_eq!(read(&app, "", "/skills/tool/versions/1.0.0").await["version"]["changelog"], told);
    let text = refused(&finish(&app, ADMIN, said("1.0.0", "Takes nothing.")).await, 409);
    assert!(text.contains("is said, and it is published"), "{text}");
    // What older programs send in one form has it as well; it is of that version alone.
    let payload = said("1.1.0", "Is faster.");
    send_form(&app, ADMIN, form(&payload, &folder(), "--\r\n")).await.is(200);
    let items = read(&app, "", "/skills/tool/versions").await["items"].clone();
    assert_eq!((&items[0]["changelog"], &items[1]["changelog"]), (&json!("Is faster."), &json!(told)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_said_by_who_has_no_role_yet_and_by_who_may_not_read() {
    let app = hub(|_| ()).await;
    // The org comes with the first skill in it, which only its members see.
    let mut hidden = folder();
    hidden.push(("skillery.toml", b"[skill]\nvisibility = \"private\"\n".to_vec()));
    for (name, folder) in [("ada", folder()), ("zed", hidden)] {
        let token = app.user(name, &["read", "publish"]).await;
        let mut body = version("tool", "1.0.0", sent(&app, &token, &folder).await);
        body["ownerHandle"] = json!(name);
        body["changelog"] = json!("The first.");
        finish(&app, &token, body).await.is(200);
        let path = format!("/api/v1/skills/{name}/tool/versions/1.0.0");
        assert_eq!(app.get_as(&token, &path).await.is(200)["changelog"], "The first.", "{name}");
    }
    // A publisher may send again what another has published, and says nothing in their place.
    app.publish("acme/first", "1.0.0").await;
    let mia = app.user("mia", &["read", "publish"]).await;
    app.member("acme", "mia", "publisher").await;
    let mut body = version("tool", "0.9.0", sent(&app, ADMIN, &folder()).await);
    body["changelog"] = json!("Before.");
    for token in [ADMIN, &mia] {
        finish(&app, token, body.clone()).await.is(200);
    }
    body["changelog"] = json!("Something else.");
    refused(&finish(&app, &mia, body).await, 403);
    // A build publishes what waits, and may not look at it.
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    let build = app.token(json!({ "user": "mia", "scopes": ["publish"] })).await;
    let mut body = version("tool", "1.0.0", sent(&app, &build, &folder()).await);
    body["changelog"] = json!("What waits.");
    for _ in 0..2 {
        let answer = finish(&app, &build, body.clone()).await.is(200);
        assert_eq!(answer["status"], "pending");
    }
    // As long as it waits it may be said otherwise.
    body["changelog"] = json!("What waits still.");
    finish(&app, &build, body.clone()).await.is(200);
    let kept = app.get_as(ADMIN, "/api/v1/skills/acme/tool/versions/1.0.0").await.is(200);
    assert_eq!(kept["changelog"], "What waits still.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_for_who_announced_it_and_must_be_the_one_that_was() {
    let app = hub(|_| ()).await;
    app.publish("acme/other", "1.0.0").await;
    let mia = app.user("mia", &["read", "publish"]).await;
    app.member("acme", "mia", "publisher").await;
    let bytes = SKILL_FILE.as_bytes();
    let announce =
        async |token: &str, file: Value| app.post(&format!("{API}/skills/-/upload-url"), token, file).await;
    let place = announce(&mia, announcement("SKILL.md", bytes)).await.is(200);
    let url = place["uploadUrl"].as_str().unwrap();
    assert_eq!(
        refused(&send(&app, ADMIN, url, bytes).await, 404),
        "the upload is not known, is another user's, or has expired"
    );
    let mut wrong = bytes.to_vec();
    wrong[0] ^= 1;
    assert!(refused(&send(&app, &mia, url, &wrong).await, 422).contains("SHA-256"));
    refused(&send(&app, &mia, url, &bytes[1..]).await, 422);
    wrong.push(b'x');
    refused(&send(&app, &mia, url, &wrong).await, 413);
    let mut file = announcement("SKILL.md", bytes);
    file["uploadTicket"] = place["uploadTicket"].clone();
    file["storageId"] = place["uploadTicket"].clone();
    // Announced and not sent: whoever knows the digest of a content that others have gets nothing by that.
    let text = refused(&finish(&app, &mia, version("tool", "1.0.0", vec![file.clone()])).await, 422);
    assert_eq!(text, "`SKILL.md` was not uploaded, or too long ago; publish again");
    send(&app, &mia, url, bytes).await.is(200);
    send(&app, &mia, url, bytes).await.is(200);
    refused(&finish(&app, ADMIN, version("tool", "1.0.0", vec![file.clone()])).await, 422);
    let mut renamed = file.clone();
    renamed["sha256"] = json!(Digest::of(b"other").to_string());
    refused(&finish(&app, &mia, version("tool", "1.0.0", vec![renamed])).await, 422);
    app.app.environment.advance_seconds(3_601);
    refused(&finish(&app, &mia, version("tool", "1.0.0", vec![file])).await, 422);
    refused(&send(&app, &mia, url, bytes).await, 404);
    for (field, value) in [("sha256", json!("short")), ("size", json!(-1)), ("size", json!(17 * 1024 * 1024))]
    {
        let mut bad = announcement("SKILL.md", bytes);
        bad[field] = value;
        let answer = announce(&mia, bad).await;
        refused(&answer, answer.status.as_u16());
        assert!(answer.status.is_client_error(), "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_fills_the_disk_with_files_that_are_never_published() {
    let app = hub(|settings| {
        settings.limits.staged_files_per_user = 3;
        settings.limits.staged_bytes_per_user = 1_000;
    })
    .await;
    let mia = app.user("mia", &["read", "publish"]).await;
    let announce = async |token: &str, size: usize| {
        app.post(&format!("{API}/skills/-/upload-url"), token, announcement("x", &vec![0; size])).await
    };
    announce(&mia, 600).await.is(200);
    let text = refused(&announce(&mia, 600).await, 429);
    assert!(text.contains("1 files with 600 bytes"), "{text}");
    announce(&mia, 100).await.is(200);
    announce(&mia, 100).await.is(200);
    refused(&announce(&mia, 1).await, 429);
    announce(ADMIN, 600).await.is(200);
    app.app.environment.advance_seconds(3_601);
    announce(&mia, 600).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_is_refused_and_why() {
    let app = hub(|_| ()).await;
    app.publish("acme/other", "1.0.0").await;
    let mia = app.user("mia", &["read", "publish"]).await;
    app.member("acme", "mia", "reader").await;
    let files = sent(&app, &mia, &folder()).await;
    let text = refused(&finish(&app, &mia, version("tool", "1.0.0", files.clone())).await, 403);
    assert!(text.contains("`publisher` in `acme`"), "{text}");
    let files = sent(&app, ADMIN, &folder()).await;
    for (change, status, beginning) in [
        (json!({ "tags": ["latest", "beta"] }), 400, "the tag `beta` cannot be set"),
        (json!({ "migrateOwner": true }), 400, "a skill is not handed to another owner"),
        (json!({ "slug": "Not A Name" }), 400, "`@acme/Not A Name` is no name here"),
        (json!({ "slug": "../x" }), 400, "`@acme/../x` is no name here"),
        (json!({ "version": "1" }), 400, "`1` is not a semantic version"),
        (json!({ "tags": "latest" }), 400, "invalid type"),
    ] {
        let mut body = version("tool", "1.0.0", files.clone());
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let text = refused(&finish(&app, ADMIN, body).await, status);
        assert!(text.starts_with(beginning), "{text}");
    }
    assert_eq!(refused(&app.get(&format!("{API}/skills/tool")).await, 404), "Skill not found");
    // All that is wrong with a folder, at once, a line for each.
    let odd = [
        ("SKILL.md", b"---\nname: other\ndescription: Checks texts\n---\n".to_vec()),
        ("A.md", b"x".to_vec()),
        ("a.md", b"x".to_vec()),
        ("con", b"x".to_vec()),
    ];
    let text =
        refused(&finish(&app, ADMIN, version("tool", "1.0.0", sent(&app, ADMIN, &odd).await)).await, 422);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "a.md: the path is the same as `A.md` on file systems that ignore case or write accents in another way",
            "con: the path has the name of a device of Windows, `con`",
            "SKILL.md:2: the skill is published as `tool`, and calls itself otherwise",
        ]
    );
    let none = [("a.md", b"x".to_vec())];
    refused(&finish(&app, ADMIN, version("tool", "1.0.0", sent(&app, ADMIN, &none).await)).await, 422);
    refused(&finish(&app, ADMIN, version("tool", "1.0.0", Vec::new())).await, 422);
    // What was refused did not use up the files.
    finish(&app, ADMIN, version("tool", "1.0.0", files)).await.is(200);
}

/// What the program does not look at is published all the same, and so counts.
#[tokio::test(flavor = "multi_thread")]
async fn other_hidden_files_are_another_version() {
    let app = hub(|_| ()).await;
    let with = |path: &'static str, text: &str| {
        let mut files = folder();
        files.push((path, text.as_bytes().to_vec()));
        files
    };
    let first = sent(&app, ADMIN, &with("assets/.note", "one")).await;
    let body = version("tool", "1.0.0", first);
    finish(&app, ADMIN, body.clone()).await.is(200);
    let size = app.log().await.len();
    for other in [with("assets/.note", "two"), with("assets/.other", "one"), folder()] {
        let files = sent(&app, ADMIN, &other).await;
        let text = refused(&finish(&app, ADMIN, version("tool", "1.0.0", files)).await, 409);
        assert!(text.starts_with("acme/tool 1.0.0 is published already"), "{text}");
    }
    // In whatever order: the same is the same.
    let mut again = body;
    again["files"].as_array_mut().unwrap().reverse();
    finish(&app, ADMIN, again.clone()).await.is(200);
    // One file twice in place of another is not.
    let twice = again["files"][0].clone();
    again["files"][1] = twice;
    refused(&finish(&app, ADMIN, again).await, 422);
    assert_eq!(app.log().await.len(), size);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_keeps_its_spelling_whoever_publishes_there() {
    let app = hub(|_| ()).await;
    app.publish("my_org/other", "1.0.0").await;
    let mia = app.user("mia", &["read", "publish"]).await;
    app.member("my_org", "mia", "publisher").await;
    let bound = json!({ "user": "admin", "scopes": ["read", "publish"], "namespaces": ["my_org/team"] });
    let bound = app.token(bound).await;
    let payload = |slug: &str| json!({ "slug": slug, "version": "1.0.0", "tags": ["latest"] });
    // The only place that a role, or a token, is good for.
    let named = async |token: &str, slug: &str| {
        let text = SKILL_FILE.replace("tool", slug);
        let files = [("SKILL.md", text.into_bytes())];
        send_form(&app, token, form(&payload(slug), &files, "--\r\n")).await.is(200)["skillId"].clone()
    };
    assert_eq!(named(&mia, "tool").await, "my_org/tool");
    assert_eq!(named(&bound, "check").await, "my_org/team/check");
    // And where it is named in another spelling.
    let files = sent(&app, &mia, &folder()).await;
    let mut body = version("tool", "1.1.0", files.clone());
    body["ownerHandle"] = json!("@my-org");
    assert_eq!(finish(&app, &mia, body).await.is(200)["skillId"], "my_org/tool");
    let mut body = version("tool", "1.0.0", sent(&app, ADMIN, &folder()).await);
    body["ownerHandle"] = json!("my.org~sub");
    assert_eq!(finish(&app, ADMIN, body).await.is(200)["skillId"], "my_org/sub/tool");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_wait_for_their_turn_in_memory() {
    let app = hub(|_| ()).await;
    let mut turns = Vec::new();
    while let Ok(turn) = tokio::time::timeout(Duration::from_millis(50), app.app.uploads.turn()).await {
        turns.push(turn.unwrap());
    }
    let large = vec![b'x'; 2 * 1024 * 1024];
    let place = app
        .post(&format!("{API}/skills/-/upload-url"), ADMIN, announcement("large.txt", &large))
        .await
        .is(200);
    let url = place["uploadUrl"].as_str().unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(300), send(&app, ADMIN, url, &large)).await;
    assert!(waiting.is_err(), "{waiting:?}");
    // Small ones are in memory anyway.
    sent(&app, ADMIN, &folder()).await;
    drop(turns);
    send(&app, ADMIN, url, &large).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_falls_silent_is_not_listened_to_any_longer() {
    let app = hub(|settings| settings.limits.request_seconds = 1).await;
    let payload = json!({ "slug": "tool", "ownerHandle": "acme", "version": "1.0.0", "tags": ["latest"] });
    let (kind, body) = form(&payload, &folder(), "--\r\n");
    let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from(body[..body.len() / 2].to_vec()))]);
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{API}/skills"))
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("content-type", kind)
        .body(Body::from_stream(begun.chain(stream::pending())));
    let started = Instant::now();
    refused(&app.send(request.unwrap()).await, 408);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

/// A form as older programs send it.
fn form(payload: &Value, files: &[(&str, Vec<u8>)], end: &str) -> (String, Vec<u8>) {
    let boundary = "----formdata-undici-0123456789";
    let mut body = Vec::new();
    body.extend(
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"payload\"\r\n\r\n{payload}\r\n")
            .bytes(),
    );
    for (path, bytes) in files {
        body.extend(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{path}\"\r\n\
                 Content-Type: text/plain\r\n\r\n"
            )
            .bytes(),
        );
        body.extend(bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}{end}").bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

async fn send_form(app: &TestApp, token: &str, (content_type, body): (String, Vec<u8>)) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{API}/skills"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", content_type);
    app.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn older_programs_publish_in_one_form() {
    let app = hub(|_| ()).await;
    app.publish("acme/other", "1.0.0").await;
    let mia = app.user("mia", &["read", "publish"]).await;
    app.member("acme", "mia", "publisher").await;
    let payload = json!({
        "slug": "tool", "displayName": "Tool", "version": "1.0.0", "changelog": "", "acceptLicenseTerms": true,
        "tags": ["latest"],
    });
    // They do not say whose it is: of who can publish in one place, it is that of that place.
    for _ in 0..2 {
        let answer = send_form(&app, &mia, form(&payload, &folder(), "--\r\n")).await.is(200);
        assert_eq!((&answer["skillId"], &answer["status"]), (&json!("acme/tool"), &json!("published")));
    }
    let one_by_one = sent(&app, &mia, &folder()).await;
    finish(&app, &mia, version("tool", "1.1.0", one_by_one)).await.is(200);
    let files = async |version: &str| {
        read(&app, "", &format!("/skills/tool/versions/{version}")).await["version"]["files"].clone()
    };
    assert_eq!(files("1.0.0").await, files("1.1.0").await);
    // Whoever has no place, or several, publishes under the own name.
    let sam = app.user("sam", &["read", "publish"]).await;
    let answer = send_form(&app, &sam, form(&payload, &folder(), "--\r\n")).await.is(200);
    assert_eq!(answer["skillId"], "sam/tool");
    let (kind, mut body) = form(&payload, &folder(), "--\r\n");
    body.truncate(body.len() / 2);
    refused(&send_form(&app, &mia, (kind, body)).await, 400);
    let (kind, body) = form(&payload, &folder(), "--\r\n");
    let text = String::from_utf8(body).unwrap().replace("name=\"payload\"", "name=\"other\"");
    refused(&send_form(&app, &mia, (kind, text.into_bytes())).await, 400);
    let escape = [("../x", b"x".to_vec()), ("SKILL.md", SKILL_FILE.as_bytes().to_vec())];
    let answer = send_form(&app, &mia, form(&payload, &escape, "--\r\n")).await;
    assert!(answer.status.is_client_error());
    refused(&answer, answer.status.as_u16());
}
