//! A folder of real skills: all of them are published, and every surface must hand out all of them as they were.
//!
//! No client is called once for each skill where it can take a whole namespace.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use skillery_core::{Limits, bundle};

use super::desk::Desk;
use super::files::Files;
use super::install::{Installed, Source};
use super::shelf::people;
use super::{CLAUDE, CODEX, GEMINI, INSPECTOR, OPENCODE, SKILLS};
use crate::e2e::registry::{Caller, Registry};
use crate::e2e::report::quietly;

/// Skills whose names others have too go to the next of these.
const ORG: &str = "collection";
const VERSION: &str = "1.0.0";

/// One skill of the folder.
struct Skill {
    /// The name in its front matter.
    name: String,
    org: String,
    folder: PathBuf,
}

/// What was published, and what came of each surface.
pub(crate) struct Collection<'a> {
    registry: &'a Registry,
    program: &'a Path,
    owner: Caller,
    /// By org and name, with what the API says of their files.
    skills: BTreeMap<(String, String), Files>,
    told: String,
    failures: Vec<String>,
    place: PathBuf,
}

impl<'a> Collection<'a> {
    /// Publishes everything that can be published.
    pub(crate) fn publish(
        registry: &'a Registry,
        program: &'a Path,
        folder: &Path,
        place: &Path,
    ) -> Result<Self> {
        println!("\n==> the collection");
        let (owner, _) = people(registry, ORG)?;
        let mut found = Vec::new();
        find(folder, &mut found)?;
        ensure!(!found.is_empty(), "there are no skills in `{}`", folder.display());
        found.sort_by(|one, other| one.name.cmp(&other.name));
        let mut collection = Self {
            registry,
            program,
            owner,
            skills: BTreeMap::new(),
            told: "| what | skills | files | |\n| --- | --- | --- | --- |\n".to_owned(),
            failures: Vec::new(),
            place: place.join("collection"),
        };
        let (mut strict, mut lenient, mut refused) = (0, 0, Vec::new());
        let mut before: Option<(String, usize)> = None;
        for mut skill in found {
            let number = match &before {
                Some((name, number)) if *name == skill.name => number + 1,
                _ => 0,
            };
            before = Some((skill.name.clone(), number));
            skill.org = if number == 0 { ORG.to_owned() } else { format!("{ORG}-{number}") };
            match collection.publish_one(&skill)? {
                Published::Strict => strict += 1,
                Published::Lenient => lenient += 1,
                Published::Refused(why) => refused.push(format!("{}: {why}", skill.name)),
            }
        }
        println!(
            "{strict} are as the format wants them, {lenient} are not in all, {} were refused",
            refused.len()
        );
        refused.iter().for_each(|line| println!("  refused: {line}"));
        collection.row("published", collection.skills.len(), collection.count(), Ok(()));
        ensure!(!collection.skills.is_empty(), "nothing could be published");
        Ok(collection)
    }

    /// Publishes one as its author does, and again leniently where the format is not kept in all.
    fn publish_one(&mut self, skill: &Skill) -> Result<Published> {
        let id = format!("{}/{}", skill.org, skill.name);
        let publish = |more: &[&str]| {
            let mut publish = Command::new(self.program);
            publish.arg("publish").arg(&skill.folder).args(["--id", &id, "--version", VERSION, "--json"]);
            publish.args(["--visibility", "public"]).args(more).env_remove("SSH_AUTH_SOCK");
            publish.env("SKILLERY_REGISTRY", &self.registry.url).env("SKILLERY_TOKEN", &self.owner.token);
            publish.env("SKILLERY_HOME", self.place.join("author"));
            quietly(&mut publish)
        };
        let mut how = Published::Strict;
        if publish(&[])?.status != Some(0) {
            how = Published::Lenient;
            let ended = publish(&["--lenient"])?;
            if ended.status != Some(0) {
                return Ok(Published::Refused(format!("{} {}", ended.out, ended.err)));
            }
        }
        let detail = self.owner.call("GET", &format!("/skills/{id}/versions/{VERSION}"), &Value::Null)?;
        let (files, own) = (Files::of_version(&detail)?, Files::of_folder(&skill.folder, &[])?);
        files.must_be(&own).with_context(|| format!("what was published of {id}"))?;
        files.must_be_modes(&own).with_context(|| format!("what was published of {id}"))?;
        self.skills.insert((skill.org.clone(), skill.name.clone()), files);
        Ok(how)
    }

    fn count(&self) -> usize {
        self.skills.values().map(Files::count).sum()
    }

    /// Lets every surface hand out everything, and says what came of it.
    pub(crate) fn check(mut self, installed: &Installed) -> Result<String> {
        self.api();
        self.clawhub();
        self.client(
            installed,
            "git, `clone` of each namespace",
            Source::System { program: "git" },
            |desk, at| {
                desk.run(&["clone", "--depth", "1", &at.repository(), "all"])?.done()?;
                Ok(desk.path("all/skills"))
            },
        );
        self.client(installed, "skills, discovery", SKILLS, |desk, at| {
            desk.run(&["add", &at.scope(), "-y", "-a", "claude-code"])?.done()?;
            Ok(desk.path(".claude/skills"))
        });
        self.client(installed, "skills, Git", SKILLS, |desk, at| {
            desk.run(&["add", &at.repository(), "-y", "-a", "claude-code"])?.done()?;
            Ok(desk.path(".claude/skills"))
        });
        self.client(installed, "Claude Code, marketplace", CLAUDE, |desk, at| {
            desk.run(&["plugin", "marketplace", "add", &at.repository()])?.done()?;
            only_folder(&desk.home(".claude/plugins/marketplaces")).map(|folder| folder.join("skills"))
        });
        self.client(installed, "Codex, marketplace", CODEX, |desk, at| {
            desk.run(&["plugin", "marketplace", "add", &at.repository()])?.done()?;
            only_folder(&desk.home(".codex/.tmp/marketplaces")).map(|folder| folder.join("skills"))
        });
        self.client(installed, "Gemini CLI", GEMINI, |desk, at| {
            desk.run(&["skills", "install", &at.repository(), "--path", "skills", "--consent"])?.done()?;
            Ok(desk.home(".gemini/skills"))
        });
        self.client(installed, "OpenCode", OPENCODE, |desk, at| {
            let url = format!("{}/.well-known/agent-skills/", at.scope());
            Desk::write(&desk.path("opencode.json"), &json!({"skills": {"urls": [url]}}).to_string())?;
            let listed = desk.run(&["debug", "skill"])?.done()?;
            let listed = listed.json()?;
            let places =
                listed.as_array().into_iter().flatten().filter_map(|skill| skill["location"].as_str());
            let cache = desk.home(".cache").display().to_string();
            let place = places.map(Path::new).find(|place| place.starts_with(&cache));
            let skill = place.and_then(Path::parent).context("it has no skill in its cache")?;
            Ok(skill.parent().context("a skill has no folder above")?.to_owned())
        });
        self.inspector(installed);
        let text = format!("{}\n", self.told);
        println!("\n{text}");
        if self.failures.is_empty() {
            return Ok(text);
        }
        self.failures.iter().for_each(|failure| println!("{failure}\n"));
        bail!("{} surfaces did not hand out all of the collection", self.failures.len());
    }

    /// The ZIP of the API.
    fn api(&mut self) {
        let result = self.every(|this, org, name, files| {
            let bytes = this.get(&format!("/api/v1/skills/{org}/{name}/versions/{VERSION}/bundle"))?;
            same_bundle(&bytes, files)
        });
        self.row("ZIP of the API", self.skills.len(), self.count(), result);
    }

    /// The ZIP of ClawHub's API. Its client installs one skill at a time, which takes seconds for each.
    fn clawhub(&mut self) {
        let result = self.every(|this, org, name, files| {
            let query = format!("slug={name}&ownerHandle={org}&version={VERSION}");
            let bytes = this.get(&format!("/clawhub/api/v1/download?{query}"))?;
            same_bundle(&bytes, files)
        });
        self.row("ClawHub's API", self.skills.len(), self.count(), result);
    }

    fn inspector(&mut self, installed: &Installed) {
        let result = self.with_desks(installed, INSPECTOR, "inspector", |desk, at, skills| {
            let url = format!("{}/mcp/{}", at.url, at.org);
            let words = ["--cli", "--server-url", &url, "--transport", "http", "--format", "json"];
            let more =
                ["--stored-auth-only", "--protocol-era", "auto", "--method", "skills/list", "--verify"];
            let most = ["--require-digests", "--skill-catalog-max-skills", "5000"];
            let said = desk.run(&[&words[..], &more, &most].concat())?.done()?;
            for (name, _) in skills {
                ensure!(said.out.contains(&format!("/{name}/SKILL.md")), "`{name}` was not looked at");
            }
            Ok(())
        });
        self.row("MCP Inspector, digests of all files", self.skills.len(), self.count(), result);
    }

    /// A client that puts all skills of a namespace into one folder, each under its name.
    fn client(
        &mut self,
        installed: &Installed,
        what: &str,
        source: Source,
        install: impl Fn(&Desk, &Namespace<'_>) -> Result<PathBuf>,
    ) {
        let result = self.with_desks(installed, source, what, |desk, at, skills| {
            let folder = install(desk, at)?;
            let mut wrong = Vec::new();
            for (name, files) in skills {
                let found = Files::of_folder(&folder.join(name), &[".git", ".opencode-version"]);
                if let Err(error) = found.and_then(|found| found.must_be(files)) {
                    wrong.push(format!("{name}: {error:#}"));
                }
            }
            ensure!(wrong.is_empty(), "{} of {}: {}", wrong.len(), skills.len(), wrong.join("\n    "));
            Ok(())
        });
        self.row(what, self.skills.len(), self.count(), result);
    }

    fn with_desks(
        &self,
        installed: &Installed,
        source: Source,
        what: &str,
        check: impl Fn(&Desk, &Namespace<'_>, &[(&str, &Files)]) -> Result<()>,
    ) -> Result<()> {
        println!("  {what}");
        let program = installed.program(source)?.map_err(anyhow::Error::msg)?;
        let mut orgs: Vec<&str> = self.skills.keys().map(|(org, _)| org.as_str()).collect();
        orgs.dedup();
        for org in orgs {
            let folder =
                self.place.join(what.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")).join(org);
            let desk = Desk::new(&folder, "client", &program.start, program.node.as_deref())?;
            let of_org = self.skills.iter().filter(|((of, _), _)| of == org);
            let skills: Vec<(&str, &Files)> =
                of_org.map(|((_, name), files)| (name.as_str(), files)).collect();
            check(&desk, &Namespace { url: &self.registry.url, org }, &skills)?;
        }
        Ok(())
    }

    fn every(&self, check: impl Fn(&Self, &str, &str, &Files) -> Result<()>) -> Result<()> {
        for ((org, name), files) in &self.skills {
            check(self, org, name, files).with_context(|| format!("{org}/{name}"))?;
        }
        Ok(())
    }

    fn get(&self, target: &str) -> Result<Vec<u8>> {
        let answer = self.owner.send("GET", target, "application/json", Vec::new())?;
        ensure!(answer.status()? == 200, "`{target}` is answered with `{}`", answer.start);
        Ok(answer.body)
    }

    fn row(&mut self, what: &str, skills: usize, files: usize, result: Result<()>) {
        let word = if result.is_ok() { "ok" } else { "**failed**" };
        println!("  {what}: {word}");
        let _ = writeln!(self.told, "| {what} | {skills} | {files} | {word} |");
        if let Err(error) = result {
            self.failures.push(format!("{what}: {error:#}"));
        }
    }
}

/// What came of publishing a skill.
enum Published {
    Strict,
    Lenient,
    Refused(String),
}

/// Where the skills of an org are.
struct Namespace<'a> {
    url: &'a str,
    org: &'a str,
}

impl Namespace<'_> {
    fn scope(&self) -> String {
        format!("{}/{}", self.url, self.org)
    }

    fn repository(&self) -> String {
        format!("{}/all.git", self.scope())
    }
}

fn same_bundle(bytes: &[u8], files: &Files) -> Result<()> {
    let unpacked = bundle::unpack(bytes, &Limits::default()).context("it is no bundle")?;
    Files::of_bundle(&unpacked).must_be(files)?;
    Files::of_bundle(&unpacked).must_be_modes(files)
}

/// All folders below that have a `SKILL.md`. What lies in a skill belongs to it.
fn find(folder: &Path, found: &mut Vec<Skill>) -> Result<()> {
    if folder.join("SKILL.md").is_file() {
        found.push(Skill { name: name(folder)?, org: String::new(), folder: folder.to_owned() });
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, found)?;
        }
    }
    Ok(())
}

/// What a skill calls itself, or else what its folder is called.
fn name(folder: &Path) -> Result<String> {
    let text = std::fs::read_to_string(folder.join("SKILL.md"))?;
    let written = text.lines().take(100).find_map(|line| line.strip_prefix("name:"));
    let written = written.map(|name| name.trim().trim_matches(['"', '\'']).to_owned());
    let called = folder.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    written.or(called).with_context(|| format!("`{}` has no name", folder.display()))
}

/// The one folder that there is.
fn only_folder(folder: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let is_hidden =
        |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut folders =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir() && !is_hidden(path));
    let first = folders.next().with_context(|| format!("there is no folder in `{}`", folder.display()))?;
    ensure!(folders.next().is_none(), "there are several folders in `{}`", folder.display());
    Ok(first)
}
