//! What becomes of clones and pins when skills change.

use super::{PROTOCOLS, Person, files};
use crate::tests::{ADMIN, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_is_updated() {
    for protocol in PROTOCOLS {
        let app = TestApp::new().await;
        app.publish("acme/a", "1.0.0").await;
        app.publish("acme/b", "1.0.0").await;
        let person = Person::with(&app).await;
        let folder = person.clone(protocol, &[], "/acme/all.git", "all").await;
        person.clone(protocol, &["--depth", "1"], "/acme/a.git", "a").await;
        // Nothing new, and nothing is sent.
        person.git_in("all", &["-c", protocol, "fetch", "-q"]).await.good();
        app.settle().await;
        let installs = |app: &TestApp, id: &'static str| {
            let path = format!("/api/v1/skills/{id}");
            let app = app.app.clone();
            async move {
                let door = crate::http::Door::new(app);
                let request = axum::http::Request::builder().uri(path).body(axum::body::Body::empty());
                let response = tower::ServiceExt::oneshot(door, request.unwrap()).await.unwrap();
                let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
                serde_json::from_slice::<serde_json::Value>(&body).unwrap()["install_count"].as_i64().unwrap()
            }
        };
        assert_eq!((installs(&app, "acme/a").await, installs(&app, "acme/b").await), (2, 1));

        app.publish("acme/a", "1.1.0").await;
        person.git_in("all", &["-c", protocol, "fetch", "-q"]).await.good();
        person.git_in("all", &["reset", "-q", "--hard", "origin/main"]).await.good();
        person.git_in("all", &["fsck", "--full", "--strict"]).await.good();
        let text = fs_err::read_to_string(folder.join("skills/a/SKILL.md")).unwrap();
        assert!(text.contains("version: \"1.1.0\""), "{text}");
        person.git_in("a", &["-c", protocol, "fetch", "-q", "--depth", "1"]).await.good();
        person.git_in("a", &["reset", "-q", "--hard", "origin/main"]).await.good();
        person.git_in("a", &["fsck", "--full", "--strict"]).await.good();
        // What the client had was not sent again, and does not count.
        app.settle().await;
        assert_eq!((installs(&app, "acme/a").await, installs(&app, "acme/b").await), (4, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_with_all_tags_is_one_install() {
    let app = TestApp::new().await;
    for version in ["0.9.0", "1.0.0", "1.1.0", "2.0.0-rc.1"] {
        app.publish("acme/a", version).await;
    }
    let person = Person::with(&app).await;
    for (count, protocol) in (1..).zip(PROTOCOLS) {
        let folder = person.clone(protocol, &[], "/acme/a.git", &format!("a{count}")).await;
        assert!(folder.join("SKILL.md").is_file());
        let tags = person.git_in(&format!("a{count}"), &["tag"]).await.good().out;
        assert_eq!(tags.lines().count(), 4, "{tags}");
        app.settle().await;
        assert_eq!(app.installs("acme/a").await, count, "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_of_a_namespace_outlive_changes() {
    let app = TestApp::new().await;
    app.publish("acme/a", "1.0.0").await;
    app.publish("acme/b", "1.0.0").await;
    let person = Person::with(&app).await;
    let first = person.id_of("/acme/all.git", "HEAD").await;
    app.publish("acme/a", "1.1.0").await;
    let second = person.id_of("/acme/all.git", "HEAD").await;
    app.publish("acme/c", "1.0.0").await;
    app.yank("acme/a", "1.1.0", "slow").await;
    let third = person.id_of("/acme/all.git", "HEAD").await;
    assert!(first != second && second != third && first != third);

    // On another start, which remembers nothing but what is stored.
    person.leave().await;
    let app = app.crash_and_reopen().await;
    let person = Person::with(&app).await;
    let address = format!("{}/acme/all.git", person.url);
    for (number, (id, version)) in
        [(&first, "1.0.0"), (&second, "1.1.0"), (&third, "1.0.0")].into_iter().enumerate()
    {
        let folder = format!("pinned{number}");
        person.git(&["init", "-q", &folder]).await.good();
        let said =
            person.git_in(&folder, &["fetch", "--progress", "--depth", "1", &address, id]).await.good();
        // A version that was yanked is still what was pinned; git tells.
        let warns = said.err.contains("remote: warning: acme/a 1.1.0 was yanked: slow");
        assert_eq!(warns, version == "1.1.0", "{}", said.err);
        person.git_in(&folder, &["checkout", "-q", "FETCH_HEAD"]).await.good();
        person.git_in(&folder, &["fsck", "--full", "--strict"]).await.good();
        let text = fs_err::read_to_string(person.path(&folder).join("skills/a/SKILL.md")).unwrap();
        assert!(text.contains(&format!("version: \"{version}\"")), "{text}");
    }

    // What is quarantined is in no pin, and what somebody does not see neither.
    app.quarantine("acme/a", "1.1.0").await;
    app.hide("acme/c", "private").await;
    for (id, is_there) in [(&first, true), (&second, false), (&third, false)] {
        let said = person.git_in("pinned0", &["fetch", "-q", &address, id]).await;
        assert_eq!(said.is_good, is_there, "{}", said.err);
        if !is_there {
            said.fails(&format!("upload-pack: not our ref {id}"));
        }
    }
    let header = format!("http.extraHeader=Authorization: Bearer {ADMIN}");
    person.git_in("pinned0", &["-c", &header, "fetch", "-q", &address, &third]).await.good();
    person.git_in("pinned0", &["-c", &header, "fetch", "-q", &address, &second]).await.fails("not our ref");
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_of_versions_outlive_changes() {
    let app = TestApp::new().await;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        app.publish("acme/a", version).await;
    }
    let person = Person::with(&app).await;
    let (first, second) = (
        person.id_of("/acme/a.git", "refs/tags/v1.0.0").await,
        person.id_of("/acme/a.git", "refs/tags/v1.1.0").await,
    );
    app.yank("acme/a", "1.0.0", "").await;
    app.quarantine("acme/a", "1.1.0").await;
    let address = format!("{}/acme/a.git", person.url);
    let tags = person.git(&["ls-remote", "--tags", &address]).await.good().out;
    assert_eq!(tags.lines().count(), 1, "{tags}");
    assert!(tags.ends_with("refs/tags/v1.2.0\n"), "{tags}");
    person.git(&["init", "-q", "pinned"]).await.good();
    let said = person.git_in("pinned", &["fetch", "--progress", &address, &first]).await.good();
    assert!(said.err.contains("remote: warning: acme/a 1.0.0 was yanked"), "{}", said.err);
    person.git_in("pinned", &["fetch", &address, &second]).await.fails("not our ref");

    // Only a prerelease is left: there is no newest version, and the others are there.
    app.publish("acme/a", "2.0.0-rc.1").await;
    app.quarantine("acme/a", "1.2.0").await;
    for protocol in PROTOCOLS {
        let listed = person.git(&["-c", protocol, "ls-remote", &address]).await.good().out;
        assert_eq!(listed.lines().count(), 1, "{listed}");
        assert!(listed.ends_with("refs/tags/v2.0.0-rc.1\n"), "{listed}");
    }
    let folder = person.clone(PROTOCOLS[0], &["--branch", "v2.0.0-rc.1"], "/acme/a.git", "rc").await;
    assert_eq!(files(&folder).len(), 2);
}
