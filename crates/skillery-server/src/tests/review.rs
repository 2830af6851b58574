//! Reviews: what changed, as lines and as a patch, what is said about it, and who is asked.

use std::path::Path;
use std::process::Command;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use skillery_core::Digest;
use skillery_core::bundle::BundleFile;

use super::approvals::People;
use super::folders::{asked, file};
use super::{ADMIN, Answer, SCOPES, TestApp, skill};

const TOOL: &str = "/api/v1/skills/acme/tool/versions";
const SCRIPT: &str = "# /// script\n# [tool.skillery.permissions]\n# hosts = [\"example.org:443\"]\n# ///\n";

fn skill_file(description: &str, more: &str) -> BundleFile {
    let text = format!(
        "---\nname: tool\ndescription: {description} Use it for forms.\nlicense: MIT\n{more}---\n\n# Tool\n\nRead the page.\n"
    );
    file("SKILL.md", text)
}

fn first() -> Vec<BundleFile> {
    vec![
        skill_file("Fills.", ""),
        file("scripts/tool.py", (1..=30).map(|line| format!("line_{line} = {line}\n")).collect::<String>()),
        file("old/name.txt", "kept as it is\n"),
        file("gone.txt", "no more\nof this"),
        file("with space.txt", "a\n"),
        file("picture.bin", [0, 159, 146, 150]),
        file("removed.bin", [0, 1]),
        file("same.txt", "same\n"),
    ]
}

fn second() -> Vec<BundleFile> {
    let code: String = (1..=30)
        .map(|line| {
            if line == 15 { "line_15 = 'x\u{202e}y'\n".to_owned() } else { format!("line_{line} = {line}\n") }
        })
        .collect();
    let mut run = file("run.sh", "#!/bin/sh\nexit 0\n");
    run.executable = true;
    vec![
        skill_file(
            "Fills in.",
            "allowed-tools: Bash\nmetadata:\n  skillery-dependencies: \"acme/base ^1.2\"\n",
        ),
        file("scripts/tool.py", format!("{SCRIPT}{code}")),
        file("new/name.txt", "kept as it is\n"),
        file("with space.txt", "a\nb"),
        file("picture.bin", (0..=255).cycle().take(3_000).collect::<Vec<u8>>()),
        file("empty.txt", ""),
        file("same.txt", "same\n"),
        run,
    ]
}

impl TestApp {
    async fn folder_as(&self, token: &str, version: &str, files: Vec<BundleFile>) -> Answer {
        self.send_folder(token, &asked("acme/tool", version), files).await
    }

    async fn patch_of(&self, token: &str, path: &str) -> Vec<u8> {
        let request = Request::get(path)
            .header("accept", "text/x-diff")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty());
        let answer = self.send(request.unwrap()).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.headers["content-type"], "text/x-diff; charset=utf-8");
        answer.body
    }
}

fn by_path<'a>(diff: &'a Value, path: &str) -> &'a Value {
    diff["files"].as_array().unwrap().iter().find(|file| file["path"] == path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_shows_what_changed_and_what_nobody_would_see() {
    let app = TestApp::new().await;
    app.folder_as(ADMIN, "1.0.0", first()).await.is(201);
    app.folder_as(ADMIN, "1.1.0", second()).await.is(201);
    let diff = app.get(&format!("{TOOL}/1.1.0/diff")).await.is(200);
    assert_eq!((&diff["from"]["version"], &diff["to"]["version"]), (&json!("1.0.0"), &json!("1.1.0")));
    let told: Vec<String> = diff["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            let of = |name: &str| file[name].as_str().unwrap().to_owned();
            format!(
                "{} {} +{} -{} binary {}",
                of("status"),
                of("path"),
                file["added"],
                file["removed"],
                file["binary"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "changed SKILL.md +4 -1 binary false",
            "added empty.txt +0 -0 binary false",
            "removed gone.txt +0 -2 binary false",
            "renamed new/name.txt +0 -0 binary false",
            "changed picture.bin +0 -0 binary true",
            "removed removed.bin +0 -0 binary true",
            "added run.sh +2 -0 binary false",
            "changed scripts/tool.py +5 -1 binary false",
            "changed with space.txt +1 -0 binary false",
        ]
    );
    assert_eq!((&diff["unchanged"], &diff["truncated"]), (&json!(1), &json!(false)));
    assert_eq!(by_path(&diff, "new/name.txt")["before"]["path"], "old/name.txt");
    let picture = by_path(&diff, "picture.bin");
    assert_eq!((&picture["before"]["size"], &picture["after"]["size"]), (&json!(4), &json!(3_000)));
    assert_eq!(picture["before"]["digest"], Digest::of(&[0, 159, 146, 150]).to_string());
    let code = by_path(&diff, "scripts/tool.py");
    assert_eq!(code["hidden"], 1);
    assert_eq!(code["hunks"].as_array().unwrap().len(), 2);
    let lines = code["hunks"][1]["lines"].as_array().unwrap();
    let added = json!({ "kind": "added", "new": 19, "text": "line_15 = 'x⟨U+202E⟩y'", "hidden": 1 });
    assert_eq!((&code["hunks"][1]["old_start"], &code["hunks"][1]["new_start"]), (&json!(12), &json!(16)));
    assert_eq!(lines[3], json!({ "kind": "removed", "old": 15, "text": "line_15 = 15" }));
    assert_eq!(lines[4], added);
    let last = json!({ "kind": "added", "new": 2, "text": "b", "unended": true });
    assert_eq!(by_path(&diff, "with space.txt")["hunks"][0]["lines"][1], last);
    // What is said beside the files.
    let described = json!([{ "field": "description", "before": "Fills. Use it for forms.", "after": "Fills in. Use it for forms." }]);
    assert_eq!(diff["fields"], described);
    assert_eq!(diff["dependencies"], json!([{ "id": "acme/base", "before": null, "after": "^1.2" }]));
    let asks = json!([
        { "path": "SKILL.md", "permission": "allowed-tools", "added": ["Bash"], "removed": [] },
        { "path": "run.sh", "permission": "program", "added": ["yes"], "removed": [] },
        { "path": "scripts/tool.py", "permission": "hosts", "added": ["example.org:443"], "removed": [] },
        { "path": "scripts/tool.py", "permission": "undeclared", "added": [], "removed": ["yes"] },
    ]);
    assert_eq!(diff["permissions"], asks);

    // One file; the first version, of which all is new; against another one, and nothing.
    let one = app.get(&format!("{TOOL}/1.1.0/diff?path=old/name.txt")).await.is(200);
    assert_eq!(one["files"].as_array().unwrap().len(), 1);
    app.get(&format!("{TOOL}/1.1.0/diff?path=none")).await.fails(404, "file-not-found");
    let all = app.get(&format!("{TOOL}/1.0.0/diff")).await.is(200);
    assert_eq!((&all["from"], all["files"].as_array().unwrap().len()), (&Value::Null, 8));
    assert_eq!(all["fields"].as_array().unwrap().len(), 4);
    let none = app.get(&format!("{TOOL}/1.1.0/diff?from=none")).await.is(200);
    assert_eq!(none["files"].as_array().unwrap().len(), 8);
    let back = app.get(&format!("{TOOL}/1.0.0/diff?from=1.1.0")).await.is(200);
    assert_eq!(by_path(&back, "run.sh")["status"], "removed");
    let same = app.get(&format!("{TOOL}/1.0.0/diff?from=1.0.0")).await.is(200);
    assert_eq!((&same["files"], &same["unchanged"], &same["fields"]), (&json!([]), &json!(8), &json!([])));
    app.get(&format!("{TOOL}/1.0.0/diff?from=x")).await.fails(400, "invalid-parameter");
    app.get(&format!("{TOOL}/1.0.0/diff?from=3.0.0")).await.fails(404, "version-not-found");
    app.get(&format!("{TOOL}/1.0.0/diff?format=html")).await.fails(400, "invalid-parameter");
}

/// Runs a program in a folder; it must go well.
fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let done =
        Command::new(program).args(arguments).current_dir(folder).env("HOME", folder).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn write(folder: &Path, files: &[BundleFile]) {
    use std::os::unix::fs::PermissionsExt;
    for file in files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &file.bytes).unwrap();
        let mode = if file.executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// All files below a folder, but for git's.
fn read(folder: &Path) -> Vec<BundleFile> {
    use std::os::unix::fs::PermissionsExt;
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(place) = folders.pop() {
        for entry in std::fs::read_dir(place).unwrap().map(Result::unwrap) {
            let path = entry.path();
            match path.is_dir() {
                true if entry.file_name() == ".git" => {}
                true => folders.push(path),
                false => files.push(BundleFile {
                    path: path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(),
                    executable: path.metadata().unwrap().permissions().mode() & 0o100 != 0,
                    bytes: std::fs::read(&path).unwrap(),
                }),
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_is_applied_by_git_and_by_patch() {
    let app = TestApp::new().await;
    let sorted = |mut files: Vec<BundleFile>| {
        files.sort_by(|left, right| left.path.cmp(&right.path));
        files
    };
    app.folder_as(ADMIN, "1.0.0", first()).await.is(201);
    app.folder_as(ADMIN, "1.1.0", second()).await.is(201);
    for (path, before, after) in [
        ("1.1.0/diff", first(), second()),
        ("1.0.0/diff?from=1.1.0", second(), first()),
        ("1.1.0/diff?from=none", Vec::new(), second()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &before);
        let patch = app.patch_of(ADMIN, &format!("{TOOL}/{path}")).await;
        std::fs::write(folder.path().join("it.diff"), &patch).unwrap();
        run(folder.path(), "git", &["init", "-q"]);
        run(folder.path(), "git", &["apply", "it.diff"]);
        std::fs::remove_file(folder.path().join("it.diff")).unwrap();
        assert_eq!(read(folder.path()), sorted(after), "{path}");
    }
    // GNU patch takes text.
    let text = |files: Vec<BundleFile>| -> Vec<BundleFile> {
        files.into_iter().filter(|file| !file.path.ends_with(".bin")).collect()
    };
    app.folder_as(ADMIN, "2.0.0", text(first())).await.is(201);
    app.folder_as(ADMIN, "2.1.0", text(second())).await.is(201);
    if Command::new("patch").arg("--version").output().is_ok() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &text(first()));
        let patch = app.patch_of(ADMIN, &format!("{TOOL}/2.1.0/diff")).await;
        std::fs::write(folder.path().join("it.diff"), &patch).unwrap();
        run(folder.path(), "patch", &["-p1", "-s", "-i", "it.diff"]);
        std::fs::remove_file(folder.path().join("it.diff")).unwrap();
        assert_eq!(read(folder.path()), sorted(text(second())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_has_limits_and_says_what_it_leaves_out() {
    let app = TestApp::with(|settings| {
        settings.limits.diff_file_bytes = 10_000;
        settings.limits.diff_lines = 40;
    })
    .await;
    let with = |long: &str, many: &str| {
        vec![skill_file("Fills.", ""), file("a.txt", long), file("b.txt", many), file("c.txt", many)]
    };
    app.folder_as(ADMIN, "1.0.0", with("a", "a\n")).await.is(201);
    app.folder_as(ADMIN, "1.1.0", with(&"x".repeat(10_001), &"b\n".repeat(30))).await.is(201);
    let diff = app.get(&format!("{TOOL}/1.1.0/diff")).await.is(200);
    assert_eq!(diff["truncated"], true);
    let of = |path: &str| {
        let file = by_path(&diff, path);
        let lines =
            file["hunks"].as_array().unwrap().iter().map(|hunk| hunk["lines"].as_array().unwrap().len());
        (file["truncated"].as_bool().unwrap(), lines.sum::<usize>(), file["added"].as_u64().unwrap())
    };
    assert_eq!((of("a.txt"), of("b.txt"), of("c.txt")), ((true, 0, 0), (false, 31, 30), (true, 9, 30)));
    let patch = String::from_utf8(app.patch_of(ADMIN, &format!("{TOOL}/1.1.0/diff")).await).unwrap();
    assert!(
        patch.starts_with(
            "acme/tool 1.0.0 to 1.1.0\nleft out, as it is too large: a.txt\n\ndiff --git a/b.txt"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_hard_to_compare_take_no_longer_than_the_deadline() {
    let app = TestApp::new().await;
    let many = |seed: u64| -> String {
        let mut state = seed;
        let mut line = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("{}\n", (state >> 33) % 40)
        };
        (0..19_999).map(|_| line()).collect()
    };
    let with = |seed: u64| {
        let files = (0..8).map(|number| file(&format!("{number}.txt"), many(seed + number)));
        files.chain([skill_file("Fills.", "")]).collect::<Vec<_>>()
    };
    app.folder_as(ADMIN, "1.0.0", with(1)).await.is(201);
    app.folder_as(ADMIN, "1.1.0", with(100)).await.is(201);
    let start = std::time::Instant::now();
    let diff = app.get(&format!("{TOOL}/1.1.0/diff")).await.is(200);
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(diff["truncated"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_compared_for_reviewers_only() {
    let app = TestApp::new().await;
    let People { author, rita, reader, .. } = app.people().await;
    app.policy("acme", 1).await;
    app.publish_as(&author, "1.0.0").await;
    for token in ["", &reader] {
        app.get_as(token, &format!("{TOOL}/1.0.0/diff")).await.fails(404, "version-not-found");
        app.get_as(token, &format!("{TOOL}/1.0.0/findings")).await.fails(404, "version-not-found");
    }
    let all = app.get_as(&rita, &format!("{TOOL}/1.0.0/diff")).await.is(200);
    assert_eq!((&all["from"], &all["to"]["status"]), (&Value::Null, &json!("pending")));
    app.post(&format!("{TOOL}/1.0.0/approvals"), &rita, json!({ "decision": "approved" })).await.is(200);
    // Compared with what was handed out, not with what waits.
    app.publish_as(&author, "1.1.0").await;
    app.publish_as(&author, "1.2.0").await;
    let diff = app.get_as(&author, &format!("{TOOL}/1.2.0/diff")).await.is(200);
    assert_eq!(diff["from"]["version"], "1.0.0");
    let diff = app.get_as(&rita, &format!("{TOOL}/1.2.0/diff?from=1.1.0")).await.is(200);
    assert_eq!(diff["from"]["status"], "pending");
    app.get_as(&reader, &format!("{TOOL}/1.0.0/diff?from=1.1.0")).await.fails(404, "version-not-found");
    // What is quarantined is compared with nothing.
    app.put(&format!("{TOOL}/1.0.0/quarantine"), ADMIN, json!({ "reason": "" })).await.is(200);
    app.get_as(&rita, &format!("{TOOL}/1.0.0/diff")).await.fails(403, "version-quarantined");
    assert_eq!(app.get_as(&rita, &format!("{TOOL}/1.2.0/diff")).await.is(200)["from"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_those_of_the_rules() {
    let app = TestApp::new().await;
    app.publish("acme/plain", "1.0.0").await;
    let clean = app.get("/api/v1/skills/acme/plain/versions/1.0.0/findings").await.is(200);
    assert_eq!(clean["findings"], json!([]));
    let mut files = vec![skill_file("Fills.", "")];
    app.folder_as(ADMIN, "1.0.0", files.clone()).await.is(201);
    files.push(file("run.sh", "#!/bin/sh\n"));
    app.folder_as(ADMIN, "1.1.0", files.clone()).await.is(201);
    let found = app.get(&format!("{TOOL}/1.1.0/findings")).await.is(200);
    let finding = json!({ "rule": "script-not-executable", "level": "note", "path": "run.sh", "line": 1, "column": 1,
        "message": "the file begins with `#!` and is not executable" });
    assert_eq!(found["findings"], json!([finding]));
    // The version itself tells the same, and nothing once nobody gets it.
    let told = async || app.get(&format!("{TOOL}/1.1.0")).await.is(200)["findings"].clone();
    assert_eq!(told().await, json!([finding]));
    assert_eq!(app.get(&format!("{TOOL}/1.1.0/diff")).await.is(200)["findings"], json!([finding]));
    app.put(&format!("{TOOL}/1.1.0/quarantine"), ADMIN, json!({ "reason": "" })).await.is(200);
    assert_eq!(told().await, Value::Null);
    app.policy("acme", 1).await;
    app.folder_as(ADMIN, "1.2.0", files).await.is(202);
    let waiting = async || app.get_as(ADMIN, &format!("{TOOL}/1.2.0")).await.is(200);
    assert_eq!(waiting().await["findings"], json!([finding]));
    let rita = app.user("rita", SCOPES).await;
    app.member("acme", "rita", "reviewer").await;
    let rejected = json!({ "decision": "rejected", "comment": "no" });
    app.post(&format!("{TOOL}/1.2.0/approvals"), &rita, rejected).await.is(200);
    let rejected = waiting().await;
    assert_eq!((&rejected["status"], &rejected["findings"]), (&json!("rejected"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn reviewers_and_authors_talk_about_lines() {
    let app = TestApp::new().await;
    let People { author, rita, rob, reader } = app.people().await;
    app.publish("acme/tool", "0.9.0").await;
    app.policy("acme", 1).await;
    app.publish_as(&author, "1.0.0").await;
    let path = format!("{TOOL}/1.0.0/approvals/comments");
    let on = json!({ "text": "Why `in`?", "path": "scripts/tool.py", "line": 2 });
    let thread = app.post(&path, &rita, on).await.is(201);
    let id = thread["id"].as_str().unwrap().to_owned();
    assert_eq!((&thread["side"], &thread["comments"][0]["author"]), (&json!("new"), &json!("rita")));
    let answer = json!({ "text": "It is what the rule says.", "thread": id });
    let thread = app.post(&path, &author, answer).await.is(201);
    assert_eq!(thread["comments"][1]["text"], "It is what the rule says.");
    let old = json!({ "text": "This was better.", "path": "scripts/tool.py", "line": 1, "side": "old", "against": "0.9.0" });
    assert_eq!(app.post(&path, &rob, old).await.is(201)["against"], "0.9.0");
    app.post(&path, &rob, json!({ "text": "In general: good." })).await.is(201);
    let all = app.get_as(&author, &path).await.is(200);
    assert_eq!((&all["total"], &all["unresolved"]), (&json!(3), &json!(3)));
    assert_eq!(all["threads"][0], thread);
    for offset in 0..3 {
        let page = app.get_as(&author, &format!("{path}?limit=1&offset={offset}")).await.is(200);
        assert_eq!(page["threads"], json!([all["threads"][offset]]), "{offset}");
    }

    // For members who see it, and nobody else.
    app.get(&path).await.fails(401, "unauthenticated");
    app.get_as(&reader, &path).await.fails(404, "version-not-found");
    app.get_as(&app.user("stranger", &["read", "review"]).await, &path).await.fails(403, "forbidden");
    app.post(&path, &reader, json!({ "text": "me too" })).await.fails(404, "version-not-found");
    let reads = app.token(json!({ "user": "rita", "scopes": ["read"] })).await;
    app.post(&path, &reads, json!({ "text": "me too" })).await.fails(403, "insufficient-scope");

    // Bad ones.
    let say = |body: Value| app.post(&path, &rita, body);
    for (body, code) in [
        (json!({ "text": " " }), "invalid-field"),
        (json!({ "text": "a\u{202e}b" }), "invalid-field"),
        (json!({ "text": "x".repeat(4_097) }), "invalid-field"),
        (json!({ "text": "x", "line": 1 }), "invalid-field"),
        (json!({ "text": "x", "path": "scripts/tool.py", "line": 3 }), "invalid-field"),
        (json!({ "text": "x", "path": "scripts/tool.py", "line": 0 }), "invalid-field"),
        (json!({ "text": "x", "path": "scripts/tool.py", "side": "old" }), "invalid-field"),
        (json!({ "text": "x", "path": "scripts/tool.py", "thread": id }), "invalid-field"),
        (json!({ "text": "x", "colour": "red" }), "unknown-field"),
    ] {
        say(body).await.fails(422, code);
    }
    say(json!({ "text": "x", "path": "none" })).await.fails(404, "file-not-found");
    say(json!({ "text": "x", "thread": "none" })).await.fails(404, "comment-not-found");
    let other = format!("{TOOL}/0.9.0/approvals/comments");
    app.post(&other, &rita, json!({ "text": "x", "thread": id })).await.fails(404, "comment-not-found");
    // An answer is no thread.
    let second = thread["comments"][1]["id"].as_str().unwrap();
    say(json!({ "text": "x", "thread": second })).await.fails(404, "comment-not-found");

    // Changed by who wrote it, and kept; resolved by who began it, reviewers and the publisher.
    let patch = |comment: &str, token: &str, body: Value| {
        let (path, token) = (format!("{path}/{comment}"), token.to_owned());
        let app = &app;
        async move { app.call(Method::PATCH, &path, &token, Some(body)).await }
    };
    patch(&id, &rob, json!({ "text": "Why `in`, rita?" })).await.fails(403, "forbidden");
    let changed = patch(&id, &rita, json!({ "text": "Why not `==`?" })).await.is(200);
    assert_eq!(changed["comments"][0]["text"], "Why not `==`?");
    assert_eq!(changed["comments"][0]["earlier"][0]["text"], "Why `in`?");
    patch(&id, &rita, json!({})).await.fails(422, "invalid-field");
    patch(second, &author, json!({ "resolved": true })).await.fails(422, "invalid-field");
    app.user("other", &["read", "publish"]).await;
    app.member("acme", "other", "publisher").await;
    let resolved = patch(&id, &author, json!({ "resolved": true })).await.is(200);
    assert_eq!(resolved["resolved_by"], "author");
    assert_eq!(app.get_as(&rob, &format!("{TOOL}/1.0.0/approvals")).await.is(200)["unresolved"], 2);
    assert_eq!(app.get_as(&rob, "/api/v1/approvals").await.is(200)["pending"][0]["unresolved"], 2);
    let again = patch(&id, &rob, json!({ "resolved": false })).await.is(200);
    assert!(again["resolved_by"].is_null());

    // Taken away by who wrote it, or an admin; it stays in its place.
    let second = format!("{path}/{second}");
    app.delete(&second, &rob).await.fails(403, "forbidden");
    let hidden = app.delete(&second, &author).await.is(200);
    assert_eq!(
        (&hidden["comments"][1]["text"], hidden["comments"][1]["hidden_at"].is_string()),
        (&Value::Null, true)
    );
    app.delete(&format!("{path}/{id}"), ADMIN).await.is(200);
    patch(&id, &rita, json!({ "text": "again" })).await.fails(404, "comment-not-found");
    assert_eq!(app.get_as(&rita, &path).await.is(200)["total"], 2);
    // Nothing of it is in the log.
    assert!(
        !app.log().await.iter().any(|entry| entry["event"]["kind"].as_str().unwrap().contains("comment"))
    );

    // Who is no member any more, or whom it is not shown to any more, sees nothing.
    app.member("acme", "rob", "publisher").await;
    app.get_as(&rob, &path).await.fails(404, "version-not-found");
    app.delete("/api/v1/orgs/acme/members/rita", ADMIN).await.is(204);
    app.post(&path, &rita, json!({ "text": "x" })).await.fails(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_have_limits() {
    let app = TestApp::with(|settings| {
        settings.limits.review_comments = 2;
        settings.limits.review_edits = 1;
    })
    .await;
    app.publish("acme/tool", "1.0.0").await;
    let path = format!("{TOOL}/1.0.0/approvals/comments");
    let id =
        app.post(&path, ADMIN, json!({ "text": "one" })).await.is(201)["id"].as_str().unwrap().to_owned();
    app.post(&path, ADMIN, json!({ "text": "two" })).await.is(201);
    app.post(&path, ADMIN, json!({ "text": "three" })).await.fails(409, "too-many-comments");
    let path = format!("{path}/{id}");
    app.call(Method::PATCH, &path, ADMIN, Some(json!({ "text": "1" }))).await.is(200);
    app.call(Method::PATCH, &path, ADMIN, Some(json!({ "text": "1" }))).await.is(200);
    app.call(Method::PATCH, &path, ADMIN, Some(json!({ "text": "I" }))).await.fails(409, "too-many-comments");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_asked_for_and_it_waits_on() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.people().await;
    app.policy("acme", 2).await;
    app.publish_as(&author, "1.0.0").await;
    let path = format!("{TOOL}/1.0.0/approvals");
    let changes = |why: &str| json!({ "decision": "changes-requested", "comment": why });
    app.post(&path, &rita, changes("")).await.fails(422, "invalid-field");
    app.post(&path, &author, changes("mine")).await.fails(403, "forbidden");
    app.post(&path, &rita, json!({ "decision": "approved" })).await.is(200);
    // Who asks for changes approves no more.
    let asked = app.post(&path, &rita, changes("name the rule")).await.is(200);
    assert_eq!((&asked["status"], &asked["given"]), (&json!("pending"), &json!(0)));
    assert_eq!(asked["decisions"][0]["decision"], "changes-requested");
    assert_eq!(app.get_as(&author, &path).await.is(200)["decisions"][0]["comment"], "name the rule");
    let size = app.log().await.len();
    app.post(&path, &rita, changes("name the rule")).await.is(200);
    assert_eq!(app.log().await.len(), size);
    app.post(&path, &rita, changes("name both rules")).await.is(200);
    assert_eq!(app.post(&path, &rob, json!({ "decision": "approved" })).await.is(200)["status"], "pending");
    let listed = app.get_as(&rob, "/api/v1/approvals").await.is(200);
    assert_eq!(listed["pending"][0]["changes_requested"], 1);
    // A newer version is another one: it has no approvals, and the one before says where it is.
    app.publish_as(&author, "1.1.0").await;
    assert_eq!(app.get_as(&author, &path).await.is(200)["newer"], "1.1.0");
    assert_eq!(app.get_as(&rita, &format!("{TOOL}/1.1.0/approvals")).await.is(200)["given"], 0);
    // Their own later approval takes the place of it.
    let released = app.post(&path, &rita, json!({ "decision": "approved" })).await.is(200);
    assert_eq!((&released["status"], &released["given"]), (&json!("published"), &json!(2)));
    app.post(&path, &rob, changes("too late")).await.fails(409, "status-conflict");
    let kinds = app.kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "version.changes-requested").count(), 2);
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_listed_for_both_sides() {
    let app = TestApp::new().await;
    let People { author, rita, rob, reader } = app.people().await;
    app.policy("acme", 1).await;
    app.put("/api/v1/orgs/acme/team/policy", ADMIN, json!({ "approvals": 1, "role": "admin" })).await.is(200);
    for (id, version, token) in [
        ("acme/tool", "1.0.0", &author),
        ("acme/other", "1.0.0", &rita),
        ("acme/team/tool", "1.0.0", &author),
    ] {
        app.app.environment.advance_seconds(1);
        app.post("/api/v1/skills", token, skill(id, version)).await.is(202);
    }
    let ids = async |token: &str, query: &str| {
        let found = app.get_as(token, &format!("/api/v1/approvals?{query}")).await.is(200);
        let ids: Vec<_> = found["pending"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(found["total"], ids.len());
        ids.join(" ")
    };
    assert_eq!(ids(&rita, "").await, "acme/tool acme/other acme/team/tool");
    // Not what is their own, and not what an admin has to approve.
    assert_eq!(ids(&rita, "needs_me=true").await, "acme/tool");
    assert_eq!(ids(&rob, "needs_me=true").await, "acme/tool acme/other");
    assert_eq!(ids(&author, "needs_me=true").await, "");
    assert_eq!(ids(&author, "mine=true").await, "acme/tool acme/team/tool");
    assert_eq!(ids(&author, "mine=true&namespace=acme/team").await, "acme/team/tool");
    assert_eq!(ids(&reader, "mine=true").await, "");
    let path = |id: &str| format!("/api/v1/skills/{id}/versions/1.0.0/approvals");
    let rejected = json!({ "decision": "rejected", "comment": "no" });
    app.post(&path("acme/tool"), &rita, json!({ "decision": "changes-requested", "comment": "so" }))
        .await
        .is(200);
    assert_eq!(ids(&rita, "needs_me=true").await, "");
    app.post(&path("acme/tool"), &rob, rejected).await.is(200);
    app.app.environment.advance_seconds(1);
    app.post(&path("acme/other"), &rob, json!({ "decision": "approved" })).await.is(200);
    assert_eq!(ids(&rita, "state=decided").await, "acme/other acme/tool");
    assert_eq!(ids(&author, "state=decided&mine=true").await, "acme/tool");
    let decided = app.get_as(&author, "/api/v1/approvals?state=decided&mine=true").await.is(200);
    assert_eq!(
        (&decided["pending"][0]["status"], &decided["pending"][0]["given"]),
        (&json!("rejected"), &json!(0))
    );
    assert!(decided["pending"][0]["decided_at"].is_string());
    for query in ["state=x", "mine=perhaps", "mine=true&needs_me=true", "needs_me=true&state=decided"] {
        app.get_as(&rita, &format!("/api/v1/approvals?{query}")).await.fails(400, "invalid-parameter");
    }
    app.get_as(&reader, "/api/v1/approvals?namespace=acme").await.fails(404, "org-not-found");
    // What is private and was left is not listed any more.
    app.put("/api/v1/skills/acme/team/tool/visibility", ADMIN, json!({ "visibility": "private" }))
        .await
        .is(204);
    assert_eq!(ids(&author, "mine=true").await, "acme/team/tool");
    app.delete("/api/v1/orgs/acme/members/author", ADMIN).await.is(204);
    assert_eq!(ids(&author, "mine=true").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_has_pages_from_the_last_decision_on() {
    const MORE: usize = 2_100;
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.people().await;
    app.policy("acme", 2).await;
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "beta" })).await.is(201);
    app.policy("beta", 1).await;
    app.member("beta", "author", "publisher").await;
    app.member("beta", "rob", "reviewer").await;
    for (id, version) in [
        ("acme/tool", "1.0.0"),
        ("acme/tool", "1.1.0"),
        ("acme/tool", "1.2.0"),
        ("acme/other", "1.0.0"),
        ("beta/tool", "1.0.0"),
    ] {
        app.post("/api/v1/skills", &author, skill(id, version)).await.is(202);
    }
    let decide = async |token: &str, id: &str, version: &str, decision: &str| {
        let path = format!("/api/v1/skills/{id}/versions/{version}/approvals");
        app.post(&path, token, json!({ "decision": decision, "comment": "so" })).await.is(200);
    };
    // Two at once about one version, two at different times, and two versions at once.
    app.app.environment.advance_seconds(1);
    decide(&rita, "acme/tool", "1.0.0", "approved").await;
    decide(&rob, "acme/tool", "1.0.0", "approved").await;
    app.app.environment.advance_seconds(1);
    decide(&rita, "acme/tool", "1.1.0", "changes-requested").await;
    app.app.environment.advance_seconds(1);
    decide(&rob, "beta/tool", "1.0.0", "approved").await;
    app.app.environment.advance_seconds(1);
    decide(&rob, "acme/tool", "1.1.0", "rejected").await;
    decide(&rita, "acme/other", "1.0.0", "rejected").await;
    // What was decided about and waits for more is not among them.
    app.app.environment.advance_seconds(1);
    decide(&rita, "acme/tool", "1.2.0", "approved").await;
    let has_pages = async |token: &str, more: &str, limit: usize, expected: &[String]| {
        let mut found = Vec::new();
        loop {
            let path = format!("/api/v1/approvals?state=decided&limit={limit}&offset={}{more}", found.len());
            let page = app.get_as(token, &path).await.is(200);
            assert_eq!(page["total"], expected.len(), "{path}");
            let rows = page["pending"].as_array().unwrap();
            let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
            found.extend(rows.iter().map(|row| format!("{} {}", text(row, "id"), text(row, "version"))));
            if rows.len() < limit {
                assert_eq!(found, expected, "{path}");
                return;
            }
        }
    };
    let mut all: Vec<String> = ["acme/other 1.0.0", "acme/tool 1.1.0", "beta/tool 1.0.0", "acme/tool 1.0.0"]
        .map(str::to_owned)
        .into();
    let of_acme = |all: &[String]| -> Vec<String> {
        all.iter().filter(|version| version.starts_with("acme/")).cloned().collect()
    };
    for limit in [1, 2, 50] {
        has_pages(ADMIN, "", limit, &all).await;
        has_pages(ADMIN, "&namespace=acme", limit, &of_acme(&all)).await;
        has_pages(&rob, "", limit, &all).await;
        has_pages(&rob, "&namespace=beta", limit, &["beta/tool 1.0.0".to_owned()]).await;
        has_pages(&rita, "", limit, &of_acme(&all)).await;
    }
    app.get_as(&rita, "/api/v1/approvals?state=decided&namespace=beta").await.fails(404, "org-not-found");

    // More than are put in order: three in each instant, two decisions about each, and the first two of them as old as 1.0.0.
    let columns = "skill, status, digest, size, code_hash, description, tags, author, license, files, words, publisher, \
        created_at, log_position";
    let numbers =
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MORE})");
    app.tamper(format!(
        "INSERT INTO versions (version, {columns}) {numbers} \
         SELECT '2.0.' || (1000 + n.i), {columns} FROM versions, n WHERE skill = 'acme/tool' AND version = '1.0.0'; \
         INSERT INTO decisions (skill, version, user_id, decision, comment, at, log_index, role, member) {numbers} \
         SELECT skill, '2.0.' || (1000 + n.i), user_id, decision, comment, at + n.i / 3, log_index + 1000 * n.i, role, member \
         FROM decisions, n WHERE skill = 'acme/tool' AND version = '1.0.0'"
    ))
    .await;
    // How many there are was counted before, and is counted again after a while though nobody has told of a change.
    app.app.environment.advance_seconds(61);
    let oldest = all.pop();
    for instant in (0..=MORE / 3).rev() {
        all.extend(oldest.iter().filter(|_| instant == 0).cloned());
        let together = (instant * 3..instant * 3 + 3).filter(|number| (1..=MORE).contains(number));
        all.extend(together.map(|number| format!("acme/tool 2.0.{}", 1_000 + number)));
    }
    assert_eq!(all.len(), MORE + 4);
    has_pages(ADMIN, "", 200, &all).await;
    has_pages(ADMIN, "&namespace=beta", 200, &["beta/tool 1.0.0".to_owned()]).await;
    has_pages(&rob, "", 200, &all).await;
    has_pages(&rita, "", 200, &of_acme(&all)).await;
    has_pages(&rita, "&namespace=acme", 200, &of_acme(&all)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_were_decided_is_another_number_as_soon_as_one_was() {
    let app = TestApp::new().await;
    let People { author, rita, rob, .. } = app.people().await;
    app.policy("acme", 1).await;
    let total = async |token: &str, more: &str| {
        let found = app.get_as(token, &format!("/api/v1/approvals?state=decided{more}")).await.is(200);
        assert_eq!(found["total"], found["pending"].as_array().unwrap().len());
        found["total"].as_u64().unwrap()
    };
    for number in 1..=3 {
        let version = format!("1.{number}.0");
        app.post("/api/v1/skills", &author, skill("acme/tool", &version)).await.is(202);
        let path = format!("/api/v1/skills/acme/tool/versions/{version}/approvals");
        let decision = if number == 2 { "rejected" } else { "approved" };
        app.post(&path, &rita, json!({ "decision": decision, "comment": "so" })).await.is(200);
        for (token, more) in
            [(ADMIN, ""), (ADMIN, "&namespace=acme"), (&rita, ""), (&rob, ""), (&author, "&mine=true")]
        {
            assert_eq!(total(token, more).await, number, "{more}");
        }
    }
    // It is not counted for each who asks. The server hears of its own changes once more, so that it is at first.
    let columns = "skill, user_id, decision, comment, at, log_index, role, member";
    let mut kept = false;
    for number in 0..100 {
        let before = total(&rita, "").await;
        app.tamper(format!(
            "INSERT INTO decisions (version, {columns}) SELECT '3.0.{number}', {columns} FROM decisions WHERE version = '1.1.0'"
        ))
        .await;
        let found = app.get_as(&rita, "/api/v1/approvals?state=decided").await.is(200);
        kept = found["total"] == before;
        app.tamper(format!("DELETE FROM decisions WHERE version = '3.0.{number}'")).await;
        app.app.environment.advance_seconds(61);
        if kept {
            break;
        }
    }
    assert!(kept);
    // Each is counted what is theirs: what they review, and as long as they do.
    assert_eq!(total(&author, "").await, 0);
    app.delete("/api/v1/orgs/acme/members/rob", ADMIN).await.is(204);
    assert_eq!((total(&rob, "").await, total(&rita, "").await), (0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_me_is_found_behind_all_that_does_not() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.people().await;
    app.policy("acme", 1).await;
    app.put("/api/v1/orgs/acme/team/policy", ADMIN, json!({ "approvals": 1, "role": "admin" })).await.is(200);
    app.post("/api/v1/skills", &author, skill("acme/team/tool", "1.0.0")).await.is(202);
    // More than are looked at together wait for somebody else, and have waited longer.
    let more = async |from: u32, to: u32| {
        let columns = "skill, status, digest, size, code_hash, description, tags, author, license, files, words, publisher, \
            log_position";
        app.tamper(format!(
            "INSERT INTO versions (version, created_at, {columns}) \
             WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to}) \
             SELECT '2.0.' || n.i, n.i, {columns} FROM versions, n WHERE skill = 'acme/team/tool' AND version = '1.0.0'"
        ))
        .await;
    };
    more(1, 600).await;
    app.post("/api/v1/skills", &author, skill("acme/tool", "1.0.0")).await.is(202);
    let asked = app.get_as(&rita, "/api/v1/approvals?needs_me=true").await.is(200);
    assert_eq!((&asked["total"], &asked["pending"][0]["id"]), (&json!(1), &json!("acme/tool")));
    assert_eq!(asked.get("truncated"), None);
    // There is an end to it, and it is told.
    more(601, 5_100).await;
    let asked = app.get_as(&rita, "/api/v1/approvals?needs_me=true").await.is(200);
    assert_eq!((&asked["total"], &asked["truncated"]), (&json!(0), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_me_is_told_once_though_much_of_it_came_at_the_same_time() {
    const MORE: usize = 1_300;
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.people().await;
    app.policy("acme", 1).await;
    app.post("/api/v1/skills", &author, skill("acme/tool", "1.0.0")).await.is(202);
    // It takes several looks, and where one ends, others came in the same instant.
    let columns = "skill, status, digest, size, code_hash, description, tags, author, license, files, words, publisher, log_position";
    app.tamper(format!(
        "INSERT INTO versions (version, created_at, {columns}) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MORE}) \
         SELECT '2.0.' || n.i, n.i / 700, {columns} FROM versions, n WHERE skill = 'acme/tool' AND version = '1.0.0'"
    ))
    .await;
    let mut found = Vec::new();
    for offset in (0..=MORE).step_by(200) {
        let path = format!("/api/v1/approvals?needs_me=true&namespace=acme&limit=200&offset={offset}");
        let asked = app.get_as(&rita, &path).await.is(200);
        assert_eq!(asked["total"], MORE + 1);
        let rows = asked["pending"].as_array().unwrap().iter();
        found.extend(rows.map(|row| row["version"].as_str().unwrap().to_owned()));
    }
    assert_eq!(found.last().unwrap(), "1.0.0");
    found.sort();
    found.dedup();
    assert_eq!(found.len(), MORE + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_names_no_version_that_its_readers_may_not_know_of() {
    let app = TestApp::new().await;
    let People { author, rita, .. } = app.people().await;
    app.publish("acme/tool", "1.0.0").await;
    app.policy("acme", 1).await;
    app.publish_as(&author, "1.1.0").await;
    let path = format!("{TOOL}/1.0.0/approvals/comments");
    let against =
        |version: &str| json!({ "text": "x", "path": "SKILL.md", "side": "old", "against": version });
    app.post(&path, &rita, against("1.1.0")).await.fails(422, "invalid-field");
    // Whoever reads what waits may know of what is handed out.
    app.post(&format!("{TOOL}/1.1.0/approvals/comments"), &rita, against("1.0.0")).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_said_until_it_is_handed_out() {
    let app = TestApp::new().await;
    let People { author, rita, reader, .. } = app.people().await;
    app.policy("acme", 1).await;
    app.publish_as(&author, "1.0.0").await;
    let colleague = app.user("colleague", &["read", "publish"]).await;
    app.member("acme", "colleague", "publisher").await;
    let path = format!("{TOOL}/1.0.0/changelog");
    let say = |token: &str, text: &str| {
        let (token, text) = (token.to_owned(), text.to_owned());
        let (app, path) = (&app, &path);
        async move { app.put(path, &token, json!({ "changelog": text })).await }
    };
    say(&reader, "x").await.fails(403, "forbidden");
    say(&author, " ").await.fails(422, "invalid-field");
    assert_eq!(say(&author, "Checks more.").await.is(200)["changelog"], "Checks more.");
    say(&author, "Checks much more.").await.is(200);
    // It is shown as the publisher's words: nobody else says it, but an admin. Who does not see what waits learns nothing.
    say(&rita, "Trust me.").await.fails(403, "forbidden");
    say(&colleague, "Trust me.").await.fails(404, "version-not-found");
    // Nor does a build that may not be told of it say it.
    let build = app.token(json!({ "user": "author", "scopes": ["publish"] })).await;
    say(&build, "Checks nothing.").await.fails(404, "version-not-found");
    let kept = app.get_as(&author, &format!("{TOOL}/1.0.0")).await.is(200);
    assert_eq!(kept["changelog"], "Checks much more.");
    // Whoever decides about it reads it where the decisions are.
    let standing = app.get_as(&rita, &format!("{TOOL}/1.0.0/approvals")).await.is(200);
    assert_eq!(standing["changelog"], "Checks much more.");
    let approved = json!({ "decision": "approved" });
    app.post(&format!("{TOOL}/1.0.0/approvals"), &rita, approved).await.is(200);
    say(&author, "Checks much more.").await.is(200);
    say(&author, "Checks less.").await.fails(409, "status-conflict");
    app.publish_as(&author, "1.1.0").await;
    app.post(&format!("{TOOL}/1.1.0/approvals"), &rita, json!({ "decision": "approved" })).await.is(200);
    let path = format!("{TOOL}/1.1.0/changelog");
    app.put(&path, &colleague, json!({ "changelog": "Trust me." })).await.fails(403, "forbidden");
    app.put(&path, ADMIN, json!({ "changelog": "Checks all." })).await.is(200);
    let versions = app.get(TOOL).await.is(200);
    assert_eq!(versions["versions"][0]["changelog"], "Checks all.");
    assert_eq!(versions["versions"][1]["changelog"], "Checks much more.");
}
