//! A skill with all that its pages may have to show: long instructions, many files and versions, what it needs and what
//! needs it, ratings and installs of many people, comments, reports, and a version that waits for approval.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::corpus::Corpus;
use crate::http::{self, Connection};
use crate::places;
use crate::registry::Registry;

/// The skill.
pub const ID: &str = "handbook/manual";
/// Its newest version.
pub const NEWEST: &str = "1.39.0";
/// The version that waits for approval.
pub const PENDING: &str = "2.0.0";
/// A file of it.
pub const FILE: &str = "scripts/step_07.py";

const VERSIONS: u32 = 40;
const FILES: usize = 30;
const SECTIONS: usize = 30;
const NEEDED_BY: usize = 60;
const READERS: usize = 100;
const THREADS: usize = 40;
const FILE_BYTES: usize = 6_144;

/// Publishes it.
pub fn furnish(registry: &Registry, corpus: &Corpus) -> Result<()> {
    let folder = places::fresh("handbook")?;
    for version in 0..VERSIONS {
        let manual = folder.join("manual");
        write_manual(&manual, corpus, version)?;
        publish(registry, &manual, &format!("1.{version}.0"))?;
    }
    for number in 0..NEEDED_BY {
        let reader = folder.join(format!("chapter-{number:02}"));
        write_skill(&reader, &format!("{ID} ^1.0"), "## Steps\n\nAs the manual says.\n")?;
        publish(registry, &reader, "1.0.0")?;
    }
    people(registry)?;
    wait(registry, corpus, &folder)
}

/// Lets a version wait for approval, and reviewers say what they think of its lines.
fn wait(registry: &Registry, corpus: &Corpus, folder: &Path) -> Result<()> {
    let mut door = Door::open(registry)?;
    let group = json!({"users": (0..10).map(reader).collect::<Vec<_>>()});
    for user in 0..10 {
        let member = format!("orgs/handbook/members/{}", reader(user));
        door.change("PUT", &member, &registry.token, &json!({"role": "reviewer"}))?;
    }
    door.change("PUT", "orgs/handbook/policy/groups/editors", &registry.token, &group)?;
    let stages = json!([{"name": "review", "approvals": 2}, {"name": "editors", "group": "editors"}]);
    door.change("PUT", "orgs/handbook/policy", &registry.token, &json!({"stages": stages}))?;
    let manual = folder.join("manual");
    write_manual(&manual, corpus, VERSIONS)?;
    publish(registry, &manual, PENDING)?;
    let comments = format!("skills/{ID}/versions/{PENDING}/approvals/comments");
    for line in 1..=THREADS {
        let said = json!({"text": "Say here what a reader does next.", "path": "SKILL.md", "line": line});
        door.change("POST", &comments, &registry.token, &said)?;
    }
    Ok(())
}

/// The name of one who reads it.
fn reader(number: usize) -> String {
    format!("reader-{number:03}")
}

/// Where changes go.
pub struct Door(Connection);

impl Door {
    /// Connects.
    pub fn open(registry: &Registry) -> Result<Self> {
        Ok(Self(Connection::open(registry.address)?))
    }

    /// Sends a change, and gives what it is answered with.
    pub fn change(&mut self, method: &str, path: &str, token: &str, body: &Value) -> Result<Value> {
        let (address, body) = (format!("/api/v1/{path}"), body.to_string());
        self.answered(path, &http::send_json(method, &address, Some(token), body.as_bytes()))
    }

    /// What there is, for whom this token is of.
    pub fn ask(&mut self, path: &str, token: &str) -> Result<Value> {
        self.answered(path, &http::get_as(&format!("/api/v1/{path}"), token))
    }

    fn answered(&mut self, path: &str, request: &[u8]) -> Result<Value> {
        let answer = self.0.exchange(request)?;
        let text = String::from_utf8_lossy(&answer.body);
        ensure!((200..300).contains(&answer.status), "{path} is answered with {}: {text}", answer.status);
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}

fn write_manual(folder: &Path, corpus: &Corpus, version: u32) -> Result<()> {
    let needed: Vec<_> = (0..5).map(|number| format!("{} ^1.0", corpus.id(number))).collect();
    let mut text = String::new();
    for section in 0..SECTIONS {
        // One section differs from version to version, so that there is something to compare.
        let number = if section == 7 { section + 1_000 * version as usize } else { section };
        let skill = corpus.skill(number, 400);
        let _ = write!(
            text,
            "## Section {section}\n\n{words} See [the next](#section-{next}).\n\n- {words}\n- `{id}`\n\n\
             | part | what |\n|---|---|\n| {section} | {words} |\n\n```python\n{code}```\n\n",
            words = skill.description,
            next = section + 1,
            id = skill.id,
            code = skill.code,
        );
    }
    write_skill(folder, &needed.join(", "), &text)?;
    for number in 0..FILES {
        let code = corpus.skill(number + version as usize, FILE_BYTES).code;
        fs_err::create_dir_all(folder.join("scripts"))?;
        fs_err::write(folder.join(format!("scripts/step_{number:02}.py")), code)?;
    }
    Ok(())
}

fn write_skill(folder: &Path, needs: &str, text: &str) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let head = format!(
        "---\nname: {name}\ndescription: Tells step by step how it is done. Use when somebody asks how.\nmetadata:\n  \
         skillery-dependencies: \"{needs}\"\n---\n# {name}\n\n"
    );
    fs_err::write(folder.join("SKILL.md"), head + text)?;
    Ok(())
}

fn publish(registry: &Registry, folder: &Path, version: &str) -> Result<()> {
    let output = Command::new(places::skillery())
        .args(["publish", "--quiet", "--org", "handbook", "--version", version, "--no-sign"])
        .args(["--registry", &format!("http://{}", registry.address), "--token", &registry.token])
        .arg(folder)
        .output()
        .context("cannot run skillery")?;
    ensure!(
        output.status.success(),
        "cannot publish {}: {}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Ratings, reviews, comments, reports and installs of many.
fn people(registry: &Registry) -> Result<()> {
    let mut door = Door::open(registry)?;
    for number in 0..READERS {
        let name = reader(number);
        door.change("POST", "users", &registry.token, &json!({"name": name}))?;
        let asked = json!({"user": name, "scopes": ["read", "rate"]});
        let made = door.change("POST", "tokens", &registry.token, &asked)?;
        let token = made["token"].as_str().context("a token is not shown")?;
        let review = "It tells each step in the order in which one needs it. ".repeat(1 + number % 7);
        let rating = 1.0 + (number % 41) as f64 / 10.0;
        door.change(
            "POST",
            &format!("skills/{ID}/rate"),
            token,
            &json!({"rating": rating, "review": review}),
        )?;
        let said = door.change("POST", &format!("skills/{ID}/comments"), token, &json!({"text": review}))?;
        let report =
            json!({"skill": ID, "comment": said["id"], "reason": "other", "text": "It says nothing."});
        if number % 3 == 0 {
            door.change("POST", "reports", &registry.token, &report)?;
        }
        for version in 0..3 {
            let bundle =
                format!("/api/v1/skills/{ID}/versions/1.{}.0/bundle", (number + version) % VERSIONS as usize);
            let answer = door.0.exchange(&http::get_as(&bundle, token))?;
            ensure!(answer.status == 200, "{bundle} is answered with {}", answer.status);
        }
    }
    Ok(())
}
