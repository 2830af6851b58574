//! Histories that are not the log's: somebody else's, an older one, and one beside it. Nothing signs on top of them.

use skillery_core::tlog::{Checkpoint, leaf_hash};

use super::log::{key, leaves, text};
use super::rotation::rotate;
use super::{ADMIN, TestApp, skill};
use crate::admin::{AdminError, backup, doctor};
use crate::app::{App, StartError};
use crate::db::{Db, FORKED, Unsigned, log, newest_note};
use crate::environment::Environment;
use crate::secrets::SecretKey;
use crate::settings::Settings;
use crate::tlog::{LogError, LogKey, keep_newest};

/// What a start is refused with.
async fn start_error(app: TestApp) -> StartError {
    let (settings, environment, _folder) = app.crash().await;
    refused(&settings, &environment).await
}

async fn refused(settings: &Settings, environment: &Environment) -> StartError {
    loop {
        match App::open(settings.clone(), environment.clone()).await {
            Err(StartError::InUse(_)) => tokio::task::yield_now().await,
            Err(error) => return error,
            Ok(_) => panic!("it starts"),
        }
    }
}

/// Appends an entry as somebody would who has the database and no key: rows, edge and checkpoint go together, and the
/// line of the signature is that of the checkpoint before.
async fn forge(app: &TestApp) -> String {
    let head = log::read_head(&app.app.db).await.unwrap();
    let (mut edge, line) = (head.edge, head.note.split_once("\n\n").unwrap().1);
    let size = edge.size();
    let body = log::openings(&app.app.db, size - 1, 1).await.unwrap().remove(0).entry;
    edge.append(leaf_hash(body.as_bytes()), |_, _| ());
    let origin = app.app.log_key.verifier().name().to_owned();
    let forged = Checkpoint { origin, size: edge.size(), root: edge.root(), extensions: Vec::new() };
    let note = format!("{forged}\n{line}");
    let nodes: Vec<String> = edge.nodes().iter().map(ToString::to_string).collect();
    app.tamper(format!(
        "INSERT INTO log (idx, at, kind, actor, skill, body, salt) \
         SELECT idx + 1, at, kind, actor, NULL, body, NULL FROM log WHERE idx = {}; \
         UPDATE log_head SET entries = {}, edge = '{}', note = '{note}' WHERE id = 1",
        size - 1,
        edge.size(),
        nodes.join(" "),
    ))
    .await;
    note
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_nobody_has_signed_is_not_signed_on() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let forged = forge(&app).await;
    for _ in 0..2 {
        let answer = app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.1.0")).await;
        answer.fails(503, "database-unavailable");
    }
    let now = text(&app, "", "/log/v1/checkpoint").await;
    assert_eq!(now, forged);
    assert!(Checkpoint::open(&now, &key(&app).await).is_err());
    let error = start_error(app).await;
    assert!(matches!(error, StartError::Log(LogError::Broken(_))), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_has_signed_is_signed_on() {
    if !super::is_postgres() {
        // An embedded database has one server.
        return;
    }
    let first = TestApp::new().await;
    let second = first.another().await;
    for round in 0..3 {
        first.publish("acme/tool", &format!("1.{round}.0")).await;
        second.publish("acme/tool", &format!("1.{round}.1")).await;
    }
    assert!(leaves(&first).await.len() >= 6);
    forge(&second).await;
    for app in [&first, &second] {
        let answer = app.post("/api/v1/skills", ADMIN, skill("acme/tool", "2.0.0")).await;
        answer.fails(503, "database-unavailable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_checkpoint_was_taken_away_is_not_signed_again() {
    for empty in [false, true] {
        let app = TestApp::new().await;
        app.publish("acme/tool", "1.0.0").await;
        let head = match empty {
            // All entries are gone, and others could come in their place.
            true => "DELETE FROM log; UPDATE log_head SET entries = 0, edge = '', note = '' WHERE id = 1",
            false => "UPDATE log_head SET edge = '', note = '' WHERE id = 1",
        };
        app.tamper(format!("DELETE FROM log_nodes; {head}")).await;
        let answer = app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.1.0")).await;
        answer.fails(503, "database-unavailable");
        let (settings, environment, _folder) = app.crash().await;
        let error = refused(&settings, &environment).await;
        assert!(matches!(error, StartError::Log(LogError::Unsigned)), "{error:?}");
        let looked = [
            doctor(&settings).await.err(),
            backup(&settings, &settings.data.join("copy")).await.err(),
            rotate(&settings).await.err(),
        ];
        for error in looked {
            let is_unsigned = matches!(&error, Some(AdminError::Open(StartError::Log(LogError::Unsigned))));
            assert!(is_unsigned, "{error:?}");
        }
        assert_eq!(newest_note(&settings).await.unwrap(), "");
    }
}

/// What takes the database back to where it is now: the log and the audit beside it, as other tables say nothing here.
async fn way_back(app: &TestApp) -> String {
    let head = log::read_head(&app.app.db).await.unwrap();
    let nodes: Vec<String> = head.edge.nodes().iter().map(ToString::to_string).collect();
    format!(
        "DELETE FROM log WHERE idx >= {size}; DELETE FROM audit WHERE log_index >= {size}; \
         UPDATE audit_head SET entries = {size} WHERE id = 1; \
         UPDATE log_head SET entries = {size}, at = {}, edge = '{}', note = '{}' WHERE id = 1",
        head.time.micros(),
        nodes.join(" "),
        head.note,
        size = head.edge.size(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_back_under_a_server_is_not_gone_on_with() {
    for has_written in [true, false] {
        let mut app = TestApp::new().await;
        app.publish("acme/tool", "1.0.0").await;
        let back = way_back(&app).await;
        app.publish("acme/tool", "1.1.0").await;
        if !has_written {
            // It knows only what it has found.
            app = app.crash_and_reopen().await;
        }
        app.tamper(back).await;
        let older = text(&app, "", "/log/v1/checkpoint").await;
        for id in ["acme/other", "acme/third"] {
            let answer = app.post("/api/v1/skills", ADMIN, skill(id, "1.0.0")).await;
            answer.fails(503, "database-unavailable");
        }
        assert_eq!(text(&app, "", "/log/v1/checkpoint").await, older, "nothing was signed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_has_shown_is_not_lost_either() {
    if !super::is_postgres() {
        // An embedded database has one server.
        return;
    }
    let first = TestApp::new().await;
    first.publish("acme/tool", "1.0.0").await;
    let second = first.another().await;
    let back = way_back(&first).await;
    first.publish("acme/tool", "1.1.0").await;
    // The second one has seen it, and has written nothing itself.
    second.get("/readyz").await.is(200);
    first.tamper(back).await;
    for app in [&first, &second] {
        let answer = app.post("/api/v1/skills", ADMIN, skill("acme/other", "1.0.0")).await;
        answer.fails(503, "database-unavailable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_writing_beside_a_second_history() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let back = way_back(&app).await;
    app.publish("acme/tool", "1.1.0").await;
    keep_newest(&app.app).await.unwrap();
    let file = app.app.settings.seen_file();
    let kept = fs_err::read_to_string(&file).unwrap();
    assert_eq!(kept, text(&app, "", "/log/v1/checkpoint").await);
    // A server that knows nothing of it goes on from an older copy, and gets further.
    app.tamper(back).await;
    let app = app.crash_and_reopen_after(|_| fs_err::remove_file(&file).unwrap()).await;
    for number in 0..3 {
        app.publish(&format!("acme/other{number}"), "1.0.0").await;
    }
    // One that has kept what was shown before finds out, and keeps it.
    fs_err::write(&file, &kept).unwrap();
    keep_newest(&app.app).await.unwrap_err();
    assert_eq!(fs_err::read_to_string(&file).unwrap(), kept);
    let answer = app.post("/api/v1/skills", ADMIN, skill("acme/more", "1.0.0")).await;
    let problem = answer.fails(503, "busy");
    assert_eq!(problem["detail"], FORKED);
    app.get("/readyz").await.fails(503, "busy");
    app.get("/api/v1/skills/acme/other0").await.is(200);
    let error = start_error(app).await;
    assert!(matches!(error, StartError::Log(LogError::Forked(_))), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_checkpoint_that_cannot_be_read_is_not_replaced() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    keep_newest(&app.app).await.unwrap();
    let (file, folder) = (app.app.settings.seen_file(), std::sync::Arc::clone(&app.folder));
    let kept = fs_err::read(&file).unwrap();
    let damaged: [&[u8]; 4] = [b"", b"nonsense", &kept[..20], b"\xff\xfe"];
    for bytes in damaged {
        fs_err::write(&file, bytes).unwrap();
        keep_newest(&app.app).await.unwrap_err();
        assert_eq!(fs_err::read(&file).unwrap(), bytes);
    }
    // Something that the system does not read.
    fs_err::remove_file(&file).unwrap();
    fs_err::create_dir(&file).unwrap();
    keep_newest(&app.app).await.unwrap_err();
    let (settings, environment, _) = app.crash().await;
    for _ in 0..2 {
        let error = refused(&settings, &environment).await;
        assert!(matches!(error, StartError::Log(LogError::Unreadable { .. })), "{error:?}");
        assert!(file.is_dir());
    }
    fs_err::remove_dir(&file).unwrap();
    fs_err::write(&file, &kept[..20]).unwrap();
    let error = refused(&settings, &environment).await;
    assert!(matches!(error, StartError::Log(LogError::Unreadable { .. })), "{error:?}");
    fs_err::write(&file, &kept).unwrap();
    let app = TestApp::open(settings, environment, folder).await;
    app.publish("acme/tool", "1.1.0").await;
    keep_newest(&app.app).await.unwrap();
    assert_ne!(fs_err::read(&file).unwrap(), kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_first_starts_one_makes_the_keys() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let (log_key, secret_key) = (folder.path().join("log-key"), folder.path().join("secret-key"));
        let start = std::sync::Barrier::new(8);
        let found: Vec<(bool, String, String)> = std::thread::scope(|scope| {
            let one = || {
                let environment = Environment::default();
                start.wait();
                let made = LogKey::make(&log_key, None, &environment).unwrap();
                let key = LogKey::read(&log_key).unwrap().verifier().to_string();
                let secret = SecretKey::open(&secret_key, &environment).unwrap();
                (made, key, secret.fingerprint().to_owned())
            };
            let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(found.iter().filter(|(made, ..)| *made).count(), 1);
        assert!(
            found.iter().all(|(_, key, secret)| (key, secret) == (&found[0].1, &found[0].2)),
            "{found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_have_one_log() {
    if !super::is_postgres() {
        // An embedded database has one server.
        return;
    }
    let app = TestApp::new().await;
    let (mut settings, environment, folder) = app.crash().await;
    // Nothing is there yet, but the place that they share.
    let shared = folder.path().join("shared");
    settings.blobs = Some(shared.join("blobs"));
    settings.secret_key_file = Some(shared.join("secret-key"));
    settings.log_key_file = Some(shared.join("log-key"));
    settings.database = super::database().await;
    let starts = (0..3).map(|number| {
        let settings = Settings { data: folder.path().join(format!("server{number}")), ..settings.clone() };
        TestApp::open(settings, environment.clone(), std::sync::Arc::clone(&folder))
    });
    let servers = futures_util::future::join_all(starts).await;
    for (number, server) in servers.iter().enumerate() {
        server.publish(&format!("acme/tool{number}"), "1.0.0").await;
        assert_eq!(key(server).await, key(&servers[0]).await);
    }
    leaves(&servers[2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_entries_are_found_by_says_what_they_say() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let settings = app.app.settings.clone();
    assert!(doctor(&settings).await.unwrap().ok);
    let last = app.log().await.len() - 1;
    for (column, other) in [
        ("kind", "'version.yanked'"),
        ("kind", "'log.key-rotated'"),
        ("at", "at + 1"),
        ("actor", "'eve'"),
        ("actor", "NULL"),
        ("skill", "'acme/other'"),
        ("skill", "NULL"),
    ] {
        let set = |from: &str, to: &str| format!("UPDATE log SET {from} = {to} WHERE idx = {last}");
        app.tamper(format!("CREATE TABLE kept AS SELECT * FROM log; {}", set(column, other))).await;
        let report = doctor(&settings).await.unwrap();
        let check = report.checks.iter().find(|check| check.name == "log").unwrap();
        assert!(!report.ok && !check.ok, "{column} {other}: {report:?}");
        assert!(check.detail.contains(&format!("`{column}` of entry {last}")), "{check:?}");
        let back = set(column, &format!("(SELECT {column} FROM kept WHERE idx = {last})"));
        app.tamper(format!("{back}; DROP TABLE kept")).await;
    }
    assert!(doctor(&settings).await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_finds_the_rotations_that_there_are() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (mut settings, mut environment, mut folder) = app.crash().await;
    rotate(&settings).await.unwrap();
    for set in ["kind = 'org.created'", "at = at + 1", "actor = 'eve'", "skill = 'acme/tool'"] {
        let app = TestApp::open(settings, environment, folder).await;
        let rotation = "body LIKE '%\"kind\":\"log.key-rotated\"%'";
        app.tamper(format!("CREATE TABLE kept AS SELECT * FROM log; UPDATE log SET {set} WHERE {rotation}"))
            .await;
        (settings, environment, folder) = app.crash().await;
        let error = refused(&settings, &environment).await;
        assert!(matches!(error, StartError::Log(LogError::Broken(_))), "{set}: {error:?}");
        let key = std::sync::Arc::new(LogKey::read(&settings.log_key_file()).unwrap());
        let db = Db::open(&settings, &environment, key, Unsigned::Refused, |_| ()).await.unwrap();
        let back = "UPDATE log SET (kind, at, actor, skill) = \
                    (SELECT k.kind, k.at, k.actor, k.skill FROM kept k WHERE k.idx = log.idx); DROP TABLE kept";
        db.write(move |tx| {
            Box::pin(async move {
                sqlx::raw_sql(back).execute(tx.connection()).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
        db.close().await;
    }
    TestApp::open(settings, environment, folder).await.publish("acme/tool", "1.1.0").await;
}
