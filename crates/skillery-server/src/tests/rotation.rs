//! Another key for the log: what changes, what stays, and what an interruption leaves.

use std::sync::Arc;

use serde_json::Value;
use skillery_core::entry::Leaf;
use skillery_core::event::Event;
use skillery_core::receipt::Receipt;
use skillery_core::tlog::{Checkpoint, KeyKind, Rotation, SigningKey, VerifierKey};

use super::log::{key, leaves, text};
use super::{ADMIN, TestApp, skill};
use crate::admin::{AdminError, RotateReport, backup, doctor, restore, rotate_log_key};
use crate::app::{App, StartError};
use crate::db::{Db, Unsigned};
use crate::environment::Environment;
use crate::secrets::write_private;
use crate::settings::Settings;
use crate::tlog::{LogError, LogKey, old_file};

/// Runs the command; the last of the app before may still be on its way out on another thread.
pub(super) async fn rotate(settings: &Settings) -> Result<RotateReport, AdminError> {
    loop {
        match rotate_log_key(settings).await {
            Err(AdminError::Open(StartError::InUse(_))) => tokio::task::yield_now().await,
            outcome => return outcome,
        }
    }
}

/// Rotates the key of a registry that is stopped for it.
async fn rotated(app: TestApp) -> TestApp {
    let (settings, environment, folder) = app.crash().await;
    rotate(&settings).await.unwrap();
    TestApp::open(settings, environment, folder).await
}

async fn note(app: &TestApp) -> String {
    text(app, "", "/log/v1/checkpoint").await
}

async fn rotations(app: &TestApp) -> Vec<String> {
    let shown = app.get("/api/v1/log/key").await.is(200);
    serde_json::from_value(shown["rotations"].clone()).unwrap()
}

fn next_file(settings: &Settings) -> std::path::PathBuf {
    settings.data.join("log-key.new")
}

fn signing(file: &std::path::Path) -> SigningKey {
    fs_err::read_to_string(file).unwrap().trim().parse().unwrap()
}

fn receipt(answer: &Value) -> Receipt {
    answer["proof"].as_str().unwrap().parse().unwrap()
}

/// Opens what is on disk as another server would, and hands the log over, without any file after it.
async fn hand_over(settings: &Settings, to: &LogKey) -> crate::failure::Result<Rotation> {
    let environment = Environment::default();
    let from = Arc::new(LogKey::read(&settings.log_key_file()).unwrap());
    let db = Db::open(settings, &environment, Arc::clone(&from), Unsigned::Refused, |_| ()).await.unwrap();
    let rotation = db.hand_over(&from, to, &environment).await;
    db.close().await;
    rotation
}

fn next(settings: &Settings) -> LogKey {
    let origin = signing(&settings.log_key_file()).verifier().name().to_owned();
    LogKey::next(&settings.log_key_file(), &origin, &Environment::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_on_under_another_key() {
    let app = TestApp::new().await;
    let published = receipt(&app.publish("acme/tool", "1.0.0").await);
    assert_eq!(rotations(&app).await, [""; 0]);
    let (old, last) = (key(&app).await, note(&app).await);
    let entries = leaves(&app).await;
    let (settings, environment, folder) = app.crash().await;
    let report = rotate(&settings).await.unwrap();
    assert!(!report.completed);
    assert_eq!(report.log_index, entries.len() as u64);
    let app = TestApp::open(settings, environment, folder).await;

    let new = key(&app).await;
    assert_eq!((new.to_string(), new.fingerprint()), (report.key, report.fingerprint));
    assert_eq!((old.name(), old.fingerprint()), (new.name(), report.from));
    assert_ne!(old, new);
    // Signed by the new key alone, over a tree that begins with the old one, whose end both keys have signed.
    let now = note(&app).await;
    assert!(Checkpoint::open(&now, &new).is_ok() && Checkpoint::open(&now, &old).is_err());
    assert!(Checkpoint::open(&last, &old).is_ok() && Checkpoint::open(&last, &new).is_err());
    let grown = leaves(&app).await;
    assert_eq!(grown[..entries.len()], entries);
    let shown = rotations(&app).await;
    let rotation = Rotation::open(&shown[0]).unwrap();
    let (end, _) = Checkpoint::open(&last, &old).unwrap();
    assert_eq!((&rotation.from, &rotation.to), (&old, &new));
    assert_eq!((rotation.size, rotation.root), (end.size, end.root));
    // The entry is for everybody.
    let Leaf::Open(entry) = Leaf::parse(&grown[entries.len()]).unwrap() else { panic!("it is hidden") };
    assert_eq!(entry.event, Event::LogKeyRotated { note: shown[0].clone() });
    assert_eq!((grown.len(), entry.actor), (entries.len() + 1, None));

    // What was proven stays proven by the key that proved it, and what comes is proven by the new one.
    published.verify(&old).unwrap();
    published.verify(&new).unwrap_err();
    receipt(&app.publish("acme/tool", "1.1.0").await).verify(&new).unwrap();
    let again = text(&app, ADMIN, "/api/v1/skills/acme/tool/versions/1.0.0/proof").await;
    let again: Receipt = again.parse().unwrap();
    again.verify(&new).unwrap();
    assert_eq!(again.index(), published.index());

    let settings = app.app.settings.clone();
    let former = old_file(&settings.log_key_file()).unwrap();
    assert_eq!(signing(&former).verifier(), &old);
    assert!(!next_file(&settings).exists());
    assert!(doctor(&settings).await.unwrap().ok);

    // Again and again.
    let app = rotated(rotated(app).await).await;
    let chain = rotations(&app).await;
    assert_eq!(chain[..1], shown);
    let chain = Rotation::chain(chain.iter().map(String::as_str)).unwrap();
    let ends: Vec<&VerifierKey> = chain.iter().map(|rotation| &rotation.from).collect();
    assert_eq!((chain.len(), ends[0], ends[1]), (3, &old, &new));
    assert_eq!(chain[2].to, key(&app).await);
    receipt(&app.publish("acme/tool", "1.2.0").await).verify(&key(&app).await).unwrap();
    leaves(&app).await;
    app.settle().await;
    let report = doctor(&settings).await.unwrap();
    assert!(report.ok, "{report:?}");
    // What nothing needs may go.
    fs_err::remove_file(former).unwrap();
    let app = app.crash_and_reopen().await;
    app.publish("acme/tool", "1.3.0").await;
}

/// How far a rotation came.
#[derive(Debug, Clone, Copy)]
enum Stopped {
    WithTheNextKeyOnDisk,
    AfterTheCommit,
    WithTheOldKeyPutAside,
    InPlace,
}

async fn stopped(settings: &Settings, at: Stopped) {
    let file = settings.log_key_file();
    let next = next(settings);
    if matches!(at, Stopped::WithTheNextKeyOnDisk) {
        return;
    }
    hand_over(settings, &next).await.unwrap();
    match at {
        Stopped::WithTheOldKeyPutAside => {
            write_private(&old_file(&file).unwrap(), &signing(&file).expose()).unwrap()
        }
        Stopped::InPlace => next.put_in_place(&file).unwrap(),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_interrupted_is_completed() {
    use Stopped::{AfterTheCommit, InPlace, WithTheNextKeyOnDisk, WithTheOldKeyPutAside};
    for at in [WithTheNextKeyOnDisk, AfterTheCommit, WithTheOldKeyPutAside, InPlace] {
        for by_command in [true, false] {
            let app = TestApp::new().await;
            app.publish("acme/tool", "1.0.0").await;
            let old = key(&app).await;
            let (settings, environment, folder) = app.crash().await;
            stopped(&settings, at).await;
            let is_handed_over = !matches!(at, WithTheNextKeyOnDisk);
            let waiting = next_file(&settings);
            let waiting = waiting.exists().then(|| signing(&waiting).verifier().clone());
            if by_command {
                let report = rotate(&settings).await.unwrap();
                assert_eq!(report.completed, matches!(at, AfterTheCommit | WithTheOldKeyPutAside), "{at:?}");
                // What was made for it is taken.
                assert!(waiting.is_none_or(|key| key.to_string() == report.key), "{at:?}");
            } else if is_handed_over {
                // Nobody may change anything, and the doctor only looks.
                assert!(doctor(&settings).await.unwrap().ok, "{at:?}");
            }
            #[cfg(unix)]
            if !by_command && next_file(&settings).exists() {
                use std::os::unix::fs::PermissionsExt;
                // It is a key as any other.
                for (mode, is_good) in [(0o644, false), (0o600, true)] {
                    let mode = std::fs::Permissions::from_mode(mode);
                    fs_err::set_permissions(next_file(&settings), mode).unwrap();
                    let report = doctor(&settings).await.unwrap();
                    let check = report.checks.iter().find(|check| check.name == "next log key").unwrap();
                    assert_eq!((report.ok, check.ok), (is_good, is_good), "{at:?}");
                }
            }
            let app = TestApp::open(settings.clone(), environment, folder).await;
            let now = key(&app).await;
            assert_eq!(now != old, by_command || is_handed_over, "{at:?}");
            let count = rotations(&app).await.len();
            let twice = by_command && matches!(at, InPlace);
            assert_eq!(count, usize::from(now != old) + usize::from(twice), "{at:?}");
            assert_eq!(signing(&settings.log_key_file()).verifier(), &now, "{at:?}");
            assert_eq!(next_file(&settings).exists(), !is_handed_over && !by_command, "{at:?}");
            receipt(&app.publish("acme/tool", "1.1.0").await).verify(&now).unwrap();
            leaves(&app).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_left_behind_signs_nothing_more() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let settings = app.app.settings.clone();
    // Not under a server of the same folder.
    let error = rotate_log_key(&settings).await.unwrap_err();
    assert!(matches!(error, AdminError::Open(StartError::InUse(_))), "{error:?}");
    app.publish("acme/tool", "1.0.1").await;
    // Another one on the same database has the log handed over.
    let other = next(&settings);
    let rotation = hand_over(&settings, &other).await.unwrap();
    let now = note(&app).await;
    for _ in 0..2 {
        let answer = app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.1.0")).await;
        let problem = answer.fails(503, "busy");
        assert!(problem["detail"].as_str().unwrap().contains("the log key was rotated"), "{problem}");
        app.get("/readyz").await.fails(503, "busy");
    }
    // It has signed nothing, and shows what there is.
    assert_eq!(note(&app).await, now);
    Checkpoint::open(&now, &rotation.to).unwrap();
    assert_eq!(key(&app).await, rotation.to);
    let proof = text(&app, ADMIN, "/api/v1/skills/acme/tool/versions/1.0.0/proof").await;
    proof.parse::<Receipt>().unwrap().verify(&rotation.to).unwrap();
    leaves(&app).await;
    // Nor can its key be the one that hands the log over once more.
    let third = LogKey::from(SigningKey::from_seed(rotation.to.name(), KeyKind::Ed25519, &[3; 32]).unwrap());
    hand_over(&settings, &third).await.unwrap_err();
    assert_eq!(note(&app).await, now);

    // Without the new key it does not start.
    let (settings, environment, folder) = app.crash().await;
    let aside = folder.path().join("aside");
    fs_err::rename(next_file(&settings), &aside).unwrap();
    let error = loop {
        match App::open(settings.clone(), environment.clone()).await.err().unwrap() {
            StartError::InUse(_) => tokio::task::yield_now().await,
            error => break error,
        }
    };
    let expected = LogError::Rotated(rotation.to.fingerprint());
    assert!(matches!(&error, StartError::Log(error) if *error == expected), "{error:?}");
    let error = rotate(&settings).await.unwrap_err();
    assert!(matches!(&error, AdminError::Open(StartError::Log(error)) if *error == expected), "{error:?}");
    assert!(!doctor(&settings).await.unwrap().ok);
    let copy = folder.path().join("copy");
    backup(&settings, &copy).await.unwrap_err();
    // The file of the other server, put there by hand, will do; also where it lies under both names.
    fs_err::copy(&aside, settings.log_key_file()).unwrap();
    fs_err::rename(&aside, next_file(&settings)).unwrap();
    let app = TestApp::open(settings.clone(), environment, folder).await;
    receipt(&app.publish("acme/tool", "1.1.0").await).verify(&rotation.to).unwrap();
    app.get("/readyz").await.is(200);
    assert!(!next_file(&settings).exists());
    let app = rotated(app).await;
    assert_eq!(rotations(&app).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_one_hands_the_log_over() {
    if !super::is_postgres() {
        // An embedded database has one server.
        return;
    }
    let first = TestApp::new().await;
    let mut settings = first.app.settings.clone();
    settings.blobs = Some(settings.blob_folder());
    settings.secret_key_file = Some(settings.secret_key_file());
    settings.data = first.folder.path().join("second");
    fs_err::create_dir(&settings.data).unwrap();
    fs_err::copy(first.app.settings.log_key_file(), settings.log_key_file()).unwrap();
    let (environment, folder) = (first.app.environment.clone(), Arc::clone(&first.folder));
    let second = TestApp::open(settings.clone(), environment.clone(), Arc::clone(&folder)).await;
    let old = key(&second).await;
    // The second writes as fast as it can while the first is rotated.
    let writing = async {
        let mut receipts = Vec::new();
        for number in 0.. {
            let body = skill("acme/tool", &format!("1.0.{number}"));
            let answer = second.post("/api/v1/skills", ADMIN, body).await;
            match answer.status.as_u16() {
                201 => receipts.push(receipt(&answer.json())),
                _ => {
                    answer.fails(503, "busy");
                    break;
                }
            }
        }
        receipts
    };
    let rotating = async {
        let (settings, _, _) = first.crash().await;
        rotate(&settings).await.unwrap()
    };
    let (receipts, report) = tokio::join!(writing, rotating);
    for receipt in &receipts {
        let (_, checkpoint) = receipt.verify(&old).unwrap();
        assert!(checkpoint.size <= report.log_index, "nothing larger is signed with the old key");
    }
    let (own, _, _) = second.crash().await;
    assert!(matches!(
        rotate(&own).await.unwrap_err(),
        AdminError::Open(StartError::Log(LogError::Rotated(_)))
    ));
    fs_err::copy(folder.path().join("data/log-key"), own.log_key_file()).unwrap();
    let second = TestApp::open(own, environment, folder).await;
    assert_eq!(key(&second).await.to_string(), report.key);
    let last = receipt(&second.publish("acme/other", "1.0.0").await);
    last.verify(&report.key.parse().unwrap()).unwrap();
    leaves(&second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_take_the_log_over_changes_nothing() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let first = signing(&app.app.settings.log_key_file());
    let app = rotated(app).await;
    let (before, size) = (note(&app).await, app.log().await.len());
    let (settings, environment, folder) = app.crash().await;
    let other = SigningKey::from_seed("elsewhere.example", KeyKind::Ed25519, &[1; 32]).unwrap();
    let current = signing(&settings.log_key_file());
    let witness = SigningKey::from_seed(first.verifier().name(), KeyKind::CosignatureV1, &[1; 32]).unwrap();
    // A key from before, one of another log, one of a witness, none at all. The current one is there already.
    let wrong = [first.expose(), other.expose(), witness.expose(), "nonsense".into()];
    for text in wrong {
        write_private(&next_file(&settings), &text).unwrap();
        let error = rotate(&settings).await.unwrap_err();
        let refused = matches!(error, AdminError::Registry(_) | AdminError::Open(StartError::LogKey(_)));
        assert!(refused, "{error:?}");
        assert_eq!(signing(&settings.log_key_file()).verifier(), current.verifier());
        fs_err::remove_file(next_file(&settings)).unwrap();
    }
    // A log that is not whole is not handed over.
    let app = TestApp::open(settings.clone(), environment.clone(), Arc::clone(&folder)).await;
    assert_eq!((note(&app).await, app.log().await.len()), (before.clone(), size));
    app.tamper(
        "UPDATE log SET actor = 'eve' WHERE idx = 2; UPDATE log SET body = REPLACE(body, 'acme', 'evil')"
            .into(),
    )
    .await;
    let (settings, ..) = app.crash().await;
    let error = rotate(&settings).await.unwrap_err();
    assert!(matches!(error, AdminError::Open(StartError::Log(LogError::Broken(_)))), "{error:?}");
    assert!(!next_file(&settings).exists());
    // Nor one that is not there.
    let nowhere = Settings { data: folder.path().join("nowhere"), ..settings };
    assert!(matches!(rotate(&nowhere).await.unwrap_err(), AdminError::Refused(_)));
    assert!(!nowhere.data.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_the_key_that_its_log_is_signed_with() {
    if super::is_postgres() {
        // A PostgreSQL database has its own tools for this.
        return;
    }
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let old = key(&app).await;
    let (settings, environment, folder) = app.crash().await;
    let copies = ["before", "between", "after"].map(|name| folder.path().join(name));
    backup(&settings, &copies[0]).await.unwrap();
    // The new key is not in its place yet.
    stopped(&settings, Stopped::AfterTheCommit).await;
    backup(&settings, &copies[1]).await.unwrap();
    assert!(next_file(&settings).exists(), "a backup only reads");
    rotate(&settings).await.unwrap();
    backup(&settings, &copies[2]).await.unwrap();
    let new = signing(&settings.log_key_file()).verifier().clone();
    for (copy, expected) in copies.iter().zip([&old, &new, &new]) {
        let mut restored = settings.clone();
        restored.data = copy.with_extension("restored");
        restore(&restored, copy).await.unwrap();
        let app = TestApp::open(restored, environment.clone(), Arc::clone(&folder)).await;
        assert_eq!(key(&app).await, *expected);
        receipt(&app.publish("acme/tool", "1.1.0").await).verify(expected).unwrap();
        let app = rotated(app).await;
        assert_eq!(rotations(&app).await.len(), 1 + usize::from(*expected == new));
    }
}
