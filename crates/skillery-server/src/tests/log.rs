//! The transparency log: what others read of it, what proves what, and what a start refuses.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};
use skillery_core::Digest;
use skillery_core::entry::{Leaf, Opening};
use skillery_core::event::Event;
use skillery_core::receipt::Receipt;
use skillery_core::tlog::{
    Checkpoint, Edge, TILE_WIDTH, Tile, VerifierKey, authenticate, decode_entries, leaf_hash, tiles_of,
};

use super::{ADMIN, TestApp, skill};
use crate::admin::{AdminError, backup, doctor};
use crate::app::{App, StartError};
use crate::environment::Environment;
use crate::tlog::{LogError, LogKey, keep_newest};

pub(super) async fn key(app: &TestApp) -> VerifierKey {
    app.get("/api/v1/log/key").await.is(200)["key"].as_str().unwrap().parse().unwrap()
}

pub(super) async fn text(app: &TestApp, token: &str, path: &str) -> String {
    let answer = app.get_as(token, path).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    String::from_utf8(answer.body).unwrap()
}

async fn checkpoint(app: &TestApp) -> Checkpoint {
    Checkpoint::open(&text(app, "", "/log/v1/checkpoint").await, &key(app).await).unwrap().0
}

/// All leaves, read as anybody can, each bundle and tile held against the checkpoint.
pub(super) async fn leaves(app: &TestApp) -> Vec<Vec<u8>> {
    let checkpoint = checkpoint(app).await;
    let mut tiles = HashMap::new();
    let mut leaves = Vec::new();
    for tile in tiles_of(checkpoint.size) {
        let bytes = app.get(&format!("/log/v1/{}", tile.path())).await;
        assert_eq!(bytes.status.as_u16(), 200, "{}", tile.path());
        tiles.insert(tile, bytes.body);
        if tile.level == 0 {
            let bundle = app.get(&format!("/log/v1/{}", tile.entries_path())).await.body;
            leaves.extend(decode_entries(&bundle, tile.width).unwrap().into_iter().map(<[u8]>::to_vec));
        }
    }
    authenticate(checkpoint.size, &checkpoint.root, tiles).unwrap();
    let mut edge = Edge::default();
    leaves.iter().for_each(|leaf| edge.append(leaf_hash(leaf), |_, _| ()));
    assert_eq!((edge.size(), edge.root()), (checkpoint.size, checkpoint.root));
    leaves
}

/// Ratings, so that the log grows; more of one user than may be in a minute.
async fn rate(app: &TestApp, times: usize) {
    for turn in 0..times {
        app.wait(4);
        let body = json!({ "rating": 1 + turn % 5 });
        app.post("/api/v1/skills/acme/tool/rate", ADMIN, body).await.is(200);
    }
}

fn published(leaf: &[u8]) -> Option<String> {
    match Leaf::parse(leaf).unwrap() {
        Leaf::Open(entry) => match entry.event {
            Event::VersionPublished { skill, version, .. } => Some(format!("{skill} {version}")),
            _ => None,
        },
        Leaf::Hidden { .. } => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_is_answered_with_the_proof_that_it_is_in_the_log() {
    let app = TestApp::new().await;
    let key = key(&app).await;
    let answer = app.publish("acme/tool", "1.0.0").await;
    let receipt: Receipt = answer["proof"].as_str().unwrap().parse().unwrap();
    let (entry, covered) = receipt.verify(&key).unwrap();
    assert_eq!(answer["log_index"], receipt.index());
    assert_eq!(covered, checkpoint(&app).await);
    let detail = app.get("/api/v1/skills/acme/tool/versions/1.0.0").await.is(200);
    let Event::VersionPublished { skill, digest, code_hash, .. } = entry.event else { panic!() };
    assert_eq!(skill.as_str(), "acme/tool");
    assert_eq!(detail["digest"], digest.to_string());
    assert_eq!(detail["code_hash"], code_hash.to_string());
    // The same again, and later: a proof of the same entry under a later checkpoint.
    app.publish("acme/other", "1.0.0").await;
    let again = app.post("/api/v1/skills", ADMIN, super::skill("acme/tool", "1.0.0")).await.is(200);
    let later: Receipt = again["proof"].as_str().unwrap().parse().unwrap();
    assert_eq!(later.opening, receipt.opening);
    assert!(later.verify(&key).unwrap().1.size > covered.size);
    let asked: Receipt =
        text(&app, "", "/api/v1/skills/acme/tool/versions/1.0.0/proof").await.parse().unwrap();
    assert_eq!(asked, later);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_read_the_tree_and_every_entry() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    rate(&app, 600).await;
    let leaves = leaves(&app).await;
    assert!(leaves.len() > 600);
    assert_eq!(leaves.iter().filter_map(|leaf| published(leaf)).collect::<Vec<_>>(), ["acme/tool 1.0.0"]);
    // Every prefix of a tile was a tile once, and stays one.
    let whole = app.get("/log/v1/tile/0/001").await;
    assert_eq!(whole.headers["cache-control"], "public, max-age=31536000, immutable");
    for width in [1, 17, 255] {
        let part = app.get(&format!("/log/v1/tile/0/001.p/{width}")).await;
        assert_eq!(part.body, whole.body[..width * 32]);
    }
    let upper = app.get("/log/v1/tile/1/000.p/1").await;
    assert_eq!(upper.body.len(), 32);
    for path in [
        "tile/0/002",
        "tile/0/003.p/1",
        "tile/1/000",
        "tile/1/000.p/3",
        "tile/0/000.p/256",
        "tile/0/0",
        "tile/0/000.p/0",
        "tile/9/000.p/1",
        "tile/0/x999/x999/x999/x999/x999/999",
        "tile/entries/002",
        "tile/data/000",
        "tile/0/../0/000",
        "tile/63/000",
        "tile/0/-01",
    ] {
        app.get(&format!("/log/v1/{path}")).await.fails(404, "not-in-log");
    }
    app.call(Method::POST, "/log/v1/tile/0/000", ADMIN, None).await.fails(405, "method-not-allowed");
    app.call(Method::PUT, "/log/v1/checkpoint", ADMIN, None).await.fails(405, "method-not-allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_bundles_of_entries_are_ready_in_memory() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let part = app.get("/log/v1/tile/entries/000.p/3").await;
    rate(&app, 300).await;
    let whole = app.get("/log/v1/tile/entries/000").await;
    assert_eq!(whole.headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(decode_entries(&whole.body, 256).unwrap().len(), 256);
    // A part of it is no whole one, whatever is ready.
    assert_eq!(app.get("/log/v1/tile/entries/000.p/3").await.body, part.body);
    // Rows are not read again; a part, which is not kept, is read from them.
    app.tamper("DELETE FROM log WHERE idx < 10".to_owned()).await;
    assert_eq!(app.get("/log/v1/tile/entries/000").await.body, whole.body);
    assert_ne!(app.get("/log/v1/tile/entries/000.p/3").await.body, part.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_about_a_skill_are_a_chain() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    app.publish("acme/other", "1.0.0").await;
    app.publish("acme/tool", "1.1.0").await;
    app.put("/api/v1/skills/acme/tool/versions/1.0.0/yank", ADMIN, json!({})).await.is(200);
    rate(&app, 3).await;
    let page = app.get("/api/v1/skills/acme/tool/log").await.is(200);
    let entries: Vec<(u64, Opening)> = opened(&page);
    assert_eq!(entries.len(), 6);
    let mut expected = None;
    for (index, opening) in entries.iter().rev() {
        let entry = opening.parse().unwrap();
        assert_eq!(entry.prev, expected);
        assert_eq!(entry.event.skill().unwrap().as_str(), "acme/tool");
        expected = Some(*index);
    }
    let before = entries[2].0;
    let rest = app.get(&format!("/api/v1/skills/acme/tool/log?before={before}&limit=2")).await.is(200);
    assert_eq!(opened(&rest), entries[3..5]);
    app.get("/api/v1/skills/acme/nothing/log").await.fails(404, "skill-not-found");
}

fn opened(page: &Value) -> Vec<(u64, Opening)> {
    let entries = page["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            let mut opening = entry.clone();
            let index = opening.as_object_mut().unwrap().remove("index").unwrap().as_u64().unwrap();
            (index, serde_json::from_value(opening).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_not_everybody_may_see_is_a_commitment_that_members_open() {
    let app = TestApp::new().await;
    let mut hidden = skill("acme/secret_plan", "1.0.0");
    hidden["visibility"] = json!("private");
    let answer = app.post("/api/v1/skills", ADMIN, hidden).await.is(201);
    app.publish("acme/tool", "1.0.0").await;
    let receipt: Receipt = answer["proof"].as_str().unwrap().parse().unwrap();
    receipt.verify(&key(&app).await).unwrap();
    let leaves = leaves(&app).await;
    assert!(leaves.iter().all(|leaf| !String::from_utf8_lossy(leaf).contains("secret")));
    let index = usize::try_from(receipt.index()).unwrap();
    assert_eq!(leaves[index], receipt.opening.leaf().unwrap());
    assert!(matches!(Leaf::parse(&leaves[index]).unwrap(), Leaf::Hidden { .. }));
    // Strangers open nothing, members do.
    let stranger = app.user("stranger", &["read"]).await;
    let member = app.user("member", &["read"]).await;
    app.member("acme", "member", "reader").await;
    for token in ["", &stranger] {
        assert!(opened_entries(&app, token).await.iter().all(|(index, _)| *index != receipt.index()));
        app.get_as(token, "/api/v1/skills/acme/secret_plan/log").await.fails(404, "skill-not-found");
        app.get_as(token, "/api/v1/skills/acme/secret_plan/versions/1.0.0/proof")
            .await
            .fails(404, "skill-not-found");
    }
    let opened_by_member = opened_entries(&app, &member).await;
    assert!(opened_by_member.contains(&(receipt.index(), receipt.opening.clone())));
    let page = app.get_as(&member, "/api/v1/skills/acme/secret_plan/log").await.is(200);
    assert_eq!(opened(&page), [(receipt.index(), receipt.opening.clone())]);
    // Another salt opens nothing.
    let other = Opening { salt: Some(Digest::of(b"other")), ..receipt.opening };
    assert_ne!(other.leaf().unwrap(), leaves[index]);
}

/// Everything that the caller may open, page by page; each opening fits its leaf.
pub(super) async fn opened_entries(app: &TestApp, token: &str) -> Vec<(u64, Opening)> {
    let leaves = leaves(app).await;
    let (mut found, mut after) = (Vec::new(), Some(0));
    while let Some(next) = after {
        let page = app.get_as(token, &format!("/api/v1/log/openings?limit=2&after={next}")).await.is(200);
        after = page["next"].as_u64();
        found.extend(opened(&page));
    }
    for (index, opening) in &found {
        assert_eq!(opening.leaf().unwrap(), leaves[usize::try_from(*index).unwrap()]);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_nothing_beyond_its_bounds() {
    let app = TestApp::new().await;
    let mut tokens = Vec::new();
    for org in ["acme", "other"] {
        let mut hidden = skill(&format!("{org}/inner/plan"), "1.0.0");
        hidden["visibility"] = json!("private");
        app.post("/api/v1/skills", ADMIN, hidden).await.is(201);
    }
    app.user("member", &["read"]).await;
    app.member("acme", "member", "reader").await;
    app.member("other", "member", "reader").await;
    for bounds in [json!([]), json!(["acme"]), json!(["acme/inner"]), json!(["acme/outer"]), json!(["third"])]
    {
        let request = json!({ "user": "member", "scopes": ["read"], "namespaces": bounds });
        tokens.push(app.token(request).await);
    }
    let both: &[&str] = &["acme", "other"];
    // Whoever knows of what lies below an org knows of the org.
    let expected: [&[&str]; 5] = [both, &["acme"], &["acme"], &["acme"], &[]];
    for (token, expected) in tokens.iter().zip(expected) {
        let opened = opened_entries(&app, token).await;
        for org in both {
            let is_expected = expected.contains(org);
            let word = format!("\"{org}");
            let is_told = opened.iter().any(|(_, opening)| {
                serde_json::to_string(&opening.parse().unwrap().event).unwrap().contains(&word)
            });
            assert_eq!(is_told, is_expected, "{org} {expected:?}");
            let keys = app.get_as(token, &format!("/api/v1/keys?org={org}")).await;
            assert_eq!(keys.status, if is_expected { 200 } else { 404 }, "{org} {expected:?}");
            let signers = app.get_as(token, &format!("/api/v1/orgs/{org}/allowed_signers")).await;
            assert_eq!(signers.status, if is_expected { 200 } else { 404 }, "{org} {expected:?}");
        }
        let orgs = app.get_as(token, "/api/v1/orgs").await.is(200);
        let names: Vec<&str> =
            orgs["orgs"].as_array().unwrap().iter().map(|org| org["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected);
    }
    // What is bound to one namespace is not told of its neighbour.
    let path = "/api/v1/orgs/acme/inner/allowed_signers";
    app.get_as(&tokens[3], path).await.fails(404, "org-not-found");
    assert_eq!(app.get_as(&tokens[2], path).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_orgs_are_opened_to_whoever_knows_of_them() {
    let app = TestApp::new().await;
    let mut hidden = skill("secretorg/plan", "1.0.0");
    hidden["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, hidden).await.is(201);
    app.publish("acme/tool", "1.0.0").await;
    let member = app.user("member", &["read"]).await;
    app.member("secretorg/inner", "member", "reader").await;
    app.token(json!({ "user": "member", "scopes": ["read"], "namespaces": ["secretorg"] })).await;
    let leaves = leaves(&app).await;
    let all = leaves.iter().map(|leaf| String::from_utf8_lossy(leaf)).collect::<String>();
    assert!(!all.contains("secretorg") && !all.contains("\"org\""), "{all}");
    let names = |entries: Vec<(u64, Opening)>| {
        let kinds = entries.iter().map(|(_, opening)| opening.parse().unwrap().event);
        let with = |word: &str| {
            let found = kinds.clone().filter(|event| serde_json::to_string(event).unwrap().contains(word));
            found.map(|event| event.kind()).collect::<Vec<_>>()
        };
        (with("\"acme"), with("\"secretorg"))
    };
    let stranger = names(opened_entries(&app, "").await);
    assert_eq!(stranger, (vec!["org.created", "member.set"], vec![]));
    let (acme, secret) = names(opened_entries(&app, &member).await);
    assert_eq!(acme, ["org.created", "member.set"]);
    assert_eq!(secret, ["org.created", "member.set", "member.set"]);
    let (_, secret) = names(opened_entries(&app, ADMIN).await);
    assert_eq!(secret, ["org.created", "member.set", "version.published", "member.set", "token.issued"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_readers_sign_in_the_log_is_not_for_others() {
    let app = TestApp::with(|settings| settings.anonymous_reads = false).await;
    app.get("/api/v1/log/witnessed").await.fails(401, "unauthenticated");
    for path in ["/log/v1/checkpoint", "/log/v1/tile/0/000.p/1", "/api/v1/log/key", "/api/v1/log/openings"] {
        app.get(path).await.fails(401, "unauthenticated");
        let answer = app.get_as(ADMIN, path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
        assert!(!answer.headers["cache-control"].to_str().unwrap().contains("public"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_servers_continue_one_log() {
    if !super::is_postgres() {
        // An embedded database has one server.
        return;
    }
    let first = Arc::new(TestApp::new().await);
    let second = Arc::new(first.another().await);
    let mut tasks = Vec::new();
    for number in 0..40 {
        let app = Arc::clone(if number % 2 == 0 { &first } else { &second });
        tasks.push(tokio::spawn(async move {
            let answer = app.publish(&format!("acme/tool{number}"), "1.0.0").await;
            answer["proof"].as_str().unwrap().parse::<Receipt>().unwrap()
        }));
    }
    let key = key(&first).await;
    let mut roots = HashMap::new();
    for task in tasks {
        let (_, covered) = task.await.unwrap().verify(&key).unwrap();
        // One root for each size, whoever has signed.
        assert_eq!(*roots.entry(covered.size).or_insert(covered.root), covered.root);
    }
    assert_eq!(checkpoint(&first).await, checkpoint(&second).await);
    let leaves = leaves(&second).await;
    assert_eq!(leaves.iter().filter_map(|leaf| published(leaf)).count(), 40);
}

async fn start_error(app: TestApp) -> StartError {
    let (settings, environment, _folder) = app.crash().await;
    loop {
        match App::open(settings.clone(), environment.clone()).await {
            Err(StartError::InUse(_)) => tokio::task::yield_now().await,
            Err(error) => return error,
            Ok(_) => panic!("it starts"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_altered_is_not_gone_on_with() {
    for statement in [
        "UPDATE log SET body = REPLACE(body, 'acme', 'evil') WHERE kind = 'version.published'",
        "DELETE FROM log WHERE idx = 2",
        "UPDATE log_head SET entries = entries - 1, edge = '' WHERE id = 1",
        "UPDATE log SET salt = '0000000000000000000000000000000000000000000000000000000000000000' WHERE idx = 3",
    ] {
        let app = TestApp::new().await;
        app.publish("acme/tool", "1.0.0").await;
        app.tamper(statement.to_owned()).await;
        let error = start_error(app).await;
        let is_refused = matches!(
            error,
            StartError::Log(LogError::Broken(_)) | StartError::Database(crate::db::OpenError::Adopt(_))
        );
        assert!(is_refused, "{statement}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_the_database_is_not_gone_on_with() {
    if super::is_postgres() {
        return;
    }
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let copy = app.folder.path().join("copy.sqlite");
    app.app.db.copy_to(&copy).await.unwrap();
    app.publish("acme/tool", "1.1.0").await;
    keep_newest(&app.app).await.unwrap();
    let app = app.crash_and_reopen_after(|_| ()).await;
    let (settings, environment, _folder) = app.crash().await;
    for end in ["", "-wal", "-shm"] {
        let _ = fs_err::remove_file(format!("{}{end}", settings.sqlite_file().display()));
    }
    fs_err::copy(&copy, settings.sqlite_file()).unwrap();
    let opened = App::open(settings.clone(), environment.clone()).await;
    let error = opened.err().unwrap();
    assert!(matches!(error, StartError::Log(LogError::OlderCopy { .. })), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_on_with_its_own_key_only() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (settings, _folder) = (app.app.settings.clone(), Arc::clone(&app.folder));
    let (file, aside) = (settings.log_key_file(), settings.data.join("aside"));
    fs_err::rename(&file, &aside).unwrap();
    let error = start_error(app).await;
    assert!(matches!(error, StartError::Log(LogError::NoKey(_))), "{error:?}");
    let open = |error| matches!(error, AdminError::Open(StartError::Log(LogError::NoKey(_))));
    assert!(open(doctor(&settings).await.unwrap_err()));
    assert!(open(backup(&settings, &settings.data.join("copy")).await.unwrap_err()));
    // Nobody has made another one, which would be in the way of the one that is missing.
    assert!(!file.exists());
    assert!(LogKey::make(&file, Some("another.example/log/v1"), &Environment::default()).unwrap());
    let opened = App::open(settings.clone(), Environment::default()).await;
    let error = opened.err().unwrap();
    assert!(matches!(error, StartError::Log(LogError::OtherKey(_))), "{error:?}");
    fs_err::rename(&aside, &file).unwrap();
    assert!(doctor(&settings).await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_an_older_program_has_written_becomes_a_tree() {
    let app = TestApp::new().await;
    let mut hidden = skill("acme/secret_plan", "1.0.0");
    hidden["visibility"] = json!("private");
    app.post("/api/v1/skills", ADMIN, hidden).await.is(201);
    app.publish("acme/tool", "1.0.0").await;
    rate(&app, 300).await;
    let entries = app.log().await;
    // As it was written before: the event alone, and no tree.
    for entry in &entries {
        let body = entry["event"].to_string();
        app.tamper(format!("UPDATE log SET body = '{body}', salt = NULL WHERE idx = {}", entry["index"]))
            .await;
    }
    app.tamper("DELETE FROM log_nodes; UPDATE log_head SET edge = '', note = '' WHERE id = 1".to_owned())
        .await;
    let app = app
        .crash_and_reopen_after(|settings| {
            let _ = fs_err::remove_file(settings.data.join("log-checkpoint"));
            fs_err::remove_file(settings.log_key_file()).unwrap();
        })
        .await;
    assert_eq!(app.log().await, entries);
    let leaves = leaves(&app).await;
    assert_eq!(leaves.len(), entries.len());
    assert!(leaves.iter().all(|leaf| !String::from_utf8_lossy(leaf).contains("secret")));
    app.publish("acme/tool", "1.1.0").await;
    let proof = text(&app, ADMIN, "/api/v1/skills/acme/secret_plan/versions/1.0.0/proof").await;
    proof.parse::<Receipt>().unwrap().verify(&key(&app).await).unwrap();
    let tile = Tile { level: 0, index: 0, width: TILE_WIDTH };
    assert_eq!(app.get(&format!("/log/v1/{}", tile.path())).await.body.len(), tile.bytes());
}
