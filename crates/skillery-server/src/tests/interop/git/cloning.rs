//! Cloning: what is in it, in whatever way it is asked for.

use serde_json::Value;

use super::{PROTOCOLS, Person, files};
use crate::tests::{ADMIN, TestApp, skill};

#[tokio::test(flavor = "multi_thread")]
async fn a_skill_is_cloned_with_its_versions() {
    let app = TestApp::new().await;
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1", "1.1.1+build.lock"] {
        app.publish("acme/email_validator", version).await;
    }
    let person = Person::with(&app).await;
    for protocol in PROTOCOLS {
        let name = protocol.replace('.', "");
        let folder = person.clone(protocol, &[], "/acme/email_validator.git", &name).await;
        assert_eq!(files(&folder), ["SKILL.md", "scripts/email_validator.py"]);
        let tags = person.git_in(&name, &["tag"]).await.good().out;
        // A name that git keeps for itself is left out.
        assert_eq!(tags.lines().collect::<Vec<_>>(), ["v1.0.0", "v1.1.0", "v2.0.0-rc.1"]);
        let log = person.git_in(&name, &["log", "--format=%an <%ae> %ct %s %P", "v1.0.0"]).await.good().out;
        assert_eq!(log, "Skillery <skillery@registry.invalid> 1767323045 acme/email_validator 1.0.0 \n");
        assert_eq!(person.git_in(&name, &["branch", "--show-current"]).await.out, "main\n");
        let text = fs_err::read_to_string(folder.join("SKILL.md")).unwrap();
        assert!(text.contains("version: \"1.1.1+build.lock\""), "{text}");

        // One version, by its tag and by its id.
        let options = ["--depth", "1", "--branch", "v1.0.0"];
        let old = format!("{name}-old");
        let old = person.clone(protocol, &options, "/acme/email-validator.git", &old).await;
        let text = fs_err::read_to_string(old.join("SKILL.md")).unwrap();
        assert!(text.contains("version: \"1.0.0\""), "{text}");
        let id = person.id_of("/acme/email_validator.git", "refs/tags/v1.1.0").await;
        assert_eq!(id.len(), 40);
        let pinned = format!("{name}-pinned");
        person.git(&["init", "-q", &pinned]).await.good();
        let address = format!("{}/acme/email_validator.git", person.url);
        person.git_in(&pinned, &["-c", protocol, "fetch", "-q", "--depth", "1", &address, &id]).await.good();
        person.git_in(&pinned, &["checkout", "-q", "FETCH_HEAD"]).await.good();
        let text = fs_err::read_to_string(person.path(&pinned).join("SKILL.md")).unwrap();
        assert!(text.contains("version: \"1.1.0\""), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_keep_their_bytes_and_modes() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let noise: Vec<u8> =
        (0..300_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let made: &[(&str, bool, &[u8])] = &[
        ("SKILL.md", false, b"---\nname: tool\ndescription: d\n---\n"),
        ("a/run.sh", true, b"#!/bin/sh\n"),
        ("a-b", false, b""),
        ("a.txt", false, b"\r\n\0"),
        ("deep/er/still/noise.bin", false, &noise),
        ("same.md", false, b"---\nname: tool\ndescription: d\n---\n"),
        ("\u{e9}/\u{2603}.txt", false, "\u{e9}".as_bytes()),
    ];
    app.set_files("acme/tool", "1.0.0", made).await;
    let person = Person::with(&app).await;
    for (protocol, repository, below) in
        [(PROTOCOLS[0], "/acme/tool.git", ""), (PROTOCOLS[1], "/acme/all.git", "skills/tool")]
    {
        let name = repository.replace('/', "_");
        let folder = person.clone(protocol, &["--depth", "1"], repository, &name).await.join(below);
        assert_eq!(
            files(&folder),
            ["SKILL.md", "a-b", "a.txt", "a/run.sh*", "deep/er/still/noise.bin", "same.md", "é/☃.txt"]
        );
        for (path, _, bytes) in made {
            assert!(fs_err::read(folder.join(path)).unwrap() == *bytes, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_cloned_with_its_skills() {
    let app = TestApp::new().await;
    for id in ["acme/a_tool", "acme/b", "acme/deeper/c", "other/d"] {
        app.publish(id, "1.0.0").await;
    }
    app.publish("acme/b", "1.2.0").await;
    app.publish("acme/only-rc", "1.0.0-rc.1").await;
    let person = Person::with(&app).await;
    for protocol in PROTOCOLS {
        let name = protocol.replace('.', "");
        let folder = person.clone(protocol, &[], "/acme/all.git", &name).await;
        assert_eq!(
            files(&folder),
            [
                ".claude-plugin/marketplace.json",
                "skills/a-tool/SKILL.md",
                "skills/a-tool/scripts/a_tool.py",
                "skills/b/SKILL.md",
                "skills/b/scripts/b.py",
            ]
        );
        let marketplace = fs_err::read_to_string(folder.join(".claude-plugin/marketplace.json")).unwrap();
        insta::assert_snapshot!("marketplace", marketplace);
        let deeper = person.clone(protocol, &[], "/acme~deeper/all.git", &format!("{name}-deeper")).await;
        assert_eq!(
            files(&deeper),
            [".claude-plugin/marketplace.json", "skills/c/SKILL.md", "skills/c/scripts/c.py"]
        );
        person.clone(protocol, &[], "/acme%7Edeeper/c.git", &format!("{name}-c")).await;
        let address = format!("{}/acme/deeper/all.git", person.url);
        person.git(&["ls-remote", &address]).await.fails("not found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_gives_the_same_ids() {
    let mut seen = Vec::new();
    for order in [["acme/a", "acme/b"], ["acme/b", "acme/a"]] {
        let app = TestApp::new().await;
        for id in order {
            app.publish(id, "1.0.0").await;
        }
        let listed = |path: &'static str| app.get(path);
        let all = listed("/acme/all.git/info/refs?service=git-upload-pack").await;
        assert_eq!(all.headers["content-type"], "application/x-git-upload-pack-advertisement");
        assert_eq!(all.headers["cache-control"], "no-cache");
        let one = listed("/acme/a.git/info/refs?service=git-upload-pack").await;
        seen.push((String::from_utf8(all.body).unwrap(), String::from_utf8(one.body).unwrap()));
    }
    assert_eq!(seen[0], seen[1]);
    // A pinned id is good on every registry, for ever: if this changes, what people have pinned is gone.
    insta::assert_snapshot!("ids", format!("{}\n{}", seen[0].0, seen[0].1).replace('\0', "\\0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_namespaces_come_whole() {
    let app = TestApp::new().await;
    // More than are read at once.
    let ids: Vec<String> = (0..620).map(|number| format!("acme/tool{number:03}")).collect();
    for piece in ids.chunks(64) {
        let publish = |id: &String| app.post("/api/v1/skills", ADMIN, skill(id, "1.0.0"));
        for answer in futures_util::future::join_all(piece.iter().map(publish)).await {
            answer.is(201);
        }
    }
    let person = Person::with(&app).await;
    let folder = person.clone(PROTOCOLS[1], &["--depth", "1"], "/acme/all.git", "all").await;
    assert_eq!(files(&folder).len(), 620 * 2 + 1);
    let marketplace = fs_err::read(folder.join(".claude-plugin/marketplace.json")).unwrap();
    let marketplace: Value = serde_json::from_slice(&marketplace).unwrap();
    assert_eq!(marketplace["plugins"].as_array().unwrap().len(), 620);
}
