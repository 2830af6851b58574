//! Keys that people sign with, and signatures of versions: what counts and what does not.

use std::process::{Command, Stdio};

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::event::Event;
use skillery_core::receipt::Receipt;
use skillery_core::sign::dsse::Bundle;
use skillery_core::sign::pem::PemPrivateKey;
use skillery_core::sign::sshsig::{
    ENROLL_NAMESPACE, HashAlgorithm, RELEASE_NAMESPACE, REVIEW_NAMESPACE, assemble, to_be_signed,
};
use skillery_core::sign::statement::{Statement, StatementFile};
use skillery_core::{Digest, SkillId};

use super::{ADMIN, Answer, TestApp, skill};

/// Somebody with an SSH key.
pub(crate) struct Signer {
    name: String,
    pair: Ed25519KeyPair,
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend_from_slice(bytes);
}

fn wire(bytes: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    put(&mut wire, b"ssh-ed25519");
    put(&mut wire, bytes);
    wire
}

impl Signer {
    pub(crate) fn of(name: &str, seed: u8) -> Self {
        Self { name: name.to_owned(), pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap() }
    }

    pub(crate) fn public_key(&self) -> String {
        format!("ssh-ed25519 {}", STANDARD.encode(wire(self.pair.public_key().as_ref())))
    }

    pub(crate) fn fingerprint(&self) -> String {
        self.public_key().parse::<skillery_core::sign::author::AuthorKey>().unwrap().fingerprint()
    }

    pub(crate) fn sign(&self, namespace: &str, message: &[u8]) -> String {
        let data = to_be_signed(namespace, HashAlgorithm::Sha512, message).unwrap();
        let signature = wire(self.pair.sign(&data).as_ref());
        let key = wire(self.pair.public_key().as_ref());
        assemble(&key, namespace, HashAlgorithm::Sha512, &signature).unwrap().to_armoured()
    }
}

/// The statement about what [`skill`] publishes.
pub(crate) fn statement(
    registry: &str,
    id: &str,
    version: &str,
    change: impl FnOnce(&mut Vec<BundleFile>),
) -> String {
    let id: SkillId = id.parse().unwrap();
    let body = skill(id.as_str(), version);
    let text = |name: &str| body[name].as_str().unwrap();
    let version = version.parse().unwrap();
    let mut files = bundle::from_code(&id, &version, text("description"), text("license"), text("code"));
    let digest = bundle::digest(&bundle::pack(files.clone()).unwrap());
    change(&mut files);
    let files = files.iter().map(StatementFile::of).collect();
    let statement = Statement::new(registry, id, version, digest, files).unwrap();
    String::from_utf8(statement.to_bytes().unwrap()).unwrap()
}

/// What somebody else could have wanted the statement to be: all of it is about the same version and files.
fn others(statement: &str) -> Vec<String> {
    let with = |more: &str| statement.replace(r#""files":"#, &format!(r#"{more},"files":"#));
    let others = vec![
        with(r#""created":"9999-12-30T00:00:00Z""#),
        with(r#""created":"1970-01-01T00:00:00Z""#),
        statement.replace(r#""predicate":{"#, r#""predicate":{"builder":"https://ci.example.com/other","#),
    ];
    for other in &others {
        assert_ne!(other, statement);
        Statement::parse(other.as_bytes()).unwrap();
    }
    others
}

impl TestApp {
    pub(crate) async fn origin(&self) -> String {
        self.get("/api/v1/log/key").await.is(200)["origin"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn enrol(&self, token: &str, signer: &Signer) -> Value {
        let request = json!({ "public_key": signer.public_key() });
        let challenge =
            self.post("/api/v1/keys/challenge", token, request).await.is(200)["challenge"].clone();
        let signature = signer.sign(ENROLL_NAMESPACE, challenge.as_str().unwrap().as_bytes());
        let request = json!({
            "public_key": signer.public_key(), "challenge": challenge, "signature": signature, "label": signer.name,
        });
        self.post("/api/v1/keys", token, request).await.is(201)
    }

    pub(crate) async fn publish_signed(
        &self,
        token: &str,
        id: &str,
        version: &str,
        signer: &Signer,
    ) -> Answer {
        let statement = statement(&self.origin().await, id, version, |_| ());
        let signature = signer.sign(RELEASE_NAMESPACE, statement.as_bytes());
        self.publish_with(token, id, version, &statement, &signature).await
    }

    pub(crate) async fn publish_with(
        &self,
        token: &str,
        id: &str,
        version: &str,
        statement: &str,
        signature: &str,
    ) -> Answer {
        let mut request = skill(id, version);
        request["statement"] = json!(statement);
        request["signatures"] = json!([{ "kind": "sshsig", "value": signature }]);
        self.post("/api/v1/skills", token, request).await
    }

    pub(crate) async fn publisher(&self, name: &str) -> String {
        let token = self.user(name, &["read", "publish", "admin"]).await;
        self.member("acme", name, "publisher").await;
        token
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_enrolled_by_whoever_has_it() {
    let app = TestApp::new().await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let ben = app.user("ben", &["read", "admin"]).await;
    let key = Signer::of("laptop", 1);
    let request = json!({ "public_key": key.public_key() });
    let challenge = app.post("/api/v1/keys/challenge", &anna, request.clone()).await.is(200);
    let challenge = challenge["challenge"].as_str().unwrap().to_owned();
    let enrol = |signature: String| json!({ "public_key": key.public_key(), "challenge": challenge, "signature": signature, "label": "laptop" });
    let good = key.sign(ENROLL_NAMESPACE, challenge.as_bytes());
    // Another purpose, another message, another key, another user, a challenge of another making.
    for bad in [
        key.sign(RELEASE_NAMESPACE, challenge.as_bytes()),
        key.sign(ENROLL_NAMESPACE, b"something else"),
        Signer::of("other", 2).sign(ENROLL_NAMESPACE, challenge.as_bytes()),
        "no signature".to_owned(),
    ] {
        app.post("/api/v1/keys", &anna, enrol(bad)).await.fails(422, "invalid-key");
    }
    app.post("/api/v1/keys", &ben, enrol(good.clone())).await.fails(422, "invalid-key");
    let forged = challenge.replace("\"seal\":\"", "\"seal\":\"A");
    let mut request = enrol(key.sign(ENROLL_NAMESPACE, forged.as_bytes()));
    request["challenge"] = json!(forged);
    app.post("/api/v1/keys", &anna, request).await.fails(422, "invalid-key");
    app.app.environment.advance_seconds(601);
    app.post("/api/v1/keys", &anna, enrol(good)).await.fails(422, "invalid-key");

    let enrolled = app.enrol(&anna, &key).await;
    assert_eq!((enrolled["user"].as_str(), enrolled["label"].as_str()), (Some("anna"), Some("laptop")));
    assert_eq!(enrolled["fingerprint"], key.fingerprint());
    let listed = app.get_as(&anna, "/api/v1/keys").await.is(200);
    assert_eq!(listed["keys"], json!([enrolled]));
    assert_eq!(app.get_as(&ben, "/api/v1/keys").await.is(200)["keys"], json!([]));
    // A key has one owner, for ever.
    let request = json!({ "public_key": key.public_key() });
    let challenge = app.post("/api/v1/keys/challenge", &ben, request).await.is(200)["challenge"].clone();
    let signature = key.sign(ENROLL_NAMESPACE, challenge.as_str().unwrap().as_bytes());
    let request = json!({ "public_key": key.public_key(), "challenge": challenge, "signature": signature });
    app.post("/api/v1/keys", &ben, request).await.fails(409, "key-exists");
    let path = format!("/api/v1/keys/{}", key.fingerprint().replace('+', "%2B"));
    app.delete(&path, &ben).await.fails(404, "key-not-found");
    app.delete(&path, &anna).await.is(204);
    app.delete(&path, &anna).await.is(204);
    assert!(app.get_as(&anna, "/api/v1/keys").await.is(200)["keys"][0]["revoked_at"].is_string());
    for nothing in ["%00", "SHA256:%00", "SHA256:AAAA", "x", "%F0%9F%A6%80"] {
        app.delete(&format!("/api/v1/keys/{nothing}"), &anna).await.fails(404, "key-not-found");
    }
    let kinds: Vec<Value> = app.log().await.iter().map(|entry| entry["event"]["kind"].clone()).collect();
    assert_eq!(kinds[kinds.len() - 2..], [json!("key.enrolled"), json!("key.revoked")]);
    let request = json!({ "public_key": "ssh-dss AAAA" });
    app.post("/api/v1/keys/challenge", &anna, request).await.fails(422, "invalid-key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_keys() {
    let app = TestApp::with(|settings| settings.limits.keys_per_owner = 1).await;
    let anna = app.user("anna", &["read", "admin"]).await;
    let (first, second) = (Signer::of("first", 1), Signer::of("second", 2));
    app.enrol(&anna, &first).await;
    let request = json!({ "public_key": second.public_key() });
    let challenge = app.post("/api/v1/keys/challenge", &anna, request).await.is(200)["challenge"].clone();
    let signature = second.sign(ENROLL_NAMESPACE, challenge.as_str().unwrap().as_bytes());
    let enrol = json!({ "public_key": second.public_key(), "challenge": challenge, "signature": signature });
    app.post("/api/v1/keys", &anna, enrol.clone()).await.fails(422, "invalid-key");
    // A key that is revoked takes no place.
    let path = format!("/api/v1/keys/{}", first.fingerprint().replace('+', "%2B"));
    app.delete(&path, &anna).await.is(204);
    app.post("/api/v1/keys", &anna, enrol).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_key_proves_itself_with_another_signature_than_releases_have() {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let anna = app.publisher("anna").await;
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let made = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let text = STANDARD.encode(made.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    let key = PemPrivateKey::from_pem(&pem, &random).unwrap();
    let public_key = key.public_key().to_string();
    let request = json!({ "public_key": public_key });
    let challenge = app.post("/api/v1/keys/challenge", &anna, request).await.is(200)["challenge"].clone();
    let bytes = challenge.as_str().unwrap().as_bytes();
    let enrol = |bundle: Bundle| json!({ "public_key": public_key, "challenge": challenge, "signature": bundle.to_json().unwrap(), "label": "build" });
    let as_release = Bundle::sign(bytes, &key, &random).unwrap();
    app.post("/api/v1/keys", &anna, enrol(as_release)).await.fails(422, "invalid-key");
    let proof = Bundle::sign_enrolment(bytes, &key, &random).unwrap();
    app.post("/api/v1/keys", &anna, enrol(proof)).await.is(201);
    // Whoever got a statement signed as if it were a challenge has no signature of the version.
    let text = statement(&app.origin().await, "acme/tool", "1.0.0", |_| ());
    let mut request = skill("acme/tool", "1.0.0");
    request["statement"] = json!(text);
    let proof = Bundle::sign_enrolment(text.as_bytes(), &key, &random).unwrap().to_json().unwrap();
    // The type is signed: another one written over it does not help.
    let renamed = proof.replace("application/vnd.skillery.enroll.v1+json", "application/vnd.in-toto+json");
    assert_ne!(renamed, proof);
    for value in [proof, renamed] {
        request["signatures"] = json!([{ "kind": "dsse", "value": value }]);
        app.post("/api/v1/skills", &anna, request.clone()).await.fails(422, "invalid-signature");
    }
    let value = Bundle::sign(text.as_bytes(), &key, &random).unwrap().to_json().unwrap();
    request["signatures"] = json!([{ "kind": "dsse", "value": value }]);
    app.post("/api/v1/skills", &anna, request).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_version_says_in_the_log_what_its_signature_rests_on() {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let anna = app.publisher("anna").await;
    let key = Signer::of("laptop", 1);
    let enrolled = app.enrol(&anna, &key).await;
    let answer = app.publish_signed(&anna, "acme/tool", "1.0.0", &key).await.is(201);
    let receipt: Receipt = answer["proof"].as_str().unwrap().parse().unwrap();
    let Event::VersionPublished { statement, signatures, .. } = receipt.entry().unwrap().event else {
        panic!()
    };
    let listed = app.get("/api/v1/skills/acme/tool/versions/1.0.0/signatures").await.is(200);
    let text = listed["statement"].as_str().unwrap();
    assert_eq!(statement, Some(Digest::of(text.as_bytes())));
    let [mark] = signatures.as_slice() else { panic!() };
    assert_eq!(mark.key, key.fingerprint());
    assert_eq!(mark.enrolled, enrolled["log_index"]);
    let log = app.log().await;
    let member = &log[usize::try_from(mark.member).unwrap()]["event"];
    assert_eq!((&member["kind"], &member["role"]), (&json!("member.set"), &json!("publisher")));
    assert_eq!(member["user"], mark.signer);
    assert_eq!(listed["signatures"][0]["signer"], "anna");
    assert_eq!(listed["signatures"][0]["log_index"], receipt.index());
    let served = app.get("/api/v1/skills/acme/tool/versions/1.0.0/statement").await;
    assert_eq!(served.body, text.as_bytes());
    let signature = app.get("/api/v1/skills/acme/tool/versions/1.0.0/signature").await.body;
    assert_eq!(mark.sha256, Digest::of(&signature));
    // The same again, with the same or without a signature, is the same.
    app.publish_signed(&anna, "acme/tool", "1.0.0", &key).await.is(200);
    app.post("/api/v1/skills", &anna, skill("acme/tool", "1.0.0")).await.is(200);
    app.get("/api/v1/skills/acme/other/versions/1.0.0/signature").await.fails(404, "not-signed");
    app.get("/api/v1/skills/acme/other/versions/1.0.0/statement").await.fails(404, "not-signed");
    let none = app.get("/api/v1/skills/acme/other/versions/1.0.0/signatures").await.is(200);
    assert_eq!(none, json!({ "statement": null, "signatures": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_as_it_should_be_is_not_published() {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let anna = app.publisher("anna").await;
    let stranger = app.user("stranger", &["read", "publish", "admin"]).await;
    let (key, unknown, foreign) =
        (Signer::of("anna", 1), Signer::of("unknown", 2), Signer::of("stranger", 3));
    app.enrol(&anna, &key).await;
    app.enrol(&stranger, &foreign).await;
    let origin = app.origin().await;
    let good = statement(&origin, "acme/tool", "1.0.0", |_| ());
    // Statements about something else, each signed well.
    for wrong in [
        statement(&origin, "acme/tool", "1.0.1", |_| ()),
        statement(&origin, "acme/tool2", "1.0.0", |_| ()),
        statement("skillery/another", "acme/tool", "1.0.0", |_| ()),
        statement(&origin, "acme/tool", "1.0.0", |files| files[0].bytes.push(b'\n')),
        statement(&origin, "acme/tool", "1.0.0", |files| drop(files.pop())),
        statement(&origin, "acme/tool", "1.0.0", |files| files[1].executable = true),
        good.replace(",", ", "),
        "{}".to_owned(),
    ] {
        let signature = key.sign(RELEASE_NAMESPACE, wrong.as_bytes());
        app.publish_with(&anna, "acme/tool", "1.0.0", &wrong, &signature)
            .await
            .fails(422, "invalid-statement");
    }
    for other in others(&good) {
        let signature = key.sign(RELEASE_NAMESPACE, other.as_bytes());
        let answer = app.publish_with(&anna, "acme/tool", "1.0.0", &other, &signature).await;
        answer.fails(422, "invalid-statement");
    }
    // Signatures that do not count.
    for bad in [
        key.sign(REVIEW_NAMESPACE, good.as_bytes()),
        key.sign(RELEASE_NAMESPACE, b"something else"),
        unknown.sign(RELEASE_NAMESPACE, good.as_bytes()),
        foreign.sign(RELEASE_NAMESPACE, good.as_bytes()),
        String::new(),
    ] {
        app.publish_with(&anna, "acme/tool", "1.0.0", &good, &bad).await.fails(422, "invalid-signature");
    }
    let mut request = skill("acme/tool", "1.0.0");
    request["statement"] = json!(good);
    app.post("/api/v1/skills", &anna, request).await.fails(422, "invalid-signature");
    let mut request = skill("acme/tool", "1.0.0");
    let signature = key.sign(RELEASE_NAMESPACE, good.as_bytes());
    request["signatures"] = json!([{ "kind": "sshsig", "value": signature }]);
    app.post("/api/v1/skills", &anna, request).await.fails(422, "invalid-statement");
    // A key that was revoked signs nothing more; neither does somebody who has left.
    app.publish_signed(&anna, "acme/tool", "1.0.0", &key).await.is(201);
    app.delete("/api/v1/orgs/acme/members/anna", ADMIN).await.is(204);
    app.publish_signed(ADMIN, "acme/tool", "1.1.0", &key).await.fails(422, "invalid-signature");
    app.member("acme", "anna", "publisher").await;
    app.publish_signed(ADMIN, "acme/tool", "1.1.0", &key).await.is(201);
    app.call(Method::PATCH, "/api/v1/users/anna", ADMIN, Some(json!({ "disabled": true }))).await.is(200);
    app.publish_signed(ADMIN, "acme/tool", "1.2.0", &key).await.fails(422, "invalid-signature");
    app.call(Method::PATCH, "/api/v1/users/anna", ADMIN, Some(json!({ "disabled": false }))).await.is(200);
    app.delete(&format!("/api/v1/keys/{}", key.fingerprint()), &anna).await.is(204);
    app.publish_signed(ADMIN, "acme/tool", "1.2.0", &key).await.fails(422, "invalid-signature");
    assert_eq!(app.search("", "q=tool").await.0, ["acme/tool"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_claims_an_org_may_sign_its_first_version() {
    let app = TestApp::new().await;
    let anna = app.user("anna", &["read", "publish", "admin"]).await;
    let ben = app.user("ben", &["read", "publish", "admin"]).await;
    let (hers, his) = (Signer::of("anna", 1), Signer::of("ben", 2));
    app.enrol(&anna, &hers).await;
    app.enrol(&ben, &his).await;
    app.publish_signed(&anna, "fresh/tool", "1.0.0", &his).await.fails(422, "invalid-signature");
    app.get("/api/v1/orgs/fresh").await.fails(404, "org-not-found");
    app.publish_signed(&anna, "fresh/tool", "1.0.0", &hers).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_published_is_signed_afterwards() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.publisher("anna").await;
    let ben = app.publisher("ben").await;
    let (hers, his) = (Signer::of("anna", 1), Signer::of("ben", 2));
    app.enrol(&anna, &hers).await;
    app.enrol(&ben, &his).await;
    let origin = app.origin().await;
    let text = statement(&origin, "acme/tool", "1.0.0", |_| ());
    let path = "/api/v1/skills/acme/tool/versions/1.0.0/signatures";
    let request = |text: &str, signer: &Signer| {
        let value = signer.sign(RELEASE_NAMESPACE, text.as_bytes());
        json!({ "statement": text, "signature": { "kind": "sshsig", "value": value } })
    };
    // Nobody comes first with another one.
    for other in others(&text) {
        app.post(path, &anna, request(&other, &hers)).await.fails(422, "invalid-statement");
    }
    app.post(path, &anna, request(&text, &hers)).await.is(200);
    let both = app.post(path, &ben, request(&text, &his)).await.is(200);
    let names: Vec<&str> =
        both["signatures"].as_array().unwrap().iter().map(|one| one["signer"].as_str().unwrap()).collect();
    assert_eq!(names, ["anna", "ben"]);
    // Once more is the same.
    let size = app.log().await.len();
    app.post(path, &ben, request(&text, &his)).await.is(200);
    assert_eq!(app.log().await.len(), size);
    // The version has its statement now.
    for other in others(&text) {
        app.post(path, &ben, request(&other, &his)).await.fails(422, "invalid-statement");
    }
    let stranger = app.user("stranger", &["read", "publish", "admin"]).await;
    app.post(path, &stranger, request(&text, &hers)).await.fails(403, "forbidden");
    let signed: Vec<Value> =
        app.get("/api/v1/skills/acme/tool/log").await.is(200)["entries"].as_array().unwrap().clone();
    assert_eq!(signed.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_published_again_takes_other_signatures_in() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let (anna, ben) = (app.publisher("anna").await, app.publisher("ben").await);
    let (hers, his, gone) = (Signer::of("anna", 1), Signer::of("ben", 2), Signer::of("gone", 3));
    app.enrol(&anna, &hers).await;
    app.enrol(&ben, &his).await;
    app.enrol(&ben, &gone).await;
    app.delete(&format!("/api/v1/keys/{}", gone.fingerprint()), &ben).await.is(204);
    let text = statement(&app.origin().await, "acme/tool", "1.0.0", |_| ());
    let with = |signers: &[&Signer]| {
        let mut request = skill("acme/tool", "1.0.0");
        request["statement"] = json!(text);
        let upload = |signer: &&Signer| json!({ "kind": "sshsig", "value": signer.sign(RELEASE_NAMESPACE, text.as_bytes()) });
        request["signatures"] = signers.iter().map(upload).collect();
        request
    };
    let path = "/api/v1/skills/acme/tool/versions/1.0.0/signatures";
    // One that does not count takes the others with it, and nothing is left of them.
    let size = app.log().await.len();
    app.post("/api/v1/skills", &anna, with(&[&hers, &gone])).await.fails(422, "invalid-signature");
    assert_eq!(app.get(path).await.is(200), json!({ "statement": null, "signatures": [] }));
    assert_eq!(app.log().await.len(), size);
    // A version that was published without is signed now, by the entry that the route for that makes.
    let first = app.post("/api/v1/skills", &anna, with(&[&hers])).await.is(200);
    app.post("/api/v1/skills", &ben, with(&[&hers, &his])).await.is(200);
    let listed = app.get(path).await.is(200);
    let log = app.log().await;
    assert_eq!((log.len(), listed["statement"].as_str()), (size + 2, Some(text.as_str())));
    for (index, signer) in ["anna", "ben"].into_iter().enumerate() {
        let entry = &log[size + index];
        let shown = &listed["signatures"][index];
        assert_eq!(
            (&entry["event"]["kind"], shown["signer"].as_str()),
            (&json!("version.signed"), Some(signer))
        );
        assert_eq!(shown["log_index"], json!(size + index));
        assert_eq!(entry["event"]["signature"]["signer"], entry["actor"]);
        assert_eq!(
            entry["event"]["signature"]["sha256"],
            json!(Digest::of(shown["value"].as_str().unwrap().as_bytes()))
        );
    }
    // The answer is that of the first time, whatever came along.
    let again = app.post("/api/v1/skills", ADMIN, skill("acme/tool", "1.0.0")).await.is(200);
    assert_eq!(first["log_index"], again["log_index"]);
    app.post("/api/v1/skills", &ben, with(&[&his])).await.is(200);
    assert_eq!(app.log().await.len(), size + 2);
    // Who may not publish there has signed nothing by it, and other bytes are other bytes.
    let stranger = app.user("stranger", &["read", "publish", "admin"]).await;
    app.post("/api/v1/skills", &stranger, with(&[&his])).await.fails(403, "forbidden");
    let mut other = with(&[&his]);
    other["tags"] = json!(["other"]);
    app.post("/api/v1/skills", &ben, other).await.fails(409, "version-exists");
    // There is a limit.
    for seed in 10..24 {
        let another = Signer::of(&format!("key-{seed}"), seed);
        app.enrol(&ben, &another).await;
        app.post("/api/v1/skills", &ben, with(&[&another])).await.is(200);
    }
    let another = Signer::of("one-more", 24);
    app.enrol(&ben, &another).await;
    app.post("/api/v1/skills", &ben, with(&[&another])).await.fails(422, "invalid-signature");
    app.post("/api/v1/skills", &ben, with(&[&his])).await.is(200);
    assert_eq!(app.get(path).await.is(200)["signatures"].as_array().unwrap().len(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_signs_a_version_once_however_it_is_written() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.publisher("anna").await;
    let hers = Signer::of("anna", 1);
    app.enrol(&anna, &hers).await;
    let text = statement(&app.origin().await, "acme/tool", "1.0.0", |_| ());
    let plain = hers.sign(RELEASE_NAMESPACE, text.as_bytes());
    let lines: Vec<&str> = plain.trim_end().lines().collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    let body = lines[1..lines.len() - 1].concat();
    let written = |width: usize| {
        let broken: Vec<&str> =
            (0..body.len()).step_by(width).map(|at| &body[at..body.len().min(at + width)]).collect();
        format!("{first}\n{}\n{last}\n", broken.join("\n"))
    };
    let path = "/api/v1/skills/acme/tool/versions/1.0.0/signatures";
    let upload = |value: &str| json!({ "kind": "sshsig", "value": value });
    let request = |value: &str| json!({ "statement": text, "signature": upload(value) });
    let signed = app.post(path, &anna, request(&plain)).await.is(200);
    let size = app.log().await.len();
    for width in 40..58 {
        assert_ne!(written(width), plain);
        assert_eq!(app.post(path, &anna, request(&written(width))).await.is(200), signed);
    }
    assert_eq!(app.log().await.len(), size);
    // There is a place for everybody else.
    let ben = app.publisher("ben").await;
    let his = Signer::of("ben", 2);
    app.enrol(&ben, &his).await;
    let other = his.sign(RELEASE_NAMESPACE, text.as_bytes());
    assert_eq!(
        app.post(path, &ben, request(&other)).await.is(200)["signatures"].as_array().unwrap().len(),
        2
    );
    // Nor twice at once, where there is nothing yet.
    let text = statement(&app.origin().await, "acme/tool", "1.1.0", |_| ());
    let plain = hers.sign(RELEASE_NAMESPACE, text.as_bytes());
    let mut publish = skill("acme/tool", "1.1.0");
    publish["statement"] = json!(text);
    publish["signatures"] = json!([upload(&plain), upload(&plain.replace('\n', "\r\n"))]);
    app.post("/api/v1/skills", &anna, publish).await.fails(422, "invalid-signature");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_published_at_once_by_many_keeps_every_signature() {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let mut tokens = Vec::new();
    for seed in 1..9 {
        let name = format!("user{seed}");
        let token = app.publisher(&name).await;
        let signer = Signer::of(&name, seed);
        app.enrol(&token, &signer).await;
        tokens.push((token, signer));
    }
    // Each signs and publishes twice, all at the same time: one is the first.
    let all = tokens.iter().chain(&tokens);
    let publishes = all.map(|(token, signer)| app.publish_signed(token, "acme/tool", "1.0.0", signer));
    let answers = futures_util::future::join_all(publishes).await;
    let new = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((new, answers.iter().filter(|answer| answer.status == 200).count()), (1, 15));
    let path = "/api/v1/skills/acme/tool/versions/1.0.0/signatures";
    let listed = app.get(path).await.is(200);
    let mut signers: Vec<&str> =
        listed["signatures"].as_array().unwrap().iter().map(|one| one["signer"].as_str().unwrap()).collect();
    signers.sort_unstable();
    assert_eq!(signers, ["user1", "user2", "user3", "user4", "user5", "user6", "user7", "user8"]);
    let log = app.get("/api/v1/skills/acme/tool/log").await.is(200);
    assert_eq!(log["entries"].as_array().unwrap().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_kept_from_earlier_is_signed_by_others() {
    let app = TestApp::new().await;
    app.publish("acme/tool", "1.0.0").await;
    let anna = app.publisher("anna").await;
    let hers = Signer::of("anna", 1);
    app.enrol(&anna, &hers).await;
    let text = statement(&app.origin().await, "acme/tool", "1.0.0", |_| ());
    let [_, old, other] = others(&text).try_into().unwrap();
    let kept = old.clone();
    app.app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let version = "1.0.0".parse().unwrap();
                crate::db::signatures::insert_statement(tx, "acme/tool", &version, &kept).await
            })
        })
        .await
        .unwrap();
    let path = "/api/v1/skills/acme/tool/versions/1.0.0/signatures";
    let request = |text: &str| {
        let value = hers.sign(RELEASE_NAMESPACE, text.as_bytes());
        json!({ "statement": text, "signature": { "kind": "sshsig", "value": value } })
    };
    app.post(path, &anna, request(&text)).await.fails(409, "statement-exists");
    app.post(path, &anna, request(&other)).await.fails(422, "invalid-statement");
    assert_eq!(app.post(path, &anna, request(&old)).await.is(200)["statement"], json!(old));
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_keygen_checks_with_the_files_that_the_registry_serves() {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let anna = app.publisher("anna").await;
    let key = Signer::of("laptop", 1);
    app.enrol(&anna, &key).await;
    app.app.environment.advance_seconds(60);
    app.publish_signed(&anna, "acme/tool", "1.0.0", &key).await.is(201);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs_err::write(folder.path().join(name), bytes).unwrap();
    let path = "/api/v1/skills/acme/tool/versions/1.0.0";
    write("signature", app.get(&format!("{path}/signature")).await.body);
    let statement = app.get(&format!("{path}/statement")).await.body;
    let verify = |time: &str, message: &[u8]| {
        let mut child = Command::new("ssh-keygen")
            .args(["-Y", "verify", "-f", "signers", "-I", "anna", "-n", RELEASE_NAMESPACE, "-s", "signature"])
            .arg(format!("-Overify-time={time}"))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), message).unwrap();
        child.wait().unwrap().success()
    };
    write("signers", app.get("/api/v1/orgs/acme/allowed_signers").await.body);
    assert!(verify("20260102030445Z", &statement));
    assert!(!verify("20260102030445Z", b"something else"));
    assert!(!verify("20260101000000Z", &statement), "before the key was enrolled");
    // Who has left was allowed then, and is not now.
    app.app.environment.advance_seconds(60);
    app.delete("/api/v1/orgs/acme/members/anna", ADMIN).await.is(204);
    write("signers", app.get("/api/v1/orgs/acme/allowed_signers").await.body);
    assert!(verify("20260102030445Z", &statement));
    assert!(!verify("20260102040000Z", &statement));
    let undated =
        String::from_utf8(app.get("/api/v1/orgs/acme/allowed_signers?undated=true").await.body).unwrap();
    assert_eq!(undated, "");
    app.get("/api/v1/orgs/nobody/allowed_signers").await.fails(404, "org-not-found");
}
