//! Folders: published as a form, shown, found, and handed out as they were packed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::{Digest, Limits};

use super::{ADMIN, Answer, TestApp, skill};

const BOUNDARY: &str = "----the-boundary-of-the-tests";

pub(super) fn file(path: &str, text: impl AsRef<[u8]>) -> BundleFile {
    BundleFile { path: path.to_owned(), executable: false, bytes: text.as_ref().to_vec() }
}

/// A folder that keeps to the rules.
pub(super) fn folder(name: &str) -> Vec<BundleFile> {
    let text = format!(
        "---\nname: {name}\ndescription: Fills in forms. Use it when somebody sends one.\nlicense: Apache-2.0\n\
         metadata:\n  tags: \"forms, paper\"\n  skillery-dependencies: \"acme/base ^1.2\"\n---\n\n# Forms\n\n\
         Ask for the quartzite first.\n"
    );
    let mut script = file("scripts/fill.sh", "#!/bin/sh\nexit 0\n");
    script.executable = true;
    vec![
        file("SKILL.md", text),
        script,
        file("assets/page.html", "<script>alert(1)</script>"),
        file("assets/picture.bin", [0, 159, 146, 150]),
        file("skill.json", "{}"),
    ]
}

fn part(name: &str, media_type: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n"
    );
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

fn end() -> Vec<u8> {
    format!("--{BOUNDARY}--\r\n").into_bytes()
}

fn request_part(request: &Value) -> Vec<u8> {
    part("request", "application/json", request.to_string().as_bytes())
}

fn form(request: &Value, zip: &[u8]) -> Vec<u8> {
    [request_part(request), part("bundle", "application/zip", zip), end()].concat()
}

pub(super) fn asked(id: &str, version: &str) -> Value {
    json!({ "id": id, "version": version })
}

impl TestApp {
    pub(super) async fn send_form(&self, token: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post("/api/v1/skills")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(body.into());
        self.send(request.unwrap()).await
    }

    pub(super) async fn send_folder(&self, token: &str, request: &Value, files: Vec<BundleFile>) -> Answer {
        self.send_form(token, form(request, &bundle::pack(files).unwrap())).await
    }

    async fn contents(&self) -> usize {
        self.app.blobs.list().count().await
    }

    /// Files of this registry that somebody has open, and that have no name any more or never had one.
    fn open_without_a_name(&self) -> Vec<PathBuf> {
        let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
        open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
            .filter(|path| {
                path.starts_with(&self.app.settings.data) && path.to_string_lossy().ends_with(" (deleted)")
            })
            .collect()
    }

    async fn header(&self, path: &str, name: &str, value: &str) -> Answer {
        self.send(Request::get(path).header(name, value).body(Body::empty()).unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_published_shown_found_and_handed_out() {
    let app = TestApp::new().await;
    let files = folder("form-filler");
    let zip = bundle::pack(files.clone()).unwrap();
    let digest = Digest::of(&zip).to_string();
    let request = json!({ "id": "acme/form-filler", "version": "1.0.0", "tags": ["pdf"], "homepage": "https://example.org/" });
    let published = app.send_form(ADMIN, form(&request, &zip)).await.is(201);
    assert_eq!(published["digest"], digest.as_str());
    assert!(published["proof"].as_str().unwrap().starts_with("c2sp.org/tlog-proof@v1"));
    // In small pieces, and not canonical: the same files are the same version.
    let body: Vec<_> = form(&request, &zip)
        .chunks(7)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    let again = app.send_form(ADMIN, Body::from_stream(stream::iter(body))).await.is(200);
    assert_eq!((&again["digest"], &again["log_index"]), (&published["digest"], &published["log_index"]));

    let detail = app.get("/api/v1/skills/acme/form-filler/versions/1.0.0").await.is(200);
    assert_eq!(detail["kind"], "folder");
    assert_eq!(detail["dependencies"], json!({ "acme/base": "^1.2" }));
    assert_eq!(detail["tags"], json!(["forms", "paper", "pdf"]));
    assert_eq!(
        (&detail["license"], &detail["homepage"], &detail["code_hash"]),
        (&json!("Apache-2.0"), &json!("https://example.org/"), &json!(digest))
    );
    assert_eq!(detail["files"].as_array().unwrap().len(), 5);
    let record = app.get("/api/v1/skills/acme/form-filler").await.is(200);
    assert!(record.get("kind").is_none() && record["code_hash"] == digest.as_str());
    let download = app.get("/api/v1/skills/acme/form-filler/download").await.is(200);
    assert_eq!((&download["code"], &download["kind"]), (&json!(""), &json!("folder")));
    assert_eq!((&download["code_hash"], &download["digest"]), (&json!(digest), &json!(digest)));

    // Words of the instructions, and of the names of files.
    for words in ["q=quartzite", "q=forms", "q=picture", "tags=paper"] {
        assert_eq!(app.search("", words).await.1, 1, "{words}");
    }

    let path = download["bundle"].as_str().unwrap();
    let answer = app.get(path).await;
    assert_eq!(answer.headers["content-type"], "application/zip");
    assert_eq!(answer.headers["etag"], format!("\"{digest}\""));
    assert_eq!(answer.headers["cache-control"], "public, max-age=3600, immutable");
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename*=UTF-8''acme-form-filler-1.0.0.zip"
    );
    assert_eq!(answer.body, zip);
    let unpacked = bundle::admit(&answer.body, &Limits::default()).unwrap();
    assert!(unpacked.iter().any(|file| file.path == "scripts/fill.sh" && file.executable));
    let head = app.call(Method::HEAD, path, "", None).await;
    assert_eq!(
        (head.headers["content-length"].to_str().unwrap(), head.body.len()),
        (zip.len().to_string().as_str(), 0)
    );
    assert_eq!(app.header(path, "if-none-match", &format!("\"{digest}\"")).await.status, 304);
    let lists = Request::get(path)
        .header("if-none-match", "\"x\"")
        .header("if-none-match", format!("W/\"{digest}\""));
    assert_eq!(app.send(lists.body(Body::empty()).unwrap()).await.status, 304);
    let part = app.header(path, "range", "bytes=10-19").await;
    assert_eq!((part.status.as_u16(), part.body.as_slice()), (206, &zip[10..20]));
    assert_eq!(part.headers["content-range"], format!("bytes 10-19/{}", zip.len()));
    assert_eq!(app.header(path, "range", "bytes=999999-").await.status, 416);
    // Of all these only one was answered with a content from its beginning.
    app.settle().await;
    assert_eq!(app.get("/api/v1/skills/acme/form-filler").await.is(200)["install_count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_text_or_bytes_and_never_a_page() {
    let app = TestApp::new().await;
    app.send_folder(ADMIN, &asked("acme/form-filler", "1.0.0"), folder("form-filler")).await.is(201);
    app.publish("acme/email/checker", "1.0.0").await;
    let at = |path: &str| format!("/api/v1/skills/acme/form-filler/versions/1.0.0/files/{path}");
    for (path, kind, shown) in [
        ("SKILL.md", "text/plain; charset=utf-8", "inline; filename*=UTF-8''SKILL.md"),
        ("assets/page.html", "text/plain; charset=utf-8", "inline; filename*=UTF-8''page.html"),
        ("assets%2Fpage.html", "text/plain; charset=utf-8", "inline; filename*=UTF-8''page.html"),
        ("assets/picture.bin", "application/octet-stream", "attachment; filename*=UTF-8''picture.bin"),
    ] {
        let answer = app.get(&at(path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["content-type"], kind);
        assert_eq!(answer.headers["content-disposition"], shown);
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(
            answer.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'")
        );
        let own = path.replace("%2F", "/");
        assert_eq!(
            answer.body,
            folder("form-filler").into_iter().find(|file| file.path == own).unwrap().bytes
        );
    }
    for path in ["nothing", "assets", "../SKILL.md", "%2E%2E/SKILL.md", "skill.md", "SKILL.md/"] {
        app.get(&at(path)).await.fails(404, "file-not-found");
    }
    // A file may have the words of routes in its path, and functions have files too.
    let mut files = folder("words");
    files.push(file("versions/1.0.0/yank", "x"));
    app.send_folder(ADMIN, &asked("acme/words", "1.0.0"), files).await.is(201);
    let path = "/api/v1/skills/acme/words/versions/1.0.0/files/versions/1.0.0/yank";
    assert_eq!(app.get(path).await.body, b"x");
    let path = "/api/v1/skills/acme/email/checker/versions/1.0.0/files/scripts/checker.py";
    assert!(app.get(path).await.body.starts_with(b"def checker"));
    let packed = app.get("/api/v1/skills/acme/email/checker/versions/1.0.0/bundle").await;
    let detail = app.get("/api/v1/skills/acme/email/checker/versions/1.0.0").await.is(200);
    assert_eq!(detail["kind"], "function");
    assert_eq!(Digest::of(&packed.body).to_string(), detail["digest"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_are_seen_by_those_who_see_the_version() {
    let app = TestApp::new().await;
    let mut request = asked("acme/form-filler", "1.0.0");
    request["visibility"] = json!("private");
    app.send_folder(ADMIN, &request, folder("form-filler")).await.is(201);
    let stranger = app.user("mallory", &["read", "publish"]).await;
    let member = app.user("anna", &["read"]).await;
    app.member("acme", "anna", "reader").await;
    let version = "/api/v1/skills/acme/form-filler/versions/1.0.0";
    for path in [format!("{version}/bundle"), format!("{version}/files/SKILL.md")] {
        app.get(&path).await.fails(404, "skill-not-found");
        app.get_as(&stranger, &path).await.fails(404, "skill-not-found");
        let answer = app.get_as(&member, &path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.headers["cache-control"].to_str().unwrap()),
            (200, "private, no-cache")
        );
    }
    // Who may not publish there is told so before the bundle is looked at.
    app.send_form(&stranger, form(&asked("acme/form-filler", "1.0.1"), b"no zip"))
        .await
        .fails(403, "forbidden");
    app.put(&format!("{version}/quarantine"), ADMIN, json!({ "reason": "bad" })).await;
    for path in [format!("{version}/bundle"), format!("{version}/files/SKILL.md")] {
        app.get_as(&member, &path).await.fails(403, "version-quarantined");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_never_changes_and_stays_what_it_is() {
    let app = TestApp::new().await;
    let request = asked("acme/form-filler", "1.0.0");
    app.send_folder(ADMIN, &request, folder("form-filler")).await.is(201);
    let mut changed = folder("form-filler");
    changed[1].executable = false;
    let problem = app.send_folder(ADMIN, &request, changed).await.fails(409, "version-exists");
    assert_eq!(problem["different"], json!(["code"]));
    let mut tagged = request.clone();
    tagged["tags"] = json!(["more"]);
    let problem = app.send_folder(ADMIN, &tagged, folder("form-filler")).await.fails(409, "version-exists");
    assert_eq!(problem["different"], json!(["tags"]));
    let problem = app
        .post("/api/v1/skills", ADMIN, skill("acme/form-filler", "1.0.0"))
        .await
        .fails(409, "version-exists");
    assert_eq!(problem["different"][0], "kind");
    // The other way round, too; and the next version may be the other kind.
    app.post("/api/v1/skills", ADMIN, skill("acme/form-filler", "1.1.0")).await.is(201);
    assert_eq!(app.get("/api/v1/skills/acme/form-filler/download").await.is(200)["kind"], Value::Null);
    let app = app.crash_and_reopen().await;
    let download = app.get("/api/v1/skills/acme/form-filler/download?version=1.0.0").await.is(200);
    assert_eq!(download["kind"], "folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_a_folder_is_told_at_once() {
    let app = TestApp::new().await;
    let wrong = "---\nname: Form_Filler\ndescription: x\nversion: 1\n---\n\nSee [it](nowhere.md).\n";
    let request = asked("acme/form-filler", "1.0.0");
    let problem =
        app.send_folder(ADMIN, &request, vec![file("SKILL.md", wrong)]).await.fails(422, "invalid-bundle");
    let found = |problem: &Value| -> Vec<String> {
        let findings = problem["findings"].as_array().unwrap().iter();
        findings
            .map(|finding| {
                format!("{} {} {}", finding["level"], finding["rule"], finding["line"]).replace('"', "")
            })
            .collect()
    };
    let strict = found(&problem);
    for finding in
        ["error name-format 2", "error unknown-field 4", "error name-mismatch 2", "warning broken-link 7"]
    {
        assert!(strict.iter().any(|found| found == finding), "{finding}: {strict:?}");
    }
    assert!(problem["detail"].as_str().unwrap().contains("more errors"), "{problem}");
    // Leniently, a name that folds to the same will do, and another one will not.
    let mut lenient = request.clone();
    lenient["lenient"] = json!(true);
    app.send_folder(ADMIN, &lenient, vec![file("SKILL.md", wrong)]).await.is(201);
    lenient["id"] = json!("acme/another");
    let problem =
        app.send_folder(ADMIN, &lenient, vec![file("SKILL.md", wrong)]).await.fails(422, "invalid-bundle");
    assert!(found(&problem).contains(&"error name-mismatch 2".to_owned()), "{problem}");
    // What the folder says of itself must be what is asked for.
    for (field, text) in [("version", "version = \"2.0.0\""), ("id", "id = \"acme/other\"")] {
        let mut files = folder("form-filler");
        files.push(file("skillery.toml", format!("[skill]\n{text}\n")));
        let answer = app.send_folder(ADMIN, &asked("acme/form-filler", "3.0.0"), files).await;
        assert!(answer.status == 422, "{field}: {}", answer.json());
    }
    let mut digest = asked("acme/form-filler", "3.0.0");
    digest["digest"] = json!(Digest::of(b"another").to_string());
    app.send_folder(ADMIN, &digest, folder("form-filler")).await.fails(422, "code-hash-mismatch");
    assert_eq!(app.get("/api/v1/skills/acme/form-filler/versions").await.is(200)["total"], 1);
}

/// A ZIP of one stored entry that says of itself what it is told to say.
fn raw_zip(name: &str, content: &[u8], mode: u32, size: u32) -> Vec<u8> {
    let (crc, packed) = (crc32fast::hash(content), content.len() as u32);
    let mut fields = Vec::new();
    for number in [20_u16, 0x0800, 0, 0, 0x21] {
        fields.extend(number.to_le_bytes());
    }
    for number in [crc, packed, size] {
        fields.extend(number.to_le_bytes());
    }
    fields.extend((name.len() as u16).to_le_bytes());
    fields.extend(0_u16.to_le_bytes());
    let mut zip = [b"PK\x03\x04", fields.as_slice(), name.as_bytes(), content].concat();
    let directory_at = zip.len() as u32;
    zip.extend(b"PK\x01\x02\x14\x03");
    zip.extend(&fields);
    zip.extend([0; 6]);
    zip.extend((mode << 16).to_le_bytes());
    zip.extend(0_u32.to_le_bytes());
    zip.extend(name.as_bytes());
    let length = zip.len() as u32 - directory_at;
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend(length.to_le_bytes());
    zip.extend(directory_at.to_le_bytes());
    zip.extend([0, 0]);
    zip
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_are_refused() {
    let app = TestApp::with(|settings| {
        settings.limits.bundle_bytes = 4 * 1024 * 1024;
        settings.limits.file_bytes = 1024 * 1024;
    })
    .await;
    let skill_file = &folder("form-filler")[0];
    let request = asked("acme/form-filler", "1.0.0");
    let bomb = bundle::pack(vec![skill_file.clone(), file("bomb", vec![0; 3 * 1024 * 1024])]).unwrap();
    assert!(bomb.len() < 10_000);
    let many: Vec<_> =
        (0..1_000).map(|number| file(&format!("files/{number}"), "x")).chain([skill_file.clone()]).collect();
    let good = bundle::pack(folder("form-filler")).unwrap();
    let mut damaged = good.clone();
    damaged[60] ^= 1;
    for (name, zip, rule) in [
        ("a bomb", bomb, "too-large"),
        ("1,001 files", bundle::pack(many).unwrap(), "too-large"),
        ("out of the folder", raw_zip("../SKILL.md", b"x", 0o100_644, 1), "bad-path"),
        ("absolute", raw_zip("/etc/passwd", b"x", 0o100_644, 1), "bad-path"),
        ("a link", raw_zip("SKILL.md", b"/etc/passwd", 0o120_777, 11), "not-regular"),
        ("two sizes", raw_zip("SKILL.md", b"x", 0o100_644, 99), "bad-archive"),
        ("cut off", good[..good.len() - 5].to_vec(), "bad-archive"),
        ("something before", [b"#!/bin/sh\n".as_slice(), &good].concat(), "bad-archive"),
        ("damaged", damaged, "bad-archive"),
        ("no archive", b"not a zip".to_vec(), "bad-archive"),
        ("nothing", Vec::new(), "bad-archive"),
        ("no SKILL.md", bundle::pack(vec![file("readme.md", "x")]).unwrap(), "skill-file-missing"),
    ] {
        let problem = app.send_form(ADMIN, form(&request, &zip)).await.fails(422, "invalid-bundle");
        assert!(problem["findings"].to_string().contains(rule), "{name}: {problem}");
    }
    app.get("/api/v1/skills/acme/form-filler").await.fails(404, "skill-not-found");
    app.send_form(ADMIN, form(&request, &good)).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_are_refused() {
    let app = TestApp::with(|settings| settings.limits.bundle_bytes = 300 * 1024).await;
    let request = asked("acme/form-filler", "1.0.0");
    let zip = bundle::pack(folder("form-filler")).unwrap();
    let good = form(&request, &zip);
    let bundle_part = part("bundle", "application/zip", &zip);
    let large = vec![b'x'; 300 * 1024 + 1];
    let without_end = [request_part(&request), part("bundle", "application/zip", &zip)].concat();
    let before = app.contents().await;
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        (
            "the wrong order",
            [bundle_part.clone(), request_part(&request), end()].concat(),
            400,
            "invalid-multipart",
        ),
        ("no bundle", [request_part(&request), end()].concat(), 400, "invalid-multipart"),
        ("no request", [bundle_part.clone(), end()].concat(), 400, "invalid-multipart"),
        (
            "two bundles",
            [request_part(&request), bundle_part.clone(), bundle_part.clone(), end()].concat(),
            400,
            "invalid-multipart",
        ),
        ("nothing", Vec::new(), 400, "invalid-multipart"),
        ("no parts", end(), 400, "invalid-multipart"),
        ("no boundary anywhere", vec![b'x'; 800 * 1024], 400, "invalid-multipart"),
        (
            "a head without an end",
            [format!("--{BOUNDARY}\r\nX: ").into_bytes(), vec![b'x'; 800 * 1024]].concat(),
            400,
            "invalid-multipart",
        ),
        ("cut off within the bundle", good[..good.len() - 60].to_vec(), 400, "invalid-multipart"),
        ("cut off before the end", without_end, 400, "invalid-multipart"),
        (
            "no JSON",
            [part("request", "application/json", b"{"), bundle_part.clone(), end()].concat(),
            400,
            "invalid-json",
        ),
        (
            "a field too many",
            form(&json!({ "id": "acme/x", "version": "1.0.0", "code": "x" }), &zip),
            422,
            "unknown-field",
        ),
        ("no id", form(&json!({ "version": "1.0.0" }), &zip), 422, "invalid-field"),
        ("a bad id", form(&asked("../x", "1.0.0"), &zip), 400, "invalid-id"),
        ("a bad version", form(&asked("acme/x", "1"), &zip), 400, "invalid-version"),
        (
            "another type",
            [request_part(&request), part("bundle", "text/html", &zip), end()].concat(),
            415,
            "unsupported-media-type",
        ),
        ("too large a bundle", form(&request, &large), 413, "bundle-too-large"),
        (
            "too large a request",
            [part("request", "application/json", &vec![b' '; 3 * 1024 * 1024]), end()].concat(),
            413,
            "body-too-large",
        ),
    ];
    for (name, body, status, code) in cases {
        // In one piece, and in many.
        let pieces: Vec<_> =
            body.chunks(1_000).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
        for body in [Body::from(body.clone()), Body::from_stream(stream::iter(pieces))] {
            let answer = app.send_form(ADMIN, body).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (status, code),
                "{name}: {}",
                answer.json()
            );
        }
    }
    let broken = stream::iter([Ok(Bytes::from(good[..200].to_vec())), Err(std::io::Error::other("gone"))]);
    app.send_form(ADMIN, Body::from_stream(broken)).await.fails(400, "invalid-multipart");
    let no_boundary = Request::post("/api/v1/skills")
        .header("authorization", format!("Bearer {ADMIN}"))
        .header("content-type", "multipart/form-data")
        .body(Body::from(good.clone()));
    app.send(no_boundary.unwrap()).await.fails(400, "invalid-multipart");
    let reader = app.user("anna", &["read"]).await;
    app.send_form(&reader, good.clone()).await.fails(403, "insufficient-scope");
    app.send_form("", good.clone()).await.fails(401, "invalid-token");
    // Nothing is left of all that: no content, no place that is taken, and no file that is open and has no name.
    assert_eq!(app.contents().await, before);
    assert!(!app.app.uploads.is_receiving() && !app.app.uploads.is_unpacking());
    let until = Instant::now() + Duration::from_secs(10);
    while !app.open_without_a_name().is_empty() {
        assert!(Instant::now() < until, "{:?}", app.open_without_a_name());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.send_form(ADMIN, good).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_slowly_does_not_keep_others_out() {
    let app = TestApp::with(|settings| {
        settings.limits.request_seconds = 1;
        settings.limits.uploads_per_user = 1;
    })
    .await;
    let request = asked("acme/form-filler", "1.0.0");
    let good = form(&request, &bundle::pack(folder("form-filler")).unwrap());
    let large = form(&request, &vec![b'x'; 1024 * 1024]);
    let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from(large[..800 * 1024].to_vec()))]);
    let slow = Body::from_stream(begun.chain(stream::pending()));
    let anna = app.user("anna", &["publish"]).await;
    let (stalled, ()) = tokio::join!(app.send_form(ADMIN, slow), async {
        // It has begun once it is counted.
        while !app.app.uploads.is_receiving() {
            tokio::task::yield_now().await;
        }
        // What has come lies in a file that has no name.
        while cfg!(target_os = "linux") && app.open_without_a_name().is_empty() {
            tokio::task::yield_now().await;
        }
        app.send_form(ADMIN, good.clone()).await.fails(503, "busy");
        let own = asked("anna/form-filler", "1.0.0");
        app.send_form(&anna, form(&own, &bundle::pack(folder("form-filler")).unwrap())).await.is(201);
    });
    stalled.fails(408, "request-timed-out");
    app.send_form(ADMIN, good).await.is(201);
}

/// Bytes that no compression makes fewer of.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_counts_until_the_work_is_done_whoever_has_left() {
    let app = Arc::new(TestApp::new().await);
    let mut files = folder("form-filler");
    files.push(file("assets/noise.bin", noise(8 * 1024 * 1024)));
    let body = Bytes::from(form(&asked("acme/form-filler", "1.0.0"), &bundle::pack(files).unwrap()));
    let mut has_outlasted = false;
    // Where the machine is busy, a request may be done before it is left.
    for _ in 0..10 {
        let (sender, body) = (Arc::clone(&app), body.clone());
        let request = tokio::spawn(async move { sender.send_form(ADMIN, Body::from(body)).await });
        while !app.app.uploads.is_unpacking() && !request.is_finished() {
            tokio::task::yield_now().await;
        }
        request.abort();
        let is_left = request.await.is_err_and(|error| error.is_cancelled());
        has_outlasted |= is_left && app.app.uploads.is_unpacking();
        while app.app.uploads.is_unpacking() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if has_outlasted {
            break;
        }
    }
    assert!(has_outlasted, "the memory of who has left was not counted");
    assert!(!app.app.uploads.is_receiving());
    app.send_form(ADMIN, body).await;
    app.get("/api/v1/skills/acme/form-filler/versions/1.0.0").await.is(200);
}
