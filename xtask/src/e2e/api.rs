//! `cargo xtask e2e api`: Schemathesis reads the OpenAPI document and sends what it allows, and what it does not.
//!
//! A registry with data answers thousands of requests, on each database, as an admin, as a member and as nobody. Every answer
//! must be one that the document names for its route, with its media type and its schema, and none may be a 5xx. The
//! registry itself counts how many there were.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::http::get_body;
use super::packages::{API_TOOLS, Packages};
use super::registry::{Caller, Registry};
use super::stock::Stock;
use crate::guard::Folder;
use crate::postgres::Cluster;
use crate::shell::{program, target_folder};

const TOOL: &str = "schemathesis";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance,unsupported_method,\
                      allow_header_conformance";
/// How long one of the runs may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(600);
/// Requests are to be refused for what they are, and not for how many they are.
const SETTINGS: &str = "[limits]\ncomments_per_minute = 0\nrequests_per_second_per_token = 0\nrequests_per_second_per_address = 0\n\
                        oidc_requests_per_minute_per_address = 0\n\n\
                        [[oidc_issuers]]\nissuer = \"http://127.0.0.1:9\"\nkind = \"github\"\naudience = \"http://127.0.0.1:8\"\n";

/// What cannot succeed here, and why.
const UNREACHED: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/log/witnessed", "there is no witness"),
    ("GET", "/log/v1/tile/{path}", "its path has slashes, which are sent as `%2F` here"),
    ("POST", "/api/v1/keys", "it takes a signature of a challenge"),
    ("PUT", "/api/v1/notifications/email", "there is no mail server"),
    ("POST", "/api/v1/notifications/email/confirm", "there is no mail server"),
    ("GET", "/api/v1/notifications/unsubscribe", "only mail has these addresses"),
    ("POST", "/api/v1/notifications/unsubscribe", "only mail has these addresses"),
    ("POST", "/api/v1/oidc/exchange", "the issuer answers nothing"),
    ("POST", "/api/v1/oidc/login", "there is no provider to sign in with"),
    ("POST", "/api/v1/oidc/login/poll", "there is no provider to sign in with"),
    ("PUT", "/api/v1/users/{user}/subject", "there is no provider to sign in with"),
    ("POST", "/api/v1/skills/{id}/versions/{version}/signatures", "it takes a signature"),
];

/// Arguments of `e2e api`.
#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// What random requests are made from; the same number makes the same requests
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// How many are made of each route, by each kind of caller, at most
    #[arg(long, default_value_t = 30)]
    examples: u32,
    /// How many there must have been on each database
    #[arg(long, default_value_t = 10_000)]
    requests: u64,
    /// The database
    #[arg(long)]
    only: Option<Database>,
    /// A `skillery` that is built already
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

/// Does it on each database.
pub(crate) fn run(args: &ApiArgs) -> Result<()> {
    let program = program(args.program.as_deref())?;
    let packages = match Packages::prepare(API_TOOLS)? {
        Ok(packages) => packages,
        Err(why) => bail!("`{TOOL}` cannot be had: {why}"),
    };
    let tool = packages.tool(TOOL)?;
    let mut rows = Vec::new();
    for database in [Database::Sqlite, Database::Postgres] {
        if args.only.is_none_or(|only| only == database) {
            println!("\n==> {TOOL} {}, on {database:?}", tool.version);
            rows.push(on(database, args, &program, &packages)?);
        }
    }
    println!();
    let mut is_good = true;
    for Outcome { database, requests, statuses, wrong, seconds } in rows {
        let statuses: Vec<String> =
            statuses.iter().map(|(status, number)| format!("{number} × {status}")).collect();
        println!("{database:?}: {requests} requests in {seconds} s: {}", statuses.join(", "));
        if requests < args.requests {
            println!("  WRONG     there were to be {} requests or more", args.requests);
            is_good = false;
        }
        wrong.iter().for_each(|line| println!("  WRONG     {line}"));
        is_good &= wrong.is_empty();
    }
    if !is_good {
        bail!("not all answers were as the document says");
    }
    Ok(())
}

struct Outcome {
    database: Database,
    requests: u64,
    /// How many answers had which status.
    statuses: BTreeMap<u16, u64>,
    wrong: Vec<String>,
    seconds: u64,
}

fn on(database: Database, args: &ApiArgs, program: &Path, packages: &Packages) -> Result<Outcome> {
    let folder = Folder::new("e2e-api")?;
    let settings = folder.path().join("skillery.toml");
    std::fs::write(&settings, SETTINGS)?;
    let settings = settings.display().to_string();
    let cluster = if database == Database::Postgres { Some(Cluster::start()?) } else { None };
    let mut options = vec!["--config", &settings];
    if let Some(cluster) = &cluster {
        options.extend(["--database", &cluster.url]);
    }
    let registry = Registry::start_with(program, &folder.path().join("data"), "TERM", &options)?;
    let stock = Stock::fill(program, &registry, folder.path())?;
    let known = folder.path().join("known.json");
    std::fs::write(&known, serde_json::to_vec_pretty(&names(&stock)?)?)?;
    let routes = operations(&registry)?;

    let began = Instant::now();
    let before = answers(&registry)?;
    let mut wrong = Vec::new();
    for (who, caller) in [("admin", Some(&stock.admin)), ("member", Some(&stock.ben)), ("nobody", None)] {
        let name = format!("{database:?}-{who}").to_lowercase();
        let report = std::path::absolute(target_folder().join("e2e").join(format!("api-{name}.txt")))?;
        // It ends with this task, however this task ends.
        let mut schemathesis = Command::new("setpriv");
        schemathesis.args(["--pdeathsig", "TERM"]).arg(packages.program(TOOL));
        schemathesis.arg("run").arg(format!("{}/openapi.json", registry.url)).args(["--url", &registry.url]);
        schemathesis.args(["--checks", CHECKS, "--mode", "all", "--phases", "examples,coverage,fuzzing"]);
        schemathesis.args(["--max-examples", &args.examples.to_string(), "--seed", &args.seed.to_string()]);
        schemathesis.args(["--generation-database", "none", "--suppress-health-check", "all"]);
        schemathesis.args(["--continue-on-failure", "--no-shrink", "--workers", "1", "--no-color"]);
        schemathesis.args(["--request-timeout", "30", "--warnings", "off"]);
        if let Some(Caller { token, .. }) = caller {
            schemathesis.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        schemathesis
            .env("SCHEMATHESIS_HOOKS", "hooks")
            .env("PYTHONPATH", std::path::absolute("xtask/e2e/api")?);
        schemathesis.env("PYTHONDONTWRITEBYTECODE", "1").env("E2E_KNOWN", &known).current_dir(folder.path());
        let output = std::fs::File::create(&report)?;
        schemathesis.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output);
        let began = Instant::now();
        let status = finished(schemathesis.spawn().with_context(|| format!("cannot start `{TOOL}`"))?)?;
        let text = std::fs::read_to_string(&report)?;
        let summary = text.lines().rfind(|line| line.contains("generated")).unwrap_or_default();
        println!("  {who}: {:.0} s, {}", began.elapsed().as_secs_f64(), summary.trim());
        if !status {
            wrong.push(format!("as {who}: see `{}`", report.display()));
        }
        if let Some(caller) = caller
            && let Err(error) = caller.call("GET", "/whoami", &Value::Null)
        {
            wrong.push(format!(
                "as {who}: it is refused afterwards, so much of it asked for nothing: {error:#}"
            ));
        }
    }
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    let mut succeeded = BTreeSet::new();
    for (answer, number) in answers(&registry)? {
        let number = number - before.get(&answer).copied().unwrap_or_default();
        if number > 0 {
            *statuses.entry(answer.status).or_default() += number;
            if (200..300).contains(&answer.status) {
                succeeded.insert((answer.method, answer.route));
            }
        }
    }
    // What was never seen to succeed was never compared with what the document says of its success.
    for (method, route) in &routes {
        let excused = UNREACHED.iter().any(|(one, other, _)| one == method && other == route);
        match (succeeded.contains(&(method.clone(), route.clone())), excused) {
            (false, false) => wrong.push(format!("`{method} {route}` never succeeded")),
            (true, true) => wrong.push(format!("`{method} {route}` succeeds: it needs no excuse")),
            _ => {}
        }
    }
    if statuses.keys().any(|status| *status >= 500) {
        let log = std::fs::read_to_string(&registry.log)?;
        wrong.extend(log.lines().filter(|line| line.contains("request failed")).take(20).map(str::to_owned));
        wrong.push("there were answers of the kind 5xx".to_owned());
    }
    get_body(registry.address, "/readyz").context("the registry is not ready afterwards")?;
    let seconds = began.elapsed().as_secs();
    registry.stop();
    Ok(Outcome { database, requests: statuses.values().sum(), statuses, wrong, seconds })
}

/// Waits for its end; whether all was well.
fn finished(mut program: Child) -> Result<bool> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = program.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() > until {
            program.kill()?;
            program.wait()?;
            bail!("`{TOOL}` took more than {} s", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(100));
    }
}

/// Operations that the document gives a success to, by method and route.
fn operations(registry: &Registry) -> Result<BTreeSet<(String, String)>> {
    let document: Value = serde_json::from_slice(&get_body(registry.address, "/openapi.json")?)?;
    let paths = document["paths"].as_object().context("the document has no paths")?;
    let mut operations = BTreeSet::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let answers = operation["responses"].as_object();
            if answers.is_some_and(|answers| answers.keys().any(|status| status.starts_with('2'))) {
                operations.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    Ok(operations)
}

/// Names that parameters and fields may have. What stands under `together` belongs together, each where it says.
fn names(stock: &Stock) -> Result<Value> {
    let mut names = names_alone(stock);
    names["together"] = stock.ids()?;
    let mut asking = Vec::new();
    for caller in [&stock.admin, &stock.ben] {
        let who = caller.call("GET", "/whoami", &Value::Null)?;
        asking.extend([who["user"].clone(), who["token"]["id"].clone()]);
    }
    names["asking"] = asking.into();
    Ok(names)
}

fn names_alone(stock: &Stock) -> Value {
    json!({
        "id": ["acme/tool-00", "acme/tool-01", "acme/shaky", "acme/vault", "acme/inside", "acme/hostile",
               "initech/reviewed", "initech/waiting", "acme/docs/reports"],
        "version": ["1.0.0", "1.0.1", "1.0.2", "1.1.0", "1.2.0", "1.3.0", "2.0.0-beta.1", "0.1.0"],
        "namespace": ["acme", "initech", "empty", "acme/docs"],
        "org": ["acme", "initech", "empty"],
        // Whoever asks stays who they are.
        "user": ["cleo", "dan"],
        "actor": ["ada", "ben", "dan"],
        "subject": ["acme", "acme/tool-00", "initech/reviewed"],
        "parent": stock.comments,
        "body.parent": stock.comments,
        "token": stock.spare_tokens,
        "fingerprint": stock.keys,
        "path": ["SKILL.md", "scripts/run.py", "references/guide.md", "assets/not.png"],
        "body.id": ["acme/new-one", "acme/new-two", "initech/new-one", "acme/tool-00"],
        "body.version": ["1.0.0", "1.0.1", "1.1.0", "9.9.9"],
        "body.user": ["cleo", "dan"],
        "body.code": ["def new_one(value: str) -> str:\n    return value\n", "def tool(a):\n    return a\n"],
    })
}

/// A kind of answers that the registry counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    method: String,
    route: String,
    status: u16,
}

/// How many answers of each kind the registry has given, as it counts itself.
fn answers(registry: &Registry) -> Result<BTreeMap<Answer, u64>> {
    let page = String::from_utf8(get_body(registry.address, "/metrics")?)?;
    let mut answers = BTreeMap::new();
    for line in page.lines().filter(|line| line.contains("http_requests_total{")) {
        let label = |name: &str| {
            line.split(&format!("{name}=\""))
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .map(str::to_owned)
        };
        let number = line.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok());
        let status = label("status").and_then(|status| status.parse().ok());
        let (Some(method), Some(route), Some(status), Some(number)) =
            (label("method"), label("route"), status, number)
        else {
            bail!("`{line}` is not as expected");
        };
        *answers.entry(Answer { method, route, status }).or_default() += number;
    }
    Ok(answers)
}
