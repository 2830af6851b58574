//! Folders where more is demanded than that they keep to the rules: signatures of their authors, and approvals.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use skillery_core::Digest;
use skillery_core::bundle::{self, BundleFile};
use skillery_core::sign::sshsig::RELEASE_NAMESPACE;
use skillery_core::sign::statement::{Statement, StatementFile};

use super::folders::{asked, file, folder};
use super::keys::Signer;
use super::{ADMIN, TestApp};

const VERSION: &str = "/api/v1/skills/acme/form-filler/versions/1.0.0";

/// The request for a folder, with a signature over a statement about these files.
async fn signed(app: &TestApp, key: &Signer, digest: Digest, files: &[BundleFile]) -> (Value, String) {
    let mut request = asked("acme/form-filler", "1.0.0");
    let files = files.iter().map(StatementFile::of).collect();
    let (id, version) = ("acme/form-filler".parse().unwrap(), "1.0.0".parse().unwrap());
    let statement = Statement::new(&app.origin().await, id, version, digest, files).unwrap();
    let statement = String::from_utf8(statement.to_bytes().unwrap()).unwrap();
    let signature = key.sign(RELEASE_NAMESPACE, statement.as_bytes());
    request["statement"] = json!(statement);
    request["signatures"] = json!([{ "kind": "sshsig", "value": signature }]);
    (request, statement)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_signs_a_folder() {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "signed": true })).await.is(200);
    let anna = app.publisher("anna").await;
    let key = Signer::of("laptop", 1);
    app.enrol(&anna, &key).await;
    let files = folder("form-filler");
    let digest = bundle::digest(&bundle::pack(files.clone()).unwrap());
    app.send_folder(&anna, &asked("acme/form-filler", "1.0.0"), files.clone())
        .await
        .fails(422, "signature-required");
    // A statement about other bytes, about another mode, and about a file less.
    let changes: [fn(&mut Vec<BundleFile>); 3] =
        [|files| files[0].bytes.push(b'x'), |files| files[1].executable = false, |files| drop(files.pop())];
    for change in changes {
        let mut other = files.clone();
        change(&mut other);
        let (request, _) = signed(&app, &key, digest, &other).await;
        app.send_folder(&anna, &request, files.clone()).await.fails(422, "invalid-statement");
        // As little may the folder be another one than the statement says.
        let (request, _) = signed(&app, &key, digest, &files).await;
        app.send_folder(&anna, &request, other).await.fails(422, "invalid-statement");
    }
    let (request, _) = signed(&app, &Signer::of("another", 2), digest, &files).await;
    app.send_folder(&anna, &request, files.clone()).await.fails(422, "invalid-signature");
    app.get(VERSION).await.fails(404, "skill-not-found");
    let (request, statement) = signed(&app, &key, digest, &files).await;
    let published = app.send_folder(&anna, &request, files.clone()).await.is(201);
    assert_eq!(
        (&published["status"], &published["digest"]),
        (&json!("published"), &json!(digest.to_string()))
    );
    let listed = app.get(&format!("{VERSION}/signatures")).await.is(200);
    assert_eq!(listed["statement"], json!(statement));
    assert_eq!(listed["signatures"].as_array().unwrap().len(), 1);
    assert_eq!(listed["signatures"][0]["signer"], "anna");
    assert_eq!(app.get(&format!("{VERSION}/statement")).await.body, statement.as_bytes());
    // What is signed is what is handed out.
    let zip = app.get(&format!("{VERSION}/bundle")).await;
    assert_eq!(Digest::of(&zip.body), digest);
    app.send_folder(&anna, &request, files).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_waits_for_approval_and_is_handed_out_then() {
    let app = TestApp::new().await;
    app.post("/api/v1/orgs", ADMIN, json!({ "name": "acme" })).await.is(201);
    let author = app.user("author", &["read", "publish"]).await;
    app.member("acme", "author", "publisher").await;
    let rita = app.user("rita", &["read", "review"]).await;
    app.member("acme", "rita", "reviewer").await;
    app.put("/api/v1/orgs/acme/policy", ADMIN, json!({ "approvals": 1 })).await.is(200);
    let zip = bundle::pack(folder("form-filler")).unwrap();
    let request = asked("acme/form-filler", "1.0.0");
    let waiting = app.send_folder(&author, &request, folder("form-filler")).await.is(202);
    assert_eq!(waiting["status"], "pending");
    let again = app.send_folder(&author, &request, folder("form-filler")).await.is(200);
    assert_eq!((&again["status"], &again["log_index"]), (&json!("pending"), &waiting["log_index"]));
    let mut other = folder("form-filler");
    other.push(file("more.md", "x"));
    app.send_folder(&author, &request, other).await.fails(409, "version-exists");
    let (archive, skill_file) = (format!("{VERSION}/bundle"), format!("{VERSION}/files/SKILL.md"));
    let index = "/acme/form-filler/.well-known/agent-skills/index.json";
    for path in [&archive, &skill_file, VERSION] {
        app.get(path).await.fails(404, "version-not-found");
    }
    assert_ne!(app.get(index).await.status, 200);
    app.settle().await;
    assert_eq!(app.search("", "q=quartzite").await.1, 0);
    // Who is to decide looks at what it is about.
    for token in [&author, &rita] {
        let answer = app.get_as(token, &archive).await;
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &zip));
        assert_eq!(answer.headers["cache-control"], "private, no-cache");
        assert_eq!(app.get_as(token, &skill_file).await.body, folder("form-filler")[0].bytes);
    }
    let decided = json!({ "decision": "approved", "digest": waiting["digest"] });
    app.post(&format!("{VERSION}/approvals"), &author, decided.clone())
        .await
        .fails(403, "insufficient-scope");
    let released = app.post(&format!("{VERSION}/approvals"), &rita, decided).await.is(200);
    assert_eq!(released["status"], "published");
    let answer = app.get(&archive).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &zip));
    let known = Request::get(&archive).header("if-none-match", &answer.headers["etag"]);
    assert_eq!(app.send(known.body(Body::empty()).unwrap()).await.status, 304);
    assert_eq!(app.get(index).await.is(200)["skills"][0]["name"], "form-filler");
    app.settle().await;
    assert_eq!(app.search("", "q=quartzite").await.1, 1);
    assert_eq!(
        app.send_folder(&author, &request, folder("form-filler")).await.is(200)["status"],
        "published"
    );
}
