//! Tests through the outermost door of this crate: the real door, a real database, real files.
//!
//! They run on SQLite, and with `SKILLERY_TEST_DATABASE=postgres://…` on PostgreSQL: each test in a schema of its own.

mod accounts;
mod allowed_signers;
mod answers;
mod approvals;
mod audit;
mod audit_members;
mod audit_streams;
mod bad_input;
mod certificates;
mod comments;
mod durability;
mod folders;
mod folders_on_trial;
mod gates;
mod history;
mod insight;
mod interop;
mod keys;
mod lists;
mod log;
mod notify;
mod nul;
mod oidc;
mod operations;
mod pages;
mod publishing;
mod rating;
mod reports;
mod review;
mod rotation;
mod routes;
mod searching;
mod signing;
mod standing;
mod usage;
mod user_installs;
mod visibility;
mod witnesses;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use skillery_core::Digest;
use skillery_core::time::Time;
use skillery_core::token::Secret;
use sqlx::{AssertSqlSafe, Connection, Row};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::app::App;
use crate::db::Backend;
use crate::environment::Environment;
use crate::http::Door;
use crate::settings::Settings;
use crate::{counters, search};

pub(crate) const ADMIN: &str = "an-admin-token-of-the-tests-0123456789";
/// What a token of a member of [`TestApp::staff`] is for.
pub(crate) const SCOPES: &[&str] = &["read", "publish", "review", "admin"];
/// 2026-01-02T03:04:05Z.
const START: i64 = 1_767_323_045_000_000;

/// A registry with its own folder and database.
pub(crate) struct TestApp {
    pub(crate) app: Arc<App>,
    door: Door,
    folder: Arc<TempDir>,
}

/// What a request was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The problem's code; the answer must be a problem.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(
            problem["request_id"].is_string() && problem["title"].is_string() && problem["hint"].is_string()
        );
        problem["code"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    #[track_caller]
    pub(crate) fn fails(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{}", self.json());
        self.json()
    }
}

static SCHEMAS: AtomicU32 = AtomicU32::new(0);

async fn database() -> Option<String> {
    let url = std::env::var("SKILLERY_TEST_DATABASE").ok()?;
    let schema = format!("test_{}_{}", std::process::id(), SCHEMAS.fetch_add(1, Ordering::SeqCst));
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
    // One of this name is left of an earlier process that had the same number.
    for statement in [format!("DROP SCHEMA IF EXISTS {schema} CASCADE"), format!("CREATE SCHEMA {schema}")] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{separator}options[search_path]={schema}&application_name={schema}"))
}

pub(crate) fn is_postgres() -> bool {
    std::env::var("SKILLERY_TEST_DATABASE").is_ok()
}

impl TestApp {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let mut settings = Settings {
            data: folder.path().join("data"),
            database: database().await,
            admin_token: Some(Secret::new(ADMIN)),
            ..Settings::default()
        };
        change(&mut settings);
        Self::open(settings, Environment::manual(Time::from_micros(START)), folder).await
    }

    async fn open(settings: Settings, environment: Environment, folder: Arc<TempDir>) -> Self {
        let app = loop {
            // The last of the app before may still be on its way out on another thread.
            match App::open(settings.clone(), environment.clone()).await {
                Err(crate::app::StartError::InUse(_)) => tokio::task::yield_now().await,
                outcome => break outcome.unwrap().0,
            }
        };
        tokio::spawn(search::listen(Arc::clone(&app)));
        tokio::spawn(search::run(Arc::clone(&app)));
        app.search.wait_for(0).await.unwrap();
        let door = Door::new(Arc::clone(&app));
        Self { app, door, folder }
    }

    /// Another server on the same database and contents, with its own index.
    pub(crate) async fn another(&self) -> Self {
        let mut settings = self.app.settings.clone();
        settings.blobs = Some(settings.blob_folder());
        settings.secret_key_file = Some(settings.secret_key_file());
        settings.log_key_file = Some(settings.log_key_file());
        settings.data = self.folder.path().join("another");
        Self::open(settings, self.app.environment.clone(), Arc::clone(&self.folder)).await
    }

    /// Stops without any goodbye, and starts again on what is on disk.
    pub(crate) async fn crash_and_reopen(self) -> Self {
        self.crash_and_reopen_after(|_| ()).await
    }

    /// As [`TestApp::crash_and_reopen`], with something done to the disk in between.
    pub(crate) async fn crash_and_reopen_after(self, meanwhile: impl FnOnce(&Settings)) -> Self {
        let (settings, environment, folder) = self.crash().await;
        meanwhile(&settings);
        Self::open(settings, environment, folder).await
    }

    /// Stops without any goodbye, and gives what a start needs.
    pub(crate) async fn crash(self) -> (Settings, Environment, Arc<TempDir>) {
        let (settings, environment, folder) =
            (self.app.settings.clone(), self.app.environment.clone(), Arc::clone(&self.folder));
        self.app.stop();
        self.app.db.close().await;
        // The index has one writer; the old one must be gone before the new one opens.
        let weak = Arc::downgrade(&self.app);
        drop(self);
        while weak.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        // Whoever had it last may still be taking it apart, and the lock of the folder with it.
        while crate::folder_lock::take(&settings.data).unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        (settings, environment, folder)
    }

    /// Runs a statement on the database, as somebody would who has got at it.
    pub(crate) async fn tamper(&self, statement: String) {
        self.app
            .db
            .write(move |tx| {
                Box::pin(async move {
                    sqlx::raw_sql(AssertSqlSafe(statement)).execute(tx.connection()).await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.door.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8700");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = match body {
            Some(body) => {
                request.header("content-type", "application/json").body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, "", None).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.call(Method::GET, path, token, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, token, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, token, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call(Method::DELETE, path, token, None).await
    }

    /// Publishes as admin; it must go well.
    pub(crate) async fn publish(&self, id: &str, version: &str) -> Value {
        self.post("/api/v1/skills", ADMIN, skill(id, version)).await.is(201)
    }

    /// Makes a user with a token of these scopes, and returns the token.
    pub(crate) async fn user(&self, name: &str, scopes: &[&str]) -> String {
        self.post("/api/v1/users", ADMIN, json!({ "name": name })).await.is(201);
        self.token(json!({ "user": name, "scopes": scopes })).await
    }

    pub(crate) async fn token(&self, body: Value) -> String {
        self.post("/api/v1/tokens", ADMIN, body).await.is(201)["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn member(&self, namespace: &str, user: &str, role: &str) {
        self.put(&format!("/api/v1/orgs/{namespace}/members/{user}"), ADMIN, json!({ "role": role }))
            .await
            .is(200);
    }

    /// Makes the org `acme` and users with these roles in it; gives a token of each.
    pub(crate) async fn staff<const N: usize>(&self, people: [(&str, &str); N]) -> [String; N] {
        self.post("/api/v1/orgs", ADMIN, json!({ "name": "acme" })).await.is(201);
        let mut tokens = Vec::with_capacity(N);
        for (name, role) in people {
            tokens.push(self.user(name, SCOPES).await);
            self.member("acme", name, role).await;
        }
        tokens.try_into().unwrap()
    }

    /// Ids that a search finds, and the total.
    pub(crate) async fn search(&self, token: &str, query: &str) -> (Vec<String>, u64) {
        let found = self.get_as(token, &format!("/api/v1/skills?{query}")).await.is(200);
        let ids =
            found["skills"].as_array().unwrap().iter().map(|skill| skill["id"].as_str().unwrap().to_owned());
        (ids.collect(), found["total"].as_u64().unwrap())
    }

    /// Writes what was counted, and follows the log to its end.
    pub(crate) async fn settle(&self) {
        counters::flush(&self.app).await.unwrap();
        search::catch_up(&self.app).await.unwrap();
    }

    pub(crate) async fn log(&self) -> Vec<Value> {
        let mut entries = Vec::new();
        loop {
            let path = format!("/api/v1/log?limit=200&after={}", entries.len());
            let page = self.get_as(ADMIN, &path).await.is(200);
            let new = page["entries"].as_array().unwrap();
            if new.is_empty() {
                assert_eq!(page["size"], entries.len());
                return entries;
            }
            entries.extend(new.iter().cloned());
        }
    }
}

impl TestApp {
    /// How the database would go about a statement with these values, where it does not have to look at every row.
    pub(crate) async fn plan(&self, text: &str, numbers: &[i64], texts: &[&str]) -> String {
        self.plan_without(&["seqscan"], text, numbers, texts).await
    }

    /// The same of a statement whose rows must come in order without being sorted.
    pub(crate) async fn plan_in_order(&self, text: &str, numbers: &[i64], texts: &[&str]) -> String {
        // Few rows it would sort where it does not have to.
        let plan = self.plan_without(&["seqscan", "sort"], text, numbers, texts).await;
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{text}: {plan}");
        plan
    }

    async fn plan_without(&self, avoided: &[&str], text: &str, numbers: &[i64], texts: &[&str]) -> String {
        let backend = self.app.db.backend();
        let mut connection = self.app.db.reader().acquire().await.unwrap();
        let (explain, column) = match backend {
            Backend::Sqlite => ("EXPLAIN QUERY PLAN", 3),
            Backend::Postgres => ("EXPLAIN", 0),
        };
        if backend == Backend::Postgres {
            // Of a few rows it would look at all.
            for way in ["seqscan", "sort"] {
                let state = if avoided.contains(&way) { "off" } else { "on" };
                let set = AssertSqlSafe(format!("SET enable_{way} = {state}"));
                sqlx::query(set).execute(&mut *connection).await.unwrap();
            }
        }
        let mut query = sqlx::query(AssertSqlSafe(format!("{explain} {text}")));
        for number in numbers {
            query = query.bind(*number);
        }
        for text in texts {
            query = query.bind((*text).to_owned());
        }
        let rows = query.fetch_all(&mut *connection).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(column)).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.app.stop();
    }
}

/// A request that publishes a skill like those of the guide.
pub(crate) fn skill(id: &str, version: &str) -> Value {
    let (org, name) = id.rsplit_once('/').unwrap_or(("", id));
    let code = format!("def {}(text):\n    return '@' in text\n", name.replace(['-', '.'], "_"));
    json!({
        "id": id, "name": name, "org": org, "version": version,
        "description": format!("Checks {name} of texts"),
        "code_hash": Digest::of(code.as_bytes()).to_string(),
        "tags": ["email", "validation"], "license": "MIT", "code": code,
    })
}
