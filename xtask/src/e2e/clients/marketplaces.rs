//! Agents that take skills as plugins of a marketplace: Claude Code, Codex and Copilot.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Scene;
use super::desk::{Desk, Said, must_be_gone};
use super::git::commit;
use super::matrix::{Operation, Row};
use super::shelf::{ADDER, GREETER, NEXT, OFFERED, SHAKY, Shelf, VAULT};

const NO_SEARCH: &str = "it shows what a marketplace has, and does not search";
const NO_PIN: &str = "a marketplace offers one version of each plugin, and is taken at a branch or a tag and at no other commit";
const NO_PUBLISH: &str = "it only installs";
const NO_HEADER: &str =
    "its command line sends no credentials to the address of a marketplace; it does through Git";

/// How an agent is told to do things. `MARKET` and `PLUGIN` stand for names.
struct Agent {
    /// What it is called on a command line.
    command: &'static str,
    add: &'static [&'static str],
    install: &'static [&'static str],
    update: &'static [&'static [&'static str]],
    remove: &'static [&'static str],
    /// Whether a commit goes into an option, and not behind `#`.
    takes_ref: bool,
    /// Where a plugin lies in the home; `VERSION` stands for its version.
    folder: &'static str,
}

const CLAUDE: Agent = Agent {
    command: "claude",
    add: &["plugin", "marketplace", "add"],
    install: &["plugin", "install", "PLUGIN@MARKET"],
    update: &[&["plugin", "marketplace", "update", "MARKET"], &["plugin", "update", "PLUGIN@MARKET"]],
    remove: &["plugin", "uninstall", "PLUGIN@MARKET"],
    takes_ref: false,
    folder: ".claude/plugins/cache/MARKET/PLUGIN/VERSION",
};
const CODEX: Agent = Agent {
    command: "codex",
    add: &["plugin", "marketplace", "add"],
    install: &["plugin", "add", "PLUGIN@MARKET"],
    update: &[&["plugin", "marketplace", "upgrade", "MARKET"], &["plugin", "add", "PLUGIN@MARKET"]],
    remove: &["plugin", "remove", "PLUGIN@MARKET"],
    takes_ref: true,
    folder: ".codex/plugins/cache/MARKET/PLUGIN/VERSION",
};
const COPILOT: Agent = Agent {
    command: "copilot",
    add: &["plugin", "marketplace", "add"],
    install: &["plugin", "install", "PLUGIN@MARKET"],
    update: &[&["plugin", "marketplace", "update", "MARKET"], &["plugin", "update", "PLUGIN@MARKET"]],
    remove: &["plugin", "uninstall", "PLUGIN@MARKET"],
    takes_ref: false,
    folder: ".copilot/installed-plugins/MARKET/PLUGIN",
};

impl Agent {
    fn call(&self, desk: &Desk, words: &[&str], market: &str, plugin: &str) -> Result<Said> {
        let words: Vec<String> = words.iter().map(|word| filled(word, market, plugin, "")).collect();
        desk.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn folder(&self, desk: &Desk, market: &str, plugin: &str, version: &str) -> PathBuf {
        desk.home(&filled(self.folder, market, plugin, version))
    }

    fn add(&self, desk: &Desk, source: &str) -> Result<Said> {
        let mut words = self.add.to_vec();
        words.push(source);
        desk.run(&words)
    }
}

fn filled(word: &str, market: &str, plugin: &str, version: &str) -> String {
    word.replace("MARKET", market).replace("PLUGIN", plugin).replace("VERSION", version)
}

/// What a plugin's folder has besides its files.
const OWN: &[&str] = &[".git", ".in_use", ".orphaned_at", ".codex-plugin"];

pub(super) fn claude_git(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    through_git(&CLAUDE, scene, row)
}

pub(super) fn codex(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    through_git(&CODEX, scene, row)
}

pub(super) fn copilot(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    through_git(&COPILOT, scene, row)
}

/// What an agent does with a marketplace, however it comes to it.
struct Market<'a> {
    agent: &'static Agent,
    desk: &'a Desk,
    shelf: &'a Shelf,
    name: String,
    /// Whose lines the registry tells.
    told: &'static str,
}

impl<'a> Market<'a> {
    fn of(agent: &'static Agent, told: &'static str, scene: &'a Scene<'_>) -> Result<Self> {
        let (desk, shelf) = (&scene.desk, &scene.shelf);
        Ok(Self { agent, desk, shelf, name: name(shelf)?, told })
    }

    /// What is typed to add the marketplace and to install from it is what the registry says.
    fn must_tell(&self, skill: &str, source: &str) -> Result<()> {
        let Agent { command, add, install, .. } = self.agent;
        let name = self.shelf.name(skill);
        let install: Vec<String> = install.iter().map(|word| filled(word, &self.name, &name, "")).collect();
        for typed in
            [format!("{command} {} {source}", add.join(" ")), format!("{command} {}", install.join(" "))]
        {
            self.shelf.must_tell(self.told, skill, None, &typed)?;
        }
        Ok(())
    }

    fn call(&self, desk: &Desk, words: &[&str], skill: &str) -> Result<Said> {
        self.agent.call(desk, words, &self.name, &self.shelf.name(skill))
    }

    fn install(&self, desk: &Desk, skill: &str) -> Result<Said> {
        self.call(desk, self.agent.install, skill)
    }

    fn folder(&self, desk: &Desk, skill: &str, version: &str) -> PathBuf {
        self.agent.folder(desk, &self.name, &self.shelf.name(skill), version)
    }

    fn has(&self, desk: &Desk, skill: &str, version: &str) -> Result<()> {
        self.shelf.must_have(&self.folder(desk, skill, version), skill, version, OWN)
    }

    /// What everybody can have of it, from the address where it is.
    fn offer(&self, row: &mut Row, what: &'static str, source: &str) {
        let desk = self.desk;
        row.cannot(Operation::Search, NO_SEARCH);
        row.cannot(Operation::Publish, NO_PUBLISH);
        row.step(Operation::Install, what, || {
            self.agent.add(desk, source)?.done()?;
            for (skill, version) in OFFERED.into_iter().filter(|(skill, _)| [GREETER, ADDER].contains(skill))
            {
                self.install(desk, skill)?.done()?;
                self.has(desk, skill, version)?;
            }
            self.must_tell(GREETER, source)
        });
        row.step(Operation::Run, "a script", || {
            self.shelf.must_run(desk, &self.folder(desk, GREETER, "1.1.0"), "1.1.0", OWN)
        });
        row.step(Operation::Yanked, "not what is offered", || {
            self.install(desk, SHAKY)?.done()?;
            self.has(desk, SHAKY, "1.0.0")
        });
        row.step(Operation::Private, "not there for anybody", || {
            self.install(desk, VAULT)?.refused().map(drop)
        });
    }

    fn update(&self, row: &mut Row) {
        row.step(Operation::Update, "a later version", || {
            self.shelf.publish(GREETER, NEXT, "public")?;
            for words in self.agent.update {
                self.call(self.desk, words, GREETER)?.done()?;
            }
            self.has(self.desk, GREETER, NEXT)
        });
    }

    fn remove(&self, row: &mut Row) {
        row.step(Operation::Remove, "the plugin", || {
            self.call(self.desk, self.agent.remove, GREETER)?.done()?;
            must_not_list(self.desk, self.agent, &self.shelf.name(GREETER))
        });
    }
}

/// The marketplace in the repository of a namespace.
fn through_git(agent: &'static Agent, scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let told = if agent.command == CLAUDE.command { "claude-code-git" } else { agent.command };
    let market = Market::of(agent, told, scene)?;
    let source = shelf.at("all.git");
    market.offer(row, "a marketplace, and what it offers", &source);
    row.step(Operation::Private, "there with a token", || {
        let desk = desk.somebody("member")?;
        desk.sign_in_to_git(&shelf.url, &shelf.reader.token)?;
        // Git brings credentials only where it is asked for them, as nobody is for what everybody may see.
        agent.add(&desk, &shelf.at("members.git"))?.done()?;
        market.install(&desk, VAULT)?.done()?;
        market.must_tell(VAULT, &shelf.at("members.git"))?;
        market.has(&desk, VAULT, "1.0.0")
    });
    row.step(Operation::Private, "there with a token in the variables that are told", || {
        let desk = desk.somebody("told")?.with_git_header(&shelf.url, &shelf.reader.token);
        agent.add(&desk, &shelf.at("members.git"))?.done()?;
        market.install(&desk, VAULT)?.done()?;
        market.has(&desk, VAULT, "1.0.0")
    });
    row.step(Operation::Tampered, "a byte of the pack", || {
        let way = scene.way;
        let source = format!("{}/{}/all.git", way.url(), shelf.org);
        agent.add(&desk.somebody("untouched")?, &source)?.done()?;
        let desk = desk.somebody("tampered")?;
        way.change(|target| target.ends_with("/git-upload-pack"), || agent.add(&desk, &source))?.refused()?;
        market.install(&desk, GREETER)?.refused().map(drop)
    });
    let before = commit(desk, &source, "HEAD")?;
    market.update(row);
    row.step(Operation::Pin, "a commit that is no branch any more is refused", || {
        let desk = desk.somebody("pinned")?;
        match agent.takes_ref {
            true => desk.run(&[agent.add, &[source.as_str(), "--ref", before.as_str()]].concat())?,
            false => agent.add(&desk, &format!("{source}#{before}"))?,
        }
        .refused()?;
        market.install(&desk, GREETER)?.refused().map(drop)
    });
    row.cannot(Operation::Pin, NO_PIN);
    market.remove(row);
    Ok(())
}

/// Claude Code with the address of a catalogue, whose plugins are repositories where there is no TLS.
pub(super) fn claude_url(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    catalogue(scene, row, |desk, market| {
        // The catalogue names the registry itself, so that Git is led past it.
        let desk = desk
            .with("GIT_CONFIG_COUNT", "1")
            .with("GIT_CONFIG_KEY_0", &format!("url.{}/.insteadOf", scene.way.url()))
            .with("GIT_CONFIG_VALUE_0", &format!("{}/", scene.shelf.url));
        let install = || CLAUDE.call(&desk, CLAUDE.install, market, &scene.shelf.name(GREETER));
        scene.way.change(|target| target.ends_with("/git-upload-pack"), install)
    })
}

/// A catalogue at an address of its own.
fn catalogue(
    scene: &Scene<'_>,
    row: &mut Row,
    install_changed: impl Fn(&Desk, &str) -> Result<Said>,
) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let market = Market::of(&CLAUDE, "claude-code", scene)?;
    let source = shelf.at("marketplace.json");
    market.offer(row, "a catalogue, and what it offers", &source);
    row.cannot(Operation::Pin, NO_PIN);
    row.cannot(Operation::Private, NO_HEADER);
    row.step(Operation::Tampered, "a byte of what a plugin is made of", || {
        let desk = desk.somebody("tampered")?;
        CLAUDE.add(&desk, &source)?.done()?;
        install_changed(&desk, &market.name)?.refused()?;
        must_be_gone(&market.folder(&desk, GREETER, "1.1.0"))
    });
    market.update(row);
    market.remove(row);
    Ok(())
}

/// Claude Code with a catalogue behind TLS, whose plugins are archives.
pub(super) fn claude_archive(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    catalogue(scene, row, |desk, market| {
        let install = || CLAUDE.call(desk, CLAUDE.install, market, &scene.shelf.name(GREETER));
        scene.way.change(|target| target.ends_with(".zip"), install)
    })
}

/// What a namespace's marketplace is called.
fn name(shelf: &Shelf) -> Result<String> {
    let (_, catalogue) = shelf.get(&format!("/{}/marketplace.json", shelf.org))?;
    let catalogue: Value = serde_json::from_slice(&catalogue).context("the catalogue is not JSON")?;
    Ok(catalogue["name"].as_str().context("the catalogue has no name")?.to_owned())
}

/// The agent does not list a plugin as installed any more.
fn must_not_list(desk: &Desk, agent: &Agent, plugin: &str) -> Result<()> {
    let listed = desk.run(&[agent.add[0], "list"])?.done()?;
    let lines = listed.out.lines().filter(|line| line.contains(plugin));
    let installed: Vec<&str> = lines.filter(|line| !line.contains("not installed")).collect();
    anyhow::ensure!(installed.is_empty(), listed.wrong(&format!("it still lists `{plugin}`")));
    Ok(())
}
