//! What is known of how skills are used: counted, put together, compared, and told to whom it may be told.

mod counting;
mod graph;
mod health;
pub(crate) mod people;
mod wishes;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use skillery_core::Digest;

use super::{ADMIN, Answer, TestApp, skill};
use crate::insight::roll_up;

const DAY: i64 = 86_400;

impl TestApp {
    /// Downloads with a program that calls itself so.
    async fn download_with(&self, token: &str, path: &str, user_agent: &str) -> Answer {
        let mut request =
            Request::get(path).header("host", "127.0.0.1:8700").header("user-agent", user_agent);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Installs a version, which must go well.
    pub(crate) async fn install(&self, token: &str, id: &str, version: &str) {
        let path = format!("/api/v1/skills/{id}/download?version={version}");
        self.download_with(token, &path, "skillery/1").await.is(200);
    }

    /// Lets days pass, with what is counted written and put together.
    async fn days(&self, days: i64) {
        self.settle().await;
        self.app.environment.advance_seconds(days * DAY);
        roll_up(&self.app).await.unwrap();
    }

    /// Publishes a function that needs skills.
    async fn publish_needing(&self, id: &str, version: &str, needs: &[&str]) {
        self.publish_seen(id, version, needs, "public").await;
    }

    async fn publish_seen(&self, id: &str, version: &str, needs: &[&str], visibility: &str) {
        let mut body = skill(id, version);
        let block = format!("# /// script\n# [tool.skillery]\n# skills = {}\n# ///\n", json!(needs));
        let code = block + body["code"].as_str().unwrap();
        body["code_hash"] = json!(Digest::of(code.as_bytes()).to_string());
        body["code"] = json!(code);
        body["visibility"] = json!(visibility);
        self.post("/api/v1/skills", ADMIN, body).await.is(201);
    }
}

fn ids(answer: &Value, list: &str) -> Vec<String> {
    answer[list].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}
