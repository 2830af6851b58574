//! What was acknowledged stays; what is damaged is not handed out.

use std::sync::Arc;

use serde_json::{Value, json};
use skillery_core::Digest;
use tokio::sync::oneshot;

use super::{ADMIN, TestApp, skill};
use crate::blobs::BlobKey;
use crate::failure::Failure;
use crate::jobs;

async fn digest(app: &TestApp, id: &str) -> Digest {
    let version = app.get(&format!("/api/v1/skills/{id}/versions/1.0.0")).await.is(200);
    version["digest"].as_str().unwrap().parse().unwrap()
}

fn file(app: &TestApp, digest: &Digest) -> std::path::PathBuf {
    let hex = digest.to_string();
    app.app.settings.blob_folder().join("sha256").join(&hex[..2]).join(hex)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_is_missing_or_altered_is_detected() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let path = file(&app, &digest(&app, "acme/tool").await);
    let good = fs_err::read(&path).unwrap();
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    fs_err::write(&path, &altered).unwrap();
    app.get("/api/v1/skills/acme/tool/download").await.fails(500, "content-damaged");
    fs_err::write(&path, &good[..good.len() / 2]).unwrap();
    app.get("/api/v1/skills/acme/tool/download").await.fails(500, "content-damaged");
    fs_err::remove_file(&path).unwrap();
    app.get("/api/v1/skills/acme/tool/download").await.fails(500, "content-missing");
    fs_err::write(&path, &good).unwrap();
    app.get("/api/v1/skills/acme/tool/download").await.is(200);
    app.settle().await;
    assert_eq!(
        app.get("/api/v1/skills/acme/tool").await.is(200)["install_count"],
        1,
        "failures are no installs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_version_is_told_without_its_content() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let listed = app.get("/api/v1/skills/acme/tool/versions").await.is(200);
    let digest: Digest = listed["versions"][0]["digest"].as_str().unwrap().parse().unwrap();
    let path = file(&app, &digest);
    let good = fs_err::read(&path).unwrap();
    let version = "/api/v1/skills/acme/tool/versions/1.0.0";
    // Whether it is gone or damaged.
    for content in [None, Some("damaged")] {
        match content {
            None => fs_err::remove_file(&path).unwrap(),
            Some(bytes) => fs_err::write(&path, bytes).unwrap(),
        }
        let told = app.get(version).await.is(200);
        assert_eq!(told["digest"], digest.to_string());
        assert!(!told["files"].as_array().unwrap().is_empty());
        // Nobody takes it for one in which nothing is found.
        assert_eq!(told.get("findings"), None);
        assert_eq!(app.get(&format!("{version}/findings")).await.status, 500);
    }
    fs_err::write(&path, good).unwrap();
    assert_eq!(app.get(version).await.is(200)["findings"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_apart_from_a_content_is_a_failure_and_takes_back_nothing_that_was_written() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let digest = digest(&app, "acme/tool").await;
    // What is kept of its findings is none.
    app.app.rendered.insert(format!("findings {digest} acme/tool"), "nothing".into());
    let version = "/api/v1/skills/acme/tool/versions/1.0.0";
    app.get(version).await.fails(500, "internal");
    let changelog = json!({ "changelog": "Checks more." });
    let said = app.put(&format!("{version}/changelog"), ADMIN, changelog).await.is(200);
    assert_eq!((&said["changelog"], said.get("findings")), (&json!("Checks more."), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_is_there_after_a_crash() {
    let app = Arc::new(TestApp::new().await);
    let mut tasks = Vec::new();
    for number in 0..40 {
        let app = Arc::clone(&app);
        tasks.push(tokio::spawn(async move {
            app.publish(&format!("acme/tool{number}"), "1.0.0").await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let log = app.log().await;
    let app = Arc::into_inner(app).unwrap().crash_and_reopen().await;
    assert_eq!(app.log().await, log);
    assert_eq!(app.search("", "q=tool").await.1, 40);
    for number in 0..40 {
        app.get(&format!("/api/v1/skills/acme/tool{number}/download")).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_without_a_version_are_collected_and_others_are_not() {
    let app = TestApp::with(|settings| settings.orphan_hours = 0).await;
    app.publish("acme/tool", "1.0.0").await;
    let needed = digest(&app, "acme/tool").await;
    let orphan = Digest::of(b"orphan");
    app.app.blobs.put(BlobKey::Bundle(orphan), "orphan".into()).await.unwrap();
    // The clock of the tests stands in the past; the files are of now.
    app.app.environment.advance_seconds(100 * 365 * 86_400);
    assert_eq!(jobs::collect(&app.app).await.unwrap(), 1);
    assert!(file(&app, &needed).exists());
    assert!(!file(&app, &orphan).exists());
    app.get("/api/v1/skills/acme/tool/download").await.is(200);
    assert_eq!(jobs::collect(&app.app).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_waits_for_the_collector_of_the_same_bytes() {
    let app = Arc::new(TestApp::new().await);
    app.publish("acme/tool", "1.0.0").await;
    let twin = digest(&app, "acme/tool").await;
    // As if the collector had marked the bytes of the next version and not removed them yet.
    let next = {
        let trial = TestApp::new().await;
        trial.publish("acme/tool", "1.0.0").await;
        trial.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.1.0")).await.is(201);
        let version = trial.get("/api/v1/skills/acme/tool/versions/1.1.0").await.is(200);
        version["digest"].as_str().unwrap().parse::<Digest>().unwrap()
    };
    assert_ne!(twin, next);
    let marked = app
        .app
        .db
        .write(move |tx| Box::pin(async move { crate::db::contents::doom(tx, &next, "another").await }))
        .await;
    assert!(marked.unwrap());
    let publish = {
        let app = Arc::clone(&app);
        tokio::spawn(async move { app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.1.0")).await })
    };
    // Who made the mark has stopped; an hour later another takes over.
    app.app.environment.advance_seconds(3_700);
    jobs::collect(&app.app).await.unwrap();
    publish.await.unwrap().is(201);
    app.get("/api/v1/skills/acme/tool/download?version=1.1.0").await.is(200);
    // A mark of what a version needs by now is dropped, and the content stays.
    assert_eq!(jobs::collect(&app.app).await.unwrap(), 0);
    app.get("/api/v1/skills/acme/tool/download?version=1.1.0").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_collector_marks_a_content_and_each_collection_counts() {
    let app = TestApp::new().await;
    let digest = Digest::of(b"some bytes");
    let before = crate::db::contents::collections(&app.app.db).await.unwrap();
    let outcome = app.app.db.write(move |tx| {
        Box::pin(async move {
            let doomed = crate::db::contents::doom(tx, &digest, "one").await?;
            let again = crate::db::contents::doom(tx, &digest, "two").await?;
            crate::db::contents::collected(tx, &digest, "one").await?;
            Ok([doomed, again])
        })
    });
    assert_eq!(outcome.await.unwrap(), [true, false]);
    assert_eq!(crate::db::contents::collections(&app.app.db).await.unwrap(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_begun_and_never_finished_are_swept() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let whole = file(&app, &digest(&app, "acme/tool").await);
    let half = whole.with_file_name(format!("{}#1", whole.file_name().unwrap().to_string_lossy()));
    fs_err::write(&half, "half").unwrap();
    jobs::collect(&app.app).await.unwrap();
    assert!(half.exists(), "it may still be written");
    app.app.environment.advance_seconds(100 * 365 * 86_400);
    jobs::collect(&app.app).await.unwrap();
    assert!(!half.exists() && whole.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_a_newer_program_stops_nobody() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.app
        .db
        .write(|tx| {
            Box::pin(async move {
                let index = tx.append(None, skillery_core::event::Event::Genesis);
                assert!(index > 0);
                Ok(())
            })
        })
        .await
        .unwrap();
    let size = app.log().await.len();
    app.app
        .db
        .write(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE log SET kind = $1, body = $2 WHERE idx = $3")
                    .bind("tea.made")
                    .bind("{\"kind\":\"tea.made\",\"cups\":2}")
                    .bind(size as i64 - 1)
                    .execute(tx.connection())
                    .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    app.publish("acme/other", "1.0.0").await;
    assert_eq!(app.search("", "").await.1, 2);
    assert_eq!(app.log().await[size - 1]["event"]["kind"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_full_loses_nothing() {
    if super::is_postgres() {
        // A PostgreSQL cluster cannot be filled without filling the disk of the machine.
        return;
    }
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let pages = async |number: i64| {
        let text = format!("PRAGMA max_page_count = {number}");
        app.app
            .db
            .write(move |tx| {
                Box::pin(async move {
                    sqlx::query(sqlx::AssertSqlSafe(text)).execute(tx.connection()).await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
    };
    pages(1).await;
    let mut full = None;
    for number in 0..200 {
        let answer = app.post("/api/v1/skills", ADMIN, skill(&format!("acme/tool{number}"), "1.0.0")).await;
        if answer.status.as_u16() != 201 {
            full = Some((number, answer));
            break;
        }
    }
    let (number, answer) = full.unwrap();
    answer.fails(507, "storage-full");
    assert_eq!(app.search("", "q=checks").await.1, number + 1);
    app.get("/api/v1/skills/acme/tool/download").await.is(200);
    pages(1_000_000).await;
    app.publish(&format!("acme/tool{number}"), "1.0.0").await;
    let entries = app.log().await;
    assert!(entries.iter().enumerate().all(|(place, entry)| entry["index"] == place));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_comes_back() {
    if !super::is_postgres() {
        // An embedded database goes away only with the process.
        return;
    }
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let name = app.app.settings.database.as_ref().unwrap().rsplit('=').next().unwrap().to_owned();
    for round in 0..5 {
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()")
            .bind(name.clone())
            .fetch_all(app.app.db.reader())
            .await
            .ok();
        let id = format!("acme/tool{round}");
        let mut tries = 0;
        loop {
            let answer = app.post("/api/v1/skills", ADMIN, skill(&id, "1.0.0")).await;
            match answer.status.as_u16() {
                200 | 201 => break,
                _ => {
                    answer.fails(503, "database-unavailable");
                    tries += 1;
                    assert!(tries < 20);
                }
            }
        }
    }
    let entries = app.log().await;
    assert!(entries.iter().enumerate().all(|(place, entry)| entry["index"] == place));
    assert_eq!(app.search("", "q=checks").await.1, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_key_for_the_same_database_is_refused() {
    let app = TestApp::new().await;
    let file = app.app.settings.secret_key_file();
    fs_err::write(&file, "0".repeat(64)).unwrap();
    let key = crate::secrets::SecretKey::open(&file, &app.app.environment).unwrap();
    let outcome = crate::bootstrap::genesis(&app.app.db, &app.app.environment, &key).await;
    assert!(outcome.unwrap_err().to_string().contains("secret key"));
    assert_eq!(json!(app.log().await.len()), json!(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_time_is_up_is_not_said_to_be_undone() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (mut settings, environment, folder) = app.crash().await;
    let usual = settings.limits.request_seconds;
    settings.limits.request_seconds = 1;
    let hurried = TestApp::open(settings, environment, folder).await;
    let (has_begun, begun) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let writer = tokio::spawn({
        let app = Arc::clone(&hurried.app);
        async move {
            let wait = app.db.write(|_| {
                Box::pin(async move {
                    has_begun.send(()).unwrap();
                    may_go_on.await.map_err(Failure::internal)
                })
            });
            wait.await.unwrap();
        }
    });
    begun.await.unwrap();
    let answer = hurried.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.1.0")).await;
    let problem = answer.fails(408, "request-timed-out");
    assert_eq!(problem["detail"], "it took over 1 s, and it is not known whether the change was written");
    go_on.send(()).unwrap();
    writer.await.unwrap();
    let (mut settings, environment, folder) = hurried.crash().await;
    settings.limits.request_seconds = usual;
    let app = TestApp::open(settings, environment, folder).await;
    // Whether it was or not, trying again is right, and it is there once.
    let again = app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.1.0")).await;
    assert!(again.status.is_success(), "{again:?}");
    let published = |entry: &&Value| entry["event"]["version"] == "1.1.0";
    assert_eq!(app.log().await.iter().filter(published).count(), 1);
}
