//! `@modelcontextprotocol/inspector` of npm: skills over the Model Context Protocol, and its own check of their digests.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Scene;
use super::desk::{Desk, Said};
use super::files::Files;
use super::matrix::{Operation, Row};
use super::shelf::{GREETER, NEXT, OFFERED, SHAKY, Shelf, VAULT, YANKED};

/// A server, as the Inspector is told of it: what stands before its own words, and behind them.
struct Server {
    before: Vec<String>,
    behind: Vec<String>,
}

impl Server {
    /// One at an address.
    fn at(url: &str) -> Self {
        let before = ["--server-url", url, "--transport", "http", "--stored-auth-only"];
        Self { before: before.map(str::to_owned).into(), behind: Vec::new() }
    }

    /// Our program, for one user, which nobody can be asked by.
    fn ours(scene: &Scene<'_>, registry: &str, home: &str, token: Option<&str>) -> Self {
        let home = scene.desk.home(home).display().to_string();
        let mut variables = vec![format!("SKILLERY_REGISTRY={registry}"), format!("SKILLERY_HOME={home}")];
        variables.extend(token.map(|token| format!("SKILLERY_TOKEN={token}")));
        let before = variables.into_iter().flat_map(|variable| ["-e".to_owned(), variable]).collect();
        let program = scene.program.display().to_string();
        let behind = ["--", &program, "mcp", "--allow-install"].map(str::to_owned).into();
        Self { before, behind }
    }

    fn call(&self, desk: &Desk, words: &[&str]) -> Result<Said> {
        let mut all = vec!["--cli", "--format", "json", "--protocol-era", "auto"];
        all.extend(self.before.iter().map(String::as_str));
        all.extend(words);
        all.extend(self.behind.iter().map(String::as_str));
        desk.run(&all)
    }

    /// The check of the Inspector that skills are as the protocol wants them, down to the bytes.
    fn verify(&self, desk: &Desk) -> Result<Said> {
        self.call(desk, &["--method", "skills/list", "--verify", "--require-digests"])
    }

    /// A tool of the server.
    fn tool(&self, desk: &Desk, tool: &str, argument: &str) -> Result<Said> {
        self.call(desk, &["--method", "tools/call", "--tool-name", tool, "--tool-arg", argument])
    }
}

/// Where a version of a skill is, in the words of the protocol.
fn address(shelf: &Shelf, skill: &str, version: &str) -> String {
    let name = shelf.name(skill);
    format!("skill://{}/@{version}/{name}/SKILL.md", shelf.id(skill))
}

/// Fails unless a server gives a version with its files.
fn must_give(scene: &Scene<'_>, server: &Server, more: &[&str], skill: &str, version: &str) -> Result<()> {
    let address = address(&scene.shelf, skill, version);
    let words = [&["--method", "skills/get", "--uri", &address][..], more].concat();
    let said = server.call(&scene.desk, &words)?.done()?;
    must_be(&said, &scene.shelf.files(skill, version)?)
}

const NO_MODES: &str = "the protocol has no modes of files";
const NO_PUBLISH: &str = "the protocol has no publishing";

/// The registry's own server.
pub(super) fn over_http(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let server = Server::at(&format!("{}/mcp/{}", shelf.url, shelf.org));
    let gives = |skill: &str, version: &str| must_give(scene, &server, &[], skill, version);
    row.cannot(Operation::Run, NO_MODES);
    row.cannot(Operation::Remove, "it installs nothing: skills are read where they are");
    row.cannot(Operation::Publish, NO_PUBLISH);
    search(scene, &server, row);
    row.step(Operation::Install, "every file of every skill, by its digest", || {
        let said = server.verify(desk)?.done()?;
        let said = OFFERED
            .iter()
            .try_fold(said, |said, (skill, version)| said.says(&address(shelf, skill, version)))?;
        said.silent_about(&shelf.name(VAULT)).map(drop)
    });
    row.step(Operation::Install, "the files are those of the version", || {
        OFFERED.iter().try_for_each(|(skill, version)| gives(skill, version))
    });
    row.step(Operation::Pin, "a version in the address", || gives(GREETER, "1.0.0"));
    row.step(Operation::Yanked, "not what is offered, and still there by its number", || {
        let listed = server.call(desk, &["--method", "skills/list"])?.done()?;
        listed.says(&address(shelf, SHAKY, "1.0.0"))?.silent_about(&address(shelf, SHAKY, YANKED))?;
        gives(SHAKY, YANKED)
    });
    row.step(Operation::Private, "not there for anybody, there with a token", || {
        let vault = address(shelf, VAULT, "1.0.0");
        server.call(desk, &["--method", "skills/get", "--uri", &vault])?.refused()?;
        let header = format!("Authorization: Bearer {}", shelf.reader.token);
        must_give(scene, &server, &["--header", &header], VAULT, "1.0.0")
    });
    row.step(Operation::Tampered, "a byte of a file", || {
        let server = Server::at(&format!("{}/mcp/{}", scene.way.url(), shelf.org));
        server.verify(desk)?.done()?;
        let is_file = |_: &str, body: &[u8]| {
            let text = String::from_utf8_lossy(body);
            text.contains("\"contents\"") && text.contains("# Greeting")
        };
        scene.way.change_where(is_file, || server.verify(desk))?.refused().map(drop)
    });
    row.step(Operation::Update, "a later version", || {
        shelf.publish(GREETER, NEXT, "public")?;
        let listed = server.call(desk, &["--method", "skills/list"])?.done()?;
        listed.says(&address(shelf, GREETER, NEXT))?;
        gives(GREETER, NEXT)
    });
    Ok(())
}

/// Our program on the same machine, which installs what it is asked for, and lists what is installed.
pub(super) fn through_our_program(scene: &Scene<'_>, row: &mut Row) -> Result<()> {
    let (desk, shelf) = (&scene.desk, &scene.shelf);
    let server = Server::ours(scene, &shelf.url, "skillery", None);
    let install =
        |server: &Server, skill: &str| server.tool(desk, "install_skill", &format!("id={}", shelf.id(skill)));
    row.cannot(Operation::Run, NO_MODES);
    row.cannot(Operation::Remove, "there is no tool for it; `skillery remove` is for people");
    row.cannot(Operation::Publish, NO_PUBLISH);
    search(scene, &server, row);
    row.step(Operation::Install, "the tool `install_skill`, and every file by its digest", || {
        for (skill, version) in OFFERED {
            install(&server, skill)?.done()?;
            must_give(scene, &server, &[], skill, version)?;
        }
        let said = server.verify(desk)?.done()?;
        OFFERED.iter().try_fold(said, |said, (skill, version)| said.says(&address(shelf, skill, version)))?;
        Ok(())
    });
    row.step(Operation::Pin, "a version in the address", || must_give(scene, &server, &[], GREETER, "1.0.0"));
    row.step(Operation::Yanked, "not what is installed, and still there by its number", || {
        server.verify(desk)?.done()?.silent_about(&address(shelf, SHAKY, YANKED))?;
        must_give(scene, &server, &[], SHAKY, YANKED)
    });
    row.step(Operation::Private, "not there for anybody, there with a token", || {
        install(&server, VAULT)?.refused()?;
        let member = Server::ours(scene, &shelf.url, "member", Some(&shelf.reader.token));
        install(&member, VAULT)?.done()?;
        must_give(scene, &member, &[], VAULT, "1.0.0")
    });
    row.step(Operation::Tampered, "a byte of what is downloaded", || {
        let url = scene.way.url();
        install(&Server::ours(scene, &url, "untouched", None), GREETER)?.done()?;
        let server = Server::ours(scene, &url, "tampered", None);
        let is_content = |target: &str| target.contains("/bundle") || target.contains("/download");
        scene.way.change(is_content, || install(&server, GREETER))?.refused()?;
        server.verify(desk)?.done()?.silent_about(&shelf.name(GREETER)).map(drop)
    });
    row.step(Operation::Update, "a later version", || {
        shelf.publish(GREETER, NEXT, "public")?;
        install(&server, GREETER)?.done()?;
        server.verify(desk)?.done()?.says(&address(shelf, GREETER, NEXT))?;
        must_give(scene, &server, &[], GREETER, NEXT)
    });
    Ok(())
}

fn search(scene: &Scene<'_>, server: &Server, row: &mut Row) {
    let shelf = &scene.shelf;
    row.step(Operation::Search, "the tool `search_skills`", || {
        let found = server.tool(&scene.desk, "search_skills", &format!("query={}", shelf.word()))?.done()?;
        found.says(&shelf.id(GREETER))?.silent_about(&shelf.name(VAULT)).map(drop)
    });
}

/// A skill has resources with these digests, and no others.
fn must_be(said: &Said, expected: &Files) -> Result<()> {
    let answer = said.json()?;
    let skill = answer.pointer("/result/skill").or_else(|| answer.get("skill")).unwrap_or(&answer);
    let uri = skill["uri"].as_str().with_context(|| format!("there is no skill: {}", said.out))?;
    let folder = uri.strip_suffix("SKILL.md").context("a skill is not named after its file")?;
    let resources = skill["resources"].as_array().context("a skill has no resources")?;
    ensure!(
        resources.len() == expected.count(),
        "it has {} files, not {}",
        resources.len(),
        expected.count()
    );
    for resource in resources {
        let uri = resource["uri"].as_str().context("a file has no address")?;
        let path = decoded(uri.strip_prefix(folder).context("a file lies outside of its skill")?)?;
        let digest = expected.digest(&path).with_context(|| format!("`{path}` is not in the version"))?;
        let said = resource["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        ensure!(said == Some(&digest.to_string()), "`{path}` has another digest: {}", Value::from(said));
    }
    Ok(())
}

/// A path without its escapes.
fn decoded(path: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2).context("an escape is cut off")?)?;
            bytes.push(u8::from_str_radix(digits, 16)?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    Ok(String::from_utf8(bytes)?)
}
