//! A provider of identities on this machine, as far as builds and people who sign in need one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

/// What builds show GitHub that they are one.
pub(crate) const REQUEST_TOKEN: &str = "what-the-runner-gave-the-build";

/// It listens as long as the test runs.
pub(crate) struct Provider {
    pub(crate) url: String,
    inside: Arc<Inside>,
}

struct Inside {
    url: String,
    key: EcdsaKeyPair,
    /// Requests so far, each as path and query.
    asked: Mutex<Vec<String>>,
    /// Who signs in, once somebody has.
    person: Mutex<Option<Value>>,
}

impl Provider {
    pub(crate) fn start() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inside = Arc::new(Inside {
            url: url.clone(),
            key: key.unwrap(),
            asked: Mutex::default(),
            person: Mutex::default(),
        });
        let answering = Arc::clone(&inside);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answering.answer(stream.unwrap());
            }
        });
        Self { url, inside }
    }

    /// A token with these claims besides the usual ones.
    pub(crate) fn token(&self, claims: Value) -> String {
        self.inside.token(claims)
    }

    /// Somebody has signed in.
    pub(crate) fn sign_in(&self, claims: Value) {
        *self.inside.person.lock().unwrap() = Some(claims);
    }

    /// Requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.inside.asked.lock().unwrap().clone()
    }
}

/// What GitHub says of a build of `octo/tools`.
pub(crate) fn build(audience: &str) -> Value {
    json!({
        "aud": audience, "sub": "repo:octo/tools:ref:refs/heads/main", "event_name": "push", "repository": "octo/tools",
        "repository_owner_id": "65", "workflow_ref": "octo/tools/.github/workflows/release.yml@refs/heads/main",
        "ref": "refs/heads/main", "ref_protected": "true", "run_id": "4711", "sha": "0fe1",
    })
}

impl Inside {
    fn token(&self, claims: Value) -> String {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut all =
            json!({ "iss": self.url, "iat": now, "exp": now + 300, "jti": format!("{now}-{number}") });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let header = BASE64.encode(r#"{"alg":"ES256","kid":"1"}"#);
        let signed = format!("{header}.{}", BASE64.encode(all.to_string()));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature))
    }

    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let target = line.split(' ').nth(1).unwrap().to_owned();
        let (mut length, mut authorization) = (0, String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.trim().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().unwrap();
                }
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                    authorization = value.to_owned();
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let (status, answer) = self.of(&target, &authorization);
        self.asked.lock().unwrap().push(target);
        let answer = answer.to_string();
        let head =
            format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
        let _ = reader.into_inner().write_all((head + &answer).as_bytes());
    }

    fn of(&self, target: &str, authorization: &str) -> (u16, Value) {
        let url = &self.url;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match path {
            "/.well-known/openid-configuration" => {
                let document = json!({
                    "issuer": url, "jwks_uri": format!("{url}/jwks"), "token_endpoint": format!("{url}/token"),
                    "device_authorization_endpoint": format!("{url}/device"),
                });
                (200, document)
            }
            "/jwks" => {
                let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
                let (x, y) = (BASE64.encode(x), BASE64.encode(y));
                (200, json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "1", "x": x, "y": y }] }))
            }
            "/github" if authorization == format!("Bearer {REQUEST_TOKEN}") => {
                let audience = query.rsplit_once("audience=").unwrap().1;
                let audience = audience.replace("%3A", ":").replace("%2F", "/");
                (200, json!({ "value": self.token(build(&audience)) }))
            }
            "/device" => {
                let document = json!({
                    "device_code": "device", "user_code": "WDJB-MJHT", "verification_uri": format!("{url}/go"),
                    "expires_in": 60, "interval": 1,
                });
                (200, document)
            }
            "/token" => match &*self.person.lock().unwrap() {
                Some(person) => (200, json!({ "id_token": self.token(person.clone()) })),
                None => (400, json!({ "error": "authorization_pending" })),
            },
            _ => (404, json!({})),
        }
    }
}
