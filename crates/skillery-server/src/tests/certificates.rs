//! Certificates of an org's authority, as `ssh-keygen` makes them.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use skillery_core::sign::author::AuthorKey;
use skillery_core::sign::sshsig::{ENROLL_NAMESPACE, RELEASE_NAMESPACE};
use tempfile::TempDir;

use super::keys::statement;
use super::{ADMIN, Answer, TestApp};

/// A folder with keys of OpenSSH.
struct Keys(TempDir);

impl Keys {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn keygen(&self, arguments: &[&str], input: &str) -> String {
        let mut child = Command::new("ssh-keygen")
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn make(&self, name: &str) -> String {
        self.keygen(&["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name], "");
        fs_err::read_to_string(self.path().join(format!("{name}.pub"))).unwrap()
    }

    /// A key with a certificate until this second of 2026-01-02, from 03:04:05 on.
    fn certify(&self, name: &str, until: &str) {
        self.make(name);
        let validity = format!("20260102000000Z:20260102{until}Z");
        let file = format!("{name}.pub");
        self.keygen(&["-q", "-s", "authority", "-I", "id", "-n", "anna", "-V", &validity, &file], "");
    }

    fn sign(&self, file: &str, namespace: &str, text: &str) -> String {
        self.keygen(&["-q", "-Y", "sign", "-n", namespace, "-f", file], text)
    }

    async fn enrol(&self, app: &TestApp, token: &str, name: &str, org: Option<&str>) -> Value {
        let public_key = fs_err::read_to_string(self.path().join(format!("{name}.pub"))).unwrap();
        let request = json!({ "public_key": public_key });
        let challenge = app.post("/api/v1/keys/challenge", token, request).await.is(200)["challenge"].clone();
        let signature = self.sign(name, ENROLL_NAMESPACE, challenge.as_str().unwrap());
        let request = json!({
            "public_key": public_key, "challenge": challenge, "signature": signature, "label": name, "org": org,
        });
        app.post("/api/v1/keys", token, request).await.is(201)
    }

    async fn publish(&self, app: &TestApp, token: &str, name: &str, version: &str) -> Answer {
        let text = statement(&app.origin().await, "acme/tool", version, |_| ());
        let signature = self.sign(&format!("{name}-cert.pub"), RELEASE_NAMESPACE, &text);
        app.publish_with(token, "acme/tool", version, &text, &signature).await
    }
}

/// An org with an authority, and a publisher of it.
async fn with_authority() -> (TestApp, Keys, String) {
    let app = TestApp::new().await;
    app.publish("acme/other", "1.0.0").await;
    let anna = app.publisher("anna").await;
    let keys = Keys(tempfile::tempdir().unwrap());
    keys.make("authority");
    keys.enrol(&app, ADMIN, "authority", Some("acme")).await;
    (app, keys, anna)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_valid_when_it_is_logged() {
    let (app, keys, anna) = with_authority().await;
    keys.certify("good", "040000");
    keys.certify("short", "030410");
    keys.publish(&app, &anna, "good", "1.0.0").await.is(201);
    keys.publish(&app, &anna, "short", "1.1.0").await.is(201);
    // The log is at a later time than the clock of this server, and so is what it says next.
    app.app.environment.advance_seconds(10);
    app.publish("acme/later", "1.0.0").await;
    app.app.environment.advance_seconds(-10);
    keys.publish(&app, &anna, "short", "1.2.0").await.fails(422, "invalid-signature");
    keys.publish(&app, &anna, "good", "1.2.0").await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_key_that_was_revoked_signs_nothing() {
    let (app, keys, anna) = with_authority().await;
    keys.certify("both", "040000");
    keys.certify("other", "040000");
    let enrolled = keys.enrol(&app, &anna, "both", None).await;
    keys.publish(&app, &anna, "both", "1.0.0").await.is(201);
    let key: AuthorKey = fs_err::read_to_string(keys.path().join("both.pub")).unwrap().parse().unwrap();
    assert_eq!(enrolled["fingerprint"], key.fingerprint());
    let path = format!("/api/v1/keys/{}", key.fingerprint().replace('+', "%2B"));
    app.delete(&path, &anna).await.is(204);
    keys.publish(&app, &anna, "both", "1.1.0").await.fails(422, "invalid-signature");
    keys.publish(&app, &anna, "other", "1.1.0").await.is(201);
}
