//! Requests that no git makes, and skills that nobody should have published.

use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use flate2::Compression;
use flate2::write::GzEncoder;
use skillery_core::Digest;
use tower::ServiceExt;

use super::{PROTOCOLS, Person, files};
use crate::http::Door;
use crate::http::interop::GIT_SENDING as SENDING;
use crate::tests::{ADMIN, TestApp, skill};

const TOOL: &str = "/acme/tool.git";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn line(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_none() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let known = {
        let refs = app.get("/acme/tool.git/info/refs?service=git-upload-pack").await.body;
        let text = String::from_utf8(refs).unwrap();
        let start = text.find(" HEAD").unwrap();
        text[start - 40..start].to_owned()
    };
    let said = async |headers: &[(&str, &str)], body: Vec<u8>| {
        let answer = app.upload_pack(TOOL, headers, body).await;
        assert_eq!(answer.status.as_u16(), 200);
        assert_eq!(answer.headers["content-type"], "application/x-git-upload-pack-result");
        String::from_utf8_lossy(&answer.body).into_owned()
    };
    let unknown = "1".repeat(40);
    let want = format!("{}0000{}", line(&format!("want {unknown}\n")), line("done\n"));
    assert!(said(&[], want.into_bytes()).await.ends_with(&format!("ERR upload-pack: not our ref {unknown}")));
    for body in ["nonsense", "0003", "ffff", "0006a\n", &line("want x\n")] {
        let text = said(&[], body.as_bytes().to_vec()).await;
        assert!(text[4..].starts_with("ERR upload-pack: the request"), "{text}");
    }
    let two = [("git-protocol", "version=2")];
    let text = said(&two, format!("{}0000", line("command=object-info\n")).into_bytes()).await;
    assert!(
        text.contains("ERR upload-pack: the request has a line that is not known here: `object-info`"),
        "{text}"
    );
    // Nothing is wanted: nothing is answered.
    assert_eq!(said(&[], b"0000".to_vec()).await, "");
    // One who takes no packets gets the pack as it is.
    let want = format!("{}0000{}", line(&format!("want {known}\n")), line("done\n"));
    let plain = app.upload_pack(TOOL, &[], want.clone().into_bytes()).await;
    assert_eq!(&plain.body[..12], b"0008NAK\nPACK");
    // The same, compressed.
    let packed = app.upload_pack(TOOL, &[("content-encoding", "gzip")], gzip(want.as_bytes())).await;
    assert_eq!(packed.body, plain.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_too_much() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/other", "1.0.0").await;
    let status = async |headers: &[(&str, &str)], body: Vec<u8>| {
        app.upload_pack(TOOL, headers, body).await.status.as_u16()
    };
    let large = vec![b'0'; 5 * 1024 * 1024];
    assert_eq!(status(&[], large.clone()).await, 413);
    // Few bytes that would be many.
    let bomb = gzip(&large);
    assert!(bomb.len() < 10_000);
    assert_eq!(status(&[("content-encoding", "gzip")], bomb).await, 413);
    assert_eq!(status(&[("content-encoding", "gzip")], b"no gzip".to_vec()).await, 400);
    assert_eq!(status(&[("content-encoding", "br")], b"0000".to_vec()).await, 415);
    let other =
        app.call(axum::http::Method::POST, "/acme/tool.git/git-upload-pack", "", Some(serde_json::json!({})));
    assert_eq!(other.await.status.as_u16(), 415);
    // Each would be looked for among all snapshots of the namespace.
    let wants: String = (0..9).map(|number| line(&format!("want {number:040x}\n"))).collect();
    let answer = app.upload_pack("/acme/all.git", &[], format!("{wants}0000").into_bytes()).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("ERR upload-pack: at most 8 commits at once"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_skill_spoils_no_other() {
    let app = TestApp::new().await;
    for name in ["bad", "collides", "gone", "good"] {
        app.publish(&format!("acme/{name}"), "1.0.0").await;
    }
    app.publish("acme/bad", "0.9.0").await;
    // Files that git would run, and what it would refuse to check out.
    let file: &[u8] = b"#!/bin/sh\n";
    app.set_files(
        "acme/bad",
        "1.0.0",
        &[("SKILL.md", false, file), (".git/hooks/post-checkout", true, file)],
    )
    .await;
    app.set_files("acme/collides", "1.0.0", &[("a", false, file), ("a/b", false, file)]).await;
    let missing = "0".repeat(64);
    app.tamper(format!("UPDATE versions SET digest = '{missing}' WHERE skill = 'acme/gone'")).await;
    let person = Person::with(&app).await;
    for protocol in PROTOCOLS {
        let name = protocol.replace('.', "");
        let folder = person.clone(protocol, &[], "/acme/all.git", &name).await;
        assert_eq!(
            files(&folder),
            [".claude-plugin/marketplace.json", "skills/good/SKILL.md", "skills/good/scripts/good.py"]
        );
        let address = format!("{}/acme/bad.git", person.url);
        let tags = person.git(&["-c", protocol, "ls-remote", &address]).await.good().out;
        assert!(tags.ends_with("refs/tags/v0.9.0\n") && tags.lines().count() == 1, "{tags}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_hides_no_skill() {
    let app = TestApp::new().await;
    app.publish("acme/a", "1.0.0").await;
    app.publish("acme/b", "1.0.0").await;
    let digest = app.digest_of("acme/b", "1.0.0").await.to_string();
    let blob = app.app.settings.blob_folder().join("sha256").join(&digest[..2]).join(&digest);
    let kept = blob.with_extension("kept");
    fs_err::rename(&blob, &kept).unwrap();
    // Not lost: it cannot be opened just now.
    fs_err::os::unix::fs::symlink(&blob, &blob).unwrap();
    for repository in ["/acme/all.git", "/acme/b.git"] {
        let answer = app.get(&format!("{repository}/info/refs?service=git-upload-pack")).await;
        assert_eq!(answer.status.as_u16(), 503, "{repository}");
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        let ask = format!("{}00010000", line("command=ls-refs\n"));
        let answer = app.upload_pack(repository, &[("git-protocol", "version=2")], ask.into_bytes()).await;
        assert_eq!(answer.status.as_u16(), 503, "{repository}");
    }
    let person = Person::with(&app).await;
    let address = format!("{}/acme/all.git", person.url);
    person.git(&["ls-remote", &address]).await.fails("503");
    // When it can be, nothing has been remembered.
    fs_err::remove_file(&blob).unwrap();
    fs_err::rename(&kept, &blob).unwrap();
    for protocol in PROTOCOLS {
        let folder = person.clone(protocol, &[], "/acme/all.git", &protocol.replace('.', "")).await;
        assert!(folder.join("skills/a/SKILL.md").is_file() && folder.join("skills/b/SKILL.md").is_file());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_clones_than_there_are_places_for_come_later() {
    let app = TestApp::new().await;
    let mut body = skill("acme/tool", "1.0.0");
    let lines = (0..6_000_u32).map(|number| format!("# {}\n", Digest::of(&number.to_le_bytes())));
    let code = format!("{}def tool():\n    return 1\n", lines.collect::<String>());
    body["code_hash"] = Digest::of(code.as_bytes()).to_string().into();
    body["code"] = code.into();
    app.post("/api/v1/skills", ADMIN, body).await.is(201);
    let refs =
        String::from_utf8(app.get("/acme/tool.git/info/refs?service=git-upload-pack").await.body).unwrap();
    let start = refs.find(" HEAD").unwrap();
    let want = format!("{}0000{}", line(&format!("want {}\n", &refs[start - 40..start])), line("done\n"));
    // Clients that ask and do not read.
    let mut slow = Vec::new();
    let ask = async |last: u8| {
        let request = Request::post("/acme/tool.git/git-upload-pack")
            .header("content-type", "application/x-git-upload-pack-request");
        let request = request.body(Body::from(want.clone())).unwrap();
        let door = Door::new(Arc::clone(&app.app)).with_peer(([127, 0, 0, last], 40_000).into());
        door.oneshot(request).await.unwrap()
    };
    // One alone leaves places for others.
    for peer in [1, 2] {
        for _ in 0..SENDING / 2 {
            let answer = ask(peer).await;
            assert_eq!(answer.status().as_u16(), 200);
            slow.push(answer);
        }
        assert_eq!(ask(peer).await.status().as_u16(), 503);
    }
    let answer = app.upload_pack(TOOL, &[], want.clone().into_bytes()).await;
    assert_eq!(answer.status.as_u16(), 503);
    assert_eq!(answer.headers["retry-after"], "5");
    assert!(String::from_utf8_lossy(&answer.body).contains("too many clones"));
    // Refs are told all the same, and who waits gets the place of one that leaves.
    assert_eq!(app.get("/acme/tool.git/info/refs?service=git-upload-pack").await.status.as_u16(), 200);
    let waiting = app.upload_pack(TOOL, &[], want.into_bytes());
    let leaving = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        slow.pop();
    };
    let (answer, ()) = tokio::join!(waiting, leaving);
    assert_eq!(answer.status.as_u16(), 200);
    assert!(answer.body.len() > 200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_lost_ends_the_answer() {
    let app = TestApp::new().await;
    app.publish("acme/a", "1.0.0").await;
    app.publish("acme/b", "1.0.0").await;
    let person = Person::with(&app).await;
    person.id_of("/acme/all.git", "HEAD").await;
    // The ids are known; what they stand for is damaged.
    for shard in fs_err::read_dir(app.app.settings.blob_folder().join("sha256")).unwrap() {
        for file in fs_err::read_dir(shard.unwrap().path()).unwrap() {
            fs_err::write(file.unwrap().path(), b"damaged").unwrap();
        }
    }
    for protocol in PROTOCOLS {
        let address = format!("{}/acme/all.git", person.url);
        let said = person.git(&["-c", protocol, "clone", "-q", &address, "all"]).await;
        assert!(!said.is_good, "{}", said.err);
        assert!(!person.path("all").exists());
    }
}
